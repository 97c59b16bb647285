#include "fixture.h"

static void vote(struct fixture *f, int number)
{
    struct test *t = f->t;
    struct channel_update update = {.channel = STR("fake"),
        .kind = CHANNEL_POLL_ANSWER,
        .bot_id = STR("1"),
        .poll_id = STR("77"),
        .options = 1};

    update.id = str_printf(t->arena, "fake|1|vote%d", number);
    update.from.id = update.from.name = str_printf(t->arena, "voter%d", number);
    EXPECT_OK(bot_receive(f->bot, &update, STR("{}")));
}

static size_t votes_of(struct fixture *f)
{
    struct test *t = f->t;
    struct store_query query = {.entity = STORE_SCHEDULES,
        .workspace_id = STR("main"),
        .index = 1,
        .value = fixture_session(f, "a"),
        .limit = 10,
        .cursor = STR("")};
    const struct schedule_row *rows;
    const struct json *poll;
    struct store_page page = {0};

    EXPECT_OK(store_list(f->store, &query, t->arena, &page));
    rows = page.rows;
    for (size_t i = 0; i < page.count; i++)
        if (str_is(rows[i].kind, "poll") && json_parse(t->arena, rows[i].payload, &poll) == 0)
            return json_len(json_get(poll, "votes"));
    return 0;
}

/* A poll that somebody forwards is voted for by anybody. */
TEST(a_poll_keeps_so_many_votes_and_no_more)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "/poll Where do we meet?; Madrid; Lisbon");
    (void)fixture_said(&f);
    vote(&f, 0);
    vote(&f, 0); /* delivered twice */
    EXPECT_EQ(votes_of(&f), 1);
    for (int i = 1; i < 520; i++)
        vote(&f, i);
    EXPECT_EQ(votes_of(&f), 500);
    fixture_hear(&f, "a", "Ana", "/poll close");
    EXPECT(str_find(fixture_said(&f), STR("(500)"), 0) > 0);
    fixture_close(&f);
}
