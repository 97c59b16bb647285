/* store "postgres://…": PostgreSQL, and engines that speak as it does.
 *
 * A few threads (setting postgres.connections) own one connection each (postgres_worker.c). Fibers
 * put their requests into one queue; a worker takes all that wait and sends them in one pipeline:
 * writes that came together share a transaction, so that one sync of the server's disk serves
 * many, and reads share a round trip. Threads rather than the callers' loops, because looking up a
 * host, SCRAM (5 ms of CPU) and TLS set-up would each stop a loop, and because requests of all
 * loops can then share a transaction.
 *
 * Only unnamed statements are sent, and nothing outlives a transaction, so that a pooler in
 * transaction mode may stand between.
 *
 * A struct pg_conn belongs to one thread at a time. Only postgres*.c include this header.
 */
#ifndef STORE_POSTGRES_H
#define STORE_POSTGRES_H

#include "store/backend.h"

#include <libpq-fe.h>
#include <pthread.h>

/* Raised only when an older program could no longer work with the tables. */
#define PG_SCHEMA_VERSION 1

/* The server has not answered for so long: the connection is taken for dead. */
#define PG_ANSWER_MS 30000
/* How long a request waits for a server that cannot be reached, or to learn what became of it. */
#define PG_PATIENCE_MS 5000

/* What Theo uses of libpq, opened at run time: other stores do without it. */
#define PG_LIBPQ(X)                                                                                \
    X(clear)                                                                                       \
    X(conninfoFree)                                                                                \
    X(conninfoParse)                                                                               \
    X(connectdbParams)                                                                             \
    X(consumeInput)                                                                                \
    X(db)                                                                                          \
    X(enterPipelineMode)                                                                           \
    X(errorMessage)                                                                                \
    X(exec)                                                                                        \
    X(execParams)                                                                                  \
    X(finish)                                                                                      \
    X(flush)                                                                                       \
    X(getResult)                                                                                   \
    X(getlength)                                                                                   \
    X(getvalue)                                                                                    \
    X(host)                                                                                        \
    X(isBusy)                                                                                      \
    X(nfields)                                                                                     \
    X(ntuples)                                                                                     \
    X(parameterStatus)                                                                             \
    X(pipelineSync)                                                                                \
    X(port)                                                                                        \
    X(resultErrorField)                                                                            \
    X(resultStatus)                                                                                \
    X(sendQueryParams)                                                                             \
    X(setNoticeProcessor)                                                                          \
    X(setSingleRowMode)                                                                            \
    X(setnonblocking)                                                                              \
    X(socket)                                                                                      \
    X(status)

#define PG_POINTER(name) __typeof__(PQ##name) *name;
struct pg_libpq {
    PG_LIBPQ(PG_POINTER)
};
#undef PG_POINTER
/* The library stays loaded. ERR_UNAVAILABLE names the package. */
MUST_CHECK int pg_libpq_load(struct pg_libpq *ret_libpq);

/* One statement with its values, all in binary; made by postgres_sql.c. */
struct pg_statement {
    struct arena *arena;
    struct buf sql;
    int count, capacity;
    Oid *types;
    const char **values;
    int *lengths, *formats;
    struct str workspace_id; /* whose rows it touches; "*" for all */
};
void pg_statement_init(struct pg_statement *st, struct arena *arena, struct str workspace_id);
/* Each adds "$n" to the text. */
void pg_add_str(struct pg_statement *st, struct str value);
void pg_add_int(struct pg_statement *st, int64_t value);
void pg_add_time(struct pg_statement *st, int64_t ms);
void pg_add_column(struct pg_statement *st, const struct store_column *column, const void *row);
/* One array of the column's values in all rows. */
void pg_add_array(struct pg_statement *st, const struct store_column *column,
    const struct store_op *const *ops, size_t count);
/* The array of the rows' first versions, or of those expected, each as -1 - version. */
void pg_add_versions(
    struct pg_statement *st, const struct store_op *const *ops, size_t count, bool expected);

/* Text of statements; postgres_sql.c. */
void pg_sql_get(struct pg_statement *st, const struct store_schema *schema, struct str workspace,
    struct str id);
void pg_sql_find(struct pg_statement *st, const struct store_schema *schema, int index,
    struct str workspace, struct str value);
void pg_sql_list(struct pg_statement *st, const struct store_query *query, int64_t after_order,
    struct str after_id);
void pg_sql_claim(struct pg_statement *st, const struct store_claim *claim);

/* Writes; postgres_write.c. ops: count of one kind and entity, of one workspace. A statement that
 * writes fewer rows than it should fails in the server with PG_STATE_CONFLICT or _MISSING, and
 * with it what follows in its transaction. */
#define PG_STATE_CONFLICT "22P02" /* "theo: …" is no number */
#define PG_STATE_MISSING "22007"  /* "theo: …" is no time */
void pg_sql_write(struct pg_statement *st, const struct store_op *const *ops, size_t count);
/* The row that has op's key. */
void pg_sql_held(struct pg_statement *st, const struct store_op *op);
/* Is held what op, an insert or update, writes? */
bool pg_is_written(const struct store_op *op, const void *held);
struct str pg_op_workspace(const struct store_op *op);

/* Values out of results; postgres_codec.c. */
int64_t pg_time_from_ms(int64_t ms); /* PostgreSQL's microseconds since 2000 */
MUST_CHECK int pg_read_row(const struct pg_libpq *pq, const PGresult *result, int number,
    const struct store_schema *schema, struct arena *arena, void *ret_row);
MUST_CHECK int pg_read_rows(const struct pg_libpq *pq, const PGresult *result,
    const struct store_schema *schema, struct arena *arena, struct store_page *ret_page);

/* A connection; postgres_conn.c. */
struct pg_conn {
    const struct pg_libpq *pq;
    const char *url; /* outlives the connection */
    PGconn *db;
    bool force_sync; /* the server would acknowledge before it has written */
};
/* Blocks up to connect_timeout (10 s unless the URL says otherwise). ERR_INVALID when the settings
 * are wrong (address, user, password, database, certificates), ERR_UNAVAILABLE otherwise. */
MUST_CHECK int pg_conn_open(const struct pg_libpq *pq, const char *url, struct pg_conn *ret_conn);
void pg_conn_close(struct pg_conn *conn); /* closed twice is fine */
/* False when the server has closed it meanwhile. */
bool pg_conn_alive(struct pg_conn *conn);
/* Text of the URL is wrong: ERR_INVALID, without its password. */
MUST_CHECK int pg_check_url(const struct pg_libpq *pq, const char *url);
/* Statements without results, outside pipeline mode. */
MUST_CHECK int pg_exec(struct pg_conn *conn, const char *sql);
/* First column of the first row, "" when there is none. */
MUST_CHECK int pg_query_text(struct pg_conn *conn, const char *sql, const char *const *values,
    int count, struct arena *arena, struct str *ret_value);

/* What a failed result means. PG_RETRY: nothing was written, do it again. */
#define PG_RETRY 100
int pg_result_error(struct pg_conn *conn, const PGresult *result);

/* What the tables lack; postgres_schema.c. From PG_DROP_INDEX on it is done online, outside of
 * transactions. */
enum pg_change_kind {
    PG_MAKE_TABLE,
    PG_ADD_COLUMN,
    PG_MAKE_INDEX, /* of a new table */
    PG_MAKE_POLICY,
    PG_DROP_INDEX, /* its making broke off */
    PG_ADD_INDEX,
};
struct pg_change {
    enum pg_change_kind kind;
    const struct store_schema *schema;
    size_t number; /* of the column or index */
};
struct pg_changes {
    struct pg_change list[512];
    size_t count;
};
MUST_CHECK int pg_find_changes(
    struct pg_conn *conn, struct arena *arena, struct pg_changes *ret_changes);
void pg_change_sql(const struct pg_change *change, struct buf *out);
/* A line for people. fresh: the table is new, too. */
void pg_change_text(const struct pg_change *change, bool fresh, struct buf *out);
void pg_schema_hash(char out[65]);

/* Make and extend the tables, or say what would be done; postgres_migrate.c. */
MUST_CHECK int pg_migrate(struct pg_conn *conn, const struct env *env);
MUST_CHECK int pg_plan(struct pg_conn *conn, struct buf *out);

/* Every row, as at one moment; postgres_scan.c. Yields. */
MUST_CHECK int pg_scan(
    const struct pg_libpq *pq, const char *url, const struct store_visitor *visitor);

/* What a fiber asks of a worker. */
struct pg_request {
    struct store_batch *batch;  /* a write, or NULL */
    struct pg_statement *query; /* otherwise */
    bool writes;                /* the query is a change that gives rows */
    PGresult *rows;             /* of the query; the asker clears it */
    int result;
    struct err err;
    int64_t since_ms;
    int attempts;
    bool alone;  /* in a transaction of its own */
    bool unsure; /* the connection broke, and it may have been written: see postgres.c */
    bool done;   /* set and read on the fiber's loop only, or under the mutex when a thread waits */
    struct loop *loop;
    struct fiber *fiber; /* NULL: a thread waits */
    struct pg_request *next;
};

/* Send requests in one pipeline and wait for the answers; postgres_pipeline.c. Each request gets
 * its result; PG_RETRY where it should be sent again. False when the connection is lost. */
bool pg_pipeline_run(struct pg_conn *conn, struct pg_request *const *requests, size_t count);

/* The workers; postgres_worker.c. */
struct pg_pool;
/* conn: one that is open already; the pool takes it over. */
struct pg_pool *pg_pool_new(const struct env *env, const struct pg_conn *conn, int connections);
void pg_pool_free(struct pg_pool *pool);
/* Hand request to a worker and wait. Its result. Yields; outside fibers it blocks. */
MUST_CHECK int pg_pool_run(struct pg_pool *pool, struct pg_request *request);
int64_t pg_pool_last_commit_ms(struct pg_pool *pool);
void pg_pool_stats(struct pg_pool *pool, struct store_stats *ret_stats);

#endif
