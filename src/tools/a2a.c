#include "tools/a2a.h"

#include "http/url.h"
#include "text/inert.h"
#include "tools/mcp_private.h"

#include <pthread.h>

#define CARD_PATH "/.well-known/agent-card.json"
#define CARD_MAX (256 * KIB)
#define POLL_MS 500
#define CARD_LIFETIME_MS (10 * MINUTE_MS)
#define HEADERS_MAX 64

extern char **environ;

static const char parameters[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"message\"],\"properties\":"
    "{"
    "\"message\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":20000,"
    "\"description\":\"what to ask or tell it, with all it needs to know\"}}}";

/* What an agent's card said; shared by the loops under the mutex. */
struct known {
    char url[1024]; /* of its JSON-RPC interface; empty: not read yet */
    bool old;       /* it speaks 0.3 */
    int64_t expires_ms;
};

struct remote {
    struct tool tool;
    struct a2a *a2a;
    const struct mcp_server *server;
    struct known known;
};

struct a2a {
    struct mcp setting; /* the entries, read like those of MCP servers */
    struct remote *remotes;
    const struct tool **tools;
    pthread_mutex_t mutex;
};

static int run(const struct tool_call *call, struct tool_result *ret_result);

static void add_remote(struct a2a *a2a, size_t index)
{
    struct arena *arena = &a2a->setting.arena;
    const struct mcp_server *server = &a2a->setting.servers[index];
    struct remote *remote = &a2a->remotes[index];

    remote->a2a = a2a;
    remote->server = server;
    remote->tool = (struct tool){
        .name = str_printf(arena, "%s__ask", server->name.ptr).ptr,
        .description =
            server->description
                ? server->description
                : str_printf(arena, "Ask the agent %s, which is run by others, and get its answer.",
                      server->name.ptr)
                      .ptr,
        .parameters = parameters,
        .effect = server->all_read_only ? TOOL_READ : TOOL_WRITE,
        .timeout_ms = server->timeout_ms,
        .run = run,
        .untrusted = true,
        .ctx = remote,
    };
    a2a->tools[index] = &remote->tool;
}

int a2a_open(const struct config *config, struct a2a **ret_a2a)
{
    struct a2a *a2a;
    struct arena *arena;
    int rc;

    if (config->a2a[0] == '\0') {
        *ret_a2a = NULL;
        return 0;
    }
    a2a = xcalloc(1, sizeof(*a2a));
    arena = &a2a->setting.arena;
    arena_init(arena);
    pthread_mutex_init(&a2a->mutex, NULL);
    rc = mcp_config_read(&a2a->setting, config, "a2a", str_from(config->a2a), environ);
    if (rc < 0) {
        a2a_free(a2a);
        return rc;
    }
    a2a->remotes = arena_array(arena, struct remote, a2a->setting.count);
    a2a->tools = arena_array(arena, const struct tool *, a2a->setting.count);
    for (size_t i = 0; i < a2a->setting.count; i++)
        add_remote(a2a, i);
    *ret_a2a = a2a;
    return 0;
}

void a2a_free(struct a2a *a2a)
{
    if (!a2a)
        return;
    pthread_mutex_destroy(&a2a->mutex);
    arena_deinit(&a2a->setting.arena);
    free(a2a);
}

static int list(
    void *ctx, struct arena *arena, const struct tool *const **ret_tools, size_t *ret_count)
{
    struct a2a *a2a = ctx;

    (void)arena;
    *ret_tools = a2a->tools;
    *ret_count = a2a->setting.count;
    return 0;
}

struct tool_source a2a_source(struct a2a *a2a)
{
    return (struct tool_source){list, a2a};
}

static int exchange(const struct remote *remote, enum http_method method, struct str url, bool old,
    struct str body, struct arena *arena, struct http_reply *ret_reply)
{
    const struct mcp_server *server = remote->server;
    struct http_header headers[HEADERS_MAX] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Accept"), STR("application/json")},
        {STR("A2A-Version"), old ? STR("0.3") : STR("1.0")},
    };
    struct http_call call = {.method = method,
        .url = url,
        .headers = headers,
        .header_count = 3,
        .body = body,
        .timeout_ms = server->timeout_ms,
        .max_body = method == HTTP_GET ? CARD_MAX : MCP_MESSAGE_MAX};
    int rc;

    for (size_t i = 0; i < server->header_count && call.header_count < HEADERS_MAX; i++)
        headers[call.header_count++] = server->headers[i];
    rc = http_send(arena, &call, ret_reply);
    if (rc == 0 && (ret_reply->status < 200 || ret_reply->status > 299))
        return err_set(ret_reply->status == 401 || ret_reply->status == 403 ? ERR_UNAUTHORIZED
                                                                            : ERR_UNAVAILABLE,
            "The A2A agent %s answered HTTP %d.", server->name.ptr, ret_reply->status);
    return rc;
}

/* The configured key is only sent where the operator said: a card cannot lead it elsewhere. */
static bool same_origin(struct arena *arena, struct str a, struct str b)
{
    struct url first, second;

    return url_parse(arena, a, &first) == 0 && url_parse(arena, b, &second) == 0 &&
           str_eq(first.scheme, second.scheme) && str_eq(first.host, second.host) &&
           first.port == second.port;
}

static bool take_interface(
    const struct remote *remote, const struct json *one, struct arena *arena, struct known *known)
{
    struct str url = json_get_str(one, "url");
    struct str version = json_get_str(one, "protocolVersion");
    struct str binding = json_get_str(one, "protocolBinding");

    if (!str_is(binding, "JSONRPC") || url.len >= sizeof(known->url) ||
        !same_origin(arena, url, remote->server->url))
        return false;
    if (!str_starts(version, STR("1.")) && !str_starts(version, STR("0.3")))
        return false;
    snprintf(known->url, sizeof(known->url), "%.*s", STR_ARG(url));
    known->old = !str_starts(version, STR("1."));
    return true;
}

/* 1.0 lists interfaces; 0.3 has one url at the top. */
static int read_card(const struct remote *remote, struct arena *arena, struct known *ret_known)
{
    struct str base = remote->server->url;
    const struct json *card, *list_of;
    struct http_reply reply;
    bool found = false;
    int rc;

    while (str_ends(base, STR("/")))
        base.len--;
    if (!str_ends(base, STR(".json")))
        base = str_printf(arena, "%.*s" CARD_PATH, STR_ARG(base));
    rc = exchange(remote, HTTP_GET, base, false, STR(""), arena, &reply);
    if (rc < 0)
        return rc;
    if (json_parse(arena, reply.body, &card) < 0)
        return err_set(ERR_PROTOCOL, "The card of the A2A agent %s is not valid JSON.",
            remote->server->name.ptr);
    list_of = json_get(card, "supportedInterfaces");
    for (const struct json *one = json_first(list_of); one && !found; one = json_next(one))
        found = take_interface(remote, one, arena, ret_known);
    if (!found && !list_of && json_get_str(card, "url").len < sizeof(ret_known->url) &&
        same_origin(arena, json_get_str(card, "url"), remote->server->url)) {
        snprintf(
            ret_known->url, sizeof(ret_known->url), "%.*s", STR_ARG(json_get_str(card, "url")));
        ret_known->old = found = true;
    }
    if (!found)
        return err_set(ERR_PROTOCOL,
            "The card of the A2A agent %s names no JSON-RPC interface of version 1.0 or 0.3 at the "
            "configured address.",
            remote->server->name.ptr);
    ret_known->expires_ms = loop_now_ms(fiber_loop()) + CARD_LIFETIME_MS;
    return 0;
}

static int know(struct remote *remote, struct arena *arena, struct known *ret_known)
{
    int rc;

    pthread_mutex_lock(&remote->a2a->mutex);
    *ret_known = remote->known;
    pthread_mutex_unlock(&remote->a2a->mutex);
    if (ret_known->url[0] && loop_now_ms(fiber_loop()) < ret_known->expires_ms)
        return 0;
    rc = read_card(remote, arena, ret_known);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&remote->a2a->mutex);
    remote->known = *ret_known;
    pthread_mutex_unlock(&remote->a2a->mutex);
    return 0;
}

/* One JSON-RPC call; params is a JSON object. */
static int ask(const struct remote *remote, const struct known *known, const char *method,
    struct str params, struct arena *arena, const struct json **ret_result)
{
    const char *name = remote->server->name.ptr;
    struct http_reply reply;
    struct rpc_message message;
    struct str body =
        str_printf(arena, "{\"jsonrpc\":\"2.0\",\"id\":\"theo\",\"method\":\"%s\",\"params\":%.*s}",
            method, STR_ARG(params));
    int rc = exchange(remote, HTTP_POST, str_from(known->url), known->old, body, arena, &reply);

    if (rc == 0)
        rc = rpc_read(arena, reply.body, &message);
    if (rc < 0)
        return rc;
    if (message.kind != RPC_RESPONSE || (message.id && !str_is(json_str(message.id), "theo")))
        return err_set(
            ERR_PROTOCOL, "The A2A agent %s answered another request than was asked.", name);
    if (message.error) {
        struct str text = inert_visible(arena, json_get_str(message.error, "message"), 300);

        return err_set(ERR_FAILED, "The A2A agent %s answered with an error: %.*s (%lld)", name,
            STR_ARG(text), (long long)json_get_i64(message.error, "code", 0));
    }
    *ret_result = message.result;
    return 0;
}

static struct str message_params(
    const struct tool_call *call, const struct known *known, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "message");
    json_object_begin(&w);
    if (known->old)
        json_cstr_member(&w, "kind", "message");
    json_str_member(&w, "messageId",
        str_empty(call->idempotency_key) ? ulid_new(call->env, arena) : call->idempotency_key);
    json_cstr_member(&w, "role", known->old ? "user" : "ROLE_USER");
    json_name(&w, "parts");
    json_array_begin(&w);
    json_object_begin(&w);
    if (known->old)
        json_cstr_member(&w, "kind", "text");
    json_str_member(&w, "text", json_get_str(call->args, "message"));
    json_object_end(&w);
    json_array_end(&w);
    json_object_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static void add_parts(struct buf *out, const struct json *parts)
{
    for (const struct json *part = json_first(parts); part; part = json_next(part)) {
        struct str text = json_get_str(part, "text");

        if (out->len > 0 && !str_empty(text))
            buf_add_char(out, '\n');
        buf_add_str(out, text);
    }
}

/* "TASK_STATE_COMPLETED" and "completed" alike. */
static bool state_is(struct str state, const char *old_name)
{
    if (str_starts(state, STR("TASK_STATE_")))
        state = str_slice(state, 11, state.len);
    for (size_t i = 0; i < state.len; i++) {
        char c = state.ptr[i] == '_' ? '-' : char_lower(state.ptr[i]);

        if (c != old_name[i])
            return false;
    }
    return old_name[state.len] == '\0' && state.len > 0;
}

static bool still_works(const struct json *task)
{
    struct str state = json_get_str(json_get(task, "status"), "state");

    return state_is(state, "submitted") || state_is(state, "working");
}

/* Until the task has come to its end or the call's own deadline ends this. */
static int await_task(const struct remote *remote, const struct known *known, struct arena *arena,
    const struct json **task)
{
    struct buf params = BUF_IN(arena);
    struct json_writer w;
    int rc = 0;

    json_init(&w, &params);
    json_object_begin(&w);
    json_str_member(&w, "id", json_get_str(*task, "id"));
    json_object_end(&w);
    while (rc == 0 && still_works(*task)) {
        rc = fiber_sleep(POLL_MS);
        if (rc == 0)
            rc = ask(
                remote, known, known->old ? "tasks/get" : "GetTask", buf_str(&params), arena, task);
    }
    return rc;
}

static int give(const struct remote *remote, const struct json *answer, bool is_task,
    struct arena *arena, struct tool_result *ret_result)
{
    const char *name = remote->server->name.ptr;
    const struct json *status = json_get(answer, "status");
    struct str state = json_get_str(status, "state"), text;
    struct buf out = BUF_HEAP;
    size_t max = remote->server->max_result_bytes;

    if (!is_task)
        add_parts(&out, json_get(answer, "parts"));
    for (const struct json *a = json_first(json_get(answer, "artifacts")); a; a = json_next(a))
        add_parts(&out, json_get(a, "parts"));
    if (out.len == 0)
        add_parts(&out, json_get(json_get(status, "message"), "parts"));
    text = inert_visible(arena, buf_str(&out), max);
    if (out.len > max)
        text = str_printf(arena, "%.*s\n[cut: longer than %zu bytes]", STR_ARG(text), max);
    buf_deinit(&out);
    if (is_task && !state_is(state, "completed") && !state_is(state, "input-required"))
        return err_set(ERR_FAILED, "The A2A agent %s did not do it (%.*s): %.*s", name,
            (int)MIN(state.len, (size_t)40), state.ptr, (int)MIN(text.len, (size_t)300), text.ptr);
    if (str_empty(text))
        return err_set(ERR_FAILED,
            "The A2A agent %s answered without any text; there is no text to "
            "pass on.",
            name);
    *ret_result = (struct tool_result){.content = text,
        .summary = str_printf(arena, "Asked the agent %s", name),
        .event = STR(""),
        .untrusted = true};
    return 0;
}

static int talk(const struct tool_call *call, struct arena *scratch, struct tool_result *ret_result)
{
    struct remote *remote = (struct remote *)(uintptr_t)call->tool->ctx;
    struct known known;
    const struct json *result, *inner;
    bool is_task;
    int rc = know(remote, scratch, &known);

    if (rc == 0)
        rc = ask(remote, &known, known.old ? "message/send" : "SendMessage",
            message_params(call, &known, scratch), scratch, &result);
    if (rc < 0)
        return rc;
    inner = json_get(result, "task") ? json_get(result, "task") : json_get(result, "message");
    is_task = json_get(result, "task") || json_get(result, "status");
    if (inner)
        result = inner;
    if (is_task)
        rc = await_task(remote, &known, scratch, &result);
    return rc < 0 ? rc : give(remote, result, is_task, call->arena, ret_result);
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    struct arena scratch;
    int rc;

    arena_init(&scratch);
    rc = talk(call, &scratch, ret_result);
    arena_deinit(&scratch);
    return rc;
}
