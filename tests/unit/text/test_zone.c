#include "test.h"
#include "text/zone_data.h"

static int64_t at(const char *rfc)
{
    int64_t ms = 0;

    if (!rfc3339_parse(str_from(rfc), &ms, NULL))
        printf("# not RFC 3339: %s\n", rfc);
    return ms / 1000;
}

static const struct zone *get(struct test *t, const char *name)
{
    const struct zone *zone = zone_get(str_from(name));

    EXPECT(zone != NULL);
    return zone ? zone : zone_utc();
}

TEST(zone_offsets_through_the_years)
{
    static const struct {
        const char *zone, *at;
        int offset_min;
        const char *abbreviation;
    } cases[] = {
        {"UTC", "2026-03-01T00:00:00Z", 0, "UTC"},
        {"America/New_York", "2026-03-08T06:59:59Z", -300, "EST"},
        {"America/New_York", "2026-03-08T07:00:00Z", -240, "EDT"},
        {"America/New_York", "2026-11-01T05:59:59Z", -240, "EDT"},
        {"America/New_York", "2026-11-01T06:00:00Z", -300, "EST"},
        {"Europe/Madrid", "2026-03-29T00:59:59Z", 60, "CET"},
        {"Europe/Madrid", "2026-03-29T01:00:00Z", 120, "CEST"},
        {"Asia/Kolkata", "2026-07-01T00:00:00Z", 330, "IST"},
        {"Australia/Lord_Howe", "2026-01-01T00:00:00Z", 660, "+11"},
        {"Australia/Lord_Howe", "2026-07-01T00:00:00Z", 630, "+1030"},
        {"America/Santiago", "2026-01-15T00:00:00Z", -180, "-03"},
        {"America/Santiago", "2026-07-15T00:00:00Z", -240, "-04"},
        {"Pacific/Auckland", "2026-01-01T00:00:00Z", 780, "NZDT"},
        /* Beyond the table the footer's rule holds. */
        {"Europe/Madrid", "2150-07-01T00:00:00Z", 120, "CEST"},
        {"Europe/Madrid", "2150-12-01T00:00:00Z", 60, "CET"},
        {"Pacific/Auckland", "2200-01-01T00:00:00Z", 780, "NZDT"},
        /* Before it, local mean time. */
        {"America/New_York", "1850-01-01T00:00:00Z", -296, "LMT"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *abbreviation = "";
        int offset = zone_offset(get(t, cases[i].zone), at(cases[i].at), &abbreviation);

        EXPECT_EQ(offset / 60, cases[i].offset_min);
        EXPECT_CSTR(abbreviation, cases[i].abbreviation);
    }
}

TEST(zone_local_to_utc_in_gaps_and_overlaps)
{
    static const struct {
        const char *zone;
        struct civil local;
        const char *utc;
    } cases[] = {
        {"Europe/Madrid", {2026, 3, 2, 15, 0, 0}, "2026-03-02T14:00:00Z"},
        /* 02:30 does not exist: the clock shows 03:30. */
        {"America/New_York", {2026, 3, 8, 2, 30, 0}, "2026-03-08T07:30:00Z"},
        {"Europe/Madrid", {2026, 3, 29, 2, 0, 0}, "2026-03-29T01:00:00Z"},
        /* 01:30 comes twice: the first. */
        {"America/New_York", {2026, 11, 1, 1, 30, 0}, "2026-11-01T05:30:00Z"},
        {"Europe/Madrid", {2026, 10, 25, 2, 30, 0}, "2026-10-25T00:30:00Z"},
        /* Half an hour of daylight saving: 02:15 is skipped, 01:45 comes twice. */
        {"Australia/Lord_Howe", {2026, 10, 4, 2, 15, 0}, "2026-10-03T15:45:00Z"},
        {"Australia/Lord_Howe", {2026, 4, 5, 1, 45, 0}, "2026-04-04T14:45:00Z"},
        {"Asia/Kolkata", {2026, 3, 2, 5, 30, 0}, "2026-03-02T00:00:00Z"},
        /* Samoa left out a whole day. */
        {"Pacific/Apia", {2011, 12, 30, 12, 0, 0}, "2011-12-30T22:00:00Z"},
        {"America/New_York", {2150, 7, 1, 12, 0, 0}, "2150-07-01T16:00:00Z"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_EQ(zone_to_utc(get(t, cases[i].zone), &cases[i].local), at(cases[i].utc));
}

TEST(zone_every_hour_comes_back)
{
    static const char *const names[] = {"America/New_York", "Europe/Madrid", "Pacific/Auckland",
        "America/Santiago", "Asia/Tehran", "Africa/Casablanca"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct zone *zone = get(t, names[i]);
        int64_t from = at("2026-01-01T00:00:00Z"), wrong = 0;

        for (int64_t s = from; s < from + 365 * 86400; s += 3600) {
            struct civil local = zone_to_local(zone, s);
            int64_t back = zone_to_utc(zone, &local);

            wrong += back != s && back != s - 3600; /* the first of two */
        }
        EXPECT_EQ(wrong, 0);
    }
}

TEST(zone_a_nul_ends_no_name)
{
    static const char text[] = "z\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    for (size_t len = 2; len < sizeof(text); len++)
        EXPECT(zone_guess((struct str){text, len}) == NULL);
}

TEST(zone_names_that_are_none)
{
    static const char *const names[] = {"", "../etc/passwd", "Europe/../../../etc/passwd",
        "/etc/passwd", "Europe/Atlantis", "Europe//Madrid", "Europe/", "Europe", "posixrules\n",
        "tzdata.zi", "Europe/Madrid ", "zone.tab",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        EXPECT(zone_get(str_from(names[i])) == NULL);
    EXPECT(zone_get((struct str){"UTC\0x", 5}) == NULL);
}

TEST(zone_is_loaded_once)
{
    const struct zone *first = get(t, "Europe/Madrid");

    EXPECT(zone_get(STR("Europe/Madrid")) == first);
    EXPECT_STR(zone_name(first), "Europe/Madrid");
    EXPECT(zone_get(STR("UTC")) == zone_utc());
}

TEST(zone_guesses)
{
    static const struct {
        const char *said, *zone;
    } cases[] = {
        {"Europe/Madrid", "Europe/Madrid"},
        {"CET", "Europe/Berlin"},
        {"cest", "Europe/Berlin"},
        {"PT", "America/Los_Angeles"},
        {"PST", "America/Los_Angeles"},
        {"EST", "America/New_York"},
        {"IST", "Asia/Kolkata"},
        {"BST", "Europe/London"},
        {"GMT", "Etc/GMT"},
        {"Z", "UTC"},
        {"Madrid", "Europe/Madrid"},
        {"new york", "America/New_York"},
        {"New_York", "America/New_York"},
        {"Tokyo", "Asia/Tokyo"},
        {"India", "Asia/Kolkata"},
        {"UTC+2", "Etc/GMT-2"},
        {"GMT-5", "Etc/GMT+5"},
        {"+02:00", "Etc/GMT-2"},
        {"+0530", "Asia/Kolkata"},
        {"UTC+5:30", "Asia/Kolkata"},
        {"+00:00", "UTC"},
        {" Paris ", "Europe/Paris"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct zone *zone = zone_guess(str_from(cases[i].said));

        EXPECT(zone != NULL);
        if (zone)
            EXPECT_STR(zone_name(zone), cases[i].zone);
    }
    EXPECT(zone_guess(STR("Atlantis")) == NULL);
    EXPECT(zone_guess(STR("+25:00")) == NULL);
    EXPECT(zone_guess(STR("+02:99")) == NULL);
    EXPECT(zone_guess(STR("")) == NULL);
    EXPECT(zone_guess(STR("../etc/passwd")) == NULL);
}

TEST(zone_fixed_offset_has_the_said_offset)
{
    EXPECT_EQ(zone_offset(zone_guess(STR("UTC+2")), 0, NULL), 7200);
    EXPECT_EQ(zone_offset(zone_guess(STR("GMT-5")), 0, NULL), -18000);
}

TEST(zone_broken_files_are_refused)
{
    struct zone *zone = xcalloc(1, sizeof(*zone));
    char bytes[200] = "TZif2";

    EXPECT(!zone_parse(STR(""), zone));
    EXPECT(!zone_parse(STR("TZif2"), zone));
    EXPECT(!zone_parse((struct str){bytes, sizeof(bytes)}, zone)); /* no types */
    memset(bytes + 20, 0xff, 24);                                  /* counts beyond any file */
    EXPECT(!zone_parse((struct str){bytes, sizeof(bytes)}, zone));
    free(zone);
}

TEST(zone_rules)
{
    struct zone_rule rule;

    EXPECT(zone_rule_parse(STR("CET-1CEST,M3.5.0,M10.5.0/3"), &rule));
    EXPECT_EQ(rule.standard.offset_s, 3600);
    EXPECT_EQ(rule.daylight.offset_s, 7200);
    EXPECT(zone_rule_parse(STR("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"), &rule));
    EXPECT_EQ(rule.daylight.offset_s, 39600);
    EXPECT(zone_rule_parse(STR("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"), &rule));
    EXPECT_EQ(rule.start.time_s, -3600);
    EXPECT(zone_rule_parse(STR("IST-5:30"), &rule));
    EXPECT(!rule.has_dst);
    EXPECT(zone_rule_parse(STR("AAA3BBB,J60/2,300"), &rule));
    EXPECT(!zone_rule_parse(STR("CE-1"), &rule));
    EXPECT(!zone_rule_parse(STR("CET-1CEST"), &rule));
    EXPECT(!zone_rule_parse(STR("CET-1CEST,M13.5.0,M10.5.0"), &rule));
    EXPECT(!zone_rule_parse(STR("CET-1CEST,M3.5.0,M10.5.0junk"), &rule));
}
