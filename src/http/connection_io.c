#include "base/err.h"
#include "http/connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_MS = 5000 };

static void client_gone(struct http_connection *conn)
{
    conn->gone = true;
    uv_poll_stop(&conn->poll);
    conn->polled = 0;
    fiber_cancel(conn->fiber);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct http_connection *conn, int events)
{
    if (conn->polled == events || conn->gone)
        return;
    conn->polled = events;
    uv_poll_start(&conn->poll, events, on_poll);
}

/* The handler runs and the socket is readable: the end of the stream, or a pipelined request. The
 * latter would be reported again and again, so from now on only the client's leaving is. */
static void peek(struct http_connection *conn)
{
    char byte;
    ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        client_gone(conn);
        return;
    }
    conn->readable = true;
    poll_for(conn, (conn->polled & UV_WRITABLE) | UV_DISCONNECT);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_connection *conn = poll->data;

    if (status < 0) { /* libuv stopped polling: the socket has an error */
        conn->polled = 0;
        client_gone(conn);
    } else if (conn->handling) {
        if (events & UV_DISCONNECT)
            client_gone(conn);
        else if (events & UV_READABLE)
            peek(conn);
    } else if (events & (UV_READABLE | UV_DISCONNECT)) {
        conn->readable = true;
    }
    if (events & UV_WRITABLE)
        conn->writable = true;
    if ((conn->wait == WAIT_READABLE && conn->readable) ||
        (conn->wait == WAIT_WRITABLE && conn->writable) || (conn->wait && conn->gone))
        fiber_wake(conn->fiber);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle); /* poll is the connection's first member */
}

void connection_close(struct http_connection *conn)
{
    if (conn->tls) {
        if (!conn->gone)
            tls_shutdown(conn->tls);
        tls_session_free(conn->tls);
    }
    buf_deinit(&conn->in);
    buf_deinit(&conn->out);
    if (conn->registered)
        uv_close((uv_handle_t *)&conn->poll, on_closed);
    close(conn->fd);
    if (!conn->registered)
        free(conn);
}

static int gone(void)
{
    return err_set(ERR_CANCELLED, "the client went away");
}

static int wait_readable(struct http_connection *conn, int64_t deadline_ms)
{
    int rc = 0;

    poll_for(conn, UV_READABLE);
    conn->wait = WAIT_READABLE;
    while (rc == 0 && !conn->readable && !conn->gone && !(conn->idle && conn->server->draining))
        rc = fiber_park(deadline_ms);
    conn->wait = WAIT_NOTHING;
    return rc == 0 && conn->gone ? gone() : rc;
}

static int wait_writable(struct http_connection *conn, int64_t deadline_ms)
{
    int rc = 0;

    conn->writable = false;
    poll_for(conn, UV_WRITABLE | (conn->polled ? conn->polled : UV_READABLE));
    conn->wait = WAIT_WRITABLE;
    while (rc == 0 && !conn->writable && !conn->gone)
        rc = fiber_park(deadline_ms);
    conn->wait = WAIT_NOTHING;
    poll_for(conn, conn->polled & ~UV_WRITABLE);
    return rc == 0 && conn->gone ? gone() : rc;
}

/* 0 = done, TLS_WANT_* = wait and try again, or ERR_IO. */
static int receive(struct http_connection *conn, char *bytes, size_t cap, size_t *ret_len)
{
    ssize_t n;

    if (conn->tls) {
        int rc = tls_read(conn->tls, bytes, cap, ret_len);
        conn->readable = false; /* the loop says so again if there is more */
        return rc == TLS_CLOSED ? err_set(ERR_IO, "the client closed the connection") : rc;
    }
    n = recv(conn->fd, bytes, cap, 0);
    if (n > 0) {
        /* Less than asked for: the kernel has no more, so do not ask for nothing. */
        conn->readable = (size_t)n == cap;
        *ret_len = (size_t)n;
        return 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TLS_WANT_READ;
    return err_set(ERR_IO, "the client closed the connection");
}

static int wait_for(struct http_connection *conn, int want, int64_t deadline_ms)
{
    if (want == TLS_WANT_WRITE)
        return wait_writable(conn, deadline_ms);
    conn->readable = false;
    return wait_readable(conn, deadline_ms);
}

static int shake_hands(struct http_connection *conn)
{
    int64_t deadline = loop_now_ms(conn->server->loop) + conn->server->options.header_timeout_ms;
    int rc = tls_session_new(conn->server->tls, conn->fd, &conn->tls);

    if (rc != 0)
        return rc;
    while ((rc = tls_handshake(conn->tls)) > 0) {
        if (rc == TLS_CLOSED)
            return err_set(ERR_IO, "the client closed the connection");
        rc = wait_for(conn, rc, deadline);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int connection_open(struct http_connection *conn)
{
    int rc = uv_poll_init(loop_uv(conn->server->loop), &conn->poll, conn->fd);

    if (rc != 0)
        return err_set(ERR_IO, "cannot watch a connection: %s", uv_strerror(rc));
    conn->registered = true;
    conn->poll.data = conn;
    poll_for(conn, UV_READABLE);
    return conn->server->tls ? shake_hands(conn) : 0;
}

static bool ready(const struct http_connection *conn)
{
    return conn->readable || (conn->tls && tls_pending(conn->tls));
}

int connection_idle(struct http_connection *conn, int64_t deadline_ms)
{
    int rc = 0;

    conn->idle = true;
    if (!ready(conn))
        rc = wait_readable(conn, deadline_ms);
    return rc;
}

int connection_read(
    struct http_connection *conn, char *bytes, size_t cap, int64_t deadline_ms, size_t *ret_len)
{
    int rc = 0;

    if (conn->gone)
        return gone();
    if (!ready(conn))
        rc = wait_readable(conn, deadline_ms);
    while (rc == 0) {
        rc = receive(conn, bytes, cap, ret_len);
        if (rc <= 0)
            return rc;
        if (conn->idle && conn->server->draining)
            return err_set(ERR_CANCELLED, "the server is stopping");
        rc = wait_for(conn, rc, deadline_ms);
    }
    return rc;
}

static int send_pieces(
    struct http_connection *conn, struct iovec *pieces, size_t count, size_t *ret_len)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    ssize_t n;

    if (conn->tls)
        return tls_write(conn->tls, pieces[0].iov_base, pieces[0].iov_len, ret_len);
    n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    if (n >= 0) {
        *ret_len = (size_t)n;
        return 0;
    }
    if (errno == EAGAIN || errno == EINTR)
        return TLS_WANT_WRITE;
    return err_set(ERR_IO, "cannot send to the client: %s", strerror(errno));
}

/* One TLS record is better than several small ones. */
static size_t join_pieces(struct http_connection *conn, struct iovec *pieces, size_t count)
{
    buf_clear(&conn->out);
    for (size_t i = 0; i < count; i++)
        buf_add(&conn->out, pieces[i].iov_base, pieces[i].iov_len);
    pieces[0] = (struct iovec){conn->out.ptr, conn->out.len};
    return 1;
}

int connection_write(struct http_connection *conn, struct iovec *pieces, size_t count)
{
    int64_t deadline = loop_now_ms(conn->server->loop) + conn->server->options.write_timeout_ms;
    size_t sent;
    int rc = 0;

    if (conn->gone)
        return gone();
    if (conn->tls)
        count = join_pieces(conn, pieces, count);
    while (rc == 0 && count > 0) {
        rc = send_pieces(conn, pieces, count, &sent);
        if (rc > 0) {
            rc = rc == TLS_CLOSED ? gone() : wait_for(conn, rc, deadline);
            continue;
        }
        if (rc < 0)
            break;
        while (count > 0 && sent >= pieces[0].iov_len) {
            sent -= pieces[0].iov_len;
            pieces++;
            count--;
        }
        if (count > 0) {
            pieces[0].iov_base = (char *)pieces[0].iov_base + sent;
            pieces[0].iov_len -= sent;
        }
    }
    if (conn->out.cap > 16 * KIB)
        buf_deinit(&conn->out);
    return rc;
}

void connection_linger(struct http_connection *conn)
{
    int64_t deadline = loop_now_ms(conn->server->loop) + LINGER_MS;
    char *scrap;
    size_t len;

    if (conn->gone)
        return;
    if (conn->tls)
        tls_shutdown(conn->tls);
    shutdown(conn->fd, SHUT_WR);
    scrap = xmalloc(16 * KIB);
    while (connection_read(conn, scrap, 16 * KIB, deadline, &len) == 0)
        ;
    free(scrap);
}
