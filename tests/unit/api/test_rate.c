#include "api/exchange.h"
#include "house.h"

TEST(a_minute_holds_so_many_and_then_refills)
{
    struct rate_table *table = rate_table_new();
    struct rate_state state;

    for (int i = 0; i < 5; i++) {
        state = rate_take(table, 7, 5, 1000000);
        EXPECT(state.allowed);
        EXPECT_EQ(state.remaining, 4 - i);
    }
    state = rate_take(table, 7, 5, 1000000);
    EXPECT(!state.allowed);
    EXPECT_EQ(state.remaining, 0);
    EXPECT(state.retry_after_ms > 11000 && state.retry_after_ms <= 12001);
    EXPECT(rate_take(table, 8, 5, 1000000).allowed);
    EXPECT(!rate_take(table, 7, 5, 1000000 + 11000).allowed);
    EXPECT(rate_take(table, 7, 5, 1000000 + 12001).allowed);
    EXPECT(!rate_take(table, 7, 5, 1000000 + 12001).allowed);
    state = rate_take(table, 7, 5, 1000000 + 10 * MINUTE_MS);
    EXPECT_EQ(state.remaining, 4);
    rate_table_free(table);
}

TEST(a_full_table_forgets_the_idlest)
{
    struct rate_table *table = rate_table_new();

    for (uint32_t key = 1; key <= 100000; key++)
        EXPECT(rate_take(table, key, 5, 1000000 + key).allowed);
    for (int i = 0; i < 4; i++)
        EXPECT(rate_take(table, 100000, 5, 1100001).allowed);
    EXPECT(!rate_take(table, 100000, 5, 1100001).allowed);
    rate_table_free(table);
}

TEST(what_is_counted_afterwards_is_all_waited_for)
{
    struct rate_table *table = rate_table_new();
    const int64_t now = 1000000;

    EXPECT_EQ(rate_wait(table, 7, 6, now), 0);
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(rate_wait(table, 7, 6, now), 0); /* looking costs nothing */
        rate_charge(table, 7, 6, now);
    }
    EXPECT_EQ(rate_wait(table, 7, 6, now), 10001);
    EXPECT_EQ(rate_wait(table, 8, 6, now), 0);
    EXPECT_EQ(rate_wait(table, 7, 6, now + 10001), 0);
    for (int i = 0; i < 6; i++) /* got past the look at once */
        rate_charge(table, 7, 6, now);
    EXPECT_EQ(rate_wait(table, 7, 6, now), 70001);
    for (int i = 0; i < 1000; i++)
        rate_charge(table, 7, 6, now);
    EXPECT(rate_wait(table, 7, 6, now) <= HOUR_MS);
    EXPECT_EQ(rate_wait(table, 7, 6, now + HOUR_MS), 0);
    rate_table_free(table);
}

TEST(who_waits_longest_is_forgotten_last)
{
    struct rate_table *table = rate_table_new();

    for (int i = 0; i < 10; i++)
        rate_charge(table, 7, 5, 1000000);
    for (uint64_t key = 100; key < 100000; key++)
        rate_charge(table, key, 5, 1000000);
    EXPECT(rate_wait(table, 7, 5, 1000000) > MINUTE_MS);
    rate_table_free(table);
}

TEST(beyond_the_limit_429)
{
    BEGIN("rate.per-minute: 3\n");
    struct asked asked;

    for (int i = 0; i < 3; i++)
        asked = ask(&h, HTTP_GET, "/api/sessions", NULL, NULL);
    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(http_header(&asked.headers, "ratelimit-policy"), "\"default\";q=3;w=60");
    EXPECT(str_find(http_header(&asked.headers, "ratelimit"), STR("r=0"), 0) > 0);
    asked = ask(&h, HTTP_GET, "/api/sessions", NULL, NULL);
    expect_problem(t, &asked, 429);
    EXPECT(http_header(&asked.headers, "retry-after").len > 0);
    EXPECT_EQ(ask_as(&h, house_key(&h, "read"), HTTP_GET, "/api/sessions", NULL, NULL).status, 200);
    END;
}
