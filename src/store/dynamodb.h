/* The DynamoDB back end's own pieces; docs/stores/dynamodb.md tells the design: one table, every
 * access pattern and its cost. Only store/dynamodb*.c include this.
 */
#ifndef STORE_DYNAMODB_H
#define STORE_DYNAMODB_H

#include "secure/aws_credentials.h"
#include "store/front.h"

#include <pthread.h>

#define DDB_SCHEMA "1"
#define DDB_ATTEMPTS 10
#define DDB_ATTEMPTS_AT_OPEN 3
#define DDB_ACTIONS_MAX 100        /* of one TransactWriteItems */
#define DDB_BYTES_MAX (3 * MIB)    /* of one request: the service takes 4 MB, base64 included */
#define DDB_INLINE_MAX (256 * KIB) /* of one item; the service takes 400 KB */
#define DDB_PART (200 * KIB)       /* of a value that was split off */
#define DDB_INDEXES 2              /* gsi1, gsi2 */

struct store_backend {
    const struct env *env;
    struct str region, table, url, host; /* url and host of the service */
    struct arena arena;                  /* of these strings */
    bool local;                          /* an endpoint was given */
    int attempts;
    struct store_stats stats;
    pthread_mutex_t mutex; /* of stats */
};

/* A DynamoDB call that did not succeed for a reason the caller knows what to do with. */
enum { DDB_REFUSED = 1 };
struct ddb_reply {
    const struct json *root;
    struct str code; /* of DDB_REFUSED: "ConditionalCheckFailedException" */
    bool unsure;     /* an attempt before may have been carried out */
};
/* Sign, send, repeat what may be repeated. 0; DDB_REFUSED for a failed condition, a cancelled
 * transaction, a table that is missing or in use; or ERR_* with the remedy. Yields. */
MUST_CHECK int ddb_call(struct store_backend *db, struct arena *arena, const char *operation,
    struct str body, struct ddb_reply *ret_reply);
/* Sleep before the attempt'th repetition, anywhere between nothing and twice the time before. */
MUST_CHECK int ddb_back_off(struct store_backend *db, int attempt);

/* Keys and items. */
struct ddb_key {
    struct str pk, sk;
};
struct ddb_key ddb_row_key(const struct store_schema *schema, const void *row, struct arena *arena);
struct ddb_key ddb_id_key(
    enum store_entity entity, struct str workspace_id, struct str id, struct arena *arena);
struct ddb_key ddb_marker_key(const struct store_schema *schema, int index, struct str workspace_id,
    struct str value, struct arena *arena);
struct str ddb_children_pk(const struct store_schema *schema, struct str workspace_id,
    struct str parent, struct arena *arena);
struct str ddb_list_pk(const struct store_schema *schema, int index, struct str workspace_id,
    struct str value, struct arena *arena);
struct ddb_key ddb_part_key(const struct ddb_key *row, int number, struct arena *arena);
struct str ddb_number_sk(int64_t number, struct arena *arena); /* sorts as the number */
bool ddb_key_eq(const struct ddb_key *a, const struct ddb_key *b);
/* Which of gsi1, gsi2 (1, 2) a LIST index of the schema is in. */
int ddb_gsi(const struct store_schema *schema, int index);

void ddb_write_key(struct json_writer *w, const struct ddb_key *key); /* {"pk":…,"sk":…} */
void ddb_write_s(struct json_writer *w, const char *name, struct str value);
void ddb_write_n(struct json_writer *w, const char *name, int64_t value);
void ddb_write_b(struct json_writer *w, const char *name, struct str bytes);
struct str ddb_read_s(const struct json *item, const char *name);
int64_t ddb_read_n(const struct json *item, const char *name);
MUST_CHECK int ddb_read_b(
    const struct json *item, const char *name, struct arena *arena, struct str *ret_bytes);

/* Values of a row that do not fit into one item lie in parts beside it, one after the other. */
struct ddb_split {
    struct str columns; /* "body:1048616,author:9000": what the parts hold, in order */
    struct str bytes;
    int parts; /* 0: the row fits */
};
struct ddb_split ddb_split_row(
    const struct store_schema *schema, const void *row, struct arena *arena);
/* The item of a row. write: the name of the batch that wrote it, which its parts bear too. */
void ddb_write_row(struct json_writer *w, const struct store_schema *schema, const void *row,
    const struct ddb_split *split, struct str write, struct arena *arena);
/* Without the values that were split off. 0 or ERR_CORRUPT. */
MUST_CHECK int ddb_read_row(
    const struct store_schema *schema, const struct json *item, struct arena *arena, void *ret_row);
/* With them, and again when the row was replaced between the two steps of reading a split one. 0,
 * STORE_MISSING when it was deleted meanwhile. Yields. */
MUST_CHECK int ddb_load_whole(struct store_backend *db, const struct store_schema *schema,
    const struct ddb_key *key, const struct json *item, struct arena *arena, void *ret_row);

/* Reading. */
/* ddb_call() of what cannot be refused but for a missing table. Yields. */
MUST_CHECK int ddb_call_read(struct store_backend *db, struct arena *arena, const char *operation,
    struct str body, const struct json **ret_root);
MUST_CHECK int ddb_get_item(struct store_backend *db, const struct ddb_key *key,
    struct arena *arena, const struct json **ret_item); /* 0 or STORE_MISSING. Yields. */
/* Items of keys, in no order; those missing are left out. Yields. */
MUST_CHECK int ddb_get_items(struct store_backend *db, const struct ddb_key *keys, size_t count,
    struct arena *arena, const struct json **ret_items, size_t *ret_count);
/* A question about one partition of the table or an index. */
struct ddb_query {
    const char *index; /* "gsi1" or NULL: the table, consistently */
    struct str pk;
    struct str from, to; /* both included */
    bool descending;
    bool keys_only;
    size_t limit;
};
MUST_CHECK int ddb_query(struct store_backend *db, const struct ddb_query *query,
    struct arena *arena, const struct json ***ret_items, size_t *ret_count); /* Yields. */
int ddb_get(struct store_backend *db, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena, void *ret_row);
int ddb_find(struct store_backend *db, enum store_entity entity, struct str workspace_id, int index,
    struct str value, struct arena *arena, void *ret_row);
int ddb_list(struct store_backend *db, const struct store_query *query, int64_t after_order,
    struct str after_id, struct arena *arena, struct store_page *ret_page);

int ddb_scan(struct store_backend *db, const struct store_visitor *visitor);

/* Writing. A batch becomes a plan: one entry for each item touched, whatever number of ops touch
 * it, since one transaction may name an item once. */
enum ddb_expect {
    EXPECT_ANY,
    EXPECT_ABSENT,
    EXPECT_THERE,   /* of a BY_ID row: whatever its version, which goes up by one */
    EXPECT_VERSION, /* of a BY_ID row */
    EXPECT_WRITE,   /* of a BY_SEQ row that was read: the name of the write */
    EXPECT_OWNER,   /* of a marker: the row that holds the value */
    EXPECT_OLDER,   /* of a part in a journal: none, or one of an earlier write */
};
struct ddb_entry {
    struct ddb_key key;
    size_t op;
    const struct store_schema *schema; /* NULL: a marker or a part */
    bool remove;
    bool reread; /* the expectation comes from what was read, not from the caller */
    enum ddb_expect expect;
    int64_t version;
    struct str text; /* EXPECT_OWNER: the owner; EXPECT_WRITE: the write */
    const void *row; /* as it will be; NULL for markers and parts */
    bool stable;     /* besides: no unique value changes and nothing was split off */
    const void *was; /* the row that was read, or NULL */
    int was_parts;
    struct str owner; /* of a marker: whose it will be */
    struct str owner_workspace;
    struct str bytes;  /* of a part */
    struct str action; /* the JSON to send */
};
struct ddb_plan {
    struct store_backend *db;
    struct arena *arena;
    struct store_batch *batch;
    struct str write; /* ULID */
    bool read_first;  /* a plan that failed on what it assumed: read every row */
    struct ddb_entry *entries;
    size_t count, capacity;
};
/* 0, STORE_EXISTS, STORE_MISSING, STORE_CONFLICT with batch->failed, or ERR_*. Yields. */
MUST_CHECK int ddb_plan_make(struct ddb_plan *plan);
struct ddb_entry *ddb_plan_add(struct ddb_plan *plan, const struct ddb_key *key, size_t op);
/* Render every entry->action. */
void ddb_plan_render(struct ddb_plan *plan);
/* The members of a Put, Update or Delete, for an operation of its own or in a transaction. */
struct str ddb_render_one(struct ddb_plan *plan, const struct ddb_entry *entry);
/* "Put", "Update" or "Delete"; with "Item" behind it the operation of its own. */
const char *ddb_entry_verb(const struct ddb_entry *entry);
int ddb_commit(struct store_backend *db, struct store_batch *batch);
/* 0, STORE_EXISTS, …, or one of these two, which ddb_commit() acts on, or ERR_*. Yields. */
enum {
    DDB_AGAIN = 100, /* what was read has changed: make the plan anew */
    DDB_BUSY = 101,  /* another transaction was at the same items */
};
MUST_CHECK int ddb_send_transaction(struct ddb_plan *plan);
/* What a failed condition of entry means; item: what stands there, or NULL. Yields. */
MUST_CHECK int ddb_outcome_of(
    struct ddb_plan *plan, const struct ddb_entry *entry, const struct json *item);

/* Batches that do not fit into one transaction: see docs/stores/dynamodb.md, "Large batches". */
MUST_CHECK int ddb_journal_commit(struct ddb_plan *plan);
/* Finish what a process left behind. Yields. */
MUST_CHECK int ddb_journal_recover(struct store_backend *db, int64_t older_than_ms);

/* The table: make it if it is missing, check that it is Theo's. Yields. */
MUST_CHECK int ddb_table_open(struct store_backend *db);
int ddb_meta_get(
    struct store_backend *db, const char *name, struct arena *arena, struct str *ret_value);
int ddb_meta_set(struct store_backend *db, const char *name, struct str value);

#endif
