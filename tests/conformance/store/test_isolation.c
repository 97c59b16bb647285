#include "store/front.h"
#include "suite.h"

TEST(same_ids_in_two_workspaces_never_meet)
{
    struct suite s;
    struct chat_session_row one = a_session("w1", "s1"), two = a_session("w2", "s1"), got;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    two.title = STR("the other");
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &one));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &two));
    for (int i = 0; i < 3; i++) {
        struct message_row a = a_message("w1", "s1", i, "a"),
                           b = a_message("w2", "s1", i + 10, "b");
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &a));
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &b));
    }
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "0 1 2|");
    one.message_count = 50;
    EXPECT_OK(update_row(&s, STORE_CHAT_SESSIONS, &one));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w2", "s1", &got));
    EXPECT_EQ(got.message_count, 3);
    EXPECT_STR(got.title, "the other");
    EXPECT_OK(delete_row(&s, STORE_CHAT_SESSIONS, &one));
    EXPECT_OK(delete_all(&s, STORE_MESSAGES, "w1", STORE_CHILDREN, "s1"));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w2", "s1", &got));
    query.workspace_id = S("w2");
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "10 11 12|");
    suite_close(&s);
}

/* One workspace's id is the beginning of another's; parents likewise. */
TEST(prefixes_are_other_ids)
{
    struct suite s;
    struct store_query query = a_query(STORE_MESSAGES, "w", STORE_CHILDREN, "s");
    struct message_row rows[] = {a_message("w", "s", 1, "x"), a_message("w", "s1", 2, "x"),
        a_message("w1", "s", 3, "x"), a_message("w1", "s1", 4, "x")};
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &rows[i]));
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "1|");
    EXPECT_OK(delete_all(&s, STORE_MESSAGES, "w", STORE_CHILDREN, "s"));
    query.workspace_id = S("w1");
    query.value = S("s1");
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "4|");
    suite_close(&s);
}

/* Read a row as the back end holds it: sealed. */
static int raw_get(
    struct suite *s, const char *workspace, const char *id, struct chat_session_row *ret_row)
{
    return s->store->ops->get(
        s->store->backend, STORE_CHAT_SESSIONS, S(workspace), S(id), s->arena, ret_row);
}

static int raw_put(struct suite *s, const struct chat_session_row *row)
{
    struct store_batch batch;

    store_batch_init(&batch, s->arena);
    store_put(&batch, STORE_CHAT_SESSIONS, row);
    return s->store->ops->commit(s->store->backend, &batch);
}

TEST(sealed_values_are_not_plain_in_the_back_end)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), raw;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    REQUIRE_OK(raw_get(&s, "w1", "s1", &raw));
    EXPECT_EQ(str_find(raw.sealed, STR("saka"), 0) < 0, !s.store->plain);
    /* one value for both columns, each behind its length */
    EXPECT_EQ(raw.sealed.len,
        4 + row.title.len + 4 + row.state.len + (s.store->plain ? 0 : SEAL_OVERHEAD));
    EXPECT_STR(raw.channel, "api");
    suite_close(&s);
}

TEST(sealed_value_opens_only_in_its_place)
{
    struct suite s;
    struct chat_session_row one = a_session("w1", "s1"), two = a_session("w1", "s2"),
                            far = a_session("w2", "s1"), a, b, got;

    REQUIRE_OK(suite_open(t, &s));
    if (s.store->plain) {
        suite_close(&s);
        SKIP("this store keeps rows in memory only, unsealed");
    }
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &one));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &two));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &far));
    REQUIRE_OK(raw_get(&s, "w1", "s1", &a));

    REQUIRE_OK(raw_get(&s, "w1", "s2", &b));
    b.sealed = a.sealed; /* another row */
    EXPECT_OK(raw_put(&s, &b));
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s2", &got), ERR_CORRUPT);

    REQUIRE_OK(raw_get(&s, "w2", "s1", &b));
    b.sealed = a.sealed; /* the same row of another workspace */
    EXPECT_OK(raw_put(&s, &b));
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w2", "s1", &got), ERR_CORRUPT);

    b = a;
    b.sealed = str_slice(a.sealed, 0, a.sealed.len - 1); /* cut */
    EXPECT_OK(raw_put(&s, &b));
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got), ERR_CORRUPT);
    EXPECT(strstr(err_message(), "chat_sessions s1") != NULL);

    EXPECT_OK(raw_put(&s, &a)); /* put back, it opens again */
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_STR(got.title, "Launch of the Ōsaka office");
    suite_close(&s);
}
