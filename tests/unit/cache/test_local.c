#include "cache/backend.h"
#include "test.h"

static const struct cache_ops *ops = &cache_local_ops;

static void pass_ms(struct test *t, int64_t ms)
{
    t->fake->mono_ns += ms * 1000000;
}

TEST(local_value_lives_until_its_time)
{
    struct cache_topics topics = {0};
    struct cache_backend *local = cache_local_new(&t->fake->env, &topics);
    struct str value = STR("untouched");

    EXPECT_EQ(ops->get(local, STR("k"), t->arena, &value), CACHE_MISSING);
    EXPECT_STR(value, "untouched");
    EXPECT_OK(ops->set(local, STR("k"), STR("one"), 1000));
    pass_ms(t, 999);
    EXPECT_OK(ops->get(local, STR("k"), t->arena, &value));
    EXPECT_STR(value, "one");
    pass_ms(t, 1);
    EXPECT_EQ(ops->get(local, STR("k"), t->arena, &value), CACHE_MISSING);
    ops->close(local);
}

TEST(local_value_is_replaced_and_removed)
{
    struct cache_topics topics = {0};
    struct cache_backend *local = cache_local_new(&t->fake->env, &topics);
    struct str value;

    EXPECT_OK(ops->set(local, STR("k"), STR("one"), 1000));
    EXPECT_OK(ops->set(local, STR("k"), STR(""), 5000));
    pass_ms(t, 2000);
    REQUIRE_OK(ops->get(local, STR("k"), t->arena, &value));
    EXPECT_EQ(value.len, 0);
    EXPECT_OK(ops->remove(local, STR("k")));
    EXPECT_OK(ops->remove(local, STR("k")));
    EXPECT_EQ(ops->get(local, STR("k"), t->arena, &value), CACHE_MISSING);
    ops->close(local);
}

/* 16 MiB are kept: of 40 values of 512 KiB the one used last and the newest stay. */
TEST(local_forgets_what_was_not_used_for_longest)
{
    struct cache_topics topics = {0};
    struct cache_backend *local = cache_local_new(&t->fake->env, &topics);
    char *big = xcalloc(512, KIB);
    struct str value;
    int kept = 0;

    for (int i = 0; i < 40; i++) {
        EXPECT_OK(
            ops->set(local, str_printf(t->arena, "k%d", i), (struct str){big, 512 * KIB}, DAY_MS));
        EXPECT_OK(ops->get(local, STR("k0"), t->arena, &value));
    }
    for (int i = 1; i < 40; i++) {
        bool here = ops->get(local, str_printf(t->arena, "k%d", i), t->arena, &value) == 0;

        EXPECT_EQ(here, i > 9);
        kept += here;
    }
    EXPECT_EQ(kept, 30);
    EXPECT_OK(ops->get(local, STR("k0"), t->arena, &value));
    EXPECT_EQ(value.len, 512 * KIB);
    free(big);
    ops->close(local);
}

TEST(local_counts_by_the_window)
{
    struct cache_topics topics = {0};
    struct cache_backend *local = cache_local_new(&t->fake->env, &topics);
    struct cache_taken taken;

    for (int i = 0; i < 3; i++) {
        EXPECT_OK(ops->take(local, STR("k"), 3, 3000, &taken));
        EXPECT(taken.allowed);
        EXPECT_EQ(taken.remaining, 2 - i);
        EXPECT_EQ(taken.reset_ms, 1000 * (i + 1));
        EXPECT_EQ(taken.retry_after_ms, 0);
    }
    EXPECT_OK(ops->take(local, STR("k"), 3, 3000, &taken));
    EXPECT(!taken.allowed);
    EXPECT_EQ(taken.retry_after_ms, 1001);
    EXPECT_EQ(taken.reset_ms, 3000);
    EXPECT_OK(ops->take(local, STR("other"), 3, 3000, &taken));
    EXPECT(taken.allowed);
    pass_ms(t, 1000);
    EXPECT_OK(ops->take(local, STR("k"), 3, 3000, &taken));
    EXPECT(taken.allowed);
    EXPECT_EQ(taken.remaining, 0);
    pass_ms(t, 10000);
    EXPECT_OK(ops->take(local, STR("k"), 3, 3000, &taken));
    EXPECT_EQ(taken.remaining, 2);
    ops->close(local);
}

static void note(void *ctx, struct str message)
{
    buf_add_str(ctx, message);
    buf_add_char(ctx, ' ');
}

TEST(local_messages_reach_their_topic_only)
{
    struct buf heard = BUF_IN(t->arena), other = BUF_IN(t->arena);
    struct cache_topics topics = {
        .rows = {{"keys", note, &heard}, {"else", note, &other}}, .count = 2};
    struct cache_backend *local = cache_local_new(&t->fake->env, &topics);

    EXPECT_OK(ops->publish(local, "keys", STR("one")));
    EXPECT_OK(ops->publish(local, "keys", STR("two")));
    EXPECT_OK(ops->publish(local, "nobody", STR("three")));
    EXPECT_STR(buf_str(&heard), "one two ");
    EXPECT_EQ(other.len, 0);
    ops->close(local);
}
