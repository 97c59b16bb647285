/* Reading: a pool of connections, used on the calling thread.
 *
 * A point read costs 7 to 11 us of CPU on the calling thread, and 40 to 100 us by offload(), with
 * its two hops between threads (20,000 runs, SQLite 3.40, two busy cores). So short reads stay on
 * the loop. A page of a thousand rows takes 3 ms, and longer when the disk is asked: those are
 * offloaded. Memory mapping gained nothing that could be told from noise, and would turn a failing
 * disk into a SIGBUS: it stays off.
 *
 * A thread that wants to read takes a connection from the pool (the last one given back: its pages
 * are warm) or opens another, so there are as many as threads that ever read at once: one per loop
 * and one per offload thread. */
#include "runtime/offload.h"
#include "store/sqlite.h"

/* A page of more rows than this is read on an offload thread. */
#define INLINE_ROWS 100

struct sqlite_readers {
    const char *path;
    pthread_mutex_t mutex;
    struct sqlite_conn *idle;
};

struct sqlite_readers *sqlite_readers_new(const char *path)
{
    struct sqlite_readers *readers = xcalloc(1, sizeof(*readers));

    readers->path = path;
    pthread_mutex_init(&readers->mutex, NULL);
    return readers;
}

void sqlite_readers_free(struct sqlite_readers *readers)
{
    struct sqlite_conn *next;

    if (!readers)
        return;
    for (struct sqlite_conn *conn = readers->idle; conn; conn = next) {
        next = conn->next;
        sqlite_conn_close(conn);
    }
    pthread_mutex_destroy(&readers->mutex);
    free(readers);
}

static int take(struct sqlite_readers *readers, struct sqlite_conn **ret_conn)
{
    struct sqlite_conn *conn;
    int r;

    pthread_mutex_lock(&readers->mutex);
    conn = readers->idle;
    if (conn)
        readers->idle = conn->next;
    pthread_mutex_unlock(&readers->mutex);
    if (!conn) {
        r = sqlite_conn_open(readers->path, &conn);
        if (r < 0)
            return r;
        r = sqlite_exec(conn, "PRAGMA query_only = ON");
        if (r < 0) {
            sqlite_conn_close(conn);
            return r;
        }
    }
    *ret_conn = conn;
    return 0;
}

static void give_back(struct sqlite_readers *readers, struct sqlite_conn *conn)
{
    pthread_mutex_lock(&readers->mutex);
    conn->next = readers->idle;
    readers->idle = conn;
    pthread_mutex_unlock(&readers->mutex);
}

int sqlite_read_one(struct sqlite_readers *readers, enum store_entity entity, enum sql_kind kind,
    int arg, struct str first, struct str second, struct arena *arena, void *ret_row)
{
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    int rc, r = take(readers, &conn);

    if (r < 0)
        return r;
    r = sqlite_statement(conn, entity, kind, arg, &stmt);
    if (r == 0) {
        sqlite_bind_str(stmt, 1, first);
        sqlite_bind_str(stmt, 2, second);
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            sqlite_read_row(stmt, &store_schemas[entity], arena, ret_row);
        else
            r = rc == SQLITE_DONE ? STORE_MISSING : sqlite_error(conn, rc);
        sqlite3_reset(stmt);
    }
    give_back(readers, conn);
    return r;
}

struct list_job {
    struct sqlite_readers *readers;
    const struct store_query *query;
    int64_t after_order;
    struct str after_id;
    struct arena *arena;
    struct store_page page;
};

static void bind_list(sqlite3_stmt *stmt, const struct list_job *job)
{
    const struct store_query *query = job->query;

    sqlite_bind_str(stmt, 1, query->workspace_id);
    sqlite_bind_str(stmt, 2, query->value);
    sqlite3_bind_int64(stmt, 3, query->from);
    sqlite3_bind_int64(stmt, 4, query->to == 0 ? INT64_MAX : query->to - 1);
    sqlite3_bind_int64(stmt, 5, job->after_order);
    sqlite_bind_str(stmt, 6, job->after_id);
    sqlite3_bind_int64(stmt, 7, (int64_t)query->limit);
}

static int read_page(struct sqlite_conn *conn, sqlite3_stmt *stmt, struct list_job *job)
{
    const struct store_schema *schema = &store_schemas[job->query->entity];
    size_t capacity = 0;
    char *rows = NULL;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (job->page.count == capacity) {
            size_t grown = capacity ? capacity * 2 : 16;
            rows =
                arena_grow(job->arena, rows, capacity * schema->row_size, grown * schema->row_size);
            capacity = grown;
        }
        sqlite_read_row(stmt, schema, job->arena, rows + job->page.count * schema->row_size);
        job->page.count++;
    }
    job->page.rows = rows;
    return rc == SQLITE_DONE ? 0 : sqlite_error(conn, rc);
}

static int run_list(void *arg)
{
    struct list_job *job = arg;
    const struct store_query *query = job->query;
    int statement = SQL_LIST_ARG(query->index, query->descending, !str_empty(job->after_id));
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    int r = take(job->readers, &conn);

    if (r < 0)
        return r;
    r = sqlite_statement(conn, query->entity, SQL_LIST, statement, &stmt);
    if (r == 0) {
        bind_list(stmt, job);
        r = read_page(conn, stmt, job);
        sqlite3_reset(stmt);
    }
    give_back(job->readers, conn);
    return r;
}

int sqlite_read_list(struct sqlite_readers *readers, const struct store_query *query,
    int64_t after_order, struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    struct list_job job = {readers, query, after_order, after_id, arena, {0}};
    int r = query->limit > INLINE_ROWS ? offload(run_list, &job) : run_list(&job);

    if (r == 0)
        *ret_page = job.page;
    return r;
}

int sqlite_read_meta(
    struct sqlite_readers *readers, const char *name, struct arena *arena, struct str *ret_value)
{
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    int rc, r = take(readers, &conn);

    if (r < 0)
        return r;
    r = sqlite_prepare(conn, "SELECT value FROM meta WHERE name = ?1", &stmt);
    if (r == 0) {
        sqlite_bind_str(stmt, 1, str_from(name));
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            *ret_value = str_dup(arena, str_from((const char *)sqlite3_column_text(stmt, 0)));
        else if (rc == SQLITE_DONE)
            *ret_value = (struct str){"", 0};
        else
            r = sqlite_error(conn, rc);
        sqlite3_finalize(stmt);
    }
    give_back(readers, conn);
    return r;
}
