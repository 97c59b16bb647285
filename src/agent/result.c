#include "agent/private.h"

#include <math.h>

static void *grow(struct arena *arena, void *list, size_t count, size_t *capacity, size_t size)
{
    size_t bigger = *capacity ? *capacity * 2 : 4;

    if (count < *capacity)
        return list;
    list = arena_grow(arena, list, *capacity * size, bigger * size);
    *capacity = bigger;
    return list;
}

void result_add_action(struct run *run, struct str tool, const char *status, struct str summary)
{
    struct run_result *result = &run->result;

    run->actions = grow(run->arena, run->actions, result->action_count, &run->action_capacity,
        sizeof(*run->actions));
    run->actions[result->action_count++] =
        (struct run_action){tool, str_from(status), utf8_truncate(summary, 300)};
    result->actions = run->actions;
}

/* White space and case of quotation do not matter, words do. */
static bool same_at(struct str text, size_t at, struct str quote)
{
    size_t i = at, j = 0;

    while (j < quote.len) {
        if (char_is_space(quote.ptr[j])) {
            if (i >= text.len || !char_is_space(text.ptr[i]))
                return false;
            while (j < quote.len && char_is_space(quote.ptr[j]))
                j++;
            while (i < text.len && char_is_space(text.ptr[i]))
                i++;
        } else if (i < text.len && text.ptr[i] == quote.ptr[j]) {
            i++;
            j++;
        } else {
            return false;
        }
    }
    return true;
}

static bool stands_in(struct str text, struct str quote)
{
    for (ptrdiff_t at = str_find_char(text, quote.ptr[0], 0); at >= 0;
         at = str_find_char(text, quote.ptr[0], (size_t)at + 1))
        if (same_at(text, (size_t)at, quote))
            return true;
    return false;
}

static bool stands_in_node(const struct json *node, struct str quote)
{
    if (json_is(node, JSON_STRING))
        return stands_in(json_str(node), quote);
    for (const struct json *inner = json_first(node); inner; inner = json_next(inner))
        if (stands_in_node(inner, quote))
            return true;
    return false;
}

static bool quote_stands(struct str content, struct str quote, struct arena *arena)
{
    const struct json *root;

    quote = str_trim(quote);
    if (str_empty(quote))
        return false;
    if ((str_starts(content, STR("{")) || str_starts(content, STR("["))) &&
        json_parse(arena, content, &root) == 0)
        return stands_in_node(root, quote);
    return stands_in(content, quote);
}

static struct str event_id(struct str event, struct arena *arena)
{
    const struct json *root;

    return json_parse(arena, event, &root) < 0 ? STR("") : json_get_str(root, "id");
}

/* An event that a run changes again stands in its result once, as it is now. */
static void add_event(struct run *run, struct str event)
{
    struct run_result *result = &run->result;
    struct str id = event_id(event, run->arena);

    for (size_t i = 0; i < result->event_count; i++)
        if (!str_empty(id) && str_eq(event_id(run->events[i], run->arena), id)) {
            run->events[i] = event;
            return;
        }
    run->events = grow(
        run->arena, run->events, result->event_count, &run->event_capacity, sizeof(*run->events));
    run->events[result->event_count++] = event;
    result->events = run->events;
}

void result_add(struct run *run, const struct tool_result *made)
{
    struct run_result *result = &run->result;

    if (!str_empty(made->event))
        add_event(run, made->event);
    for (size_t i = 0; i < made->citation_count; i++) {
        if (!quote_stands(made->content, made->citations[i].quote, run->arena))
            continue;
        run->citations = grow(run->arena, run->citations, result->citation_count,
            &run->citation_capacity, sizeof(*run->citations));
        run->citations[result->citation_count++] = made->citations[i];
        result->citations = run->citations;
    }
}

void result_write_citations(struct json_writer *w, const struct run_result *result)
{
    json_name(w, "citations");
    json_array_begin(w);
    for (size_t i = 0; i < result->citation_count; i++) {
        json_object_begin(w);
        json_str_member(w, "url", result->citations[i].url);
        json_str_member(w, "title", result->citations[i].title);
        json_str_member(w, "quote", result->citations[i].quote);
        json_object_end(w);
    }
    json_array_end(w);
}

void result_write_actions(struct json_writer *w, const struct run_result *result)
{
    json_name(w, "actions");
    json_array_begin(w);
    for (size_t i = 0; i < result->action_count; i++) {
        json_object_begin(w);
        json_str_member(w, "tool", result->actions[i].tool);
        json_str_member(w, "status", result->actions[i].status);
        json_str_member(w, "summary", result->actions[i].summary);
        json_object_end(w);
    }
    json_array_end(w);
}

/* Tokens are secrets: they are in the answer, and in nothing that is stored. */
static void write_approvals(struct json_writer *w, const struct run_result *result, bool tokens)
{
    char expires[RFC3339_LEN + 1];

    json_name(w, "approvals");
    json_array_begin(w);
    for (size_t i = 0; i < result->approval_count; i++) {
        const struct run_approval *approval = &result->approvals[i];

        rfc3339_format(approval->expires_at, expires);
        json_object_begin(w);
        json_str_member(w, "id", approval->id);
        json_str_member(w, "tool", approval->tool);
        json_str_member(w, "summary", approval->summary);
        json_raw_member(w, "arguments", approval->arguments);
        json_cstr_member(w, "expires_at", expires);
        if (tokens && !str_empty(approval->token))
            json_str_member(w, "token", approval->token);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_result(struct json_writer *w, const struct run_result *result, bool tokens)
{
    json_object_begin(w);
    json_str_member(w, "session_id", result->session_id);
    json_str_member(w, "run_id", result->run_id);
    json_name(w, "reply");
    if (result->spoke)
        json_put_str(w, result->reply);
    else
        json_put_null(w);
    json_bool_member(w, "spoke", result->spoke);
    if (!str_empty(result->reason))
        json_str_member(w, "reason", result->reason);
    json_str_member(w, "agent", result->agent);
    json_str_member(w, "model", result->model);
    result_write_citations(w, result);
    result_write_actions(w, result);
    write_approvals(w, result, tokens);
    json_name(w, "events");
    json_array_begin(w);
    for (size_t i = 0; i < result->event_count; i++)
        json_put_raw(w, result->events[i]);
    json_array_end(w);
    json_name(w, "usage");
    json_object_begin(w);
    json_i64_member(w, "input_tokens", result->usage.input_tokens);
    json_i64_member(w, "output_tokens", result->usage.output_tokens);
    if (result->cost_usd > 0 && !result->cost_unknown) {
        json_name(w, "cost_usd");
        json_put_double(w, round(result->cost_usd * 1e8) / 1e8);
    }
    json_i64_member(w, "model_calls", result->model_calls);
    json_i64_member(w, "tool_calls", result->tool_calls);
    json_object_end(w);
    json_i64_member(w, "latency_ms", result->latency_ms);
    json_object_end(w);
}

void run_result_write(struct json_writer *w, const struct run_result *result)
{
    write_result(w, result, true);
}

struct str result_text(const struct run *run)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    buf_reserve(&out, run->result.reply.len + 512);
    json_init(&w, &out);
    write_result(&w, &run->result, false);
    return buf_str(&out);
}
