#include "cache/backend.h"
#include "test.h"

static const struct cache_ops *ops = &cache_local_ops;

TEST(local_value_lives_until_its_time)
{
    struct cache_topics topics = {0};
    struct cache_backend *local = cache_local_new(&t->fake->env, &topics);
    struct str value = STR("untouched");

    EXPECT_EQ(ops->get(local, STR("k"), t->arena, &value), CACHE_MISSING);
    EXPECT_STR(value, "untouched");
    EXPECT_OK(ops->set(local, STR("k"), STR("one"), 1000));
    t->fake->mono_ns += 999 * 1000000LL;
    EXPECT_OK(ops->get(local, STR("k"), t->arena, &value));
    EXPECT_STR(value, "one");
    t->fake->mono_ns += 1000000LL;
    EXPECT_EQ(ops->get(local, STR("k"), t->arena, &value), CACHE_MISSING);
    ops->close(local);
}
