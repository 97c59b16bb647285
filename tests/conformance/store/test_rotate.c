/* Data keys that change while the store is in use, on every back end. */
#include "suite.h"

static bool forgets(void)
{
    return strstr(suite_store_url(), "memory") != NULL;
}

static bool has_body(struct suite *s, const char *session, const char *body)
{
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, session);
    struct store_page page;

    query.limit = 1000;
    if (store_list(s->store, &query, s->arena, &page) != 0)
        return false;
    for (size_t i = 0; i < page.count; i++)
        if (str_is(((const struct message_row *)page.rows)[i].body, body))
            return true;
    return false;
}

static struct str data_keys(struct suite *s)
{
    struct workspace_row row = {.data_key = STR("")};

    if (get_row(s, STORE_WORKSPACES, "w1", "w1", &row) != 0)
        return STR("");
    return row.data_key;
}

static int say(struct suite *s, int64_t seq, const char *body)
{
    struct message_row message = a_message("w1", "s1", seq, body);

    return insert_row(s, STORE_MESSAGES, &message);
}

/* Another process on the same store. */
static int open_second(struct test *t, const struct suite *first, struct suite *ret_second)
{
    const char *key = str_printf(t->arena, "%s/master.key", first->config.data_dir).ptr;
    struct suite second = {.config = first->config, .arena = t->arena};
    int r = sealer_open(env_system(), key, false, &second.sealer, NULL);

    if (r == 0)
        r = store_open(&second.config, env_system(), second.sealer, &second.store);
    if (r == 0)
        *ret_second = second;
    return r;
}

TEST(rotated_data_keys_are_learnt_by_others)
{
    struct suite one, two;
    int64_t count = 0;

    if (forgets())
        SKIP("a store in memory has one process");
    REQUIRE_OK(suite_open(t, &one));
    EXPECT_OK(say(&one, 1, "before"));
    REQUIRE_OK(open_second(t, &one, &two));
    EXPECT(has_body(&two, "s1", "before"));
    EXPECT_OK(store_rotate_data(one.store, S("w1"), &count));
    EXPECT_EQ(count, 1);
    EXPECT_OK(say(&two, 2, "by the former key"));
    EXPECT_OK(store_rotate_data(one.store, S(""), &count));
    EXPECT(count >= 1);
    EXPECT(has_body(&one, "s1", "by the former key"));
    EXPECT_OK(say(&one, 3, "by the newest key"));
    EXPECT(has_body(&two, "s1", "by the newest key"));
    EXPECT(has_body(&two, "s1", "before"));
    EXPECT_EQ(store_rotate_data(one.store, S("nobody"), &count), ERR_NOT_FOUND);
    suite_close(&two);
    suite_close(&one);
}

TEST(old_rows_are_sealed_anew_and_former_keys_dropped)
{
    struct suite s, again;
    struct chat_session_row session = a_session("w1", "s1");
    struct run_row run = a_run("w1", "r1", "s1", 1), got;
    struct store_reseal state;
    int64_t count, long_ago = env_mono_ms(env_system()) - 3600 * SECOND_MS;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &session));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    for (int64_t seq = 1; seq <= 120; seq++)
        EXPECT_OK(say(&s, seq, seq == 77 ? "seventy-seven" : "other"));
    EXPECT_OK(store_rotate_data(s.store, S("w1"), &count));
    EXPECT_OK(say(&s, 121, "new"));
    EXPECT(str_find_char(data_keys(&s), ',', 0) > 0);
    REQUIRE_OK(store_reseal(s.store, S("w1"), long_ago, NULL, NULL, &state));
    EXPECT_EQ(state.left, 0);
    EXPECT_EQ(state.dropped, 1);
    EXPECT(forgets() || state.resealed >= 120);
    EXPECT(str_find_char(data_keys(&s), ',', 0) < 0);
    REQUIRE_OK(store_reseal(s.store, S("w1"), long_ago, NULL, NULL, &state));
    EXPECT_EQ(state.resealed, 0);
    EXPECT_EQ(state.dropped, 0);
    EXPECT_EQ(store_reseal(s.store, S("none"), long_ago, NULL, NULL, &state), ERR_NOT_FOUND);
    if (!forgets()) {
        REQUIRE_OK(open_second(t, &s, &again)); /* who knows the newest key alone */
        EXPECT(has_body(&again, "s1", "new"));
        EXPECT_OK(get_row(&again, STORE_RUNS, "w1", "r1", &got));
        EXPECT_STR(got.request, "{\"q\":1}");
        EXPECT_OK(get_row(&again, STORE_CHAT_SESSIONS, "w1", "s1", &session));
        EXPECT_STR(session.title, "Launch of the Ōsaka office");
        EXPECT(has_body(&again, "s1", "seventy-seven"));
        suite_close(&again);
    }
    suite_close(&s);
}

/* What is in no chat any more cannot come back by being sealed anew. */
TEST(rows_that_cannot_be_sealed_anew_keep_their_key)
{
    struct suite s;
    struct store_reseal state;
    int64_t count, long_ago = env_mono_ms(env_system()) - 3600 * SECOND_MS;

    if (!strstr(suite_store_url(), "sqlite"))
        SKIP("only a whole scan finds messages without their chat");
    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(say(&s, 1, "an orphan"));
    EXPECT_OK(store_rotate_data(s.store, S("w1"), &count));
    REQUIRE_OK(store_reseal(s.store, S("w1"), long_ago, NULL, NULL, &state));
    EXPECT_EQ(state.left, 1);
    EXPECT_EQ(state.dropped, 0);
    EXPECT(has_body(&s, "s1", "an orphan"));
    suite_close(&s);
}
