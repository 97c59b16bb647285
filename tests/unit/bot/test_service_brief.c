#include "fixture.h"

TEST(brief_before_a_call_and_the_question_after_it)
{
    struct fixture f;
    struct str said;
    int64_t now = t->fake->wall_ms;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ben", "Acme wants the pricing for 40 seats.");
    fixture_hear(&f, "b", "Ben", "Acme must not learn of the secret discount.");
    fixture_hear(&f, "a", "Ana", "the weather is fine");
    fixture_book(&f, "a", now + 2 * HOUR_MS, now + 3 * HOUR_MS, "Call about Acme");
    fixture_pass(&f, HOUR_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 45 * MINUTE_MS);
    said = fixture_said(&f);
    EXPECT(str_starts(
        said, STR("a: **Coming up: Call about Acme**\nMon 2 Mar 2026, 11:00–12:00 UTC\n"
                  "Carla Ortiz\n\n**Said**\n- Ben: Acme wants the pricing for 40 seats.\n")));
    EXPECT(str_find(said, STR("secret"), 0) < 0);
    fixture_pass(&f, HOUR_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 15 * MINUTE_MS);
    said = fixture_said(&f);
    EXPECT(str_starts(said, STR("a: “Call about Acme” should be over. Who does what now")));
    fixture_pass(&f, DAY_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

TEST(a_call_that_moved_is_announced_at_its_new_time)
{
    struct fixture f;
    struct calendar_event event;
    int64_t now = t->fake->wall_ms;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "hello there");
    event = fixture_book(&f, "a", now + HOUR_MS, now + 2 * HOUR_MS, "Acme");
    fixture_pass(&f, MINUTE_MS); /* its rows are there now */
    event.start_ms += 3 * HOUR_MS;
    event.end_ms += 3 * HOUR_MS;
    REQUIRE_OK(calendar_update(f.calendar, STR("main"), &event, t->arena, &event));
    fixture_pass(&f, 2 * HOUR_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, HOUR_MS + 45 * MINUTE_MS);
    EXPECT(str_starts(fixture_said(&f), STR("a: **Coming up: Acme**\nMon 2 Mar 2026, 13:00")));
    fixture_close(&f);
}

TEST(a_cancelled_call_and_a_switched_off_brief_are_silent)
{
    struct fixture f;
    struct calendar_event event;
    int64_t now = t->fake->wall_ms;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "hello there");
    fixture_hear(&f, "b", "Ana", "/settings brief off");
    EXPECT(str_find(fixture_said(&f), STR("- brief: off"), 0) >= 0);
    event = fixture_book(&f, "a", now + HOUR_MS, now + 2 * HOUR_MS, "Acme");
    fixture_book(&f, "b", now + HOUR_MS, now + 2 * HOUR_MS, "Acme");
    fixture_pass(&f, MINUTE_MS);
    REQUIRE_OK(calendar_cancel(f.calendar, STR("main"), event.id, t->arena, &event));
    for (int i = 0; i < 12; i++)
        fixture_pass(&f, 15 * MINUTE_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

TEST(a_call_for_a_moment_that_is_near_has_no_brief)
{
    struct fixture f;
    int64_t now = t->fake->wall_ms;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "hello there");
    fixture_book(&f, "a", now + 10 * MINUTE_MS, now + 20 * MINUTE_MS, "Acme");
    fixture_pass(&f, MINUTE_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 20 * MINUTE_MS);
    EXPECT(str_starts(fixture_said(&f), STR("a: “Acme” should be over.")));
    fixture_close(&f);
}
