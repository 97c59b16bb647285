#include "fixture.h"
#include "runtime/errinj.h"

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)error;
    (void)arena;
    for (int i = 0; i < call % 5; i++)
        fiber_yield();
    return reply_text(reply, "Yes.");
}

struct background {
    struct fixture *f;
    struct run_request request;
    struct run_result result;
    struct arena arena;
    struct fiber *fiber;
    int rc;
};

static void run_in_background(void *arg)
{
    struct background *b = arg;

    b->rc = run_chat(&b->f->house, &b->request, &b->arena, &b->result);
}

static size_t count_of(struct str text, const char *needle)
{
    size_t count = 0;

    for (ptrdiff_t at = str_find(text, str_from(needle), 0); at >= 0;
         at = str_find(text, str_from(needle), (size_t)at + 1))
        count++;
    return count;
}

#define RUNS 10

TEST(journal_loses_no_message_of_runs_at_once)
{
    struct background runs[RUNS] = {0};
    struct fixture f;
    struct run_result result;
    struct run_request request;
    struct chat_session_row session;
    struct str messages;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: hello\nBen: Theo, one?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    for (int i = 0; i < RUNS; i++) {
        runs[i].f = &f;
        runs[i].request = fixture_request(
            &f, str_printf(t->arena, "Ana: hello\nBen: Theo, one?\nAna: Theo, more %d?", i).ptr);
        runs[i].request.session_id = result.session_id;
        arena_init(&runs[i].arena);
        runs[i].fiber = fiber_spawn_joinable(fiber_loop(), "test", run_in_background, &runs[i]);
    }
    for (int i = 0; i < RUNS; i++) {
        REQUIRE_OK(fiber_join(runs[i].fiber));
        EXPECT_OK(runs[i].rc);
        arena_deinit(&runs[i].arena);
    }
    messages = fixture_messages(&f, result.session_id);
    for (int i = 0; i < RUNS; i++)
        EXPECT_EQ(count_of(messages, str_printf(t->arena, "more %d?", i).ptr), 1);
    EXPECT_EQ(count_of(messages, "Ana: hello"), 1);
    EXPECT_EQ(count_of(messages, "Theo: Yes."), RUNS + 1);
    EXPECT_EQ(fixture_runs(&f, result.session_id, "completed"), RUNS + 1);
    REQUIRE_OK(store_get(
        f.store, STORE_CHAT_SESSIONS, STR("main"), result.session_id, t->arena, &session));
    EXPECT_EQ(session.message_count, 2 + RUNS + RUNS + 1);
    fixture_close(&f);
}

TEST(journal_stores_nothing_when_the_first_commit_fails)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    struct store_query query = {.entity = STORE_CHAT_SESSIONS,
        .workspace_id = STR("main"),
        .index = 1,
        .value = STR("chat"),
        .limit = 10,
        .cursor = STR("")};
    struct store_page page;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, one?");
    REQUIRE_OK(errinj_set("store.commit.before"));
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_IO);
    EXPECT(str_empty(result.run_id));
    EXPECT_EQ(f.calls[0], 0);
    EXPECT_STR(buf_str(&f.seen), "");
    REQUIRE_OK(errinj_set(NULL));
    REQUIRE_OK(store_list(f.store, &query, t->arena, &page));
    EXPECT_EQ(page.count, 0);
    fixture_close(&f);
}

TEST(journal_looks_up_a_commit_of_unknown_outcome)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    for (int at = 1; at <= 2; at++) {
        REQUIRE(fixture_open(t, &f, answers, NULL));
        request = fixture_request(&f, "Ana: Theo, one?");
        REQUIRE_OK(errinj_set(at == 1 ? "store.commit.after=1" : "store.commit.after=2"));
        REQUIRE_OK(fixture_run(&f, &request, &result));
        EXPECT_STR(fixture_messages(&f, result.session_id), "Ana: Theo, one?\nTheo: Yes.\n");
        EXPECT_EQ(fixture_runs(&f, result.session_id, "completed"), 1);
        EXPECT_EQ(json_len(fixture_events(&f, result.run_id)), 5);
        fixture_close(&f);
    }
}

TEST(journal_keeps_the_callers_key_out)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    struct run_row row;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, one?");
    request.model_api_key = STR("sk-callers");
    request.metadata = STR("{\"deal\":7}");
    request.system_prompt = STR("Be brief.");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    REQUIRE_OK(store_get(f.store, STORE_RUNS, STR("main"), result.run_id, t->arena, &row));
    EXPECT(str_find(row.request, STR("sk-callers"), 0) < 0);
    EXPECT(str_find(row.request, STR("\"metadata\":{\"deal\":7}"), 0) >= 0);
    EXPECT(str_find(row.request, STR("Be brief."), 0) >= 0);
    fixture_close(&f);
}

TEST(journal_reports_a_session_deleted_meanwhile)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    struct chat_session_row row = {.workspace_id = STR("main")};
    struct store_batch batch;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, one?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    row.id = request.session_id = result.session_id;
    store_batch_init(&batch, t->arena);
    store_delete(&batch, STORE_CHAT_SESSIONS, &row);
    REQUIRE_OK(store_commit(f.store, &batch));
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_NOT_FOUND);
    EXPECT_CSTR(err_get()->field, "session_id");
    fixture_close(&f);
}

/* The first commit is written, but neither it nor the look-up says so. */
TEST(journal_meets_its_own_earlier_try)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, one?");
    REQUIRE_OK(errinj_set("store.commit.after=1,store.get=1"));
    REQUIRE_OK(fixture_run(&f, &request, &result));
    request.session_id = result.session_id;
    REQUIRE_OK(errinj_set("store.commit.after=1,store.get=2"));
    request.chat.messages[0].text = STR("Theo, two?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(fixture_messages(&f, result.session_id),
        "Ana: Theo, one?\nTheo: Yes.\nAna: Theo, two?\nTheo: Yes.\n");
    EXPECT_EQ(fixture_runs(&f, result.session_id, "completed"), 2);
    fixture_close(&f);
}

TEST(journal_does_not_wait_for_a_store_for_ever)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, one?");
    REQUIRE_OK(errinj_set("store.commit.after,store.get"));
    EXPECT(fixture_run(&f, &request, &result) < 0);
    EXPECT_EQ(f.calls[0], 0);
    fixture_close(&f);
}

static int64_t batches(const struct fixture *f)
{
    struct store_stats stats;

    store_stats(f->store, &stats);
    return stats.batches;
}

static struct run_request unwatched(struct fixture *f, const char *chat)
{
    struct run_request request = fixture_request(f, chat);

    request.sink = NULL;
    return request;
}

TEST(journal_of_a_short_run_on_a_new_chat_is_one_commit)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    int64_t before;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = unwatched(&f, "Ana: hello\nBen: Theo, one?");
    REQUIRE_OK(store_workspace(f.store, STR("main")));
    before = batches(&f);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(batches(&f), before + 1);
    EXPECT_STR(
        fixture_messages(&f, result.session_id), "Ana: hello\nBen: Theo, one?\nTheo: Yes.\n");
    EXPECT_EQ(fixture_runs(&f, result.session_id, "completed"), 1);
    EXPECT_EQ(json_len(fixture_events(&f, result.run_id)), 5);
    fixture_close(&f);
}

static size_t stored_rows(struct fixture *f, struct str session_id)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = STR("main"),
        .index = STORE_CHILDREN,
        .value = session_id,
        .limit = 100,
        .cursor = STR("")};
    struct store_page page;

    return store_list(f->store, &query, f->t->arena, &page) < 0 ? 99 : page.count;
}

TEST(journal_of_a_short_run_on_a_known_chat_is_one_commit)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    int64_t before;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = unwatched(&f, "Ana: Theo, one?");
    request.idempotency_key = STR("key 1");
    REQUIRE_OK(store_workspace(f.store, STR("main")));
    before = batches(&f);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(batches(&f), before + 1);
    request = unwatched(&f, "Ana: Theo, two?\nBen: And three?");
    request.session_id = result.session_id;
    request.idempotency_key = STR("key 2");
    request.must_reply = true;
    before = batches(&f);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(batches(&f), before + 1);
    EXPECT_EQ(stored_rows(&f, result.session_id), 2); /* a row each, with the answer in it */
    EXPECT_STR(fixture_messages(&f, result.session_id),
        "Ana: Theo, one?\nTheo: Yes.\nAna: Theo, two?\nBen: And three?\nTheo: Yes.\n");
    EXPECT_EQ(json_len(fixture_events(&f, result.run_id)), 5);
    fixture_close(&f);
}

/* Each finds at its end that the chat has moved on: it is stored behind, and asks no model again.
 */
TEST(journal_of_one_commit_joins_on_behind_others)
{
    struct background runs[RUNS] = {0};
    struct fixture f;
    struct run_result result;
    struct run_request request;
    struct str messages;
    struct run_row row;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = unwatched(&f, "Ana: Theo, one?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    for (int i = 0; i < RUNS; i++) {
        runs[i].f = &f;
        runs[i].request = unwatched(&f, str_printf(t->arena, "Ana: Theo, more %d?", i).ptr);
        runs[i].request.session_id = result.session_id;
        arena_init(&runs[i].arena);
        runs[i].fiber = fiber_spawn_joinable(fiber_loop(), "test", run_in_background, &runs[i]);
    }
    for (int i = 0; i < RUNS; i++)
        REQUIRE_OK(fiber_join(runs[i].fiber));
    messages = fixture_messages(&f, result.session_id);
    for (int i = 0; i < RUNS; i++) {
        struct str both = str_printf(t->arena, "Ana: Theo, more %d?\nTheo: Yes.\n", i);
        ptrdiff_t at = str_find(messages, both, 0);
        int64_t before = (int64_t)count_of(str_slice(messages, 0, (size_t)MAX(at, 0)), "\n");
        struct str numbers = str_printf(t->arena, "\"messages\":{\"from\":%lld,\"to\":%lld}",
            (long long)before + 1, (long long)before + 1);

        EXPECT_OK(runs[i].rc);
        EXPECT(at > 0);
        REQUIRE_OK(
            store_get(f.store, STORE_RUNS, STR("main"), runs[i].result.run_id, t->arena, &row));
        EXPECT_STR(row.state, "completed");
        EXPECT_EQ(count_of(row.request, numbers.ptr), 1);
        EXPECT_EQ(count_of(row.events, numbers.ptr), 1);
        EXPECT_EQ(count_of(row.events, "run.completed"), 1);
        EXPECT_EQ(json_len(fixture_events(&f, row.id)), 5);
        arena_deinit(&runs[i].arena);
    }
    EXPECT_EQ(f.calls[0], RUNS + 1);
    EXPECT_EQ(stored_rows(&f, result.session_id), RUNS + 1);
    fixture_close(&f);
}

/* The first try made the session under the key of its request; the second learns it at its end. */
TEST(journal_of_a_repeated_request_finds_the_session_of_the_first)
{
    struct fixture f;
    struct run_result first, second;
    struct run_request request;
    struct run_row row;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = unwatched(&f, "Ana: Theo, one?");
    request.idempotency_key = STR("key");
    REQUIRE_OK(fixture_run(&f, &request, &first));
    REQUIRE_OK(fixture_run(&f, &request, &second));
    EXPECT_STR(second.session_id, first.session_id.ptr);
    EXPECT_STR(fixture_messages(&f, first.session_id), "Ana: Theo, one?\nTheo: Yes.\nTheo: Yes.\n");
    REQUIRE_OK(store_get(f.store, STORE_RUNS, STR("main"), second.run_id, t->arena, &row));
    EXPECT_EQ(count_of(row.result, first.session_id.ptr), 1);
    EXPECT_EQ(count_of(row.events, first.session_id.ptr), 1);
    EXPECT_EQ(count_of(row.events, "\"run.completed\""), 1);
    EXPECT(str_ends(row.events, STR("\"data\":null}]"))); /* it is the row's result */
    EXPECT_EQ(json_len(fixture_events(&f, second.run_id)), 5);
    fixture_close(&f);
}

/* Whether the run is stored while its model works; the runs that are open are all there are. */
static size_t open_runs(struct fixture *f)
{
    struct store_query query = {.entity = STORE_RUNS,
        .workspace_id = STR("main"),
        .index = 1,
        .value = STR("running"),
        .limit = 10,
        .cursor = STR("")};
    struct store_page page;

    return store_list(f->store, &query, f->t->arena, &page) < 0 ? 99 : page.count;
}

static int answers_late(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)call, (void)request, (void)error, (void)arena;
    f->booked = (int)open_runs(f);
    while (f->booked == 0 && open_runs(f) == 0)
        if (fiber_sleep(5) != 0)
            return ERR_CANCELLED;
    return reply_text(reply, "Late.");
}

TEST(journal_keeps_the_input_of_a_run_that_takes_long)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    int64_t before;

    REQUIRE(fixture_open(t, &f, answers_late, NULL));
    request = unwatched(&f, "Ana: Theo, one?");
    REQUIRE_OK(store_workspace(f.store, STR("main")));
    before = batches(&f);
    REQUIRE_OK(fixture_run(&f, &request, &result)); /* ends only when the run is stored */
    EXPECT_EQ(f.booked, 0);                         /* it was not when the model began */
    EXPECT_EQ(batches(&f), before + 2);
    EXPECT_EQ(open_runs(&f), 0);
    EXPECT_STR(fixture_messages(&f, result.session_id), "Ana: Theo, one?\nTheo: Late.\n");
    EXPECT_EQ(json_len(fixture_events(&f, result.run_id)), 5);
    fixture_close(&f);
}

static int answers_slowly(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    if (fiber_sleep(150) != 0)
        return ERR_CANCELLED;
    return reply_text(reply, "Yes.");
}

TEST(journal_keeps_the_input_when_the_setting_says)
{
    static const int64_t after_ms[] = {0, 3600000};
    struct fixture f;
    struct run_result result;
    struct run_request request;
    int64_t before;

    for (int i = 0; i < 2; i++) {
        REQUIRE(fixture_open(t, &f, answers_slowly, NULL));
        f.config.run_keep_input_after_ms = after_ms[i];
        request = unwatched(&f, "Ana: Theo, one?");
        REQUIRE_OK(store_workspace(f.store, STR("main")));
        before = batches(&f);
        REQUIRE_OK(fixture_run(&f, &request, &result));
        EXPECT_EQ(batches(&f), before + (i == 0 ? 2 : 1));
        EXPECT_STR(fixture_messages(&f, result.session_id), "Ana: Theo, one?\nTheo: Yes.\n");
        fixture_close(&f);
    }
}

static int books(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)request, (void)error;
    if (call == 0)
        return reply_calls(arena, reply, "book", "{\"what\":\"lunch\"}", 1);
    f->slow_most = (int)open_runs(f);
    return reply_text(reply, "Done.");
}

TEST(journal_keeps_the_input_before_a_tool_runs)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, books, NULL));
    request = unwatched(&f, "Ana: Theo, book lunch");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(f.slow_most, 1);
    EXPECT_EQ(f.booked, 1);
    EXPECT_EQ(open_runs(&f), 0);
    EXPECT_STR(fixture_messages(&f, result.session_id), "Ana: Theo, book lunch\nTheo: Done.\n");
    fixture_close(&f);
}

TEST(journal_of_one_commit_is_all_or_nothing)
{
    static const char *const faults[] = {"store.commit.before", "store.commit.after=1"};
    struct fixture f;
    struct run_result result;
    struct run_request request;

    for (int i = 0; i < 2; i++) {
        REQUIRE(fixture_open(t, &f, answers, NULL));
        REQUIRE_OK(store_workspace(f.store, STR("main")));
        request = unwatched(&f, "Ana: Theo, one?");
        REQUIRE_OK(errinj_set(faults[i]));
        EXPECT_EQ(fixture_run(&f, &request, &result), i == 0 ? ERR_IO : 0);
        REQUIRE_OK(errinj_set(NULL));
        EXPECT_EQ(open_runs(&f), 0);
        EXPECT_EQ(fixture_runs(&f, result.session_id, NULL), i);
        EXPECT_STR(
            fixture_messages(&f, result.session_id), i ? "Ana: Theo, one?\nTheo: Yes.\n" : "");
        fixture_close(&f);
    }
}

/* The same on a chat that is known; the second fault hides from the look-up too that the commit was
 * written, so that the next one meets it. */
TEST(journal_of_one_commit_on_a_known_chat_is_stored_once)
{
    static const char *const faults[] = {
        "store.commit.before", "store.commit.after=1", "store.commit.after=1,store.get=2"};
    struct fixture f;
    struct run_result result;
    struct run_request request;

    for (int i = 0; i < 3; i++) {
        REQUIRE(fixture_open(t, &f, answers, NULL));
        request = unwatched(&f, "Ana: Theo, one?");
        REQUIRE_OK(fixture_run(&f, &request, &result));
        request.session_id = result.session_id;
        request.chat.messages[0].text = STR("Theo, two?");
        REQUIRE_OK(errinj_set(faults[i]));
        EXPECT_EQ(fixture_run(&f, &request, &result), i == 0 ? ERR_IO : 0);
        REQUIRE_OK(errinj_set(NULL));
        EXPECT_EQ(open_runs(&f), 0);
        EXPECT_EQ(fixture_runs(&f, request.session_id, NULL), i == 0 ? 1 : 2);
        EXPECT_STR(fixture_messages(&f, request.session_id),
            i == 0 ? "Ana: Theo, one?\nTheo: Yes.\n"
                   : "Ana: Theo, one?\nTheo: Yes.\nAna: Theo, two?\nTheo: Yes.\n");
        fixture_close(&f);
    }
}

static int fails(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)reply;
    return model_fails(error, MODEL_BAD_REQUEST);
}

TEST(journal_stores_a_short_run_that_fails)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, fails, NULL));
    request = unwatched(&f, "Ana: Theo, one?");
    EXPECT(fixture_run(&f, &request, &result) < 0);
    EXPECT_EQ(fixture_runs(&f, result.session_id, "failed"), 1);
    EXPECT_STR(fixture_messages(&f, result.session_id), "Ana: Theo, one?\n");
    fixture_close(&f);
}
