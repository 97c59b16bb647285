/* Kept-alive connections that wait for their next call, the newest first. Private to src/http.
 *
 * One that the server closes leaves the pool at that moment. The pool never refuses: the client's
 * semaphore bounds the connections in use, and idle ones make way for new ones at the cap.
 */
#ifndef HTTP_POOL_H
#define HTTP_POOL_H

#include "http/outbound.h"
#include "http/url.h"

struct pool;

struct pool *pool_new(struct loop *loop, size_t max_open);
void pool_free(struct pool *pool); /* closes what is idle */
void pool_set_max(struct pool *pool, size_t max_open);

/* An idle connection to the URL's server; NULL: none. */
struct outbound *pool_take(struct pool *pool, const struct url *url);
/* As outbound_open(), counted. Yields. */
MUST_CHECK int pool_open(struct pool *pool, const struct outbound_addresses *addresses,
    int64_t deadline_ms, struct outbound **ret_conn);
/* After a whole answer: keep for another call to that server. */
void pool_keep(struct pool *pool, const struct url *url, struct outbound *conn);
void pool_close(struct pool *pool, struct outbound *conn);

#endif
