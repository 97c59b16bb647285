#include "fixture.h"

static void refused(
    struct test *t, struct fixture *f, struct calendar_event event, const char *field)
{
    struct calendar_event made;

    EXPECT_EQ(
        calendar_book(f->calendar, STR("main"), STR(""), &event, t->arena, &made), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, field);
}

TEST(calendar_book_checks_its_fields)
{
    struct attendee people[101], wrong[] = {{STR("a@b.c"), STR("")}, {STR("a b@c"), STR("")}};
    struct calendar_event event;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at(" ", 9);
    refused(t, &f, event, "summary");
    event = event_at("x", 9);
    event.end_ms = event.start_ms;
    refused(t, &f, event, "end");
    event.end_ms = event.start_ms + 15 * DAY_MS;
    refused(t, &f, event, "end");
    event.end_ms = event.start_ms + 14 * DAY_MS;
    event.time_zone = STR("Mars/Olympus");
    refused(t, &f, event, "time_zone");
    event = event_at("x", 9);
    event.start_ms = -1;
    refused(t, &f, event, "start");
    event = event_at("x", 9);
    event.provider = STR("google");
    refused(t, &f, event, "provider");
    event = event_at("x", 9);
    event.attendees = wrong;
    event.attendee_count = 2;
    refused(t, &f, event, "attendees[1].email");
    for (size_t i = 0; i < 101; i++)
        people[i] = wrong[0];
    event.attendees = people;
    event.attendee_count = 101;
    refused(t, &f, event, "attendees");
    fixture_close(&f);
}

TEST(calendar_book_needs_a_summary_of_bounded_size)
{
    char long_text[514];
    struct calendar_event event, made;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[513] = '\0';
    event = event_at(long_text, 9);
    refused(t, &f, event, "summary");
    event.summary.len = 512;
    EXPECT_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    fixture_close(&f);
}

TEST(calendar_open_knows_its_providers)
{
    struct calendar *calendar;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(config_set(&f.config, "calendar", STR("abacus"), ORIGIN_FLAG, "--calendar"));
    EXPECT_EQ(calendar_open(&f.config, &t->fake->env, f.store, &calendar), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "calendar");
    fixture_close(&f);
}

TEST(calendar_update_raises_what_changed)
{
    struct calendar_event event, made, moved, named, same, late;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at("x", 9);
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    EXPECT_EQ(made.version, 1);
    EXPECT_EQ(made.sequence, 0);
    event = made;
    event.start_ms += HOUR_MS;
    event.end_ms += HOUR_MS;
    REQUIRE_OK(calendar_update(f.calendar, STR("main"), &event, t->arena, &moved));
    EXPECT_EQ(moved.version, 2);
    EXPECT_EQ(moved.sequence, 1);
    event = moved;
    event.summary = STR("y");
    event.version = 0;
    REQUIRE_OK(calendar_update(f.calendar, STR("main"), &event, t->arena, &named));
    EXPECT_EQ(named.version, 3);
    EXPECT_EQ(named.sequence, 1);
    EXPECT_STR(named.summary, "y");
    REQUIRE_OK(calendar_update(f.calendar, STR("main"), &named, t->arena, &same));
    EXPECT_EQ(same.version, 3);
    made.summary = STR("z");
    EXPECT_EQ(calendar_update(f.calendar, STR("main"), &made, t->arena, &late), ERR_CONFLICT);
    fixture_close(&f);
}

TEST(calendar_cancel_is_idempotent_and_final)
{
    struct calendar_event event, made, gone, again, moved;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at("x", 9);
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    REQUIRE_OK(calendar_cancel(f.calendar, STR("main"), made.id, t->arena, &gone));
    EXPECT_STR(gone.state, "cancelled");
    EXPECT_EQ(gone.sequence, 1);
    REQUIRE_OK(calendar_cancel(f.calendar, STR("main"), made.id, t->arena, &again));
    EXPECT_EQ(again.version, gone.version);
    gone.start_ms += HOUR_MS;
    gone.end_ms += HOUR_MS;
    EXPECT_EQ(calendar_update(f.calendar, STR("main"), &gone, t->arena, &moved), ERR_INVALID);
    EXPECT_EQ(
        calendar_cancel(f.calendar, STR("main"), STR("none"), t->arena, &gone), ERR_NOT_FOUND);
    fixture_close(&f);
}

TEST(calendar_event_write_shows_local_times)
{
    struct attendee people[] = {{STR("ana@x.org"), STR("Ana")}};
    struct calendar_event event = {
        .id = STR("E1"),
        .provider = STR("local"),
        .summary = STR("Pricing"),
        .description = STR(""),
        .location = STR("Room 1"),
        .start_ms = ms_of("2026-07-01T14:00:00Z"),
        .end_ms = ms_of("2026-07-01T14:30:00Z"),
        .time_zone = STR("America/New_York"),
        .attendees = people,
        .attendee_count = 1,
        .conference_url = STR(""),
        .state = STR("confirmed"),
        .version = 2,
        .created_ms = ms_of("2026-03-02T09:00:00Z"),
        .updated_ms = ms_of("2026-03-02T09:00:01Z"),
    };
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    calendar_event_write(&w, &event);
    EXPECT_STR(buf_str(&out),
        "{\"id\":\"E1\",\"provider\":\"local\",\"summary\":\"Pricing\",\"description\":\"\","
        "\"location\":\"Room 1\",\"start\":\"2026-07-01T10:00:00-04:00\","
        "\"end\":\"2026-07-01T10:30:00-04:00\",\"time_zone\":\"America/New_York\","
        "\"attendees\":[{\"name\":\"Ana\",\"email\":\"ana@x.org\"}],\"conference_url\":\"\","
        "\"status\":\"confirmed\",\"version\":2,\"created_at\":\"2026-03-02T09:00:00Z\","
        "\"updated_at\":\"2026-03-02T09:00:01Z\",\"ics_url\":\"/api/schedule/E1?format=ics\"}");
}
