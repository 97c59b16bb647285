#include "agent/prompt.h"
#include "fixture.h"

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    return reply_text(reply, "From the spare one.");
}

static enum model_error next_error;

static int fails(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)reply;
    return model_fails(error, next_error);
}

static int run_with(
    struct fixture *f, enum model_error error, const char *api_key, struct run_result *result)
{
    struct run_request request = fixture_request(f, "Ana: Theo, are you there?");

    next_error = error;
    request.model_api_key = str_from(api_key);
    return fixture_run(f, &request, result);
}

TEST(think_falls_back_by_class)
{
    static const enum model_error classes[] = {MODEL_RATE_LIMITED, MODEL_QUOTA, MODEL_UNAVAILABLE,
        MODEL_TIMED_OUT, MODEL_CONTEXT_OVERFLOW, MODEL_BROKEN_ANSWER};
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, fails, answers));
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        REQUIRE_OK(run_with(&f, classes[i], "", &result));
        EXPECT_STR(result.reply, "From the spare one.");
        EXPECT_STR(result.model, "spare");
        EXPECT_EQ(result.model_calls, 2);
    }
    fixture_close(&f);
}

TEST(think_never_masks_our_mistake_or_a_wrong_key)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, fails, answers));
    EXPECT(run_with(&f, MODEL_BAD_REQUEST, "", &result) < 0);
    EXPECT_EQ(run_with(&f, MODEL_UNAUTHORIZED, "", &result), ERR_UNAVAILABLE);
    EXPECT_EQ(run_with(&f, MODEL_UNAUTHORIZED, "sk-callers", &result), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "X-Model-API-Key");
    EXPECT(!strstr(err_message(), "sk-callers"));
    EXPECT_EQ(f.calls[1], 0);
    EXPECT_EQ(fixture_runs(&f, result.session_id, "failed"), 1);
    fixture_close(&f);
}

static int wants_key(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)arena, (void)error;
    return reply_text(reply, str_empty(request->api_key) ? "no key" : "key");
}

TEST(think_gives_the_callers_key_to_no_other_provider)
{
    struct fixture f;
    struct run_result result;

    REQUIRE(fixture_open(t, &f, wants_key, wants_key));
    REQUIRE_OK(run_with(&f, MODEL_OK, "sk-callers", &result));
    EXPECT_STR(result.reply, "key");
    f.scripts[0] = fails;
    REQUIRE_OK(run_with(&f, MODEL_UNAVAILABLE, "sk-callers", &result));
    EXPECT_STR(result.reply, "no key");
    fixture_close(&f);
}

TEST(think_reports_when_no_model_is_left)
{
    struct fixture f;
    struct run_result result;
    const struct json *events;

    REQUIRE(fixture_open(t, &f, fails, NULL));
    EXPECT_EQ(run_with(&f, MODEL_UNAUTHORIZED, "", &result), ERR_UNAVAILABLE);
    EXPECT_EQ(run_with(&f, MODEL_RATE_LIMITED, "", &result), ERR_UNAVAILABLE);
    events = fixture_events(&f, result.run_id);
    EXPECT_EQ(fixture_count_events(events, "model.failed"), 1);
    EXPECT_EQ(fixture_count_events(events, "run.failed"), 1);
    fixture_close(&f);
}

static int says_nothing(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)arena, (void)error;
    if (request->on_delta && (request->on_delta(STR("[sil"), request->ctx) != 0 ||
                                 request->on_delta(STR("ent]"), request->ctx) != 0))
        return ERR_CANCELLED;
    return reply_text(reply, PROMPT_SILENCE);
}

static const char agreed[] =
    "Ana: let's have a call about the offer tomorrow at 3pm?\nBen: sounds good, 3pm works for me";

TEST(think_lets_a_model_be_silent_when_not_addressed)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, says_nothing, answers));
    request = fixture_request(&f, agreed);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(f.calls[0], 1);
    EXPECT(!result.spoke);
    EXPECT_STR(result.reason, "nothing to add");
    EXPECT(str_find(buf_str(&f.seen), STR("model.delta"), 0) < 0);
    EXPECT_EQ(f.calls[1], 0);
    /* Addressed, the same answer is no answer. */
    request = fixture_request(&f, "Ana: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(result.reply, "From the spare one.");
    fixture_close(&f);
}

static int streams(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)arena, (void)error;
    if (request->on_delta && (request->on_delta(STR("Hel"), request->ctx) != 0 ||
                                 request->on_delta(STR("lo"), request->ctx) != 0))
        return ERR_CANCELLED;
    return reply_text(reply, "Hello");
}

TEST(think_streams_deltas_that_are_not_stored)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    const struct json *events;

    REQUIRE(fixture_open(t, &f, streams, NULL));
    request = fixture_request(&f, "Ana: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(buf_str(&f.seen), "run.started\nspeak.decided\nmodel.started\nmodel.delta\n"
                                 "model.delta\nmodel.completed\nrun.completed\n");
    events = fixture_events(&f, result.run_id);
    EXPECT_EQ(json_len(events), 5);
    EXPECT_EQ(fixture_count_events(events, "model.delta"), 0);
    fixture_close(&f);
}

static int loops(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)error;
    return reply_calls(arena, reply, "slow", "{}", 1);
}

TEST(think_stops_a_loop_by_its_budget)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;
    const struct json *events;

    REQUIRE(fixture_open(t, &f, loops, answers));
    f.slow_most = 3;
    f.config.run_max_model_calls = 4;
    request = fixture_request(&f, "Ana: Theo, are you there?");
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_BUDGET);
    EXPECT(strstr(err_message(), "run.max-model-calls"));
    EXPECT_EQ(f.calls[0], 4);
    EXPECT_EQ(f.calls[1], 0);
    events = fixture_events(&f, result.run_id);
    EXPECT_EQ(fixture_count_events(events, "budget.exceeded"), 1);
    fixture_close(&f);
}

TEST(think_stops_at_the_token_budget)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, loops, NULL));
    f.slow_most = 3;
    f.config.run_max_tokens = 40; /* 15 a call */
    request = fixture_request(&f, "Ana: Theo, are you there?");
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_BUDGET);
    EXPECT(strstr(err_message(), "run.max-tokens"));
    EXPECT_EQ(f.calls[0], 3);
    fixture_close(&f);
}

static int tries_last(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)error;
    if (request->tool_choice == MODEL_TOOLS_NONE)
        return reply_text(reply, "That is what I know.");
    return reply_calls(arena, reply, "slow", "{}", 1);
}

TEST(think_asks_for_an_answer_with_the_last_call)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, tries_last, NULL));
    f.slow_most = 3;
    f.config.run_max_model_calls = 3;
    request = fixture_request(&f, "Ana: Theo, are you there?");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_STR(result.reply, "That is what I know.");
    EXPECT_EQ(result.tool_calls, 2);
    fixture_close(&f);
}
