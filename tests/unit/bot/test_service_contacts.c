#include "fixture.h"

static struct str ask(struct fixture *f, const char *chat, const char *command)
{
    (void)fixture_said(f);
    fixture_hear(f, chat, "Ana", command);
    return fixture_said(f);
}

TEST(cards_of_people_and_companies)
{
    struct fixture f;
    struct str all;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "I met Carla Ortiz from Acme Labs, her mail: carla@acme.example");
    fixture_hear(&f, "a", "Ben", "I'm from Globex, reach me at +34 600 123 456");
    fixture_hear(&f, "a", "Ben", "Dana (dana.li@initech.example) will join");
    fixture_hear(&f, "a", "Ben", "the invoices go to billing@initech.example");
    all = ask(&f, "a", "/contacts");
    EXPECT(str_find(all,
               STR("- **Carla Ortiz**, Acme Labs, carla@acme.example – last heard Mon 2 Mar 2026"),
               0) >= 0);
    EXPECT(str_find(all, STR("- **Ben**, Globex, +34 600 123 456 – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **Dana**, dana.li@initech.example – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **billing@initech.example** – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **Ana** – "), 0) >= 0);
    EXPECT_STR(ask(&f, "a", "/contacts globex"),
        "a: - **Ben**, Globex, +34 600 123 456 – last heard Mon 2 Mar 2026\n");
    EXPECT(str_find(ask(&f, "a", "/contacts carla"), STR("Carla Ortiz"), 0) >= 0);
    EXPECT_STR(
        ask(&f, "b", "/contacts carla"), "b: Nobody said anything in this chat about carla.\n");
    fixture_close(&f);
}

TEST(what_is_no_name_makes_no_card)
{
    struct fixture f;
    struct str all;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "The offer from Acme is good, and a mail from Monday too");
    fixture_hear(&f, "a", "Ana", "We moved from Madrid. Call on Friday from Berlin");
    all = ask(&f, "a", "/contacts");
    EXPECT_STR(all, "a: Who I know from this chat:\n\n- **Ana** – last heard Mon 2 Mar 2026\n");
    fixture_close(&f);
}
