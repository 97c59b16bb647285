/* What every provider's protocol must do, with the same cases for all: recorded answers in its own
 * form, streams cut into pieces at every byte, and failures. What only one of them has follows. */
#include "http/stub.h"
#include "model/anthropic.h"
#include "model/gemini.h"
#include "model/openai.h"
#include "runtime/loop.h"
#include "test.h"

extern const struct model_ops model_openai, model_anthropic, model_gemini;

#define HEAD(status, type) "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Type: " type "\r\n"
#define JSON HEAD("200 OK", "application/json") "\r\n"
#define SSE HEAD("200 OK", "text/event-stream") "\r\n"
#define KEY "key-0123456789abcdefghij0123456789"

/* One provider's recordings of the same talk. */
struct recording {
    const struct model_ops *ops;
    const struct provider_protocol *protocol;
    const char *path, *stream_path; /* what is posted to */
    const char *auth;               /* a header with the key */
    const char *plain;  /* "Grüße 🎉", 10 tokens in of which 4 from a cache, 2 out */
    const char *stream; /* the same text in pieces, then two calls of "find" */
    const char *last;   /* what in the stream says why it ended; cut before: broken */
    const char *broken; /* an error in the midst of a stream */
    const char *limited, *overflow, *unauthorized, *refused; /* bodies of errors */
    int limited_status, unauthorized_status;
    const char *filtered; /* a plain answer that was refused for its content */
};

#define A_EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define A_DELTA(index, delta)                                                                      \
    A_EVENT("content_block_delta", ",\"index\":" index ",\"delta\":" delta)
#define A_ERROR(type, message)                                                                     \
    "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message                  \
    "\"},\"request_id\":\"r\"}"
#define G_PIECE(parts, rest)                                                                       \
    "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" parts                    \
    "]},\"index\":0" rest "}],\"modelVersion\":\"m-1\"}\r\n\r\n"
#define G_ERROR(code, status, message, details)                                                    \
    "{\"error\":{\"code\":" code ",\"message\":\"" message "\",\"status\":\"" status               \
    "\",\"details\":[" details "]}}"
#define O_CHUNK(delta) "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"

static const struct recording recordings[] = {
    {
        .ops = &model_openai,
        .protocol = &openai_protocol,
        .path = "POST /v1/chat/completions HTTP/1.1\r\n",
        .stream_path = "POST /v1/chat/completions HTTP/1.1\r\n",
        .auth = "\r\nAuthorization: Bearer " KEY "\r\n",
        .plain = JSON "{\"model\":\"m-1\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{"
                      "\"content\":\"Grüße 🎉\"}}],\"usage\":{\"prompt_tokens\":10,"
                      "\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":4}}}",
        .stream = ": hello\n\n" O_CHUNK("{\"role\":\"assistant\",\"content\":\"\"}")
            O_CHUNK("{\"content\":\"Gr\\u00fc\"}") O_CHUNK("{\"content\":\"ße 🎉\"}") O_CHUNK(
                "{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"find\","
                "\"arguments\":\"{\\\"q\\\":\"}}]}") O_CHUNK("{\"tool_calls\":[{\"index\":1,\"id\":"
                                                             "\"c2\",\"function\":{\"name\":"
                                                             "\"find\",\"arguments\":\"\"}}]}")
                O_CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}")
                    O_CHUNK("{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"{}\"}}"
                            "]}") "data: "
                                  "{\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_"
                                  "calls\"}]}\n\n"
                                  "data: "
                                  "{\"choices\":[],\"usage\":{\"prompt_tokens\":10,"
                                  "\"completion_tokens\":2,"
                                  "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: "
                                  "[DONE]\n\n",
        .last = "finish_reason",
        .broken = O_CHUNK("{\"content\":\"Gr\"}") "data: {\"error\":{\"message\":\"overloaded\","
                                                  "\"code\":503}}\n\n",
        .limited = "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"code\":"
                   "\"rate_limit_exceeded\"}}",
        .overflow = "{\"error\":{\"message\":\"maximum context length is 8\",\"code\":"
                    "\"context_length_exceeded\"}}",
        .unauthorized = "{\"error\":{\"message\":\"Incorrect API key " KEY "\"}}",
        .refused = "{\"error\":{\"message\":\"unknown field x\",\"type\":"
                   "\"invalid_request_error\"}}",
        .limited_status = 429,
        .unauthorized_status = 401,
        .filtered = JSON "{\"choices\":[{\"finish_reason\":\"content_filter\",\"message\":{"
                         "\"content\":\"\"}}]}",
    },
    {
        .ops = &model_anthropic,
        .protocol = &anthropic_protocol,
        .path = "POST /v1/messages HTTP/1.1\r\n",
        .stream_path = "POST /v1/messages HTTP/1.1\r\n",
        .auth = "\r\nx-api-key: " KEY "\r\n",
        .plain = JSON
        "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\",\"content\":["
        "{\"type\":\"text\",\"text\":\"Grüße 🎉\"}],\"stop_reason\":\"end_turn\",\"usage\":{"
        "\"input_tokens\":3,\"cache_creation_input_tokens\":3,\"cache_read_input_tokens\":4,"
        "\"output_tokens\":2}}",
        .stream = A_EVENT("message_start",
            ",\"message\":{\"id\":\"m\",\"type\":\"message\",\"model\":\"m-1\",\"content\":[],"
            "\"usage\":{\"input_tokens\":6,\"cache_read_input_tokens\":4,\"output_tokens\":1}}")
            A_EVENT("content_block_start",
                ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}") A_EVENT("ping",
                "") A_DELTA("0", "{\"type\":\"text_delta\",\"text\":\"Gr\\u00fc\"}") A_DELTA("0",
                "{\"type\":\"text_delta\",\"text\":\"ße 🎉\"}") A_EVENT("content_block_stop",
                ",\"index\":0") A_EVENT("new_thing", "") A_EVENT("content_block_start",
                ",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":"
                "\"c1\",\"name\":\"find\",\"input\":{}}")
                A_DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":"
                             "\"{\\\"q\\\":\"}")
                    A_DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}")
                        A_EVENT("content_block_stop", ",\"index\":1") A_EVENT("content_block_start",
                            ",\"index\":2,\"content_block\":{\"type\":\"tool_use\","
                            "\"id\":\"c2\",\"name\":\"find\",\"input\":{}}")
                            A_EVENT("content_block_stop", ",\"index\":2") A_EVENT("message_delta",
                                ",\"delta\":{\"stop_reason\":\"tool_use\"},"
                                "\"usage\":{\"output_tokens\":2}") A_EVENT("message_stop", ""),
        .last = "message_delta",
        .broken = A_EVENT("message_start", ",\"message\":{\"usage\":{\"input_tokens\":1}}")
            A_DELTA("0", "{\"type\":\"text_delta\",\"text\":\"Gr\"}") "event: "
                                                                      "error\ndata: " A_ERROR(
                                                                          "overloaded_error",
                                                                          "Overloaded") "\n\n",
        .limited = A_ERROR("rate_limit_error", "slow down"),
        .overflow = A_ERROR("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        .unauthorized = A_ERROR("authentication_error", "invalid x-api-key " KEY),
        .refused = A_ERROR("invalid_request_error", "x: unknown field"),
        .limited_status = 429,
        .unauthorized_status = 401,
        .filtered = JSON "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"refusal\"}",
    },
    {
        .ops = &model_gemini,
        .protocol = &gemini_protocol,
        .path = "POST /v1beta/models/m-1:generateContent HTTP/1.1\r\n",
        .stream_path = "POST /v1beta/models/m-1:streamGenerateContent?alt=sse HTTP/1.1\r\n",
        .auth = "\r\nx-goog-api-key: " KEY "\r\n",
        .plain = JSON "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}"
                      ",{\"text\":\"Grüße \"},{\"text\":\"🎉\"}]},\"finishReason\":\"STOP\"}],"
                      "\"modelVersion\":\"m-1\",\"usageMetadata\":{\"promptTokenCount\":10,"
                      "\"candidatesTokenCount\":1,\"thoughtsTokenCount\":1,"
                      "\"cachedContentTokenCount\":4}}",
        .stream = G_PIECE("{\"text\":\"Gr\\u00fc\"}", "") G_PIECE("{\"text\":\"ße 🎉\"}", "")
            G_PIECE("{\"functionCall\":{\"id\":\"c1\",\"name\":\"find\",\"args\":{\"q\":1}},"
                    "\"thoughtSignature\":\"c2ln\"},{\"functionCall\":{\"id\":\"c2\",\"name\":"
                    "\"find\",\"args\":{}}}",
                "") "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
                    "\"promptTokenCount\":10,\"candidatesTokenCount\":2,"
                    "\"cachedContentTokenCount\":4}}\r\n\r\n",
        .last = "finishReason",
        .broken = G_PIECE("{\"text\":\"Gr\"}", "") "data: " G_ERROR(
            "503", "UNAVAILABLE", "overloaded", "") "\r\n\r\n",
        .limited = G_ERROR(
            "429", "RESOURCE_EXHAUSTED", "slow down", "{\"@type\":\"t\",\"retryDelay\":\"7s\"}"),
        .overflow = G_ERROR("400", "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).", ""),
        .unauthorized = G_ERROR("400", "INVALID_ARGUMENT", "API key not valid " KEY,
            "{\"@type\":\"t\",\"reason\":\"API_KEY_INVALID\"}"),
        .refused = G_ERROR("400", "INVALID_ARGUMENT", "Unknown name x", ""),
        .limited_status = 429,
        .unauthorized_status = 400,
        .filtered = JSON "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{}}",
    },
};

#define EACH(recording)                                                                            \
    for (const struct recording *recording = recordings;                                           \
         recording < recordings + ARRAY_LEN(recordings); recording++)

struct talk {
    struct model_reply reply;
    enum model_error error;
    struct buf text; /* streamed */
    struct str seen; /* by the server */
    int rc;
};

static int on_text(struct str text, void *ctx)
{
    struct talk *talk = ctx;

    buf_add_str(&talk->text, text);
    return 0;
}

static const struct model_message hello[] = {{.role = MODEL_USER, .content = STR("hello")}};

/* One call against a server that gives this answer, in pieces of so many bytes (0: at once). */
static struct talk talk_with(struct test *t, const struct recording *recording, const char *answer,
    size_t piece, bool streams, int retries)
{
    struct stub_step step = {.answer = answer, .piece = piece, .close = true};
    struct stub_step steps[] = {step, step, step, {0}};
    struct stub *stub = stub_start(steps);
    struct talk talk = {.text = BUF_IN(t->arena)};
    char base[64], v1[80];
    struct config config = {.openai_base_url = v1,
        .anthropic_base_url = base,
        .gemini_base_url = base,
        .openai_api_key = (char *)KEY,
        .anthropic_api_key = (char *)KEY,
        .gemini_api_key = (char *)KEY,
        .model_timeout_ms = 30000,
        .model_retries = retries};
    struct model_request request = {.messages = hello,
        .message_count = 1,
        .temperature = -1,
        .on_delta = streams ? on_text : NULL,
        .ctx = &talk};
    void *state = NULL;

    snprintf(base, sizeof(base), "http://127.0.0.1:%d/", stub_port(stub));
    snprintf(v1, sizeof(v1), "%sv1", base);
    EXPECT_OK(recording->ops->open(&config, env_system(), STR("m-1"), &state));
    talk.rc = recording->ops->chat(state, &request, t->arena, &talk.reply, &talk.error);
    recording->ops->close(state);
    talk.seen = stub_stop(stub, t->arena);
    return talk;
}

static void expect_usage(struct test *t, const struct talk *talk)
{
    EXPECT_EQ(talk->reply.usage.input_tokens, 10);
    EXPECT_EQ(talk->reply.usage.cached_tokens, 4);
    EXPECT_EQ(talk->reply.usage.output_tokens, 2);
}

TEST(providers_plain_answer)
{
    EACH(recording)
    {
        struct talk talk = talk_with(t, recording, recording->plain, 0, false, 0);

        REQUIRE_OK(talk.rc);
        EXPECT_STR(talk.reply.content, "Grüße 🎉");
        EXPECT_STR(talk.reply.model, "m-1");
        EXPECT_EQ(talk.reply.finish, MODEL_STOP);
        EXPECT_EQ(talk.reply.tool_call_count, 0);
        expect_usage(t, &talk);
        EXPECT(str_starts(talk.seen, str_from(recording->path)));
        EXPECT(str_find(talk.seen, str_from(recording->auth), 0) > 0);
    }
}

static void expect_streamed(struct test *t, const struct talk *talk)
{
    EXPECT_OK(talk->rc);
    EXPECT_STR(buf_str(&talk->text), "Grüße 🎉");
    EXPECT_STR(talk->reply.content, "Grüße 🎉");
    EXPECT_EQ(talk->reply.finish, MODEL_TOOL_CALLS);
    expect_usage(t, talk);
    if (!EXPECT_EQ(talk->reply.tool_call_count, 2))
        return;
    EXPECT_STR(talk->reply.tool_calls[0].id, "c1");
    EXPECT_STR(talk->reply.tool_calls[0].name, "find");
    EXPECT_STR(talk->reply.tool_calls[0].arguments, "{\"q\":1}");
    EXPECT_STR(talk->reply.tool_calls[1].id, "c2");
    EXPECT(str_is(talk->reply.tool_calls[1].arguments, "{}") ||
           str_empty(talk->reply.tool_calls[1].arguments));
}

TEST(providers_stream_over_the_wire)
{
    EACH(recording)
    {
        struct str answer = str_printf(t->arena, "%s%s", SSE, recording->stream);
        struct talk talk = talk_with(t, recording, answer.ptr, 0, true, 0);

        expect_streamed(t, &talk);
        EXPECT(str_starts(talk.seen, str_from(recording->stream_path)));
        talk = talk_with(t, recording, answer.ptr, 11, true, 0);
        expect_streamed(t, &talk);
    }
}

/* Feeds a stream in pieces without a network. */
static struct talk feed(struct test *t, struct arena *arena, const struct recording *recording,
    struct str body, size_t first, size_t step)
{
    struct talk talk = {.text = BUF_IN(arena)};
    struct model_request request = {.on_delta = on_text, .ctx = &talk};
    struct provider_answer answer;
    struct provider_failure failure = {0};
    struct http_headers headers = {0};
    struct provider_stream stream = {.protocol = recording->protocol,
        .request = &request,
        .headers = &headers,
        .answer = &answer,
        .failure = &failure};

    (void)t;
    provider_answer_init(&answer, arena);
    provider_stream_init(&stream);
    for (size_t pos = 0, end = first; pos < body.len && talk.rc == 0; pos = end, end += step)
        talk.rc = provider_stream_feed(str_slice(body, pos, MIN(end, body.len)), &stream);
    talk.rc = provider_stream_end(&stream, talk.rc);
    talk.error = failure.error;
    provider_answer_end(&answer, env_system(), &talk.reply);
    provider_stream_deinit(&stream);
    return talk;
}

TEST(providers_stream_split_at_every_byte)
{
    EACH(recording)
    {
        struct str body = str_from(recording->stream);

        for (size_t at = 0; at < body.len && t->failures == 0; at++) {
            struct arena arena;
            struct talk talk;

            arena_init(&arena);
            talk = feed(t, &arena, recording, body, at == 0 ? 1 : at, at == 0 ? 1 : body.len);
            expect_streamed(t, &talk);
            arena_deinit(&arena);
        }
    }
}

TEST(providers_stream_cut_at_every_byte)
{
    EACH(recording)
    {
        struct str body = str_from(recording->stream);
        size_t last = (size_t)str_find(body, str_from(recording->last), 0);

        for (size_t len = 0; len < last && t->failures == 0; len++) {
            struct arena arena;
            struct talk talk;

            arena_init(&arena);
            talk = feed(t, &arena, recording, str_slice(body, 0, len), 64, 64);
            EXPECT_EQ(talk.rc, ERR_PROTOCOL);
            EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
            arena_deinit(&arena);
        }
    }
}

TEST(providers_error_in_mid_stream)
{
    EACH(recording)
    {
        struct str answer = str_printf(t->arena, "%s%s", SSE, recording->broken);
        struct talk talk = talk_with(t, recording, answer.ptr, 0, true, 2);

        EXPECT_EQ(talk.error, MODEL_UNAVAILABLE);
        EXPECT_STR(buf_str(&talk.text), "Gr"); /* once: what was shown is not repeated */
    }
}

static struct str failing(struct test *t, int status, const char *headers, const char *body)
{
    return str_printf(t->arena,
        "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Type: application/json\r\n%s\r\n%s", status,
        headers, body);
}

TEST(providers_error_classes)
{
    EACH(recording)
    {
        const struct {
            int status;
            const char *body;
            enum model_error want;
        } cases[] = {
            {recording->limited_status, recording->limited, MODEL_RATE_LIMITED},
            {400, recording->overflow, MODEL_CONTEXT_OVERFLOW},
            {recording->unauthorized_status, recording->unauthorized, MODEL_UNAUTHORIZED},
            {400, recording->refused, MODEL_BAD_REQUEST},
            {500, "oops", MODEL_UNAVAILABLE},
            {529, "{}", MODEL_UNAVAILABLE},
            {200, "{}", MODEL_BROKEN_ANSWER},
            {200, "<html>", MODEL_BROKEN_ANSWER},
        };

        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct str answer = failing(t, cases[i].status, "", cases[i].body);
            struct talk talk = talk_with(t, recording, answer.ptr, 0, false, 0);

            EXPECT(talk.rc < 0);
            EXPECT_EQ(talk.error, cases[i].want);
            EXPECT(str_find(str_from(err_message()), STR(KEY), 0) < 0);
        }
    }
}

TEST(providers_repeat_what_may_be_repeated)
{
    EACH(recording)
    {
        struct str busy =
            failing(t, recording->limited_status, "retry-after-ms: 1\r\n", recording->limited);
        struct talk talk = talk_with(t, recording, busy.ptr, 0, false, 2);
        size_t posts = 0;

        for (ptrdiff_t at = 0; (at = str_find(talk.seen, STR("POST /"), (size_t)at)) >= 0; at++)
            posts++;
        EXPECT_EQ(posts, 3);
        EXPECT_EQ(talk.error, MODEL_RATE_LIMITED);
        talk = talk_with(t, recording, failing(t, 400, "", recording->refused).ptr, 0, false, 2);
        EXPECT(str_find(talk.seen, STR("POST /"), 5) < 0);
    }
}

TEST(providers_say_when_content_was_refused)
{
    EACH(recording)
    {
        struct talk talk = talk_with(t, recording, recording->filtered, 0, false, 0);

        EXPECT_OK(talk.rc);
        EXPECT_EQ(talk.reply.finish, MODEL_FILTERED);
    }
}

TEST(providers_turns_that_end_early_are_no_answers)
{
    const struct recording *anthropic = &recordings[1], *gemini = &recordings[2];
    struct talk talk = talk_with(t, anthropic,
        JSON "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"Let me\"}],"
             "\"stop_reason\":\"pause_turn\"}",
        0, false, 0);

    EXPECT_OK(talk.rc);
    EXPECT_EQ(talk.reply.finish, MODEL_LENGTH);
    talk = talk_with(t, gemini,
        JSON "{\"candidates\":[{\"content\":{},\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}", 0,
        false, 0);
    EXPECT(talk.rc < 0);
    EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
}

TEST(providers_open_refuses)
{
    EACH(recording)
    {
        struct config config = {.openai_base_url = (char *)"ftp://x",
            .anthropic_base_url = (char *)"ftp://x",
            .gemini_base_url = (char *)"ftp://x",
            .openai_api_key = (char *)"",
            .anthropic_api_key = (char *)"",
            .gemini_api_key = (char *)""};
        void *state = NULL;

        EXPECT_EQ(recording->ops->open(&config, env_system(), STR(""), &state), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "model");
        EXPECT_EQ(recording->ops->open(&config, env_system(), STR("m"), &state), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, recording->protocol->url_setting);
    }
}

/* The talk that the requests below are about. */
static const struct model_tool_call calls[] = {
    {STR("c1"), STR("find"), STR("{\"q\":1}")}, {STR("c2"), STR("find"), STR("{\"q\":")}};
static const struct model_tool tools[] = {
    {STR("find"), STR("Finds."), STR("{\"type\":\"object\"}")}};
static const struct model_message messages[] = {
    {.role = MODEL_SYSTEM, .content = STR("be brief")},
    {.role = MODEL_ASSISTANT, .content = STR("Hello")},
    {.role = MODEL_USER, .author = STR("Ana"), .content = STR("hi")},
    {.role = MODEL_USER, .author = STR("Ben"), .content = STR("yo")},
    {.role = MODEL_ASSISTANT, .tool_calls = calls, .tool_call_count = 2},
    {.role = MODEL_TOOL,
        .tool_call_id = STR("c1"),
        .tool_name = STR("find"),
        .content = STR("found")},
    {.role = MODEL_TOOL,
        .tool_call_id = STR("c2"),
        .tool_name = STR("find"),
        .content = STR("broken"),
        .failed = true},
};

static const struct model_request talk_request = {.messages = messages,
    .message_count = ARRAY_LEN(messages),
    .tools = tools,
    .tool_count = 1,
    .tool_choice = MODEL_TOOLS_NONE,
    .response_schema = STR("{\"type\":\"object\"}"),
    .max_output_tokens = 50,
    .temperature = -1,
    .on_delta = on_text};

static struct str written(
    struct test *t, const struct provider_protocol *protocol, const struct model_request *request)
{
    struct provider provider = {.protocol = protocol, .name = (char *)"n"};
    struct buf out = BUF_IN(t->arena);

    protocol->write(&out, &provider, request);
    EXPECT_OK(json_check(buf_str(&out)));
    return buf_str(&out);
}

TEST(anthropic_request)
{
    EXPECT_STR(written(t, &anthropic_protocol, &talk_request),
        "{\"model\":\"n\",\"max_tokens\":50,\"tools\":[{\"name\":\"find\",\"description\":"
        "\"Finds.\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"none\"},"
        "\"system\":[{\"type\":\"text\",\"text\":\"be brief\",\"cache_control\":{\"type\":"
        "\"ephemeral\"}}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"(The chat begins.)\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"Hello\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"Ana: hi\"},{\"type\":\"text\",\"text\":\"Ben: yo\"}]},{\"role\":"
        "\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"find\","
        "\"input\":{\"q\":1}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"find\",\"input\":"
        "{\"malformed_arguments\":\"{\\\"q\\\":\"}}]},{\"role\":\"user\",\"content\":[{\"type\":"
        "\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"found\"},{\"type\":\"tool_result\","
        "\"tool_use_id\":\"c2\",\"content\":\"broken\",\"is_error\":true}]}],\"output_config\":{"
        "\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}},\"stream\":true}");
}

TEST(gemini_request)
{
    EXPECT_STR(written(t, &gemini_protocol, &talk_request),
        "{\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}]},\"contents\":[{\"role\":"
        "\"user\",\"parts\":[{\"text\":\"(The chat begins.)\"}]},{\"role\":\"model\",\"parts\":[{"
        "\"text\":\"Hello\"}]},{\"role\":\"user\",\"parts\":[{\"text\":\"Ana: hi\"},{\"text\":"
        "\"Ben: yo\"}]},{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"find\","
        "\"args\":{\"q\":1}}},{\"functionCall\":{\"name\":\"find\",\"args\":{"
        "\"malformed_arguments\":\"{\\\"q\\\":\"}}}]},{\"role\":\"user\",\"parts\":[{"
        "\"functionResponse\":{\"id\":\"c1\",\"name\":\"find\",\"response\":{\"output\":\"found\"}}"
        "},{"
        "\"functionResponse\":{\"id\":\"c2\",\"name\":\"find\",\"response\":{\"error\":\"broken\"}}"
        "}]}],"
        "\"tools\":[{\"functionDeclarations\":[{\"name\":\"find\",\"description\":\"Finds.\","
        "\"parametersJsonSchema\":{\"type\":\"object\"}}]}],\"toolConfig\":{"
        "\"functionCallingConfig\":{\"mode\":\"NONE\"}},\"generationConfig\":{"
        "\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"object\"},"
        "\"maxOutputTokens\":50}}");
}

/* What the provider signed goes back to it as it came, and to no other. */
static struct str sent_back(
    struct test *t, const struct provider_protocol *protocol, const struct model_reply *reply)
{
    const struct model_message again[] = {hello[0],
        {.role = MODEL_ASSISTANT,
            .content = reply->content,
            .tool_calls = reply->tool_calls,
            .tool_call_count = reply->tool_call_count,
            .opaque = reply->opaque,
            .opaque_of = reply->opaque_of},
        {.role = MODEL_TOOL, .tool_call_id = STR("c1"), .tool_name = STR("find")}};
    const struct model_request request = {
        .messages = again, .message_count = ARRAY_LEN(again), .temperature = -1};

    return written(t, protocol, &request);
}

TEST(gemini_signatures_go_back)
{
    struct str answer = str_printf(t->arena, "%s%s", SSE, recordings[2].stream);
    struct talk talk = talk_with(t, &recordings[2], answer.ptr, 0, true, 0);
    struct str text = sent_back(t, &gemini_protocol, &talk.reply);

    EXPECT(str_find(text,
               STR("\"name\":\"find\",\"args\":{\"q\":1}},\"thoughtSignature\":\"c2ln\""), 0) > 0);
    text = sent_back(t, &anthropic_protocol, &talk.reply);
    EXPECT(str_find(text, STR("c2ln"), 0) < 0);
    EXPECT(str_find(text, STR("\"input\":{\"q\":1}"), 0) > 0);
}

TEST(anthropic_thinking_goes_back)
{
    static const char stream[] = SSE A_EVENT("message_start",
        ",\"message\":{\"usage\":{\"input_tokens\":1}}") A_EVENT("content_block_start",
        ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}")
        A_DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"Ana \"}")
            A_DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"asks\"}")
                A_DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}")
                    A_EVENT("content_block_stop", ",\"index\":0") A_EVENT("content_block_start",
                        ",\"index\":1,\"content_block\":{\"type\":\"redacted_thinking\","
                        "\"data\":\"xx\"}") A_EVENT("content_block_start",
                        ",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":"
                        "\"c1\",\"name\":\"find\",\"input\":{}}") A_EVENT("message_delta",
                        ",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{}")
                        A_EVENT("message_stop", "");
    struct talk talk = talk_with(t, &recordings[1], stream, 0, true, 0);

    REQUIRE_OK(talk.rc);
    EXPECT_STR(talk.reply.content, "");
    EXPECT_STR(talk.reply.opaque,
        "[{\"type\":\"thinking\",\"thinking\":\"Ana asks\",\"signature\":\"c2ln\"},"
        "{\"type\":\"redacted_thinking\",\"data\":\"xx\"}]");
    EXPECT(str_find(sent_back(t, &anthropic_protocol, &talk.reply),
               STR("\"content\":[{\"type\":\"thinking\",\"thinking\":\"Ana asks\",\"signature\":"
                   "\"c2ln\"},{\"type\":\"redacted_thinking\",\"data\":\"xx\"},{\"type\":"
                   "\"tool_use\""),
               0) > 0);
    EXPECT(str_find(sent_back(t, &gemini_protocol, &talk.reply), STR("c2ln"), 0) < 0);
}

TEST(providers_quota_is_no_rate_limit)
{
    const struct {
        const struct recording *recording;
        const char *body;
    } cases[] = {
        {&recordings[0], "{\"error\":{\"message\":\"x\",\"type\":\"insufficient_quota\"}}"},
        {&recordings[1],
            "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\","
            "\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}"},
        {&recordings[2], G_ERROR("429", "RESOURCE_EXHAUSTED", "x",
                             "{\"@type\":\"t\",\"violations\":[{\"quotaId\":"
                             "\"GenerateRequestsPerDayPerProject\"}]}")},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct talk talk =
            talk_with(t, cases[i].recording, failing(t, 429, "", cases[i].body).ptr, 0, false, 2);

        EXPECT_EQ(talk.error, MODEL_QUOTA);
        EXPECT(str_find(talk.seen, STR("POST /"), 5) < 0);
    }
}
