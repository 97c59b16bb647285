#include "http/outbound.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { NEXT_ADDRESS_MS = 250 };

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct outbound *conn, int events)
{
    if (conn->polled == events)
        return;
    conn->polled = events;
    if (events == 0)
        uv_poll_stop(&conn->poll);
    else
        uv_poll_start(&conn->poll, events, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct outbound *conn = CONTAINER_OF(poll, struct outbound, poll);

    if (status < 0) { /* libuv has stopped polling; the next system call says why */
        conn->polled = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    conn->readable |= (events & UV_READABLE) != 0;
    conn->writable |= (events & UV_WRITABLE) != 0;
    if (conn->waiting != NULL)
        fiber_wake(conn->waiting);
    else if (conn->on_idle != NULL)
        conn->on_idle(conn, conn->idle_arg);
    else
        poll_for(conn, 0); /* its fiber is busy elsewhere; this would be reported for ever */
}

static void on_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct outbound, poll));
}

void outbound_close(struct outbound *conn)
{
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    close(conn->fd);
}

void outbound_rest(
    struct outbound *conn, void (*on_idle)(struct outbound *conn, void *arg), void *arg)
{
    conn->on_idle = on_idle;
    conn->idle_arg = arg;
    conn->readable = false;
    poll_for(conn, UV_READABLE);
}

void outbound_resume(struct outbound *conn)
{
    conn->on_idle = NULL;
}

/* Park until one of the flags that events name is set. */
static int wait_for(struct outbound *conn, int events, int64_t deadline_ms)
{
    int rc = 0;

    poll_for(conn, events);
    conn->waiting = fiber_self();
    while (rc == 0 && !((events & UV_READABLE) && conn->readable) &&
           !((events & UV_WRITABLE) && conn->writable))
        rc = fiber_park(deadline_ms);
    conn->waiting = NULL;
    return rc;
}

/* The sockets of one race, each for another address. */
struct race {
    struct loop *loop;
    const struct outbound_addresses *addresses;
    struct outbound *conns[OUTBOUND_ADDRESSES_MAX];
    size_t started, open;
    int error; /* why the last one failed */
};

static void start_next(struct race *race)
{
    const struct sockaddr_storage *at = &race->addresses->items[race->started];
    socklen_t len =
        at->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int one = 1, fd;
    struct outbound *conn;

    race->conns[race->started++] = NULL;
    fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        race->error = errno;
        return;
    }
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn = xcalloc(1, sizeof(*conn));
    conn->fd = fd;
    if (uv_poll_init(loop_uv(race->loop), &conn->poll, fd) != 0) {
        race->error = EMFILE;
        close(fd);
        free(conn);
        return;
    }
    if (connect(fd, (const struct sockaddr *)at, len) != 0 && errno != EINPROGRESS) {
        race->error = errno;
        outbound_close(conn);
        return;
    }
    conn->waiting = fiber_self();
    poll_for(conn, UV_WRITABLE);
    race->conns[race->started - 1] = conn;
    race->open++;
}

/* The socket that is connected by now, or NULL; those that failed are closed. */
static struct outbound *look(struct race *race)
{
    for (size_t i = 0; i < race->started; i++) {
        struct outbound *conn = race->conns[i];
        int error = 0;
        socklen_t len = sizeof(error);
        if (conn == NULL || !conn->writable)
            continue;
        race->conns[i] = NULL;
        race->open--;
        (void)!getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error == 0)
            return conn;
        race->error = error;
        outbound_close(conn);
    }
    return NULL;
}

static int run_race(struct race *race, int64_t deadline_ms, struct outbound **ret_conn)
{
    int64_t next_ms = 0;

    for (;;) {
        struct outbound *conn = look(race);
        if (conn != NULL) {
            *ret_conn = conn;
            return 0;
        }
        bool more = race->started < race->addresses->count;
        int64_t now_ms = loop_now_ms(race->loop);
        if (more && (race->open == 0 || now_ms >= next_ms)) {
            start_next(race);
            next_ms = now_ms + NEXT_ADDRESS_MS;
            continue;
        }
        if (race->open == 0)
            return err_set(ERR_IO, "%s", strerror(race->error));
        int64_t until_ms = more ? MIN(deadline_ms, next_ms) : deadline_ms;
        int rc = fiber_park(until_ms);
        bool for_next = until_ms < deadline_ms && loop_now_ms(race->loop) < fiber_deadline();
        if (rc != 0 && !(rc == ERR_TIMEOUT && for_next))
            return rc;
    }
}

int outbound_open(struct loop *loop, const struct outbound_addresses *addresses,
    int64_t deadline_ms, struct outbound **ret_conn)
{
    struct race race = {.loop = loop, .addresses = addresses};
    struct outbound *conn = NULL;
    int rc = run_race(&race, deadline_ms, &conn);

    for (size_t i = 0; i < race.started; i++) {
        if (race.conns[i] != NULL)
            outbound_close(race.conns[i]);
    }
    if (rc != 0)
        return rc;
    conn->waiting = NULL;
    conn->readable = conn->writable = false;
    poll_for(conn, UV_READABLE);
    *ret_conn = conn;
    return 0;
}

/* Leave out what went out. */
static void advance(struct iovec **pieces, size_t *count, size_t sent)
{
    while (*count > 0 && sent >= (*pieces)->iov_len) {
        sent -= (*pieces)->iov_len;
        (*pieces)++;
        (*count)--;
    }
    if (*count > 0) {
        (*pieces)->iov_base = (char *)(*pieces)->iov_base + sent;
        (*pieces)->iov_len -= sent;
    }
}

int outbound_send(struct outbound *conn, struct iovec *pieces, size_t count, int64_t deadline_ms,
    size_t *ret_sent)
{
    int rc = 0;

    while (rc == 0 && count > 0) {
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        ssize_t n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (n >= 0) {
            *ret_sent += (size_t)n;
            advance(&pieces, &count, (size_t)n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return err_set(ERR_IO, "%s", strerror(errno));
        conn->writable = false;
        rc = wait_for(conn, UV_WRITABLE | UV_READABLE, deadline_ms);
        if (rc == 0 && conn->readable && !conn->writable)
            return OUTBOUND_ANSWERED;
    }
    return rc;
}

int outbound_receive(struct outbound *conn, struct buf *into, size_t most, int64_t deadline_ms)
{
    for (;;) {
        if (!conn->readable) {
            int rc = wait_for(conn, UV_READABLE, deadline_ms);
            if (rc != 0)
                return rc;
        }
        ssize_t n = recv(conn->fd, buf_reserve(into, most), most, 0);
        if (n > 0) {
            /* Less than asked for: the kernel has no more, so do not ask for nothing. */
            conn->readable = (size_t)n == most;
            into->len += (size_t)n;
            into->ptr[into->len] = '\0';
            return 0;
        }
        if (n == 0)
            return OUTBOUND_CLOSED;
        if (errno != EAGAIN && errno != EINTR)
            return err_set(ERR_IO, "%s", strerror(errno));
        conn->readable = errno == EINTR;
    }
}
