/* The cache: small values with a time to live, shared rate counters, and messages between
 * processes. Nothing in it is the truth: that stands in the store.
 *
 * Two back ends. "local" is a bounded LRU in this process and the default. "redis" (setting
 * redis.url) is shared by every process that names the same Redis. When Redis is down Theo is
 * slower, never wrong: a read is CACHE_MISSING, a write is forgotten, and cache_take() and
 * cache_publish() say ERR_UNAVAILABLE at once, so that the caller counts for itself. No call waits
 * longer than CACHE_WAIT_MS, or CACHE_PUBLISH_WAIT_MS for cache_publish().
 *
 * Keys outside are "theo:WORKSPACE:KIND:HASH" with HASH the BLAKE2b-128 of the name, so that
 * nothing readable of a chat stands in them; values with content are sealed for the workspace
 * (cache_set_sealed()), and open nowhere else.
 *
 * One struct cache serves every loop of the process. All calls but open, subscribe and close are
 * made on fibers and yield. Ownership: values returned live in the caller's arena.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/config.h"
#include "base/env.h"
#include "base/err.h"

struct cache;
struct sealer;

#define CACHE_WAIT_MS 50
#define CACHE_PUBLISH_WAIT_MS 1000
#define CACHE_VALUE_MAX MIB /* larger values are not kept */

enum { CACHE_MISSING = 1 };

/* By the setting redis.url. 0, or ERR_INVALID when the URL is wrong or asks for what this build
 * lacks; a Redis that is down is no failure. Connects to nothing. sealer must outlive it. */
MUST_CHECK int cache_open(const struct config *config, const struct env *env, struct sealer *sealer,
    struct cache **ret_cache);
/* After all loops that used it were freed. NULL is allowed. */
void cache_close(struct cache *cache);
const char *cache_name(const struct cache *cache); /* "local", "redis" */
bool cache_shared(const struct cache *cache);      /* other processes see the same */

/* Connect this loop now rather than at its first call; the first loop that joins also listens to
 * what other processes publish. Does not wait for the connection. */
void cache_join(struct cache *cache);
/* Disconnect this loop; loop_free() does it otherwise. No fiber of it may be in a call. */
void cache_leave(struct cache *cache);
/* 0 when it can be written now, or ERR_UNAVAILABLE with the cause and the remedy. */
MUST_CHECK int cache_health(struct cache *cache);

struct cache_key {
    struct str workspace_id;
    const char *kind; /* a constant word: "rate", "search", "page" */
    struct str name;  /* any bytes; only its hash leaves the process */
};

/* 0, CACHE_MISSING (also when Redis is down), or ERR_CANCELLED. */
MUST_CHECK int cache_get(
    struct cache *cache, const struct cache_key *key, struct arena *arena, struct str *ret_value);
/* Keep for ttl_ms (over 0). What cannot be kept is not: there is nothing for the caller to do. */
void cache_set(struct cache *cache, const struct cache_key *key, struct str value, int64_t ttl_ms);
void cache_remove(struct cache *cache, const struct cache_key *key);
/* The same with the value sealed under the workspace's data key, bound to its key. A value that
 * does not open is CACHE_MISSING. */
MUST_CHECK int cache_get_sealed(
    struct cache *cache, const struct cache_key *key, struct arena *arena, struct str *ret_value);
void cache_set_sealed(
    struct cache *cache, const struct cache_key *key, struct str value, int64_t ttl_ms);

/* May one more happen, when limit may happen in each window? By the generic cell rate algorithm:
 * a whole window's worth may come at once, after that as time passes. One number a key is all
 * that is kept, so two processes that ask at once are counted both. */
struct cache_taken {
    bool allowed;
    int64_t remaining;      /* that would be allowed now */
    int64_t reset_ms;       /* until all of them are */
    int64_t retry_after_ms; /* 0 when allowed */
};
/* 0, ERR_UNAVAILABLE, ERR_TIMEOUT or ERR_CANCELLED: then nobody knows, count for yourself. */
MUST_CHECK int cache_take(struct cache *cache, const struct cache_key *key, int64_t limit,
    int64_t window_ms, struct cache_taken *ret_taken);

/* Call fn(ctx, message) for what any process publishes on topic, this one included, on a loop's
 * thread and outside fibers: fn must not yield. An empty message means that some may have been
 * missed (the connection was lost and is back). topic is a constant word. Before loops join. */
void cache_subscribe(
    struct cache *cache, const char *topic, void (*fn)(void *ctx, struct str message), void *ctx);
/* 0 when it was handed to Redis; ERR_UNAVAILABLE, ERR_TIMEOUT or ERR_CANCELLED otherwise. Messages
 * hold ids, never content. */
MUST_CHECK int cache_publish(struct cache *cache, const char *topic, struct str message);

#endif
