/* A request to the Messages API: neighbours of one role become one message of several blocks,
 * results of tools stand first in the user's message that follows their calls. */
#include "model/anthropic.h"

#define OUTPUT_TOKENS 4096 /* max_tokens must be given */

struct writer {
    struct json_writer w;
    struct arena scratch;
    const struct model_request *request;
    bool open; /* a message is being written */
    bool assistant;
};

static void text_block(struct json_writer *w, struct str text, bool cached)
{
    json_object_begin(w);
    json_cstr_member(w, "type", "text");
    json_str_member(w, "text", text);
    if (cached)
        json_raw_member(w, "cache_control", STR("{\"type\":\"ephemeral\"}"));
    json_object_end(w);
}

/* The instructions come first and change least: up to here a provider's cache may keep them, tools
 * included, which it places before them. */
static void write_system(struct writer *writer)
{
    const struct model_request *request = writer->request;
    size_t count = 0;

    while (count < request->message_count && request->messages[count].role == MODEL_SYSTEM)
        count++;
    if (count == 0)
        return;
    json_name(&writer->w, "system");
    json_array_begin(&writer->w);
    for (size_t i = 0; i < count; i++)
        text_block(&writer->w, request->messages[i].content, i + 1 == count);
    json_array_end(&writer->w);
}

static void end_message(struct writer *writer)
{
    if (!writer->open)
        return;
    json_array_end(&writer->w);
    json_object_end(&writer->w);
    writer->open = false;
}

static void begin_message(struct writer *writer, bool assistant)
{
    if (writer->open && writer->assistant == assistant)
        return;
    end_message(writer);
    json_object_begin(&writer->w);
    json_cstr_member(&writer->w, "role", assistant ? "assistant" : "user");
    json_name(&writer->w, "content");
    json_array_begin(&writer->w);
    writer->open = true;
    writer->assistant = assistant;
}

static void write_call(struct writer *writer, const struct model_tool_call *call)
{
    struct json_writer *w = &writer->w;

    json_object_begin(w);
    json_cstr_member(w, "type", "tool_use");
    json_str_member(w, "id", call->id);
    json_str_member(w, "name", call->name);
    json_raw_member(w, "input", provider_arguments(&writer->scratch, call->arguments));
    json_object_end(w);
}

/* Thinking goes back unchanged and first. */
static void write_thinking(struct writer *writer, const struct model_message *message)
{
    const struct json *blocks = NULL;

    if (!message->opaque_of || strcmp(message->opaque_of, anthropic_protocol.prefix) != 0 ||
        json_parse(&writer->scratch, message->opaque, &blocks) != 0)
        return;
    for (const struct json *block = json_first(blocks); block != NULL; block = json_next(block))
        json_put_node(&writer->w, block);
}

static void write_assistant(struct writer *writer, const struct model_message *message)
{
    begin_message(writer, true);
    write_thinking(writer, message);
    if (!str_empty(str_trim(message->content))) /* an empty text block is refused */
        text_block(&writer->w, message->content, false);
    for (size_t i = 0; i < message->tool_call_count; i++)
        write_call(writer, &message->tool_calls[i]);
}

static void write_result(struct writer *writer, const struct model_message *message)
{
    struct json_writer *w = &writer->w;

    begin_message(writer, false);
    json_object_begin(w);
    json_cstr_member(w, "type", "tool_result");
    json_str_member(w, "tool_use_id", message->tool_call_id);
    json_str_member(w, "content", message->content);
    if (message->failed)
        json_bool_member(w, "is_error", true);
    json_object_end(w);
}

static void write_message(struct writer *writer, const struct model_message *message)
{
    switch (message->role) {
    case MODEL_SYSTEM: /* those at the start are in "system" */
    case MODEL_USER:
        if (str_empty(str_trim(message->content)))
            return;
        begin_message(writer, false);
        text_block(&writer->w, provider_user_text(&writer->scratch, message), false);
        break;
    case MODEL_ASSISTANT:
        if (message->tool_call_count > 0 || !str_empty(str_trim(message->content)))
            write_assistant(writer, message);
        break;
    case MODEL_TOOL:
        write_result(writer, message);
        break;
    }
}

/* A conversation begins with the user; and the newer models refuse one that ends with the
 * assistant. */
static void write_messages(struct writer *writer)
{
    const struct model_request *request = writer->request;
    size_t first = 0;

    while (first < request->message_count && request->messages[first].role == MODEL_SYSTEM)
        first++;
    json_name(&writer->w, "messages");
    json_array_begin(&writer->w);
    if (first == request->message_count || request->messages[first].role == MODEL_ASSISTANT) {
        begin_message(writer, false);
        text_block(&writer->w, STR("(The chat begins.)"), false);
    }
    for (size_t i = first; i < request->message_count; i++)
        write_message(writer, &request->messages[i]);
    if (writer->open && writer->assistant) {
        begin_message(writer, false);
        text_block(&writer->w, STR("(Go on.)"), false);
    }
    end_message(writer);
    json_array_end(&writer->w);
}

static void write_tools(struct json_writer *w, const struct model_request *request)
{
    static const char *const choices[] = {
        [MODEL_TOOLS_AUTO] = "auto",
        [MODEL_TOOLS_NONE] = "none",
        [MODEL_TOOLS_REQUIRED] = "any",
    };

    if (request->tool_count == 0)
        return;
    json_name(w, "tools");
    json_array_begin(w);
    for (size_t i = 0; i < request->tool_count; i++) {
        const struct model_tool *tool = &request->tools[i];
        bool any = !str_empty(tool->parameters);

        json_object_begin(w);
        json_str_member(w, "name", tool->name);
        json_str_member(w, "description", tool->description);
        json_raw_member(w, "input_schema",
            any ? tool->parameters : STR("{\"type\":\"object\",\"properties\":{}}"));
        json_object_end(w);
    }
    json_array_end(w);
    if (request->tool_choice == MODEL_TOOLS_AUTO)
        return;
    json_name(w, "tool_choice");
    json_object_begin(w);
    json_cstr_member(w, "type", choices[request->tool_choice]);
    json_object_end(w);
}

static void write_format(struct json_writer *w, const struct model_request *request)
{
    if (str_empty(request->response_schema))
        return;
    json_name(w, "output_config");
    json_object_begin(w);
    json_name(w, "format");
    json_object_begin(w);
    json_cstr_member(w, "type", "json_schema");
    json_raw_member(w, "schema", request->response_schema);
    json_object_end(w);
    json_object_end(w);
}

void anthropic_write_request(
    struct buf *out, const struct provider *provider, const struct model_request *request)
{
    struct writer writer = {.request = request};
    struct json_writer *w = &writer.w;

    arena_init(&writer.scratch);
    json_init(w, out);
    json_object_begin(w);
    json_str_member(
        w, "model", str_empty(request->name) ? str_from(provider->name) : request->name);
    json_i64_member(w, "max_tokens",
        request->max_output_tokens > 0 ? request->max_output_tokens : OUTPUT_TOKENS);
    write_tools(w, request);
    write_system(&writer);
    write_messages(&writer);
    write_format(w, request);
    if (request->temperature >= 0) {
        json_name(w, "temperature");
        json_put_double(w, request->temperature);
    }
    if (request->on_delta != NULL)
        json_bool_member(w, "stream", true);
    json_object_end(w);
    arena_deinit(&writer.scratch);
}
