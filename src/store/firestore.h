/* The Firestore back end's own pieces; docs/stores/firestore.md tells the design: a collection for
 * each entity, markers for unique values, every access pattern and its cost. Only
 * store/firestore*.c include this.
 */
#ifndef STORE_FIRESTORE_H
#define STORE_FIRESTORE_H

#include "base/json.h"
#include "store/front.h"

#include <pthread.h>

#define FS_SCHEMA "1"
#define FS_ATTEMPTS 8
#define FS_ATTEMPTS_AT_OPEN 3
#define FS_COMMIT_TRIES 40         /* of a batch that meets others */
#define FS_WRITES_MAX 500          /* of one of the commits that a large delete_all is done in */
#define FS_BYTES_MAX (9 * MIB)     /* of one request; the service takes 10 MiB */
#define FS_BYTES_GOOD (4 * MIB)    /* beyond it, parts go ahead in requests of their own */
#define FS_INLINE_MAX (768 * KIB)  /* of one document; the service takes 1 MiB */
#define FS_INLINE_SMALL (32 * KIB) /* the same, in a batch that would be too large otherwise */
#define FS_PART (768 * KIB)        /* of a value that was split off */
#define FS_EMULATOR "FIRESTORE_EMULATOR_HOST"

struct store_backend {
    const struct env *env;
    struct arena arena;  /* of the strings */
    struct str database; /* "projects/P/databases/D" */
    struct str url;      /* "https://firestore.googleapis.com/v1/projects/P/databases/D" */
    int attempts;
    pthread_mutex_t mutex; /* of what follows */
    struct store_stats stats;
    int64_t last_commit_ms;
};

/* A call that did not succeed for a reason the caller knows what to do with. */
enum { FS_REFUSED = 1 };
struct fs_reply {
    const struct json *root;
    struct str code; /* of FS_REFUSED: "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED", … */
    bool unsure;     /* an attempt before may have been carried out */
};
/* POST documents:METHOD. 0; FS_REFUSED (of a commit) when a precondition failed or others were in
 * the way; or ERR_* with the remedy. Yields. */
MUST_CHECK int fs_call(struct store_backend *fs, struct arena *arena, const char *method,
    struct str body, struct fs_reply *ret_reply);
/* Sleep before the attempt'th repetition, anywhere between nothing and twice the time before. */
MUST_CHECK int fs_back_off(struct store_backend *fs, int attempt);

/* Names of documents: "projects/P/databases/D/documents/COLLECTION/ID". */
struct str fs_row_name(struct store_backend *fs, const struct store_schema *schema, const void *row,
    struct arena *arena);
struct str fs_id_name(struct store_backend *fs, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena);
struct str fs_marker_name(struct store_backend *fs, const struct store_schema *schema, int index,
    struct str workspace_id, struct str value, struct arena *arena);
struct str fs_part_name(
    struct store_backend *fs, struct str part_id, int64_t number, struct arena *arena);
struct str fs_meta_name(struct store_backend *fs, const char *name, struct arena *arena);

/* Values. A column that questions are asked about is a field; the others are in the map "data". */
bool fs_is_asked(const struct store_schema *schema, size_t column);
void fs_write_text(struct json_writer *w, const char *name, struct str value);
void fs_write_int(struct json_writer *w, const char *name, int64_t value);
void fs_write_bytes(struct json_writer *w, const char *name, struct str bytes);
struct str fs_read_text(const struct json *fields, const char *name);
int64_t fs_read_int(const struct json *fields, const char *name);
MUST_CHECK int fs_read_bytes(
    const struct json *fields, const char *name, struct arena *arena, struct str *ret_bytes);

/* Values of a row that do not fit into one document lie in parts beside it. */
struct fs_split {
    struct str columns; /* "body:1048616,author:9000": what the parts hold, in order */
    struct str bytes;
    int64_t parts; /* 0: the row fits */
    struct str part_id;
};
size_t fs_row_bytes(const struct store_schema *schema, const void *row);
struct fs_split fs_split_row(
    const struct store_schema *schema, const void *row, struct arena *arena);
/* {"name":…,"fields":…}. write: the name of the commit that writes it. */
void fs_write_row(struct json_writer *w, struct str name, const struct store_schema *schema,
    const void *row, const struct fs_split *split, struct str write);
/* Without the values that were split off; what is not in fields is empty. 0 or ERR_CORRUPT. */
MUST_CHECK int fs_read_row(const struct store_schema *schema, const struct json *fields,
    struct arena *arena, void *ret_row);

/* Reading. */
/* fs_call() of what changes nothing: contention is waited out. Yields. */
MUST_CHECK int fs_call_read(struct store_backend *fs, struct arena *arena, const char *method,
    struct str body, const struct json **ret_root);
/* The row of a document, its parts included; read again when it was replaced between the two. 0, or
 * STORE_MISSING when it was deleted meanwhile. Yields. */
MUST_CHECK int fs_load_row(struct store_backend *fs, const struct store_schema *schema,
    const struct json *doc, struct arena *arena, void *ret_row);
/* The documents of names, in their order; NULL for those that are missing. with_data false leaves
 * out the map "data". Yields. */
MUST_CHECK int fs_get_docs(struct store_backend *fs, const struct str *names, size_t count,
    bool with_data, struct arena *arena, const struct json **ret_docs);
/* A question: the start of a structured query, up to its limit. Yields. */
struct fs_question {
    const struct store_query *query;
    int64_t after_order;
    struct str after_id;
    bool without_data;
    size_t limit;
};
MUST_CHECK int fs_ask(struct store_backend *fs, const struct fs_question *question,
    struct arena *arena, const struct json ***ret_docs, size_t *ret_count);
int fs_get(struct store_backend *fs, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena, void *ret_row);
int fs_find(struct store_backend *fs, enum store_entity entity, struct str workspace_id, int index,
    struct str value, struct arena *arena, void *ret_row);
int fs_list(struct store_backend *fs, const struct store_query *query, int64_t after_order,
    struct str after_id, struct arena *arena, struct store_page *ret_page);
int fs_scan(struct store_backend *fs, const struct store_visitor *visitor);
/* Delete parts that a process which died left behind: no row refers to them, and they are older
 * than any commit may take. Yields. */
MUST_CHECK int fs_sweep(struct store_backend *fs);
MUST_CHECK int fs_sweep_when_due(struct store_backend *fs);

/* Writing. A batch becomes a plan: one entry for each document touched, whatever number of ops
 * touch it, since a document's precondition is about what was there before all of them. */
struct fs_entry {
    struct str name;
    const struct store_schema *schema; /* NULL: a marker */
    bool known;                        /* it was read, or may be taken for absent */
    bool was;                          /* it was there */
    struct str update_time;            /* "": guarded by the row that owns the marker */
    struct str write;                  /* who wrote what was there */
    struct str was_part_id;
    int64_t was_parts;
    bool touched, is, bulk;      /* bulk: it goes by a delete_all */
    const void *row;             /* of a row that is */
    struct str workspace_id, id; /* of a marker that is: its owner */
};
struct fs_plan {
    struct store_backend *fs;
    struct arena *arena;
    struct store_batch *batch;
    struct str write; /* ULID of the whole commit */
    int attempt;
    bool careful; /* an earlier attempt was refused: read what was taken for absent */
    struct sorted *map;
    struct fs_entry **entries;
    size_t count, capacity;
};
/* Read what must be known, then do the ops in thought: 0, STORE_EXISTS, STORE_MISSING,
 * STORE_CONFLICT with batch->failed, or ERR_*. Yields. */
MUST_CHECK int fs_plan_make(struct fs_plan *plan);
int fs_commit(struct store_backend *fs, struct store_batch *batch);

int fs_meta_get(
    struct store_backend *fs, const char *name, struct arena *arena, struct str *ret_value);
int fs_meta_set(struct store_backend *fs, const char *name, struct str value);

#endif
