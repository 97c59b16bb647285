#include "base/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

static int64_t system_wall_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_mono_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A signal may cut getrandom() short: the loop goes on. */
static void fill_random(unsigned char *out, size_t len)
{
    while (len) {
        ssize_t got = getrandom(out, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort(); /* no randomness, no keys: nothing may go on */
        out += got;
        len -= (size_t)got;
    }
}

/* Counts the forks that led to this process: a child must not hand out its parent's bytes. */
static _Atomic unsigned forks;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

/* Random bytes are fetched many at a time, because a system call costs more than what most callers
 * take. Each byte is wiped when it is handed out. */
static void system_random(void *ctx, void *out, size_t len)
{
    static _Thread_local struct {
        unsigned char bytes[1024];
        size_t left;
        unsigned forks;
    } pool;
    unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);

    (void)ctx;
    if (len > sizeof(pool.bytes) / 2) {
        fill_random(out, len);
        return;
    }
    if (pool.left < len || pool.forks != now) {
        fill_random(pool.bytes, sizeof(pool.bytes));
        pool.left = sizeof(pool.bytes);
        pool.forks = now;
    }
    pool.left -= len;
    memcpy(out, pool.bytes + pool.left, len);
    explicit_bzero(pool.bytes + pool.left, len);
}

const struct env *env_system(void)
{
    static const struct env env = {system_wall_ms, system_mono_ns, system_random, NULL};
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    return &env;
}

static int64_t fake_wall_ms(void *ctx)
{
    return ((struct env_fake *)ctx)->wall_ms;
}

static int64_t fake_mono_ns(void *ctx)
{
    return ((struct env_fake *)ctx)->mono_ns;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fake_random(void *ctx, void *out, size_t len)
{
    struct env_fake *fake = ctx;
    unsigned char *to = out;

    while (len) {
        uint64_t word = splitmix(&fake->seed);
        size_t part = MIN(len, sizeof(word));

        memcpy(to, &word, part);
        to += part;
        len -= part;
    }
}

void env_fake_init(struct env_fake *fake, int64_t wall_ms, uint64_t seed)
{
    *fake = (struct env_fake){
        .env = {fake_wall_ms, fake_mono_ns, fake_random, fake},
        .wall_ms = wall_ms,
        .mono_ns = 1000000000,
        .seed = seed,
    };
}

uint64_t env_random_u64(const struct env *env)
{
    uint64_t value;

    env->random(env->ctx, &value, sizeof(value));
    return value;
}

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void ulid_make(const struct env *env, char out[ULID_LEN + 1])
{
    uint64_t ms = (uint64_t)env_wall_ms(env) & 0xffffffffffff; /* 48 bits */
    uint64_t random[2];

    env->random(env->ctx, random, sizeof(random));
    for (int i = 9; i >= 0; i--, ms >>= 5)
        out[i] = crockford[ms & 31];
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < 8; i++, random[half] >>= 5)
            out[10 + 8 * half + i] = crockford[random[half] & 31];
    out[ULID_LEN] = '\0';
}

struct str ulid_new(const struct env *env, struct arena *arena)
{
    char *out = arena_alloc(arena, ULID_LEN + 1);

    ulid_make(env, out);
    return (struct str){out, ULID_LEN};
}

bool ulid_valid(struct str s)
{
    if (s.len != ULID_LEN || s.ptr[0] < '0' || s.ptr[0] > '7')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\0' || !strchr(crockford, s.ptr[i]))
            return false;
    return true;
}
