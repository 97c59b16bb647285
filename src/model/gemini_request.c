/* A request to generateContent: contents alternate between "user" and "model"; results of tools go
 * together into one content of the user, in the order of their calls. */
#include "model/gemini.h"

struct writer {
    struct json_writer w;
    struct arena scratch;
    const struct model_request *request;
    bool open; /* a content is being written */
    bool model;
};

static void text_part(struct json_writer *w, struct str text)
{
    json_object_begin(w);
    json_str_member(w, "text", text);
    json_object_end(w);
}

static void write_system(struct writer *writer)
{
    const struct model_request *request = writer->request;
    struct json_writer *w = &writer->w;

    if (request->message_count == 0 || request->messages[0].role != MODEL_SYSTEM)
        return;
    json_name(w, "systemInstruction");
    json_object_begin(w);
    json_name(w, "parts");
    json_array_begin(w);
    for (size_t i = 0; i < request->message_count && request->messages[i].role == MODEL_SYSTEM; i++)
        text_part(w, request->messages[i].content);
    json_array_end(w);
    json_object_end(w);
}

static void end_content(struct writer *writer)
{
    if (!writer->open)
        return;
    json_array_end(&writer->w);
    json_object_end(&writer->w);
    writer->open = false;
}

static void begin_content(struct writer *writer, bool model)
{
    if (writer->open && writer->model == model)
        return;
    end_content(writer);
    json_object_begin(&writer->w);
    json_cstr_member(&writer->w, "role", model ? "model" : "user");
    json_name(&writer->w, "parts");
    json_array_begin(&writer->w);
    writer->open = true;
    writer->model = model;
}

static void write_call(struct writer *writer, const struct model_tool_call *call)
{
    struct json_writer *w = &writer->w;

    json_object_begin(w);
    json_name(w, "functionCall");
    json_object_begin(w);
    json_str_member(w, "name", call->name);
    json_raw_member(w, "args", provider_arguments(&writer->scratch, call->arguments));
    json_object_end(w);
    json_object_end(w);
}

/* The model's parts as it gave them, signatures included; they are refused when changed. */
static bool write_own_parts(struct writer *writer, const struct model_message *message)
{
    const struct json *parts = NULL;

    if (!message->opaque_of || strcmp(message->opaque_of, gemini_protocol.prefix) != 0 ||
        json_parse(&writer->scratch, message->opaque, &parts) != 0)
        return false;
    for (const struct json *part = json_first(parts); part != NULL; part = json_next(part))
        json_put_node(&writer->w, part);
    return json_len(parts) > 0;
}

static void write_model(struct writer *writer, const struct model_message *message)
{
    begin_content(writer, true);
    if (write_own_parts(writer, message))
        return;
    if (!str_empty(message->content))
        text_part(&writer->w, message->content);
    for (size_t i = 0; i < message->tool_call_count; i++)
        write_call(writer, &message->tool_calls[i]);
}

static void write_result(struct writer *writer, const struct model_message *message)
{
    struct json_writer *w = &writer->w;

    begin_content(writer, false);
    json_object_begin(w);
    json_name(w, "functionResponse");
    json_object_begin(w);
    if (!str_starts(message->tool_call_id, STR("call_"))) /* not one that we made up */
        json_str_member(w, "id", message->tool_call_id);
    json_str_member(w, "name", message->tool_name);
    json_name(w, "response");
    json_object_begin(w);
    json_str_member(w, message->failed ? "error" : "output", message->content);
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
}

static void write_message(struct writer *writer, const struct model_message *message)
{
    switch (message->role) {
    case MODEL_SYSTEM: /* those at the start are in "systemInstruction" */
    case MODEL_USER:
        begin_content(writer, false);
        text_part(&writer->w, provider_user_text(&writer->scratch, message));
        break;
    case MODEL_ASSISTANT:
        if (message->tool_call_count > 0 || !str_empty(message->content))
            write_model(writer, message);
        break;
    case MODEL_TOOL:
        write_result(writer, message);
        break;
    }
}

static void write_contents(struct writer *writer)
{
    const struct model_request *request = writer->request;
    size_t first = 0;

    while (first < request->message_count && request->messages[first].role == MODEL_SYSTEM)
        first++;
    json_name(&writer->w, "contents");
    json_array_begin(&writer->w);
    if (first == request->message_count || request->messages[first].role == MODEL_ASSISTANT) {
        begin_content(writer, false);
        text_part(&writer->w, STR("(The chat begins.)"));
    }
    for (size_t i = first; i < request->message_count; i++)
        write_message(writer, &request->messages[i]);
    end_content(writer);
    json_array_end(&writer->w);
}

static void write_tools(struct json_writer *w, const struct model_request *request)
{
    static const char *const modes[] = {
        [MODEL_TOOLS_AUTO] = "AUTO",
        [MODEL_TOOLS_NONE] = "NONE",
        [MODEL_TOOLS_REQUIRED] = "ANY",
    };

    if (request->tool_count == 0)
        return;
    json_name(w, "tools");
    json_array_begin(w);
    json_object_begin(w);
    json_name(w, "functionDeclarations");
    json_array_begin(w);
    for (size_t i = 0; i < request->tool_count; i++) {
        const struct model_tool *tool = &request->tools[i];

        json_object_begin(w);
        json_str_member(w, "name", tool->name);
        json_str_member(w, "description", tool->description);
        if (!str_empty(tool->parameters))
            json_raw_member(w, "parametersJsonSchema", tool->parameters);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
    json_array_end(w);
    if (request->tool_choice == MODEL_TOOLS_AUTO)
        return;
    json_name(w, "toolConfig");
    json_object_begin(w);
    json_name(w, "functionCallingConfig");
    json_object_begin(w);
    json_cstr_member(w, "mode", modes[request->tool_choice]);
    json_object_end(w);
    json_object_end(w);
}

static void write_generation(struct json_writer *w, const struct model_request *request)
{
    if (str_empty(request->response_schema) && request->max_output_tokens <= 0 &&
        request->temperature < 0)
        return;
    json_name(w, "generationConfig");
    json_object_begin(w);
    if (!str_empty(request->response_schema)) {
        json_cstr_member(w, "responseMimeType", "application/json");
        json_raw_member(w, "responseJsonSchema", request->response_schema);
    }
    if (request->max_output_tokens > 0)
        json_i64_member(w, "maxOutputTokens", request->max_output_tokens);
    if (request->temperature >= 0) {
        json_name(w, "temperature");
        json_put_double(w, request->temperature);
    }
    json_object_end(w);
}

void gemini_write_request(
    struct buf *out, const struct provider *provider, const struct model_request *request)
{
    struct writer writer = {.request = request};
    struct json_writer *w = &writer.w;

    (void)provider;
    arena_init(&writer.scratch);
    json_init(w, out);
    json_object_begin(w);
    write_system(&writer);
    write_contents(&writer);
    write_tools(w, request);
    write_generation(w, request);
    json_object_end(w);
    arena_deinit(&writer.scratch);
}
