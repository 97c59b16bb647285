/* The cache in Redis: one connection for each loop, one more in the process that listens. */
#include "cache/redis_link.h"
#include "cache/redis_tls.h"

#include <stdatomic.h>

/* The same sum as in local.c, on Redis's clock: all processes count by one time. Returns allowed,
 * the room left and the time until all of it is free, in microseconds. */
#define TAKE_SCRIPT                                                                                \
    "local t = redis.call('TIME') "                                                                \
    "local now = t[1] * 1000000 + t[2] "                                                           \
    "local old = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) "                        \
    "local new = old + ARGV[2] "                                                                   \
    "local room = now + ARGV[1] - new "                                                            \
    "if room < 0 then return {0, room, old - now} end "                                            \
    "redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', "                                \
    "math.ceil((new - now) / 1000)) "                                                              \
    "return {1, room, new - now}"

#define HEALTH_MS 1000

struct cache_backend {
    int64_t wait_ms;
    const struct cache_topics *topics;
    struct redis_address address;
    atomic_bool listening; /* some loop of this process does */
};

/* What one loop has. */
struct lane {
    struct cache_backend *redis;
    struct redis_link *calls;
    struct redis_link *listens; /* NULL: another loop does */
};

int cache_redis_new(const char *url, const char *ca_file, int64_t wait_ms,
    const struct cache_topics *topics, struct cache_backend **ret_backend)
{
    struct redis_address address;
    struct cache_backend *redis;
    int rc = redis_url_parse(url, &address);

    if (rc < 0)
        return rc;
    if (address.tls)
        rc = redis_tls_context_new(ca_file, &address.tls_context);
    if (rc < 0) {
        redis_address_deinit(&address);
        return rc;
    }
    redis = xcalloc(1, sizeof(*redis));
    redis->wait_ms = wait_ms;
    redis->topics = topics;
    redis->address = address;
    *ret_backend = redis;
    return 0;
}

static void redis_close(struct cache_backend *redis)
{
    redis_tls_context_free(redis->address.tls_context);
    redis_address_deinit(&redis->address);
    free(redis);
}

static void free_lane(void *value)
{
    struct lane *lane = value;

    if (!lane)
        return;
    redis_link_free(lane->calls);
    if (lane->listens) {
        redis_link_free(lane->listens);
        atomic_store(&lane->redis->listening, false);
    }
    free(lane);
}

static struct lane *lane_of(struct cache_backend *redis)
{
    struct loop *loop = fiber_loop();
    struct lane *lane = loop_local(loop, redis);

    if (lane)
        return lane;
    lane = xcalloc(1, sizeof(*lane));
    lane->redis = redis;
    lane->calls = redis_link_new(loop, &redis->address, NULL);
    loop_set_local(loop, redis, lane, free_lane);
    return lane;
}

static void redis_join(struct cache_backend *redis)
{
    struct lane *lane = lane_of(redis);

    if (redis->topics->count > 0 && !lane->listens && !atomic_exchange(&redis->listening, true))
        lane->listens = redis_link_new(fiber_loop(), &redis->address, redis->topics);
}

static void redis_leave(struct cache_backend *redis)
{
    struct lane *lane = loop_local(fiber_loop(), redis);

    loop_set_local(fiber_loop(), redis, NULL, NULL);
    free_lane(lane);
}

static int call(struct cache_backend *redis, size_t count, const struct str *words,
    int64_t timeout_ms, redisReply **ret_reply)
{
    return redis_link_call(lane_of(redis)->calls, count, words, timeout_ms, ret_reply);
}

static int unexpected(const struct cache_backend *redis, redisReply *reply)
{
    freeReplyObject(reply);
    return err_set(ERR_UNAVAILABLE, "Redis at %s:%d answered with something of another kind",
        redis->address.host, redis->address.port);
}

/* For commands whose answer says nothing more. */
static int call_only(
    struct cache_backend *redis, size_t count, const struct str *words, int64_t timeout_ms)
{
    redisReply *reply;
    int rc = call(redis, count, words, timeout_ms, &reply);

    if (rc == 0)
        freeReplyObject(reply);
    return rc;
}

static int redis_get(
    struct cache_backend *redis, struct str key, struct arena *arena, struct str *ret_value)
{
    redisReply *reply;
    int rc = call(redis, 2, (struct str[]){STR("GET"), key}, redis->wait_ms, &reply);

    if (rc < 0)
        return rc;
    if (reply->type == REDIS_REPLY_STRING)
        *ret_value = str_dup(arena, (struct str){reply->str, reply->len});
    else if (reply->type == REDIS_REPLY_NIL)
        rc = CACHE_MISSING;
    else
        return unexpected(redis, reply);
    freeReplyObject(reply);
    return rc;
}

static struct str number(char out[24], int64_t value)
{
    return (struct str){out, (size_t)snprintf(out, 24, "%lld", (long long)value)};
}

static int redis_set(struct cache_backend *redis, struct str key, struct str value, int64_t ttl_ms)
{
    char ttl[24];
    struct str words[] = {STR("SET"), key, value, STR("PX"), number(ttl, ttl_ms)};

    return call_only(redis, ARRAY_LEN(words), words, redis->wait_ms);
}

static int redis_remove(struct cache_backend *redis, struct str key)
{
    return call_only(redis, 2, (struct str[]){STR("DEL"), key}, redis->wait_ms);
}

static int redis_take(struct cache_backend *redis, struct str key, int64_t limit, int64_t window_ms,
    struct cache_taken *ret_taken)
{
    int64_t interval = cache_interval_us(limit, window_ms);
    char window_text[24], interval_text[24];
    struct str words[] = {STR("EVAL"), STR(TAKE_SCRIPT), STR("1"), key,
        number(window_text, window_ms * 1000), number(interval_text, interval)};
    redisReply *reply;
    int rc = call(redis, ARRAY_LEN(words), words, redis->wait_ms, &reply);

    if (rc < 0)
        return rc;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return unexpected(redis, reply);
    for (size_t i = 0; i < 3; i++)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER)
            return unexpected(redis, reply);
    *ret_taken = cache_taken_from(reply->element[0]->integer == 1, reply->element[1]->integer,
        reply->element[2]->integer, interval);
    freeReplyObject(reply);
    return 0;
}

static int redis_publish(struct cache_backend *redis, const char *topic, struct str message)
{
    char channel[64];

    snprintf(channel, sizeof(channel), "theo:%s", topic);
    return call_only(redis, 3, (struct str[]){STR("PUBLISH"), str_from(channel), message},
        MAX(redis->wait_ms, CACHE_PUBLISH_WAIT_MS));
}

/* A write, because a Redis that is full or a replica answers PING as if nothing were wrong. */
static int redis_health(struct cache_backend *redis)
{
    return redis_set(redis, STR("theo::health"), STR("1"), HEALTH_MS);
}

const struct cache_ops cache_redis_ops = {
    .name = "redis",
    .shared = true,
    .close = redis_close,
    .join = redis_join,
    .leave = redis_leave,
    .health = redis_health,
    .get = redis_get,
    .set = redis_set,
    .remove = redis_remove,
    .take = redis_take,
    .publish = redis_publish,
};
