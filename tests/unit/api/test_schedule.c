#include "house.h"

#define INTRO                                                                                      \
    "{\"summary\":\"Intro\",\"attendees\":[\"ana@acme.example\",\"Ben\"],"                         \
    "\"start\":\"2027-03-02T15:00:00+01:00\",\"duration_minutes\":30,"                             \
    "\"time_zone\":\"Europe/Madrid\"}"

static const char *path_of(struct house *h, const struct asked *event)
{
    return str_printf(h->t->arena, "/api/schedule/%.*s", STR_ARG(json_get_str(event->json, "id")))
        .ptr;
}

static int64_t time_of(struct house *h, const struct asked *event, const char *name)
{
    struct test *t = h->t;
    int64_t ms = 0;

    EXPECT(rfc3339_parse(json_get_str(event->json, name), &ms, NULL));
    return ms;
}

TEST(book_read_move_cancel)
{
    BEGIN(NULL);
    struct asked made = post(&h, "/api/schedule", INTRO), asked;
    const char *path = path_of(&h, &made);

    EXPECT_EQ(made.status, 201);
    EXPECT_STR(http_header(&made.headers, "location"), path);
    EXPECT_EQ(time_of(&h, &made, "start"), 1803996000000);
    EXPECT_EQ(time_of(&h, &made, "end") - time_of(&h, &made, "start"), 30 * MINUTE_MS);
    EXPECT_EQ(ask(&h, HTTP_GET, path, NULL, NULL).status, 200);

    asked = ask(&h, HTTP_PATCH, path, "{\"start\":\"2027-03-03T10:00:00+01:00\"}", NULL);
    EXPECT_EQ(asked.status, 200);
    EXPECT_EQ(time_of(&h, &asked, "end") - time_of(&h, &asked, "start"), 30 * MINUTE_MS);
    EXPECT_STR(json_get_str(asked.json, "summary"), "Intro");

    asked = ask(&h, HTTP_DELETE, path, NULL, NULL);
    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(json_get_str(asked.json, "status"), "cancelled");
    EXPECT_EQ(ask(&h, HTTP_DELETE, path, NULL, NULL).status, 200);
    asked = ask(&h, HTTP_PATCH, path, "{\"summary\":\"No\"}", NULL);
    expect_problem(t, &asked, 422);
    asked = ask(&h, HTTP_GET, "/api/schedule", NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "events")), 0);
    asked = ask(&h, HTTP_GET, "/api/schedule?include_cancelled=true", NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "events")), 1);
    END;
}

TEST(a_stale_version_is_a_conflict)
{
    BEGIN(NULL);
    struct asked made = post(&h, "/api/schedule", INTRO), asked;
    const char *path = path_of(&h, &made);
    const char *change = str_printf(t->arena, "{\"summary\":\"New\",\"version\":%lld}",
        (long long)json_get_i64(made.json, "version", 0))
                             .ptr;

    EXPECT_EQ(ask(&h, HTTP_PATCH, path, change, NULL).status, 200);
    asked = ask(&h, HTTP_PATCH, path, change, NULL);
    expect_problem(t, &asked, 409);
    END;
}

TEST(booked_once_under_one_key)
{
    BEGIN(NULL);
    struct asked first = ask(&h, HTTP_POST, "/api/schedule", INTRO, "Idempotency-Key: one");
    struct asked second = ask(&h, HTTP_POST, "/api/schedule", INTRO, "Idempotency-Key: one");
    struct asked list = ask(&h, HTTP_GET, "/api/schedule", NULL, NULL);

    EXPECT_EQ(first.status, 201);
    EXPECT_EQ(second.status, 201);
    EXPECT(str_eq(first.body, second.body));
    EXPECT_EQ(json_len(json_get(list.json, "events")), 1);
    EXPECT_EQ(post(&h, "/api/schedule", INTRO).status, 201);
    list = ask(&h, HTTP_GET, "/api/schedule", NULL, NULL);
    EXPECT_EQ(json_len(json_get(list.json, "events")), 2);
    END;
}

TEST(as_icalendar)
{
    BEGIN(NULL);
    struct asked made = post(&h, "/api/schedule", INTRO);
    struct asked asked = ask(&h, HTTP_GET, path_of(&h, &made), NULL, "Accept: text/calendar");

    EXPECT_STR(http_header(&asked.headers, "content-type"), "text/calendar; charset=utf-8");
    EXPECT(str_find(asked.body, STR("DTSTART:20270302T140000Z\r\n"), 0) > 0);
    asked = ask(&h, HTTP_GET, "/api/schedule?format=ics", NULL, NULL);
    EXPECT(str_starts(asked.body, STR("BEGIN:VCALENDAR\r\n")));
    END;
}

TEST(wrong_events_name_the_member)
{
    static const struct {
        const char *body, *field;
    } cases[] = {
        {"{\"start\":\"2027-03-02T15:00:00Z\"}", "summary"},
        {"{\"summary\":\"S\"}", "start"},
        {"{\"summary\":\"S\",\"start\":\"soon\"}", "start"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"when\":\"now\"}", "when"},
        {"{\"summary\":\"S\",\"when\":\"whenever you like\"}", "when"},
        {"{\"summary\":\"S\",\"when\":\"next Tuesday\"}", "when"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"duration_minutes\":0}",
            "duration_minutes"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"duration_minutes\":\"30\"}",
            "duration_minutes"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"end\":\"2027-03-02T14:00:00Z\"}",
            "end"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"attendees\":[\"a@b.example\",7]}",
            "attendees[1]"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"time_zone\":\"No/Where\"}",
            "time_zone"},
        {"{\"summary\":\"S\",\"start\":\"2027-03-02T15:00:00Z\",\"provider\":\"outlook\"}",
            "provider"},
    };
    BEGIN(NULL);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asked asked = post(&h, "/api/schedule", cases[i].body);

        if (!EXPECT_STR(expect_problem(t, &asked, 422), cases[i].field))
            printf("# %s\n", cases[i].body);
    }
    END;
}

TEST(words_instead_of_a_start)
{
    BEGIN(NULL);
    struct asked made = post(&h, "/api/schedule",
        "{\"summary\":\"Sync\",\"when\":\"2 March 2027 at 15:00 for 45 minutes\","
        "\"time_zone\":\"Europe/Madrid\"}");

    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(time_of(&h, &made, "start"), 1803996000000);
    EXPECT_EQ(time_of(&h, &made, "end") - time_of(&h, &made, "start"), 45 * MINUTE_MS);
    END;
}

TEST(free_slots_leave_out_what_is_booked)
{
    BEGIN(NULL);
    struct asked asked;
    const struct json *slot;

    post(&h, "/api/schedule", INTRO);
    asked = post(&h, "/api/schedule/availability",
        "{\"attendees\":[\"ana@acme.example\"],\"from\":\"2027-03-02T13:30:00Z\","
        "\"to\":\"2027-03-02T15:00:00Z\",\"duration_minutes\":30,"
        "\"time_zone\":\"Europe/Madrid\"}");
    EXPECT_EQ(asked.status, 200);
    EXPECT_EQ(json_len(json_get(asked.json, "slots")), 2);
    slot = json_at(json_get(asked.json, "slots"), 1);
    EXPECT_STR(json_get_str(slot, "start"), "2027-03-02T14:30:00.000Z");
    asked = post(&h, "/api/schedule/availability", "{\"weekdays\":[\"someday\"]}");
    EXPECT_STR(expect_problem(t, &asked, 422), "weekdays");
    asked = post(&h, "/api/schedule/availability", "{\"day_from\":\"25:00\"}");
    EXPECT_STR(expect_problem(t, &asked, 422), "day_from");
    END;
}
