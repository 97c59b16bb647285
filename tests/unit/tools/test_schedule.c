#include "fixture.h"

extern const struct tool tool_schedule;

static int schedule(struct fixture *f, const char *args)
{
    return fixture_call(f, &tool_schedule, args);
}

TEST(schedule_books_a_time_in_words)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"when\":\"tomorrow at 3pm\","
                            "\"attendees\":[\"ana@x.org\",\"Ben\"]}"));
    EXPECT_STR(fixture_get(&f, "status"), "booked");
    EXPECT_STR(fixture_get(&f, "event.start"), "2026-03-03T15:00:00+01:00");
    EXPECT_STR(fixture_get(&f, "event.end"), "2026-03-03T15:30:00+01:00");
    EXPECT_STR(fixture_get(&f, "event.attendees.0.email"), "ana@x.org");
    EXPECT_STR(fixture_get(&f, "event.attendees.1.name"), "Ben");
    EXPECT(!str_empty(f.result.event));
    EXPECT(str_starts(f.result.summary, STR("Booked \"Pricing\", Tue 3 Mar 2026")));
    fixture_close(&f);
}

TEST(schedule_books_the_same_meeting_of_a_chat_once)
{
    struct str first;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"when\":\"tomorrow at 3pm\"}"));
    first = fixture_get(&f, "event.id");
    REQUIRE_OK(schedule(&f, "{\"summary\":\"pricing\",\"when\":\"tomorrow at 15:00\"}"));
    EXPECT_STR(fixture_get(&f, "status"), "booked");
    EXPECT(str_eq(fixture_get(&f, "event.id"), first));
    EXPECT(str_starts(f.result.summary, STR("Booked already: \"Pricing\"")));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"when\":\"tomorrow at 4pm\"}"));
    EXPECT(!str_eq(fixture_get(&f, "event.id"), first));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Legal\",\"when\":\"tomorrow at 3pm\"}"));
    EXPECT(!str_eq(fixture_get(&f, "event.id"), first));
    fixture_close(&f);
}

TEST(schedule_books_a_time_as_rfc3339)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"start\":\"2026-03-03T15:00:00Z\","
                            "\"duration_minutes\":45,\"time_zone\":\"America/New_York\"}"));
    EXPECT_STR(fixture_get(&f, "event.start"), "2026-03-03T10:00:00-05:00");
    EXPECT_STR(fixture_get(&f, "event.end"), "2026-03-03T10:45:00-05:00");
    REQUIRE_OK(schedule(&f, "{\"summary\":\"B\",\"start\":\"2026-03-03T15:00:00Z\","
                            "\"end\":\"2026-03-03T17:00:00Z\"}"));
    EXPECT_STR(fixture_get(&f, "event.end"), "2026-03-03T18:00:00+01:00");
    fixture_close(&f);
}

TEST(schedule_takes_the_length_of_a_meeting_from_the_installation)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    f.services.duration_minutes = 50;
    REQUIRE_OK(schedule(&f, "{\"start\":\"2026-03-03T15:00:00Z\"}"));
    EXPECT_STR(fixture_get(&f, "event.end"), "2026-03-03T16:50:00+01:00");
    fixture_close(&f);
}

TEST(schedule_says_what_is_missing)
{
    static const struct {
        const char *args, *field;
    } cases[] = {
        {"{\"summary\":\"x\"}", "when"},
        {"{\"summary\":\"x\",\"when\":\"with the team\"}", "when"},
        {"{\"summary\":\"x\",\"when\":\"tomorrow\"}", "when"},
        {"{\"summary\":\"x\",\"when\":\"for 30 minutes\"}", "when"},
        {"{\"start\":\"2025-03-03T15:00:00Z\"}", "when"},
        {"{\"start\":\"2026-03-03T15:00:00Z\",\"end\":\"later\"}", "end"},
        {"{\"start\":\"2026-03-03T15:00:00Z\",\"end\":\"2026-03-03T14:00:00Z\"}", "end"},
        {"{\"start\":\"2026-03-03T15:00:00Z\",\"time_zone\":\"Nowhere/At all\"}", "time_zone"},
        {"{\"start\":\"2026-03-03T15:00:00Z\",\"attendees\":[\"a@@b\"]}", "attendees[0].email"},
        {"{\"action\":\"burn\"}", "action"},
        {"{\"action\":\"cancel\"}", "event_id"},
        {"{\"action\":\"cancel\",\"event_id\":\"nope\"}", "event_id"},
        {"{\"action\":\"move\",\"when\":\"tomorrow at 3pm\"}", "event_id"},
    };
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EXPECT_EQ(schedule(&f, cases[i].args), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, cases[i].field);
        EXPECT(err_message()[0] != '\0');
    }
    fixture_close(&f);
}

TEST(schedule_repeats_with_the_same_key_once)
{
    struct fixture f;
    struct str id;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"start\":\"2026-03-03T15:00:00Z\"}"));
    id = fixture_get(&f, "event.id");
    f.calls = 0;
    REQUIRE_OK(schedule(&f, "{\"start\":\"2026-03-03T15:00:00Z\"}"));
    EXPECT(str_eq(id, fixture_get(&f, "event.id")));
    fixture_close(&f);
}

TEST(schedule_moves_and_cancels_the_only_event_of_the_chat)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"start\":\"2026-03-03T15:00:00Z\","
                            "\"duration_minutes\":45}"));
    f.call.session_id = STR("other chat");
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Other\",\"start\":\"2026-03-03T15:00:00Z\"}"));
    f.call.session_id = STR("S");
    REQUIRE_OK(schedule(&f, "{\"action\":\"move\",\"when\":\"Wednesday at 10am\"}"));
    EXPECT_STR(fixture_get(&f, "status"), "moved");
    EXPECT_STR(fixture_get(&f, "event.summary"), "Pricing");
    EXPECT_STR(fixture_get(&f, "event.start"), "2026-03-04T10:00:00+01:00");
    EXPECT_STR(fixture_get(&f, "event.end"), "2026-03-04T10:45:00+01:00");
    REQUIRE_OK(schedule(&f, "{\"action\":\"cancel\"}"));
    EXPECT_STR(fixture_get(&f, "status"), "cancelled");
    EXPECT_STR(fixture_get(&f, "event.status"), "cancelled");
    EXPECT_EQ(schedule(&f, "{\"action\":\"cancel\"}"), ERR_INVALID);
    fixture_close(&f);
}

TEST(schedule_asks_which_of_several_events)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"start\":\"2026-03-03T15:00:00Z\"}"));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Design\",\"start\":\"2026-03-03T16:00:00Z\"}"));
    EXPECT_EQ(schedule(&f, "{\"action\":\"cancel\"}"), ERR_INVALID);
    EXPECT(strstr(err_message(), "Pricing"));
    EXPECT(strstr(err_message(), "Design"));
    REQUIRE_OK(schedule(&f, "{\"action\":\"cancel\",\"summary\":\"design\"}"));
    EXPECT_STR(fixture_get(&f, "event.summary"), "Design");
    fixture_close(&f);
}

TEST(schedule_lists_and_that_is_no_effect)
{
    struct fixture f;
    const struct json *args;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Pricing\",\"start\":\"2026-03-03T15:00:00Z\"}"));
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Late\",\"start\":\"2026-05-03T15:00:00Z\"}"));
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\"}"));
    EXPECT_STR(fixture_get(&f, "status"), "listed");
    EXPECT_EQ(json_len(json_get(f.content, "events")), 1);
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\",\"when\":\"tomorrow\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "events")), 1);
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\",\"when\":\"Friday\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "events")), 0);
    EXPECT_STR(fixture_get(&f, "text"), "No events.");
    REQUIRE_OK(json_parse(t->arena, STR("{\"action\":\"list\"}"), &args));
    EXPECT(tool_schedule.reads_only(args));
    REQUIRE_OK(json_parse(t->arena, STR("{}"), &args));
    EXPECT(!tool_schedule.reads_only(args));
    fixture_close(&f);
}

/* A stored chat of that channel, in which the calls are made from now on. */
static void enter_chat(struct fixture *f, const char *id, const char *channel)
{
    struct test *t = f->t;
    struct chat_session_row row = {.workspace_id = STR("main"),
        .id = str_from(id),
        .chat_key = str_printf(t->arena, "%s|%s", channel, id),
        .channel = str_from(channel),
        .title = STR(""),
        .state = STR("{}"),
        .kind = STR("chat"),
        .created_at = 1,
        .updated_at = 1};
    struct store_batch batch;

    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_CHAT_SESSIONS, &row);
    EXPECT_OK(store_commit(f->store, &batch));
    f->call.session_id = row.id;
}

TEST(schedule_shows_a_chat_nothing_of_other_chats)
{
    struct fixture f;
    struct str id;

    REQUIRE(fixture_open(t, &f));
    enter_chat(&f, "A", "telegram");
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Acquisition\",\"start\":\"2026-03-03T15:00:00Z\"}"));
    id = fixture_get(&f, "event.id");
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "events")), 1);
    enter_chat(&f, "B", "telegram");
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "events")), 0);
    EXPECT(str_find(f.result.content, STR("Acquisition"), 0) < 0);
    EXPECT_EQ(
        schedule(&f,
            str_printf(t->arena, "{\"action\":\"cancel\",\"event_id\":\"%.*s\"}", STR_ARG(id)).ptr),
        ERR_INVALID);
    EXPECT_EQ(schedule(&f, str_printf(t->arena,
                               "{\"action\":\"move\",\"event_id\":\"%.*s\",\"when\":"
                               "\"Friday 3pm\"}",
                               STR_ARG(id))
                               .ptr),
        ERR_INVALID);
    enter_chat(&f, "C", "api"); /* whoever has a key has the calendar */
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "events")), 1);
    EXPECT_STR(fixture_get(&f, "events.0.status"), "confirmed");
    REQUIRE_OK(schedule(&f,
        str_printf(t->arena, "{\"action\":\"cancel\",\"event_id\":\"%.*s\"}", STR_ARG(id)).ptr));
    fixture_close(&f);
}

TEST(schedule_lists_a_chat_among_many_events_of_others)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    enter_chat(&f, "A", "telegram");
    for (int i = 0; i < 120; i++)
        REQUIRE_OK(schedule(&f,
            str_printf(t->arena, "{\"summary\":\"Other %d\",\"start\":\"2026-03-03T15:00:00Z\"}", i)
                .ptr));
    enter_chat(&f, "B", "telegram");
    REQUIRE_OK(schedule(&f, "{\"summary\":\"Ours\",\"start\":\"2026-03-04T15:00:00Z\"}"));
    REQUIRE_OK(schedule(&f, "{\"action\":\"list\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "events")), 1);
    EXPECT_STR(fixture_get(&f, "events.0.summary"), "Ours");
    fixture_close(&f);
}
