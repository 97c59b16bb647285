#include "fixture.h"

TEST(digest_tells_what_was_said_since_the_last)
{
    struct fixture f;
    struct str said;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/settings digest 18:00");
    EXPECT(str_find(fixture_said(&f), STR("- digest: 18:00"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "We agreed on 40 seats for Acme at 12 euros.");
    fixture_hear(&f, "a", "Ben", "I'll send the contract to Acme by Friday.");
    fixture_hear(&f, "b", "Ana", "We agreed on the secret price of 99 euros.");
    fixture_pass(&f, 9 * HOUR_MS);
    said = fixture_said(&f);
    EXPECT(str_starts(said, STR("a: **What was said since Mon 2 Mar 2026, 09:00 UTC**\n")));
    EXPECT(str_find(said, STR("**Agreed**\n- Ana: We agreed on 40 seats for Acme at 12 euros."),
               0) >= 0);
    EXPECT(
        str_find(said, STR("**To do**\n- Ben: I'll send the contract to Acme by Friday."), 0) >= 0);
    EXPECT(str_find(said, STR("secret"), 0) < 0);
    EXPECT(str_find(said, STR("/settings"), 0) < 0);
    fixture_pass(&f, DAY_MS);
    EXPECT_STR(fixture_said(&f), ""); /* nothing was said since */
    fixture_hear(&f, "a", "Ben", "We decided to go with the annual plan for Acme.");
    fixture_pass(&f, DAY_MS);
    said = fixture_said(&f);
    EXPECT(str_find(said, STR("annual plan"), 0) >= 0);
    EXPECT(str_find(said, STR("40 seats"), 0) < 0);
    fixture_close(&f);
}

TEST(days_that_were_missed_are_in_one_digest)
{
    struct fixture f;
    struct str said;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/settings digest 18:00");
    (void)fixture_said(&f);
    fixture_hear(&f, "a", "Ana", "We agreed on 40 seats for Acme at 12 euros.");
    t->fake->wall_ms += 2 * DAY_MS;
    fixture_hear(&f, "a", "Ben", "We decided to go with the annual plan for Acme.");
    fixture_pass(&f, 3 * DAY_MS);
    said = fixture_said(&f);
    EXPECT(str_find(said, STR("40 seats"), 0) >= 0 && str_find(said, STR("annual plan"), 0) >= 0);
    EXPECT(str_find(said, STR("What was said"), 10) < 0);
    fixture_pass(&f, DAY_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

TEST(digest_is_off_until_an_admin_sets_it_and_when_it_is_off_again)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ben", "/settings digest 18:00");
    EXPECT(str_find(fixture_said(&f), STR("Only an admin"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "/settings digest 25:00");
    EXPECT(str_find(fixture_said(&f), STR("don't know that setting"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "/settings digest 18:00");
    fixture_hear(&f, "a", "Ana", "/settings digest off");
    EXPECT(str_find(fixture_said(&f), STR("- digest: off"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "We agreed on 40 seats for Acme at 12 euros.");
    fixture_pass(&f, DAY_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

TEST(digest_follows_the_zone_of_the_chat)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/settings digest 18:00");
    fixture_hear(&f, "a", "Ana", "/settings timezone Asia/Tokyo"); /* 18:00 is now, 09:00 UTC */
    fixture_hear(&f, "a", "Ana", "We agreed on 40 seats for Acme at 12 euros.");
    (void)fixture_said(&f);
    fixture_pass(&f, 9 * HOUR_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 15 * HOUR_MS);
    EXPECT(str_find(fixture_said(&f), STR("18:00 JST"), 0) >= 0);
    fixture_close(&f);
}

/* 02:30 does not come on the first of these days, and comes twice on the second. */
TEST(a_digest_comes_once_on_days_that_change_the_clock)
{
    static const struct {
        const char *from, *at;
    } days[] = {{"2026-03-28T12:00:00Z", "2026-03-29T01:30:00.000Z"},
        {"2026-10-24T12:00:00Z", "2026-10-25T00:30:00.000Z"}};

    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        struct str at = STR("");
        struct fixture f;
        int64_t now;
        int offset, count = 0;

        REQUIRE(rfc3339_parse(str_from(days[i].from), &now, &offset));
        t->fake->wall_ms = now;
        REQUIRE(fixture_open(t, &f));
        fixture_hear(&f, "a", "Ana", "/settings timezone Europe/Madrid");
        fixture_hear(&f, "a", "Ana", "/settings digest 02:30");
        (void)fixture_said(&f);
        for (int half = 0; half < 46; half++) { /* 23 hours, something new before each look */
            fixture_hear(&f, "a", "Ana", "We agreed on 40 seats for Acme at 12 euros.");
            fixture_pass(&f, 30 * MINUTE_MS);
            if (str_find(fixture_said(&f), STR("What was said"), 0) < 0)
                continue;
            count++;
            at = rfc3339(t->arena, t->fake->wall_ms);
        }
        EXPECT_EQ(count, 1);
        EXPECT_STR(at, days[i].at);
        fixture_close(&f);
    }
}
