#include "suite.h"

TEST(children_come_in_order_page_by_page)
{
    struct suite s;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    for (int i = 0; i < 10; i++) {
        struct message_row row = a_message("w1", "s1", (i * 7) % 10, "x"); /* in no order */
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
    }
    EXPECT_OK(list_rows(&s, query, 4, &ids));
    EXPECT_STR(ids, "0 1 2 3|4 5 6 7|8 9|");
    EXPECT_OK(list_rows(&s, query, 5, &ids));
    EXPECT_STR(ids, "0 1 2 3 4|5 6 7 8 9|");
    query.descending = true;
    EXPECT_OK(list_rows(&s, query, 4, &ids));
    EXPECT_STR(ids, "9 8 7 6|5 4 3 2|1 0|");
    query.from = 3, query.to = 8;
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "7 6|5 4|3|");
    query.descending = false;
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "3 4|5 6|7|");
    suite_close(&s);
}

TEST(list_is_ordered_by_time_then_id)
{
    struct suite s;
    struct store_query query = a_query(STORE_RUNS, "w1", 0, "s1");
    const struct {
        const char *id;
        int64_t at;
    } runs[] = {{"d", 20}, {"b", 10}, {"e", 20}, {"a", 30}, {"c", 20}, {"f", 5}};
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        struct run_row row = a_run("w1", runs[i].id, "s1", runs[i].at);
        EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    }
    EXPECT_OK(list_rows(&s, query, 100, &ids));
    EXPECT_STR(ids, "f b c d e a|");
    EXPECT_OK(list_rows(&s, query, 3, &ids)); /* a page ends between equal times */
    EXPECT_STR(ids, "f b c|d e a|");
    EXPECT_OK(list_rows(&s, query, 1, &ids));
    EXPECT_STR(ids, "f|b|c|d|e|a|");
    query.descending = true;
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "a e|d c|b f|");
    query.from = 10, query.to = 30;
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "e d|c b|");
    query.descending = false;
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "b c|d e|");
    suite_close(&s);
}

TEST(list_follows_updates)
{
    struct suite s;
    struct run_row run = a_run("w1", "r1", "s1", 10), other = a_run("w1", "r2", "s1", 20);
    struct store_query running = a_query(STORE_RUNS, "w1", 1, "running");
    struct store_query paused = a_query(STORE_RUNS, "w1", 1, "paused");
    struct store_query nothing = a_query(STORE_RUNS, "w1", 1, "");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &other));
    EXPECT_OK(list_rows(&s, running, 9, &ids));
    EXPECT_STR(ids, "r1 r2|");
    run.listed = STR("paused");
    run.created_at = 11;
    EXPECT_OK(update_row(&s, STORE_RUNS, &run));
    EXPECT_OK(list_rows(&s, running, 9, &ids));
    EXPECT_STR(ids, "r2|");
    EXPECT_OK(list_rows(&s, paused, 9, &ids));
    EXPECT_STR(ids, "r1|");
    paused.from = 11;
    EXPECT_OK(list_rows(&s, paused, 9, &ids));
    EXPECT_STR(ids, "r1|");
    run.listed = STR(""); /* in no list, and in the one by session as before */
    run.version = 2;
    EXPECT_OK(update_row(&s, STORE_RUNS, &run));
    EXPECT_OK(list_rows(&s, paused, 9, &ids));
    EXPECT_STR(ids, "|");
    EXPECT_OK(list_rows(&s, nothing, 9, &ids));
    EXPECT_STR(ids, "|");
    EXPECT_OK(list_rows(&s, a_query(STORE_RUNS, "w1", 0, "s1"), 9, &ids));
    EXPECT_STR(ids, "r1 r2|");
    run.listed = STR("paused"); /* and in one again */
    run.version = 3;
    EXPECT_OK(update_row(&s, STORE_RUNS, &run));
    EXPECT_OK(list_rows(&s, paused, 9, &ids));
    EXPECT_STR(ids, "r1|");
    suite_close(&s);
}

TEST(cursor_is_stable_under_inserts)
{
    struct suite s;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct message_row *rows;

    REQUIRE_OK(suite_open(t, &s));
    query.limit = 2;
    for (int i = 0; i < 5; i++) {
        struct message_row row = a_message("w1", "s1", i * 10, "x");
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
    }
    REQUIRE_OK(store_list(s.store, &query, t->arena, &page)); /* 0 10 */
    for (int i = 5; i < 20; i += 10) {                        /* 5 is before, 15 after the place */
        struct message_row row = a_message("w1", "s1", i, "new");
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
    }
    query.cursor = page.cursor;
    REQUIRE_OK(store_list(s.store, &query, t->arena, &page));
    REQUIRE(page.count == 2);
    rows = page.rows;
    EXPECT_EQ(rows[0].seq, 15);
    EXPECT_EQ(rows[1].seq, 20);
    suite_close(&s);
}

TEST(wrong_cursor_is_refused)
{
    struct suite s;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct str cursor;
    char *changed;

    REQUIRE_OK(suite_open(t, &s));
    query.limit = 2;
    for (int i = 0; i < 5; i++) {
        struct message_row row = a_message("w1", "s1", i, "x");
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
    }
    REQUIRE_OK(store_list(s.store, &query, t->arena, &page));
    cursor = page.cursor;
    REQUIRE(cursor.len > 10);
    for (size_t i = 0; i < cursor.len; i++)
        EXPECT(char_is_alnum(cursor.ptr[i]) || cursor.ptr[i] == '-' || cursor.ptr[i] == '_');
    for (size_t i = 0; i < cursor.len; i++) {
        changed = str_cstr(t->arena, cursor);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        query.cursor = S(changed);
        EXPECT_EQ(store_list(s.store, &query, t->arena, &page), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "cursor");
        query.cursor = str_slice(cursor, 0, i); /* cut; length 0 is the first page */
        EXPECT_EQ(store_list(s.store, &query, t->arena, &page), i == 0 ? 0 : ERR_INVALID);
    }
    query.cursor = STR("not a cursor!");
    EXPECT_EQ(store_list(s.store, &query, t->arena, &page), ERR_INVALID);
    query.cursor = cursor;
    query.value = S("s2"); /* of another list */
    EXPECT_EQ(store_list(s.store, &query, t->arena, &page), ERR_INVALID);
    query.value = S("s1");
    query.workspace_id = S("w2");
    EXPECT_EQ(store_list(s.store, &query, t->arena, &page), ERR_INVALID);
    suite_close(&s);
}

TEST(long_pages_are_complete)
{
    struct suite s;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct store_batch batch;
    struct message_row *rows = arena_array(t->arena, struct message_row, 2500), *got;
    int64_t expected = 0;

    REQUIRE_OK(suite_open(t, &s));
    query.limit = 1000;
    store_batch_init(&batch, t->arena);
    for (int i = 0; i < 2500; i++) {
        rows[i] = a_message("w1", "s1", i, "a message of some length");
        store_insert(&batch, STORE_MESSAGES, &rows[i]);
    }
    REQUIRE_OK(store_commit(s.store, &batch));
    do {
        REQUIRE_OK(store_list(s.store, &query, t->arena, &page));
        got = page.rows;
        for (size_t i = 0; i < page.count; i++)
            EXPECT_EQ(got[i].seq, expected++);
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor));
    EXPECT_EQ(expected, 2500);
    suite_close(&s);
}

TEST(workspaces_are_listed_by_id)
{
    struct suite s;
    struct store_query query = a_query(STORE_WORKSPACES, "", STORE_ALL, "");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(store_workspace(s.store, S("beta")));
    EXPECT_OK(store_workspace(s.store, S("alpha")));
    EXPECT_OK(store_workspace(s.store, S("gamma")));
    EXPECT_OK(store_workspace(s.store, S("alpha")));
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "alpha beta|gamma|");
    query.descending = true;
    EXPECT_OK(list_rows(&s, query, 2, &ids));
    EXPECT_STR(ids, "gamma beta|alpha|");
    suite_close(&s);
}
