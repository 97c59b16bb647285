/* Reading everything for a backup: one read transaction sees the database as at its start, while
 * others go on writing. The WAL cannot be cut meanwhile, so it grows by what they write. */
#include "runtime/offload.h"
#include "store/sqlite.h"

/* A page ends at so many rows or bytes. */
#define PAGE_ROWS 1000
#define PAGE_BYTES ((size_t)4 * MIB)

struct scan_job {
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    const struct store_schema *schema;
    struct arena arena;
    char *rows;
    size_t count;
    bool end;
};

/* On an offload thread: the disk is asked. */
static int read_rows(void *arg)
{
    struct scan_job *job = arg;
    size_t size = job->schema->row_size;

    arena_reset(&job->arena);
    job->rows = arena_zalloc(&job->arena, PAGE_ROWS, size);
    job->count = 0;
    while (job->count < PAGE_ROWS && job->arena.used < PAGE_BYTES) {
        int rc = sqlite3_step(job->stmt);

        job->end = rc == SQLITE_DONE;
        if (job->end)
            break;
        if (rc != SQLITE_ROW)
            return sqlite_error(job->conn, rc);
        sqlite_read_row(job->stmt, job->schema, &job->arena, job->rows + job->count++ * size);
    }
    return 0;
}

static int read_table(struct scan_job *job, const struct store_visitor *visitor)
{
    struct buf sql = BUF_HEAP;
    int r;

    buf_add_cstr(&sql, "SELECT ");
    for (size_t i = 0; i < job->schema->column_count; i++)
        buf_printf(&sql, "%s%s", i ? ", " : "", job->schema->columns[i].name);
    buf_printf(&sql, " FROM %s", job->schema->table);
    r = sqlite_prepare(job->conn, sql.ptr, &job->stmt);
    buf_deinit(&sql);
    if (r < 0)
        return r;
    do {
        r = offload(read_rows, job);
        if (r == 0 && job->count > 0)
            r = visitor->rows(visitor->ctx, job->schema->entity, job->rows, job->count);
    } while (r == 0 && !job->end);
    sqlite3_finalize(job->stmt);
    return r;
}

int sqlite_read_all(const char *path, const struct store_visitor *visitor)
{
    struct scan_job job = {0};
    int r = sqlite_conn_open(path, &job.conn);

    if (r < 0)
        return r;
    arena_init(&job.arena);
    r = sqlite_exec(job.conn, "PRAGMA query_only = ON; BEGIN; SELECT count(*) FROM meta");
    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++) {
        job.schema = &store_schemas[i];
        r = read_table(&job, visitor);
    }
    arena_deinit(&job.arena);
    sqlite_conn_close(job.conn);
    return r;
}
