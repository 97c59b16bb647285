/* Playing back: what models answered and tools gave, found in the log again. */
#include "agent/prompt.h"
#include "agent/record.h"
#include "agent/replay_private.h"

/* A tool may have given that much; what is beyond was cut anyway. */
#define CONTENT_MOST (64 * MIB)

static int code_of(struct str name)
{
    for (int code = ERR_FAILED; code >= ERR_BUDGET; code--)
        if (str_is(name, err_name(code)))
            return code;
    return ERR_FAILED;
}

static enum model_error error_of(struct str name)
{
    for (int error = MODEL_RATE_LIMITED; error < MODEL_CANCELLED; error++)
        if (str_is(name, model_error_name((enum model_error)error)))
            return (enum model_error)error;
    return MODEL_CANCELLED;
}

/* Who does it: a member's name; empty for the run itself. */
static struct str lane_of(const struct log_event *event)
{
    return json_get_str(event->data, "agent");
}

static bool is_of(const struct log_event *event, const char *type, struct str lane)
{
    return str_is(event->type, type) && str_eq(lane_of(event), lane);
}

/* The end of the model call that began with event number at. */
static const struct log_event *find_end(struct tape *tape, size_t at, bool *taken)
{
    const struct log_events *log = tape->log;
    const struct log_event *start = &log->events[at];
    struct str lane = lane_of(start), prompt = json_get_str(start->data, "prompt");

    for (size_t i = at + 1; i < log->count; i++) {
        const struct log_event *event = &log->events[i];
        struct str whose = json_get_str(json_get(event->data, "record"), "prompt");

        if (taken[i] ||
            !(is_of(event, "model.completed", lane) || is_of(event, "model.failed", lane)))
            continue;
        if (!str_empty(whose) && !str_eq(whose, prompt))
            continue;
        taken[i] = true;
        return event;
    }
    return NULL;
}

/* Of several members of one name that work at the same time, ids tell whose call it is. */
static bool names_call(const struct json *ids, struct str id)
{
    for (const struct json *one = json_first(ids); one; one = json_next(one))
        if (str_eq(json_str(one), id))
            return true;
    return !ids;
}

static void find_calls(
    struct tape *tape, const struct log_event *end, bool *taken, struct tape_answer *answer)
{
    size_t wanted = (size_t)MAX(json_get_i64(end->data, "tool_calls", 0), 0);
    const struct json *ids = json_get(answer->record, "calls");
    const struct log_events *log = tape->log;
    struct str lane = lane_of(end);

    answer->calls = arena_array(tape->arena, struct model_tool_call, MIN(wanted, log->count));
    for (size_t i = (size_t)(end - log->events) + 1; i < log->count && answer->call_count < wanted;
         i++) {
        const struct log_event *event = &log->events[i];
        const struct json *args = json_get(event->data, "arguments");
        struct str id = json_get_str(event->data, "call_id");

        if (taken[i] || !is_of(event, "tool.started", lane) || !names_call(ids, id))
            continue;
        taken[i] = true;
        answer->calls[answer->call_count++] = (struct model_tool_call){.id = id,
            .name = json_get_str(event->data, "tool"),
            .arguments =
                json_is(args, JSON_STRING) ? json_str(args) : json_text(tape->arena, args)};
    }
}

/* The answer that became the result stands there. */
static struct str content_of(const struct tape_answer *answer, const struct json *result)
{
    if (json_get(answer->record, "content"))
        return json_get_str(answer->record, "content");
    if (answer->call_count > 0 || str_is(json_get_str(answer->data, "finish"), "filtered"))
        return STR("");
    if (json_get_bool(result, "spoke", false))
        return json_get_str(result, "reply");
    return STR(PROMPT_SILENCE);
}

static void read_answer(struct tape *tape, size_t at, bool *taken, const struct json *result)
{
    const struct json *data = tape->log->events[at].data;
    struct tape_answer *answer = &tape->answers[tape->answer_count++];
    const struct log_event *end = find_end(tape, at, taken);

    *answer = (struct tape_answer){
        .spec = json_get_str(data, "model"), .prompt = json_get_str(data, "prompt")};
    tape->recorded = tape->recorded || !str_empty(answer->prompt);
    if (!end)
        return;
    answer->data = end->data;
    answer->record = json_get(end->data, "record");
    answer->failed = str_is(end->type, "model.failed");
    if (!answer->failed)
        find_calls(tape, end, taken, answer);
    answer->content = content_of(answer, result);
}

/* What the call was given: by the model, or by the person who approved it. */
static const struct json *arguments_of(const struct log_events *log, size_t at)
{
    struct str id = json_get_str(log->events[at].data, "call_id");
    struct str tool = json_get_str(log->events[at].data, "tool"), lane = lane_of(&log->events[at]);

    while (at-- > 0) {
        const struct log_event *event = &log->events[at];

        if ((is_of(event, "tool.started", lane) || str_is(event->type, "approval.decided")) &&
            str_eq(json_get_str(event->data, "call_id"), id) &&
            str_eq(json_get_str(event->data, "tool"), tool))
            return json_get(event->data, "arguments");
    }
    return NULL;
}

static void read_result(struct tape *tape, size_t at)
{
    const struct json *data = tape->log->events[at].data;
    const struct json *args = arguments_of(tape->log, at);

    if (!json_get(data, "record"))
        return;
    tape->results[tape->result_count++] = (struct tape_result){.tool = json_get_str(data, "tool"),
        .args = args ? json_canonical(tape->arena, args) : STR("{}"),
        .status = json_get_str(data, "status"),
        .summary = json_get_str(data, "summary"),
        .record = json_get(data, "record")};
}

void tape_read(
    struct tape *tape, const struct log_events *log, struct str result, struct arena *arena)
{
    bool *taken = arena_array(arena, bool, log->count);
    const struct json *root = NULL;

    if (str_empty(result) || json_parse(arena, result, &root) < 0)
        root = NULL;
    *tape = (struct tape){.arena = arena,
        .log = log,
        .answers = arena_array(arena, struct tape_answer, log->count),
        .results = arena_array(arena, struct tape_result, log->count)};
    for (size_t i = 0; i < log->count; i++)
        if (str_is(log->events[i].type, "model.started"))
            read_answer(tape, i, taken, root);
        else if (str_is(log->events[i].type, "tool.completed"))
            read_result(tape, i);
}

/* The answer to this prompt; when the prompt is not what it was, the next one of that model. */
static struct tape_answer *find_answer(struct tape *tape, struct str spec, const char *prompt)
{
    for (size_t i = 0; i < tape->answer_count; i++)
        if (!tape->answers[i].used && str_eq(tape->answers[i].spec, spec) &&
            str_is(tape->answers[i].prompt, prompt))
            return &tape->answers[i];
    for (size_t i = 0; i < tape->answer_count; i++)
        if (!tape->answers[i].used && str_eq(tape->answers[i].spec, spec))
            return &tape->answers[i];
    return NULL;
}

static struct model_usage usage_of(const struct json *data, const struct json *record)
{
    const struct json *from = json_get(record, "input_tokens") ? record : data;

    return (struct model_usage){json_get_i64(from, "input_tokens", 0),
        json_get_i64(from, "output_tokens", 0), json_get_i64(record, "cached_tokens", 0)};
}

static enum model_finish finish_of(struct str name)
{
    if (str_is(name, "length"))
        return MODEL_LENGTH;
    if (str_is(name, "tool_calls"))
        return MODEL_TOOL_CALLS;
    return str_is(name, "filtered") ? MODEL_FILTERED : MODEL_STOP;
}

struct player {
    struct tape *tape;
    struct str spec;
};

static int play_failure(
    const struct tape_answer *answer, struct model_reply *ret_reply, enum model_error *ret_error)
{
    struct str message = json_get_str(answer->data, "message");

    *ret_error = error_of(json_get_str(answer->data, "error"));
    /* An empty answer costs what it costs, and is found out by who asked. */
    if (*ret_error == MODEL_BROKEN_ANSWER && json_get(answer->record, "input_tokens")) {
        *ret_error = MODEL_OK;
        *ret_reply = (struct model_reply){
            .content = STR(""), .usage = usage_of(answer->data, answer->record), .attempts = 1};
        return 0;
    }
    return err_set(code_of(json_get_str(answer->record, "code")), "%.*s", STR_ARG(message));
}

static int play(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    struct player *player = state;
    char prompt[RECORD_HASH_LEN + 1];
    struct tape_answer *answer;

    (void)arena;
    record_hash(request->messages, request->message_count, prompt);
    answer = find_answer(player->tape, player->spec, prompt);
    if (answer)
        answer->used = true;
    if (!answer || !answer->data) {
        *ret_error = MODEL_CANCELLED;
        return err_set(
            ERR_CANCELLED, "No answer of %.*s to this is recorded.", STR_ARG(player->spec));
    }
    if (answer->failed)
        return play_failure(answer, ret_reply, ret_error);
    *ret_reply = (struct model_reply){
        .content = answer->content,
        .tool_calls = answer->calls,
        .tool_call_count = answer->call_count,
        .finish = finish_of(json_get_str(answer->data, "finish")),
        .usage = usage_of(answer->data, answer->record),
        .model = player->spec,
        .attempts = (int)json_get_i64(answer->data, "attempts", 1),
    };
    return 0;
}

static void free_player(void *state)
{
    free(state);
}

/* Only one that calls itself builtin costs nothing. */
static const struct model_ops builtin_ops = {"builtin", NULL, free_player, play};
static const struct model_ops other_ops = {"replay", NULL, free_player, play};

struct model *tape_model(struct tape *tape, const struct env *env, struct str spec)
{
    struct player *player = xmalloc(sizeof(*player));

    *player = (struct player){tape, spec};
    return model_new(str_is(spec, "builtin") ? &builtin_ops : &other_ops, player, env, spec);
}

/* The rest of a text that was cut is filled up, so that it is cut again; quotes that stood in it
 * stand there. */
static struct str content_made(const struct tape_result *result, struct arena *arena)
{
    struct str kept = json_get_str(result->record, "content");
    int64_t bytes = MIN(json_get_i64(result->record, "bytes", 0), CONTENT_MOST);
    struct buf out = BUF_IN(arena);

    if (bytes <= (int64_t)kept.len)
        return kept;
    buf_add_str(&out, kept);
    buf_add_cstr(&out, "\xF0\x9F\x93\xBC"); /* four bytes: the cut falls before it again */
    for (const struct json *one = json_first(json_get(result->record, "citations")); one;
         one = json_next(one))
        buf_printf(&out, "\n%.*s", STR_ARG(json_get_str(one, "quote")));
    while ((int64_t)out.len < bytes)
        buf_add_char(&out, ' ');
    return buf_str(&out);
}

static struct str event_made(const struct json *record)
{
    struct str content = json_get_str(record, "content");
    int64_t at = json_get_i64(record, "event_at", -1);
    int64_t bytes = json_get_i64(record, "event_bytes", 0);

    if (at < 0 || bytes < 0 || at > (int64_t)content.len || bytes > (int64_t)content.len - at)
        return json_get_str(record, "event");
    return str_slice(content, (size_t)at, (size_t)(at + bytes));
}

struct tool_result tape_made(const struct tape_result *result, struct arena *arena)
{
    const struct json *record = result->record, *list = json_get(record, "citations");
    struct tool_citation *citations = arena_array(arena, struct tool_citation, json_len(list));
    struct tool_result made = {.content = content_made(result, arena),
        .summary = json_get(record, "summary") ? json_get_str(record, "summary") : result->summary,
        .event = event_made(record),
        .citations = citations,
        .untrusted = json_get_bool(record, "untrusted", false)};

    for (const struct json *one = json_first(list); one; one = json_next(one))
        citations[made.citation_count++] = (struct tool_citation){
            json_get_str(one, "url"), json_get_str(one, "title"), json_get_str(one, "quote")};
    return made;
}

static int play_tool(const struct tool_call *call, struct tool_result *ret_result)
{
    struct tape *tape = (struct tape *)(uintptr_t)call->tool->ctx;
    struct str args = json_canonical(call->arena, call->args);

    for (size_t i = 0; i < tape->result_count; i++) {
        struct tape_result *result = &tape->results[i];
        struct str code = json_get_str(result->record, "code");

        if (result->used || !str_is(result->tool, call->tool->name) || !str_eq(result->args, args))
            continue;
        result->used = true;
        if (!str_empty(code)) {
            struct str field = json_get_str(result->record, "field");
            struct str message = json_get_str(result->record, "message");

            return err_field(code_of(code), str_empty(field) ? NULL : str_cstr(call->arena, field),
                "%.*s", STR_ARG(message));
        }
        *ret_result = tape_made(result, call->arena);
        return 0;
    }
    return err_set(
        ERR_FAILED, "No result of %s with these arguments is recorded.", call->tool->name);
}

static bool is_in(const struct tool *const *tools, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, tools[i]->name))
            return true;
    return false;
}

static bool asks(const struct log_event *event)
{
    return str_is(event->type, "policy.blocked") &&
           str_is(json_get_str(event->data, "outcome"), "needs approval") &&
           str_is(json_get_str(event->data, "rule"), "tool");
}

/* A tool that is not known without asking others: what the log tells of it. */
static struct tool *guess_tool(struct tape *tape, struct str name)
{
    struct tool *tool = arena_new(tape->arena, struct tool);

    *tool = (struct tool){.name = str_cstr(tape->arena, name),
        .description = "",
        .parameters = "{\"type\":\"object\"}",
        .effect = TOOL_READ,
        .run = play_tool,
        .ctx = tape};
    for (size_t i = 0; i < tape->log->count; i++) {
        const struct log_event *event = &tape->log->events[i];

        if (!str_eq(json_get_str(event->data, "tool"), name))
            continue;
        if (str_is(event->type, "effect.intended"))
            tool->effect = TOOL_WRITE;
        if (asks(event)) {
            tool->effect = TOOL_WRITE;
            tool->approval = TOOL_APPROVAL_REQUIRED;
        } else if (str_is(event->type, "policy.audited")) {
            tool->approval = TOOL_APPROVAL_AUDIT;
        }
        if (json_get_bool(json_get(event->data, "record"), "untrusted", false))
            tool->untrusted = true;
    }
    return tool;
}

void tape_tools(struct tape *tape, const struct agent_house *house,
    const struct tool *const **ret_tools, size_t *ret_count)
{
    size_t count = 0, most = house->tool_count + tape->result_count;
    const struct tool **tools = arena_array(tape->arena, const struct tool *, most);

    for (size_t i = 0; i < house->tool_count; i++) {
        struct tool *tool = arena_new(tape->arena, struct tool);

        *tool = *house->tools[i];
        tool->run = play_tool;
        tool->ctx = tape;
        tools[count++] = tool;
    }
    for (size_t i = 0; i < tape->result_count; i++)
        if (!is_in(tools, count, tape->results[i].tool))
            tools[count++] = guess_tool(tape, tape->results[i].tool);
    *ret_tools = tools;
    *ret_count = count;
}
