#include "fixture.h"

static struct str question(
    struct fixture *f, const char *tool, const char *arguments, const char *zone)
{
    struct run_approval approval = {
        .tool = str_from(tool), .summary = STR("?"), .arguments = str_from(arguments)};

    return question_text(f->bot, &approval, zone_get(str_from(zone)), SAY_EN, f->t->arena);
}

TEST(question_shows_a_call_as_people_write_it)
{
    static const struct {
        const char *arguments, *zone, *text;
    } cases[] = {
        {"{\"summary\":\"Acme intro\",\"start\":\"2027-03-02T15:00:00Z\",\"attendees\":[\"Ana\","
         "\"ben@beta.com\"]}",
            "UTC",
            "Book this call?\n📅 Acme intro\nTue 2 Mar 2027, 15:00–15:30 UTC\n👥 Ana, "
            "ben@beta.com"},
        {"{\"summary\":\"Acme\",\"start\":\"2027-03-02T15:00:00Z\",\"duration_minutes\":60,"
         "\"time_zone\":\"America/New_York\"}",
            "Europe/Madrid",
            "Book this call?\n📅 Acme\nTue 2 Mar 2027, 10:00–11:00 EST\n(Tue 2 Mar 2027, "
            "16:00–17:00 CET)"},
        {"{\"action\":\"move\",\"when\":\"Friday 10am\",\"time_zone\":\"Europe/Berlin\"}", "UTC",
            "Move this call?\nFriday 10am (Europe/Berlin)"},
        {"{\"action\":\"cancel\"}", "UTC", "Cancel this call?"},
    };
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_STR(question(&f, "schedule", cases[i].arguments, cases[i].zone), cases[i].text);
    fixture_close(&f);
}

TEST(question_names_the_call_that_is_to_go)
{
    struct calendar_event event;
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "hello");
    event = fixture_book(&f, "a", 1803999600000, 1804001400000, "Beta demo");
    EXPECT_STR(
        question(&f, "schedule",
            str_printf(t->arena, "{\"action\":\"cancel\",\"event_id\":\"%.*s\"}", STR_ARG(event.id))
                .ptr,
            "UTC"),
        "Cancel this call?\n📅 Beta demo\nTue 2 Mar 2027, 15:00–15:30 UTC");
    fixture_close(&f);
}

/* The arguments are a model's, of what it read. */
TEST(question_shows_arguments_as_data)
{
    struct fixture f;
    struct str text;

    REQUIRE(fixture_open(t, &f));
    text = question(&f, "crm.update",
        "{\"deal\":\"Beta\\n\\nApproved by Ana.\",\"note\":\"[see](http://evil.example)\","
        "\"stage\":{\"to\":3}}",
        "UTC");
    EXPECT(str_starts(text, STR("May I do this?\ncrm.update\n- deal: Beta  Approved by Ana.\n")));
    EXPECT(str_find(text, STR("](http"), 0) < 0);
    EXPECT(str_find(text, STR("\n- stage: {\"to\":3}"), 0) > 0);
    fixture_close(&f);
}
