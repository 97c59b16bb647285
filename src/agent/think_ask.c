/* One question to a model: within the budgets, counted and recorded. When a model cannot answer,
 * the next one takes over where it stood. */
#include "agent/guard_run.h"
#include "agent/record.h"
#include "agent/think.h"
#include "runtime/loop.h"
#include "text/tokens.h"

int think_delta(struct run *run, struct str text)
{
    struct buf out = BUF_HEAP;
    struct json_writer w;
    int rc;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "text", text);
    json_object_end(&w);
    rc = event_stream(&run->log, "model.delta", buf_str(&out));
    buf_deinit(&out);
    return rc;
}

/* Text that may still turn out to mean silence is not shown. */
static int on_delta(struct str text, void *ctx)
{
    struct run *run = ctx;
    struct str silence = STR(PROMPT_SILENCE);
    int rc;

    if (run->delta_open || !run_may_be_silent(run)) {
        run->delta_open = true;
        return think_delta(run, text);
    }
    buf_add_str(&run->delta, text);
    if (run->delta.len <= silence.len && memcmp(run->delta.ptr, silence.ptr, run->delta.len) == 0)
        return 0;
    run->delta_open = true;
    rc = think_delta(run, buf_str(&run->delta));
    buf_clear(&run->delta);
    return rc;
}

static struct str prefix_of(struct str spec)
{
    ptrdiff_t colon = str_find_char(spec, ':', 0);

    return colon < 0 ? spec : str_slice(spec, 0, (size_t)colon);
}

/* The caller's key goes to the kind of model it was given for, and to no other. */
static struct str key_for(const struct run *run, const struct model *model)
{
    struct str first = prefix_of(model_spec(run->root->models[0]));

    return str_eq(first, prefix_of(model_spec(model))) ? run->request->model_api_key : STR("");
}

static void fill_request(
    struct run *run, const struct model *model, struct model_request *ret_request)
{
    const struct config *config = run->house->config;
    int64_t left = run->deadline_ms - loop_now_ms(fiber_loop());
    bool tools = run->root->result.tool_calls < config->run_max_tool_calls;
    bool last = run->root->result.model_calls + 1 >= config->run_max_model_calls &&
                config->run_max_model_calls > 1;

    *ret_request = (struct model_request){
        .messages = model_is_builtin(model) ? run->messages : guards_shown(run),
        .message_count = run->message_count,
        .tools = run->tools,
        .tool_count = config->run_max_tool_calls > 0 ? run->tool_count : 0,
        .tool_choice = tools && !last ? MODEL_TOOLS_AUTO : MODEL_TOOLS_NONE,
        .response_schema = run->agent ? run->agent->output_schema : STR(""),
        .temperature = -1,
        .api_key = key_for(run, model),
        .timeout_ms = MAX(MIN(config->model_timeout_ms, left), 1),
        .scene =
            {
                .now_ms = run->now_ms,
                .time_zone = zone_name(run->zone),
                .agent_name = run->persona,
                .must_reply = !run_may_be_silent(run),
            },
        .on_delta = run->request->sink && run->root == run && !guards_hold(run) ? on_delta : NULL,
        .ctx = run,
    };
}

static const char *finish_name(enum model_finish finish)
{
    static const char *const names[] = {"stop", "length", "tool_calls", "filtered"};

    return names[finish];
}

static int report_reply(struct run *run, const struct model *model, const struct model_reply *reply)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "model", model_spec(model));
    json_cstr_member(&w, "finish", finish_name(reply->finish));
    json_i64_member(&w, "tool_calls", (int64_t)reply->tool_call_count);
    json_i64_member(&w, "input_tokens", reply->usage.input_tokens);
    json_i64_member(&w, "output_tokens", reply->usage.output_tokens);
    json_i64_member(&w, "attempts", reply->attempts);
    json_object_end(&w);
    return record_event(run, "model.completed", buf_str(&out), record_reply(run, reply));
}

static int report_failure(
    struct run *run, const struct model *model, enum model_error error, struct str record)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    log_warn("model.failed", LOG_STR("model", model_spec(model)),
        LOG_CSTR("class", model_error_name(error)), LOG_ERR);
    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "model", model_spec(model));
    json_cstr_member(&w, "error", model_error_name(error));
    json_cstr_member(&w, "message", err_message());
    json_object_end(&w);
    return record_event(run, "model.failed", buf_str(&out), record);
}

static void count_cost(struct run *run, const struct model *model, const struct model_reply *reply)
{
    struct model_price price;

    if (model_is_builtin(model))
        return;
    if (reply->usage.input_tokens > 0 &&
        model_price(run->house->config->model_prices, model_spec(model), &price))
        run->root->result.cost_usd += model_cost_usd(&price, &reply->usage);
    else
        run->root->result.cost_unknown = true;
}

static void count_usage(struct run *run, const struct model *model,
    const struct model_request *request, const struct model_reply *reply)
{
    struct model_usage *sum = &run->root->result.usage;
    int64_t tokens = reply->usage.input_tokens + reply->usage.output_tokens;

    sum->input_tokens += reply->usage.input_tokens;
    sum->output_tokens += reply->usage.output_tokens;
    sum->cached_tokens += reply->usage.cached_tokens;
    count_cost(run, model, reply);
    if (reply->usage.input_tokens == 0 && !model_is_builtin(model)) {
        for (size_t i = 0; i < request->message_count; i++)
            tokens += tokens_estimate(request->messages[i].content);
        tokens += tokens_estimate(reply->content);
    }
    run->root->tokens += tokens;
    run->own_tokens += tokens;
}

bool think_is_silence(struct str content)
{
    content = str_trim(content);
    return str_empty(content) || str_is(content, PROMPT_SILENCE);
}

/* An empty answer where one is due is as bad as none. */
static int check_reply(const struct run *run, const struct model *model,
    const struct model_reply *reply, enum model_error *ret_error)
{
    struct str spec = model_spec(model);

    if (reply->tool_call_count > 0 || run_may_be_silent(run) || !think_is_silence(reply->content) ||
        reply->finish == MODEL_FILTERED)
        return 0;
    *ret_error = MODEL_BROKEN_ANSWER;
    return err_set(ERR_PROTOCOL, "The model %.*s gave an empty answer.", STR_ARG(spec));
}

static int ask_one(struct run *run, struct model *model, struct model_reply *ret_reply,
    enum model_error *ret_error)
{
    struct model_request request;
    int rc = run_event(run, "model.started", record_started(run, model));

    *ret_error = MODEL_CANCELLED;
    if (rc < 0)
        return rc;
    fill_request(run, model, &request);
    run->delta_open = false;
    buf_clear(&run->delta);
    run->root->result.model_calls++;
    run->own_model_calls++;
    rc = model_chat(model, &request, run->arena, ret_reply, ret_error);
    if (rc < 0)
        return rc;
    count_usage(run, model, &request, ret_reply); /* an answer that is of no use costs too */
    rc = check_reply(run, model, ret_reply, ret_error);
    if (rc < 0)
        return rc;
    run->result.model = model_spec(model);
    return report_reply(run, model, ret_reply);
}

/* Would another model help? Our own mistakes are never hidden: a wrong request, a wrong key. */
static bool may_fall_back(enum model_error error)
{
    switch (error) {
    case MODEL_UNAUTHORIZED:
    case MODEL_OK:
    case MODEL_BAD_REQUEST:
    case MODEL_CANCELLED:
        return false;
    default:
        return true;
    }
}

/* What the caller is told when no model is left. */
static int explain(const struct run *run, const struct model *model, int rc, enum model_error error)
{
    int64_t retry_after = err_get()->retry_after_ms;

    if (error == MODEL_UNAUTHORIZED && !str_empty(key_for(run, model)))
        return err_field(ERR_INVALID, "X-Model-API-Key",
            "The model's server refused the key given in X-Model-API-Key; check that key.");
    if (error == MODEL_UNAUTHORIZED)
        return err_set(ERR_UNAVAILABLE, "The model's server refused the key that this "
                                        "installation is configured with; its operator must mend "
                                        "that.");
    if (error == MODEL_RATE_LIMITED || error == MODEL_QUOTA) {
        rc = err_set(ERR_UNAVAILABLE, "The model's server takes no more requests now (%s).",
            model_error_name(error));
        err_get()->retry_after_ms = retry_after;
    }
    return rc;
}

/* The run's budget, or an agent's own. */
static int out_of_budget(
    struct run *run, const struct agent_def *agent, const char *budget, int64_t limit)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;
    int rc;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "budget", budget);
    json_i64_member(&w, "limit", limit);
    if (agent)
        json_str_member(&w, "agent", agent->name);
    json_object_end(&w);
    rc = run_event(run, "budget.exceeded", buf_str(&out));
    if (rc < 0)
        return rc;
    if (agent)
        return err_set(ERR_BUDGET,
            "The agent %.*s used up its %lld %s (max-%s) before it had an answer.",
            STR_ARG(agent->name), (long long)limit, budget, budget);
    return err_set(ERR_BUDGET,
        "The run used up its budget of %lld %s (setting run.max-%s) before "
        "it had an answer.",
        (long long)limit, budget, budget);
}

static int check_own_budgets(struct run *run)
{
    const struct agent_def *agent = run->agent;

    if (!agent)
        return 0;
    if (agent->max_model_calls > 0 && run->own_model_calls >= agent->max_model_calls)
        return out_of_budget(run, agent, "model-calls", agent->max_model_calls);
    if (agent->max_tokens > 0 && run->own_tokens >= agent->max_tokens)
        return out_of_budget(run, agent, "tokens", agent->max_tokens);
    return 0;
}

static int check_budgets(struct run *run)
{
    const struct config *config = run->house->config;
    int rc;

    if (run->root->result.model_calls >= config->run_max_model_calls)
        return out_of_budget(run, NULL, "model-calls", config->run_max_model_calls);
    rc = check_own_budgets(run);
    if (rc < 0)
        return rc;
    if (config->run_max_tokens > 0 && run->root->tokens >= config->run_max_tokens)
        return out_of_budget(run, NULL, "tokens", config->run_max_tokens);
    if (config->run_max_cost_cents > 0 &&
        run->root->result.cost_usd * 100 >= (double)config->run_max_cost_cents)
        return out_of_budget(run, NULL, "cost-cents", config->run_max_cost_cents);
    if (loop_now_ms(fiber_loop()) >= run->deadline_ms)
        return err_set(ERR_TIMEOUT, "The run took longer than it may.");
    return 0;
}

int think_ask(struct run *run, struct model_reply *ret_reply)
{
    for (;;) {
        struct model *model = run->models[run->model_current];
        enum model_error error = MODEL_OK;
        struct err cause;
        int rc = check_budgets(run);

        if (rc < 0)
            return rc;
        *ret_reply = (struct model_reply){0};
        rc = ask_one(run, model, ret_reply, &error);
        if (rc == 0 || rc == ERR_CANCELLED)
            return rc;
        cause = *err_get();
        if (report_failure(run, model, error, record_failure(run, rc, ret_reply)) < 0)
            return ERR_CANCELLED;
        *err_get() = cause;
        if (fiber_is_cancelled())
            return err_set(ERR_CANCELLED, "The run was cancelled.");
        think_models_for(run, error);
        if (!may_fall_back(error) || run->model_current + 1 == run->model_count)
            return explain(run, model, rc, error);
        run->model_current++;
    }
}
