#include "base/json.h"
#include "test.h"
#include "text/transcript.h"
#include "text/when.h"

#define MONDAY "2026-03-02T09:00:00Z"

static int64_t ms_of(const char *rfc)
{
    int64_t ms = 0;

    if (!rfc3339_parse(str_from(rfc), &ms, NULL))
        printf("# not RFC 3339: %s\n", rfc);
    return ms;
}

/* "2026-03-03", "15:00:00" or "2026-03-03 15:00:00[–end]" in the zone of the phrase. */
static struct str shown(struct test *t, const struct when *w, const struct zone *zone)
{
    const struct zone *z = w->zone ? w->zone : zone;
    struct civil c = zone_to_local(z, w->start_ms / 1000);
    struct buf out = BUF_IN(t->arena);

    if (w->kind == WHEN_DURATION)
        return str_printf(t->arena, "%lld min", (long long)w->duration_min);
    if (w->kind != WHEN_TIME)
        buf_printf(&out, "%04d-%02d-%02d", c.year, c.month, c.day);
    if (w->kind == WHEN_DATETIME)
        buf_add_char(&out, ' ');
    if (w->kind != WHEN_DATE)
        buf_printf(&out, "%02d:%02d:%02d", c.hour, c.minute, c.second);
    if (w->end_ms) {
        c = zone_to_local(z, w->end_ms / 1000);
        buf_printf(&out, "-%02d:%02d", c.hour, c.minute);
    }
    if (w->zone)
        buf_printf(&out, " %.*s", STR_ARG(zone_name(w->zone)));
    if (w->duration_min)
        buf_printf(&out, " for %lld", (long long)w->duration_min);
    return buf_str(&out);
}

static const struct {
    const char *text, *want; /* "" none */
} found[] = {
    /* absolute dates */
    {"2026-03-05", "2026-03-05"},
    {"on 5 March", "2026-03-05"},
    {"March 5th, 2027", "2027-03-05"},
    {"the 5th of March", "2026-03-05"},
    {"Mar 5", "2026-03-05"},
    {"1 Feb", "2027-02-01"},
    {"05-Aug-2026", "2026-08-05"},
    {"03/05/2026", "2026-03-05"},
    {"05.03.2026", "2026-03-05"},
    {"20260305", "2026-03-05"},
    {"Feb 29", "2028-02-29"},
    {"december twenty first", "2026-12-21"},
    {"2026-03-05T14:30:00Z", "2026-03-05 14:30:00 UTC"},
    {"2026-03-05 14:30", "2026-03-05 14:30:00"},
    {"2026-03-05T14:30:00+02:00", "2026-03-05 14:30:00 Etc/GMT-2"},
    /* weekdays, seen from a Monday */
    {"on Friday", "2026-03-06"},
    {"this Friday", "2026-03-06"},
    {"next Friday", "2026-03-13"},
    {"Tuesday", "2026-03-03"},
    {"next Tuesday", "2026-03-10"},
    {"Friday next week", "2026-03-13"},
    {"last Friday", "2026-02-27"},
    {"Monday at 10am", "2026-03-02 10:00:00"},
    {"Monday at 8am", "2026-03-09 08:00:00"},
    {"Thursday 12th", "2026-03-12"},
    /* relative days */
    {"today", "2026-03-02"},
    {"tomorrow at 3pm", "2026-03-03 15:00:00"},
    {"the day after tomorrow", "2026-03-04"},
    {"yesterday", "2026-03-01"},
    {"in two weeks", "2026-03-16"},
    {"in 3 days", "2026-03-05"},
    {"two days ago", "2026-02-28"},
    {"a week from Friday", "2026-03-13"},
    {"tonight at 8", "2026-03-02 20:00:00"},
    {"tomorrow noon", "2026-03-03 12:00:00"},
    {"tomorrow at midnight", "2026-03-03 00:00:00"},
    {"tomorrow morning at 9", "2026-03-03 09:00:00"},
    {"Thursday evening at 7", "2026-03-05 19:00:00"},
    /* times */
    {"3pm", "15:00:00"},
    {"at 15:00", "15:00:00"},
    {"half past two", "02:30:00"},
    {"quarter to 3 in the afternoon", "14:45:00"},
    {"at noon", "12:00:00"},
    {"3 p.m.", "15:00:00"},
    {"1140 a.m.", "11:40:00"},
    {"at three thirty", "03:30:00"},
    {"15h30", "15:30:00"},
    {"in two hours", "2026-03-02 11:00:00"},
    {"in half an hour", "2026-03-02 09:30:00"},
    {"45 minutes from now", "2026-03-02 09:45:00"},
    /* ranges and durations */
    {"3-4pm", "15:00:00-16:00"},
    {"11am-1pm", "11:00:00-13:00"},
    {"11-1pm", "11:00:00-13:00"},
    {"from 10 to 11:30", "10:00:00-11:30"},
    {"Tuesday 14:00–15:00", "2026-03-03 14:00:00-15:00"},
    {"between 3 and 4pm", "15:00:00-16:00"},
    {"10pm to 1am", "22:00:00-01:00"},
    {"for 45 minutes", "45 min"},
    {"an hour", "60 min"},
    {"an hour and a half", "90 min"},
    {"1.5 hours", "90 min"},
    {"a 30-minute call", "30 min"},
    {"tomorrow 3pm for 45 minutes", "2026-03-03 15:00:00 for 45"},
    /* zones */
    {"3pm CET", "15:00:00 Europe/Berlin"},
    {"10am New York time", "10:00:00 America/New_York"},
    {"9:00 PT tomorrow", "2026-03-03 09:00:00 America/Los_Angeles"},
    {"tomorrow 4pm (Madrid time)", "2026-03-03 16:00:00 Europe/Madrid"},
    {"15:00 UTC+2", "15:00:00 Etc/GMT-2"},
    {"9am Pacific time", "09:00:00 America/Los_Angeles"},
    {"9am pacific standard time", "09:00:00 America/Los_Angeles"},
    {"15:00 Europe/Madrid", "15:00:00 Europe/Madrid"},
    {"Tuesday at 3:00 p.m. Eastern", "2026-03-03 15:00:00 America/New_York"},
    {"3pm Central Park", "15:00:00"},
    {"Friday at 14h", "2026-03-06 14:00:00"},
    {"3pm London on Friday", "2026-03-06 15:00:00 Europe/London"},
    /* not times */
    {"You may call me", ""},
    {"We may 2", "2026-05-02"},
    {"One may ask", ""},
    {"the sun was bright and we sat down", ""},
    {"I am number 4", ""},
    {"at 10 Downing Street", ""},
    {"version 1.2.3", ""},
    {"192.168.10.12", ""},
    {"rated 4.5 at best", ""},
    {"call 555-1212 or 138-2010-2015", ""},
    {"A 4:3 screen, 10% off, $12", ""},
    {"Good morning", ""},
    {"there are 10 to 12 people", ""},
    {"the second option", ""},
    {"march on", ""},
    {"30 February", ""},
    {"2026-02-30", ""},
    {"at 25:00", ""},
    {"", ""},
};

TEST(when_finds_common_phrases)
{
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        struct when w[4];
        size_t count = when_find(str_from(found[i].text), ms_of(MONDAY), zone_utc(), w, 4);

        if (!EXPECT_STR(count ? shown(t, &w[0], zone_utc()) : STR(""), found[i].want))
            printf("#   text: %s\n", found[i].text);
    }
}

static const struct {
    const char *text, *want;
} resolved[] = {
    {"book Tuesday at 3", "2026-03-03 15:00:00"},
    {"tomorrow at 10", "2026-03-03 10:00:00"},
    {"Friday 2.30", "2026-03-06 14:30:00"},
    {"Friday at 2.30", "2026-03-06 14:30:00"},
    {"at 12 tomorrow", "2026-03-03 12:00:00"},
    {"from 10 to 11:30 on Friday", "2026-03-06 10:00:00-11:30"},
    {"Friday 1 to 2pm", "2026-03-06 13:00:00-14:00"},
    {"Tuesday 3pm. No, make it Wednesday", "2026-03-04 15:00:00"},
    {"Wednesday 3pm CET, sorry, 4pm", "2026-03-04 16:00:00 Europe/Berlin"},
    {"not Tuesday, Thursday at 9", "2026-03-05 09:00:00"},
    {"Thursday at 9 instead of Tuesday at 10", "2026-03-05 09:00:00"},
    {"Tuesday doesn't work, Friday 11am", "2026-03-06 11:00:00"},
    {"why not Tuesday at 11?", "2026-03-03 11:00:00"},
    {"we met yesterday; next call in two hours", "2026-03-02 11:00:00"},
    {"the 12th at 5pm for an hour", "2026-03-12 17:00:00 for 60"},
    {"on Friday", "2026-03-06"},
    {"the 12th", "2026-03-12"},
    {"3pm", "15:00:00"},
    {"today at 8:30pm", "2026-03-02 20:30:00"},
    {"tomorrow 08:15", "2026-03-03 08:15:00"},
    {"tomorrow at 3 o\"clock in the afternoon", "2026-03-03 15:00:00"},
    {"tomorrow in the afternoon, at 12", "2026-03-03 12:00:00"},
    {"tomorrow 9 am at 5 Bon Air Rd", "2026-03-03 09:00:00"},
    {"at 10 CET on Friday", "2026-03-06 10:00:00 Europe/Berlin"},
    {"Friday at 10 Madrid time", "2026-03-06 10:00:00 Europe/Madrid"},
    {"I can't go until Friday at 9", "2026-03-06 09:00:00"},
    {"today in the morning at 8", "2026-03-02 08:00:00"},
    {"today at 8", "2026-03-02 20:00:00"},
};

TEST(when_resolves_one_start)
{
    for (size_t i = 0; i < ARRAY_LEN(resolved); i++) {
        struct when w;
        int rc = when_resolve(str_from(resolved[i].text), ms_of(MONDAY), zone_utc(), &w);

        if (!EXPECT_EQ(rc, 0) || !EXPECT_STR(shown(t, &w, zone_utc()), resolved[i].want))
            printf("#   text: %s\n", resolved[i].text);
    }
}

static struct str settled(struct test *t, const char *const *said)
{
    struct when_plan plan = {.end = -1};
    struct when w;

    for (; *said; said++)
        when_plan_add(&plan, str_from(*said), ms_of(MONDAY), zone_utc());
    if (!EXPECT_OK(when_plan_settle(&plan, ms_of(MONDAY), zone_utc(), &w)))
        return STR("");
    return shown(t, &w, zone_utc());
}

TEST(when_plan_keeps_the_week_of_a_weekday_said_again)
{
    const char *const again[] = {"Next Tuesday at 3pm works", "Tuesday 4pm is better", NULL};
    const char *const dated[] = {"How about 17 March?", "Tuesday at 3pm is good for me", NULL};
    const char *const sooner[] = {"Next Tuesday at 3pm", "rather this Tuesday", NULL};
    const char *const other[] = {"Next Tuesday at 3pm", "Wednesday is better", NULL};

    EXPECT_STR(settled(t, again), "2026-03-10 16:00:00");
    EXPECT_STR(settled(t, dated), "2026-03-17 15:00:00");
    EXPECT_STR(settled(t, sooner), "2026-03-03 15:00:00");
    EXPECT_STR(settled(t, other), "2026-03-04 15:00:00");
}

TEST(when_resolve_refuses)
{
    struct when w;
    const struct zone *utc = zone_utc();

    EXPECT_EQ(when_resolve(STR("book it please"), ms_of(MONDAY), utc, &w), ERR_NOT_FOUND);
    EXPECT_EQ(when_resolve(STR("for an hour"), ms_of(MONDAY), utc, &w), ERR_NOT_FOUND);
    EXPECT_EQ(when_resolve(STR("Tuesday or Wednesday"), ms_of(MONDAY), utc, &w), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "when");
    EXPECT_EQ(when_resolve(STR("30 February at 10:00"), ms_of(MONDAY), utc, &w), ERR_INVALID);
    EXPECT_EQ(when_resolve(STR("tomorrow at 25:00"), ms_of(MONDAY), utc, &w), ERR_INVALID);
}

TEST(when_reads_in_the_zone)
{
    const struct zone *madrid = zone_get(STR("Europe/Madrid"));
    struct when w;

    REQUIRE(madrid != NULL);
    REQUIRE_OK(when_resolve(STR("tomorrow at 15:00"), ms_of("2026-03-02T23:30:00Z"), madrid, &w));
    EXPECT_EQ(w.start_ms, ms_of("2026-03-04T14:00:00Z")); /* it is the 3rd already in Madrid */
    REQUIRE_OK(when_resolve(STR("29 March 2026 at 02:30"), ms_of(MONDAY), madrid, &w));
    EXPECT_EQ(w.start_ms, ms_of("2026-03-29T01:30:00Z")); /* skipped: shown as 03:30 */
    REQUIRE_OK(when_resolve(STR("on 4/3 at 10:00"), ms_of(MONDAY), madrid, &w));
    EXPECT_EQ(w.start_ms, ms_of("2026-03-04T09:00:00Z")); /* day first in Europe */
    REQUIRE_OK(when_resolve(STR("Friday 10am New York time"), ms_of(MONDAY), madrid, &w));
    EXPECT_EQ(w.start_ms, ms_of("2026-03-06T15:00:00Z"));
}

TEST(when_says_where_the_phrase_stands)
{
    struct when w[4];
    struct str text = STR("Let's meet tomorrow at 3pm CET, ok? Or on Friday.");

    REQUIRE(when_find(text, ms_of(MONDAY), zone_utc(), w, 4) == 2);
    EXPECT_STR(str_slice(text, w[0].from, w[0].to), "tomorrow at 3pm CET");
    EXPECT_STR(str_slice(text, w[1].from, w[1].to), "Friday");
    EXPECT_EQ(when_find(text, ms_of(MONDAY), zone_utc(), w, 1), 1);
}

TEST(when_formats_for_people)
{
    const struct zone *madrid = zone_get(STR("Europe/Madrid"));
    const struct zone *dubai = zone_get(STR("Asia/Dubai"));

    REQUIRE(madrid && dubai);
    EXPECT_STR(
        when_format(t->arena, ms_of("2026-03-03T14:00:00Z"), ms_of("2026-03-03T14:30:00Z"), madrid),
        "Tue 3 Mar 2026, 15:00\xe2\x80\x93"
        "15:30 CET");
    EXPECT_STR(when_format(t->arena, ms_of("2026-07-03T14:00:00Z"), 0, madrid),
        "Fri 3 Jul 2026, 16:00 CEST");
    EXPECT_STR(when_format(t->arena, ms_of("2026-03-03T14:00:00Z"), 0, dubai),
        "Tue 3 Mar 2026, 18:00 UTC+04:00");
    EXPECT_STR(when_format(t->arena, ms_of("2026-03-03T23:00:00Z"), ms_of("2026-03-04T01:00:00Z"),
                   zone_utc()),
        "Tue 3 Mar 2026, 23:00\xe2\x80\x93Wed 4 Mar 01:00 UTC");
}

/* What was formatted is understood again. */
TEST(when_reads_its_own_format)
{
    struct when w;

    REQUIRE_OK(when_resolve(STR("Tue 3 Mar 2026, 15:00\xe2\x80\x93"
                                "15:30 CET"),
        ms_of(MONDAY), zone_utc(), &w));
    EXPECT_EQ(w.start_ms, ms_of("2026-03-03T14:00:00Z"));
    EXPECT_EQ(w.end_ms, ms_of("2026-03-03T14:30:00Z"));
}

TEST(when_survives_odd_input)
{
    struct when w[8];
    struct buf long_text = BUF_IN(t->arena);
    static const char *const odd[] = {"\xff\xfe 3pm", "\xe2\x80", "\xe2\x80\x99s", "3", "3-", "in",
        "next", "end of", "at", "from 10 to", "12/", "2026-", ":::", "a.m.", "half past",
        "99999999999999999999999 days", "in 9999 years", "in 9999 months", "(((((((", "twenty-"};

    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        EXPECT(when_find(str_from(odd[i]), ms_of(MONDAY), zone_utc(), w, 8) <= 8);
    for (int i = 0; i < 20000; i++)
        buf_add_cstr(&long_text, "next 3-");
    EXPECT(when_find(buf_str(&long_text), ms_of(MONDAY), zone_utc(), w, 8) <= 8);
}

static const char *data_file(struct test *t, const char *name)
{
    const char *folder = getenv("THEO_DATA"), *source = getenv("THEO_SOURCE");
    struct str path =
        folder ? str_printf(t->arena, "%s/%s", folder, name)
               : str_printf(t->arena, "%s/../shared/data/%s", source ? source : ".", name);

    return str_cstr(t->arena, path);
}

static bool when_line_right(struct test *t, const struct json *row, bool *ret_alarm)
{
    struct str reference = str_printf(t->arena, "%.*sZ", STR_ARG(json_get_str(row, "reference")));
    struct when w[8];
    size_t count = when_find(json_get_str(row, "text"), ms_of(reference.ptr), zone_utc(), w, 8);
    struct str got = STR("");

    for (size_t i = 0; i < count && str_empty(got); i++) {
        if (w[i].kind == WHEN_DURATION)
            continue;
        w[i].end_ms = w[i].duration_min = 0;
        got = shown(t, &w[i], zone_utc());
        if (w[i].zone)
            got.len -= zone_name(w[i].zone).len + 1;
    }
    *ret_alarm = str_is(json_get_str(row, "kind"), "none") && got.len > 0;
    return str_eq(got, json_get_str(row, "expect"));
}

TEST(when_english_data)
{
    FILE *file = fopen(data_file(t, "when/english.jsonl"), "r");
    char *line = NULL;
    size_t cap = 0, right = 0, all = 0, alarms = 0;
    ssize_t len;

    if (!file)
        SKIP("no data folder: set THEO_DATA");
    while ((len = getline(&line, &cap, file)) > 0) {
        const struct json *row;
        bool alarm = false;

        if (json_parse(t->arena, (struct str){line, (size_t)len}, &row) != 0)
            continue;
        right += when_line_right(t, row, &alarm);
        alarms += alarm;
        all++;
    }
    free(line);
    fclose(file);
    printf("# when: %zu of %zu, %zu false alarms\n", right, all, alarms);
    EXPECT(right * 100 >= all * 94);
    EXPECT_EQ(alarms, 0);
}

struct dialogue_score {
    size_t dates, date_right, times, time_right;
};

static void score_dialogue(struct test *t, const struct json *row, struct dialogue_score *score)
{
    struct str reference = str_printf(t->arena, "%.*sZ", STR_ARG(json_get_str(row, "reference")));
    struct str date = json_str(json_path(row, "expect.date"));
    struct str time = json_str(json_path(row, "expect.time"));
    struct when_plan plan = {.end = -1};
    struct when w;
    struct str rest = json_get_str(row, "chat_context"), line, got = STR("");
    int64_t at = ms_of(reference.ptr);

    while (str_next(&rest, '\n', &line))
        if (!str_starts(line, STR("Theo: ")))
            when_plan_add(&plan, line, at, zone_utc());
    if (when_plan_settle(&plan, at, zone_utc(), &w) == 0)
        got = rfc3339(t->arena, w.start_ms);
    score->dates += date.len > 0;
    score->times += time.len > 0;
    score->date_right += date.len > 0 && str_eq(str_slice(got, 0, 10), date);
    score->time_right += time.len > 0 && str_eq(str_slice(got, 11, 16), time);
    if (getenv("WHEN_SHOW") && ((date.len && !str_eq(str_slice(got, 0, 10), date)) ||
                                   (time.len && !str_eq(str_slice(got, 11, 16), time))))
        printf("# want %.*s %.*s got %.*s\n%.*s\n\n", STR_ARG(date), STR_ARG(time), STR_ARG(got),
            STR_ARG(json_get_str(row, "chat_context")));
}

TEST(when_dialogue_data)
{
    FILE *file = fopen(data_file(t, "schedule/dialogues.jsonl"), "r");
    struct dialogue_score score = {0};
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (!file)
        SKIP("no data folder: set THEO_DATA");
    while ((len = getline(&line, &cap, file)) > 0) {
        const struct json *row;

        if (json_parse(t->arena, (struct str){line, (size_t)len}, &row) == 0)
            score_dialogue(t, row, &score);
    }
    free(line);
    fclose(file);
    printf("# dialogues: dates %zu of %zu, times %zu of %zu\n", score.date_right, score.dates,
        score.time_right, score.times);
    EXPECT(score.date_right * 100 >= score.dates * 80);
    EXPECT(score.time_right * 100 >= score.times * 80);
}
