#include "secure/seal.h"
#include "store/backend.h"
#include "store/lease.h"
#include "test.h"

static int take(struct test *t, struct store *store, const char *owner)
{
    return lease_take(store, &t->fake->env, STR("w1"), STR("poll"), str_from(owner), 1000);
}

TEST(lease_is_held_by_one)
{
    struct config config = {.data_dir = NULL};
    struct sealer *sealer;
    struct store *store;

    REQUIRE_OK(sealer_new_ephemeral(env_system(), &sealer));
    REQUIRE_OK(store_open_with(&store_memory, &config, "memory", &t->fake->env, sealer, &store));
    REQUIRE_OK(store_workspace(store, STR("w1")));
    EXPECT_OK(take(t, store, "a"));
    EXPECT_EQ(take(t, store, "b"), LEASE_HELD_BY_OTHER);
    t->fake->wall_ms += 900;
    EXPECT_OK(take(t, store, "a")); /* prolonged */
    t->fake->wall_ms += 900;
    EXPECT_EQ(take(t, store, "b"), LEASE_HELD_BY_OTHER);
    t->fake->wall_ms += 200;
    EXPECT_OK(take(t, store, "b")); /* a did not come back */
    EXPECT_EQ(take(t, store, "a"), LEASE_HELD_BY_OTHER);
    EXPECT_OK(lease_give(store, STR("w1"), STR("poll"), STR("a"))); /* not its own */
    EXPECT_EQ(take(t, store, "a"), LEASE_HELD_BY_OTHER);
    EXPECT_OK(lease_give(store, STR("w1"), STR("poll"), STR("b")));
    EXPECT_OK(take(t, store, "a"));
    EXPECT_OK(lease_give(store, STR("w1"), STR("none"), STR("b")));
    EXPECT_EQ(take(t, store, "b"), LEASE_HELD_BY_OTHER);
    EXPECT_OK(lease_give(store, STR("w1"), STR("poll"), STR(""))); /* a is known to be dead */
    EXPECT_OK(take(t, store, "b"));
    store_close(store);
    sealer_free(sealer);
}
