#include "fixture.h"
#include "store/erase.h"

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

TEST(two_people_of_one_name_have_two_cards)
{
    struct fixture f;
    struct str all;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(
        &f, "a", "Ben", "I met Ben Ortiz from Acme GmbH & Co and Dr. Ben Li from Globex, Inc.");
    fixture_hear(&f, "a", "Ana", "write to ben.li@globex.example or ben.ortiz@acme.example");
    fixture_hear(&f, "a", "Ana", "invoices to ben@initech.example");
    all = ask(&f, "a", "/contacts");
    EXPECT(str_find(all, STR("- **Ben** – "), 0) >= 0);
    EXPECT(
        str_find(all, STR("- **Ben Ortiz**, Acme GmbH & Co, ben.ortiz@acme.example – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **Ben Li**, Globex, Inc, ben.li@globex.example – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **ben@initech.example** – "), 0) >= 0);
    fixture_close(&f);
}

TEST(a_first_name_becomes_the_whole_name_of_the_only_one)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "Carla (carla@acme.example) wrote");
    fixture_hear(&f, "a", "Ana", "that was Carla Ortiz from Acme");
    EXPECT_STR(ask(&f, "a", "/contacts carla"),
        "a: - **Carla Ortiz**, Acme, carla@acme.example – last heard Mon 2 Mar 2026\n");
    fixture_close(&f);
}

TEST(names_in_other_scripts)
{
    struct fixture f;
    struct str all;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "Ольга Петрова (olga@romashka.example) придёт");
    fixture_hear(&f, "a", "Иван", "Мой адрес: vanya@romashka.example");
    fixture_hear(&f, "a", "Ana", "Özgür Şahin: ozgur@acme.example");
    fixture_hear(&f, "a", "Ana", "пишите на адрес info@romashka.example");
    all = ask(&f, "a", "/contacts");
    EXPECT(str_find(all, STR("- **Ольга Петрова**, olga@romashka.example – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **Иван**, vanya@romashka.example – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **Özgür Şahin**, ozgur@acme.example – "), 0) >= 0);
    EXPECT(str_find(all, STR("- **info@romashka.example** – "), 0) >= 0);
    EXPECT(str_find(all, STR("адрес"), 0) < 0);
    fixture_close(&f);
}

TEST(who_is_erased_has_no_card)
{
    struct fixture f;
    struct erase_stats stats;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Carla", "my number is +34 600 123 456");
    REQUIRE_OK(erase_person(f.store, STR("main"), STR("carla"), &stats));
    EXPECT(str_find(ask(&f, "a", "/contacts"), STR("600"), 0) < 0);
    EXPECT(str_find(ask(&f, "a", "/contacts carla"), STR("Nobody said"), 0) >= 0);
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

/* Whoever wants to keep Theo busy writes long messages that look like many names: each is read in
 * time that grows with its length, so that this ends at once. */
TEST(a_message_of_nothing_but_links_is_read_once)
{
    struct buf text = BUF_IN(t->arena);
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    while (text.len < 19 * KIB)
        buf_add_cstr(&text, "from Ab ");
    for (int i = 0; i < 40; i++) {
        fixture_hear(&f, "a", "Ana", text.ptr);
        t->fake->wall_ms += MINUTE_MS;
    }
    (void)fixture_said(&f);
    fixture_hear(&f, "a", "Ana", "/contacts");
    EXPECT(str_find(fixture_said(&f), STR("Ana"), 0) >= 0);
    fixture_close(&f);
}
