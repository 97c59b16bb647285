#include "runtime/fiber.h"
#include "suite.h"

TEST(insert_then_get_gives_every_column_back)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), got;

    REQUIRE_OK(suite_open(t, &s));
    row.chat_key = STR("telegram|1|2|3");
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_STR(got.workspace_id, "w1");
    EXPECT_STR(got.id, "s1");
    EXPECT_EQ(got.version, 1);
    EXPECT_STR(got.chat_key, "telegram|1|2|3");
    EXPECT_STR(got.title, "Launch of the Ōsaka office");
    EXPECT_STR(got.state, "{}");
    EXPECT_EQ(got.message_count, 3);
    EXPECT_EQ(got.updated_at, 2000);
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s2", &got), STORE_MISSING);
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w2", "s1", &got), STORE_MISSING);
    suite_close(&s);
}

TEST(insert_is_idempotent_by_key)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), got;
    struct message_row message = a_message("w1", "s1", 7, "hello");

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    row.message_count = 99;
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &row), STORE_EXISTS);
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_EQ(got.message_count, 3);
    EXPECT_OK(insert_row(&s, STORE_MESSAGES, &message));
    EXPECT_EQ(insert_row(&s, STORE_MESSAGES, &message), STORE_EXISTS);
    suite_close(&s);
}

TEST(update_is_optimistic)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), got;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_EQ(update_row(&s, STORE_CHAT_SESSIONS, &row), STORE_MISSING);
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    row.message_count = 4;
    EXPECT_OK(update_row(&s, STORE_CHAT_SESSIONS, &row));
    row.message_count = 5;
    EXPECT_EQ(update_row(&s, STORE_CHAT_SESSIONS, &row), STORE_CONFLICT);
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_EQ(got.version, 2);
    EXPECT_EQ(got.message_count, 4);
    row.version = 0; /* whatever is there */
    EXPECT_OK(update_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_EQ(got.version, 3);
    EXPECT_EQ(got.message_count, 5);
    suite_close(&s);
}

TEST(put_inserts_or_replaces)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), got;
    struct message_row message = a_message("w1", "s1", 1, "first");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(put_row(&s, STORE_CHAT_SESSIONS, &row));
    row.title = STR("another");
    EXPECT_OK(put_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_STR(got.title, "another");
    EXPECT_EQ(got.version, 2);
    EXPECT_OK(put_row(&s, STORE_MESSAGES, &message));
    message.body = STR("second");
    EXPECT_OK(put_row(&s, STORE_MESSAGES, &message));
    REQUIRE_OK(store_list(s.store, &query, t->arena, &page));
    REQUIRE(page.count == 1);
    EXPECT_STR(((struct message_row *)page.rows)->body, "second");
    suite_close(&s);
}

TEST(delete_takes_one_row)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), other = a_session("w1", "s2"), got;
    struct message_row message = a_message("w1", "s1", 1, "hello");

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &other));
    EXPECT_OK(delete_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got), STORE_MISSING);
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s2", &got));
    EXPECT_OK(delete_row(&s, STORE_CHAT_SESSIONS, &row)); /* no failure */
    EXPECT_OK(insert_row(&s, STORE_MESSAGES, &message));
    EXPECT_OK(delete_row(&s, STORE_MESSAGES, &message));
    EXPECT_OK(insert_row(&s, STORE_MESSAGES, &message));
    suite_close(&s);
}

TEST(delete_all_takes_children_or_a_list)
{
    struct suite s;
    struct store_query messages = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_query runs = a_query(STORE_RUNS, "w1", 0, "s1");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    for (int i = 0; i < 20; i++) {
        char id[8];
        struct message_row in = a_message("w1", i % 2 ? "s1" : "s2", i, "x");
        struct message_row other = a_message("w2", "s1", i, "x");
        snprintf(id, sizeof(id), "r%02d", i);
        struct run_row run = a_run("w1", id, i % 2 ? "s1" : "s2", i);
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &in));
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &other));
        EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    }
    EXPECT_OK(delete_all(&s, STORE_MESSAGES, "w1", STORE_CHILDREN, "s1"));
    EXPECT_OK(list_rows(&s, messages, 100, &ids));
    EXPECT_STR(ids, "|");
    messages.value = S("s2");
    EXPECT_OK(list_rows(&s, messages, 100, &ids));
    EXPECT_STR(ids, "0 2 4 6 8 10 12 14 16 18|");
    messages.workspace_id = S("w2");
    messages.value = S("s1");
    EXPECT_OK(list_rows(&s, messages, 100, &ids));
    EXPECT_STR(ids, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19|");
    EXPECT_OK(delete_all(&s, STORE_RUNS, "w1", 0, "s1"));
    EXPECT_OK(list_rows(&s, runs, 100, &ids));
    EXPECT_STR(ids, "|");
    runs.value = S("s2");
    EXPECT_OK(list_rows(&s, runs, 100, &ids));
    EXPECT_STR(ids, "r00 r02 r04 r06 r08 r10 r12 r14 r16 r18|");
    suite_close(&s);
}

TEST(unique_value_is_one_per_workspace)
{
    struct suite s;
    struct chat_session_row one = a_session("w1", "s1"), two = a_session("w1", "s2"),
                            far = a_session("w2", "s3"), got;

    REQUIRE_OK(suite_open(t, &s));
    one.chat_key = two.chat_key = far.chat_key = STR("telegram|1|2|3");
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &one));
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &two), STORE_EXISTS);
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &far));
    EXPECT_OK(store_find(s.store, STORE_CHAT_SESSIONS, S("w1"), 0, one.chat_key, t->arena, &got));
    EXPECT_STR(got.id, "s1");
    EXPECT_OK(store_find(s.store, STORE_CHAT_SESSIONS, S("w2"), 0, one.chat_key, t->arena, &got));
    EXPECT_STR(got.id, "s3");
    EXPECT_EQ(store_find(s.store, STORE_CHAT_SESSIONS, S("w3"), 0, one.chat_key, t->arena, &got),
        STORE_MISSING);
    two.chat_key = STR("telegram|9");
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &two));
    two.chat_key = one.chat_key; /* an update may not take it either, nor a put */
    EXPECT_EQ(update_row(&s, STORE_CHAT_SESSIONS, &two), STORE_EXISTS);
    EXPECT_EQ(put_row(&s, STORE_CHAT_SESSIONS, &two), STORE_EXISTS);
    EXPECT_OK(delete_row(&s, STORE_CHAT_SESSIONS, &one)); /* then it is free */
    EXPECT_OK(update_row(&s, STORE_CHAT_SESSIONS, &two));
    EXPECT_OK(store_find(s.store, STORE_CHAT_SESSIONS, S("w1"), 0, one.chat_key, t->arena, &got));
    EXPECT_STR(got.id, "s2");
    suite_close(&s);
}

TEST(empty_unique_values_are_exempt)
{
    struct suite s;
    struct chat_session_row one = a_session("w1", "s1"), two = a_session("w1", "s2"), got;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &one));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &two));
    EXPECT_EQ(
        store_find(s.store, STORE_CHAT_SESSIONS, S("w1"), 0, S(""), t->arena, &got), STORE_MISSING);
    suite_close(&s);
}

TEST(global_value_is_one_in_all_workspaces)
{
    struct suite s;
    struct api_key_row one = a_key("w1", "0000abcd"), two = a_key("w2", "0000abcd"), got;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_API_KEYS, &one));
    EXPECT_EQ(insert_row(&s, STORE_API_KEYS, &two), STORE_EXISTS);
    EXPECT_OK(store_find(s.store, STORE_API_KEYS, S(""), 0, S("0000abcd"), t->arena, &got));
    EXPECT_STR(got.workspace_id, "w1");
    EXPECT_OK(store_find(s.store, STORE_API_KEYS, S("w1"), 0, S("0000abcd"), t->arena, &got));
    EXPECT_EQ(store_find(s.store, STORE_API_KEYS, S("w2"), 0, S("0000abcd"), t->arena, &got),
        STORE_MISSING);
    suite_close(&s);
}

TEST(batch_is_atomic)
{
    struct suite s;
    struct run_row run = a_run("w1", "r1", "s1", 1), got, stale;
    struct message_row one = a_message("w1", "s1", 1, "one"), two = a_message("w1", "s1", 2, "two");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_batch batch;
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_MESSAGES, &two));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    run.state = STR("completed");
    store_batch_init(&batch, t->arena);
    store_update(&batch, STORE_RUNS, &run);
    store_insert(&batch, STORE_MESSAGES, &one);
    store_delete_all(&batch, STORE_AGENT_ACTIONS, S("w1"), STORE_CHILDREN, S("r1"));
    store_insert(&batch, STORE_MESSAGES, &two); /* is there already */
    EXPECT_EQ(store_commit(s.store, &batch), STORE_EXISTS);
    EXPECT_EQ(batch.failed, 3);
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_STR(got.state, "running");
    EXPECT_EQ(got.version, 1);
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "2|");

    stale = run;
    stale.version = 7;
    store_batch_init(&batch, t->arena);
    store_delete(&batch, STORE_MESSAGES, &two);
    store_insert(&batch, STORE_MESSAGES, &one);
    store_update(&batch, STORE_RUNS, &stale);
    EXPECT_EQ(store_commit(s.store, &batch), STORE_CONFLICT);
    EXPECT_EQ(batch.failed, 2);
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "2|");
    suite_close(&s);
}

TEST(ops_of_a_batch_see_each_other)
{
    struct suite s;
    struct run_row run = a_run("w1", "r1", "s1", 1), got;
    struct store_batch batch;

    REQUIRE_OK(suite_open(t, &s));
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_RUNS, &run);
    store_update(&batch, STORE_RUNS, &run);
    EXPECT_OK(store_commit(s.store, &batch));
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_EQ(got.version, 2);
    store_batch_init(&batch, t->arena);
    EXPECT_OK(store_commit(s.store, &batch)); /* nothing to do */
    suite_close(&s);
}

static void check_value(struct test *t, struct suite *s, int64_t seq, struct str value)
{
    struct message_row row = a_message("w1", "values", seq, "");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "values");
    struct store_page page;

    row.body = value;
    query.from = seq, query.to = seq + 1;
    EXPECT_OK(insert_row(s, STORE_MESSAGES, &row));
    REQUIRE_OK(store_list(s->store, &query, t->arena, &page));
    REQUIRE(page.count == 1);
    EXPECT(str_eq(((struct message_row *)page.rows)->body, value));
}

TEST(any_bytes_can_be_sealed)
{
    struct suite s;
    struct str large = {arena_alloc(t->arena, MIB), MIB};

    REQUIRE_OK(suite_open(t, &s));
    for (size_t i = 0; i < large.len; i++)
        ((char *)(uintptr_t)large.ptr)[i] = (char)(i * 7);
    check_value(t, &s, 1, STR(""));
    check_value(t, &s, 2, STR("nul\0in\0between"));
    check_value(t, &s, 3, STR("日本語 العربية 👩‍👩‍👧‍👦"));
    check_value(t, &s, 4, STR("\xff\xfe not UTF-8"));
    check_value(t, &s, 5, large);
    check_value(t, &s, -6, STR("a number below zero"));
    suite_close(&s);
}

TEST(wrong_parameters_are_refused)
{
    struct suite s;
    struct chat_session_row row = a_session("w1", "s1"), bad;
    struct message_row message = a_message("w1", "s1", 1, "x");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    query.limit = 0;
    bad = row, bad.workspace_id = S("");
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &bad), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "workspace_id");
    bad = row, bad.workspace_id = S("a|b");
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &bad), ERR_INVALID);
    bad = row, bad.id = S("");
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &bad), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "id");
    bad = row, bad.channel = STR("a\0b");
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &bad), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "channel");
    bad = row, bad.channel = STR("\xc3");
    EXPECT_EQ(insert_row(&s, STORE_CHAT_SESSIONS, &bad), ERR_INVALID);
    EXPECT_EQ(update_row(&s, STORE_MESSAGES, &message), ERR_INVALID);
    EXPECT_EQ(get_row(&s, STORE_MESSAGES, "w1", "s1", &message), ERR_INVALID);
    EXPECT_EQ(store_list(s.store, &query, t->arena, &page), ERR_INVALID);
    query.index = 0; /* messages have no list */
    EXPECT_EQ(list_rows(&s, query, 10, &ids), ERR_INVALID);
    query.index = STORE_ALL;
    EXPECT_EQ(list_rows(&s, query, 10, &ids), ERR_INVALID);
    EXPECT_EQ(store_find(s.store, STORE_RUNS, S("w1"), 0, S("s1"), t->arena, &row), ERR_INVALID);
    EXPECT_EQ(
        store_find(s.store, STORE_CHAT_SESSIONS, S(""), 0, S("k"), t->arena, &row), ERR_INVALID);
    suite_close(&s);
}

TEST(store_is_healthy)
{
    struct suite s;
    struct store_stats stats;
    struct run_row run = a_run("w1", "r1", "s1", 1);

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(store_health(s.store));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    EXPECT_OK(store_health(s.store));
    store_stats(s.store, &stats);
    EXPECT(stats.commits >= 1);
    EXPECT(stats.batches >= 1);
    EXPECT_EQ(stats.errors, 0);
    EXPECT(!strstr(store_name(s.store), "trace"));
    suite_close(&s);
}
