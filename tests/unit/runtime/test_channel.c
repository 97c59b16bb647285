#include "runtime/channel.h"
#include "runtime/loop.h"
#include "test.h"

static void *number(intptr_t value)
{
    return (void *)value;
}

struct producer {
    struct channel *channel;
    int count;
    int rc;
};

static void produce(void *arg)
{
    struct producer *p = arg;

    for (int i = 1; i <= p->count && p->rc == 0; i++)
        p->rc = channel_put(p->channel, number(i), FIBER_NO_DEADLINE);
    if (p->rc == 0)
        channel_close(p->channel);
}

TEST(channel_carries_in_order_and_drains_after_close)
{
    struct channel *channel = channel_new(2);
    struct producer p = {channel, 10, 0};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "produce", produce, &p);
    void *item;

    for (intptr_t i = 1; i <= 10; i++) {
        EXPECT(channel_len(channel) <= 2);
        REQUIRE_OK(channel_get(channel, FIBER_NO_DEADLINE, &item));
        EXPECT_EQ((intptr_t)item, i);
    }
    EXPECT_EQ(channel_get(channel, FIBER_NO_DEADLINE, &item), CHANNEL_CLOSED);
    EXPECT_EQ(channel_put(channel, item, FIBER_NO_DEADLINE), ERR_CANCELLED);
    REQUIRE_OK(fiber_join(f));
    channel_free(channel);
}

TEST(channel_deadlines)
{
    struct channel *channel = channel_new(1);
    void *item = NULL;

    EXPECT_EQ(channel_get(channel, loop_now_ms(fiber_loop()) + 1, &item), ERR_TIMEOUT);
    EXPECT(channel_try_put(channel, t));
    EXPECT(!channel_try_put(channel, t));
    EXPECT_EQ(channel_put(channel, t, loop_now_ms(fiber_loop()) + 1), ERR_TIMEOUT);
    EXPECT_OK(channel_get(channel, FIBER_NO_DEADLINE, &item));
    EXPECT(item == t);
    channel_free(channel);
}

TEST(close_wakes_a_blocked_putter)
{
    struct channel *channel = channel_new(1);
    struct producer p = {channel, 5, 0};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "produce", produce, &p);

    (void)t;
    fiber_yield();
    channel_close(channel);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(p.rc, ERR_CANCELLED);
    EXPECT_EQ(channel_len(channel), 1);
    channel_free(channel);
}

struct getter {
    struct channel *channel;
    void *item;
    int rc;
};

static void get_one(void *arg)
{
    struct getter *g = arg;

    g->rc = channel_get(g->channel, FIBER_NO_DEADLINE, &g->item);
}

TEST(getters_are_served_in_order_and_a_cancelled_one_is_passed_over)
{
    struct channel *channel = channel_new(4);
    struct getter g[3];
    struct fiber *f[3];

    (void)t;
    for (int i = 0; i < 3; i++) {
        g[i] = (struct getter){.channel = channel};
        f[i] = fiber_spawn_joinable(fiber_loop(), "get", get_one, &g[i]);
    }
    fiber_yield();
    fiber_cancel(f[1]);
    fiber_yield();
    EXPECT(channel_try_put(channel, number(1)));
    EXPECT(channel_try_put(channel, number(2)));
    for (int i = 0; i < 3; i++)
        REQUIRE_OK(fiber_join(f[i]));
    EXPECT_EQ((intptr_t)g[0].item, 1);
    EXPECT_EQ(g[1].rc, ERR_CANCELLED);
    EXPECT_EQ((intptr_t)g[2].item, 2);
    channel_free(channel);
}

TEST(an_item_handed_over_before_the_cancel_is_not_lost)
{
    struct channel *channel = channel_new(1);
    struct getter g = {.channel = channel};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "get", get_one, &g);

    (void)t;
    fiber_yield();
    EXPECT(channel_try_put(channel, number(7)));
    fiber_cancel(f);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(g.rc, 0);
    EXPECT_EQ((intptr_t)g.item, 7);
    channel_free(channel);
}

struct worker {
    struct semaphore *sem;
    int *running, *most, *done;
};

static void work(void *arg)
{
    struct worker *w = arg;

    if (semaphore_take(w->sem, FIBER_NO_DEADLINE) != 0)
        return;
    ++*w->running;
    *w->most = MAX(*w->most, *w->running);
    fiber_yield();
    --*w->running;
    ++*w->done;
    semaphore_give(w->sem);
}

TEST(semaphore_limits_how_many_run)
{
    struct semaphore sem;
    int running = 0, most = 0, done = 0;
    struct worker w = {&sem, &running, &most, &done};
    struct fiber *f[10];

    (void)t;
    semaphore_init(&sem, 3);
    for (int i = 0; i < 10; i++)
        f[i] = fiber_spawn_joinable(fiber_loop(), "work", work, &w);
    for (int i = 0; i < 10; i++)
        REQUIRE_OK(fiber_join(f[i]));
    EXPECT_EQ(most, 3);
    EXPECT_EQ(done, 10);
    EXPECT_EQ(sem.free, 3);
}

TEST(semaphore_deadline_and_cancel_leave_it_whole)
{
    struct semaphore sem;
    int running = 0, most = 0, done = 0;
    struct worker w = {&sem, &running, &most, &done};
    struct fiber *f;

    (void)t;
    semaphore_init(&sem, 1);
    EXPECT_OK(semaphore_take(&sem, FIBER_NO_DEADLINE));
    EXPECT_EQ(semaphore_take(&sem, loop_now_ms(fiber_loop()) + 1), ERR_TIMEOUT);
    f = fiber_spawn_joinable(fiber_loop(), "work", work, &w);
    fiber_yield();
    fiber_cancel(f);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(done, 0);
    semaphore_give(&sem);
    EXPECT_EQ(sem.free, 1);
}
