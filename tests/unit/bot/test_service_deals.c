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
