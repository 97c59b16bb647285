#include "store/postgres.h"

#include "runtime/fiber.h"

struct store_backend {
    struct pg_libpq pq;
    char *url;
    const struct env *env;
    struct pg_pool *pool;
};

/* The back end lives in a struct of its own name, as the others do. */
static void postgres_close(struct store_backend *postgres)
{
    pg_pool_free(postgres->pool);
    free(postgres->url);
    free(postgres);
}

static int connect_once(const char *url, struct pg_libpq *ret_pq, struct pg_conn *ret_conn)
{
    int r = pg_libpq_load(ret_pq);

    if (r == 0)
        r = pg_check_url(ret_pq, url);
    return r < 0 ? r : pg_conn_open(ret_pq, url, ret_conn);
}

static int postgres_open(const struct config *config, const char *url, const struct env *env,
    struct store_backend **ret_backend)
{
    struct store_backend *postgres = xcalloc(1, sizeof(*postgres));
    struct pg_conn conn;
    int r;

    postgres->env = env;
    postgres->url = xstrdup(url);
    r = connect_once(postgres->url, &postgres->pq, &conn);
    if (r == 0) {
        r = pg_migrate(&conn, env);
        if (r < 0)
            pg_conn_close(&conn);
    }
    if (r < 0) {
        postgres_close(postgres);
        return r;
    }
    postgres->pool = pg_pool_new(
        env, &conn, (int)(config->postgres_connections ? config->postgres_connections : 8));
    *ret_backend = postgres;
    return 0;
}

static int postgres_plan(
    const struct config *config, const char *url, const struct env *env, struct buf *out)
{
    struct pg_libpq pq;
    struct pg_conn conn;
    int r = connect_once(url, &pq, &conn);

    (void)config, (void)env;
    if (r < 0)
        return r;
    r = pg_plan(&conn, out);
    pg_conn_close(&conn);
    return r;
}

static int postgres_scan(struct store_backend *postgres, const struct store_visitor *visitor)
{
    return pg_scan(&postgres->pq, postgres->url, visitor);
}

/* The rows of a query, in the caller's arena and on the caller's thread. */
static int read_rows(struct store_backend *postgres, struct pg_statement *st,
    const struct store_schema *schema, bool writes, struct arena *arena,
    struct store_page *ret_page)
{
    struct pg_request request = {.query = st, .writes = writes};
    int r = pg_pool_run(postgres->pool, &request);

    if (r == 0)
        r = pg_read_rows(&postgres->pq, request.rows, schema, arena, ret_page);
    postgres->pq.clear(request.rows);
    return r;
}

/* The connection broke before the server had confirmed a batch, so it was sent again, and one of
 * its rows turned out to be there. If that row is the very one (sealed values never come out the
 * same twice), all of the batch was written at the first time. */
static int look_again(struct store_backend *postgres, struct store_batch *batch, int result)
{
    const struct store_op *op = &batch->ops[batch->failed];
    const struct store_schema *schema = &store_schemas[op->entity];
    struct pg_statement st;
    struct store_page page;
    struct arena arena;
    int r;

    arena_init(&arena);
    pg_statement_init(&st, &arena, pg_op_workspace(op));
    pg_sql_held(&st, op);
    r = read_rows(postgres, &st, schema, false, &arena, &page);
    if (r == 0)
        r = page.count == 1 && pg_is_written(op, page.rows) ? 0 : result;
    arena_deinit(&arena);
    return r;
}

static int postgres_commit(struct store_backend *postgres, struct store_batch *batch)
{
    struct pg_request request = {.batch = batch};
    int r = pg_pool_run(postgres->pool, &request);

    if (request.unsure && (r == STORE_EXISTS || r == STORE_CONFLICT))
        return look_again(postgres, batch, r);
    return r;
}

static int read_one(struct store_backend *postgres, struct pg_statement *st,
    const struct store_schema *schema, struct arena *arena, void *ret_row)
{
    struct store_page page;
    int r = read_rows(postgres, st, schema, false, arena, &page);

    if (r != 0)
        return r;
    if (page.count == 0)
        return STORE_MISSING;
    memcpy(ret_row, page.rows, schema->row_size);
    return 0;
}

static int postgres_get(struct store_backend *postgres, enum store_entity entity,
    struct str workspace_id, struct str id, struct arena *arena, void *ret_row)
{
    struct pg_statement st;

    pg_statement_init(&st, arena, workspace_id);
    pg_sql_get(&st, &store_schemas[entity], workspace_id, id);
    return read_one(postgres, &st, &store_schemas[entity], arena, ret_row);
}

static int postgres_find(struct store_backend *postgres, enum store_entity entity,
    struct str workspace_id, int index, struct str value, struct arena *arena, void *ret_row)
{
    struct pg_statement st;

    pg_statement_init(&st, arena, str_empty(workspace_id) ? STR("*") : workspace_id);
    pg_sql_find(&st, &store_schemas[entity], index, workspace_id, value);
    return read_one(postgres, &st, &store_schemas[entity], arena, ret_row);
}

static int postgres_list(struct store_backend *postgres, const struct store_query *query,
    int64_t after_order, struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    struct pg_statement st;

    pg_statement_init(&st, arena, query->index == STORE_ALL ? STR("*") : query->workspace_id);
    pg_sql_list(&st, query, after_order, after_id);
    return read_rows(postgres, &st, &store_schemas[query->entity], false, arena, ret_page);
}

static int postgres_claim(struct store_backend *postgres, const struct store_claim *claim,
    struct arena *arena, struct store_page *ret_page)
{
    struct pg_statement st;

    pg_statement_init(&st, arena, claim->workspace_id);
    pg_sql_claim(&st, claim);
    return read_rows(postgres, &st, &store_schemas[claim->entity], true, arena, ret_page);
}

/* One text, or "" where there is no row. */
static int run_meta(struct store_backend *postgres, struct pg_statement *st, bool writes,
    struct arena *arena, struct str *ret_value)
{
    const struct pg_libpq *pq = &postgres->pq;
    struct pg_request request = {.query = st, .writes = writes};
    int r = pg_pool_run(postgres->pool, &request);

    if (r == 0 && pq->ntuples(request.rows) == 0)
        *ret_value = STR("");
    else if (r == 0)
        *ret_value = str_dup(arena, (struct str){pq->getvalue(request.rows, 0, 0),
                                        (size_t)pq->getlength(request.rows, 0, 0)});
    pq->clear(request.rows);
    return r;
}

static int postgres_meta_get(
    struct store_backend *postgres, const char *name, struct arena *arena, struct str *ret_value)
{
    struct pg_statement st;

    pg_statement_init(&st, arena, STR("*"));
    buf_add_cstr(&st.sql, "SELECT value FROM meta WHERE name = ");
    pg_add_str(&st, str_from(name));
    return run_meta(postgres, &st, false, arena, ret_value);
}

static int set_meta(
    struct store_backend *postgres, const char *name, struct str value, struct arena *arena)
{
    struct pg_statement st;
    struct str ignored;

    pg_statement_init(&st, arena, STR("*"));
    buf_add_cstr(&st.sql, "INSERT INTO meta VALUES (");
    pg_add_str(&st, str_from(name));
    buf_add_cstr(&st.sql, ", ");
    pg_add_str(&st, value);
    buf_add_cstr(
        &st.sql, ") ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING name");
    return run_meta(postgres, &st, true, arena, &ignored);
}

static int postgres_meta_set(struct store_backend *postgres, const char *name, struct str value)
{
    struct arena arena;
    int r;

    arena_init(&arena);
    r = set_meta(postgres, name, value, &arena);
    arena_deinit(&arena);
    return r;
}

/* A load balancer may ask often: a commit of the last second is proof enough. */
static int postgres_health(struct store_backend *postgres)
{
    char now[32];

    if (env_mono_ms(postgres->env) - pg_pool_last_commit_ms(postgres->pool) < SECOND_MS)
        return 0;
    snprintf(now, sizeof(now), "%lld", (long long)env_wall_ms(postgres->env));
    return postgres_meta_set(postgres, "written_ms", str_from(now));
}

static void postgres_stats(struct store_backend *postgres, struct store_stats *ret_stats)
{
    pg_pool_stats(postgres->pool, ret_stats);
}

const struct store_ops store_postgres = {
    .name = "postgres",
    .open = postgres_open,
    .close = postgres_close,
    .health = postgres_health,
    .commit = postgres_commit,
    .get = postgres_get,
    .find = postgres_find,
    .list = postgres_list,
    .meta_get = postgres_meta_get,
    .meta_set = postgres_meta_set,
    .stats = postgres_stats,
    .claim = postgres_claim,
    .scan = postgres_scan,
    .plan = postgres_plan,
};
