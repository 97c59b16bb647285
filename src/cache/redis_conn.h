/* The TCP connection under a link: name to address, connect to the first address that takes it,
 * bytes out and in. Everything happens in libuv's callbacks, outside fibers; nothing here yields.
 *
 * Not freed by the caller: redis_conn_close() ends the events at once, and libuv gives back the
 * rest once it let go of it.
 */
#ifndef CACHE_REDIS_CONN_H
#define CACHE_REDIS_CONN_H

#include "cache/redis_url.h"
#include "runtime/loop.h"

struct redis_conn;

/* ctx is the opener's. Each of them may close the connection. */
struct redis_conn_events {
    void (*opened)(void *ctx);
    void (*bytes)(void *ctx, const char *bytes, size_t len);
    void (*failed)(void *ctx); /* the current error says why; nothing comes after it */
};

/* 0 (then opened or failed is called later), or ERR_UNAVAILABLE. address and events must outlive
 * the connection. */
MUST_CHECK int redis_conn_open(struct loop *loop, const struct redis_address *address,
    const struct redis_conn_events *events, void *ctx, struct redis_conn **ret_conn);
void redis_conn_close(struct redis_conn *conn);

/* Once opened. What gathers while a write is under way goes out with the next one; a failure is
 * told by failed, never from inside this call. */
void redis_conn_send(struct redis_conn *conn, struct str bytes);
size_t redis_conn_unsent(const struct redis_conn *conn);

#endif
