#include "base/log.h"
#include "cache/backend.h"
#include "secure/seal.h"
#include "watch/metrics.h"

#include <sodium.h>

#define HASH_LEN 16

struct cache {
    const struct cache_ops *ops;
    struct cache_backend *backend;
    struct sealer *sealer;
    struct cache_topics topics;
};

int cache_open(const struct config *config, const struct env *env, struct sealer *sealer,
    struct cache **ret_cache)
{
    struct cache *cache = xcalloc(1, sizeof(*cache));
    int rc = 0;

    cache->sealer = sealer;
    if (config->redis_url[0] == '\0') {
        cache->ops = &cache_local_ops;
        cache->backend = cache_local_new(env, &cache->topics);
    } else {
        cache->ops = &cache_redis_ops;
        rc = cache_redis_new(
            config->redis_url, config->tls_ca_file, CACHE_WAIT_MS, &cache->topics, &cache->backend);
    }
    if (rc < 0) {
        free(cache);
        return rc;
    }
    *ret_cache = cache;
    return 0;
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    cache->ops->close(cache->backend);
    free(cache);
}

const char *cache_name(const struct cache *cache)
{
    return cache->ops->name;
}

bool cache_shared(const struct cache *cache)
{
    return cache->ops->shared;
}

void cache_join(struct cache *cache)
{
    cache->ops->join(cache->backend);
}

void cache_leave(struct cache *cache)
{
    cache->ops->leave(cache->backend);
}

int cache_health(struct cache *cache)
{
    return cache->ops->health(cache->backend);
}

static struct str full_key(struct arena *arena, const struct cache_key *key)
{
    unsigned char hash[HASH_LEN];
    char hex[2 * HASH_LEN + 1];

    crypto_generichash(
        hash, sizeof(hash), (const unsigned char *)key->name.ptr, key->name.len, NULL, 0);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    return str_printf(arena, "theo:%.*s:%s:%s", STR_ARG(key->workspace_id), key->kind, hex);
}

static int note(int rc)
{
    if (rc < 0 && rc != ERR_CANCELLED)
        metric_add(M_CACHE_CALLS, "failed", 1);
    else if (rc >= 0)
        metric_add(M_CACHE_CALLS, rc == CACHE_MISSING ? "missing" : "ok", 1);
    return rc;
}

static int get(struct cache *cache, struct str key, struct arena *arena, struct str *ret_value)
{
    int rc = note(cache->ops->get(cache->backend, key, arena, ret_value));

    return rc < 0 && rc != ERR_CANCELLED ? CACHE_MISSING : rc;
}

static void set(struct cache *cache, struct str key, struct str value, int64_t ttl_ms)
{
    assert(ttl_ms > 0);
    if (value.len <= CACHE_VALUE_MAX)
        note(cache->ops->set(cache->backend, key, value, ttl_ms));
}

int cache_get(
    struct cache *cache, const struct cache_key *key, struct arena *arena, struct str *ret_value)
{
    return get(cache, full_key(arena, key), arena, ret_value);
}

void cache_set(struct cache *cache, const struct cache_key *key, struct str value, int64_t ttl_ms)
{
    struct arena arena;

    arena_init(&arena);
    set(cache, full_key(&arena, key), value, ttl_ms);
    arena_deinit(&arena);
}

void cache_remove(struct cache *cache, const struct cache_key *key)
{
    struct arena arena;

    arena_init(&arena);
    note(cache->ops->remove(cache->backend, full_key(&arena, key)));
    arena_deinit(&arena);
}

int cache_get_sealed(
    struct cache *cache, const struct cache_key *key, struct arena *arena, struct str *ret_value)
{
    struct str whole = full_key(arena, key), sealed;
    int rc = get(cache, whole, arena, &sealed);

    if (rc != 0)
        return rc;
    if (unseal(cache->sealer, key->workspace_id, whole, sealed, arena, ret_value) == 0)
        return 0;
    log_warn("cache.unsealable", LOG_CSTR("kind", key->kind), LOG_ERR);
    return CACHE_MISSING;
}

void cache_set_sealed(
    struct cache *cache, const struct cache_key *key, struct str value, int64_t ttl_ms)
{
    struct arena arena;
    struct str whole, sealed;

    arena_init(&arena);
    whole = full_key(&arena, key);
    if (seal(cache->sealer, key->workspace_id, whole, value, &arena, &sealed) == 0)
        set(cache, whole, sealed, ttl_ms);
    else
        log_warn("cache.not_sealed", LOG_CSTR("kind", key->kind), LOG_ERR);
    arena_deinit(&arena);
}

int64_t cache_interval_us(int64_t limit, int64_t window_ms)
{
    return MAX(window_ms * 1000 / limit, 1);
}

struct cache_taken cache_taken_from(
    bool allowed, int64_t room_us, int64_t until_free_us, int64_t interval_us)
{
    return (struct cache_taken){.allowed = allowed,
        .remaining = MAX(room_us, 0) / interval_us,
        .reset_ms = (MAX(until_free_us, 0) + 999) / 1000,
        .retry_after_ms = allowed ? 0 : -room_us / 1000 + 1};
}

int cache_take(struct cache *cache, const struct cache_key *key, int64_t limit, int64_t window_ms,
    struct cache_taken *ret_taken)
{
    struct arena arena;
    int rc;

    assert(limit > 0 && window_ms > 0);
    arena_init(&arena);
    rc = note(cache->ops->take(cache->backend, full_key(&arena, key), limit, window_ms, ret_taken));
    arena_deinit(&arena);
    return rc;
}

void cache_subscribe(
    struct cache *cache, const char *topic, void (*fn)(void *ctx, struct str message), void *ctx)
{
    size_t i = cache->topics.count++;

    assert(i < CACHE_TOPICS_MAX);
    cache->topics.rows[i].topic = topic;
    cache->topics.rows[i].fn = fn;
    cache->topics.rows[i].ctx = ctx;
}

void cache_topics_call(const struct cache_topics *topics, struct str topic, struct str message)
{
    for (size_t i = 0; i < topics->count; i++)
        if (str_is(topic, topics->rows[i].topic))
            topics->rows[i].fn(topics->rows[i].ctx, message);
}

int cache_publish(struct cache *cache, const char *topic, struct str message)
{
    assert(message.len > 0);
    return note(cache->ops->publish(cache->backend, topic, message));
}
