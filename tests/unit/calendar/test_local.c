#include "fixture.h"
#include "runtime/errinj.h"

TEST(local_books_once_per_key)
{
    struct calendar_event event, one, two, other;
    struct calendar_page page;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at("x", 9);
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR("k"), &event, t->arena, &one));
    event.summary = STR("y");
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR("k"), &event, t->arena, &two));
    EXPECT(str_eq(one.id, two.id));
    EXPECT_STR(two.summary, "x");
    REQUIRE_OK(calendar_book(f.calendar, STR("other"), STR("k"), &event, t->arena, &other));
    EXPECT(!str_eq(one.id, other.id));
    REQUIRE_OK(calendar_list(
        f.calendar, STR("main"), 0, INT64_MAX / 2, true, 10, STR(""), t->arena, &page));
    EXPECT_EQ(page.count, 1);
    fixture_close(&f);
}

TEST(local_books_once_when_the_outcome_is_unknown)
{
    struct calendar_event event, made;
    struct calendar_page page;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at("x", 9);
    REQUIRE_OK(errinj_set("store.commit.after=1"));
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR("k"), &event, t->arena, &made));
    REQUIRE_OK(errinj_set("store.commit.after=1"));
    event = event_at("y", 10);
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    REQUIRE_OK(errinj_set(NULL));
    REQUIRE_OK(calendar_list(
        f.calendar, STR("main"), 0, INT64_MAX / 2, true, 10, STR(""), t->arena, &page));
    EXPECT_EQ(page.count, 2);
    fixture_close(&f);
}

TEST(local_gives_back_what_was_booked)
{
    struct attendee people[] = {{STR("ana@x.org"), STR("Ana")}, {STR(""), STR("Ben")}};
    struct calendar_event event, made, read;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    event = event_at("x", 9);
    event.description = STR("line one\nline \"two\"");
    event.location = STR("Ōsaka");
    event.attendees = people;
    event.attendee_count = 2;
    event.conference = true;
    event.session_id = STR("S");
    event.run_id = STR("R");
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR("k"), &event, t->arena, &made));
    REQUIRE_OK(calendar_get(f.calendar, STR("main"), made.id, t->arena, &read));
    EXPECT_STR(read.description, "line one\nline \"two\"");
    EXPECT_STR(read.location, "Ōsaka");
    REQUIRE(read.attendee_count == 2);
    EXPECT_STR(read.attendees[0].email, "ana@x.org");
    EXPECT_STR(read.attendees[1].name, "Ben");
    EXPECT(read.conference);
    EXPECT_STR(read.session_id, "S");
    EXPECT_EQ(read.start_ms, event.start_ms);
    EXPECT_EQ(calendar_get(f.calendar, STR("other"), made.id, t->arena, &read), ERR_NOT_FOUND);
    fixture_close(&f);
}

TEST(local_lists_what_overlaps)
{
    struct calendar_event event, made, gone;
    struct calendar_page page;
    int64_t nine = ms_of("2026-03-03T09:00:00Z");
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    for (int hour = 8; hour <= 11; hour++) {
        event = event_at(str_printf(t->arena, "h%d", hour).ptr, hour);
        REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
    }
    event = event_at("long", 0);
    event.end_ms += 10 * DAY_MS;
    event.start_ms -= 3 * DAY_MS;
    REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &gone));
    REQUIRE_OK(calendar_list(
        f.calendar, STR("main"), nine, nine + 2 * HOUR_MS, false, 10, STR(""), t->arena, &page));
    REQUIRE(page.count == 3);
    EXPECT_STR(page.events[0].summary, "long");
    EXPECT_STR(page.events[1].summary, "h9");
    EXPECT_STR(page.events[2].summary, "h10");
    REQUIRE_OK(calendar_cancel(f.calendar, STR("main"), gone.id, t->arena, &gone));
    REQUIRE_OK(calendar_list(
        f.calendar, STR("main"), nine, nine + 2 * HOUR_MS, false, 10, STR(""), t->arena, &page));
    EXPECT_EQ(page.count, 2);
    REQUIRE_OK(calendar_list(
        f.calendar, STR("main"), nine, nine + 2 * HOUR_MS, true, 10, STR(""), t->arena, &page));
    EXPECT_EQ(page.count, 3);
    fixture_close(&f);
}

TEST(local_pages_are_full_and_complete)
{
    struct calendar_page page = {.cursor = STR("")};
    struct calendar_event event, made;
    struct fixture f;
    size_t seen = 0, pages = 0;

    REQUIRE(fixture_open(t, &f));
    for (int i = 0; i < 20; i++) {
        event = event_at("x", i);
        REQUIRE_OK(calendar_book(f.calendar, STR("main"), STR(""), &event, t->arena, &made));
        if (i % 2)
            REQUIRE_OK(calendar_cancel(f.calendar, STR("main"), made.id, t->arena, &made));
    }
    do {
        REQUIRE_OK(calendar_list(
            f.calendar, STR("main"), 0, INT64_MAX / 2, false, 3, page.cursor, t->arena, &page));
        EXPECT(page.count == 3 || str_empty(page.cursor));
        seen += page.count;
        pages++;
    } while (!str_empty(page.cursor) && pages < 20);
    EXPECT_EQ(seen, 10);
    fixture_close(&f);
}
