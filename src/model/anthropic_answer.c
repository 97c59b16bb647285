/* A message of the Messages API, whole or as the events of its stream: message_start, for each
 * block content_block_start, _delta and _stop, message_delta, message_stop; ping and unknown ones
 * between them mean nothing. */
#include "model/anthropic.h"

static void take_usage(struct provider_answer *answer, const struct json *usage)
{
    int64_t input = json_get_i64(usage, "input_tokens", -1);
    int64_t written = MAX(json_get_i64(usage, "cache_creation_input_tokens", 0), 0);
    int64_t read = MAX(json_get_i64(usage, "cache_read_input_tokens", 0), 0);

    /* The last event may repeat the input's figures, and may leave them out. */
    if (input >= 0) {
        answer->usage.input_tokens = input + written + read;
        answer->usage.cached_tokens = read;
    }
    answer->usage.output_tokens =
        MAX(json_get_i64(usage, "output_tokens", answer->usage.output_tokens), 0);
}

/* Thinking is kept as blocks of one JSON array, to be sent back. */
static void add_opaque(struct provider_answer *answer, struct str block)
{
    if (answer->opaque.len == 0)
        buf_add_char(&answer->opaque, '[');
    else
        answer->opaque.ptr[answer->opaque.len - 1] = ','; /* the end of before */
    buf_add_str(&answer->opaque, block);
    buf_add_char(&answer->opaque, ']');
}

/* The block of thinking that is under way is complete. */
static void end_thinking(struct provider_answer *answer)
{
    struct buf block = BUF_IN(answer->arena);
    struct json_writer w;

    if (!answer->in_thinking)
        return;
    json_init(&w, &block);
    json_object_begin(&w);
    json_cstr_member(&w, "type", "thinking");
    json_str_member(&w, "thinking", buf_str(&answer->thinking));
    json_str_member(&w, "signature", buf_str(&answer->signature));
    json_object_end(&w);
    add_opaque(answer, buf_str(&block));
    buf_clear(&answer->thinking);
    buf_clear(&answer->signature);
    answer->in_thinking = false;
}

static void begin_thinking(struct provider_answer *answer, const struct json *block)
{
    answer->in_thinking = true;
    buf_add_str(&answer->thinking, json_get_str(block, "thinking"));
    buf_add_str(&answer->signature, json_get_str(block, "signature"));
}

static void take_stop(struct provider_answer *answer, struct str reason)
{
    if (str_empty(reason))
        return;
    end_thinking(answer);
    answer->finished = true;
    /* A turn is paused in the middle of tools of the provider's own, which are never asked for. */
    if (str_is(reason, "max_tokens") || str_is(reason, "model_context_window_exceeded") ||
        str_is(reason, "pause_turn"))
        answer->finish = MODEL_LENGTH;
    else if (str_is(reason, "refusal"))
        answer->finish = MODEL_FILTERED;
    else if (str_is(reason, "tool_use"))
        answer->finish = MODEL_TOOL_CALLS;
    else
        answer->finish = MODEL_STOP;
}

/* A block of a message is whole; one of a stream opens empty. */
static int begin_block(struct provider_answer *answer, const struct json *block, int64_t index)
{
    struct str type = json_get_str(block, "type");

    end_thinking(answer);
    if (str_is(type, "tool_use")) {
        struct provider_call *call = provider_answer_call(answer, index, json_get_str(block, "id"));
        const struct json *input = json_get(block, "input");

        if (call == NULL)
            return ERR_PROTOCOL;
        call->id = str_dup(answer->arena, json_get_str(block, "id"));
        call->name = str_dup(answer->arena, json_get_str(block, "name"));
        if (json_len(input) > 0)
            buf_add_str(&call->arguments, json_text(answer->arena, input));
    } else if (str_is(type, "text")) {
        buf_add_str(&answer->content, json_get_str(block, "text"));
    } else if (str_is(type, "thinking")) {
        begin_thinking(answer, block);
    } else if (str_is(type, "redacted_thinking")) {
        add_opaque(answer, json_text(answer->arena, block));
    }
    return 0;
}

static int take_delta(struct provider_answer *answer, const struct json *delta, int64_t index)
{
    struct str type = json_get_str(delta, "type");

    if (str_is(type, "text_delta")) {
        buf_add_str(&answer->content, json_get_str(delta, "text"));
    } else if (str_is(type, "input_json_delta")) {
        struct provider_call *call = provider_answer_call(answer, index, STR(""));

        if (call == NULL)
            return ERR_PROTOCOL;
        buf_add_str(&call->arguments, json_get_str(delta, "partial_json"));
    } else if (str_is(type, "thinking_delta")) {
        buf_add_str(&answer->thinking, json_get_str(delta, "thinking"));
    } else if (str_is(type, "signature_delta")) {
        buf_add_str(&answer->signature, json_get_str(delta, "signature"));
    }
    return 0;
}

static void take_head(struct provider_answer *answer, const struct json *message)
{
    answer->whole = true;
    answer->model = str_dup(answer->arena, json_get_str(message, "model"));
    take_usage(answer, json_get(message, "usage"));
}

static int take_message(struct provider_answer *answer, const struct json *message)
{
    int64_t index = 0;

    take_head(answer, message);
    for (const struct json *block = json_first(json_get(message, "content")); block != NULL;
         block = json_next(block)) {
        int rc = begin_block(answer, block, index++);

        if (rc != 0)
            return rc;
    }
    take_stop(answer, json_get_str(message, "stop_reason"));
    return 0;
}

int anthropic_answer_take(struct provider_answer *answer, const struct json *root)
{
    struct str type = json_get_str(root, "type");
    int64_t index = json_get_i64(root, "index", 0);

    if (str_is(type, "error") || (str_empty(type) && json_get(root, "error") != NULL))
        return PROVIDER_ERROR;
    if (str_empty(type))
        return err_set(ERR_PROTOCOL, "the model server's answer is no message");
    if (str_is(type, "message"))
        return take_message(answer, root);
    if (str_is(type, "message_start"))
        take_head(answer, json_get(root, "message"));
    else if (str_is(type, "content_block_start"))
        return begin_block(answer, json_get(root, "content_block"), index);
    else if (str_is(type, "content_block_delta"))
        return take_delta(answer, json_get(root, "delta"), index);
    else if (str_is(type, "message_delta")) {
        take_stop(answer, json_get_str(json_get(root, "delta"), "stop_reason"));
        take_usage(answer, json_get(root, "usage"));
    }
    return 0;
}
