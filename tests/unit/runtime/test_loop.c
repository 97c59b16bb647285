#include "runtime/loop.h"
#include "test.h"

struct shared {
    struct loop *loop;
    struct fiber *fiber;
    int64_t sum;
    int64_t last[4];
    bool in_order;
};

struct message {
    struct shared *shared;
    int thread;
    int64_t number;
};

enum { THREADS = 4, MESSAGES = 2000 };

static void receive(void *arg)
{
    struct message *m = arg;
    struct shared *shared = m->shared;

    shared->in_order &= m->number == shared->last[m->thread] + 1;
    shared->last[m->thread] = m->number;
    shared->sum += m->number;
    free(m);
    if (shared->sum == (int64_t)THREADS * MESSAGES * (MESSAGES + 1) / 2)
        fiber_wake(shared->fiber);
}

struct poster {
    struct shared *shared;
    int thread;
};

static void post_messages(void *arg)
{
    struct poster *poster = arg;

    for (int i = 1; i <= MESSAGES; i++) {
        struct message *m = xmalloc(sizeof(*m));
        *m = (struct message){poster->shared, poster->thread, i};
        loop_post(poster->shared->loop, receive, m);
    }
}

TEST(posts_from_threads_arrive_in_each_threads_order)
{
    struct shared shared = {fiber_loop(), fiber_self(), 0, {0}, true};
    struct poster posters[THREADS];
    uv_thread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){&shared, i};
        uv_thread_create(&threads[i], post_messages, &posters[i]);
    }
    EXPECT_OK(fiber_park(FIBER_NO_DEADLINE));
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i]);
    EXPECT(shared.in_order);
    EXPECT_EQ(shared.sum, (int64_t)THREADS * MESSAGES * (MESSAGES + 1) / 2);
}

static char freed[8];

static void free_local(void *value)
{
    snprintf(freed + strlen(freed), sizeof(freed) - strlen(freed), "%s", (char *)value);
}

static void use_locals(void *arg)
{
    static const char key_a, key_b;
    struct test *t = arg;
    static char a[] = "a", b[] = "b";

    EXPECT(!loop_local(fiber_loop(), &key_a));
    loop_set_local(fiber_loop(), &key_a, a, free_local);
    loop_set_local(fiber_loop(), &key_b, b, free_local);
    EXPECT(loop_local(fiber_loop(), &key_a) == a);
    EXPECT(loop_local(fiber_loop(), &key_b) == b);
}

static void other_loop(void *arg)
{
    if (loop_run_fiber(env_system(), use_locals, arg) != 0)
        abort();
}

TEST(locals_are_freed_in_reverse)
{
    uv_thread_t thread;

    freed[0] = '\0';
    uv_thread_create(&thread, other_loop, t);
    uv_thread_join(&thread);
    EXPECT_CSTR(freed, "ba");
}

static void forever(void *arg)
{
    int *outcome = arg;

    *outcome = fiber_park(FIBER_NO_DEADLINE);
}

struct stopped {
    struct loop *loop;
    struct fiber *fiber;
    int outcome;
};

static void cancel_it(void *arg)
{
    fiber_cancel(arg);
}

static void run_loop(void *arg)
{
    struct stopped *s = arg;

    loop_run(s->loop);
}

TEST(stop_from_another_thread_waits_for_fibers)
{
    struct stopped s = {0};
    uv_thread_t thread;

    REQUIRE_OK(loop_new(env_system(), &s.loop));
    s.fiber = fiber_spawn(s.loop, "forever", forever, &s.outcome);
    uv_thread_create(&thread, run_loop, &s);
    loop_stop(s.loop);
    loop_post(s.loop, cancel_it, s.fiber);
    uv_thread_join(&thread);
    EXPECT_EQ(s.outcome, ERR_CANCELLED);
    EXPECT_EQ(fiber_count(s.loop), 0);
    loop_free(s.loop);
}

struct timed {
    uv_timer_t timer;
    struct fiber *fiber;
    bool closed;
};

static void on_timed(uv_timer_t *timer)
{
    struct timed *timed = timer->data;

    fiber_wake(timed->fiber);
}

static void on_timed_closed(uv_handle_t *handle)
{
    struct timed *timed = handle->data;

    timed->closed = true;
    fiber_wake(timed->fiber);
}

/* libuv runs due timers before it looks for events: it must not go to sleep on what they woke. */
TEST(a_timer_that_is_due_at_once_wakes_its_fiber)
{
    struct timed timed = {.fiber = fiber_self()};

    uv_timer_init(loop_uv(fiber_loop()), &timed.timer);
    timed.timer.data = &timed;
    for (int i = 0; i < 20; i++) {
        uv_timer_start(&timed.timer, on_timed, 0, 0);
        EXPECT_OK(fiber_park(FIBER_NO_DEADLINE));
    }
    uv_close((uv_handle_t *)&timed.timer, on_timed_closed);
    while (!timed.closed)
        EXPECT_OK(fiber_park(FIBER_NO_DEADLINE));
}

static int64_t stepping_clock(void *ctx)
{
    int64_t *now = ctx;

    return *now += 300000; /* 0.3 ms each time somebody looks */
}

static void sleep_often(void *arg)
{
    int *slept = arg;

    while (*slept < 200 && fiber_sleep(1) == 0)
        ++*slept;
}

/* Deadlines that come due between arming the timer and sleeping. */
TEST(short_sleeps_are_never_lost)
{
    int64_t now = 0;
    struct env env = *env_system();
    int slept = 0;

    (void)t;
    env.mono_ns = stepping_clock;
    env.ctx = &now;
    EXPECT_OK(fiber_sleep(1));
    struct loop *loop;
    REQUIRE_OK(loop_new(&env, &loop));
    fiber_spawn(loop, "sleeper", sleep_often, &slept);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
    EXPECT_EQ(slept, 200);
}

struct caller {
    const struct env *env;
    bool on_fiber;
    int rc;
    char message[64];
};

static int refuse(void *arg)
{
    struct caller *caller = arg;

    caller->on_fiber = fiber_self() && fiber_yield() == 0;
    return err_set(ERR_DENIED, "refused");
}

static void call_refuse(void *arg)
{
    struct caller *caller = arg;

    caller->rc = loop_call(caller->env, refuse, caller);
    snprintf(caller->message, sizeof(caller->message), "%s", err_message());
}

TEST(call_from_a_fiber_and_from_outside_of_all)
{
    struct caller inside = {.env = env_system()}, outside = {.env = env_system()};
    uv_thread_t thread;

    call_refuse(&inside);
    uv_thread_create(&thread, call_refuse, &outside);
    uv_thread_join(&thread);
    EXPECT(inside.on_fiber && outside.on_fiber);
    EXPECT_EQ(inside.rc, ERR_DENIED);
    EXPECT_EQ(outside.rc, ERR_DENIED);
    EXPECT_CSTR(inside.message, "refused");
    EXPECT_CSTR(outside.message, "refused");
}
