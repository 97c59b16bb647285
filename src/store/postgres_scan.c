/* Reading everything for a backup: one transaction sees the database as at its start, while others
 * go on writing. The server sends a table's rows as they are taken; a reader that is slow makes it
 * wait. VACUUM keeps meanwhile what that transaction may still see. */
#include "runtime/offload.h"
#include "store/postgres.h"

/* A page ends at so many rows or bytes. */
#define PAGE_ROWS 1000
#define PAGE_BYTES ((size_t)4 * MIB)

struct scan {
    struct pg_conn conn;
    const char *url;
    const struct store_schema *schema;
    struct arena arena;
    char *rows;
    size_t count;
    bool end;
};

/* Each of these blocks, on an offload thread. */
static int begin(void *arg)
{
    struct scan *scan = arg;
    int r = pg_conn_open(scan->conn.pq, scan->url, &scan->conn);

    return r < 0 ? r
                 : pg_exec(&scan->conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT "
                                        "set_config('theo.workspace', '*', true)");
}

static int send_query(void *arg)
{
    struct scan *scan = arg;
    const struct pg_libpq *pq = scan->conn.pq;
    struct buf sql = BUF_HEAP;
    bool sent;

    buf_add_cstr(&sql, "SELECT ");
    for (size_t i = 0; i < scan->schema->column_count; i++)
        buf_printf(&sql, "%s%s", i ? ", " : "", scan->schema->columns[i].name);
    buf_printf(&sql, " FROM %s", scan->schema->table);
    sent = pq->sendQueryParams(scan->conn.db, sql.ptr, 0, NULL, NULL, NULL, NULL, 1) &&
           pq->setSingleRowMode(scan->conn.db);
    buf_deinit(&sql);
    return sent ? 0 : pg_result_error(&scan->conn, NULL);
}

static int read_page(void *arg)
{
    struct scan *scan = arg;
    const struct pg_libpq *pq = scan->conn.pq;
    size_t size = scan->schema->row_size;
    PGresult *result;
    int r = 0;

    arena_reset(&scan->arena);
    scan->rows = arena_zalloc(&scan->arena, PAGE_ROWS, size);
    scan->count = 0;
    while (r == 0 && scan->count < PAGE_ROWS && scan->arena.used < PAGE_BYTES) {
        ExecStatusType status;

        result = pq->getResult(scan->conn.db);
        scan->end = !result;
        if (scan->end)
            break;
        status = pq->resultStatus(result);
        if (status == PGRES_SINGLE_TUPLE)
            r = pg_read_row(
                pq, result, 0, scan->schema, &scan->arena, scan->rows + scan->count++ * size);
        else if (status != PGRES_TUPLES_OK)
            r = pg_result_error(&scan->conn, result);
        pq->clear(result);
    }
    return r;
}

static int scan_table(struct scan *scan, const struct store_visitor *visitor)
{
    int r = offload(send_query, scan);

    scan->end = false;
    while (r == 0 && !scan->end) {
        r = offload(read_page, scan);
        if (r == 0 && scan->count > 0)
            r = visitor->rows(visitor->ctx, scan->schema->entity, scan->rows, scan->count);
    }
    return r;
}

int pg_scan(const struct pg_libpq *pq, const char *url, const struct store_visitor *visitor)
{
    struct scan scan = {.conn = {.pq = pq}, .url = url};
    int r;

    arena_init(&scan.arena);
    r = offload(begin, &scan);
    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++) {
        scan.schema = &store_schemas[i];
        r = scan_table(&scan, visitor);
    }
    pg_conn_close(&scan.conn);
    arena_deinit(&scan.arena);
    return r >= PG_RETRY
               ? err_set(ERR_UNAVAILABLE, "PostgreSQL broke the reading off: try again later.")
               : r;
}
