/* store "sqlite": DATA_DIR/theo.db in WAL mode with synchronous=FULL.
 *
 * Three kinds of threads work on it, each with connections of its own:
 *  - one writer (sqlite_writer.c) takes every batch that waits and commits them together;
 *  - readers run on the calling thread (sqlite_read.c), or on an offload thread for long pages;
 *  - one checkpointer (sqlite_checkpoint.c) moves the WAL into the database, so that no commit
 *    pays for it.
 * Several processes may use the same folder at once.
 *
 * A struct sqlite_conn belongs to one thread at a time. Only sqlite*.c include this header.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "store/backend.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

/* Raised only when an older program could no longer work with the tables: added columns and
 * indexes need no new number. */
#define SQLITE_SCHEMA_VERSION 1

/* How long a write waits for another process that holds the lock. */
#define SQLITE_BUSY_MS 10000

enum sql_kind {
    SQL_INSERT,
    SQL_REPLACE,
    SQL_UPDATE, /* arg: which indexed columns change, a bit each */
    SQL_DELETE,
    SQL_DELETE_ALL, /* arg: LIST number + 1; 0: the children */
    SQL_CHECK,      /* version and indexed columns of a row */
    SQL_GET,
    SQL_FIND, /* arg: index, + 8 without a workspace */
    SQL_LIST, /* arg: SQL_LIST_ARG */
    SQL_KIND_COUNT
};
#define SQL_ARG_MAX 32
/* index STORE_ALL is 0, STORE_CHILDREN 1, LIST number n is n + 2 */
#define SQL_LIST_ARG(index, descending, after)                                                     \
    (((index) + 2) << 2 | ((descending) ? 2 : 0) | ((after) ? 1 : 0))

struct sqlite_conn {
    sqlite3 *db;
    const char *path; /* for messages; outlives the connection */
    int64_t busy_since_ms;
    sqlite3_stmt *statements[STORE_ENTITY_COUNT][SQL_KIND_COUNT][SQL_ARG_MAX];
    sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *undo; /* the writer's */
    struct sqlite_conn *next;                                             /* in the pool */
};

MUST_CHECK int sqlite_conn_open(const char *path, struct sqlite_conn **ret_conn);
void sqlite_conn_close(struct sqlite_conn *conn); /* NULL is fine */
/* The ERR_* and message for a result code of SQLite. */
int sqlite_error(struct sqlite_conn *conn, int rc);
/* Run SQL without a result. */
MUST_CHECK int sqlite_exec(struct sqlite_conn *conn, const char *sql);
MUST_CHECK int sqlite_prepare(struct sqlite_conn *conn, const char *sql, sqlite3_stmt **ret_stmt);
/* The prepared statement of that kind; kept by the connection. */
MUST_CHECK int sqlite_statement(struct sqlite_conn *conn, enum store_entity entity,
    enum sql_kind kind, int arg, sqlite3_stmt **ret_stmt);

/* SQL text made from the schemas; sqlite_sql.c. */
void sqlite_sql(const struct store_schema *schema, enum sql_kind kind, int arg, struct buf *out);
void sqlite_sql_table(const struct store_schema *schema, struct buf *out);
void sqlite_sql_index(const struct store_schema *schema, size_t index, struct buf *out);
/* Columns that some index uses, in order of the table; at most 4. */
size_t sqlite_indexed_columns(const struct store_schema *schema, size_t columns[4]);
const char *sqlite_column_sql(const struct store_column *column); /* type and default */

/* Values in and out of statements. place counts from 1. */
int sqlite_bind_value(
    sqlite3_stmt *stmt, int place, const struct store_column *column, const void *row);
int sqlite_bind_str(sqlite3_stmt *stmt, int place, struct str value);
void sqlite_read_row(
    sqlite3_stmt *stmt, const struct store_schema *schema, struct arena *arena, void *row);

/* Create, check and extend the tables; sqlite_schema.c. */
MUST_CHECK int sqlite_migrate(struct sqlite_conn *conn);

/* One batch inside the writer's transaction; sqlite_apply.c. 0, a positive outcome with
 * batch->failed, or ERR_*. */
MUST_CHECK int sqlite_apply(struct sqlite_conn *conn, struct store_batch *batch);

/* The checkpointer. */
struct sqlite_checkpointer;
MUST_CHECK int sqlite_checkpointer_new(
    const char *path, struct sqlite_checkpointer **ret_checkpointer);
void sqlite_checkpointer_free(struct sqlite_checkpointer *checkpointer);
/* The WAL now has so many pages. Any thread; returns at once. */
void sqlite_checkpointer_grown(struct sqlite_checkpointer *checkpointer, int pages);

/* The writer. conn and checkpointer stay the caller's; conn is the writer's thread's until free.
 * commit_each gives every batch a transaction of its own, to measure what sharing one gains. */
struct sqlite_writer;
MUST_CHECK int sqlite_writer_new(struct sqlite_conn *conn, const struct env *env,
    struct sqlite_checkpointer *checkpointer, bool commit_each, struct sqlite_writer **ret_writer);
/* Finishes what waits, then ends the thread. */
void sqlite_writer_free(struct sqlite_writer *writer);
/* batch NULL: only prove that the store can be written. Yields. */
MUST_CHECK int sqlite_write(struct sqlite_writer *writer, struct store_batch *batch);
/* Monotonic time of the last transaction that succeeded. */
int64_t sqlite_writer_last_commit_ms(const struct sqlite_writer *writer);
void sqlite_writer_stats(struct sqlite_writer *writer, struct store_stats *ret_stats);

/* The readers. */
struct sqlite_readers;
struct sqlite_readers *sqlite_readers_new(const char *path);
void sqlite_readers_free(struct sqlite_readers *readers);
MUST_CHECK int sqlite_read_one(struct sqlite_readers *readers, enum store_entity entity,
    enum sql_kind kind, int arg, struct str first, struct str second, struct arena *arena,
    void *ret_row);
MUST_CHECK int sqlite_read_list(struct sqlite_readers *readers, const struct store_query *query,
    int64_t after_order, struct str after_id, struct arena *arena, struct store_page *ret_page);
MUST_CHECK int sqlite_read_meta(
    struct sqlite_readers *readers, const char *name, struct arena *arena, struct str *ret_value);

/* Every row, in one read transaction on a connection of its own; sqlite_scan.c. Yields. */
MUST_CHECK int sqlite_read_all(const char *path, const struct store_visitor *visitor);

/* What sqlite_migrate() would do to the file at path, a line each; sqlite_plan.c. */
MUST_CHECK int sqlite_plan(const char *path, struct buf *out);

#endif
