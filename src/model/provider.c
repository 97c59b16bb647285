#include "model/provider.h"

#include "http/client.h"
#include "http/url.h"
#include "runtime/fiber.h"

enum {
    BACKOFF_MS = 500,
    BACKOFF_MAX_MS = 8000,
};

/* One model_chat() under way. */
struct chat {
    const struct provider *provider;
    const struct model_request *request;
    struct arena *arena;
    struct str url, body, key;
    int64_t deadline_ms;
    struct http_header headers[PROVIDER_HEADERS_MAX];
    size_t header_count;
};

int provider_open(const struct provider_protocol *protocol, const struct config *config,
    const struct env *env, struct str name, const char *base_url, const char *key,
    struct provider **ret_provider)
{
    struct arena scratch;
    struct str base = str_from(base_url);
    struct url url;
    int rc;

    if (str_empty(name))
        return err_field(ERR_INVALID, "model",
            "the model has no name; write %s:NAME, for instance %s", protocol->prefix,
            protocol->example);
    arena_init(&scratch);
    rc = url_parse(&scratch, base, &url);
    arena_deinit(&scratch);
    if (rc != 0)
        return err_field(ERR_INVALID, protocol->url_setting,
            "%s must be an http or https URL such as %s", protocol->url_setting,
            protocol->url_example);
    while (str_ends(base, STR("/")))
        base.len--;
    *ret_provider = xcalloc(1, sizeof(**ret_provider));
    **ret_provider = (struct provider){
        .protocol = protocol,
        .env = env,
        .url = str_heap(base),
        .name = str_heap(name),
        .key = xstrdup(key),
        .timeout_ms = config->model_timeout_ms,
        .retries = config->model_retries,
    };
    return 0;
}

void provider_close(void *state)
{
    struct provider *provider = state;
    explicit_bzero(provider->key, strlen(provider->key));
    free(provider->url);
    free(provider->name);
    free(provider->key);
    free(provider);
}

struct str provider_user_text(struct arena *arena, const struct model_message *message)
{
    if (str_empty(message->author))
        return message->content;
    return str_printf(arena, "%.*s: %.*s", STR_ARG(message->author), STR_ARG(message->content));
}

struct str provider_arguments(struct arena *arena, struct str arguments)
{
    const struct json *root = NULL;
    struct buf wrapped = BUF_IN(arena);
    struct json_writer w;
    if (str_empty(str_trim(arguments)))
        return STR("{}");
    if (json_parse(arena, arguments, &root) == 0 && json_is(root, JSON_OBJECT))
        return arguments;
    json_init(&w, &wrapped);
    json_object_begin(&w);
    json_str_member(&w, "malformed_arguments", arguments);
    json_object_end(&w);
    return buf_str(&wrapped);
}

static void prepare_headers(struct chat *chat)
{
    const struct provider *provider = chat->provider;
    bool streams = chat->request->on_delta != NULL;
    chat->headers[chat->header_count++] =
        (struct http_header){STR("Content-Type"), STR("application/json")};
    chat->headers[chat->header_count++] = (struct http_header){STR("Accept"),
        streams ? STR("text/event-stream, application/json") : STR("application/json")};
    chat->header_count += provider->protocol->headers(
        provider, chat->key, chat->arena, chat->headers + chat->header_count);
}

static int attempt(struct chat *chat, struct provider_answer *answer, bool *ret_delivered,
    struct provider_failure *failure)
{
    struct http_reply reply = {0};
    const struct provider_protocol *protocol = chat->provider->protocol;
    struct provider_stream stream = {.protocol = protocol,
        .request = chat->request,
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
        .timeout_ms = MAX(chat->deadline_ms - env_mono_ms(chat->provider->env), 1),
        .on_data = streams ? provider_stream_feed : NULL,
        .ctx = &stream,
    };
    provider_stream_init(&stream);
    int rc = http_send(chat->arena, &call, &reply);
    bool success = reply.status >= 200 && reply.status <= 299;
    if (streams && success)
        rc = provider_stream_end(&stream, rc);
    *ret_delivered |= stream.delivered;
    provider_stream_deinit(&stream);
    if (failure->error != MODEL_OK)
        return rc;
    if (rc != 0)
        return provider_fail_http(rc, reply.status, failure);
    if (!success)
        return provider_fail_status(protocol, chat->arena, reply.status, &reply.headers, reply.body,
            chat->key, chat->provider->env, failure);
    if (streams)
        return 0;
    return provider_take_body(protocol, answer, reply.body, chat->arena, chat->key, failure);
}

/* Full jitter: anything between nothing and the growing bound. The server's own wish goes first. */
static int64_t pause_before(
    const struct provider *provider, int retry, const struct provider_failure *failure)
{
    if (failure->retry_after_ms >= 0)
        return failure->retry_after_ms;
    int64_t bound = MIN((int64_t)BACKOFF_MS << MIN(retry, 10), BACKOFF_MAX_MS);
    return (int64_t)(env_random_u64(provider->env) % (uint64_t)(bound + 1));
}

/* Attempts until one succeeds, or none can any more. */
static int run(struct chat *chat, struct provider_answer *answer, int *ret_attempts,
    enum model_error *ret_error)
{
    const struct provider *provider = chat->provider;
    bool delivered = false;
    for (int n = 0;; n++) {
        struct provider_failure failure = {.retry_after_ms = -1};
        provider_answer_init(answer, chat->arena);
        int rc = attempt(chat, answer, &delivered, &failure);
        *ret_attempts = n + 1;
        *ret_error = failure.error;
        if (rc == 0 || !failure.retry || delivered || n >= provider->retries)
            return rc;
        int64_t pause_ms = pause_before(provider, n, &failure);
        if (pause_ms >= chat->deadline_ms - env_mono_ms(provider->env))
            return rc; /* waiting would use up the time: say so now */
        int slept = fiber_sleep(pause_ms);
        if (slept != 0) {
            *ret_error = slept == ERR_TIMEOUT ? MODEL_TIMED_OUT : MODEL_CANCELLED;
            return slept;
        }
    }
}

int provider_chat(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    const struct provider *provider = state;
    struct provider_answer answer;
    struct buf body = BUF_HEAP;
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : provider->timeout_ms;
    int attempts = 0;
    provider->protocol->write(&body, provider, request);
    struct chat chat = {
        .provider = provider,
        .request = request,
        .arena = arena,
        .url = provider->protocol->url(provider, request, arena),
        .body = buf_str(&body),
        .key = str_empty(request->api_key) ? str_from(provider->key) : request->api_key,
        .deadline_ms = env_mono_ms(provider->env) + timeout_ms,
    };
    prepare_headers(&chat);
    int rc = run(&chat, &answer, &attempts, ret_error);
    buf_deinit(&body);
    if (rc != 0)
        return rc;
    provider_answer_end(&answer, provider->env, ret_reply);
    ret_reply->opaque_of = provider->protocol->prefix;
    ret_reply->attempts = attempts;
    return 0;
}
