#include "fixture.h"
#include "store/erase.h"

static struct str ask(struct fixture *f, const char *chat, const char *command)
{
    (void)fixture_said(f);
    fixture_hear(f, chat, "Ana", command);
    return fixture_said(f);
}

TEST(moves_are_kept_with_their_reasons)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    EXPECT_STR(ask(&f, "a", "/deal Acme Corp Lead: met at the fair"),
        "a: Noted: **Acme Corp**: lead (Mon 2 Mar 2026, Ana): met at the fair\n");
    t->fake->wall_ms += DAY_MS;
    (void)ask(&f, "a", "/deal acme corp won they signed the proposal");
    (void)ask(&f, "a", "/deal Globex lead they wrote us");
    EXPECT_STR(ask(&f, "a", "/deals"),
        "a: Deals of this chat:\n\n- **Globex**: lead (Tue 3 Mar 2026, Ana): they wrote us\n"
        "- **acme corp**: won (Tue 3 Mar 2026, Ana): they signed the proposal\n");
    EXPECT_STR(ask(&f, "a", "/deal ACME corp"),
        "a: **ACME corp**\n\n- lead (Mon 2 Mar 2026, Ana): met at the fair\n"
        "- won (Tue 3 Mar 2026, Ana): they signed the proposal\n");
    EXPECT(str_find(ask(&f, "b", "/deals"), STR("No deals"), 0) >= 0);
    fixture_close(&f);
}

TEST(marks_before_a_reason_go_and_its_own_letters_stay)
{
    static const struct {
        const char *said, *reason;
    } cases[] = {
        {"/deal Acme won – €12 a seat", "€12 a seat"},
        {"/deal Acme lost: “too dear”", "“too dear”"},
        {"/deal Acme won — €9, two years", "€9, two years"},
        {"/deal Acme lead, -: они хотят 40 мест", "они хотят 40 мест"},
        {"/deal Ромашка proposal 你好", "你好"},
    };
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str want = str_printf(t->arena, "Ana): %s\n", cases[i].reason);

        EXPECT(str_ends(ask(&f, "a", cases[i].said), want));
    }
    fixture_close(&f);
}

TEST(a_deal_lost_and_won_back_keeps_its_story)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    (void)ask(&f, "a", "/deal Acme GmbH & Co. KG lead they wrote us");
    (void)ask(&f, "a", "/deal acme gmbh & co. kg lost budget was cut");
    (void)ask(&f, "a", "/deal Acme GmbH & Co. KG negotiation new CFO, won back the budget");
    (void)ask(&f, "a", "/deal Acme GmbH & Co. KG won signed for two years");
    EXPECT_STR(ask(&f, "a", "/deals"),
        "a: Deals of this chat:\n\n- **Acme GmbH & Co. KG**: won (Mon 2 Mar 2026, Ana): signed for "
        "two years\n");
    EXPECT_STR(ask(&f, "a", "/deal Acme GmbH & Co. KG"),
        "a: **Acme GmbH & Co. KG**\n\n- lead (Mon 2 Mar 2026, Ana): they wrote us\n"
        "- lost (Mon 2 Mar 2026, Ana): budget was cut\n"
        "- negotiation (Mon 2 Mar 2026, Ana): new CFO, won back the budget\n"
        "- won (Mon 2 Mar 2026, Ana): signed for two years\n");
    fixture_close(&f);
}

TEST(a_move_needs_name_stage_and_reason)
{
    static const char *const wrong[] = {
        "/deal", "/deal Acme", "/deal Acme won", "/deal won they signed", "/deal Acme sold for 5"};
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT(str_find(ask(&f, "a", wrong[i]), STR("stages: lead, qualified"), 0) >= 0);
    EXPECT(str_find(ask(&f, "a", "/deals"), STR("No deals"), 0) >= 0);
    fixture_close(&f);
}

TEST(who_is_erased_is_in_no_deal_and_no_reminder)
{
    struct fixture f;
    struct erase_stats stats;

    REQUIRE(fixture_open(t, &f));
    (void)ask(&f, "a", "/deal Acme lead Ana met them");
    (void)ask(&f, "a", "/remind tomorrow send the deck");
    REQUIRE_OK(erase_person(f.store, STR("main"), STR("ana"), &stats));
    EXPECT_EQ(stats.sessions, 1);
    EXPECT(str_find(ask(&f, "a", "/deals"), STR("No deals"), 0) >= 0);
    EXPECT(str_find(ask(&f, "a", "/remind list"), STR("No reminders"), 0) >= 0);
    fixture_close(&f);
}
