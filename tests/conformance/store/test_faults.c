#include "runtime/errinj.h"
#include "suite.h"

/* The faults are the decorator's: without it there is nothing to make fail. */
#define NEED_FAULTS()                                                                              \
    do {                                                                                           \
        if (!suite_is_traced())                                                                    \
            SKIP("faults come from the decorator: see the run with trace:");                       \
    } while (0)

TEST(failed_commit_writes_nothing)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got;

    NEED_FAULTS();
    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    EXPECT_OK(errinj_set("store.commit.before=1"));
    EXPECT_EQ(insert_row(&s, STORE_RUNS, &row), ERR_IO);
    EXPECT_EQ(get_row(&s, STORE_RUNS, "w1", "r1", &got), STORE_MISSING);
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    EXPECT_OK(errinj_set(NULL));
    suite_close(&s);
}

TEST(unknown_outcome_then_retry_converges)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got;
    struct message_row message = a_message("w1", "s1", 1, "once");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_batch batch;
    struct str ids;

    NEED_FAULTS();
    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_RUNS, &row);
    store_insert(&batch, STORE_MESSAGES, &message);
    EXPECT_OK(errinj_set("store.commit.after=1"));
    EXPECT_EQ(store_commit(s.store, &batch), ERR_TIMEOUT);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_EQ(store_commit(s.store, &batch), STORE_EXISTS); /* the same keys: it was written */
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_STR(got.request, "{\"q\":1}");
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "1|");
    suite_close(&s);
}

TEST(workspace_survives_an_unknown_outcome)
{
    struct suite s;
    struct chat_session_row row = a_session("w9", "s1"), got;

    NEED_FAULTS();
    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(errinj_set("store.commit.after=1"));
    EXPECT_EQ(store_workspace(s.store, S("w9")), ERR_TIMEOUT);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_OK(store_workspace(s.store, S("w9")));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w9", "s1", &got));
    EXPECT_STR(got.title, "Launch of the Ōsaka office");
    suite_close(&s);
}

TEST(failed_reads_say_so)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got = {.created_at = 77};
    struct store_query query = a_query(STORE_RUNS, "w1", 0, "s1");
    struct str ids;

    NEED_FAULTS();
    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    EXPECT_OK(errinj_set("store.get,store.list"));
    EXPECT_EQ(get_row(&s, STORE_RUNS, "w1", "r1", &got), ERR_IO);
    EXPECT_EQ(got.created_at, 77); /* untouched */
    EXPECT_EQ(list_rows(&s, query, 10, &ids), ERR_IO);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    suite_close(&s);
}
