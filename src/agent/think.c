/* The loop of a run: ask a model, run the tools it calls, ask again, until it answers or a budget
 * ends it. When a model cannot answer, the next one takes over where it stood. */
#include "agent/memory.h"
#include "agent/private.h"
#include "agent/prompt.h"
#include "runtime/loop.h"
#include "text/tokens.h"
#include "watch/metrics.h"

static bool names_model(struct str spec, struct str name)
{
    ptrdiff_t colon = str_find_char(spec, ':', 0);

    return str_eq(spec, name) ||
           (colon > 0 && str_eq(str_slice(spec, (size_t)colon + 1, spec.len), name));
}

static int unknown_model(const struct run *run)
{
    char known[300] = "";
    size_t len = 0;

    for (size_t i = 0; i < run->house->model_count && len + 1 < sizeof(known); i++) {
        struct str spec = model_spec(run->house->models[i]);

        len += (size_t)snprintf(
            known + len, sizeof(known) - len, "%s%.*s", i ? ", " : "", STR_ARG(spec));
    }
    return err_field(ERR_INVALID, "model", "There is no model %.*s here; configured: %s.",
        (int)MIN(run->request->model.len, (size_t)100), run->request->model.ptr, known);
}

static struct model *model_named(const struct run *run, struct str spec)
{
    for (size_t i = 0; i < run->house->model_count; i++)
        if (names_model(model_spec(run->house->models[i]), spec))
            return run->house->models[i];
    return NULL;
}

/* An agent's own model and fallbacks; without such, the configured ones follow its model. All were
 * opened at start. */
static int think_of_agent(struct run *run)
{
    const struct agent_def *agent = run->agent;
    const struct agent_house *house = run->house;

    if (str_empty(agent->model))
        run->models[run->model_count++] = house->models[0];
    else
        run->models[run->model_count++] = model_named(run, agent->model);
    for (size_t i = 0; i < agent->fallback_count && run->model_count < RUN_MODELS_MAX; i++)
        run->models[run->model_count++] = model_named(run, agent->fallbacks[i]);
    for (size_t i = 0; agent->fallback_count == 0 && i < house->configured_count &&
                       run->model_count < RUN_MODELS_MAX;
         i++)
        if (house->models[i] != run->models[0])
            run->models[run->model_count++] = house->models[i];
    run->result.model = run->row.model = model_spec(run->models[0]);
    return 0;
}

int think_prepare(struct run *run)
{
    const struct agent_house *house = run->house;
    size_t first = 0;

    if (run->agent && str_empty(run->request->model) && house->model_count > 0 &&
        (!str_empty(run->agent->model) || run->agent->fallback_count > 0))
        return think_of_agent(run);
    if (!str_empty(run->request->model)) {
        while (first < house->model_count &&
               !names_model(model_spec(house->models[first]), run->request->model))
            first++;
        if (first == house->model_count)
            return unknown_model(run);
    }
    if (house->model_count == 0)
        return err_set(ERR_UNAVAILABLE, "No model is configured; set model to builtin or another.");
    /* Models beyond the configured ones belong to the agents that name them. */
    for (size_t i = first;
         i < MAX(house->configured_count, first + 1) && run->model_count < RUN_MODELS_MAX; i++)
        run->models[run->model_count++] = house->models[i];
    run->result.model = run->row.model = model_spec(run->models[0]);
    return 0;
}

void run_message_add(struct run *run, const struct model_message *message)
{
    if (run->message_count == run->message_capacity) {
        size_t capacity = run->message_capacity * 2 + 8;

        run->messages = arena_grow(run->arena, run->messages,
            run->message_capacity * sizeof(*message), capacity * sizeof(*message));
        run->message_capacity = capacity;
    }
    run->messages[run->message_count++] = *message;
}

static struct str team_sentence(const struct agent_def *agent)
{
    switch (agent ? agent->mode : TEAM_NONE) {
    case TEAM_COORDINATE:
        return STR("You lead colleagues. Give each the part of the work that is theirs, several at "
                   "once where they do not depend on each other, and answer from what they say.");
    case TEAM_ROUTE:
        return STR("You lead colleagues. Ask the one of them who can do this best, once: what that "
                   "colleague says is the answer.");
    case TEAM_TASKS:
        return STR("You lead colleagues. Break the work into tasks, each for the one who can do it "
                   "best and after those it needs; look at how they stand, add what is missing, "
                   "and answer from the outcome.");
    case TEAM_BROADCAST:
        return STR("Your colleagues have spoken below. Answer from what they say.");
    default:
        return STR("");
    }
}

static int prepare_messages(struct run *run)
{
    const struct agent_house *house = run->house;
    struct prompt_scene scene = {
        .agent_name = run->persona,
        .operator_prompt = str_from(house->config->agent_system_prompt),
        .caller_prompt = run->root == run ? run->request->system_prompt : STR(""),
        .role = run->agent ? run->agent->role : STR(""),
        .instructions = run->agent ? run->agent->instructions : STR(""),
        .task = run->task,
        .team = team_sentence(run->agent),
        .now_ms = run->now_ms,
        .zone = run->zone,
        .may_be_silent = run_may_be_silent(run),
    };
    size_t extra = 8;
    int rc = 0;

    if (!run->agent || run->agent->memory)
        rc = memory_recall(
            house->store, &run->session.row, run->session.whole, run->arena, &scene.memory);

    if (rc < 0)
        return rc;
    run->messages = prompt_messages(&scene, &run->chat, extra, run->arena, &run->message_count);
    run->message_capacity = run->message_count + extra;
    rc = team_prepare(run);
    return rc < 0 ? rc : toolbox_fill(run);
}

static int send_delta(struct run *run, struct str text)
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
        return send_delta(run, text);
    }
    buf_add_str(&run->delta, text);
    if (run->delta.len <= silence.len && memcmp(run->delta.ptr, silence.ptr, run->delta.len) == 0)
        return 0;
    run->delta_open = true;
    rc = send_delta(run, buf_str(&run->delta));
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
        .messages = run->messages,
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
        .on_delta = run->request->sink && run->root == run ? on_delta : NULL,
        .ctx = run,
    };
}

static struct str name_data(struct run *run, const char *name, struct str value)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, name, value);
    json_object_end(&w);
    return buf_str(&out);
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
    return run_event(run, "model.completed", buf_str(&out));
}

static int report_failure(struct run *run, const struct model *model, enum model_error error)
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
    return run_event(run, "model.failed", buf_str(&out));
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

    sum->input_tokens += reply->usage.input_tokens;
    sum->output_tokens += reply->usage.output_tokens;
    sum->cached_tokens += reply->usage.cached_tokens;
    count_cost(run, model, reply);
    run->root->tokens += reply->usage.input_tokens + reply->usage.output_tokens;
    if (reply->usage.input_tokens > 0 || model_is_builtin(model))
        return;
    for (size_t i = 0; i < request->message_count; i++)
        run->root->tokens += tokens_estimate(request->messages[i].content);
    run->root->tokens += tokens_estimate(reply->content);
}

static bool is_silence(struct str content)
{
    content = str_trim(content);
    return str_empty(content) || str_is(content, PROMPT_SILENCE);
}

/* An empty answer where one is due is as bad as none. */
static int check_reply(const struct run *run, const struct model *model,
    const struct model_reply *reply, enum model_error *ret_error)
{
    struct str spec = model_spec(model);

    if (reply->tool_call_count > 0 || run_may_be_silent(run) || !is_silence(reply->content) ||
        reply->finish == MODEL_FILTERED)
        return 0;
    *ret_error = MODEL_BROKEN_ANSWER;
    return err_set(ERR_PROTOCOL, "The model %.*s gave an empty answer.", STR_ARG(spec));
}

static int ask_one(struct run *run, struct model *model, struct model_reply *ret_reply,
    enum model_error *ret_error)
{
    struct model_request request;
    int rc = run_event(run, "model.started", name_data(run, "model", model_spec(model)));

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

static int out_of_budget(struct run *run, const char *budget, int64_t limit)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;
    int rc;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "budget", budget);
    json_i64_member(&w, "limit", limit);
    json_object_end(&w);
    rc = run_event(run, "budget.exceeded", buf_str(&out));
    if (rc < 0)
        return rc;
    return err_set(ERR_BUDGET,
        "The run used up its budget of %lld %s (setting run.max-%s) before "
        "it had an answer.",
        (long long)limit, budget, budget);
}

static int check_budgets(struct run *run)
{
    const struct config *config = run->house->config;

    if (run->root->result.model_calls >= config->run_max_model_calls)
        return out_of_budget(run, "model-calls", config->run_max_model_calls);
    if (run->agent && run->agent->max_model_calls > 0 &&
        run->own_model_calls >= run->agent->max_model_calls)
        return err_set(ERR_BUDGET,
            "The agent %.*s used up its %lld model calls (max-model-calls) before it had an "
            "answer.",
            STR_ARG(run->agent->name), (long long)run->agent->max_model_calls);
    if (config->run_max_tokens > 0 && run->root->tokens >= config->run_max_tokens)
        return out_of_budget(run, "tokens", config->run_max_tokens);
    if (config->run_max_cost_cents > 0 &&
        run->root->result.cost_usd * 100 >= (double)config->run_max_cost_cents)
        return out_of_budget(run, "cost-cents", config->run_max_cost_cents);
    if (loop_now_ms(fiber_loop()) >= run->deadline_ms)
        return err_set(ERR_TIMEOUT, "The run took longer than it may.");
    return 0;
}

/* The models that an agent names for this kind of failure follow instead of the others, once. */
static void take_models_for(struct run *run, enum model_error error)
{
    const struct agent_def *agent = run->agent;
    bool limited = error == MODEL_RATE_LIMITED || error == MODEL_QUOTA;
    const struct str *specs;
    size_t count;

    if (!agent || (!limited && error != MODEL_CONTEXT_OVERFLOW))
        return;
    specs = limited ? agent->on_rate_limit : agent->on_context_overflow;
    count = limited ? agent->on_rate_limit_count : agent->on_context_overflow_count;
    error = limited ? MODEL_RATE_LIMITED : error;
    if (count == 0 || run->fell_back & (1u << error))
        return;
    run->fell_back |= 1u << error;
    run->model_count = run->model_current + 1;
    for (size_t i = 0; i < count && run->model_count < RUN_MODELS_MAX; i++)
        run->models[run->model_count++] = model_named(run, specs[i]);
}

/* Ask the current model, and on its failure those after it. */
static int ask(struct run *run, struct model_reply *ret_reply)
{
    for (;;) {
        struct model *model = run->models[run->model_current];
        enum model_error error = MODEL_OK;
        struct err cause;
        int rc = check_budgets(run);

        if (rc < 0)
            return rc;
        rc = ask_one(run, model, ret_reply, &error);
        if (rc == 0 || rc == ERR_CANCELLED)
            return rc;
        cause = *err_get();
        if (report_failure(run, model, error) < 0)
            return ERR_CANCELLED;
        *err_get() = cause;
        if (fiber_is_cancelled())
            return err_set(ERR_CANCELLED, "The run was cancelled.");
        take_models_for(run, error);
        if (!may_fall_back(error) || run->model_current + 1 == run->model_count)
            return explain(run, model, rc, error);
        run->model_current++;
    }
}

static void take_answer(struct run *run, const struct model_reply *reply)
{
    if (reply->finish == MODEL_FILTERED && is_silence(reply->content)) {
        run->result.reason = STR("the model's provider refused to answer this");
        return;
    }
    if (run_may_be_silent(run) && is_silence(reply->content)) {
        run->result.reason = STR("nothing to add");
        return;
    }
    run->result.spoke = true;
    run->result.reply = str_trim(reply->content);
    if (reply->finish == MODEL_LENGTH)
        run->result.reason = STR("cut off: the model reached its output limit");
}

enum { AGAIN = 1 };

/* A reply that has a shape to keep: given back once with what is wrong. 0, AGAIN, or an error. */
static int fit_schema(struct run *run, const struct model_reply *reply)
{
    struct tool shape = {.name = "answer"};
    const struct json *root;
    int rc;

    if (!run->agent || str_empty(run->agent->output_schema))
        return 0;
    shape.parameters = run->agent->output_schema.ptr;
    rc = json_parse(run->arena, str_trim(reply->content), &root);
    if (rc == 0)
        rc = tool_check_args(&shape, root);
    if (rc == 0)
        return 0;
    if (run->repaired)
        return err_set(ERR_UNAVAILABLE, "The model's answers do not fit the output-schema of %.*s.",
            STR_ARG(run->agent->name));
    run->repaired = true;
    run_message_add(run, &(struct model_message){
                             .role = MODEL_ASSISTANT,
                             .content = reply->content,
                             .opaque = reply->opaque,
                             .opaque_of = reply->opaque_of,
                         });
    run_message_add(run,
        &(struct model_message){
            .role = MODEL_USER,
            .content = str_printf(run->arena,
                "(That answer does not have the shape it must have: %s Answer again with nothing "
                "but JSON of that shape.)",
                err_message()),
        });
    return AGAIN;
}

int think(struct run *run)
{
    int rc;

    if (run->agent && run->agent->workflow)
        return workflow_run(run);
    rc = prepare_messages(run);
    return rc < 0 ? rc : think_on(run);
}

int think_on(struct run *run)
{
    for (;;) {
        struct model_reply reply = {0};
        int rc = ask(run, &reply);

        if (rc < 0)
            return rc;
        if (reply.tool_call_count == 0) {
            rc = fit_schema(run, &reply);
            if (rc == AGAIN)
                continue;
            if (rc == 0)
                take_answer(run, &reply);
            return rc;
        }
        run_message_add(run, &(struct model_message){
                                 .role = MODEL_ASSISTANT,
                                 .content = reply.content,
                                 .tool_calls = reply.tool_calls,
                                 .tool_call_count = reply.tool_call_count,
                                 .opaque = reply.opaque,
                                 .opaque_of = reply.opaque_of,
                             });
        rc = calls_run(run, reply.tool_calls, reply.tool_call_count);
        if (rc != 0)
            return rc;
        if (run->stopped) {
            run->result.spoke = true;
            return 0;
        }
    }
}
