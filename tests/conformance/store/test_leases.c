#include "runtime/loop.h"
#include "store/lease.h"
#include "suite.h"

#define RIVALS 8

static int take(struct suite *s, struct test *t, const char *owner)
{
    return lease_take(s->store, &t->fake->env, STR("w1"), STR("poll|x"), str_from(owner), 1000);
}

TEST(lease_is_one_owners_until_it_ends)
{
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(take(&s, t, "a"));
    EXPECT_EQ(take(&s, t, "b"), LEASE_HELD_BY_OTHER);
    EXPECT_OK(take(&s, t, "a"));
    t->fake->wall_ms += 1000;
    EXPECT_OK(take(&s, t, "b"));
    EXPECT_OK(lease_give(s.store, STR("w1"), STR("poll|x"), STR("a"))); /* not its own any more */
    EXPECT_EQ(take(&s, t, "a"), LEASE_HELD_BY_OTHER);
    EXPECT_OK(lease_give(s.store, STR("w1"), STR("poll|x"), STR("b")));
    EXPECT_OK(take(&s, t, "a"));
    suite_close(&s);
}

struct rival {
    struct suite *suite;
    struct test *t;
    char owner[8];
    int rc;
};

static void run_rival(void *arg)
{
    struct rival *rival = arg;

    rival->rc = take(rival->suite, rival->t, rival->owner);
}

/* Of all who find it free at once, one gets it: the first time, and when it has ended. */
TEST(lease_goes_to_one_of_many)
{
    struct rival rivals[RIVALS];
    struct fiber *fibers[RIVALS];
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    for (int round = 0; round < 2; round++) {
        int won = 0;

        for (int i = 0; i < RIVALS; i++) {
            rivals[i] = (struct rival){.suite = &s, .t = t};
            snprintf(rivals[i].owner, sizeof(rivals[i].owner), "%d-%d", round, i);
            fibers[i] = fiber_spawn_joinable(fiber_loop(), "rival", run_rival, &rivals[i]);
        }
        for (int i = 0; i < RIVALS; i++) {
            EXPECT_OK(fiber_join(fibers[i]));
            EXPECT(rivals[i].rc == 0 || rivals[i].rc == LEASE_HELD_BY_OTHER);
            won += rivals[i].rc == 0;
        }
        EXPECT_EQ(won, 1);
        t->fake->wall_ms += 2000;
    }
    suite_close(&s);
}
