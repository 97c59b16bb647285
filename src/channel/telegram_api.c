#include "channel/telegram_api.h"

#include "http/client.h"
#include "http/multipart.h"

enum {
    TIMEOUT_MS = 15 * SECOND_MS,
    FETCH_TIMEOUT_MS = 60 * SECOND_MS,
};

/* Errors of the HTTP client name hosts, not paths; this makes sure of it. */
static void hide_token(const struct telegram_api *api)
{
    static const char mark[] = "…";
    struct err *err = err_get();
    struct str message = str_from(err->message);
    ptrdiff_t at;

    if (str_empty(api->token))
        return;
    while ((at = str_find(message, api->token, 0)) >= 0) {
        char rest[sizeof(err->message)];
        size_t from = (size_t)at + api->token.len;

        memcpy(rest, message.ptr + from, message.len - from + 1);
        snprintf(err->message + at, sizeof(err->message) - (size_t)at, "%s%s",
            api->token.len >= sizeof(mark) ? mark : "", rest);
        message = str_from(err->message);
    }
}

static bool says(const struct telegram_answer *answer, const char *words)
{
    return str_find_nocase(answer->description, str_from(words), 0) >= 0;
}

/* The words are those of the Bot API server (td/telegram-bot-api, Client.cpp) and of Telegram's
 * own RPC errors, which it passes on. */
static enum telegram_refusal refusal_of(const struct telegram_answer *answer)
{
    static const struct {
        const char *words;
        enum telegram_refusal refusal;
    } known[] = {
        {"message is not modified", TELEGRAM_NOT_MODIFIED},
        {"can't parse entities", TELEGRAM_BAD_MARKUP},
        {"can't find end of the entity", TELEGRAM_BAD_MARKUP},
        {"message thread not found", TELEGRAM_NO_TOPIC},
        {"TOPIC_DELETED", TELEGRAM_NO_TOPIC},
        {"message to be replied not found", TELEGRAM_NO_REPLIED},
        {"replied message not found", TELEGRAM_NO_REPLIED},
        {"message to reply not found", TELEGRAM_NO_REPLIED},
        {"message to edit not found", TELEGRAM_NO_MESSAGE},
        {"message can't be edited", TELEGRAM_NO_MESSAGE},
        {"there is no text in the message to edit", TELEGRAM_NO_MESSAGE},
        {"there is no caption in the message to edit", TELEGRAM_NO_MESSAGE},
        {"MESSAGE_ID_INVALID", TELEGRAM_NO_MESSAGE},
        {"query is too old", TELEGRAM_LATE},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (says(answer, known[i].words))
            return known[i].refusal;
    return TELEGRAM_REFUSED_OTHER;
}

/* What a failure asks the caller to do, with its cause set. */
static int classify(const struct telegram_call *call, struct telegram_answer *answer)
{
    int rc = CHANNEL_REFUSED;

    if (answer->status == 401 || (answer->status == 404 && !says(answer, "method not found")))
        return err_set(ERR_UNAUTHORIZED,
            "Telegram does not know this bot (%d %.*s); set telegram.token to the one that "
            "@BotFather gave",
            answer->status, STR_ARG(answer->description));
    if (answer->status == 409)
        return err_set(ERR_CONFLICT, "Telegram: %.*s", STR_ARG(answer->description));
    if (answer->status == 429 || answer->status >= 500)
        rc = CHANNEL_RETRY;
    else if (!str_empty(answer->moved_to))
        rc = CHANNEL_MOVED;
    else if (answer->status == 403 || says(answer, "chat not found"))
        rc = CHANNEL_GONE;
    else
        answer->refusal = refusal_of(answer);
    err_set(rc == CHANNEL_RETRY ? ERR_BUSY : ERR_FAILED, "Telegram on %s: %.*s", call->method,
        STR_ARG(answer->description));
    err_get()->retry_after_ms = answer->retry_after_ms;
    return rc;
}

/* Telegram's whole answer. False when it is none: a proxy's error page, for instance. */
static bool read_answer(
    const struct http_reply *reply, struct arena *arena, struct telegram_answer *answer)
{
    const struct json *root;
    int64_t seconds = 0, moved_to;

    if (json_parse(arena, reply->body, &root) < 0 || !json_is(json_get(root, "ok"), JSON_BOOL))
        return false;
    answer->result = json_get(root, "result");
    answer->description = json_get_str(root, "description");
    if (!str_to_i64(http_header(&reply->headers, "retry-after"), &seconds))
        seconds = 0;
    seconds = json_i64(json_path(root, "parameters.retry_after"), seconds);
    answer->retry_after_ms = MIN(MAX(seconds, 0), 7 * DAY_MS / SECOND_MS) * SECOND_MS;
    moved_to = json_i64(json_path(root, "parameters.migrate_to_chat_id"), 0);
    if (moved_to != 0)
        answer->moved_to = str_printf(arena, "%lld", (long long)moved_to);
    return true;
}

/* No answer at all, or none of Telegram's. */
static int unanswered(const struct telegram_api *api, const struct telegram_call *call,
    const struct http_reply *reply, int rc)
{
    bool refused = rc == 0 && reply->status >= 400 && reply->status < 500;

    if (rc == 0)
        rc = err_set(ERR_PROTOCOL,
            "HTTP %d and no Bot API's answer to %s; telegram.api-root should lead to one",
            reply->status, call->method);
    hide_token(api);
    if (refused)
        return reply->status == 413 ? CHANNEL_REFUSED : rc;
    hide_token(api);
    return reply->sent ? CHANNEL_UNKNOWN : rc;
}

/* Members of the parameters that are not strings are sent as JSON. */
static struct str multipart(const struct telegram_call *call, const struct json *parameters,
    struct arena *arena, struct str *ret_type)
{
    struct multipart_part *parts =
        arena_array(arena, struct multipart_part, json_len(parameters) + 1);
    size_t count = 0;

    for (const struct json *m = json_first(parameters); m; m = json_next(m))
        parts[count++] = (struct multipart_part){.name = json_key(m),
            .value = json_is(m, JSON_STRING) ? json_str(m) : json_text(arena, m)};
    parts[count++] = (struct multipart_part){.name = str_from(call->file_field),
        .value = call->file,
        .file_name = call->file_name,
        .type = call->file_type};
    return multipart_write(parts, count, arena, ret_type);
}

static int make_body(const struct telegram_call *call, struct arena *arena, struct str *ret_body,
    struct str *ret_type)
{
    const struct json *parameters = NULL;
    int rc;

    if (!call->file_field) {
        *ret_body = str_empty(call->json) ? STR("{}") : call->json;
        *ret_type = STR("application/json");
        return 0;
    }
    rc = json_parse(arena, str_empty(call->json) ? STR("{}") : call->json, &parameters);
    if (rc < 0)
        return rc;
    *ret_body = multipart(call, parameters, arena, ret_type);
    return 0;
}

int telegram_call(const struct telegram_api *api, const struct telegram_call *call,
    struct arena *arena, struct telegram_answer *ret_answer)
{
    struct telegram_answer answer = {.description = STR(""), .moved_to = STR("")};
    struct http_header type = {STR("Content-Type"), STR("")};
    struct http_call http = {
        .method = HTTP_POST,
        .url = str_printf(
            arena, "%.*s/bot%.*s/%s", STR_ARG(api->root), STR_ARG(api->token), call->method),
        .headers = &type,
        .header_count = 1,
        .timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_MS,
        .max_body = call->max_answer,
        .flags = (call->once ? HTTP_ONCE : 0U) | (call->fresh ? HTTP_FRESH : 0U),
    };
    struct http_reply reply;
    int rc = make_body(call, arena, &http.body, &type.value);

    *ret_answer = answer;
    if (rc < 0)
        return rc;
    rc = http_send(arena, &http, &reply);
    answer.status = reply.status;
    if (rc != 0 || !read_answer(&reply, arena, &answer))
        rc = unanswered(api, call, &reply, rc);
    else if (reply.status < 200 || reply.status > 299)
        rc = classify(call, &answer);
    *ret_answer = answer;
    return rc;
}

int telegram_fetch(const struct telegram_api *api, struct str file_path, size_t max,
    struct arena *arena, struct str *ret_bytes)
{
    struct http_call http = {
        .method = HTTP_GET,
        .url = str_printf(arena, "%.*s/file/bot%.*s/%.*s", STR_ARG(api->root), STR_ARG(api->token),
            STR_ARG(file_path)),
        .timeout_ms = FETCH_TIMEOUT_MS,
        .max_body = max,
    };
    struct http_reply reply;
    int rc = http_send(arena, &http, &reply);

    if (rc < 0) {
        hide_token(api);
        return rc == ERR_TOO_LARGE || rc == ERR_CANCELLED ? rc : ERR_IO;
    }
    if (reply.status == 404)
        return err_set(ERR_NOT_FOUND, "Telegram does not have this file any more");
    if (reply.status != 200)
        return err_set(ERR_IO, "Telegram answered %d to a download", reply.status);
    *ret_bytes = reply.body;
    return 0;
}
