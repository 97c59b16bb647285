#include "http/stub.h"
#include "model/openai.h"
#include "runtime/loop.h"
#include "test.h"

extern const struct model_ops model_openai;

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"
#define JSON(body) HEAD("200 OK") "Content-Type: application/json\r\n\r\n" body
#define SSE(body) HEAD("200 OK") "Content-Type: text/event-stream\r\n\r\n" body
#define FAIL(status, extra, body) HEAD(status) extra "Content-Type: application/json\r\n\r\n" body
#define CHUNK(delta) "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define FINISH(reason) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define PLAIN_OK                                                                                   \
    JSON("{\"model\":\"m-1\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":"                \
         "{\"role\":\"assistant\",\"content\":\"hi\",\"refusal\":null}}],\"usage\":"               \
         "{\"prompt_tokens\":10,\"completion_tokens\":2,\"prompt_tokens_details\":"                \
         "{\"cached_tokens\":4}}}")

#define SECRET "sk-0123456789abcdefghij0123456789"

/* One call against a scripted server. */
struct talk {
    struct test *t;
    struct stub *stub;
    struct provider *provider;
    struct model_request request;
    struct model_reply reply;
    enum model_error error;
    struct buf text; /* streamed */
    size_t stop_at;
    int rc;
};

static const struct model_message hello[] = {{.role = MODEL_USER, .content = STR("hello")}};

static int on_text(struct str text, void *ctx)
{
    struct talk *talk = ctx;
    buf_add_str(&talk->text, text);
    return talk->stop_at > 0 && talk->text.len >= talk->stop_at ? 55 : 0;
}

static struct talk talk_start(struct test *t, const struct stub_step *steps, bool streams)
{
    struct talk talk = {.t = t, .stub = stub_start(steps), .text = BUF_IN(t->arena)};
    char base[64];
    snprintf(base, sizeof(base), "http://127.0.0.1:%d/v1/", stub_port(talk.stub));
    struct config config = {.openai_base_url = base,
        .openai_api_key = (char *)SECRET,
        .model_timeout_ms = 30000,
        .model_retries = 2};
    void *state = NULL;
    EXPECT_OK(model_openai.open(&config, env_system(), STR("test-model"), &state));
    talk.provider = state;
    talk.request = (struct model_request){.messages = hello,
        .message_count = 1,
        .temperature = -1,
        .on_delta = streams ? on_text : NULL};
    return talk;
}

static void talk_run(struct talk *talk)
{
    talk->request.ctx = talk;
    talk->error = MODEL_OK;
    talk->rc = model_openai.chat(
        talk->provider, &talk->request, talk->t->arena, &talk->reply, &talk->error);
}

static struct str talk_end(struct talk *talk)
{
    model_openai.close(talk->provider);
    return stub_stop(talk->stub, talk->t->arena);
}

/* One call, one answer (given to every attempt). */
static struct talk answer_with(struct test *t, const char *answer, size_t piece, bool streams)
{
    struct stub_step step = {.answer = answer, .piece = piece, .close = true};
    struct stub_step steps[] = {step, step, step, {0}};
    struct talk talk = talk_start(t, steps, streams);
    talk.provider->retries = 0;
    talk_run(&talk);
    talk_end(&talk);
    return talk;
}

TEST(openai_plain_answer)
{
    struct talk talk =
        talk_start(t, (const struct stub_step[]){{.answer = PLAIN_OK, .close = true}, {0}}, false);
    talk_run(&talk);
    struct str seen = talk_end(&talk);
    REQUIRE(talk.rc == 0);
    EXPECT_STR(talk.reply.content, "hi");
    EXPECT_STR(talk.reply.model, "m-1");
    EXPECT_EQ(talk.reply.finish, MODEL_STOP);
    EXPECT_EQ(talk.reply.usage.input_tokens, 10);
    EXPECT_EQ(talk.reply.usage.output_tokens, 2);
    EXPECT_EQ(talk.reply.usage.cached_tokens, 4);
    EXPECT_EQ(talk.reply.attempts, 1);
    EXPECT(str_starts(seen, STR("POST /v1/chat/completions HTTP/1.1\r\n")));
    EXPECT(str_find(seen, STR("\r\nAuthorization: Bearer " SECRET "\r\n"), 0) > 0);
    EXPECT(str_ends(seen, STR("{\"model\":\"test-model\",\"messages\":[{\"role\":\"user\","
                              "\"content\":\"hello\"}]}")));
}

TEST(openai_callers_key_and_name_go_first)
{
    struct talk talk =
        talk_start(t, (const struct stub_step[]){{.answer = PLAIN_OK, .close = true}, {0}}, false);
    talk.request.api_key = STR("their-own");
    talk.request.name = STR("their-model");
    talk_run(&talk);
    struct str seen = talk_end(&talk);
    EXPECT(str_find(seen, STR("Bearer their-own\r\n"), 0) > 0);
    EXPECT(str_find(seen, STR("\"model\":\"their-model\""), 0) > 0);
    EXPECT(str_find(seen, STR(SECRET), 0) < 0);
}

static struct str request_text(
    struct test *t, const char *base_host, const struct model_request *request)
{
    struct provider provider = {
        .name = (char *)"n", .dialect = (int)openai_dialect_of(str_from(base_host))};
    struct buf out = BUF_IN(t->arena);
    openai_write_request(&out, &provider, request);
    EXPECT_OK(json_check(buf_str(&out)));
    return buf_str(&out);
}

TEST(openai_request_messages)
{
    struct model_tool_call calls[] = {{STR("c1"), STR("find"), STR("{\"q\":1}")},
        {STR("c2"), STR("find"), STR("{\"q\":")}, {STR("c3"), STR("now"), STR("")}};
    struct model_message messages[] = {
        {.role = MODEL_SYSTEM, .content = STR("be brief")},
        {.role = MODEL_USER, .author = STR("Ana"), .content = STR("hi\nthere")},
        {.role = MODEL_USER, .author = STR("Ben"), .content = STR("\"yo\"")},
        {.role = MODEL_ASSISTANT, .tool_calls = calls, .tool_call_count = 3},
        {.role = MODEL_TOOL,
            .tool_call_id = STR("c1"),
            .tool_name = STR("find"),
            .content = STR("found")},
        {.role = MODEL_ASSISTANT, .content = STR("done")},
    };
    struct model_request request = {
        .messages = messages, .message_count = ARRAY_LEN(messages), .temperature = -1};
    EXPECT_STR(request_text(t, "localhost", &request),
        "{\"model\":\"n\",\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},"
        "{\"role\":\"user\",\"content\":\"Ana: hi\\nthere\"},"
        "{\"role\":\"user\",\"content\":\"Ben: \\\"yo\\\"\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"find\","
        "\"arguments\":\"{\\\"q\\\":1}\"}},"
        "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"find\","
        "\"arguments\":\"{\\\"malformed_arguments\\\":\\\"{\\\\\\\"q\\\\\\\":\\\"}\"}},"
        "{\"id\":\"c3\",\"type\":\"function\",\"function\":{\"name\":\"now\","
        "\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"found\"},"
        "{\"role\":\"assistant\",\"content\":\"done\"}]}");
}

TEST(openai_request_options)
{
    struct model_tool tools[] = {{STR("find"), STR("Finds."), STR("{\"type\":\"object\"}")},
        {STR("now"), STR("Time."), STR("")}};
    struct model_request request = {.tools = tools,
        .tool_count = 2,
        .tool_choice = MODEL_TOOLS_REQUIRED,
        .response_schema = STR("{\"type\":\"object\",\"properties\":{\"a\":{}},"
                               "\"required\":[\"a\"],\"additionalProperties\":false}"),
        .max_output_tokens = 50,
        .temperature = 0.5,
        .on_delta = on_text};
    EXPECT_STR(request_text(t, "api.groq.com", &request),
        "{\"model\":\"n\",\"messages\":[],\"tools\":["
        "{\"type\":\"function\",\"function\":{\"name\":\"find\",\"description\":\"Finds.\","
        "\"parameters\":{\"type\":\"object\"}}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"now\",\"description\":\"Time.\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"tool_choice\":\"required\","
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\","
        "\"strict\":true,\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{}},"
        "\"required\":[\"a\"],\"additionalProperties\":false}}},\"max_tokens\":50,"
        "\"temperature\":0.5,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    request.tool_choice = MODEL_TOOLS_AUTO;
    request.response_schema = STR("{\"type\":\"object\",\"properties\":{\"a\":{}}}");
    struct str text = request_text(t, "api.openai.com", &request);
    EXPECT(str_find(text, STR("tool_choice"), 0) < 0);
    EXPECT(str_find(text, STR("\"strict\":false"), 0) > 0);
    EXPECT(str_find(text, STR("\"max_completion_tokens\":50"), 0) > 0);
}

TEST(openai_urls_and_dialects)
{
    EXPECT_STR(openai_url(t->arena, STR("https://api.openai.com/v1")),
        "https://api.openai.com/v1/chat/completions");
    EXPECT_STR(openai_url(t->arena, STR("http://h/v1//")), "http://h/v1/chat/completions");
    EXPECT_STR(
        openai_url(t->arena, STR("http://h/v1/chat/completions")), "http://h/v1/chat/completions");
    EXPECT_STR(openai_url(t->arena,
                   STR("https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21")),
        "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21");
    EXPECT_EQ(openai_dialect_of(STR("api.openai.com")), OPENAI_OFFICIAL);
    EXPECT_EQ(openai_dialect_of(STR("r.openai.azure.com")), OPENAI_AZURE);
    EXPECT_EQ(openai_dialect_of(STR("openai.azure.com.evil.example")), OPENAI_COMPATIBLE);

    struct talk talk =
        talk_start(t, (const struct stub_step[]){{.answer = PLAIN_OK, .close = true}, {0}}, false);
    talk.provider->dialect = OPENAI_AZURE;
    talk_run(&talk);
    struct str seen = talk_end(&talk);
    EXPECT(str_find(seen, STR("\r\napi-key: " SECRET "\r\n"), 0) > 0);
    EXPECT(str_find(seen, STR("Bearer"), 0) < 0);
}

TEST(openai_open_refuses)
{
    struct config config = {
        .openai_base_url = (char *)"http://localhost/v1", .openai_api_key = (char *)""};
    void *state = NULL;
    EXPECT_EQ(model_openai.open(&config, env_system(), STR(""), &state), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "model");
    config.openai_base_url = (char *)"localhost:8080/v1";
    EXPECT_EQ(model_openai.open(&config, env_system(), STR("m"), &state), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "openai.base-url");
}

TEST(openai_parallel_tools)
{
    struct talk talk = answer_with(t,
        JSON("{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":null,"
             "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"x\","
             "\"arguments\":\"{\\\"k\\\": tru\"}},{\"function\":{\"name\":\"y\",\"arguments\":"
             "{\"n\":1}}}]}}]}"),
        0, false);
    REQUIRE(talk.rc == 0);
    EXPECT_EQ(talk.reply.finish, MODEL_TOOL_CALLS);
    REQUIRE(talk.reply.tool_call_count == 2);
    EXPECT_STR(talk.reply.content, "");
    EXPECT_STR(talk.reply.tool_calls[0].id, "a");
    EXPECT_STR(talk.reply.tool_calls[0].name, "x");
    EXPECT_STR(talk.reply.tool_calls[0].arguments, "{\"k\": tru"); /* malformed, as given */
    EXPECT(str_starts(talk.reply.tool_calls[1].id, STR("call_")));
    EXPECT_STR(talk.reply.tool_calls[1].arguments, "{\"n\":1}");
}

TEST(openai_content_shapes)
{
    struct talk talk = answer_with(t,
        JSON("{\"choices\":[{\"finish_reason\":\"length\",\"message\":{\"content\":["
             "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}}]}"),
        0, false);
    EXPECT_OK(talk.rc);
    EXPECT_STR(talk.reply.content, "ab");
    EXPECT_EQ(talk.reply.finish, MODEL_LENGTH);
    talk = answer_with(t,
        JSON("{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":null,"
             "\"refusal\":\"no\"}}]}"),
        0, false);
    EXPECT_OK(talk.rc);
    EXPECT_STR(talk.reply.content, "no");
    EXPECT_EQ(talk.reply.finish, MODEL_FILTERED);
}

/* What Ollama, OpenRouter, Azure and OpenAI mix into a stream. */
static const char stream_answer[] = SSE(
    ": OPENROUTER PROCESSING\n\n"
    "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null,\"model\":\"\"}\n\n"
    "data: {\"model\":\"m-2\",\"choices\":[{\"delta\":{\"role\":\"assistant\","
    "\"content\":\"\"}}]}\r\n\r\n" CHUNK("{\"content\":\"Hel\"}")
        CHUNK("{\"content\":\"lo \\u00e9\"}") CHUNK(
            "{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"x\","
            "\"arguments\":\"\"}}]}")
            CHUNK("{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"y\","
                  "\"arguments\":\"{}\"}}]}")
                CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"k\"}}]}")
                    CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
                          "\"\\\":1}\"}}]}")
                        FINISH("tool_calls") "data: "
                                             "{\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
                                             "\"completion_tokens\":6}}\n\n"
                                             "data: [DONE]\n\n");

static void expect_streamed(struct test *t, const struct talk *talk)
{
    REQUIRE(talk->rc == 0);
    EXPECT_STR(buf_str(&talk->text), "Hello \xC3\xA9");
    EXPECT_STR(talk->reply.content, "Hello \xC3\xA9");
    EXPECT_STR(talk->reply.model, "m-2");
    EXPECT_EQ(talk->reply.finish, MODEL_TOOL_CALLS);
    EXPECT_EQ(talk->reply.usage.input_tokens, 5);
    EXPECT_EQ(talk->reply.usage.output_tokens, 6);
    REQUIRE(talk->reply.tool_call_count == 2);
    EXPECT_STR(talk->reply.tool_calls[0].name, "x");
    EXPECT_STR(talk->reply.tool_calls[0].arguments, "{\"k\":1}");
    EXPECT_STR(talk->reply.tool_calls[1].id, "b");
    EXPECT_STR(talk->reply.tool_calls[1].arguments, "{}");
}

TEST(openai_stream_over_the_wire)
{
    struct talk talk = answer_with(t, stream_answer, 0, true);
    expect_streamed(t, &talk);
    talk = answer_with(t, stream_answer, 7, true);
    expect_streamed(t, &talk);
}

/* Feeds a stream in pieces without a network. */
static struct talk feed(struct test *t, struct str body, size_t first, size_t step)
{
    struct talk talk = {.t = t, .text = BUF_IN(t->arena)};
    struct provider_answer answer;
    struct provider_failure failure = {0};
    struct http_headers headers = {0};
    struct provider_stream stream = {.protocol = &openai_protocol,
        .request = &talk.request,
        .headers = &headers,
        .answer = &answer,
        .failure = &failure};
    talk.request = (struct model_request){.on_delta = on_text, .ctx = &talk};
    provider_answer_init(&answer, t->arena);
    provider_stream_init(&stream);
    for (size_t pos = 0, end = first; pos < body.len && talk.rc == 0; pos = end, end += step)
        talk.rc = provider_stream_feed(str_slice(body, pos, MIN(end, body.len)), &stream);
    talk.rc = provider_stream_end(&stream, talk.rc);
    talk.error = failure.error;
    provider_answer_end(&answer, env_system(), &talk.reply);
    provider_stream_deinit(&stream);
    return talk;
}

TEST(openai_stream_split_at_every_byte)
{
    struct str body = str_from(strstr(stream_answer, "\r\n\r\n") + 4);
    for (size_t at = 1; at < body.len; at++) {
        struct talk talk = feed(t, body, at, body.len);
        expect_streamed(t, &talk);
        if (t->failures > 0)
            return;
    }
    struct talk talk = feed(t, body, 1, 1);
    expect_streamed(t, &talk);
}

TEST(openai_stream_cut_at_every_byte)
{
    struct str body = str_from(strstr(stream_answer, "\r\n\r\n") + 4);
    ptrdiff_t finish = str_find(body, STR("finish_reason"), 0);
    for (size_t len = 0; len < (size_t)finish; len++) {
        struct talk talk = feed(t, str_slice(body, 0, len), len, body.len);
        EXPECT_EQ(talk.rc, ERR_PROTOCOL);
        EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
        if (t->failures > 0)
            return;
    }
}

TEST(openai_stream_odd_servers)
{
    /* Ollama: the whole call in one delta; another server: index 0 for every call. */
    struct talk talk = feed(t,
        STR(CHUNK("{\"tool_calls\":[{\"id\":\"a\",\"index\":0,\"function\":{\"name\":\"x\","
                  "\"arguments\":\"{}\"}}]}")
                CHUNK("{\"tool_calls\":[{\"id\":\"b\",\"index\":0,\"function\":{\"name\":\"x\","
                      "\"arguments\":\"{}\"}}]}") FINISH("stop")),
        1000, 1000);
    REQUIRE(talk.rc == 0);
    EXPECT_EQ(talk.reply.tool_call_count, 2);
    EXPECT_EQ(talk.reply.finish, MODEL_TOOL_CALLS);
    /* No finish_reason, but an orderly end. */
    talk = feed(t, STR(CHUNK("{\"content\":\"x\"}") "data: [DONE]\n\n"), 1000, 1000);
    EXPECT_OK(talk.rc);
    /* A server that does not stream. */
    talk = answer_with(t, PLAIN_OK, 0, true);
    EXPECT_OK(talk.rc);
    EXPECT_STR(buf_str(&talk.text), "hi");
    EXPECT_STR(talk.reply.content, "hi");
}

TEST(openai_stream_failures)
{
    struct talk talk = feed(t,
        STR(CHUNK(
            "{\"content\":\"x\"}") "data: {\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n"),
        1000, 1000);
    EXPECT_EQ(talk.rc, ERR_UNAVAILABLE);
    EXPECT_EQ(talk.error, MODEL_UNAVAILABLE);
    EXPECT(str_find(str_from(err_message()), STR("gone"), 0) > 0);
    talk = feed(
        t, STR("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n"), 1000, 1000);
    EXPECT_EQ(talk.error, MODEL_UNAVAILABLE);
    talk = feed(t, STR("data: {\"error\":\"model runner stopped\"}\n\n"), 1000, 1000);
    EXPECT_EQ(talk.error, MODEL_UNAVAILABLE);
    talk = feed(t, STR("data: {\"choices\":[\n\n"), 1000, 1000);
    EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
    talk = feed(t, STR("data: {\"hello\":1}\n\n"), 1000, 1000);
    EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
    struct buf longer = BUF_IN(t->arena);
    buf_add_cstr(&longer, "data: ");
    memset(buf_reserve(&longer, 2 * MIB), 'x', 2 * MIB);
    longer.len += 2 * MIB;
    talk = feed(t, buf_str(&longer), 100000, 100000);
    EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
}

TEST(openai_stream_stopped_by_the_caller)
{
    struct stub_step step = {.answer = stream_answer, .close = true};
    struct talk talk = talk_start(t, (const struct stub_step[]){step, step, {0}}, true);
    talk.stop_at = 1;
    talk_run(&talk);
    EXPECT_EQ(talk.rc, 55);
    EXPECT_EQ(talk.error, MODEL_CANCELLED);
    EXPECT_EQ(stub_requests(talk.stub), 1);
    talk_end(&talk);
}

TEST(openai_error_classes)
{
    static const struct {
        const char *answer;
        enum model_error error;
        int rc;
    } cases[] = {
        {FAIL("401 No", "", "{\"error\":{\"message\":\"Incorrect API key\"}}"), MODEL_UNAUTHORIZED,
            ERR_UNAUTHORIZED},
        {FAIL("403 No", "", "{}"), MODEL_UNAUTHORIZED, ERR_UNAUTHORIZED},
        {FAIL("400 No", "", "{\"error\":{\"message\":\"bad\",\"code\":null}}"), MODEL_BAD_REQUEST,
            ERR_INVALID},
        {FAIL("404 No", "", "{\"detail\":\"Not Found\"}"), MODEL_BAD_REQUEST, ERR_INVALID},
        {FAIL("402 Pay", "", "{}"), MODEL_QUOTA, ERR_UNAVAILABLE},
        {FAIL("429 Slow", "", "{\"error\":{\"type\":\"insufficient_quota\",\"message\":\"x\"}}"),
            MODEL_QUOTA, ERR_UNAVAILABLE},
        {FAIL("429 Slow", "",
             "{\"error\":{\"type\":\"x\",\"code\":\"project_spend_limit_exceeded\"}}"),
            MODEL_QUOTA, ERR_UNAVAILABLE},
        {FAIL("429 Slow", "Retry-After: 3600\r\n", "{}"), MODEL_RATE_LIMITED, ERR_BUSY},
        {FAIL("400 No", "", "{\"error\":{\"code\":\"context_length_exceeded\"}}"),
            MODEL_CONTEXT_OVERFLOW, ERR_TOO_LARGE},
        {FAIL("400 No", "",
             "{\"error\":{\"message\":\"This model's maximum context length is 8 tokens\"}}"),
            MODEL_CONTEXT_OVERFLOW, ERR_TOO_LARGE},
        {FAIL("400 No", "", "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\"}}"),
            MODEL_CONTEXT_OVERFLOW, ERR_TOO_LARGE},
        {FAIL("413 Big", "", ""), MODEL_CONTEXT_OVERFLOW, ERR_TOO_LARGE},
        {FAIL("413 Big", "", "{\"error\":{\"code\":\"rate_limit_exceeded\"}}"), MODEL_RATE_LIMITED,
            ERR_BUSY},
        {FAIL("503 Busy", "", "<html>"), MODEL_UNAVAILABLE, ERR_UNAVAILABLE},
        {FAIL("302 Away", "Location: http://x/\r\n", ""), MODEL_BROKEN_ANSWER, ERR_PROTOCOL},
        {JSON("{\"error\":{\"code\":429,\"message\":\"slow\"}}"), MODEL_RATE_LIMITED, ERR_BUSY},
        {JSON("{\"choices\":[{\"error\":{\"code\":502,\"message\":\"x\"},"
              "\"finish_reason\":\"error\",\"message\":{\"content\":\"ha\"}}]}"),
            MODEL_UNAVAILABLE, ERR_UNAVAILABLE},
        {JSON("{\"choices\":[]}"), MODEL_BROKEN_ANSWER, ERR_PROTOCOL},
        {JSON("{\"choices\":"), MODEL_BROKEN_ANSWER, ERR_PROTOCOL},
        {JSON(""), MODEL_BROKEN_ANSWER, ERR_PROTOCOL},
        {JSON("[]"), MODEL_BROKEN_ANSWER, ERR_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct talk talk = answer_with(t, cases[i].answer, 0, false);
        if (!EXPECT_EQ(talk.error, cases[i].error) || !EXPECT_EQ(talk.rc, cases[i].rc))
            printf("# case %zu: %s\n", i, cases[i].answer);
    }
}

TEST(openai_messages_are_short_and_secret)
{
    struct talk talk = answer_with(t,
        FAIL("401 No", "",
            "{\"error\":{\"message\":\"Incorrect API key provided: " SECRET "\\nread on\"}}"),
        0, false);
    EXPECT_EQ(talk.rc, ERR_UNAUTHORIZED);
    EXPECT(str_find(str_from(err_message()), STR(SECRET), 0) < 0);
    EXPECT(str_find(str_from(err_message()), STR("401"), 0) > 0);

    struct buf longer = BUF_IN(t->arena);
    buf_add_cstr(&longer, FAIL("400 No", "", "{\"error\":{\"message\":\"line\\none "));
    for (int i = 0; i < 300; i++)
        buf_add_cstr(&longer, "\xC3\xA9");
    buf_add_cstr(&longer, "\"}}");
    answer_with(t, longer.ptr, 0, false);
    struct str message = str_from(err_message());
    EXPECT(str_find(message, STR("line one \xC3\xA9"), 0) > 0);
    EXPECT(message.len < 300);
    EXPECT(utf8_valid(message));
}

static struct talk retried(struct test *t, const char *first, const char *second)
{
    struct stub_step steps[] = {
        {.answer = first, .close = true}, {.answer = second, .close = true}, {0}};
    struct talk talk = talk_start(t, steps, false);
    talk_run(&talk);
    talk_end(&talk);
    return talk;
}

TEST(openai_retries)
{
    struct talk talk = retried(t, FAIL("500 Oh", "retry-after-ms: 1\r\n", ""), PLAIN_OK);
    EXPECT_OK(talk.rc);
    EXPECT_EQ(talk.reply.attempts, 2);
    EXPECT_STR(talk.reply.content, "hi");
    talk = retried(t, FAIL("429 Slow", "Retry-After: 0\r\n", "{}"), PLAIN_OK);
    EXPECT_OK(talk.rc);
    talk =
        retried(t, FAIL("400 No", "x-should-retry: true\r\nretry-after-ms: 1\r\n", "{}"), PLAIN_OK);
    EXPECT_OK(talk.rc);
    talk = retried(t, "", PLAIN_OK); /* the connection breaks */
    EXPECT_OK(talk.rc);
    EXPECT_EQ(talk.reply.attempts, 2);
}

TEST(openai_no_retry)
{
    static const char *const answers[] = {
        FAIL("500 Oh", "x-should-retry: false\r\n", ""),
        FAIL("429 Slow", "x-should-retry: true\r\n",
            "{\"error\":{\"type\":\"insufficient_quota\"}}"),
        FAIL("401 No", "", ""),
        FAIL("400 No", "", ""),
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct stub_step step = {.answer = answers[i], .close = true};
        struct talk talk = talk_start(t, (const struct stub_step[]){step, step, {0}}, false);
        talk_run(&talk);
        EXPECT(talk.rc < 0);
        EXPECT_EQ(stub_requests(talk.stub), 1);
        talk_end(&talk);
    }
}

TEST(openai_retries_end)
{
    struct stub_step step = {
        .answer = FAIL("503 Busy", "retry-after-ms: 1\r\n", ""), .close = true};
    struct talk talk =
        talk_start(t, (const struct stub_step[]){step, step, step, step, {0}}, false);
    talk_run(&talk);
    EXPECT_EQ(talk.error, MODEL_UNAVAILABLE);
    EXPECT_EQ(stub_requests(talk.stub), 3);
    talk_end(&talk);
}

TEST(openai_waits_that_do_not_fit_are_not_begun)
{
    struct stub_step step = {
        .answer = FAIL("429 Slow", "Retry-After: 3600\r\n", "{}"), .close = true};
    struct talk talk = talk_start(t, (const struct stub_step[]){step, step, {0}}, false);
    talk_run(&talk);
    EXPECT_EQ(talk.error, MODEL_RATE_LIMITED);
    EXPECT_EQ(err_get()->retry_after_ms, 3600000);
    EXPECT_EQ(stub_requests(talk.stub), 1);
    talk_end(&talk);
}

TEST(openai_never_repeats_after_a_delta)
{
    struct stub_step step = {.answer = SSE(CHUNK("{\"content\":\"x\"}")), .close = true};
    struct talk talk = talk_start(t, (const struct stub_step[]){step, step, {0}}, true);
    talk_run(&talk);
    EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
    EXPECT_STR(buf_str(&talk.text), "x");
    EXPECT_EQ(stub_requests(talk.stub), 1);
    talk_end(&talk);

    struct stub_step steps[] = {{.answer = SSE(": nothing yet\n\n"), .close = true},
        {.answer = stream_answer, .close = true}, {0}};
    talk = talk_start(t, steps, true);
    talk_run(&talk);
    talk_end(&talk);
    expect_streamed(t, &talk);
}

TEST(openai_oversized_answer)
{
    struct buf big = BUF_IN(t->arena);
    buf_add_cstr(&big, JSON("{\"choices\":\""));
    memset(buf_reserve(&big, 9 * MIB), 'x', 9 * MIB);
    big.len += 9 * MIB;
    struct stub_step steps[] = {{.answer = big.ptr, .len = big.len, .close = true}, {0}};
    struct talk talk = talk_start(t, steps, false);
    talk_run(&talk);
    EXPECT_EQ(talk.error, MODEL_BROKEN_ANSWER);
    EXPECT_EQ(stub_requests(talk.stub), 1);
    talk_end(&talk);
}

TEST(openai_slow_server_meets_the_deadline)
{
    struct stub_step steps[] = {{.answer = HEAD("200 OK"), .hang = true}, {0}};
    struct talk talk = talk_start(t, steps, true);
    talk.request.timeout_ms = 40;
    talk_run(&talk);
    EXPECT_EQ(talk.rc, ERR_TIMEOUT);
    EXPECT_EQ(talk.error, MODEL_TIMED_OUT);
    talk_end(&talk);
}

TEST(openai_nobody_listens)
{
    struct talk talk = talk_start(t, &(const struct stub_step){0}, false);
    stub_stop(talk.stub, t->arena);
    talk.provider->retries = 0;
    talk_run(&talk);
    EXPECT_EQ(talk.rc, ERR_UNAVAILABLE);
    EXPECT_EQ(talk.error, MODEL_UNAVAILABLE);
    EXPECT_EQ(err_get()->code, ERR_UNAVAILABLE);
    model_openai.close(talk.provider);
}

static void talk_on_fiber(void *arg)
{
    talk_run(arg);
}

TEST(openai_cancel)
{
    struct stub_step retry = {.answer = FAIL("503 Busy", "retry-after: 20\r\n", ""), .close = true};
    struct stub_step hang = {.answer = HEAD("200 OK"), .hang = true};
    struct stub_step *cases[] = {&retry, &hang};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct talk talk = talk_start(t, (const struct stub_step[]){*cases[i], {0}}, false);
        struct fiber *fiber = fiber_spawn_joinable(fiber_loop(), "talk", talk_on_fiber, &talk);
        while (stub_requests(talk.stub) == 0)
            REQUIRE_OK(fiber_sleep(1));
        REQUIRE_OK(fiber_sleep(10));
        fiber_cancel(fiber);
        REQUIRE_OK(fiber_join(fiber));
        EXPECT_EQ(talk.rc, ERR_CANCELLED);
        EXPECT_EQ(talk.error, MODEL_CANCELLED);
        talk_end(&talk);
    }
}

TEST(openai_retry_after_forms)
{
    static const struct {
        const char *name, *value;
        int64_t want;
    } cases[] = {
        {"Retry-After", "2", 2000},
        {"Retry-After", "0.5", 500},
        {"Retry-After-Ms", "250", 250},
        {"Retry-After", "Mon, 02 Mar 2026 09:00:07 GMT", 7000},
        {"Retry-After", "Mon, 02 Mar 2026 08:00:00 GMT", 0},
        {"Retry-After", "soon", -1},
        {"Retry-After", "-5", -1},
        {"Retry-After", "", -1},
        {"X", "2", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_header header = {str_from(cases[i].name), str_from(cases[i].value)};
        struct http_headers headers = {&header, 1};
        EXPECT_EQ(provider_retry_after(&headers, &t->fake->env), cases[i].want);
    }
}
