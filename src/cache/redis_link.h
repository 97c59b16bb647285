/* One connection to Redis on one loop: commands of many fibers pipelined, each answer to the fiber
 * that waits for it. hiredis makes and reads the protocol (RESP2); the socket is libuv's.
 *
 * The connection is made, and made again after a loss with back-off and jitter, without anybody
 * waiting for it. Circuit breaker: once it failed, calls fail at once until it stands again; only
 * calls before the first outcome wait for it. TIMEOUTS_MAX calls in a row without an answer count
 * as a failure, so a Redis that hangs costs a few requests CACHE_WAIT_MS each, not all of them.
 *
 * Belongs to its loop; a link that listens (topics) takes no calls.
 */
#ifndef CACHE_REDIS_LINK_H
#define CACHE_REDIS_LINK_H

#include "cache/backend.h"
#include "cache/redis_url.h"
#include "runtime/loop.h"

#include <hiredis/hiredis.h>

struct redis_link;

/* Both must outlive the link. topics NULL: for calls. */
struct redis_link *redis_link_new(
    struct loop *loop, const struct redis_address *address, const struct cache_topics *topics);
/* No fiber may be waiting. Freed once libuv let go of its handles. */
void redis_link_free(struct redis_link *link);

/* Send one command and wait for its answer, which the caller frees with freeReplyObject(). 0;
 * ERR_UNAVAILABLE (down, or Redis answered with an error: its kind is in the message), ERR_TIMEOUT
 * or ERR_CANCELLED (it may have been done all the same). Yields. */
MUST_CHECK int redis_link_call(struct redis_link *link, size_t count, const struct str *words,
    int64_t timeout_ms, redisReply **ret_reply);

/* redis_answer.c: what an error answer means. The text of Redis may repeat what was sent, a
 * password too, so only its kind (first word) is ever shown. */
enum redis_step { REDIS_CALL, REDIS_AUTH, REDIS_SELECT, REDIS_PING };
/* Sets the error; returns ERR_UNAVAILABLE. */
int redis_answer_error(const struct redis_address *address, enum redis_step step, struct str text);

#endif
