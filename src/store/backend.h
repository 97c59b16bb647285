/* What a back end implements; only store/ sees this. Rows here are already sealed (unless
 * ephemeral).
 *
 * A back end is one file with one const struct store_ops and one line in src/catalog.def.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/store.h"

enum store_column_type { COLUMN_TEXT, COLUMN_INT, COLUMN_TIME, COLUMN_SEALED };

struct store_column {
    const char *name;
    enum store_column_type type;
    size_t offset; /* in the row struct: a struct str for TEXT and SEALED, int64_t otherwise */
};

enum store_index_kind { INDEX_LIST, INDEX_UNIQUE, INDEX_GLOBAL };

struct store_index {
    enum store_index_kind kind;
    int column; /* index into columns */
    int order;  /* INDEX_LIST: index into columns; otherwise -1 */
};

/* columns[0] is workspace_id; BY_ID: [1] id, [2] version; BY_SEQ: [1] the parent, [2] seq. The
 * SEALED columns of entities.def are not among them: the front packs them into one, the last
 * ("sealed"), which is there when there is anything to seal. */
struct store_schema {
    enum store_entity entity;
    const char *table;
    bool by_seq;
    size_t row_size;
    const struct store_column *columns;
    size_t column_count;
    const struct store_index *indexes;
    size_t index_count;
    const struct store_column *secrets; /* the SEALED columns; the front's alone */
    size_t secret_count;
};
extern const struct store_schema store_schemas[STORE_ENTITY_COUNT];

static inline struct str *row_str(const void *row, const struct store_column *column)
{
    return (struct str *)((uintptr_t)row + column->offset);
}
static inline int64_t *row_int(const void *row, const struct store_column *column)
{
    return (int64_t *)((uintptr_t)row + column->offset);
}

enum store_op_kind { OP_INSERT, OP_PUT, OP_UPDATE, OP_DELETE, OP_DELETE_ALL };

struct store_op {
    enum store_op_kind kind;
    enum store_entity entity;
    const void *row;         /* all but OP_DELETE_ALL */
    struct str workspace_id; /* OP_DELETE_ALL */
    int index;               /* OP_DELETE_ALL: LIST number or STORE_CHILDREN */
    struct str parent;       /* OP_DELETE_ALL */
};

struct store_backend; /* the back end's own state */

/* Who is shown all rows: rows live until the call returns; not 0 ends the scan with it. */
struct store_visitor {
    int (*rows)(void *ctx, enum store_entity entity, const void *rows, size_t count); /* Yields. */
    void *ctx;
};

struct store_ops {
    const char *name;
    /* True: rows lie only in the memory of this process, where the keys lie too, and go with it.
     * Sealing them would protect them from nobody, so the front leaves them plain. */
    bool ephemeral;
    /* url: the whole `store` setting ("sqlite", "postgres://…"). Blocks; outside fibers. */
    int (*open)(const struct config *config, const char *url, const struct env *env,
        struct store_backend **ret_backend);
    void (*close)(struct store_backend *backend);
    int (*health)(struct store_backend *backend); /* Yields, as all below. */
    /* All or nothing; durable at 0. STORE_EXISTS, STORE_MISSING, STORE_CONFLICT with batch->failed.
     */
    int (*commit)(struct store_backend *backend, struct store_batch *batch);
    int (*get)(struct store_backend *backend, enum store_entity entity, struct str workspace_id,
        struct str id, struct arena *arena, void *ret_row);
    int (*find)(struct store_backend *backend, enum store_entity entity, struct str workspace_id,
        int index, struct str value, struct arena *arena, void *ret_row);
    /* limit, bounds and cursor are checked by the front, which asks for one row more than its
     * caller (limit up to 1,001) and makes the next cursor itself: ret_page->cursor is left alone.
     * The cursor arrives decoded: (order value, id) of the last row of the page before; for
     * STORE_CHILDREN the order is seq and id the parent, for STORE_ALL the order is 0; id is empty
     * for the first page. */
    int (*list)(struct store_backend *backend, const struct store_query *query, int64_t after_order,
        struct str after_id, struct arena *arena, struct store_page *ret_page);
    /* A small string kept beside the data: schema facts such as the master key's id. Blocks or
     * yields; called at open. "" when absent. */
    int (*meta_get)(struct store_backend *backend, const char *name, struct arena *arena,
        struct str *ret_value);
    int (*meta_set)(struct store_backend *backend, const char *name, struct str value);
    void (*stats)(struct store_backend *backend, struct store_stats *ret_stats);

    /* The slots from here on may be NULL. */

    /* store_claim(), as one statement where the engine has one (FOR UPDATE SKIP LOCKED). The claim
     * is checked; the rows come back as they are after it, still sealed. Without it the front lists
     * and updates by version. */
    int (*claim)(struct store_backend *backend, const struct store_claim *claim,
        struct arena *arena, struct store_page *ret_page);
    /* Hand every row of every entity to visitor, workspaces first, as at one moment where the
     * engine can. */
    int (*scan)(struct store_backend *backend, const struct store_visitor *visitor);
    /* What open would make or change, a line each, changing nothing; nothing when all is there.
     * Blocks; outside fibers. */
    int (*plan)(
        const struct config *config, const char *url, const struct env *env, struct buf *out);
};

/* The back ends that are part of this room. */
extern const struct store_ops store_sqlite, store_memory;
extern const struct store_ops store_dynamodb;
extern const struct store_ops store_postgres;
extern const struct store_ops store_firestore;

/* The decorator: ops that log each call at level debug and fire the named faults "store.get",
 * "store.list" (ERR_IO), "store.commit.before" (ERR_IO, nothing written) and "store.commit.after"
 * (ERR_TIMEOUT although it was written: the outcome is unknown to the caller). The state takes
 * over backend, which store_trace.close closes. The front puts it around a back end when a fault is
 * set at open or the store setting starts with "trace:" ("trace:sqlite"). */
extern const struct store_ops store_trace;
struct store_backend *store_trace_new(const struct store_ops *ops, struct store_backend *backend);

/* Back ends that the host built in, from src/catalog.def; ends with a NULL. Set before store_open.
 */
void store_register(const struct store_ops *const *backends);

/* For tests: a front around any ops. A url that starts with "trace:" puts the decorator between. */
int store_open_with(const struct store_ops *ops, const struct config *config, const char *url,
    const struct env *env, struct sealer *sealer, struct store **ret_store);

#endif
