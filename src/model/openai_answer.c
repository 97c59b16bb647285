#include "model/openai.h"

/* Text as a string, or as an array of parts. */
static void take_content(struct provider_answer *answer, const struct json *content)
{
    buf_add_str(&answer->content, json_str(content));
    if (!json_is(content, JSON_ARRAY))
        return;
    for (const struct json *part = json_first(content); part != NULL; part = json_next(part)) {
        struct str refusal = json_get_str(part, "refusal");
        answer->refused |= !str_empty(refusal);
        buf_add_str(&answer->content, json_get_str(part, "text"));
        buf_add_str(&answer->content, refusal);
    }
}

static int take_call(struct provider_answer *answer, const struct json *fragment, int64_t position)
{
    const struct json *function = json_get(fragment, "function");
    const struct json *arguments = json_get(function, "arguments");
    struct str id = json_get_str(fragment, "id");
    struct provider_call *call =
        provider_answer_call(answer, json_get_i64(fragment, "index", position), id);
    if (call == NULL)
        return ERR_PROTOCOL;
    if (str_empty(call->id))
        call->id = str_dup(answer->arena, id);
    if (str_empty(call->name))
        call->name = str_dup(answer->arena, json_get_str(function, "name"));
    if (json_is(arguments, JSON_OBJECT))
        buf_add_str(&call->arguments, json_text(answer->arena, arguments));
    else
        buf_add_str(&call->arguments, json_str(arguments));
    return 0;
}

static int take_message(struct provider_answer *answer, const struct json *message)
{
    struct str refusal = json_get_str(message, "refusal");
    int64_t position = 0;
    take_content(answer, json_get(message, "content"));
    if (!str_empty(refusal)) {
        answer->refused = true;
        buf_add_str(&answer->content, refusal);
    }
    const struct json *calls = json_get(message, "tool_calls");
    for (const struct json *call = json_first(calls); call != NULL; call = json_next(call)) {
        int rc = take_call(answer, call, position++);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void take_finish(struct provider_answer *answer, struct str reason)
{
    if (str_empty(reason))
        return;
    answer->finished = true;
    if (str_is(reason, "length"))
        answer->finish = MODEL_LENGTH;
    else if (str_is(reason, "content_filter"))
        answer->finish = MODEL_FILTERED;
    else if (str_is(reason, "tool_calls") || str_is(reason, "function_call"))
        answer->finish = MODEL_TOOL_CALLS;
    else
        answer->finish = MODEL_STOP;
}

static void take_usage(struct provider_answer *answer, const struct json *usage)
{
    if (!json_is(usage, JSON_OBJECT))
        return;
    answer->usage.input_tokens = MAX(json_get_i64(usage, "prompt_tokens", 0), 0);
    answer->usage.output_tokens = MAX(json_get_i64(usage, "completion_tokens", 0), 0);
    const struct json *details = json_get(usage, "prompt_tokens_details");
    answer->usage.cached_tokens = MAX(json_get_i64(details, "cached_tokens", 0), 0);
}

static bool holds_error(const struct json *root, const struct json *choice)
{
    const struct json *error = json_get(root, "error");
    const struct json *inner = json_get(choice, "error");
    return json_is(error, JSON_OBJECT) || json_is(error, JSON_STRING) ||
           json_is(inner, JSON_OBJECT) || str_is(json_get_str(choice, "finish_reason"), "error");
}

int openai_answer_take(struct provider_answer *answer, const struct json *root)
{
    const struct json *choices = json_get(root, "choices");
    const struct json *choice = json_at(choices, 0);
    if (holds_error(root, choice))
        return PROVIDER_ERROR;
    if (!json_is(choices, JSON_ARRAY) && !json_is(json_get(root, "usage"), JSON_OBJECT))
        return err_set(ERR_PROTOCOL, "the model server's answer holds no choices");
    if (str_empty(answer->model))
        answer->model = str_dup(answer->arena, json_get_str(root, "model"));
    take_usage(answer, json_get(root, "usage"));
    if (choice == NULL)
        return 0;
    answer->whole = true;
    const struct json *message = json_get(choice, "delta");
    if (!json_is(message, JSON_OBJECT))
        message = json_get(choice, "message");
    int rc = take_message(answer, message);
    take_finish(answer, json_get_str(choice, "finish_reason"));
    return rc;
}
