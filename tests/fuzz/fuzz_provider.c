#include "model/anthropic.h"
#include "model/gemini.h"
#include "model/openai.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int on_delta(struct str text, void *ctx)
{
    *(size_t *)ctx += text.len;
    return 0;
}

/* What was taken can be handed on: calls have ids, counts are not negative. */
static void check_answer(struct provider_answer *answer)
{
    struct model_reply reply;

    provider_answer_end(answer, env_system(), &reply);
    for (size_t i = 0; i < reply.tool_call_count; i++)
        if (str_empty(reply.tool_calls[i].id))
            abort();
    if (reply.usage.input_tokens < 0 || reply.usage.output_tokens < 0)
        abort();
}

static void take_body(const struct provider_protocol *protocol, struct str body)
{
    struct provider_failure failure = {0};
    struct provider_answer answer;
    struct arena arena;

    arena_init(&arena);
    provider_answer_init(&answer, &arena);
    if (provider_take_body(protocol, &answer, body, &arena, STR("key"), &failure) == 0)
        check_answer(&answer);
    (void)provider_fail_status(
        protocol, &arena, 429, &(struct http_headers){0}, body, STR("key"), env_system(), &failure);
    arena_deinit(&arena);
}

/* The same bytes as a stream, whole and cut in two. */
static void take_stream(const struct provider_protocol *protocol, struct str text, size_t cut)
{
    struct http_header type = {STR("content-type"), STR("text/event-stream")};
    struct http_headers headers = {&type, 1};
    struct provider_failure failure = {0};
    struct provider_answer answer;
    size_t said = 0;
    struct model_request request = {.on_delta = on_delta, .ctx = &said};
    struct provider_stream stream = {.protocol = protocol,
        .request = &request,
        .headers = &headers,
        .answer = &answer,
        .failure = &failure,
        .key = STR("key")};
    struct arena arena;
    int rc;

    arena_init(&arena);
    provider_answer_init(&answer, &arena);
    provider_stream_init(&stream);
    rc = provider_stream_feed(str_slice(text, 0, cut), &stream);
    if (rc == 0)
        rc = provider_stream_feed(str_slice(text, cut, text.len), &stream);
    rc = provider_stream_end(&stream, rc);
    if (said > answer.content.len || (rc == 0 && said != answer.content.len))
        abort();
    if (rc == 0)
        check_answer(&answer);
    provider_stream_deinit(&stream);
    arena_deinit(&arena);
}

/* What a model's server may answer, whole or as a stream; the first byte says where it is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct provider_protocol *const protocols[] = {
        &openai_protocol, &anthropic_protocol, &gemini_protocol};
    struct str text;

    if (len == 0)
        return 0;
    text = (struct str){(const char *)bytes + 1, len - 1};
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        take_body(protocols[i], text);
        take_stream(protocols[i], text, MIN((size_t)bytes[0], text.len));
    }
    return 0;
}
