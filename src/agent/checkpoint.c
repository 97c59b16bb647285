#include "agent/checkpoint.h"

static const char *const roles[] = {"system", "user", "assistant", "tool"};
static const enum model_role role_of[] = {MODEL_SYSTEM, MODEL_USER, MODEL_ASSISTANT, MODEL_TOOL};

static void write_call(struct json_writer *w, const struct model_tool_call *call)
{
    json_str_member(w, "id", call->id);
    json_str_member(w, "name", call->name);
    json_str_member(w, "arguments", call->arguments);
}

static void write_message(struct json_writer *w, const struct model_message *message)
{
    json_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (role_of[i] == message->role)
            json_cstr_member(w, "role", roles[i]);
    json_str_member(w, "author", message->author);
    json_str_member(w, "content", message->content);
    json_i64_member(w, "at", message->at_ms);
    json_str_member(w, "call_id", message->tool_call_id);
    json_str_member(w, "tool", message->tool_name);
    json_bool_member(w, "failed", message->failed);
    if (message->opaque_of) {
        json_str_member(w, "opaque", message->opaque);
        json_cstr_member(w, "opaque_of", message->opaque_of);
    }
    json_name(w, "calls");
    json_array_begin(w);
    for (size_t i = 0; i < message->tool_call_count; i++) {
        json_object_begin(w);
        write_call(w, &message->tool_calls[i]);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void write_spent(struct json_writer *w, const struct run *run)
{
    const struct run_result *result = &run->result;

    json_str_member(w, "seed", run->seed);
    json_i64_member(w, "now", run->now_ms);
    json_i64_member(w, "last_seq", run->log.last_seq + 1); /* run.paused comes yet */
    json_i64_member(w, "tokens", run->tokens);
    json_i64_member(w, "model_calls", result->model_calls);
    json_i64_member(w, "tool_calls", result->tool_calls);
    json_i64_member(w, "input_tokens", result->usage.input_tokens);
    json_i64_member(w, "output_tokens", result->usage.output_tokens);
    json_i64_member(w, "cached_tokens", result->usage.cached_tokens);
    json_name(w, "cost_usd");
    json_put_double(w, result->cost_usd);
    json_bool_member(w, "cost_unknown", result->cost_unknown);
    json_bool_member(w, "addressed", run->verdict.addressed);
    json_name(w, "taint");
    taint_write(w, &run->taint);
}

static void write_own(struct json_writer *w, const struct run *run)
{
    json_i64_member(w, "own_model_calls", run->own_model_calls);
    json_i64_member(w, "own_tool_calls", run->own_tool_calls);
    json_i64_member(w, "own_tokens", run->own_tokens);
    json_i64_member(w, "judged", (int64_t)run->judged);
    json_str_member(w, "model", model_spec(run->models[run->model_current]));
    if (!str_empty(run->stand))
        json_raw_member(w, "stand", run->stand);
    if (run->tasks)
        tasks_write(w, run);
    json_name(w, "counts");
    json_object_begin(w);
    for (size_t i = 0; i < run->tool_count; i++)
        if (run->call_counts[i] > 0) {
            json_name_str(w, str_from(run->tool_list[i]->name));
            json_put_i64(w, run->call_counts[i]);
        }
    json_object_end(w);
}

static void write_done(struct json_writer *w, const struct run_result *result)
{
    result_write_actions(w, result);
    result_write_citations(w, result);
    json_name(w, "events");
    json_array_begin(w);
    for (size_t i = 0; i < result->event_count; i++)
        json_put_str(w, result->events[i]);
    json_array_end(w);
}

struct str checkpoint_write(const struct run *run)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    if (run->root == run) {
        write_spent(&w, run);
        write_done(&w, &run->result);
    }
    write_own(&w, run);
    json_name(&w, "messages");
    json_array_begin(&w);
    for (size_t i = 0; i < run->message_count; i++)
        write_message(&w, &run->messages[i]);
    json_array_end(&w);
    json_name(&w, "waiting");
    json_array_begin(&w);
    for (size_t i = 0; i < run->waiting_count; i++) {
        json_object_begin(&w);
        checkpoint_put_waiting(&w, &run->waiting[i]);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

void checkpoint_put_waiting(struct json_writer *w, const struct waiting_call *waiting)
{
    if (!str_empty(waiting->approval_id))
        json_str_member(w, "approval_id", waiting->approval_id);
    write_call(w, &waiting->call);
    if (!str_empty(waiting->frame))
        json_raw_member(w, "frame", waiting->frame);
    if (!str_empty(waiting->on_timeout))
        json_str_member(w, "on_timeout", waiting->on_timeout);
    if (!str_empty(waiting->step))
        json_str_member(w, "step", waiting->step);
    if (waiting->hours > 0)
        json_i64_member(w, "hours", waiting->hours);
}

static struct model_tool_call read_call(const struct json *node)
{
    return (struct model_tool_call){.id = json_get_str(node, "id"),
        .name = json_get_str(node, "name"),
        .arguments = json_get_str(node, "arguments")};
}

static struct waiting_call get_waiting(struct arena *arena, const struct json *node)
{
    const struct json *frame = json_get(node, "frame");

    return (struct waiting_call){.approval_id = json_get_str(node, "approval_id"),
        .call = read_call(node),
        .frame = frame ? json_text(arena, frame) : STR(""),
        .on_timeout = json_get_str(node, "on_timeout"),
        .step = json_get_str(node, "step"),
        .hours = json_get_i64(node, "hours", 0)};
}

static size_t count_asked(const struct json *node)
{
    size_t count = json_is(node, JSON_OBJECT) && json_get(node, "approval_id");

    for (const struct json *inner = json_first(node); inner; inner = json_next(inner))
        count += count_asked(inner);
    return count;
}

static void take_asked(
    struct arena *arena, const struct json *node, struct waiting_call *list, size_t *count)
{
    if (json_is(node, JSON_OBJECT) && json_get(node, "approval_id"))
        list[(*count)++] = get_waiting(arena, node);
    for (const struct json *inner = json_first(node); inner; inner = json_next(inner))
        take_asked(arena, inner, list, count);
}

size_t checkpoint_asked(
    struct arena *arena, const struct json *frame, struct waiting_call **ret_asked)
{
    size_t count = 0;

    *ret_asked = arena_array(arena, struct waiting_call, count_asked(frame));
    take_asked(arena, frame, *ret_asked, &count);
    return count;
}

static void read_message(struct run *run, const struct json *node)
{
    const struct json *calls = json_get(node, "calls");
    struct model_tool_call *list = arena_array(run->arena, struct model_tool_call, json_len(calls));
    struct model_message message = {
        .author = json_get_str(node, "author"),
        .content = json_get_str(node, "content"),
        .at_ms = json_get_i64(node, "at", 0),
        .tool_calls = list,
        .tool_call_id = json_get_str(node, "call_id"),
        .tool_name = json_get_str(node, "tool"),
        .failed = json_get_bool(node, "failed", false),
        .opaque = json_get_str(node, "opaque"),
    };

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (str_is(json_get_str(node, "role"), roles[i]))
            message.role = role_of[i];
    if (json_get(node, "opaque_of"))
        message.opaque_of = str_cstr(run->arena, json_get_str(node, "opaque_of"));
    for (const struct json *call = json_first(calls); call; call = json_next(call))
        list[message.tool_call_count++] = read_call(call);
    run_message_add(run, &message);
}

static void read_spent(struct run *run, const struct json *root)
{
    struct run_result *result = &run->result;

    run->seed = json_get_str(root, "seed");
    run->now_ms = json_get_i64(root, "now", 0);
    run->log.last_seq = json_get_i64(root, "last_seq", 0);
    run->tokens = json_get_i64(root, "tokens", 0);
    result->model_calls = json_get_i64(root, "model_calls", 0);
    result->tool_calls = json_get_i64(root, "tool_calls", 0);
    result->usage.input_tokens = json_get_i64(root, "input_tokens", 0);
    result->usage.output_tokens = json_get_i64(root, "output_tokens", 0);
    result->usage.cached_tokens = json_get_i64(root, "cached_tokens", 0);
    result->cost_usd = json_double(json_get(root, "cost_usd"), 0);
    result->cost_unknown = json_get_bool(root, "cost_unknown", false);
    run->verdict.speak = true;
    run->verdict.addressed = json_get_bool(root, "addressed", true);
    taint_read(json_get(root, "taint"), run->arena, &run->taint);
}

static void read_done(struct run *run, const struct json *root)
{
    struct tool_result made = {.content = STR(""), .event = STR("")};
    const struct json *list = json_get(root, "citations");
    struct tool_citation *citations = arena_array(run->arena, struct tool_citation, json_len(list));

    for (const struct json *one = json_first(json_get(root, "actions")); one; one = json_next(one))
        result_add_action(run, json_get_str(one, "tool"),
            str_cstr(run->arena, json_get_str(one, "status")), json_get_str(one, "summary"));
    for (const struct json *one = json_first(json_get(root, "events")); one; one = json_next(one)) {
        made.event = json_str(one);
        result_add(run, &made);
    }
    for (const struct json *one = json_first(list); one; one = json_next(one))
        citations[run->result.citation_count++] = (struct tool_citation){
            json_get_str(one, "url"), json_get_str(one, "title"), json_get_str(one, "quote")};
    run->citations = citations;
    run->citation_capacity = run->result.citation_count;
    run->result.citations = citations;
}

int checkpoint_read(struct run *run, struct str text)
{
    const struct json *root;

    if (str_empty(text) || json_parse(run->arena, text, &root) < 0)
        return err_set(ERR_CORRUPT, "What this run was to go on with is not readable.");
    read_spent(run, root);
    read_done(run, root);
    checkpoint_read_part(run, root);
    return 0;
}

void checkpoint_read_part(struct run *run, const struct json *frame)
{
    const struct json *waiting = json_get(frame, "waiting");

    run->own_model_calls = json_get_i64(frame, "own_model_calls", 0);
    run->own_tool_calls = json_get_i64(frame, "own_tool_calls", 0);
    run->own_tokens = json_get_i64(frame, "own_tokens", 0);
    run->judged = (size_t)json_get_i64(frame, "judged", 0);
    for (size_t i = 0; i < run->model_count; i++)
        if (str_eq(model_spec(run->models[i]), json_get_str(frame, "model")))
            run->model_current = i;
    for (const struct json *one = json_first(json_get(frame, "messages")); one;
         one = json_next(one))
        read_message(run, one);
    run->waiting = arena_array(run->arena, struct waiting_call, json_len(waiting));
    for (const struct json *one = json_first(waiting); one; one = json_next(one))
        run->waiting[run->waiting_count++] = get_waiting(run->arena, one);
    run->resumed = frame;
    if (json_get(frame, "tasks"))
        tasks_read(run, json_get(frame, "tasks"));
}

void checkpoint_counts(struct run *run)
{
    const struct json *counts = json_get(run->resumed, "counts");

    for (size_t i = 0; i < run->tool_count; i++)
        run->call_counts[i] = json_get_i64(counts, run->tool_list[i]->name, 0);
}
