#include "agent/memory.h"
#include "fixture.h"

/* What is listed after somebody said it; "" nothing. */
static struct str listed(struct test *t, const char *text)
{
    struct fixture f;
    struct str said;
    ptrdiff_t at;

    if (!fixture_open(t, &f))
        return STR("not open");
    fixture_hear(&f, "a", "Ana", text);
    (void)fixture_said(&f);
    fixture_hear(&f, "a", "Ana", "/remind list");
    said = fixture_said(&f);
    at = str_find(said, STR("#1 "), 0);
    fixture_close(&f);
    return at < 0 ? STR("") : str_trim(str_slice(said, (size_t)at + 3, said.len));
}

TEST(reminders_from_what_people_say)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"/remind Friday 3pm send the deck", "Fri 6 Mar 2026, 15:00 UTC – send the deck"},
        {"/remind tomorrow to call Ben", "Tue 3 Mar 2026, 09:00 UTC – call Ben"},
        {"/remind call Ben tomorrow", "Tue 3 Mar 2026, 09:00 UTC – call Ben"},
        {"/remind today to call Ben", "Mon 2 Mar 2026, 17:00 UTC – call Ben"},
        {"Ben owes us the deck by Friday", "Fri 6 Mar 2026, 09:00 UTC – Ben – the deck"},
        {"Ben Ortiz owes us the deck.", "Thu 5 Mar 2026, 09:00 UTC – Ben Ortiz – the deck"},
        {"I owe you the numbers by tomorrow 4pm", "Tue 3 Mar 2026, 16:00 UTC – Ana – the numbers"},
        {"remind us on Thursday to sign", "Thu 5 Mar 2026, 09:00 UTC – sign"},
        {"please remind me tomorrow at 10am to pay the invoice",
            "Tue 3 Mar 2026, 10:00 UTC – pay the invoice"},
        {"Does Ben owe us the deck by Friday?", ""},
        {"Thanks for the reminder, that was due on Friday", ""},
        {"It owes its beauty to the light", ""},
        {"remind us to sign", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_STR(listed(t, cases[i].text), cases[i].want);
}

TEST(what_is_said_among_people_is_noted_without_words)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "Ben owes us the deck by Friday");
    EXPECT_STR(fixture_said(&f), "a: (✍)\n");
    fixture_hear(&f, "a", "Ana", "@TheoBot remind us on Thursday to sign");
    EXPECT(str_starts(fixture_said(&f), STR("a: I'll remind you here: #2 Thu 5 Mar 2026")));
    fixture_pass(&f, 4 * DAY_MS);
    EXPECT_STR(fixture_said(&f),
        "a: ⏰ Reminder: sign\nNoted by Ana.\na: ⏰ Reminder: Ben – the deck\nNoted by Ana.\n");
    fixture_close(&f);
}

TEST(reminders_of_one_chat_are_no_other_chats)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/remind tomorrow send the deck");
    fixture_hear(&f, "b", "Ana", "hello there");
    (void)fixture_said(&f);
    fixture_hear(&f, "b", "Ana", "/remind list");
    EXPECT_STR(fixture_said(&f), "b: No reminders are to come in this chat.\n");
    fixture_hear(&f, "b", "Ana", "/remind cancel 1");
    EXPECT(str_find(fixture_said(&f), STR("no reminder #1"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "/remind cancel #1");
    EXPECT(str_starts(fixture_said(&f), STR("a: Dropped: #1 Tue 3 Mar")));
    fixture_pass(&f, 2 * DAY_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}

TEST(times_that_are_over_or_missing_are_asked_for)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/remind yesterday send the deck");
    EXPECT(str_find(fixture_said(&f), STR("that time is over"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "/remind 1 March 2026 3pm send the deck");
    EXPECT(str_find(fixture_said(&f), STR("that time is over"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "/remind send the deck");
    EXPECT(str_find(fixture_said(&f), STR("When, and of what?"), 0) >= 0);
    fixture_hear(&f, "a", "Ana", "/remind tomorrow");
    EXPECT(str_find(fixture_said(&f), STR("When, and of what?"), 0) >= 0);
    fixture_close(&f);
}

TEST(open_points_with_a_time_become_reminders)
{
    struct fixture f;
    struct memory_row note;
    struct str said;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ben", "I'll send the contract by Friday");
    note = (struct memory_row){.workspace_id = STR("main"),
        .id = STR(""),
        .session_id = fixture_session(&f, "a"),
        .kind = STR("open_point"),
        .state = STR("active"),
        .subject_kind = STR("person"),
        .subject = STR("Ben"),
        .body = STR("I'll send the contract by Friday"),
        .source = STR("digest"),
        .run_id = STR(""),
        .message_seq = 1};
    REQUIRE_OK(memory_add(f.store, &t->fake->env, t->arena, &note));
    note.id = STR("");
    note.body = STR("somebody should look into it");
    REQUIRE_OK(memory_add(f.store, &t->fake->env, t->arena, &note));
    fixture_pass(&f, MINUTE_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_pass(&f, 4 * DAY_MS);
    said = fixture_said(&f);
    EXPECT_STR(said, "a: ⏰ Reminder: Ben – I'll send the contract by Friday\n");
    fixture_pass(&f, DAY_MS);
    EXPECT_STR(fixture_said(&f), "");
    fixture_close(&f);
}
