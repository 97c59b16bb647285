#include "fixture.h"
#include "runtime/errinj.h"

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    return reply_text(reply, "Hello Ana.");
}

static int tells_what_it_saw(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    struct buf out = BUF_IN(arena);

    (void)f, (void)call, (void)error;
    for (size_t i = 1; i < request->message_count; i++)
        buf_printf(&out, "%s%.*s: %.*s", i > 1 ? "|" : "", STR_ARG(request->messages[i].author),
            STR_ARG(request->messages[i].content));
    return reply_text(reply, str_cstr(arena, buf_str(&out)));
}

TEST(run_answers_and_stores)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: hello\nBen: hi\nAna: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT(result.spoke);
    EXPECT_STR(result.reply, "Hello Ana.");
    EXPECT_STR(result.model, "fake");
    EXPECT_EQ(result.usage.input_tokens, 10);
    EXPECT_EQ(result.model_calls, 1);
    EXPECT_STR(fixture_messages(&f, result.session_id),
        "Ana: hello\nBen: hi\nAna: Theo, are you there?\nTheo: Hello Ana.\n");
    EXPECT_EQ(fixture_runs(&f, result.session_id, "completed"), 1);
    EXPECT_STR(buf_str(&f.seen), "run.started\nspeak.decided\nmodel.started\nmodel.completed\n"
                                 "run.completed\n");
    fixture_close(&f);
}

TEST(run_takes_two_commits)
{
    struct store_stats before, after;
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, are you there?");
    store_stats(f.store, &before);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    store_stats(f.store, &after);
    EXPECT_EQ(after.batches - before.batches, 2);
    fixture_close(&f);
}

TEST(run_stores_a_silent_run_in_one_commit)
{
    struct store_stats before, after;
    struct fixture f;
    struct run_result result;
    struct run_request request;
    const struct json *events;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: lol\nBen: haha");
    store_stats(f.store, &before);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    store_stats(f.store, &after);
    EXPECT(!result.spoke);
    EXPECT(!str_empty(result.reason));
    EXPECT_EQ(f.calls[0], 0);
    EXPECT_EQ(after.batches - before.batches, 1);
    EXPECT_STR(fixture_messages(&f, result.session_id), "Ana: lol\nBen: haha\n");
    EXPECT_EQ(fixture_runs(&f, result.session_id, "completed"), 1);
    events = fixture_events(&f, result.run_id);
    EXPECT_EQ(json_len(events), 3);
    EXPECT_EQ(fixture_count_events(events, "run.completed"), 1);
    fixture_close(&f);
}

TEST(run_numbers_events_without_a_gap)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    const struct json *events;
    struct run_row row;
    int64_t seq = 0;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    events = fixture_events(&f, result.run_id);
    REQUIRE(json_len(events) == 5);
    for (const struct json *event = json_first(events); event; event = json_next(event))
        EXPECT_EQ(json_get_i64(event, "seq", 0), ++seq);
    EXPECT_STR(json_get_str(json_at(events, 0), "type"), "run.started");
    EXPECT_STR(json_get_str(json_at(events, 4), "type"), "run.completed");
    EXPECT(json_is(json_get(json_at(events, 4), "data"), JSON_NULL)); /* stands in the run once */
    REQUIRE_OK(store_get(f.store, STORE_RUNS, STR("main"), result.run_id, t->arena, &row));
    EXPECT(str_find(row.result, STR("\"reply\":\"Hello Ana.\""), 0) > 0);
    fixture_close(&f);
}

TEST(run_goes_on_with_the_session)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    struct str session;

    REQUIRE(fixture_open(t, &f, tells_what_it_saw, NULL));
    request = fixture_request(&f, "Ana: hello\nBen: Theo, one?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    session = result.session_id;
    EXPECT_STR(result.reply, "Ana: hello|Ben: Theo, one?");
    request = fixture_request(&f, "Ana: Theo, two?");
    request.session_id = session;
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT(str_eq(result.session_id, session));
    EXPECT_STR(
        result.reply, "Ana: hello|Ben: Theo, one?|: Ana: hello|Ben: Theo, one?|Ana: Theo, two?");
    EXPECT_EQ(fixture_runs(&f, session, "completed"), 2);
    fixture_close(&f);
}

TEST(run_keeps_authors_of_a_growing_chat)
{
    static const char *const said[] = {"Ana: a1", "Ben: b1", "Ana: a2", "Ben: b2", "Ana: a3",
        "Ben: b3", "Ana: a4", "Ben: Theo, b4?"};
    struct buf chat = BUF_IN(t->arena), expected = BUF_IN(t->arena);
    struct fixture f;
    struct run_result result = {0};

    REQUIRE(fixture_open(t, &f, answers, NULL));
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        struct run_request request;

        buf_printf(&chat, "%s\n", said[i]);
        request = fixture_request(&f, chat.ptr);
        request.session_id = i > 0 ? result.session_id : STR("");
        REQUIRE_OK(fixture_run(&f, &request, &result));
    }
    buf_add_str(&expected, buf_str(&chat));
    buf_add_cstr(&expected, "Theo: Hello Ana.\n");
    EXPECT_STR(fixture_messages(&f, result.session_id), expected.ptr);
    fixture_close(&f);
}

TEST(run_refuses_what_does_not_exist)
{
    struct fixture f;
    struct run_result result;
    struct run_request request, other;
    struct str session;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    session = result.session_id;

    other = request;
    other.session_id = session;
    other.workspace_id = STR("other");
    EXPECT_EQ(fixture_run(&f, &other, &result), ERR_NOT_FOUND);
    EXPECT_CSTR(err_get()->field, "session_id");

    other = request;
    other.model = STR("gpt-9");
    EXPECT_EQ(fixture_run(&f, &other, &result), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "model");

    other = request;
    other.agent = STR("Zoe");
    EXPECT_EQ(fixture_run(&f, &other, &result), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "agent");

    other = request;
    other.time_zone = STR("Mars/Olympus");
    EXPECT_EQ(fixture_run(&f, &other, &result), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "time_zone");
    fixture_close(&f);
}

static int hangs(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    int rc = fiber_sleep(HOUR_MS);

    (void)f, (void)call, (void)request, (void)arena, (void)reply;
    *error = rc == ERR_TIMEOUT ? MODEL_TIMED_OUT : MODEL_CANCELLED;
    return rc == ERR_TIMEOUT ? err_set(ERR_TIMEOUT, "late") : err_set(ERR_CANCELLED, "cancelled");
}

struct background {
    struct fixture *f;
    struct run_request request;
    struct run_result result;
    struct arena arena;
    int rc;
};

static void run_in_background(void *arg)
{
    struct background *b = arg;

    b->rc = run_chat(&b->f->house, &b->request, &b->arena, &b->result);
}

TEST(run_cancelled_is_recorded)
{
    struct background b = {0};
    struct fixture f;
    struct fiber *fiber;
    const struct json *events;

    REQUIRE(fixture_open(t, &f, hangs, answers));
    b.f = &f;
    b.request = fixture_request(&f, "Ana: Theo, are you there?");
    arena_init(&b.arena);
    fiber = fiber_spawn_joinable(fiber_loop(), "test", run_in_background, &b);
    while (f.calls[0] == 0)
        fiber_yield();
    fiber_cancel(fiber);
    REQUIRE_OK(fiber_join(fiber));
    EXPECT_EQ(b.rc, ERR_CANCELLED);
    EXPECT_EQ(f.calls[1], 0);
    EXPECT_EQ(fixture_runs(&f, b.result.session_id, "cancelled"), 1);
    events = fixture_events(&f, b.result.run_id);
    EXPECT_EQ(fixture_count_events(events, "run.cancelled"), 1);
    arena_deinit(&b.arena);
    fixture_close(&f);
}

TEST(run_ends_at_its_deadline)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, hangs, NULL));
    f.config.run_timeout_ms = 20;
    request = fixture_request(&f, "Ana: Theo, are you there?");
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_TIMEOUT);
    EXPECT(strstr(err_message(), "run.timeout-ms"));
    EXPECT_EQ(fixture_runs(&f, result.session_id, "failed"), 1);
    fixture_close(&f);
}

static int leave(const struct run_event *event, void *ctx)
{
    (void)ctx;
    return strcmp(event->type, "model.started") == 0 ? ERR_IO : 0;
}

TEST(run_stops_when_nobody_reads_its_events)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    request = fixture_request(&f, "Ana: Theo, are you there?");
    request.sink = leave;
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_CANCELLED);
    EXPECT_EQ(f.calls[0], 0);
    EXPECT_EQ(fixture_runs(&f, result.session_id, "cancelled"), 1);
    fixture_close(&f);
}

TEST(run_recover_marks_what_was_left)
{
    struct fixture f;
    struct run_row row = {.workspace_id = STR("main"),
        .id = STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        .session_id = STR("s"),
        .state = STR("running"),
        .listed = STR("running"),
        .request = STR("{}")};
    struct store_batch batch;
    size_t count = 0;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_RUNS, &row);
    REQUIRE_OK(store_commit(f.store, &batch));
    REQUIRE_OK(run_recover(&f.house, STR("main"), &count));
    EXPECT_EQ(count, 1);
    REQUIRE_OK(store_get(f.store, STORE_RUNS, STR("main"), row.id, t->arena, &row));
    EXPECT_STR(row.state, "interrupted");
    EXPECT(str_starts(row.events, STR("[{\"seq\":1,\"type\":\"run.interrupted\"")));
    EXPECT_EQ(event_seq_of(row.events, true, t->arena), 1);
    REQUIRE_OK(run_recover(&f.house, STR("main"), &count));
    EXPECT_EQ(count, 0);
    fixture_close(&f);
}

/* Of a store that others use, only what nobody can still be at. */
TEST(run_interrupt_old_leaves_the_young_and_the_resumed)
{
    static const struct {
        const char *id, *checkpoint;
        int64_t created_at;
    } rows[] = {{"01ARZ3NDEKTSV4RRFFQ69G5FA1", "", 1000}, {"01ARZ3NDEKTSV4RRFFQ69G5FA2", "", 9000},
        {"01ARZ3NDEKTSV4RRFFQ69G5FA3", "{}", 1000}};
    static const char *const states[] = {"interrupted", "running", "running"};
    struct fixture f;
    struct store_batch batch;
    size_t count = 0;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    store_batch_init(&batch, t->arena);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct run_row *row = arena_new(t->arena, struct run_row);

        *row = (struct run_row){.workspace_id = STR("main"),
            .id = str_from(rows[i].id),
            .session_id = STR("s"),
            .state = STR("running"),
            .listed = STR("running"),
            .request = STR("{}"),
            .checkpoint = str_from(rows[i].checkpoint),
            .created_at = rows[i].created_at};
        store_insert(&batch, STORE_RUNS, row);
    }
    REQUIRE_OK(store_commit(f.store, &batch));
    REQUIRE_OK(run_interrupt_old(&f.house, STR("main"), 5000, &count));
    EXPECT_EQ(count, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct run_row row;

        REQUIRE_OK(
            store_get(f.store, STORE_RUNS, STR("main"), str_from(rows[i].id), t->arena, &row));
        EXPECT_STR(row.state, states[i]);
    }
    fixture_close(&f);
}
