/* HTTP client: libcurl's multi interface behind calls that read as blocking.
 *
 * One client per loop (made at first use, kept in the loop's locals), with pooled connections and
 * handles. A cap on open sockets makes calls wait rather than fail. Names are resolved on an
 * offload thread, single-flight, cached 60 s, and pinned; with HTTP_PUBLIC_ONLY a name that
 * resolves to a private address is refused (ERR_DENIED), on redirects too.
 *
 * A caller's cancel or deadline (of the call or of the fiber) ends the transfer. Everything here
 * is called on a fiber of the loop.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/http.h"
#include "runtime/loop.h"

enum http_client_flags {
    HTTP_PUBLIC_ONLY = 1,      /* outside URLs: never private addresses */
    HTTP_FOLLOW_REDIRECTS = 2, /* up to 5, same rules for each */
    /* What the request asks for must not happen twice: no byte of it is written a second time, not
     * even when a kept-alive connection turns out to be closed. See reply.sent. */
    HTTP_ONCE = 4,
    HTTP_FRESH = 8, /* on a connection of its own, not a kept-alive one */
};

struct http_call {
    enum http_method method;
    struct str url;
    const struct http_header *headers;
    size_t header_count;
    struct str body;    /* sent when len > 0 or the method is POST, PUT or PATCH */
    int64_t timeout_ms; /* whole call; 0: 30 s */
    size_t max_body;    /* of the answer; 0: 8 MiB. Beyond it: ERR_TOO_LARGE */
    unsigned flags;
    /* Streaming: called on the calling fiber with each piece of a 2xx body as it arrives; it may
     * yield (the transfer pauses: back-pressure) and ends the call by a non-zero return, which
     * http_send() passes on. Without it the body is collected. Other statuses are always
     * collected. */
    int (*on_data)(struct str piece, void *ctx);
    void *ctx;
};

struct http_reply {
    int status;
    struct http_headers headers;
    struct str body;
    int64_t connect_ms, first_byte_ms, total_ms;
    /* Also on failure: a part of the request went out, so the server may have done what it asks. */
    bool sent;
};

/* Send and receive. 0 whenever an HTTP answer arrived whole, whatever its status; otherwise ERR_IO
 * (resolve, connect, TLS, reset, truncated: message says which), ERR_TIMEOUT, ERR_CANCELLED,
 * ERR_TOO_LARGE, ERR_DENIED, ERR_INVALID (URL) or what on_data returned. On failure
 * ret_reply->status is the status received or 0, and sent is set. Reply strings live in arena.
 * Yields. */
MUST_CHECK int http_send(
    struct arena *arena, const struct http_call *call, struct http_reply *ret_reply);

struct http_client_options {
    size_t max_connections; /* open sockets of this loop; 0: 5,000 */
    const char *ca_file;    /* NULL or "": the system's */
};
/* Once per loop before the first http_send(); optional. The strings are copied. */
void http_client_configure(struct loop *loop, const struct http_client_options *options);

#endif
