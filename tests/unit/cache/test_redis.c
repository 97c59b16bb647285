/* Against a real redis-server. */
#include "cache/backend.h"
#include "redis_server.h"
#include "runtime/loop.h"

#include <pthread.h>
#include <signal.h>

#define KEY STR("theo:acme:test:00")

static const struct cache_ops *ops = &cache_redis_ops;

/* Long enough for a machine that is busy with other tests. */
#define PATIENT_MS 10000

static struct cache_backend *open_waiting(struct test *t, int port, const char *user_at,
    const char *path, struct cache_topics *topics, int64_t wait_ms)
{
    struct cache_backend *redis = NULL;
    const char *url = str_printf(t->arena, "redis://%s127.0.0.1:%d%s", user_at, port, path).ptr;

    if (!EXPECT_OK(cache_redis_new(url, "", wait_ms, topics, &redis)))
        abort();
    return redis;
}

static struct cache_backend *open_redis(
    struct test *t, int port, const char *user_at, const char *path, struct cache_topics *topics)
{
    return open_waiting(t, port, user_at, path, topics, PATIENT_MS);
}

static void close_redis(struct cache_backend *redis)
{
    ops->leave(redis);
    ops->close(redis);
}

/* Until Redis is up or down as wanted: reconnecting goes by itself. */
static bool becomes(struct cache_backend *redis, bool up)
{
    for (int i = 0; i < 2000; i++) {
        if ((ops->health(redis) == 0) == up)
            return true;
        if (fiber_sleep(5) < 0)
            return false;
    }
    return false;
}

TEST(redis_keeps_values_until_their_time)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct cache_backend *redis;
    struct str value, bytes = {"a\0b\r\n\xff", 6};

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    redis = open_redis(t, server.port, "", "", &topics);
    EXPECT_EQ(ops->get(redis, KEY, t->arena, &value), CACHE_MISSING);
    EXPECT_OK(ops->set(redis, KEY, bytes, 60000));
    REQUIRE_OK(ops->get(redis, KEY, t->arena, &value));
    EXPECT(str_eq(value, bytes));
    EXPECT_OK(ops->set(redis, KEY, STR(""), 60000));
    REQUIRE_OK(ops->get(redis, KEY, t->arena, &value));
    EXPECT_EQ(value.len, 0);
    EXPECT_OK(ops->remove(redis, KEY));
    EXPECT_EQ(ops->get(redis, KEY, t->arena, &value), CACHE_MISSING);
    EXPECT_OK(ops->set(redis, KEY, STR("short"), 1));
    EXPECT_OK(fiber_sleep(20));
    EXPECT_EQ(ops->get(redis, KEY, t->arena, &value), CACHE_MISSING);
    close_redis(redis);
    redis_server_kill(&server);
}

TEST(redis_carries_a_megabyte)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct cache_backend *redis;
    char *big = xmalloc(MIB);
    struct str value;

    NEEDS_REDIS();
    memset(big, 'x', MIB);
    REQUIRE(redis_server_start(&server, t));
    redis = open_redis(t, server.port, "", "", &topics);
    EXPECT_OK(ops->set(redis, KEY, (struct str){big, MIB}, 60000));
    REQUIRE_OK(ops->get(redis, KEY, t->arena, &value));
    EXPECT(value.len == MIB && memcmp(value.ptr, big, MIB) == 0);
    free(big);
    close_redis(redis);
    redis_server_kill(&server);
}

struct many {
    struct cache_backend *redis;
    int number, done, wrong;
};

static void set_and_get(void *arg)
{
    struct many *many = arg;
    int n = many->number++;
    struct arena arena;
    struct str key, value;

    arena_init(&arena);
    key = str_printf(&arena, "theo:acme:test:%d", n);
    if (ops->set(many->redis, key, key, 60000) != 0 ||
        ops->get(many->redis, key, &arena, &value) != 0 || !str_eq(value, key))
        many->wrong++;
    arena_deinit(&arena);
    many->done++;
}

TEST(redis_answers_reach_the_fiber_that_asked)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct many many = {0};

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    many.redis = open_redis(t, server.port, "", "", &topics);
    EXPECT(becomes(many.redis, true));
    for (int i = 0; i < 200; i++)
        fiber_spawn(fiber_loop(), "many", set_and_get, &many);
    while (many.done < 200 && fiber_sleep(1) == 0)
        ;
    EXPECT_EQ(many.wrong, 0);
    close_redis(many.redis);
    redis_server_kill(&server);
}

#define TAKES 400
#define LIMIT 150

struct taker {
    struct cache_backend *redis;
    int allowed, refused, unknown;
};

static void take_many(void *arg)
{
    struct taker *taker = arg;
    struct cache_taken taken;

    for (int i = 0; i < TAKES / 2; i++) {
        int rc = ops->take(taker->redis, KEY, LIMIT, DAY_MS, &taken);

        if (rc < 0)
            taker->unknown++;
        else if (taken.allowed)
            taker->allowed++;
        else
            taker->refused++;
    }
}

static void *take_on_own_loop(void *arg)
{
    if (loop_run_fiber(env_system(), take_many, arg) < 0)
        abort();
    return NULL;
}

/* Two loops (as two processes: they share nothing here but Redis) let exactly the limit through. */
TEST(redis_counts_for_all_loops_together)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct taker takers[2] = {0};
    pthread_t threads[2];

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    for (int i = 0; i < 2; i++) {
        takers[i].redis = open_redis(t, server.port, "", "", &topics);
        REQUIRE(pthread_create(&threads[i], NULL, take_on_own_loop, &takers[i]) == 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(takers[0].unknown + takers[1].unknown, 0);
    EXPECT_EQ(takers[0].allowed + takers[1].allowed, LIMIT);
    EXPECT_EQ(takers[0].refused + takers[1].refused, TAKES - LIMIT);
    for (int i = 0; i < 2; i++)
        ops->close(takers[i].redis);
    redis_server_kill(&server);
}

TEST(redis_take_says_what_is_left_and_comes_back)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct cache_backend *redis;
    struct cache_taken taken;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    redis = open_redis(t, server.port, "", "", &topics);
    REQUIRE_OK(ops->take(redis, KEY, 2, DAY_MS, &taken));
    EXPECT(taken.allowed);
    EXPECT_EQ(taken.remaining, 1);
    EXPECT_EQ(taken.reset_ms, DAY_MS / 2);
    REQUIRE_OK(ops->take(redis, KEY, 2, DAY_MS, &taken));
    EXPECT(taken.allowed);
    REQUIRE_OK(ops->take(redis, KEY, 2, DAY_MS, &taken));
    EXPECT(!taken.allowed);
    EXPECT(taken.retry_after_ms > DAY_MS / 2 - MINUTE_MS && taken.retry_after_ms <= DAY_MS / 2 + 1);
    for (int i = 0; i < 20; i++)
        REQUIRE_OK(ops->take(redis, STR("theo:acme:test:quick"), 2, 20, &taken));
    EXPECT_OK(fiber_sleep(60));
    REQUIRE_OK(ops->take(redis, STR("theo:acme:test:quick"), 2, 20, &taken));
    EXPECT(taken.allowed);
    close_redis(redis);
    redis_server_kill(&server);
}

struct ear {
    int missed, heard;
    char last[64];
};

static void hear(void *ctx, struct str message)
{
    struct ear *ear = ctx;

    if (message.len == 0)
        ear->missed++;
    else
        ear->heard++;
    snprintf(ear->last, sizeof(ear->last), "%.*s", STR_ARG(message));
}

static bool wait_until(const int *number, int at_least)
{
    for (int i = 0; *number < at_least && i < 4000; i++)
        if (fiber_sleep(5) < 0)
            return false;
    return *number >= at_least;
}

TEST(redis_messages_reach_others_and_a_gap_is_told)
{
    struct redis_server server = {0};
    struct ear ear = {0}, deaf = {0};
    struct cache_topics topics = {
        .rows = {{"keys", hear, &ear}, {"else", hear, &deaf}}, .count = 2};
    struct cache_topics none = {0};
    struct cache_backend *listener, *speaker;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    listener = open_redis(t, server.port, "", "", &topics);
    speaker = open_redis(t, server.port, "", "/1", &none);
    ops->join(listener);
    ops->join(listener);
    ops->join(speaker);
    REQUIRE(wait_until(&ear.missed, 1));
    EXPECT_OK(ops->publish(speaker, "keys", STR("abcd1234")));
    REQUIRE(wait_until(&ear.heard, 1));
    EXPECT_CSTR(ear.last, "abcd1234");
    EXPECT_EQ(ear.heard, 1);
    EXPECT_EQ(deaf.heard, 0);
    redis_server_kill(&server);
    REQUIRE(becomes(speaker, false));
    EXPECT_EQ(ops->publish(speaker, "keys", STR("lost")), ERR_UNAVAILABLE);
    REQUIRE(redis_server_start(&server, t));
    REQUIRE(wait_until(&ear.missed, 2));
    REQUIRE(becomes(speaker, true));
    EXPECT_OK(ops->publish(speaker, "keys", STR("back")));
    REQUIRE(wait_until(&ear.heard, 2));
    EXPECT_CSTR(ear.last, "back");
    close_redis(listener);
    close_redis(speaker);
    redis_server_kill(&server);
}

TEST(redis_down_is_told_at_once_and_up_again_is_found)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct cache_backend *redis;
    struct cache_taken taken = {.remaining = 77};
    struct str value;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    redis = open_redis(t, server.port, "", "", &topics);
    EXPECT_OK(ops->set(redis, KEY, STR("v"), 60000));
    redis_server_kill(&server);
    REQUIRE(becomes(redis, false));
    EXPECT_EQ(ops->get(redis, KEY, t->arena, &value), ERR_UNAVAILABLE);
    EXPECT_EQ(ops->take(redis, KEY, 5, 1000, &taken), ERR_UNAVAILABLE);
    EXPECT_EQ(taken.remaining, 77);
    EXPECT(strstr(err_message(), "redis.url"));
    REQUIRE(redis_server_start(&server, t));
    REQUIRE(becomes(redis, true));
    EXPECT_EQ(ops->get(redis, KEY, t->arena, &value), CACHE_MISSING);
    close_redis(redis);
    redis_server_kill(&server);
}

static void ask_until_stopped(void *arg)
{
    struct taker *taker = arg;
    struct cache_taken taken;

    while (taker->refused == 0) {
        int rc = ops->take(taker->redis, KEY, 1000000, DAY_MS, &taken);

        if (rc == 0)
            taker->allowed++;
        else if (rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT)
            taker->unknown++;
        else
            taker->refused++;
        if (rc < 0 && fiber_sleep(1) < 0)
            break;
    }
    taker->refused++;
}

/* Killed and started twice while 50 fibers ask: every call ends, and calls succeed again. */
TEST(redis_killed_under_load)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct taker taker = {0};

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    taker.redis = open_redis(t, server.port, "", "", &topics);
    for (int i = 0; i < 50; i++)
        fiber_spawn(fiber_loop(), "load", ask_until_stopped, &taker);
    for (int round = 0; round < 2; round++) {
        int before = taker.allowed, lost = taker.unknown;

        EXPECT(wait_until(&taker.allowed, before + 500));
        redis_server_kill(&server);
        EXPECT(wait_until(&taker.unknown, lost + 100));
        EXPECT(redis_server_start(&server, t));
    }
    EXPECT(wait_until(&taker.allowed, taker.allowed + 500));
    EXPECT_EQ(taker.refused, 0);
    taker.refused = 1;
    EXPECT(wait_until(&taker.refused, 51));
    close_redis(taker.redis);
    redis_server_kill(&server);
}

/* A stopped process keeps its connections open and says nothing: the breaker must find out. */
TEST(redis_that_hangs_is_given_up)
{
    struct redis_server server = {0};
    struct cache_topics topics = {0};
    struct cache_backend *redis;
    int rc = 0, waited = 0;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    redis = open_waiting(t, server.port, "", "", &topics, CACHE_WAIT_MS);
    REQUIRE(becomes(redis, true));
    redis_server_signal(&server, SIGSTOP);
    for (int i = 0; i < 100 && rc != ERR_UNAVAILABLE; i++) {
        rc = ops->set(redis, KEY, STR("v"), 1000);
        waited += rc == ERR_TIMEOUT;
    }
    EXPECT_EQ(rc, ERR_UNAVAILABLE);
    EXPECT_EQ(waited, 4);
    EXPECT(strstr(err_message(), "does not answer"));
    redis_server_signal(&server, SIGCONT);
    EXPECT(becomes(redis, true));
    close_redis(redis);
    redis_server_kill(&server);
}

static bool refused_with(struct cache_backend *redis, const char *part)
{
    bool ok =
        becomes(redis, false) && strstr(err_message(), part) && !strstr(err_message(), "hunter2");

    if (!ok)
        printf("# %s\n", err_message());
    close_redis(redis);
    return ok;
}

TEST(redis_wrong_access_says_what_to_do)
{
    struct redis_server open_one = {0},
                        locked = {.options = {"--requirepass", "right", "--databases", "4"}};
    struct cache_topics topics = {0};
    struct cache_backend *redis;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&open_one, t) && redis_server_start(&locked, t));
    EXPECT(refused_with(open_redis(t, open_one.port, ":hunter2@", "", &topics), "take it out"));
    EXPECT(refused_with(open_redis(t, locked.port, "", "", &topics), "write it there"));
    EXPECT(refused_with(open_redis(t, locked.port, ":hunter2@", "", &topics), "refuses"));
    EXPECT(refused_with(open_redis(t, locked.port, "ana:hunter2@", "", &topics), "refuses"));
    EXPECT(refused_with(open_redis(t, locked.port, ":right@", "/4", &topics), "database"));
    EXPECT(refused_with(open_redis(t, redis_free_port(), "", "", &topics), "cannot be reached"));
    redis = open_redis(t, locked.port, "default:right@", "/3", &topics);
    EXPECT_OK(ops->health(redis));
    close_redis(redis);
    redis_server_kill(&open_one);
    redis_server_kill(&locked);
}

TEST(redis_without_memory_is_told_by_health)
{
    struct redis_server server = {
        .options = {"--maxmemory", "100kb", "--maxmemory-policy", "noeviction"}};
    struct cache_topics topics = {0};
    struct cache_backend *redis;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    redis = open_redis(t, server.port, "", "", &topics);
    EXPECT(refused_with(redis, "maxmemory"));
    redis_server_kill(&server);
}

/* What docs/stores/redis.md tells operators to allow is enough, and less is told. */
TEST(redis_user_with_few_rights)
{
    struct redis_server server = {
        .options = {"--user", "theo", "on", ">right", "~theo:*", "&theo:*", "+get", "+set", "+del",
            "+eval", "+time", "+publish", "+subscribe", "+ping", "+select"}};
    struct ear ear = {0};
    struct cache_topics topics = {.rows = {{"keys", hear, &ear}}, .count = 1};
    struct cache_backend *redis;
    struct cache_taken taken;
    struct str value;

    NEEDS_REDIS();
    REQUIRE(redis_server_start(&server, t));
    redis = open_redis(t, server.port, "theo:right@", "/1", &topics);
    ops->join(redis);
    EXPECT_OK(ops->set(redis, KEY, STR("v"), 60000));
    EXPECT_OK(ops->get(redis, KEY, t->arena, &value));
    EXPECT_OK(ops->remove(redis, KEY));
    EXPECT_OK(ops->take(redis, KEY, 2, 1000, &taken));
    REQUIRE(wait_until(&ear.missed, 1));
    EXPECT_OK(ops->publish(redis, "keys", STR("id")));
    EXPECT(wait_until(&ear.heard, 1));
    EXPECT_EQ(ops->get(redis, STR("other"), t->arena, &value), ERR_UNAVAILABLE);
    EXPECT(strstr(err_message(), "+publish"));
    close_redis(redis);
    redis_server_kill(&server);
}

/* A certificate for 127.0.0.1 that is its own authority. */
static bool make_certificate(struct test *t, const char *dir)
{
    const char *command = str_printf(t->arena,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
        "/CN=redis "
        "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
        dir, dir)
                              .ptr;

    return system(command) == 0;
}

static struct cache_backend *open_tls(
    struct test *t, int port, const char *host, const char *ca_file)
{
    static const struct cache_topics none = {0};
    struct cache_backend *redis = NULL;
    const char *url = str_printf(t->arena, "rediss://:right@%s:%d", host, port).ptr;

    if (!EXPECT_OK(cache_redis_new(url, ca_file, PATIENT_MS, &none, &redis)))
        abort();
    return redis;
}

TEST(redis_over_tls)
{
    const char *dir = test_dir(t), *cert = str_printf(t->arena, "%s/cert.pem", dir).ptr;
    struct redis_server plain = {.options = {"--requirepass", "right"}};
    struct redis_server server = {.port = redis_free_port()};
    const char *options[] = {"--requirepass", "right", "--port", "0", "--tls-port",
        str_printf(t->arena, "%d", server.port).ptr, "--tls-cert-file", cert, "--tls-key-file",
        str_printf(t->arena, "%s/key.pem", dir).ptr, "--tls-auth-clients", "no"};
    char *big = xmalloc(MIB);
    struct cache_backend *redis;
    struct cache_topics none = {0};
    struct str value;

    NEEDS_REDIS();
    memset(big, 'x', MIB);
    memcpy(server.options, options, sizeof(options));
    if (!make_certificate(t, dir))
        SKIP("openssl (the command) is not installed");
    REQUIRE(redis_server_start(&plain, t));
    if (!redis_server_start(&server, t))
        SKIP("this redis-server was built without TLS");
    redis = open_tls(t, server.port, "127.0.0.1", cert);
    EXPECT_OK(ops->set(redis, KEY, (struct str){big, MIB}, 60000));
    REQUIRE_OK(ops->get(redis, KEY, t->arena, &value));
    EXPECT(value.len == MIB && memcmp(value.ptr, big, MIB) == 0);
    redis_server_kill(&server);
    REQUIRE(becomes(redis, false));
    REQUIRE(redis_server_start(&server, t));
    EXPECT(becomes(redis, true));
    close_redis(redis);
    EXPECT(refused_with(open_tls(t, server.port, "127.0.0.1", ""), "tls.ca-file"));
    EXPECT(refused_with(open_tls(t, server.port, "localhost", cert), "name the host"));
    EXPECT(refused_with(open_tls(t, plain.port, "127.0.0.1", cert), "speak TLS"));
    EXPECT(refused_with(open_redis(t, server.port, ":right@", "", &none), "rediss://"));
    EXPECT_EQ(cache_redis_new("rediss://h", "/nonexistent.pem", 50, &none, &redis), ERR_INVALID);
    free(big);
    redis_server_kill(&plain);
    redis_server_kill(&server);
}
