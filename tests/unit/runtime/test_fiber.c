#include "runtime/loop.h"
#include "test.h"

static void note(struct buf *out, const char *text)
{
    buf_add_cstr(out, text);
}

struct step {
    struct buf *out;
    const char *name;
    int count;
};

static void stepper(void *arg)
{
    struct step *step = arg;

    for (int i = 0; i < step->count; i++) {
        note(step->out, step->name);
        fiber_yield();
    }
}

TEST(fibers_take_turns_in_spawn_order)
{
    struct buf out = BUF_IN(t->arena);
    struct step a = {&out, "a", 3}, b = {&out, "b", 2};
    struct fiber *fa = fiber_spawn_joinable(fiber_loop(), "a", stepper, &a);
    struct fiber *fb = fiber_spawn_joinable(fiber_loop(), "b", stepper, &b);

    EXPECT_EQ(fiber_count(fiber_loop()), 3);
    EXPECT_CSTR(fiber_name(fa), "a");
    REQUIRE_OK(fiber_join(fa));
    REQUIRE_OK(fiber_join(fb));
    EXPECT_STR(buf_str(&out), "ababa");
    EXPECT_EQ(fiber_count(fiber_loop()), 1);
}

TEST(stacks_are_used_again)
{
    struct buf out = BUF_IN(t->arena);
    struct step step = {&out, "x", 1};

    for (int i = 0; i < 3; i++) {
        struct fiber *f = fiber_spawn_joinable(fiber_loop(), "x", stepper, &step);
        REQUIRE_OK(fiber_join(f));
        EXPECT_EQ(fiber_pooled(fiber_loop()), 1);
    }
    EXPECT_STR(buf_str(&out), "xxx");
}

TEST(pool_gives_stacks_back_beyond_its_high_water_mark)
{
    struct buf out = BUF_IN(t->arena);
    struct step step = {&out, "x", 1};
    struct fiber *fibers[600];

    for (size_t i = 0; i < ARRAY_LEN(fibers); i++)
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "x", stepper, &step);
    for (size_t i = 0; i < ARRAY_LEN(fibers); i++)
        REQUIRE_OK(fiber_join(fibers[i]));
    EXPECT_EQ(out.len, ARRAY_LEN(fibers));
    EXPECT(fiber_pooled(fiber_loop()) > 0);
    EXPECT(fiber_pooled(fiber_loop()) < ARRAY_LEN(fibers));
}

TEST(a_wake_before_the_park_is_kept_once)
{
    (void)t;
    fiber_wake(fiber_self());
    fiber_wake(fiber_self());
    EXPECT_OK(fiber_park(FIBER_NO_DEADLINE));
    EXPECT_EQ(fiber_park(loop_now_ms(fiber_loop()) + 1), ERR_TIMEOUT);
}

TEST(sleep_outlasts_stray_wakes_and_keeps_them)
{
    int64_t before = env_mono_ms(loop_env(fiber_loop()));

    fiber_wake(fiber_self());
    EXPECT_OK(fiber_sleep(5));
    EXPECT(env_mono_ms(loop_env(fiber_loop())) - before >= 5);
    EXPECT_OK(fiber_park(loop_now_ms(fiber_loop()) + 1));
}

TEST(deadline_in_the_past_times_out)
{
    EXPECT_EQ(fiber_park(loop_now_ms(fiber_loop()) - 1), ERR_TIMEOUT);
    EXPECT(strstr(err_message(), "deadline"));
}

struct waiting {
    int64_t deadline;
    int first, second, shielded;
    struct buf *order;
    char name;
};

static void waits_twice(void *arg)
{
    struct waiting *w = arg;

    w->first = fiber_park(w->deadline);
    w->second = fiber_park(w->deadline);
}

TEST(cancel_ends_this_wait_and_every_later_one)
{
    struct waiting w = {.deadline = FIBER_NO_DEADLINE};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "w", waits_twice, &w);

    fiber_yield();
    fiber_cancel(f);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(w.first, ERR_CANCELLED);
    EXPECT_EQ(w.second, ERR_CANCELLED);
}

TEST(cancel_before_the_first_run_is_seen)
{
    struct waiting w = {.deadline = FIBER_NO_DEADLINE};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "w", waits_twice, &w);

    fiber_cancel(f);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(w.first, ERR_CANCELLED);
}

static void shielded(void *arg)
{
    struct waiting *w = arg;

    fiber_set_deadline(loop_now_ms(fiber_loop())); /* ignored as well */
    fiber_shield();
    w->shielded = fiber_sleep(2);
    w->first = fiber_is_cancelled();
    fiber_unshield();
    w->second = fiber_sleep(1);
}

TEST(shield_lets_cleanup_finish)
{
    struct waiting w = {0};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "w", shielded, &w);

    fiber_yield();
    fiber_cancel(f);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(w.shielded, 0);
    EXPECT_EQ(w.first, true);
    EXPECT_EQ(w.second, ERR_CANCELLED);
}

TEST(own_deadline_ends_waits_without_one)
{
    int64_t former = fiber_set_deadline(loop_now_ms(fiber_loop()) + 2);

    (void)t;
    EXPECT_EQ(former, FIBER_NO_DEADLINE);
    EXPECT_EQ(fiber_park(FIBER_NO_DEADLINE), ERR_TIMEOUT);
    EXPECT_EQ(fiber_sleep(1000000), ERR_TIMEOUT);
    EXPECT(fiber_deadline() <= loop_now_ms(fiber_loop()));
    fiber_set_deadline(former);
    EXPECT_OK(fiber_sleep(1));
}

static void waits_its_turn(void *arg)
{
    struct waiting *w = arg;

    w->first = fiber_park(w->deadline);
    buf_add_char(w->order, w->name);
}

TEST(deadlines_end_in_their_order)
{
    struct buf order = BUF_IN(t->arena);
    struct waiting w[8];
    struct fiber *f[8];
    static const int after[8] = {9, 3, 15, 6, 1, 12, 20, 18};

    for (int i = 0; i < 8; i++) {
        w[i] = (struct waiting){.deadline = loop_now_ms(fiber_loop()) + after[i],
            .order = &order,
            .name = (char)('a' + i)};
        f[i] = fiber_spawn_joinable(fiber_loop(), "w", waits_its_turn, &w[i]);
    }
    for (int i = 0; i < 8; i++) {
        REQUIRE_OK(fiber_join(f[i]));
        EXPECT_EQ(w[i].first, ERR_TIMEOUT);
    }
    EXPECT_STR(buf_str(&order), "ebdafchg");
}

static void sleeps_again_and_again(void *arg)
{
    struct waiting *w = arg;

    for (int i = 0; i < 50 && w->first == 0; i++) {
        fiber_wake(fiber_self());
        w->first = fiber_park(loop_now_ms(fiber_loop()) + 1000000);
        fiber_yield();
    }
    w->second = fiber_park(loop_now_ms(fiber_loop()) + 1);
}

TEST(an_earlier_deadline_after_a_later_one_is_met)
{
    struct waiting w = {0};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "w", sleeps_again_and_again, &w);

    (void)t;
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(w.first, 0);
    EXPECT_EQ(w.second, ERR_TIMEOUT);
}

static void fails(void *arg)
{
    (void)arg;
    err_set(ERR_IO, "from the other fiber");
    snprintf(fiber_log_context()->run_id, sizeof(fiber_log_context()->run_id), "other");
    fiber_yield();
    assert(strcmp(err_message(), "from the other fiber") == 0);
}

TEST(each_fiber_has_its_own_error_and_log_ids)
{
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "f", fails, NULL);

    err_set(ERR_INVALID, "mine");
    fiber_yield();
    EXPECT_CSTR(err_message(), "mine");
    EXPECT(log_context_get() == fiber_log_context());
    EXPECT_CSTR(fiber_log_context()->run_id, "");
    REQUIRE_OK(fiber_join(f));
    EXPECT_CSTR(err_message(), "mine");
}

static void deep(void *arg)
{
    volatile char frame[96 * KIB];
    int *sum = arg;

    for (size_t i = 0; i < sizeof(frame); i += 512)
        frame[i] = 1;
    fiber_yield();
    for (size_t i = 0; i < sizeof(frame); i += 512)
        *sum += frame[i];
}

TEST(stack_content_survives_switches)
{
    int sum = 0;
    struct fiber *a = fiber_spawn_joinable(fiber_loop(), "deep", deep, &sum);
    struct fiber *b = fiber_spawn_joinable(fiber_loop(), "deep", deep, &sum);

    REQUIRE_OK(fiber_join(a));
    REQUIRE_OK(fiber_join(b));
    EXPECT_EQ(sum, 2 * 192);
}

static void join_other(void *arg)
{
    struct waiting *w = arg;
    struct fiber *never = fiber_spawn_joinable(fiber_loop(), "never", waits_twice, w);

    w->shielded = fiber_join(never);
    fiber_cancel(never);
    fiber_shield();
    if (fiber_join(never) != 0)
        abort();
    fiber_unshield();
}

struct group {
    struct waiting waiting[3];
    int64_t deadline;
    bool done;
};

static void join_group(void *arg)
{
    struct group *group = arg;
    struct fiber *fibers[ARRAY_LEN(group->waiting) + 1] = {NULL};

    for (size_t i = 0; i < ARRAY_LEN(group->waiting); i++)
        fibers[i + 1] = fiber_spawn_joinable(fiber_loop(), "one", waits_twice, &group->waiting[i]);
    fiber_set_deadline(group->deadline);
    fiber_join_all(fibers, ARRAY_LEN(fibers));
    group->done = true;
}

TEST(all_are_joined_and_cancelled_when_who_waits_is_cancelled_or_late)
{
    for (int late = 0; late < 2; late++) {
        struct group group = {.deadline = late ? loop_now_ms(fiber_loop()) : FIBER_NO_DEADLINE};
        struct fiber *f;

        for (size_t i = 0; i < ARRAY_LEN(group.waiting); i++)
            group.waiting[i].deadline = FIBER_NO_DEADLINE;
        f = fiber_spawn_joinable(fiber_loop(), "join", join_group, &group);
        fiber_yield();
        fiber_yield();
        if (!late) {
            EXPECT(!group.done);
            fiber_cancel(f);
        }
        REQUIRE_OK(fiber_join(f));
        EXPECT(group.done);
        for (size_t i = 0; i < ARRAY_LEN(group.waiting); i++)
            EXPECT_EQ(group.waiting[i].first, ERR_CANCELLED);
    }
}

TEST(a_cancelled_join_can_be_repeated)
{
    struct waiting w = {.deadline = FIBER_NO_DEADLINE};
    struct fiber *f = fiber_spawn_joinable(fiber_loop(), "join", join_other, &w);

    (void)t;
    fiber_yield();
    fiber_yield();
    fiber_cancel(f);
    REQUIRE_OK(fiber_join(f));
    EXPECT_EQ(w.shielded, ERR_CANCELLED);
    EXPECT_EQ(w.first, ERR_CANCELLED);
}
