#include "http/retry.h"
#include "runtime/fiber.h"
#include "test.h"

static const struct retry_policy quick = {
    .attempts = 4, .first_ms = 1, .most_ms = 3, .deadline_ms = 60 * SECOND_MS};

TEST(retry_gives_so_many_attempts)
{
    struct retry retry = retry_begin(env_system(), &quick);
    int rc = ERR_IO, made = 0;

    while (retry_next(&retry, &rc))
        made++;
    EXPECT_EQ(made, 4);
    EXPECT_EQ(rc, ERR_IO); /* the last attempt's own */
}

TEST(retry_begins_nothing_after_its_deadline)
{
    struct retry_policy policy = quick;
    struct retry retry;
    int rc = ERR_TIMEOUT, made = 0;

    policy.deadline_ms = 1000;
    retry = retry_begin(&t->fake->env, &policy);
    while (retry_next(&retry, &rc) && made < 10) {
        made++;
        t->fake->mono_ns += 600 * 1000000;
    }
    EXPECT_EQ(made, 2);
    EXPECT_EQ(rc, ERR_TIMEOUT);
}

TEST(retry_ends_when_its_pause_is_ended)
{
    struct retry_policy policy = quick;
    struct retry retry;
    int rc = ERR_IO;
    int64_t former = fiber_set_deadline(env_mono_ms(env_system()) - 1);

    policy.first_ms = policy.most_ms = 3600 * SECOND_MS;
    retry = retry_begin(&t->fake->env, &policy);
    EXPECT(retry_next(&retry, &rc));
    EXPECT(!retry_next(&retry, &rc));
    EXPECT_EQ(rc, ERR_TIMEOUT);
    fiber_set_deadline(former);
}

/* Full jitter: anything from nothing to the bound, which doubles up to the most. */
TEST(retry_pauses_stay_within_their_bound)
{
    const struct retry_policy policy = {
        .attempts = 9, .first_ms = 2, .most_ms = 5, .deadline_ms = 1000};

    for (int made = 1; made < 40; made++)
        EXPECT_OK(retry_pause(env_system(), &policy, made));
}
