#include "model/openai.h"

#include "http/client.h"
#include "http/url.h"
#include "runtime/fiber.h"

enum {
    BACKOFF_MS = 500,
    BACKOFF_MAX_MS = 8000,
};

/* One model_chat() under way. */
struct chat {
    const struct openai *openai;
    const struct model_request *request;
    struct arena *arena;
    struct str url, body, key;
    int64_t deadline_ms;
    struct http_header headers[3];
    size_t header_count;
};

static int open_model(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    struct arena scratch;
    struct url url;
    if (str_empty(name))
        return err_field(ERR_INVALID, "model",
            "the model has no name; write openai:NAME, for instance openai:gpt-5-mini");
    arena_init(&scratch);
    if (url_parse(&scratch, str_from(config->openai_base_url), &url) != 0) {
        arena_deinit(&scratch);
        return err_field(ERR_INVALID, "openai.base-url",
            "openai.base-url must be an http or https URL such as https://api.openai.com/v1");
    }
    struct openai *openai = xcalloc(1, sizeof(*openai));
    *openai = (struct openai){
        .env = env,
        .url = str_heap(openai_url(&scratch, str_from(config->openai_base_url))),
        .name = str_heap(name),
        .key = xstrdup(config->openai_api_key),
        .timeout_ms = config->model_timeout_ms,
        .retries = config->model_retries,
        .dialect = openai_dialect_of(url.host),
    };
    arena_deinit(&scratch);
    *ret_state = openai;
    return 0;
}

static void close_model(void *state)
{
    struct openai *openai = state;
    explicit_bzero(openai->key, strlen(openai->key));
    free(openai->url);
    free(openai->name);
    free(openai->key);
    free(openai);
}

static void prepare_headers(struct chat *chat)
{
    bool azure = chat->openai->dialect == OPENAI_AZURE;
    bool streams = chat->request->on_delta != NULL;
    chat->headers[chat->header_count++] =
        (struct http_header){STR("Content-Type"), STR("application/json")};
    chat->headers[chat->header_count++] = (struct http_header){STR("Accept"),
        streams ? STR("text/event-stream, application/json") : STR("application/json")};
    if (str_empty(chat->key))
        return;
    chat->headers[chat->header_count++] = (struct http_header){
        azure ? STR("api-key") : STR("Authorization"),
        azure ? chat->key : str_printf(chat->arena, "Bearer %.*s", STR_ARG(chat->key)),
    };
}

static int attempt(struct chat *chat, struct openai_answer *answer, bool *ret_delivered,
    struct openai_failure *failure)
{
    struct http_reply reply = {0};
    struct openai_stream stream = {.request = chat->request,
        .headers = &reply.headers,
        .answer = answer,
        .failure = failure,
        .key = chat->key};
    bool streams = chat->request->on_delta != NULL;
    struct http_call call = {
        .method = HTTP_POST,
        .url = chat->url,
        .headers = chat->headers,
        .header_count = chat->header_count,
        .body = chat->body,
        .timeout_ms = MAX(chat->deadline_ms - env_mono_ms(chat->openai->env), 1),
        .on_data = streams ? openai_stream_feed : NULL,
        .ctx = &stream,
    };
    openai_stream_init(&stream);
    int rc = http_send(chat->arena, &call, &reply);
    bool success = reply.status >= 200 && reply.status <= 299;
    if (streams && success)
        rc = openai_stream_end(&stream, rc);
    *ret_delivered |= stream.delivered;
    openai_stream_deinit(&stream);
    if (failure->error != MODEL_OK)
        return rc;
    if (rc != 0)
        return openai_fail_http(rc, reply.status, failure);
    if (!success)
        return openai_fail_status(chat->arena, reply.status, &reply.headers, reply.body, chat->key,
            chat->openai->env, failure);
    return streams ? 0 : openai_take_body(answer, reply.body, chat->arena, chat->key, failure);
}

/* Full jitter: anything between nothing and the growing bound. The server's own wish goes first. */
static int64_t pause_before(
    const struct openai *openai, int retry, const struct openai_failure *failure)
{
    if (failure->retry_after_ms >= 0)
        return failure->retry_after_ms;
    int64_t bound = MIN((int64_t)BACKOFF_MS << MIN(retry, 10), BACKOFF_MAX_MS);
    return (int64_t)(env_random_u64(openai->env) % (uint64_t)(bound + 1));
}

/* Attempts until one succeeds, or none can any more. */
static int run(
    struct chat *chat, struct openai_answer *answer, int *ret_attempts, enum model_error *ret_error)
{
    const struct openai *openai = chat->openai;
    bool delivered = false;
    for (int n = 0;; n++) {
        struct openai_failure failure = {.retry_after_ms = -1};
        openai_answer_init(answer, chat->arena);
        int rc = attempt(chat, answer, &delivered, &failure);
        *ret_attempts = n + 1;
        *ret_error = failure.error;
        if (rc == 0 || !failure.retry || delivered || n >= openai->retries)
            return rc;
        int64_t pause_ms = pause_before(openai, n, &failure);
        if (pause_ms >= chat->deadline_ms - env_mono_ms(openai->env))
            return rc; /* waiting would use up the time: say so now */
        int slept = fiber_sleep(pause_ms);
        if (slept != 0) {
            *ret_error = slept == ERR_TIMEOUT ? MODEL_TIMED_OUT : MODEL_CANCELLED;
            return slept;
        }
    }
}

static int chat_with_model(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    const struct openai *openai = state;
    struct openai_answer answer;
    struct buf body = BUF_HEAP;
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : openai->timeout_ms;
    int attempts = 0;
    openai_write_request(&body, openai, request);
    struct chat chat = {
        .openai = openai,
        .request = request,
        .arena = arena,
        .url = str_from(openai->url),
        .body = buf_str(&body),
        .key = str_empty(request->api_key) ? str_from(openai->key) : request->api_key,
        .deadline_ms = env_mono_ms(openai->env) + timeout_ms,
    };
    prepare_headers(&chat);
    int rc = run(&chat, &answer, &attempts, ret_error);
    buf_deinit(&body);
    if (rc != 0)
        return rc;
    openai_answer_end(&answer, openai->env, ret_reply);
    ret_reply->attempts = attempts;
    return 0;
}

const struct model_ops model_openai = {
    .prefix = "openai",
    .open = open_model,
    .close = close_model,
    .chat = chat_with_model,
};
