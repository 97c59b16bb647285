#include "http/server.h"

#include "base/err.h"
#include "http/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 64, BACKLOG = 1024, OUT_OF_FILES_PAUSE_MS = 100, DEFAULT_HEADERS = 100 };
#define RECEIVING_MAX (64 * MIB)

/* The defaults, from the table of settings. */
enum {
#define STR_SETTING(...)
#define BOOL_SETTING(...)
#define I64_SETTING(name, id, value, ...) DEFAULT_##id = (value),
#include "base/settings.def"
#undef STR_SETTING
#undef BOOL_SETTING
#undef I64_SETTING
};

void http_server_options_init(struct http_server_options *options)
{
    *options = (struct http_server_options){
        .host = "127.0.0.1",
        .port = 8080,
        .header_timeout_ms = DEFAULT_server_header_timeout_ms,
        .body_timeout_ms = DEFAULT_server_body_timeout_ms,
        .idle_timeout_ms = DEFAULT_server_idle_timeout_ms,
        .write_timeout_ms = DEFAULT_server_write_timeout_ms,
        .max_header_bytes = DEFAULT_server_max_header_bytes,
        .max_headers = DEFAULT_HEADERS,
        .max_body_bytes = DEFAULT_server_max_body_bytes,
        .max_receiving = RECEIVING_MAX,
        .max_connections = DEFAULT_server_max_connections,
    };
}

static void format_peer(const struct sockaddr_storage *address, char out[INET6_ADDRSTRLEN])
{
    out[0] = '\0';
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, INET6_ADDRSTRLEN);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN);
    }
}

/* One connection too many. There is no fiber for it, so this must not wait. */
static void turn_away(struct http_server *server, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Content-Type: application/problem+json\r\n"
                                 "Retry-After: 1\r\n"
                                 "Connection: close\r\n\r\n"
                                 "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                                 "\"status\":503,\"detail\":\"too many connections; try later\"}";
    char scrap[1024];

    if (!server->tls && send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0) {
        shutdown(fd, SHUT_WR);
        while (recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0)
            ;
    }
    close(fd);
}

static void welcome(struct http_server *server, int fd, const struct sockaddr_storage *address)
{
    struct http_connection *conn;

    if (server->connections >= server->options.max_connections) {
        turn_away(server, fd);
        return;
    }
    conn = xcalloc(1, sizeof(*conn));
    conn->server = server;
    conn->fd = fd;
    format_peer(address, conn->peer);
    conn->next = server->first;
    conn->link = &server->first;
    if (conn->next)
        conn->next->link = &conn->next;
    server->first = conn;
    __atomic_fetch_add(&server->connections, 1, __ATOMIC_RELAXED);
    conn->fiber = fiber_spawn(server->loop, "http", connection_main, conn);
}

/* 0 = taken, 1 = nobody there, ERR_BUSY = no descriptors left. */
static int accept_one(struct http_server *server)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = accept4(server->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        welcome(server, fd, &address);
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 1;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        return err_set(ERR_BUSY, "cannot accept connections: %s", strerror(errno));
    return 0; /* that client left already, or the like */
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct http_server *server = poll->data;

    (void)status, (void)events;
    server->acceptable = true;
    if (server->acceptor)
        fiber_wake(server->acceptor);
}

/* The waiting client keeps the listening socket readable: without the pause and the stopped poll
 * the loop would spin until a descriptor is free. */
static int pause_accepting(struct http_server *server)
{
    int rc;

    log_warn("http.accept", LOG_ERR);
    uv_poll_stop(server->poll);
    rc = fiber_sleep(OUT_OF_FILES_PAUSE_MS);
    uv_poll_start(server->poll, UV_READABLE, on_acceptable);
    return rc;
}

static int wait_acceptable(struct http_server *server)
{
    int rc = 0;

    server->acceptable = false;
    while (rc == 0 && !server->acceptable)
        rc = fiber_park(FIBER_NO_DEADLINE);
    return rc;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void acceptor_main(void *arg)
{
    struct http_server *server = arg;
    int rc = 0;

    for (int taken = 0; rc == 0; taken++) {
        rc = accept_one(server);
        if (rc == 1)
            rc = wait_acceptable(server);
        else if (rc == ERR_BUSY)
            rc = pause_accepting(server);
        else if (taken % ACCEPTS_PER_TURN == 0)
            rc = fiber_yield();
    }
    while (accept_one(server) == 0) /* those who connected before the drain are still served */
        ;
    uv_close((uv_handle_t *)server->poll, free_handle);
    close(server->fd);
    server->acceptor = NULL;
    if (server->stopper)
        fiber_wake(server->stopper);
}

static int bind_one(const struct addrinfo *address, bool share)
{
    int on = 1, error;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    /* Accepted sockets inherit it. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        (!share || listen(fd, BACKLOG) == 0))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A socket that does not share tells whether the port is free. */
static bool is_free(const struct addrinfo *address)
{
    int fd = bind_one(address, false);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* Names are resolved here without leaving the thread: this is start-up, not traffic. */
static int open_listener(const char *host, int port, bool exclusive, int *ret_fd)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    char service[16];
    int fd = -1, rc;

    snprintf(service, sizeof(service), "%d", port);
    rc = getaddrinfo(host && *host ? host : NULL, service, &hints, &list);
    if (rc != 0)
        return err_set(ERR_INVALID, "cannot listen on %s:%d: %s; check the setting listen", host,
            port, gai_strerror(rc));
    errno = 0;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        if (!exclusive || is_free(a))
            fd = bind_one(a, true);
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(
            ERR_IO, "cannot listen on %s:%d: %s; is the port taken?", host, port, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static bool wants_tls(const struct http_server_options *options)
{
    return options->tls_cert && *options->tls_cert;
}

static int load_tls(const struct http_server_options *options, struct tls_context **ret_tls)
{
    if (!options->tls_key || !*options->tls_key)
        return err_set(ERR_INVALID, "tls.cert is set but tls.key is not; set both or none");
    return tls_context_new(options->tls_cert, options->tls_key, ret_tls);
}

static void free_server(struct http_server *server)
{
    tls_context_free(server->tls);
    free((char *)(uintptr_t)server->options.host);
    free((char *)(uintptr_t)server->options.tls_cert);
    free((char *)(uintptr_t)server->options.tls_key);
    free(server);
}

static void copy_options(struct http_server *server, const struct http_server_options *options)
{
    server->options = *options;
    server->options.host = xstrdup(options->host ? options->host : "");
    server->options.tls_cert = xstrdup(options->tls_cert ? options->tls_cert : "");
    server->options.tls_key = xstrdup(options->tls_key ? options->tls_key : "");
}

int http_server_start(struct loop *loop, const struct http_server_options *options,
    http_handler *handler, void *ctx, struct http_server **ret_server)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    int rc = 0;

    server->loop = loop;
    server->handler = handler;
    server->ctx = ctx;
    copy_options(server, options);
    if (wants_tls(options))
        rc = load_tls(options, &server->tls);
    if (rc == 0)
        rc = open_listener(server->options.host, options->port, options->exclusive, &server->fd);
    if (rc != 0) {
        free_server(server);
        return rc;
    }
    server->port = bound_port(server->fd);
    server->poll = xcalloc(1, sizeof(*server->poll));
    rc = uv_poll_init(loop_uv(loop), server->poll, server->fd);
    if (rc != 0) {
        close(server->fd);
        free(server->poll);
        free_server(server);
        return err_set(ERR_IO, "cannot watch the listening socket: %s", uv_strerror(rc));
    }
    server->poll->data = server;
    uv_poll_start(server->poll, UV_READABLE, on_acceptable);
    server->acceptor = fiber_spawn(loop, "accept", acceptor_main, server);
    *ret_server = server;
    return 0;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_drain(struct http_server *server)
{
    if (server->draining)
        return;
    server->draining = true;
    if (server->acceptor)
        fiber_cancel(server->acceptor);
    for (struct http_connection *conn = server->first; conn; conn = conn->next)
        if (conn->idle && conn->wait == WAIT_READABLE)
            fiber_wake(conn->fiber);
}

size_t http_server_connections(const struct http_server *server)
{
    return __atomic_load_n(&server->connections, __ATOMIC_RELAXED);
}

size_t http_server_active(const struct http_server *server)
{
    return server->active;
}

static void park_shielded(void)
{
    if (fiber_park(FIBER_NO_DEADLINE) != 0)
        abort(); /* a shielded wait without a deadline only ends by a wake */
}

void http_server_stop(struct http_server *server)
{
    http_server_drain(server);
    server->stopper = fiber_self();
    fiber_shield();
    while (server->acceptor) /* it still takes in who had connected */
        park_shielded();
    for (struct http_connection *conn = server->first; conn; conn = conn->next)
        fiber_cancel(conn->fiber);
    while (server->connections > 0)
        park_shielded();
    fiber_unshield();
    free_server(server);
}

int http_server_reload_tls(struct http_server *server)
{
    struct tls_context *tls;
    int rc;

    if (!wants_tls(&server->options))
        return 0;
    rc = load_tls(&server->options, &tls);
    if (rc != 0)
        return rc;
    tls_context_free(server->tls);
    server->tls = tls;
    return 0;
}
