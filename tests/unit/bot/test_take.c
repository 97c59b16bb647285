#include "bot/access.h"
#include "fixture.h"

static size_t lines(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

static size_t answers_to(struct fixture *f, const char *chat, const char *text, int times)
{
    (void)fixture_said(f);
    for (int i = 0; i < times; i++)
        fixture_hear(f, chat, "Eve", text);
    return lines(fixture_said(f));
}

TEST(strangers_cannot_try_codes_without_end)
{
    struct fixture f;
    struct str code;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(bot_pairing_code(f.store, &t->fake->env, STR("main"), 10, t->arena, &code));
    EXPECT_EQ(answers_to(&f, "c", "/pair aaaaaaaaaa", 60), ASKED_BY_PERSON);
    /* Not even the right one is taken now; it holds still, for who is let try. */
    EXPECT_EQ(answers_to(&f, "c", str_printf(t->arena, "/pair %.*s", STR_ARG(code)).ptr, 1), 0);
    EXPECT_EQ(answers_to(&f, "d", str_printf(t->arena, "/pair %.*s", STR_ARG(code)).ptr, 1), 1);
    /* Used up: it lets nobody else in. */
    EXPECT_EQ(answers_to(&f, "e", str_printf(t->arena, "/pair %.*s", STR_ARG(code)).ptr, 1), 1);
    EXPECT(answers_to(&f, "d", "/status", 1) > 0);
    EXPECT_EQ(answers_to(&f, "e", "/status", 1), 0);
    fixture_close(&f);
}

TEST(strangers_are_refused_so_often_and_no_more)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    EXPECT_EQ(answers_to(&f, "c", "/start", 60), ASKED_BY_PERSON);
    EXPECT(answers_to(&f, "a", "/status", 1) > 0);
    fixture_close(&f);
}
