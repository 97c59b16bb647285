#include "http/pool.h"

enum { IDLE_MS = 90 * SECOND_MS };

/* An idle connection and whose it is. */
struct idle {
    struct pool *pool;
    struct outbound *conn;
    char *host;
    int port;
    bool tls;
    int64_t since_ms;
    struct idle *newer, *older;
};

struct pool {
    struct loop *loop;
    size_t max_open, open; /* idle ones and those in use */
    struct idle *newest, *oldest;
};

struct pool *pool_new(struct loop *loop, size_t max_open)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));

    pool->loop = loop;
    pool->max_open = max_open;
    return pool;
}

void pool_set_max(struct pool *pool, size_t max_open)
{
    pool->max_open = max_open;
}

static struct outbound *unlink_idle(struct idle *idle)
{
    struct pool *pool = idle->pool;
    struct outbound *conn = idle->conn;

    *(idle->newer != NULL ? &idle->newer->older : &pool->newest) = idle->older;
    *(idle->older != NULL ? &idle->older->newer : &pool->oldest) = idle->newer;
    free(idle->host);
    free(idle);
    return conn;
}

void pool_close(struct pool *pool, struct outbound *conn)
{
    pool->open--;
    outbound_close(conn);
}

void pool_free(struct pool *pool)
{
    while (pool->oldest != NULL)
        pool_close(pool, unlink_idle(pool->oldest));
    free(pool);
}

struct outbound *pool_take(struct pool *pool, const struct url *url)
{
    bool tls = url->scheme.len == strlen("https");

    for (struct idle *idle = pool->newest; idle != NULL; idle = idle->older) {
        if (idle->port != url->port || idle->tls != tls || !str_is(url->host, idle->host))
            continue;
        struct outbound *conn = unlink_idle(idle);
        outbound_resume(conn);
        return conn;
    }
    return NULL;
}

int pool_open(struct pool *pool, const struct outbound_addresses *addresses, int64_t deadline_ms,
    struct outbound **ret_conn)
{
    while (pool->open >= pool->max_open && pool->oldest != NULL)
        pool_close(pool, unlink_idle(pool->oldest));
    pool->open++;
    int rc = outbound_open(pool->loop, addresses, deadline_ms, ret_conn);
    if (rc != 0)
        pool->open--;
    return rc;
}

/* The server closed it, or said something unasked. */
static void on_idle(struct outbound *conn, void *arg)
{
    struct idle *idle = arg;
    struct pool *pool = idle->pool;

    unlink_idle(idle);
    pool_close(pool, conn);
}

void pool_keep(struct pool *pool, const struct url *url, struct outbound *conn)
{
    int64_t now_ms = loop_now_ms(pool->loop);
    struct idle *idle = xcalloc(1, sizeof(*idle));

    *idle = (struct idle){
        .pool = pool,
        .conn = conn,
        .host = str_heap(url->host),
        .port = url->port,
        .tls = url->scheme.len == strlen("https"),
        .since_ms = now_ms,
        .older = pool->newest,
    };
    *(pool->newest != NULL ? &pool->newest->newer : &pool->oldest) = idle;
    pool->newest = idle;
    outbound_rest(conn, on_idle, idle);
    while (pool->oldest->since_ms + IDLE_MS <= now_ms)
        pool_close(pool, unlink_idle(pool->oldest));
}
