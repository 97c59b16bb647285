/* What the server's files share: one client connection and the server it belongs to.
 *
 * A connection is one fiber over one non-blocking socket. The socket is registered for reading once
 * and stays so; the poll callback only raises flags, the fiber makes all system calls. While a
 * handler runs, a readable socket is peeked at: end of stream means the client is gone and cancels
 * the fiber; bytes are the next, pipelined request and stay in the kernel. An idle connection holds
 * its fiber's stack and this struct, no buffers.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "http/parser.h"
#include "http/server.h"
#include "http/tls.h"

#include <netinet/in.h>
#include <sys/uio.h>

struct http_server {
    struct loop *loop;
    struct http_server_options options;
    http_handler *handler;
    void *ctx;
    struct tls_context *tls; /* NULL: plain */
    int fd, port;
    uv_poll_t *poll;        /* of the listening socket; frees itself when closed */
    struct fiber *acceptor; /* NULL once it ended */
    bool acceptable;        /* a client may be waiting */
    bool draining;
    size_t connections, active;
    size_t receiving; /* bytes of large bodies that are under way */
    struct http_connection *first;
    struct fiber *stopper; /* waits for the last connection */
    int64_t date_second;
    char date[32]; /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

enum connection_wait { WAIT_NOTHING, WAIT_READABLE, WAIT_WRITABLE };

struct http_connection {
    uv_poll_t poll; /* first: freed in its close callback */
    struct http_server *server;
    struct http_connection *next, **link; /* in server->first */
    struct fiber *fiber;
    struct tls_session *tls;
    int fd;
    int polled; /* events now asked for */
    bool registered;
    enum connection_wait wait;
    bool readable, writable;
    bool handling;  /* the handler runs */
    bool idle;      /* between requests, may be closed by a drain */
    bool gone;      /* the client is */
    bool last;      /* close after this answer */
    bool chunked;   /* the answer being streamed is */
    bool headless;  /* it may have no body (HEAD, 204, 304) */
    bool open;      /* the answer was begun and is not complete */
    int minor;      /* of the request's HTTP version */
    struct buf in;  /* bytes received and not used yet */
    struct buf out; /* TLS: pieces of one write, put together */
    char peer[INET6_ADDRSTRLEN];
};

/* connection.c: the fiber's function; arg is the connection. */
void connection_main(void *arg);

/* connection_io.c. All of them yield. */

/* Register with the loop and shake hands. 0, ERR_IO, ERR_TIMEOUT or ERR_CANCELLED. */
MUST_CHECK int connection_open(struct http_connection *conn);
/* Wait for the first byte of a request. The same, and ERR_CANCELLED when the server drains. */
MUST_CHECK int connection_idle(struct http_connection *conn, int64_t deadline_ms);
void connection_close(struct http_connection *conn); /* frees it at the loop's next turn */
/* Receive at most cap bytes into bytes. 0 with *ret_len > 0, ERR_TIMEOUT, ERR_CANCELLED, or ERR_IO
 * (the client closed or reset). */
MUST_CHECK int connection_read(
    struct http_connection *conn, char *bytes, size_t cap, int64_t deadline_ms, size_t *ret_len);
/* Send all pieces (which it changes). Same errors. */
MUST_CHECK int connection_write(struct http_connection *conn, struct iovec *pieces, size_t count);
/* Close the sending side and throw away what still comes, for a while, so that the client reads the
 * answer before it learns of the reset (RFC 9112 section 9.6). */
void connection_linger(struct http_connection *conn);

/* respond.c: the answer to a request that is refused before a handler sees it. */
void respond_problem(struct http_request *req, int status, const char *detail);

#endif
