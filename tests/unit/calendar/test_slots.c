#include "fixture.h"

static struct calendar_slot_query workday(const char *from, const char *to, const char *zone)
{
    return (struct calendar_slot_query){
        .from_ms = ms_of(from),
        .to_ms = ms_of(to),
        .duration_min = 60,
        .time_zone = str_from(zone),
        .day_from_min = 9 * 60,
        .day_to_min = 12 * 60,
        .weekdays = 0x3e, /* Monday to Friday */
    };
}

static struct str slots_text(
    struct test *t, struct fixture *f, const struct calendar_slot_query *query)
{
    struct calendar_slot slots[16];
    struct buf out = BUF_IN(t->arena);
    size_t count = 0;

    if (calendar_free_slots(f->calendar, STR("main"), query, 16, t->arena, slots, &count) < 0)
        return STR("failed");
    for (size_t i = 0; i < count; i++) {
        char at[RFC3339_LEN + 1];

        rfc3339_format(slots[i].start_ms, at);
        at[16] = '\0';
        buf_printf(&out, "%s%s", i ? " " : "", at + 5);
    }
    return buf_str(&out);
}

TEST(slots_avoid_what_is_booked)
{
    struct calendar_slot_query query =
        workday("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", "UTC");
    struct calendar_event event, made;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    EXPECT_STR(slots_text(t, &f, &query), "03-03T09:00 03-03T10:00 03-03T11:00");
    event = event_at("x", 9);
    event.start_ms += 10 * MINUTE_MS;
    event.end_ms -= 10 * MINUTE_MS; /* 09:10 to 09:50 */
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    EXPECT_STR(slots_text(t, &f, &query), "03-03T10:00 03-03T11:00");
    query.duration_min = 120;
    EXPECT_STR(slots_text(t, &f, &query), "03-03T10:00");
    REQUIRE_OK(calendar_cancel(f.calendar, STR("main"), made.id, t->arena, &made));
    EXPECT_STR(slots_text(t, &f, &query), "03-03T09:00");
    fixture_close(&f);
}

/* Events that overlap, touch and lie in each other, on two days. */
TEST(slots_lie_between_events_of_any_order)
{
    static const struct {
        int from, to; /* minutes after 09:00 of the first day */
    } booked[] = {{15, 40}, {10, 20}, {65, 75}, {60, 65}, {12, 14}, {1500, 1530}, {1440, 1445}};
    struct calendar_slot_query query =
        workday("2026-03-03T00:00:00Z", "2026-03-05T00:00:00Z", "UTC");
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    for (size_t i = 0; i < ARRAY_LEN(booked); i++) {
        struct calendar_event event = event_at("x", 9), made;
        int64_t nine = event.start_ms;

        event.start_ms = nine + booked[i].from * MINUTE_MS;
        event.end_ms = nine + booked[i].to * MINUTE_MS;
        REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    }
    query.duration_min = 30;
    EXPECT_STR(slots_text(t, &f, &query), "03-03T10:15 03-03T10:45 03-03T11:15 "
                                          "03-04T09:15 03-04T10:30 03-04T11:00 03-04T11:30");
    fixture_close(&f);
}

TEST(slots_concern_the_people_asked_for)
{
    struct attendee ana = {STR("Ana@x.org"), STR("")}, ben = {STR("ben@x.org"), STR("")};
    struct calendar_slot_query query =
        workday("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", "UTC");
    struct calendar_event event, made;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at("x", 10);
    event.attendees = &ana;
    event.attendee_count = 1;
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    query.attendees = &ben;
    query.attendee_count = 1;
    EXPECT_STR(slots_text(t, &f, &query), "03-03T09:00 03-03T10:00 03-03T11:00");
    ana.email = STR("ana@X.org");
    query.attendees = &ana;
    EXPECT_STR(slots_text(t, &f, &query), "03-03T09:00 03-03T11:00");
    fixture_close(&f);
}

TEST(slots_keep_weekdays_and_local_hours)
{
    /* Friday to Tuesday; on Sunday 29 March 2026 the clocks of Madrid go forward. */
    struct calendar_slot_query query =
        workday("2026-03-27T08:20:00Z", "2026-03-30T09:30:00Z", "Europe/Madrid");
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    EXPECT_STR(slots_text(t, &f, &query), "03-27T08:30 03-27T09:30 03-30T07:00 03-30T08:00");
    query.time_zone = STR("Asia/Kathmandu");
    query.day_to_min = 10 * 60;
    EXPECT_STR(slots_text(t, &f, &query), "03-30T03:15");
    fixture_close(&f);
}

TEST(slots_refuse_wrong_questions)
{
    struct calendar_slot_query query =
        workday("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", "Nowhere");
    struct calendar_slot slot;
    struct fixture f;
    size_t count;

    REQUIRE(fixture_open(t, &f));
    EXPECT_EQ(calendar_free_slots(f.calendar, STR("main"), &query, 1, t->arena, &slot, &count),
        ERR_INVALID);
    query.time_zone = STR("UTC");
    query.to_ms = query.from_ms;
    EXPECT_EQ(calendar_free_slots(f.calendar, STR("main"), &query, 1, t->arena, &slot, &count),
        ERR_INVALID);
    fixture_close(&f);
}
