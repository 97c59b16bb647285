/* What a cache back end is. Only src/cache and its tests see this.
 *
 * Keys come whole and hashed ("theo:WORKSPACE:KIND:HASH"); values are bytes. Every slot but
 * close, join and leave may yield.
 */
#ifndef CACHE_BACKEND_H
#define CACHE_BACKEND_H

#include "cache/cache.h"

#define CACHE_TOPICS_MAX 8

/* What is listened to; the same for the life of the back end once a loop joined. */
struct cache_topics {
    struct {
        const char *topic;
        void (*fn)(void *ctx, struct str message);
        void *ctx;
    } rows[CACHE_TOPICS_MAX];
    size_t count;
};

struct cache_backend;

struct cache_ops {
    const char *name;
    bool shared;
    void (*close)(struct cache_backend *backend);
    void (*join)(struct cache_backend *backend);
    void (*leave)(struct cache_backend *backend);
    int (*health)(struct cache_backend *backend);
    /* 0, CACHE_MISSING or ERR_* */
    int (*get)(
        struct cache_backend *backend, struct str key, struct arena *arena, struct str *ret_value);
    int (*set)(struct cache_backend *backend, struct str key, struct str value, int64_t ttl_ms);
    int (*remove)(struct cache_backend *backend, struct str key);
    int (*take)(struct cache_backend *backend, struct str key, int64_t limit, int64_t window_ms,
        struct cache_taken *ret_taken);
    int (*publish)(struct cache_backend *backend, const char *topic, struct str message);
};

extern const struct cache_ops cache_local_ops, cache_redis_ops;

struct cache_backend *cache_local_new(const struct env *env, const struct cache_topics *topics);
/* 0 or ERR_INVALID; the URL is never repeated in a message. ca_file: whom
 * rediss:// trusts, empty for the system's. wait_ms: for one answer. */
MUST_CHECK int cache_redis_new(const char *url, const char *ca_file, int64_t wait_ms,
    const struct cache_topics *topics, struct cache_backend **ret_backend);

/* The state of a key under the generic cell rate algorithm is the time when all of it is free
 * again; room is what is left of the window after this one (negative: refused), both in
 * microseconds. */
struct cache_taken cache_taken_from(
    bool allowed, int64_t room_us, int64_t until_free_us, int64_t interval_us);
int64_t cache_interval_us(int64_t limit, int64_t window_ms);

/* Call those of topic; empty message: what was missed is unknown. */
void cache_topics_call(const struct cache_topics *topics, struct str topic, struct str message);

#endif
