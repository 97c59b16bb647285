#include "base/env.h"
#include "test.h"

TEST(civil_days_of_every_day_for_1200_years)
{
    int64_t days = civil_to_days(1600, 1, 1);

    EXPECT_EQ(civil_to_days(1970, 1, 1), 0);
    EXPECT_EQ(civil_to_days(2026, 3, 2), 20514);
    for (int year = 1600; year < 2800; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= civil_days_in_month(year, month); day++, days++) {
                struct civil c = civil_from_s(days * 86400 + 86399);

                REQUIRE(civil_to_days(year, month, day) == days);
                REQUIRE(c.year == year && c.month == month && c.day == day && c.hour == 23);
            }
        }
    }
}

TEST(civil_weekdays)
{
    EXPECT_EQ(civil_weekday(1970, 1, 1), 4);
    EXPECT_EQ(civil_weekday(2026, 3, 2), 1);
    EXPECT_EQ(civil_weekday(1969, 12, 28), 0);
    EXPECT_EQ(civil_weekday(1600, 2, 29), 2);
}

TEST(civil_leap_years)
{
    EXPECT_EQ(civil_days_in_month(2000, 2), 29);
    EXPECT_EQ(civil_days_in_month(1900, 2), 28);
    EXPECT_EQ(civil_days_in_month(2024, 2), 29);
    EXPECT_EQ(civil_days_in_month(2026, 2), 28);
    EXPECT_EQ(civil_days_in_month(2026, 4), 30);
}

TEST(rfc3339_formats_utc_with_ms)
{
    EXPECT_STR(rfc3339(t->arena, 0), "1970-01-01T00:00:00.000Z");
    EXPECT_STR(rfc3339(t->arena, -1), "1969-12-31T23:59:59.999Z");
    EXPECT_STR(rfc3339(t->arena, 1772442000123), "2026-03-02T09:00:00.123Z");
    EXPECT_STR(rfc3339(t->arena, INT64_MAX), "9999-12-31T23:59:59.999Z");
    EXPECT_STR(rfc3339(t->arena, INT64_MIN), "0000-01-01T00:00:00.000Z");
}

TEST(rfc3339_reads_every_form)
{
    static const struct {
        const char *text;
        int64_t ms;
        int offset;
    } cases[] = {
        {"2026-03-02T09:00:00Z", 1772442000000, 0}, {"2026-03-02t09:00:00z", 1772442000000, 0},
        {"2026-03-02 09:00:00.5Z", 1772442000500, 0},
        {"2026-03-02T09:00:00.1239999Z", 1772442000123, 0},
        {"2026-03-02T10:00:00+01:00", 1772442000000, 60},
        {"2026-03-02T03:30:00-05:30", 1772442000000, -330},
        {"1985-04-12T23:20:50.52Z", 482196050520, 0},
        {"1990-12-31T15:59:60-08:00", 662688000000, -480}, /* RFC 3339, section 5.8 */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = 0;
        int offset = -1;

        EXPECT(rfc3339_parse(str_from(cases[i].text), &ms, &offset));
        EXPECT_EQ(ms, cases[i].ms);
        EXPECT_EQ(offset, cases[i].offset);
        EXPECT(rfc3339_parse(str_from(cases[i].text), &ms, NULL));
    }
}

TEST(rfc3339_refuses_the_rest)
{
    static const char *const wrong[] = {"", "2026-03-02", "2026-03-02T09:00:00",
        "2026-3-2T09:00:00Z", "2026-02-29T09:00:00Z", "2026-13-01T09:00:00Z",
        "2026-00-01T09:00:00Z", "2026-04-31T00:00:00Z", "2026-03-02T24:00:00Z",
        "2026-03-02T09:60:00Z", "2026-03-02T09:00:61Z", "2026-03-02T09:00:60Z",
        "2026-03-02T09:00:00.Z", "2026-03-02T09:00:00+0100", "2026-03-02T09:00:00+24:00",
        "2026-03-02T09:00:00Z ", " 2026-03-02T09:00:00Z", "2026-03-02T09:00Z",
        "+026-03-02T09:00:00Z"};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int64_t ms = 42;

        if (!EXPECT(!rfc3339_parse(str_from(wrong[i]), &ms, NULL)))
            printf("# taken: %s\n", wrong[i]);
        EXPECT_EQ(ms, 42);
    }
}

TEST(rfc3339_round_trip)
{
    uint64_t seed = 1;

    for (int i = 0; i < 2000; i++) {
        int64_t ms, back = 0;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ms = (int64_t)(seed >> 18) % 253402300800000;
        EXPECT(rfc3339_parse(rfc3339(t->arena, ms), &back, NULL));
        REQUIRE(back == ms);
    }
}
