/* The cache inside one process: a hash table of entries in order of use, bounded in bytes. One
 * lock, held for a look and a copy.
 */
#include "cache/backend.h"

#include <pthread.h>

#define BUCKETS 4096
#define BYTES_MAX (16 * MIB) /* of keys and values; the oldest go first */

struct entry {
    struct entry *chain;         /* same bucket */
    struct entry *newer, *older; /* by last use */
    int64_t ends_us;             /* monotonic */
    size_t key_len, value_len;
    char bytes[]; /* key, then value */
};

struct cache_backend {
    const struct env *env;
    const struct cache_topics *topics;
    pthread_mutex_t mutex;
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    size_t bytes;
};

struct cache_backend *cache_local_new(const struct env *env, const struct cache_topics *topics)
{
    struct cache_backend *local = xcalloc(1, sizeof(*local));

    local->env = env;
    local->topics = topics;
    pthread_mutex_init(&local->mutex, NULL);
    return local;
}

static int64_t now_us(const struct cache_backend *local)
{
    return local->env->mono_ns(local->env->ctx) / 1000;
}

static struct entry **bucket_of(struct cache_backend *local, struct str key)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 0x100000001b3u;
    return &local->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static struct str entry_key(const struct entry *entry)
{
    return (struct str){entry->bytes, entry->key_len};
}

static size_t entry_size(const struct entry *entry)
{
    return sizeof(*entry) + entry->key_len + entry->value_len;
}

static void use_last(struct cache_backend *local, struct entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        local->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        local->oldest = entry->newer;
}

static void use_first(struct cache_backend *local, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = local->newest;
    if (local->newest)
        local->newest->newer = entry;
    else
        local->oldest = entry;
    local->newest = entry;
}

static void drop(struct cache_backend *local, struct entry *entry)
{
    struct entry **place = bucket_of(local, entry_key(entry));

    while (*place != entry)
        place = &(*place)->chain;
    *place = entry->chain;
    use_last(local, entry);
    local->bytes -= entry_size(entry);
    free(entry);
}

/* The live entry of key, now the newest; NULL if there is none. */
static struct entry *find(struct cache_backend *local, struct str key, int64_t now)
{
    struct entry *entry = *bucket_of(local, key);

    while (entry && !str_eq(entry_key(entry), key))
        entry = entry->chain;
    if (entry && entry->ends_us <= now) {
        drop(local, entry);
        return NULL;
    }
    if (entry) {
        use_last(local, entry);
        use_first(local, entry);
    }
    return entry;
}

static void put(struct cache_backend *local, struct str key, struct str value, int64_t ends_us)
{
    struct entry *entry = xmalloc(sizeof(*entry) + key.len + value.len);
    struct entry **bucket = bucket_of(local, key);

    *entry = (struct entry){
        .chain = *bucket, .ends_us = ends_us, .key_len = key.len, .value_len = value.len};
    memcpy(entry->bytes, key.ptr, key.len);
    if (value.len)
        memcpy(entry->bytes + key.len, value.ptr, value.len);
    *bucket = entry;
    use_first(local, entry);
    local->bytes += entry_size(entry);
    while (local->bytes > BYTES_MAX)
        drop(local, local->oldest);
}

static int local_get(
    struct cache_backend *local, struct str key, struct arena *arena, struct str *ret_value)
{
    struct entry *entry;

    pthread_mutex_lock(&local->mutex);
    entry = find(local, key, now_us(local));
    if (entry)
        *ret_value = str_dup(arena, (struct str){entry->bytes + entry->key_len, entry->value_len});
    pthread_mutex_unlock(&local->mutex);
    return entry ? 0 : CACHE_MISSING;
}

static int local_set(struct cache_backend *local, struct str key, struct str value, int64_t ttl_ms)
{
    int64_t now = now_us(local);
    struct entry *former;

    pthread_mutex_lock(&local->mutex);
    former = find(local, key, now);
    if (former)
        drop(local, former);
    put(local, key, value, now + ttl_ms * 1000);
    pthread_mutex_unlock(&local->mutex);
    return 0;
}

static int local_remove(struct cache_backend *local, struct str key)
{
    struct entry *entry;

    pthread_mutex_lock(&local->mutex);
    entry = find(local, key, now_us(local));
    if (entry)
        drop(local, entry);
    pthread_mutex_unlock(&local->mutex);
    return 0;
}

/* The entry's end is the whole state: an entry that ended is a key with nothing used. */
static int local_take(struct cache_backend *local, struct str key, int64_t limit, int64_t window_ms,
    struct cache_taken *ret_taken)
{
    int64_t interval = cache_interval_us(limit, window_ms), now = now_us(local), next, room;
    struct entry *entry;

    pthread_mutex_lock(&local->mutex);
    entry = find(local, key, now);
    next = (entry ? entry->ends_us : now) + interval;
    room = now + window_ms * 1000 - next;
    if (room < 0)
        next -= interval;
    else if (entry)
        entry->ends_us = next;
    else
        put(local, key, STR(""), next);
    pthread_mutex_unlock(&local->mutex);
    *ret_taken = cache_taken_from(room >= 0, room, next - now, interval);
    return 0;
}

static int local_publish(struct cache_backend *local, const char *topic, struct str message)
{
    cache_topics_call(local->topics, str_from(topic), message);
    return 0;
}

static void local_nothing(struct cache_backend *local)
{
    (void)local;
}

static int local_health(struct cache_backend *local)
{
    (void)local;
    return 0;
}

static void local_close(struct cache_backend *local)
{
    while (local->oldest)
        drop(local, local->oldest);
    pthread_mutex_destroy(&local->mutex);
    free(local);
}

const struct cache_ops cache_local_ops = {
    .name = "local",
    .shared = false,
    .close = local_close,
    .join = local_nothing,
    .leave = local_nothing,
    .health = local_health,
    .get = local_get,
    .set = local_set,
    .remove = local_remove,
    .take = local_take,
    .publish = local_publish,
};
