#include "agent/tool_cache.h"
#include "fixture.h"

extern const struct tool tool_working_days;
static const struct tool *const tools[] = {&tool_working_days};

static const char *arguments[4];
static struct str told; /* what the model was told by the last tool call */

/* Calls the tool with one set of arguments after the other, then answers with its last result. */
static int counts(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)error;
    if (call == 0 && (request->tool_count != 1 || !str_is(request->tools[0].name, "working_days")))
        return reply_text(reply, "The tool is not there.");
    if (arguments[call])
        return reply_calls(arena, reply, "working_days", arguments[call], 1);
    told = str_dup(f->t->arena, last_content(request));
    return reply_text(reply, str_cstr(arena, told));
}

static struct run_result ask(struct test *t, struct fixture *f)
{
    struct run_result result = {.reply = STR("")};
    struct run_request request;

    if (!fixture_open(t, f, counts, NULL))
        return result;
    f->house.tools = tools;
    f->house.tool_count = 1;
    request = fixture_request(f, "Ana: Theo, how many working days has March?");
    EXPECT_OK(fixture_run(f, &request, &result));
    return result;
}

TEST(working_days_counts_in_a_run)
{
    struct run_result result;
    struct fixture f;

    arguments[0] = "{\"from\":\"2026-03-01\",\"to\":\"2026-03-31\"}";
    arguments[1] = NULL;
    result = ask(t, &f);
    EXPECT_STR(result.reply, "{\"working_days\":22}");
    REQUIRE(result.action_count == 1);
    EXPECT_STR(result.actions[0].status, "done");
    EXPECT_STR(result.actions[0].summary, "Counted 22 working days");
    fixture_close(&f);
}

TEST(working_days_tells_the_model_what_is_wrong_once)
{
    struct run_result result;
    struct fixture f;

    arguments[0] = "{\"from\":\"2026-02-30\",\"to\":\"2026-03-31\"}";
    arguments[1] = "{\"from\":\"2026-03-06\",\"to\":\"2026-03-09\"}";
    arguments[2] = NULL;
    result = ask(t, &f);
    EXPECT_STR(result.reply, "{\"working_days\":2}");
    EXPECT_EQ(result.tool_calls, 2);
    fixture_close(&f);
    arguments[0] = "{\"from\":\"2026-03-06\"}";
    arguments[1] = NULL;
    result = ask(t, &f);
    EXPECT(str_find(told, STR("\"field\":\"to\""), 0) >= 0);
    fixture_close(&f);
}

TEST(working_days_serves_the_same_question_from_the_cache)
{
    struct tool_cache *cache = tool_cache_new();
    struct run_request request;
    struct run_result result;
    struct fixture f;

    arguments[0] = arguments[1] = "{\"from\":\"2026-03-02\",\"to\":\"2026-03-02\"}";
    arguments[2] = NULL;
    REQUIRE(fixture_open(t, &f, counts, NULL));
    f.house.tools = tools;
    f.house.tool_count = 1;
    f.house.tool_cache = cache;
    request = fixture_request(&f, "Ana: Theo, is today a working day?");
    EXPECT_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(result.reply, "{\"working_days\":1}");
    REQUIRE(result.action_count == 2);
    EXPECT_STR(result.actions[0].status, "done");
    EXPECT_STR(result.actions[1].status, "reused");
    fixture_close(&f);
    tool_cache_free(cache);
}
