#include "fixture.h"

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)error;
    return reply_text(reply, str_cstr(arena, last_content(request)));
}

/* The calls that a test wants, then what the last tool said. */
static const char *next_tool, *next_args;
static size_t next_count;
static int next_rounds;

static int calls_then_answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    if (call < next_rounds)
        return reply_calls(arena, reply, next_tool, next_args, next_count);
    return answers(f, call, request, arena, reply, error);
}

static int run_calls(struct fixture *f, const char *tool, const char *args, size_t count,
    int rounds, struct run_result *result)
{
    struct run_request request = fixture_request(f, "Ana: Theo, are you there?");

    next_tool = tool;
    next_args = args;
    next_count = count;
    next_rounds = rounds;
    f->calls[0] = 0;
    return fixture_run(f, &request, result);
}

TEST(calls_go_through_and_come_back)
{
    struct fixture f;
    struct run_result result;
    const struct json *events;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    REQUIRE_OK(run_calls(&f, "book", "{\"what\":\"lunch\"}", 1, 1, &result));
    EXPECT_STR(result.reply, "{\"status\":\"booked\"}");
    EXPECT_EQ(f.booked, 1);
    EXPECT_EQ(result.action_count, 1);
    EXPECT_STR(result.actions[0].tool, "book");
    EXPECT_STR(result.actions[0].status, "done");
    EXPECT_STR(result.actions[0].summary, "Booked it");
    EXPECT_EQ(result.event_count, 1);
    EXPECT_STR(result.events[0], "{\"id\":\"E1\"}");
    events = fixture_events(&f, result.run_id);
    EXPECT_EQ(fixture_count_events(events, "effect.intended"), 1);
    EXPECT_EQ(fixture_count_events(events, "effect.done"), 1);
    EXPECT_EQ(fixture_count_events(events, "tool.completed"), 1);
    EXPECT_EQ(
        json_get_i64(json_at(events, json_len(events) - 1), "seq", 0), (int64_t)json_len(events));
    fixture_close(&f);
}

TEST(calls_of_one_answer_run_at_once_and_in_order)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    REQUIRE_OK(run_calls(&f, "slow", "{\"number\":7}", 3, 1, &result));
    EXPECT_EQ(f.slow_most, 3);
    EXPECT_EQ(result.action_count, 3);
    EXPECT_EQ(result.tool_calls, 3);
    EXPECT_STR(result.reply, "number 7");
    fixture_close(&f);
}

static int checks_order(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    struct buf out = BUF_IN(arena);
    int rc;

    (void)f, (void)error;
    if (call == 0) {
        rc = reply_calls(arena, reply, "slow", "{}", 3);
        for (size_t i = 0; i < 3; i++)
            ((struct model_tool_call *)(uintptr_t)reply->tool_calls)[i].arguments =
                str_printf(arena, "{\"number\":%zu}", i);
        return rc;
    }
    for (size_t i = request->message_count - 3; i < request->message_count; i++)
        buf_printf(&out, "%.*s=%.*s;", STR_ARG(request->messages[i].tool_call_id),
            STR_ARG(request->messages[i].content));
    return reply_text(reply, str_cstr(arena, buf_str(&out)));
}

TEST(calls_are_answered_in_the_order_asked)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, checks_order, NULL));
    request = fixture_request(&f, "Ana: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(result.reply, "call0=number 0;call1=number 1;call2=number 2;");
    fixture_close(&f);
}

TEST(calls_for_the_same_effect_have_it_once)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    REQUIRE_OK(run_calls(&f, "book", "{\"what\":\"lunch\"}", 3, 2, &result));
    EXPECT_EQ(f.booked, 1);
    EXPECT_EQ(f.book_calls, 1);
    EXPECT_EQ(result.action_count, 6);
    EXPECT_STR(result.actions[0].status, "done");
    EXPECT_STR(result.actions[1].status, "reused");
    EXPECT_STR(result.actions[5].status, "reused");
    EXPECT_EQ(result.event_count, 1);
    fixture_close(&f);
}

TEST(calls_with_wrong_arguments_go_back_once)
{
    static const char *const wrong[] = {"{\"what\": \"lu", "{\"what\":5}", "{\"what\":\"x\"}",
        "{\"why\":\"x\"}", "[]", "{\"what\":\"refused\"}"};
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        REQUIRE_OK(run_calls(&f, "book", wrong[i], 1, 1, &result));
        EXPECT_EQ(result.action_count, 0);
        EXPECT(str_find(result.reply, STR("\"error\""), 0) >= 0);
        EXPECT(str_find(result.reply, STR("once more"), 0) >= 0);
        REQUIRE_OK(run_calls(&f, "book", wrong[i], 1, 2, &result));
        EXPECT_EQ(result.action_count, 1);
        EXPECT_STR(result.actions[0].status, "failed");
        EXPECT(str_find(result.reply, STR("Do not call this again"), 0) >= 0);
    }
    EXPECT_EQ(f.booked, 0);
    fixture_close(&f);
}

TEST(calls_of_unknown_tools_are_answered)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    REQUIRE_OK(run_calls(&f, "launch_rocket", "{}", 1, 1, &result));
    EXPECT(str_find(result.reply, STR("book, hang, slow, fetch"), 0) >= 0);
    EXPECT_EQ(result.action_count, 0);
    EXPECT_EQ(result.tool_calls, 0);
    REQUIRE_OK(run_calls(&f, "launch_rocket", "{}", 1, 2, &result));
    EXPECT_STR(result.actions[0].status, "failed");
    fixture_close(&f);
}

TEST(calls_that_hang_are_timed_out)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    for (size_t count = 1; count <= 2; count++) {
        REQUIRE_OK(run_calls(&f, "hang", "{}", count, 1, &result));
        EXPECT_STR(result.actions[0].status, "failed");
        EXPECT(str_find(result.reply, STR("did not finish within 30 ms"), 0) >= 0);
    }
    fixture_close(&f);
}

TEST(calls_beyond_the_budget_are_refused)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    f.config.run_max_tool_calls = 2;
    f.slow_most = 3;
    REQUIRE_OK(run_calls(&f, "slow", "{}", 5, 1, &result));
    EXPECT_EQ(result.tool_calls, 2);
    EXPECT_EQ(result.action_count, 5);
    EXPECT_STR(result.actions[1].status, "done");
    EXPECT_STR(result.actions[2].status, "failed");
    EXPECT(str_find(result.reply, STR("budget"), 0) >= 0);
    fixture_close(&f);
}

TEST(calls_show_only_quotes_that_stand_in_the_text)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
    REQUIRE_OK(run_calls(&f, "fetch", "{}", 1, 1, &result));
    EXPECT_EQ(result.citation_count, 1);
    EXPECT_STR(result.citations[0].url, "http://a");
    EXPECT(str_find(result.reply, STR("[cut: "), 0) >= 0);
    EXPECT(result.reply.len < 20000);
    fixture_close(&f);
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

TEST(calls_end_when_the_run_is_cancelled)
{
    for (size_t count = 1; count <= 3; count += 2) {
        struct background b = {0};
        struct fixture f;
        struct fiber *fiber;

        REQUIRE(fixture_open(t, &f, calls_then_answers, NULL));
        next_tool = "hang";
        next_args = "{}";
        next_count = count;
        next_rounds = 1;
        b.f = &f;
        b.request = fixture_request(&f, "Ana: Theo, are you there?");
        arena_init(&b.arena);
        fiber = fiber_spawn_joinable(fiber_loop(), "test", run_in_background, &b);
        while (f.calls[0] == 0)
            fiber_yield();
        fiber_yield();
        fiber_cancel(fiber);
        REQUIRE_OK(fiber_join(fiber));
        EXPECT_EQ(b.rc, ERR_CANCELLED);
        EXPECT_EQ(fixture_runs(&f, b.result.session_id, "cancelled"), 1);
        arena_deinit(&b.arena);
        fixture_close(&f);
    }
}

#define FLOOD (50 * MIB)

static int flood(const struct tool_call *call, struct tool_result *ret_result)
{
    char *bytes = arena_alloc(call->arena, FLOOD);

    memset(bytes, 'x', FLOOD);
    *ret_result = (struct tool_result){
        .content = {bytes, FLOOD}, .summary = {bytes, FLOOD}, .event = STR("")};
    return 0;
}

static int asks_for_a_flood(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)error;
    if (call == 0)
        return reply_calls(arena, reply, "flood", "{}", 1);
    return reply_text(reply, last_content(request).len < 20 * KIB ? "small" : "big");
}

TEST(calls_cut_what_a_tool_floods)
{
    static const struct tool tool = {.name = "flood",
        .description = "Floods.",
        .parameters = "{\"type\":\"object\"}",
        .effect = TOOL_READ,
        .run = flood};
    const struct tool *const list[] = {&tool};
    struct run_result result;
    struct fixture f;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, asks_for_a_flood, NULL));
    f.house.tools = list;
    f.house.tool_count = 1;
    request = fixture_request(&f, "Ana: Theo, are you there?");
    EXPECT_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(result.reply, "small");
    EXPECT(result.actions[0].summary.len <= 300);
    EXPECT(json_text(t->arena, fixture_events(&f, result.run_id)).len < 64 * KIB);
    fixture_close(&f);
}
