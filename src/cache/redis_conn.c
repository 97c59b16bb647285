#include "cache/redis_conn.h"

#include "base/buf.h"
#include "cache/redis_tls.h"

#define READ_BYTES (16 * KIB)
#define KEEPALIVE_S 15

/* One socket; a name may have several addresses, of which Redis listens on one. libuv holds on to
 * it until its close callback. */
struct socket {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct redis_conn *conn; /* NULL: closed */
    char bytes[READ_BYTES];
};

struct write {
    uv_write_t req;
    struct socket *socket;
    struct buf bytes;
};

struct redis_conn {
    struct loop *loop;
    const struct redis_address *address;
    const struct redis_conn_events *events;
    void *ctx;
    uv_getaddrinfo_t lookup;
    bool looking, closed; /* closed while looking: freed when the look-up ends */
    struct addrinfo *found, *tried;
    struct socket *socket;
    struct redis_tls *tls; /* NULL: plain */
    struct buf out;        /* waits for the write under way */
    bool writing, heard;
};

static int set_cause(const struct redis_conn *conn, const char *what, int rc)
{
    return err_set(ERR_UNAVAILABLE, "Redis at %s:%d %s (%s): start it, or correct redis.url",
        conn->address->host, conn->address->port, what, uv_strerror(rc));
}

static void fail(struct redis_conn *conn, const char *what, int rc)
{
    set_cause(conn, what, rc);
    conn->events->failed(conn->ctx);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct socket, tcp));
}

static void close_socket(struct redis_conn *conn)
{
    if (!conn->socket)
        return;
    conn->socket->conn = NULL;
    uv_close((uv_handle_t *)&conn->socket->tcp, on_socket_closed);
    conn->socket = NULL;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buf)
{
    struct socket *socket = CONTAINER_OF(handle, struct socket, tcp);

    (void)size;
    *ret_buf = uv_buf_init(socket->bytes, sizeof(socket->bytes));
}

static void flush(struct redis_conn *conn);

/* An event may free conn, so what it is told stands in a buffer of ours. */
static void on_sealed_bytes(struct redis_conn *conn, struct str bytes)
{
    bool was_ready = redis_tls_ready(conn->tls);
    struct buf plain = BUF_HEAP;
    int rc = redis_tls_receive(conn->tls, bytes, &plain, &conn->out);

    flush(conn);
    if (rc == 0 && !was_ready && redis_tls_ready(conn->tls))
        conn->events->opened(conn->ctx);
    if (rc < 0)
        conn->events->failed(conn->ctx);
    else if (plain.len > 0)
        conn->events->bytes(conn->ctx, plain.ptr, plain.len);
    buf_deinit(&plain);
}

static void on_bytes(struct redis_conn *conn, struct str bytes)
{
    conn->heard = true;
    if (conn->tls)
        on_sealed_bytes(conn, bytes);
    else
        conn->events->bytes(conn->ctx, bytes.ptr, bytes.len);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct redis_conn *conn = CONTAINER_OF(stream, struct socket, tcp)->conn;

    if (!conn || count == 0)
        return;
    if (count < 0 && !conn->heard && !conn->tls)
        fail(conn, "closed the connection at once; if it wants TLS, use rediss://", (int)count);
    else if (count < 0)
        fail(conn, "closed the connection", (int)count);
    else
        on_bytes(conn, (struct str){buf->base, (size_t)count});
}

static void on_written(uv_write_t *req, int status)
{
    struct write *write = CONTAINER_OF(req, struct write, req);
    struct redis_conn *conn = write->socket->conn;

    buf_deinit(&write->bytes);
    free(write);
    if (!conn)
        return;
    conn->writing = false;
    if (status < 0)
        fail(conn, "closed the connection", status);
    else
        flush(conn);
}

static void flush(struct redis_conn *conn)
{
    struct write *write;
    uv_buf_t part;

    if (conn->writing || conn->out.len == 0)
        return;
    write = xcalloc(1, sizeof(*write));
    write->socket = conn->socket;
    write->bytes = conn->out;
    conn->out = BUF_HEAP;
    conn->writing = true;
    part = uv_buf_init(write->bytes.ptr, (unsigned)write->bytes.len);
    if (uv_write(&write->req, (uv_stream_t *)&conn->socket->tcp, &part, 1, on_written) == 0)
        return;
    buf_deinit(&write->bytes); /* the socket is dead; reading it says so next */
    free(write);
}

void redis_conn_send(struct redis_conn *conn, struct str bytes)
{
    if (!conn->tls)
        buf_add_str(&conn->out, bytes);
    else if (redis_tls_send(conn->tls, bytes, &conn->out) < 0)
        return; /* the session is dead; reading it says so next */
    flush(conn);
}

size_t redis_conn_unsent(const struct redis_conn *conn)
{
    return conn->out.len;
}

static void try_address(struct redis_conn *conn, struct addrinfo *address);

static void try_next(struct redis_conn *conn, int rc)
{
    struct addrinfo *next = conn->tried->ai_next;

    close_socket(conn);
    if (next)
        try_address(conn, next);
    else
        fail(conn, "cannot be reached", rc);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct socket *socket = CONTAINER_OF(req, struct socket, connect);
    struct redis_conn *conn = socket->conn;

    if (!conn)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&socket->tcp, on_alloc, on_read);
    if (status < 0) {
        try_next(conn, status);
        return;
    }
    uv_tcp_nodelay(&socket->tcp, 1);
    uv_tcp_keepalive(&socket->tcp, 1, KEEPALIVE_S);
    if (!conn->address->tls_context)
        conn->events->opened(conn->ctx);
    else if (redis_tls_new(
                 conn->address->tls_context, conn->address->host, &conn->out, &conn->tls) == 0)
        flush(conn);
    else
        conn->events->failed(conn->ctx);
}

static void try_address(struct redis_conn *conn, struct addrinfo *address)
{
    struct socket *socket = xcalloc(1, sizeof(*socket));
    int rc;

    uv_tcp_init(loop_uv(conn->loop), &socket->tcp);
    socket->conn = conn;
    conn->socket = socket;
    conn->tried = address;
    rc = uv_tcp_connect(&socket->connect, &socket->tcp, address->ai_addr, on_connected);
    if (rc < 0)
        try_next(conn, rc);
}

static void free_conn(struct redis_conn *conn)
{
    uv_freeaddrinfo(conn->found);
    redis_tls_free(conn->tls);
    buf_deinit(&conn->out);
    free(conn);
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct redis_conn *conn = CONTAINER_OF(req, struct redis_conn, lookup);

    conn->looking = false;
    conn->found = found;
    if (conn->closed)
        free_conn(conn);
    else if (status == 0)
        try_address(conn, found);
    else
        fail(conn, "has no address", status);
}

int redis_conn_open(struct loop *loop, const struct redis_address *address,
    const struct redis_conn_events *events, void *ctx, struct redis_conn **ret_conn)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct redis_conn *conn = xcalloc(1, sizeof(*conn));
    char port[8];
    int rc;

    conn->loop = loop;
    conn->address = address;
    conn->events = events;
    conn->ctx = ctx;
    snprintf(port, sizeof(port), "%d", address->port);
    rc = uv_getaddrinfo(loop_uv(loop), &conn->lookup, on_looked_up, address->host, port, &hints);
    if (rc < 0) {
        rc = set_cause(conn, "has no address", rc);
        free_conn(conn);
        return rc;
    }
    conn->looking = true;
    *ret_conn = conn;
    return 0;
}

void redis_conn_close(struct redis_conn *conn)
{
    close_socket(conn);
    conn->closed = true;
    if (conn->looking)
        (void)uv_cancel((uv_req_t *)&conn->lookup); /* too late is fine: it ends by itself */
    else
        free_conn(conn);
}
