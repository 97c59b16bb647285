#include "runtime/loop.h"
#include "runtime/offload.h"
#include "test.h"

#include <pthread.h>

struct blocking {
    pthread_t thread;
    bool on_loop;
    uv_sem_t *gate;
};

static int block(void *arg)
{
    struct blocking *b = arg;

    b->thread = pthread_self();
    b->on_loop = fiber_loop() != NULL;
    if (b->gate)
        uv_sem_wait(b->gate);
    return err_set(ERR_CORRUPT, "told by the worker");
}

TEST(offload_runs_elsewhere_and_brings_the_error_back)
{
    struct blocking b = {.on_loop = true};

    EXPECT_EQ(offload(block, &b), ERR_CORRUPT);
    EXPECT_CSTR(err_message(), "told by the worker");
    EXPECT(!pthread_equal(b.thread, pthread_self()));
    EXPECT(!b.on_loop);
}

struct cancelled {
    uv_sem_t gate;
    int rc, after;
};

static void offload_cancelled(void *arg)
{
    struct cancelled *c = arg;
    struct blocking b = {.gate = &c->gate};

    c->rc = offload(block, &b);
    c->after = fiber_sleep(1);
}

TEST(a_cancel_is_noticed_after_the_work)
{
    struct cancelled c = {0};
    struct fiber *f;

    (void)t;
    uv_sem_init(&c.gate, 0);
    f = fiber_spawn_joinable(fiber_loop(), "offload", offload_cancelled, &c);
    fiber_yield();
    fiber_cancel(f);
    fiber_yield();
    uv_sem_post(&c.gate);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(c.rc, ERR_CORRUPT);
    EXPECT_EQ(c.after, ERR_CANCELLED);
    uv_sem_destroy(&c.gate);
}
