#include "fixture.h"
#include "runtime/errinj.h"

static size_t times(struct str text, const char *what)
{
    size_t count = 0;
    ptrdiff_t at = -1;

    while ((at = str_find(text, str_from(what), (size_t)(at + 1))) >= 0)
        count++;
    return count;
}

TEST(what_is_due_is_said_at_its_time_and_once)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/remind in 2 hours send the deck");
    EXPECT_EQ(times(fixture_said(&f), "#1 Mon 2 Mar 2026, 11:00 UTC"), 1);
    fixture_pass(&f, 2 * HOUR_MS - 1);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 1);
    EXPECT_STR(fixture_said(&f), "a: ⏰ Reminder: send the deck\nNoted by Ana.\n");
    fixture_pass(&f, DAY_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

/* The process that claimed it ends before, or after, the commit. */
TEST(a_failure_around_the_commit_says_it_once)
{
    static const char *const faults[] = {"bot.service=1", "bot.service_done=1"};

    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct fixture f;
        struct str said;

        REQUIRE(fixture_open(t, &f));
        fixture_hear(&f, "a", "Ana", "/remind in 1 hour send the deck");
        (void)fixture_said(&f);
        REQUIRE_OK(errinj_set(faults[i]));
        fixture_pass(&f, HOUR_MS);
        said = fixture_said(&f);
        EXPECT_EQ(times(said, "Reminder"), 0); /* whoever sends the outbox comes later */
        fixture_pass(&f, MINUTE_MS);
        fixture_pass(&f, MINUTE_MS);
        EXPECT_EQ(times(fixture_said(&f), "Reminder: send the deck"), 1);
        fixture_pass(&f, HOUR_MS);
        EXPECT_STR(fixture_said(&f), "");
        fixture_close(&f);
    }
}

TEST(what_fails_always_is_given_up)
{
    struct schedule_row row;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/remind in 1 hour send the deck");
    (void)fixture_said(&f);
    REQUIRE_OK(errinj_set("bot.service"));
    for (int i = 0; i < 8; i++)
        fixture_pass(&f, HOUR_MS);
    REQUIRE_OK(errinj_set(NULL));
    REQUIRE_OK(store_get(f.store, STORE_SCHEDULES, STR("main"),
        str_printf(t->arena, "reminder-%.*s-1", STR_ARG(fixture_session(&f, "a"))), t->arena,
        &row));
    EXPECT_STR(row.state, "failed");
    EXPECT_EQ(row.attempts, 5);
    EXPECT(str_find(row.error, STR("Injected"), 0) >= 0);
    fixture_close(&f);
}

/* After a restart the claims of the dead are taken at once; what is not due is left for its time.
 */
TEST(nothing_is_said_early_after_a_restart)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/remind in 1 hour send the deck");
    (void)fixture_said(&f);
    fixture_pass(&f, HOUR_MS - 30 * SECOND_MS);
    EXPECT_OK(bot_sweep(f.bot, true));
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 29 * SECOND_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, SECOND_MS);
    EXPECT_EQ(times(fixture_said(&f), "Reminder"), 1);
    fixture_close(&f);
}

TEST(a_chat_that_is_not_let_in_any_more_gets_nothing)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/remind in 1 hour send the deck");
    (void)fixture_said(&f);
    REQUIRE_OK(config_set(&f.config, "telegram.allow", STR("b"), ORIGIN_FLAG, ""));
    fixture_pass(&f, HOUR_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

TEST(the_next_time_of_a_day_is_by_the_clock_of_the_zone)
{
    const struct zone *zone = zone_get(STR("Europe/Madrid"));
    int64_t at, after;
    int offset;

    REQUIRE(zone);
    REQUIRE(rfc3339_parse(STR("2026-03-28T17:00:00Z"), &after, &offset)); /* 18:00 there */
    at = service_next(zone, 18 * 60, after);
    EXPECT_STR(rfc3339(t->arena, at), "2026-03-29T16:00:00.000Z"); /* summer time since */
    EXPECT_STR(
        rfc3339(t->arena, service_next(zone, 18 * 60, after - 1)), "2026-03-28T17:00:00.000Z");
    EXPECT_STR(rfc3339(t->arena, service_next(zone, 2 * 60 + 30, after)),
        "2026-03-29T01:30:00.000Z"); /* 02:30 is skipped: 03:30 */
    REQUIRE(rfc3339_parse(STR("2026-10-25T00:30:00Z"), &after, &offset)); /* the first 02:30 */
    EXPECT_STR(
        rfc3339(t->arena, service_next(zone, 2 * 60 + 30, after - 1)), "2026-10-25T00:30:00.000Z");
    EXPECT_STR(
        rfc3339(t->arena, service_next(zone, 2 * 60 + 30, after)), "2026-10-26T01:30:00.000Z");
    EXPECT_STR(rfc3339(t->arena, service_next(zone, 2 * 60 + 30, after + HOUR_MS - 1)),
        "2026-10-26T01:30:00.000Z"); /* not at the second 02:30 */
}

/* Another process on the same store. */
static void join_other(struct fixture *f, struct fixture *ret_other)
{
    struct fixture *other = ret_other;
    struct bot_options options = f->bot->options;

    *other = *f;
    other->said = BUF_IN(f->t->arena);
    other->data = BUF_IN(f->t->arena);
    other->channel.fixture = other;
    other->channels[0] = (struct channel *)&other->channel;
    other->outbox =
        outbox_new(options.env, &other->config, other->store, STR("main"), other->channels, 1);
    options.config = &other->config;
    options.channels = other->channels;
    options.outbox = other->outbox;
    options.owner.id = STR("other");
    other->bot = bot_new(&options);
    bot_join(other->bot);
}

struct sweeper {
    struct bot *bot;
    int rc;
};

static void sweep(void *arg)
{
    struct sweeper *sweeper = arg;

    sweeper->rc = bot_sweep(sweeper->bot, false);
}

TEST(of_two_processes_one_does_what_is_due)
{
    struct fixture f, other;
    size_t said = 0;

    REQUIRE(fixture_open(t, &f));
    for (int i = 0; i < 30; i++) { /* more than one claim takes */
        fixture_hear(&f, "a", i % 2 ? "Ana" : "Ben", "/remind in 1 hour send the deck");
        t->fake->wall_ms += SECOND_MS;
        t->fake->mono_ns += (int64_t)SECOND_MS * 1000000;
    }
    EXPECT_EQ(times(fixture_said(&f), "remind you here"), 30);
    (void)fixture_said(&f);
    join_other(&f, &other);
    t->fake->wall_ms += HOUR_MS;
    t->fake->mono_ns += (int64_t)HOUR_MS * 1000000;
    for (int round = 0; round < 3; round++) {
        struct sweeper sweepers[2] = {{f.bot, -1}, {other.bot, -1}};
        struct fiber *fibers[2];

        for (int i = 0; i < 2; i++)
            fibers[i] = fiber_spawn_joinable(fiber_loop(), "test.sweep", sweep, &sweepers[i]);
        for (int i = 0; i < 2; i++) {
            EXPECT_OK(fiber_join(fibers[i]));
            EXPECT_OK(sweepers[i].rc);
        }
        outbox_drain(f.outbox);
        outbox_drain(other.outbox);
        said += times(fixture_said(&f), "Reminder: send the deck");
        said += times(fixture_said(&other), "Reminder: send the deck");
    }
    EXPECT_EQ(said, 30);
    bot_drain(other.bot);
    bot_free(other.bot);
    outbox_free(other.outbox);
    fixture_close(&f);
}
