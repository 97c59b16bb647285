/* A GenerateContentResponse, whole or one of many: in a stream each has the parts that are new,
 * calls always whole. */
#include "model/gemini.h"

/* Parts with a signature, and the calls beside them, go back as they came; without any signature
 * the answer is written anew from text and calls. */
static void keep_part(struct provider_answer *answer, const struct json *part)
{
    if (answer->opaque.len == 0)
        buf_add_char(&answer->opaque, '[');
    else
        answer->opaque.ptr[answer->opaque.len - 1] = ',';
    buf_add_str(&answer->opaque, json_text(answer->arena, part));
    buf_add_char(&answer->opaque, ']');
}

static int take_part(struct provider_answer *answer, const struct json *part)
{
    const struct json *function = json_get(part, "functionCall");
    struct provider_call *call;

    if (json_bool(json_get(part, "thought"), false))
        return 0; /* a summary of its thinking: not for people, and not wanted back */
    keep_part(answer, part);
    if (function == NULL) {
        buf_add_str(&answer->content, json_get_str(part, "text"));
        return 0;
    }
    call = provider_answer_call(answer, (int64_t)answer->call_count, json_get_str(function, "id"));
    if (call == NULL)
        return ERR_PROTOCOL;
    call->id = str_dup(answer->arena, json_get_str(function, "id"));
    call->name = str_dup(answer->arena, json_get_str(function, "name"));
    if (json_get(function, "args") != NULL)
        buf_add_str(&call->arguments, json_text(answer->arena, json_get(function, "args")));
    return 0;
}

/* 0, or ERR_PROTOCOL for a turn that came to nothing. */
static int take_finish(struct provider_answer *answer, struct str reason)
{
    static const char *const broken[] = {
        "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"};
    static const char *const filtered[] = {
        "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"};

    if (str_empty(reason) || str_is(reason, "FINISH_REASON_UNSPECIFIED"))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        if (str_is(reason, broken[i]))
            return err_set(ERR_PROTOCOL, "the model's turn cannot be used (%s)", broken[i]);
    answer->finished = true;
    answer->finish = str_is(reason, "MAX_TOKENS") ? MODEL_LENGTH : MODEL_STOP;
    for (size_t i = 0; i < ARRAY_LEN(filtered); i++)
        if (str_is(reason, filtered[i]))
            answer->finish = MODEL_FILTERED;
    return 0;
}

static void take_usage(struct provider_answer *answer, const struct json *usage)
{
    if (!json_is(usage, JSON_OBJECT))
        return;
    answer->usage.input_tokens = MAX(json_get_i64(usage, "promptTokenCount", 0), 0);
    answer->usage.output_tokens = MAX(json_get_i64(usage, "candidatesTokenCount", 0), 0) +
                                  MAX(json_get_i64(usage, "thoughtsTokenCount", 0), 0);
    answer->usage.cached_tokens = MAX(json_get_i64(usage, "cachedContentTokenCount", 0), 0);
}

/* The prompt itself was refused: there is no candidate. */
static bool take_block(struct provider_answer *answer, const struct json *root)
{
    if (str_empty(json_get_str(json_get(root, "promptFeedback"), "blockReason")))
        return false;
    answer->whole = answer->finished = answer->refused = true;
    return true;
}

int gemini_answer_take(struct provider_answer *answer, const struct json *root)
{
    const struct json *candidate, *first = json_is(root, JSON_ARRAY) ? json_at(root, 0) : root;

    if (json_is(json_get(first, "error"), JSON_OBJECT))
        return PROVIDER_ERROR;
    if (str_empty(answer->model))
        answer->model = str_dup(answer->arena, json_get_str(root, "modelVersion"));
    take_usage(answer, json_get(root, "usageMetadata"));
    if (take_block(answer, root))
        return 0;
    candidate = json_at(json_get(root, "candidates"), 0);
    if (candidate == NULL && json_get(root, "usageMetadata") == NULL)
        return err_set(ERR_PROTOCOL, "the model server's answer holds no candidates");
    answer->whole |= candidate != NULL;
    for (const struct json *part = json_first(json_path(candidate, "content.parts")); part != NULL;
         part = json_next(part)) {
        int rc = take_part(answer, part);

        if (rc != 0)
            return rc;
    }
    return take_finish(answer, json_get_str(candidate, "finishReason"));
}
