/* The protocol over a link: the handshake of either era, requests, answers, errors.
 *
 * A server of the modern era knows server/discover and needs no handshake; every request says the
 * revision. Others are asked to initialize. See the specification's "Versioning" and "Lifecycle".
 */
#include "text/inert.h"
#include "tools/mcp_private.h"

#define DISCOVER_TIMEOUT_MS (5 * SECOND_MS)
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS MINUTE_MS
#define WAIT_MAX_MS SECOND_MS /* a shorter pause is waited out */
#define TEXT_MAX 300
#define REPEATS_MAX 3

static void put_meta(struct json_writer *w)
{
    json_name(w, "_meta");
    json_object_begin(w);
    json_cstr_member(w, MCP_META_VERSION, MCP_MODERN);
    json_name(w, MCP_META_CLIENT);
    json_object_begin(w);
    json_cstr_member(w, "name", "theo");
    json_cstr_member(w, "version", THEO_VERSION);
    json_object_end(w);
    json_raw_member(w, MCP_META_CAPABILITIES, STR("{}"));
    json_object_end(w);
}

static struct str message_text(
    const struct mcp_link *link, const struct mcp_call *call, int64_t id, struct arena *arena)
{
    struct buf out = BUF_IN(arena), meta = BUF_IN(arena);
    bool modern = link->era == MCP_ERA_MODERN;
    struct json_writer w;

    if (modern) {
        json_init(&w, &meta);
        json_object_begin(&w);
        put_meta(&w);
        json_object_end(&w);
    }
    buf_printf(&out, "{\"jsonrpc\":\"2.0\",");
    if (id > 0)
        buf_printf(&out, "\"id\":%lld,", (long long)id);
    buf_printf(&out, "\"method\":\"%s\",\"params\":{%.*s", call->method, STR_ARG(call->members));
    if (modern)
        buf_printf(&out, "%s%.*s", call->members.len ? "," : "", (int)meta.len - 2, meta.ptr + 1);
    buf_add_cstr(&out, "}}");
    return buf_str(&out);
}

struct str mcp_cancel_text(int64_t id, const char *reason, struct arena *arena)
{
    return str_printf(arena,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
        "\"requestId\":%lld,\"reason\":\"%s\"}}",
        (long long)id, reason);
}

struct str mcp_answer_request(const struct rpc_message *request, struct arena *arena)
{
    struct buf out = BUF_IN(arena);

    if (str_is(request->method, "ping"))
        rpc_put_result(&out, request->id, STR("{}"));
    else
        rpc_put_error(
            &out, request->id, RPC_NO_METHOD, STR("Theo offers no methods to servers."), STR(""));
    return buf_str(&out);
}

int mcp_answer_take(struct mcp_link *link, const struct rpc_message *message, int64_t id,
    struct arena *arena, struct mcp_answer *ret_answer)
{
    struct mcp_answer answer = {.result = message->result};

    if (json_i64(message->id, 0) != id && !(message->error && !message->id))
        return err_set(ERR_PROTOCOL, "The MCP server %s answered another request than was asked.",
            link->server->name.ptr);
    if (message->error) {
        answer.code = json_get_i64(message->error, "code", 0);
        answer.message = inert_visible(arena, json_get_str(message->error, "message"), TEXT_MAX);
        answer.data = json_get(message->error, "data");
    }
    *ret_answer = answer;
    return 0;
}

void mcp_link_lost(struct mcp_link *link)
{
    link->ready = false;
    link->era = MCP_UNKNOWN;
    link->version[0] = '\0';
    if (!str_empty(link->session))
        free((char *)(uintptr_t)link->session.ptr);
    link->session = STR("");
}

static int send_once(struct mcp_link *link, const struct mcp_call *call, bool notification,
    struct arena *arena, struct mcp_answer *ret_answer)
{
    int64_t id = notification ? 0 : ++link->last_id;
    struct str text = message_text(link, call, id, arena);

    if (str_empty(link->server->url))
        return mcp_stdio_send(link, call, text, id, arena, ret_answer);
    return mcp_http_send(link, call, text, id, arena, ret_answer);
}

static bool knows_version(const struct json *list, const char *version)
{
    for (const struct json *one = json_first(list); one; one = json_next(one))
        if (str_is(json_str(one), version))
            return true;
    return false;
}

enum { TRY_LEGACY = 1 };

/* 0: the server is of the modern era. TRY_LEGACY when it does not look like it. */
static int discover(struct mcp_link *link, struct arena *arena)
{
    struct mcp_call call = {.method = "server/discover", .timeout_ms = DISCOVER_TIMEOUT_MS};
    struct mcp_answer answer = {0};
    int rc;

    link->era = MCP_ERA_MODERN;
    snprintf(link->version, sizeof(link->version), "%s", MCP_MODERN);
    rc = send_once(link, &call, false, arena, &answer);
    /* Refused for its revision, by one that names it as its own: once more. */
    if (rc == 0 && answer.code == RPC_VERSION &&
        knows_version(json_get(answer.data, "supported"), MCP_MODERN))
        rc = send_once(link, &call, false, arena, &answer);
    if (rc == 0 && answer.result &&
        knows_version(json_get(answer.result, "supportedVersions"), MCP_MODERN))
        return 0;
    if (rc == ERR_CANCELLED || rc == ERR_UNAUTHORIZED || rc == ERR_UNAVAILABLE)
        return rc;
    /* An old program may end or keep silent at a method that it does not know. */
    if ((rc == ERR_TIMEOUT || rc == ERR_IO) && !str_empty(link->server->url))
        return rc;
    return TRY_LEGACY;
}

static bool legacy_version(struct str version)
{
    static const char *const known[] = {
        MCP_LATEST_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(version, known[i]))
            return true;
    return false;
}

static int take_initialized(struct mcp_link *link, const struct mcp_answer *answer)
{
    struct str version = json_get_str(answer->result, "protocolVersion");

    if (!answer->result)
        return err_set(ERR_PROTOCOL, "The MCP server %s refused the handshake: %.*s (%lld)",
            link->server->name.ptr, STR_ARG(answer->message), (long long)answer->code);
    if (!legacy_version(version))
        return err_set(ERR_PROTOCOL, "The MCP server %s speaks no revision of MCP that Theo knows.",
            link->server->name.ptr);
    snprintf(link->version, sizeof(link->version), "%.*s", STR_ARG(version));
    return 0;
}

static int initialize(struct mcp_link *link, struct arena *arena)
{
    struct mcp_call call = {.method = "initialize",
        .members = STR("\"protocolVersion\":\"" MCP_LATEST_LEGACY "\",\"capabilities\":{},"
                       "\"clientInfo\":{\"name\":\"theo\",\"version\":\"" THEO_VERSION "\"}"),
        .timeout_ms = link->server->timeout_ms};
    struct mcp_call done = {.method = "notifications/initialized", .timeout_ms = call.timeout_ms};
    struct mcp_answer answer = {0};
    int rc;

    mcp_link_lost(link);
    link->era = MCP_ERA_LEGACY;
    rc = send_once(link, &call, false, arena, &answer);
    if (rc == 0)
        rc = take_initialized(link, &answer);
    return rc < 0 ? rc : send_once(link, &done, true, arena, &answer);
}

void mcp_link_pause(struct mcp_link *link)
{
    if (loop_now_ms(link->loop) < link->retry_at_ms)
        return;
    link->pause_ms = MIN(MAX(link->pause_ms * 2, PAUSE_FIRST_MS), PAUSE_MAX_MS);
    link->retry_at_ms = loop_now_ms(link->loop) + link->pause_ms;
}

static int handshake(struct mcp_link *link, struct arena *arena)
{
    int64_t wait = link->retry_at_ms - loop_now_ms(link->loop);
    int rc = 0;

    if (link->ready)
        return 0;
    if (wait > WAIT_MAX_MS) {
        rc = err_set(ERR_UNAVAILABLE,
            "The MCP server %s failed just now and is tried again in %lld ms.",
            link->server->name.ptr, (long long)wait);
        err_get()->retry_after_ms = wait;
        return rc;
    }
    if (wait > 0)
        rc = fiber_sleep(wait);
    if (rc == 0)
        rc = discover(link, arena);
    if (rc == TRY_LEGACY)
        rc = initialize(link, arena);
    if (rc < 0) {
        struct err cause = *err_get();

        mcp_link_lost(link);
        if (rc == ERR_PROTOCOL) /* there is no talking to it; one that starts slowly goes on */
            mcp_stdio_drop(link);
        if (rc != ERR_CANCELLED)
            mcp_link_pause(link);
        *err_get() = cause;
        return rc;
    }
    link->ready = true;
    link->changes++;
    log_info("mcp.connected", LOG_STR("server", link->server->name),
        LOG_CSTR("revision", link->version));
    return 0;
}

int mcp_link_open(struct mcp_link *link, struct arena *arena)
{
    int rc;

    if (link->ready)
        return 0;
    rc = semaphore_take(&link->gate, FIBER_NO_DEADLINE);
    if (rc < 0)
        return rc;
    rc = handshake(link, arena);
    semaphore_give(&link->gate);
    return rc;
}

static int error_of(const struct mcp_link *link, const struct mcp_answer *answer)
{
    const char *name = link->server->name.ptr;

    if (answer->code == RPC_INVALID_PARAMS)
        return err_set(ERR_INVALID, "The MCP server %s refuses the arguments: %.*s", name,
            STR_ARG(answer->message));
    return err_set(ERR_FAILED, "The MCP server %s answered with an error: %.*s (%lld)", name,
        STR_ARG(answer->message), (long long)answer->code);
}

static int send_ready(struct mcp_link *link, const struct mcp_call *call, struct arena *arena,
    struct mcp_answer *ret_answer)
{
    int rc = mcp_link_open(link, arena);

    if (rc == 0)
        rc = send_once(link, call, false, arena, ret_answer);
    if (rc == ERR_NOT_FOUND) { /* the session is gone, so nothing was done: once more */
        mcp_link_lost(link);
        rc = mcp_link_open(link, arena);
        if (rc == 0)
            rc = send_once(link, call, false, arena, ret_answer);
    }
    return rc;
}

static bool is_incomplete(const struct mcp_answer *answer)
{
    return str_is(json_get_str(answer->result, "resultType"), "input_required");
}

static bool asks_for_nothing(const struct mcp_answer *answer)
{
    return json_is(json_get(answer->result, "requestState"), JSON_STRING) &&
           json_len(json_get(answer->result, "inputRequests")) == 0;
}

/* A server that asks for nothing but to be called again with what it noted, as one that sheds
 * load, is. See "Multi Round-Trip Requests". */
static int repeat(struct mcp_link *link, const struct mcp_call *call, struct arena *arena,
    struct mcp_answer *answer)
{
    struct mcp_call again = *call;
    int rc = 0;

    for (int i = 0; i < REPEATS_MAX && rc == 0 && is_incomplete(answer) && asks_for_nothing(answer);
         i++) {
        const struct json *state = json_get(answer->result, "requestState");

        again.members = str_printf(arena, "%.*s,\"requestState\":%.*s", STR_ARG(call->members),
            STR_ARG(json_text(arena, state)));
        rc = send_ready(link, &again, arena, answer);
    }
    return rc;
}

int mcp_link_call(struct mcp_link *link, const struct mcp_call *call, struct arena *arena,
    const struct json **ret_result)
{
    struct mcp_answer answer = {0};
    int rc = send_ready(link, call, arena, &answer);

    if (rc == 0 && !str_empty(call->members))
        rc = repeat(link, call, arena, &answer);
    if (rc < 0)
        return rc;
    if (!answer.result)
        return error_of(link, &answer);
    if (is_incomplete(&answer) && asks_for_nothing(&answer))
        return err_set(ERR_FAILED, "The MCP server %s put the call off %d times.",
            link->server->name.ptr, REPEATS_MAX + 1);
    if (is_incomplete(&answer))
        return err_set(ERR_FAILED,
            "The MCP server %s asks a person for input, which Theo does not pass on.",
            link->server->name.ptr);
    link->pause_ms = 0;
    *ret_result = answer.result;
    return 0;
}
