#include "cache/cache.h"
#include "secure/seal.h"
#include "test.h"

#define WS STR("acme")

static struct cache *open_local(struct test *t, struct sealer **ret_sealer)
{
    struct config config = {.redis_url = ""};
    struct cache *cache = NULL;
    struct str wrapped;

    if (!EXPECT_OK(secure_init()) || !EXPECT_OK(sealer_new_ephemeral(&t->fake->env, ret_sealer)) ||
        !EXPECT_OK(sealer_make_data_key(*ret_sealer, WS, t->arena, &wrapped)) ||
        !EXPECT_OK(sealer_add_data_key(*ret_sealer, WS, wrapped)) ||
        !EXPECT_OK(cache_open(&config, &t->fake->env, *ret_sealer, &cache)))
        abort();
    return cache;
}

static void close_both(struct cache *cache, struct sealer *sealer)
{
    cache_close(cache);
    sealer_free(sealer);
}

TEST(cache_without_redis_is_local)
{
    struct sealer *sealer;
    struct cache *cache = open_local(t, &sealer);

    EXPECT_CSTR(cache_name(cache), "local");
    EXPECT(!cache_shared(cache));
    cache_join(cache);
    EXPECT_OK(cache_health(cache));
    cache_leave(cache);
    close_both(cache, sealer);
}

TEST(cache_refuses_a_wrong_url)
{
    struct config config = {.redis_url = "redis://:hunter2@"};
    struct cache *cache = NULL;

    EXPECT_EQ(cache_open(&config, &t->fake->env, NULL, &cache), ERR_INVALID);
    EXPECT(!cache);
    EXPECT(!strstr(err_message(), "hunter2"));
}

TEST(cache_keeps_workspaces_kinds_and_names_apart)
{
    struct sealer *sealer;
    struct cache *cache = open_local(t, &sealer);
    struct cache_key key = {WS, "page", STR("n")},
                     others[] = {{STR("acm"), "page", STR("n")}, {WS, "search", STR("n")},
                         {WS, "page", STR("m")}, {WS, "page", STR("")}};
    struct str value;

    cache_set(cache, &key, STR("v"), 1000);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        EXPECT_EQ(cache_get(cache, &others[i], t->arena, &value), CACHE_MISSING);
    EXPECT_OK(cache_get(cache, &key, t->arena, &value));
    EXPECT_STR(value, "v");
    cache_remove(cache, &key);
    EXPECT_EQ(cache_get(cache, &key, t->arena, &value), CACHE_MISSING);
    close_both(cache, sealer);
}

TEST(cache_sealed_values_are_unreadable_and_bound_to_their_key)
{
    struct sealer *sealer;
    struct cache *cache = open_local(t, &sealer);
    struct cache_key key = {WS, "page", STR("a")}, moved = {WS, "page", STR("b")};
    struct str value, raw;

    cache_set_sealed(cache, &key, STR("what Ana wrote"), 1000);
    REQUIRE_OK(cache_get_sealed(cache, &key, t->arena, &value));
    EXPECT_STR(value, "what Ana wrote");
    REQUIRE_OK(cache_get(cache, &key, t->arena, &raw));
    EXPECT_EQ(raw.len, value.len + SEAL_OVERHEAD);
    EXPECT_EQ(str_find(raw, STR("Ana"), 0), -1);
    cache_set(cache, &moved, raw, 1000);
    EXPECT_EQ(cache_get_sealed(cache, &moved, t->arena, &value), CACHE_MISSING);
    cache_set(cache, &key, STR("not sealed at all"), 1000);
    EXPECT_EQ(cache_get_sealed(cache, &key, t->arena, &value), CACHE_MISSING);
    close_both(cache, sealer);
}

TEST(cache_does_not_keep_what_cannot_be_sealed_or_is_too_large)
{
    struct sealer *sealer;
    struct cache *cache = open_local(t, &sealer);
    struct cache_key stranger = {STR("nobody"), "page", STR("a")}, key = {WS, "page", STR("big")};
    char *big = xcalloc(CACHE_VALUE_MAX + 1, 1);
    struct str value;

    cache_set_sealed(cache, &stranger, STR("x"), 1000);
    EXPECT_EQ(cache_get(cache, &stranger, t->arena, &value), CACHE_MISSING);
    cache_set(cache, &key, (struct str){big, CACHE_VALUE_MAX + 1}, 1000);
    EXPECT_EQ(cache_get(cache, &key, t->arena, &value), CACHE_MISSING);
    cache_set(cache, &key, (struct str){big, CACHE_VALUE_MAX}, 1000);
    EXPECT_OK(cache_get(cache, &key, t->arena, &value));
    free(big);
    close_both(cache, sealer);
}
