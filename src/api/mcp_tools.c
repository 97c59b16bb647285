/* The tools of the MCP server: ask (a whole agent run) and Theo's own tools, one by one. */
#include "agent/approval.h"
#include "agent/policy.h"
#include "api/mcp.h"
#include "text/transcript.h"

#define PAGE 50
#define LIST_TTL_MS (5 * MINUTE_MS)

static const char ask_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"chat_context\"],"
    "\"properties\":{"
    "\"chat_context\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":1000000,"
    "\"description\":\"the chat, one `name: message` a line; the last lines are what to answer\"},"
    "\"session_id\":{\"type\":\"string\",\"maxLength\":64,"
    "\"description\":\"of an earlier answer, to go on with that chat\"},"
    "\"agent\":{\"type\":\"string\",\"maxLength\":64,\"description\":\"which agent; default: the "
    "first\"},"
    "\"system_prompt\":{\"type\":\"string\",\"maxLength\":32768},"
    "\"time_zone\":{\"type\":\"string\",\"maxLength\":64,\"description\":\"IANA name\"},"
    "\"must_reply\":{\"type\":\"boolean\",\"description\":\"default true: answer even when nobody "
    "asked\"}}}";

static const struct tool ask_tool = {
    .name = "ask",
    .description = "Give Theo a chat and get its answer: it may schedule meetings, search what was "
                   "said before, use its other tools, and replies in one text.",
    .parameters = ask_schema,
    .effect = TOOL_WRITE,
};

/* What the tools take besides, because no run gives it to them here. */
static const char extra_schema[] =
    "{\"chat_context\":{\"type\":\"string\",\"maxLength\":1000000,"
    "\"description\":\"the chat that the tool works on, one `name: message` a line\"},"
    "\"session_id\":{\"type\":\"string\",\"maxLength\":64,"
    "\"description\":\"of the stored chat that the tool works on\"}}";

static const char *scope_of(const struct tool *tool)
{
    return strcmp(tool->name, "schedule") == 0 ? "schedule" : "chat";
}

static size_t tool_count(const struct mcp_request *request)
{
    return request->x->api->house->tool_count + 1;
}

static const struct tool *tool_at(const struct mcp_request *request, size_t index)
{
    return index == 0 ? &ask_tool : request->x->api->house->tools[index - 1];
}

static void put_members(struct json_writer *w, const struct json *object)
{
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        json_name_str(w, json_key(m));
        json_put_node(w, m);
    }
}

static void put_schema(struct mcp_request *request, struct json_writer *w, const struct tool *tool)
{
    const struct json *schema, *extra;

    json_name(w, "inputSchema");
    if (tool == &ask_tool || json_parse(request->x->arena, str_from(tool->parameters), &schema) ||
        json_parse(request->x->arena, str_from(extra_schema), &extra)) {
        json_put_raw(w, str_from(tool->parameters));
        return;
    }
    json_object_begin(w);
    for (const struct json *m = json_first(schema); m; m = json_next(m)) {
        if (str_is(json_key(m), "properties"))
            continue;
        json_name_str(w, json_key(m));
        json_put_node(w, m);
    }
    json_name(w, "properties");
    json_object_begin(w);
    put_members(w, json_get(schema, "properties"));
    for (const struct json *m = json_first(extra); m; m = json_next(m))
        if (!json_get(json_get(schema, "properties"), json_key(m).ptr)) {
            json_name_str(w, json_key(m));
            json_put_node(w, m);
        }
    json_object_end(w);
    json_object_end(w);
}

static void put_tool(struct mcp_request *request, struct json_writer *w, const struct tool *tool)
{
    json_object_begin(w);
    json_cstr_member(w, "name", tool->name);
    json_cstr_member(w, "description", tool->description);
    put_schema(request, w, tool);
    json_name(w, "annotations");
    json_object_begin(w);
    json_bool_member(w, "readOnlyHint", tool->effect != TOOL_WRITE);
    json_bool_member(w, "destructiveHint", tool->effect == TOOL_WRITE);
    json_bool_member(w, "idempotentHint", tool->effect != TOOL_WRITE);
    json_bool_member(w, "openWorldHint", tool == &ask_tool);
    json_object_end(w);
    json_object_end(w);
}

void mcp_tools_list(struct mcp_request *request)
{
    const struct json *cursor = json_get(request->message->params, "cursor");
    struct buf out = BUF_IN(request->x->arena);
    struct json_writer w;
    int64_t from = 0;
    size_t i;

    if (cursor && (!str_to_i64(json_str(cursor), &from) || from <= 0 ||
                      from >= (int64_t)tool_count(request))) {
        mcp_refuse(request, 200, RPC_INVALID_PARAMS, "There is no page at this cursor.");
        return;
    }
    mcp_result_begin(request, &w, &out);
    json_name(&w, "tools");
    json_array_begin(&w);
    for (i = (size_t)from; i < tool_count(request) && i < (size_t)from + PAGE; i++)
        if (api_identity_may(&request->x->who, scope_of(tool_at(request, i))))
            put_tool(request, &w, tool_at(request, i));
    json_array_end(&w);
    if (i < tool_count(request))
        json_str_member(&w, "nextCursor", str_printf(request->x->arena, "%zu", i));
    if (request->modern) {
        json_i64_member(&w, "ttlMs", LIST_TTL_MS);
        json_cstr_member(&w, "cacheScope", "private");
    }
    mcp_result_end(request, &w, &out);
}

/* structured: JSON object, may be empty. */
static void give(struct mcp_request *request, struct str text, struct str structured, bool failed)
{
    struct buf out = BUF_IN(request->x->arena);
    struct json_writer w;

    mcp_result_begin(request, &w, &out);
    json_name(&w, "content");
    json_array_begin(&w);
    json_object_begin(&w);
    json_cstr_member(&w, "type", "text");
    json_str_member(&w, "text", text);
    json_object_end(&w);
    json_array_end(&w);
    if (!str_empty(structured))
        json_raw_member(&w, "structuredContent", structured);
    json_bool_member(&w, "isError", failed);
    mcp_result_end(request, &w, &out);
}

/* What went wrong, as the interface says it elsewhere: nothing of the inside. */
static void give_failure(struct mcp_request *request, int rc)
{
    const struct json *problem;
    struct str detail = STR("Something went wrong inside; the server's log has the cause.");

    if (json_parse(request->x->arena, problem_json(request->x, rc), &problem) == 0)
        detail = json_get_str(problem, "detail");
    give(request, detail, STR(""), true);
    request->x->answer.failure = rc;
}

/* An answer that may be kept for a repeat has no secrets: approvals are decided with a key. */
static struct str without_tokens(struct mcp_request *request, const struct json *result)
{
    struct buf out = BUF_IN(request->x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    for (const struct json *m = json_first(result); m; m = json_next(m)) {
        json_name_str(&w, json_key(m));
        if (!str_is(json_key(m), "approvals")) {
            json_put_node(&w, m);
            continue;
        }
        json_array_begin(&w);
        for (const struct json *one = json_first(m); one; one = json_next(one)) {
            json_object_begin(&w);
            for (const struct json *part = json_first(one); part; part = json_next(part))
                if (!str_is(json_key(part), "token")) {
                    json_name_str(&w, json_key(part));
                    json_put_node(&w, part);
                }
            json_object_end(&w);
        }
        json_array_end(&w);
    }
    json_object_end(&w);
    return buf_str(&out);
}

/* The run of POST /api/chat, with its limits and checks. */
static void ask(struct mcp_request *request, const struct json *args)
{
    struct exchange sub = *request->x;
    struct buf body = BUF_IN(sub.arena);
    struct json_writer w;
    const struct json *result;
    struct str reply;
    int rc;

    json_init(&w, &body);
    json_object_begin(&w);
    put_members(&w, args);
    if (!json_get(args, "must_reply"))
        json_bool_member(&w, "must_reply", true);
    json_bool_member(&w, "stream", false);
    json_object_end(&w);
    sub.answer = (struct answer){0};
    sub.idempotency = NULL;
    rc = json_parse(sub.arena, buf_str(&body), &sub.body);
    if (rc == 0)
        rc = chat_post(&sub);
    if (rc == 0)
        rc = json_parse(sub.arena, sub.answer.body, &result);
    if (rc < 0) {
        give_failure(request, rc);
        return;
    }
    reply = json_get_str(result, "reply");
    if (!json_get_bool(result, "spoke", false))
        reply = str_printf(
            sub.arena, "(Theo is silent: %.*s)", STR_ARG(json_get_str(result, "reason")));
    give(request, reply, without_tokens(request, result), false);
}

/* The arguments without those that this door added. */
static const struct json *own_args(
    struct mcp_request *request, const struct tool *tool, const struct json *args)
{
    const struct json *schema, *own;
    struct buf out = BUF_IN(request->x->arena);
    struct json_writer w;

    if (json_parse(request->x->arena, str_from(tool->parameters), &schema) < 0)
        return args;
    json_init(&w, &out);
    json_object_begin(&w);
    for (const struct json *m = json_first(args); m; m = json_next(m)) {
        bool extra = str_is(json_key(m), "chat_context") || str_is(json_key(m), "session_id");

        if (extra && !json_get(json_get(schema, "properties"), json_key(m).ptr))
            continue;
        json_name_str(&w, json_key(m));
        json_put_node(&w, m);
    }
    json_object_end(&w);
    return json_parse(request->x->arena, buf_str(&out), &own) == 0 ? own : args;
}

/* Does a call need no more than its tool: it changes nothing, and the policy lets it run? */
static bool is_plain(
    const struct agent_house *house, const struct tool *tool, const struct json *args)
{
    const struct taint none = {0};
    bool changes = tool->effect == TOOL_WRITE && !(tool->reads_only && tool->reads_only(args));

    return !changes &&
           policy_decide(house->policy, tool, args, &none, NULL).verdict == POLICY_ALLOW;
}

/* A call that reads: no run, and nothing stored. */
static int call_plainly(struct mcp_request *request, const struct tool *tool,
    const struct json *args, struct str session_id, const struct transcript *chat,
    struct tool_result *ret_result)
{
    struct exchange *x = request->x;
    const struct agent_house *house = x->api->house;
    struct policy_limits limits = policy_limits(house->policy, tool);
    struct tool_call call = {.tool = tool,
        .arena = x->arena,
        .env = x->env,
        .store = x->store,
        .services = house->services,
        .workspace_id = x->workspace,
        .session_id = session_id,
        .run_id = ulid_new(x->env, x->arena),
        .time_zone = str_from(house->config->time_zone),
        .agent_name = str_from(house->config->agent_name),
        .now_ms = env_wall_ms(x->env),
        .chat = chat,
        .idempotency_key = STR(""),
        .args = args};
    int64_t timeout = limits.timeout_ms > 0 ? limits.timeout_ms : 30 * SECOND_MS;
    int rc;

    fiber_set_deadline(loop_now_ms(fiber_loop()) + timeout);
    rc = tool->run(&call, ret_result);
    fiber_set_deadline(FIBER_NO_DEADLINE);
    return rc;
}

/* What stands in the chat for a call that brings none. */
static void add_said(struct mcp_request *request, const struct tool *tool, const struct json *args,
    struct transcript *chat)
{
    struct chat_message *said = arena_new(request->x->arena, struct chat_message);

    if (chat->count > 0)
        return;
    *said = (struct chat_message){.party = STR("MCP client"),
        .text = approval_summary(request->x->arena, str_from(tool->name), args)};
    *chat = (struct transcript){said, 1};
}

static void give_result(struct mcp_request *request, const struct run_result *result)
{
    struct buf out = BUF_IN(request->x->arena);
    const struct json *tree;
    struct json_writer w;

    json_init(&w, &out);
    run_result_write(&w, result);
    if (json_parse(request->x->arena, buf_str(&out), &tree) < 0)
        abort(); /* it was written just now */
    give(request, result->reply, without_tokens(request, tree), false);
}

/* A call that changes something, or that the policy has a say in, is a run: its input, events and
 * effect are stored, and it may wait for a person. */
static int call_as_run(struct mcp_request *request, const struct tool *tool,
    const struct json *args, struct str session_id, struct transcript *chat,
    struct run_result *ret_result)
{
    struct exchange *x = request->x;
    struct run_request asked = {.workspace_id = x->workspace,
        .key_id = str_from(x->who.key_id),
        .session_id = session_id,
        .channel = STR("api"),
        .idempotency_key = x->seed.len ? x->seed : STR(""),
        .system_prompt = STR(""),
        .agent = STR(""),
        .model = STR(""),
        .model_api_key = STR(""),
        .time_zone = STR(""),
        .tool = str_from(tool->name),
        .tool_arguments = json_text(x->arena, args),
        .metadata = STR("{\"via\":\"mcp\"}"),
        .must_reply = true};
    int64_t limit = x->api->house->config->run_max_in_flight;
    int rc;

    add_said(request, tool, args, chat);
    asked.chat = *chat;
    if (__atomic_add_fetch(&x->api->runs_in_flight, 1, __ATOMIC_RELAXED) > limit)
        rc = err_set(ERR_UNAVAILABLE, "Theo is working on as many chats as it may at once "
                                      "(run.max-in-flight); try again soon.");
    else
        rc = run_chat(x->api->house, &asked, x->arena, ret_result);
    __atomic_sub_fetch(&x->api->runs_in_flight, 1, __ATOMIC_RELAXED);
    return rc;
}

static void give_content(struct mcp_request *request, struct str content, bool failed)
{
    const struct json *structured;

    if (!failed && json_parse(request->x->arena, content, &structured) == 0 &&
        json_is(structured, JSON_OBJECT))
        give(request, content, content, false);
    else
        give(request, content, STR(""), failed);
}

static void call_own(struct mcp_request *request, const struct tool *tool, const struct json *args)
{
    const struct json *own = own_args(request, tool, args);
    struct str text = json_get_str(args, "chat_context");
    struct transcript chat = {0};
    struct tool_result made = {0};
    struct run_result result = {0};
    int rc = 0;

    if (!str_empty(text))
        rc = transcript_parse(request->x->arena, text, &chat);
    if (rc == 0)
        rc = tool_check_args(tool, own);
    if (rc == 0 && is_plain(request->x->api->house, tool, own)) {
        rc = call_plainly(request, tool, own, json_get_str(args, "session_id"), &chat, &made);
        if (rc == 0)
            give_content(request, made.content, false);
    } else if (rc == 0) {
        rc = call_as_run(request, tool, own, json_get_str(args, "session_id"), &chat, &result);
        if (rc == 0 && result.approval_count > 0)
            give_result(request, &result);
        else if (rc == 0)
            give_content(request, result.content, !str_empty(result.reason));
    }
    if (rc < 0)
        give_failure(request, rc);
}

void mcp_tools_call(struct mcp_request *request)
{
    struct arena *arena = request->x->arena;
    struct str name = json_get_str(request->message->params, "name");
    const struct json *args = json_get(request->message->params, "arguments");
    const struct tool *tool = NULL;

    for (size_t i = 0; i < tool_count(request); i++)
        if (str_is(name, tool_at(request, i)->name))
            tool = tool_at(request, i);
    if (!tool || (args && !json_is(args, JSON_OBJECT)) ||
        (!args && json_parse(arena, STR("{}"), &args) < 0)) {
        mcp_refuse(request, 200, RPC_INVALID_PARAMS,
            tool ? "arguments must be an object." : "There is no tool of that name.");
        return;
    }
    if (!api_identity_may(&request->x->who, scope_of(tool))) {
        mcp_refuse(request, 403, RPC_INVALID_REQUEST,
            str_printf(arena, "This key lacks the scope %s.", scope_of(tool)).ptr);
        return;
    }
    if (tool == &ask_tool && tool_check_args(tool, args) < 0)
        give_failure(request, ERR_INVALID);
    else if (tool == &ask_tool)
        ask(request, args);
    else
        call_own(request, tool, args);
}
