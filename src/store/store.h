/* The store: every durable thing Theo knows, behind one narrow door.
 *
 * Rows are plain structs made from store/entities.def. Writes are collected in a batch and
 * committed atomically; a batch that returns 0 is durable (unless the store is "memory"). Each row
 * and each question names a workspace: there is no way to ask across them except store_find() on a
 * GLOBAL index (an API key arriving) and store_list() of workspaces themselves. Columns marked
 * SEALED are encrypted and decrypted here, at the front, for every back end alike, as one value
 * bound to its row; back ends never see them plain.
 *
 * Every call yields (none blocks the loop) and may be made from any loop's fibers. A store call
 * that was sent is not abandoned by a cancel: it finishes, then ERR_CANCELLED is left to the next
 * wait. Errors besides the named ones: ERR_IO, ERR_FULL (disk full: says so, nothing written),
 * ERR_CORRUPT, ERR_UNAVAILABLE, ERR_TIMEOUT (outcome unknown: repeat with the same keys, inserts
 * are idempotent by key).
 *
 * Ownership: rows returned live in the caller's arena. A batch borrows rows until it is committed.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "base/config.h"
#include "base/env.h"
#include "base/err.h"

struct store;
struct sealer;

/* Row structs: struct workspace_row { struct str workspace_id; struct str id; int64_t version; … },
 * struct message_row { struct str workspace_id; struct str session_id; int64_t seq; … } */
#define ENTITY_BY_ID(name, upper, table)                                                           \
    struct name##_row {                                                                            \
        struct str workspace_id;                                                                   \
        struct str id;                                                                             \
        int64_t version;
#define ENTITY_BY_SEQ(name, upper, table, parent)                                                  \
    struct name##_row {                                                                            \
        struct str workspace_id;                                                                   \
        struct str parent;                                                                         \
        int64_t seq;
#define TEXT(name, column) struct str column;
#define SEALED(name, column) struct str column;
#define INT(name, column) int64_t column;
#define TIME(name, column) int64_t column;
#define LIST(name, number, column, order)
#define UNIQUE(name, number, column)
#define GLOBAL(name, number, column)
#define ENTITY_END(name)                                                                           \
    struct str sealed; /* the store's own; leave it alone */                                       \
    }                                                                                              \
    ;
#include "store/entities.def"
#undef ENTITY_BY_ID
#undef ENTITY_BY_SEQ
#undef TEXT
#undef SEALED
#undef INT
#undef TIME
#undef LIST
#undef UNIQUE
#undef GLOBAL
#undef ENTITY_END

enum store_entity {
#define ENTITY_BY_ID(name, upper, table) STORE_##upper,
#define ENTITY_BY_SEQ(name, upper, table, parent) STORE_##upper,
#define TEXT(name, column)
#define SEALED(name, column)
#define INT(name, column)
#define TIME(name, column)
#define LIST(name, number, column, order)
#define UNIQUE(name, number, column)
#define GLOBAL(name, number, column)
#define ENTITY_END(name)
#include "store/entities.def"
#undef ENTITY_BY_ID
#undef ENTITY_BY_SEQ
#undef TEXT
#undef SEALED
#undef INT
#undef TIME
#undef LIST
#undef UNIQUE
#undef GLOBAL
#undef ENTITY_END
    STORE_ENTITY_COUNT
};

/* Positive outcomes. */
enum {
    STORE_MISSING = 1,  /* no such row */
    STORE_EXISTS = 2,   /* insert: the key or a unique value is taken */
    STORE_CONFLICT = 3, /* update: the version is not the expected one */
};

/* Open by the settings store and data_dir: makes and migrates what is missing. Runs outside fibers
 * at start-up (it may block). sealer stays the caller's and must outlive the store. ERR_* messages
 * say what to do; a store sealed under another master key is ERR_CORRUPT naming both key ids. */
MUST_CHECK int store_open(const struct config *config, const struct env *env, struct sealer *sealer,
    struct store **ret_store);
/* What store_open() would make or change, a line each in out, changing nothing: nothing when the
 * tables are as they should be. ERR_DENIED when this kind of store cannot say. Outside fibers. */
MUST_CHECK int store_plan(const struct config *config, const struct env *env, struct buf *out);
/* Waits for what was submitted. Outside fibers, after all loops stopped using it. */
void store_close(struct store *store);
const char *store_name(const struct store *store);
/* 0 when it can read and write now. Yields. */
MUST_CHECK int store_health(struct store *store);

/* A batch of writes. */
struct store_batch {
    struct arena *arena;
    struct store_op *ops;
    size_t count, capacity;
    size_t failed; /* after STORE_EXISTS / _MISSING / _CONFLICT: index of the op that failed */
};
void store_batch_init(struct store_batch *batch, struct arena *arena);
/* row: pointer to the entity's row struct, borrowed until the commit. A new BY_ID row is stored
 * with version 1, whatever row->version says. */
void store_insert(struct store_batch *batch, enum store_entity entity, const void *row);
/* Insert or replace whatever is there; a BY_ID row that was there gets its version + 1. */
void store_put(struct store_batch *batch, enum store_entity entity, const void *row);
/* Replace the BY_ID row whose version equals row->version; the stored one becomes version + 1.
 * version 0 replaces any existing row. */
void store_update(struct store_batch *batch, enum store_entity entity, const void *row);
/* Delete by key (workspace_id and id, or parent and seq). A missing row is no failure. */
void store_delete(struct store_batch *batch, enum store_entity entity, const void *row);
/* Delete every child of parent (BY_SEQ), or every row whose LIST column number equals parent. */
void store_delete_all(struct store_batch *batch, enum store_entity entity, struct str workspace_id,
    int index, struct str parent);
/* Append the writes of another batch, which are borrowed as its rows are. */
void store_batch_append(struct store_batch *batch, const struct store_batch *more);
/* 0 = all durable; STORE_EXISTS, STORE_MISSING, STORE_CONFLICT = nothing was written. Yields. */
MUST_CHECK int store_commit(struct store *store, struct store_batch *batch);

/* Read one row by key. ret_row: the entity's row struct. 0 or STORE_MISSING. Yields. */
MUST_CHECK int store_get(struct store *store, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena, void *ret_row);
/* Read one row by UNIQUE or GLOBAL index number. workspace_id empty only for GLOBAL. Yields. */
MUST_CHECK int store_find(struct store *store, enum store_entity entity, struct str workspace_id,
    int index, struct str value, struct arena *arena, void *ret_row);

/* Children of a parent, or rows of a LIST index, page by page. */
#define STORE_CHILDREN (-1)
#define STORE_ALL (-2) /* workspaces only: every one, by id; workspace_id empty */
struct store_query {
    enum store_entity entity;
    struct str workspace_id;
    int index;        /* LIST number, STORE_CHILDREN or STORE_ALL */
    struct str value; /* what the LIST column, or the parent, equals */
    int64_t from, to; /* bounds of the order column or seq: from <= x < to; to 0 = no bound */
    bool descending;
    size_t limit;      /* 1 to 1,000 */
    struct str cursor; /* of the page before; "" for the first. Opaque, URL-safe */
    bool no_cursor;    /* the caller goes on by from and to, or not at all: save the making */
};
struct store_page {
    void *rows; /* array of the entity's row structs */
    size_t count;
    struct str cursor; /* "" when there is no more, or with no_cursor */
    bool more;
};
/* 0, or ERR_INVALID (field "cursor"). Rows with equal order are ordered by id. Yields. */
MUST_CHECK int store_list(struct store *store, const struct store_query *query, struct arena *arena,
    struct store_page *ret_page);

/* Work that waits to be done by one process: rows of a BY_ID entity that has a LIST(state, due_at)
 * and a TEXT column "owner". */
struct store_claim {
    enum store_entity entity;
    struct str workspace_id;
    int index;        /* the LIST number whose order is when a row is due */
    struct str value; /* what the LIST column equals, e.g. "pending" */
    int64_t now_ms;   /* rows due at this time or before; not negative */
    int64_t lease_ms; /* how long they are the caller's */
    struct str owner;
    size_t limit; /* 1 to 100 */
};
/* Give up to limit due rows to one caller: each gets owner, a due time lease_ms from now and
 * version + 1, and of any number of callers at once only one gets it. Who has done the work changes
 * the row's state by store_update(); who dies in the midst leaves it due again when the lease ends,
 * and who is too slow learns it by STORE_CONFLICT. ret_page->cursor is "". 0 with no rows when
 * nothing is due. After ERR_TIMEOUT some rows may be claimed for nobody until their lease ends.
 * Yields. */
MUST_CHECK int store_claim(struct store *store, const struct store_claim *claim,
    struct arena *arena, struct store_page *ret_page);

/* Make sure a workspace exists (with its data key) and can be sealed for. Cached. Yields. */
MUST_CHECK int store_workspace(struct store *store, struct str workspace_id);
/* Every workspace, one after the other; those made meanwhile may be left out. What visit() returns
 * below 0 ends it. Yields. */
MUST_CHECK int store_each_workspace(
    struct store *store, int (*visit)(void *ctx, const struct workspace_row *row), void *ctx);

/* Give the store another master key (sealer_prepare() says which): every workspace's data keys are
 * wrapped anew, while others use the store; then a key file is replaced (sealer_promote_next).
 * After a failure or a crash everything stays readable: call it again. Yields. */
MUST_CHECK int store_rotate_master(struct store *store, int64_t *ret_workspaces);
/* Give a workspace ("": each) another data key: what is sealed from now on is sealed with it, the
 * former ones stay for reading. Other processes learn of it when they meet it, or within the
 * setting key-refresh-seconds. ERR_NOT_FOUND (field "workspace"). Yields. */
MUST_CHECK int store_rotate_data(
    struct store *store, struct str workspace_id, int64_t *ret_workspaces);

/* Sealing old rows anew with the newest data key. */
struct store_reseal {
    int64_t resealed; /* rows written */
    int64_t left;     /* rows under former keys that the last look found; -1 before the first */
    int64_t dropped;  /* data keys that nothing needs any more, and that are gone */
    bool waiting;     /* until no process can seal with a former key any more */
};
/* For one workspace, while others use the store. since_ms: monotonic, when the newest data key was
 * there for others to see. Former keys are dropped once a look at every row that began after no
 * process could seal with them has found no row of theirs; rows that cannot be written keep them.
 * progress may be NULL. Can be repeated. ERR_NOT_FOUND. Yields. */
MUST_CHECK int store_reseal(struct store *store, struct str workspace_id, int64_t since_ms,
    void (*progress)(void *ctx, const struct store_reseal *state), void *ctx,
    struct store_reseal *ret_state);

/* Numbers for /api/config and bench. */
struct store_stats {
    int64_t commits, batches, errors;
};
void store_stats(const struct store *store, struct store_stats *ret_stats);

#endif
