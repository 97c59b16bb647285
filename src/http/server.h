/* HTTP/1.1 server on fibers: strict, bounded, with absolute deadlines.
 *
 * One listener per loop (SO_REUSEPORT), one fiber per connection. The handler runs on that fiber
 * with a whole request (head and body in memory, limited) and answers by http_respond() or by
 * streaming. Pipelined requests are answered in order. While a handler runs the socket is watched:
 * when the client goes away the fiber is cancelled (fiber_is_cancelled(), waits return
 * ERR_CANCELLED). A write blocks the fiber while the client does not read: back-pressure.
 * Deadlines are absolute per phase: a byte now and then does not prolong them.
 *
 * Ownership: a request, its strings and everything in req->arena live until the handler returns.
 * TLS (1.2 and up, ALPN http/1.1) when cert and key are given; http_server_reload_tls() reads them
 * again.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/http.h"
#include "runtime/loop.h"

struct http_server;
struct http_connection; /* private */

struct http_server_options {
    const char *host; /* literal address or name */
    int port;         /* 0: any; see http_server_port() */
    int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;
    size_t max_header_bytes, max_headers, max_body_bytes;
    size_t max_receiving;   /* bytes of bodies under way together, but for 64 KiB of each */
    size_t max_connections; /* of this loop's listener */
    /* Fail when somebody listens there already. For the first loop: the others share the port by
     * SO_REUSEPORT, which would also let a second process take half of the traffic unnoticed. */
    bool exclusive;
    const char *tls_cert, *tls_key; /* PEM files; NULL or "": no TLS */
};
/* The defaults of base/settings.def. */
void http_server_options_init(struct http_server_options *options);

struct http_request {
    struct arena *arena;
    enum http_method method;
    struct str method_name, target, path, query;
    struct http_headers headers;
    struct str body;
    struct str peer; /* address of the client, text */
    bool tls;
    int64_t start_ns; /* mono ns when the head was complete */
    char request_id[ULID_LEN + 1];
    struct http_connection *connection; /* private */
    bool responded;                     /* head was sent */
    int status;                         /* of the answer sent */
};

/* Must answer; a handler that returns without one gives 500. Runs on the connection's fiber. */
typedef void http_handler(struct http_request *req, void *ctx);

/* Listen. 0 or ERR_IO / ERR_INVALID with a message that names the address. Call on the loop's
 * thread, inside or outside a fiber. */
MUST_CHECK int http_server_start(struct loop *loop, const struct http_server_options *options,
    http_handler *handler, void *ctx, struct http_server **ret_server);
int http_server_port(const struct http_server *server);
/* Stop accepting; idle connections close, the others after their current answer (which says
 * "Connection: close"). On the loop's thread. */
void http_server_drain(struct http_server *server);
/* Any thread, while the server lives. */
size_t http_server_connections(const struct http_server *server);
size_t http_server_active(const struct http_server *server); /* requests being handled */
/* Cancel what still runs and free. Yields until every connection fiber ended. */
void http_server_stop(struct http_server *server);
/* Read certificate and key again; the old ones stay on failure. */
MUST_CHECK int http_server_reload_tls(struct http_server *server);

/* Answer whole: status, extra headers (may be NULL), body. Content-Length, Date, X-Request-Id and
 * Connection are added. 0, ERR_IO, ERR_TIMEOUT or ERR_CANCELLED (client gone). Yields. */
int http_respond(struct http_request *req, int status, const char *content_type,
    const struct http_header *extra, size_t extra_count, struct str body);

/* Streaming: begin, write any number of times, end. Chunked for HTTP/1.1, close-delimited for 1.0.
 * Each write is sent at once. Same errors. Yields. */
int http_stream_begin(struct http_request *req, int status, const char *content_type,
    const struct http_header *extra, size_t extra_count);
int http_stream_write(struct http_request *req, struct str bytes);
int http_stream_end(struct http_request *req);

#endif
