/* One HTTP request and its answer, on a connection of the pool. Private to src/http. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "http/client.h"
#include "http/pool.h"
#include "http/resolve.h"

/* What is the same for all calls of one URL. */
struct target {
    char *text;
    struct arena arena;
    struct url url;
    struct str path_line;     /* " /path?query HTTP/1.1\r\n" */
    struct str host;          /* "Host: name:port\r\n" */
    struct str authorization; /* of the URL's user name, a whole line; empty: none */
    int users;
    struct target *next;
};

/* 0 or ERR_INVALID. */
MUST_CHECK int target_new(struct str text, struct target **ret_target);
void target_free(struct target *target);
/* Where its host is. 0, or as resolver_lookup(). Yields. */
MUST_CHECK int target_addresses(const struct target *target, struct resolver *resolver,
    bool public_only, int64_t deadline_ms, struct arena *arena,
    struct outbound_addresses *ret_addresses);

struct exchange {
    struct arena *arena;
    const struct http_call *call;
    const struct target *target;
    struct http_reply *reply;
    int64_t deadline_ms;
    struct resolver *resolver;
};

/* As http_send(), without redirects. Yields. */
MUST_CHECK int exchange_run(struct pool *pool, struct exchange *exchange);

#endif
