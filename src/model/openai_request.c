#include "model/openai.h"

enum openai_dialect openai_dialect_of(struct str host)
{
    if (str_is(host, "api.openai.com") || str_ends(host, STR(".api.openai.com")))
        return OPENAI_OFFICIAL;
    if (str_ends(host, STR(".openai.azure.com")) || str_ends(host, STR(".services.ai.azure.com")) ||
        str_ends(host, STR(".cognitiveservices.azure.com")))
        return OPENAI_AZURE;
    return OPENAI_COMPATIBLE;
}

struct str openai_url(struct arena *arena, struct str base_url)
{
    ptrdiff_t mark = str_find_char(base_url, '?', 0);
    struct str path = mark < 0 ? base_url : str_slice(base_url, 0, (size_t)mark);
    struct str query = mark < 0 ? STR("") : str_slice(base_url, (size_t)mark, base_url.len);
    while (str_ends(path, STR("/")))
        path.len--;
    const char *rest = str_ends(path, STR("/chat/completions")) ? "" : "/chat/completions";
    return str_printf(arena, "%.*s%s%.*s", STR_ARG(path), rest, STR_ARG(query));
}

/* The field for the output limit: the older one is refused by newer OpenAI models and is the only
 * one that many compatible servers know. */
static const char *limit_field(enum openai_dialect dialect)
{
    return dialect == OPENAI_COMPATIBLE ? "max_tokens" : "max_completion_tokens";
}

/* Speakers are named in the text: Groq refuses messages[].name, others ignore it. */
static void write_user(struct json_writer *w, const struct model_message *message)
{
    const struct str said[] = {message->author, STR(": "), message->content};
    size_t unnamed = str_empty(message->author) ? 2 : 0;

    json_name(w, "content");
    json_put_joined(w, said + unnamed, ARRAY_LEN(said) - unnamed);
}

/* Several servers parse the arguments of earlier calls and fail on broken ones; a broken text is
 * therefore shown to the model inside a proper object. */
static void write_arguments(struct json_writer *w, struct str arguments)
{
    struct buf wrapped = BUF_HEAP;
    if (str_empty(str_trim(arguments))) {
        json_cstr_member(w, "arguments", "{}");
        return;
    }
    if (json_check(arguments) == 0) {
        json_str_member(w, "arguments", arguments);
        return;
    }
    struct json_writer inner;
    json_init(&inner, &wrapped);
    json_object_begin(&inner);
    json_str_member(&inner, "malformed_arguments", arguments);
    json_object_end(&inner);
    json_str_member(w, "arguments", buf_str(&wrapped));
    buf_deinit(&wrapped);
}

static void write_assistant(struct json_writer *w, const struct model_message *message)
{
    json_name(w, "content");
    if (str_empty(message->content) && message->tool_call_count > 0)
        json_put_null(w);
    else
        json_put_str(w, message->content);
    if (message->tool_call_count == 0)
        return;
    json_name(w, "tool_calls");
    json_array_begin(w);
    for (size_t i = 0; i < message->tool_call_count; i++) {
        const struct model_tool_call *call = &message->tool_calls[i];
        json_object_begin(w);
        json_str_member(w, "id", call->id);
        json_cstr_member(w, "type", "function");
        json_name(w, "function");
        json_object_begin(w);
        json_str_member(w, "name", call->name);
        write_arguments(w, call->arguments);
        json_object_end(w);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_message(struct json_writer *w, const struct model_message *message)
{
    static const char *const roles[] = {
        [MODEL_SYSTEM] = "system",
        [MODEL_USER] = "user",
        [MODEL_ASSISTANT] = "assistant",
        [MODEL_TOOL] = "tool",
    };
    json_object_begin(w);
    json_cstr_member(w, "role", roles[message->role]);
    switch (message->role) {
    case MODEL_USER:
        write_user(w, message);
        break;
    case MODEL_ASSISTANT:
        write_assistant(w, message);
        break;
    case MODEL_TOOL:
        json_str_member(w, "tool_call_id", message->tool_call_id);
        json_str_member(w, "content", message->content);
        break;
    case MODEL_SYSTEM:
        json_str_member(w, "content", message->content);
        break;
    }
    json_object_end(w);
}

static void write_tools(struct json_writer *w, const struct model_request *request)
{
    if (request->tool_count == 0)
        return;
    json_name(w, "tools");
    json_array_begin(w);
    for (size_t i = 0; i < request->tool_count; i++) {
        const struct model_tool *tool = &request->tools[i];
        bool any = !str_empty(tool->parameters);
        json_object_begin(w);
        json_cstr_member(w, "type", "function");
        json_name(w, "function");
        json_object_begin(w);
        json_str_member(w, "name", tool->name);
        json_str_member(w, "description", tool->description);
        json_raw_member(w, "parameters",
            any ? tool->parameters : STR("{\"type\":\"object\",\"properties\":{}}"));
        json_object_end(w);
        json_object_end(w);
    }
    json_array_end(w);
    /* "auto" is the default everywhere, and Ollama does not know the field. */
    if (request->tool_choice != MODEL_TOOLS_AUTO)
        json_cstr_member(
            w, "tool_choice", request->tool_choice == MODEL_TOOLS_NONE ? "none" : "required");
}

static bool is_listed(const struct json *array, struct str word)
{
    for (const struct json *n = json_first(array); n != NULL; n = json_next(n)) {
        if (str_eq(json_str(n), word))
            return true;
    }
    return false;
}

/* Strict mode wants every property required and no others allowed, at every level; a schema that
 * is not like that would be refused. */
static bool is_strict(const struct json *schema)
{
    const struct json *properties = json_get(schema, "properties");
    if (properties != NULL) {
        if (json_bool(json_get(schema, "additionalProperties"), true))
            return false;
        for (const struct json *p = json_first(properties); p != NULL; p = json_next(p)) {
            if (!is_listed(json_get(schema, "required"), json_key(p)) || !is_strict(p))
                return false;
        }
    }
    const struct json *items = json_get(schema, "items");
    return items == NULL || is_strict(items);
}

static void write_format(struct json_writer *w, const struct model_request *request)
{
    const struct json *schema = NULL;
    struct arena scratch;
    if (str_empty(request->response_schema))
        return;
    arena_init(&scratch);
    bool strict = json_parse(&scratch, request->response_schema, &schema) == 0 && is_strict(schema);
    arena_deinit(&scratch);
    json_name(w, "response_format");
    json_object_begin(w);
    json_cstr_member(w, "type", "json_schema");
    json_name(w, "json_schema");
    json_object_begin(w);
    json_str_member(
        w, "name", str_empty(request->response_name) ? STR("answer") : request->response_name);
    json_bool_member(w, "strict", strict);
    json_raw_member(w, "schema", request->response_schema);
    json_object_end(w);
    json_object_end(w);
}

static void write_stream(struct json_writer *w, const struct model_request *request)
{
    if (request->on_delta == NULL)
        return;
    json_bool_member(w, "stream", true);
    json_name(w, "stream_options");
    json_object_begin(w);
    json_bool_member(w, "include_usage", true);
    json_object_end(w);
}

void openai_write_request(
    struct buf *out, const struct provider *provider, const struct model_request *request)
{
    struct json_writer w;
    json_init(&w, out);
    json_object_begin(&w);
    json_str_member(
        &w, "model", str_empty(request->name) ? str_from(provider->name) : request->name);
    json_name(&w, "messages");
    json_array_begin(&w);
    for (size_t i = 0; i < request->message_count; i++)
        write_message(&w, &request->messages[i]);
    json_array_end(&w);
    write_tools(&w, request);
    write_format(&w, request);
    if (request->max_output_tokens > 0)
        json_i64_member(
            &w, limit_field((enum openai_dialect)provider->dialect), request->max_output_tokens);
    if (request->temperature >= 0) {
        json_name(&w, "temperature");
        json_put_double(&w, request->temperature);
    }
    write_stream(&w, request);
    json_object_end(&w);
}
