#include "api/a2a.h"
#include "api/exchange.h"
#include "api/mcp.h"
#include "api/openapi.h"
#include "watch/metrics.h"

/* Every route there is. openapi.yaml lists the same ones; a test compares them. */
const struct route api_routes[] = {
    {HTTP_POST, "/api/chat", "chat", chat_post, ROUTE_BODY},

    {HTTP_POST, "/api/schedule/availability", "schedule", availability_post, ROUTE_BODY},
    {HTTP_POST, "/api/schedule", "schedule", schedule_post, ROUTE_BODY},
    {HTTP_GET, "/api/schedule", "schedule read", schedule_list, 0},
    {HTTP_GET, "/api/schedule/{id}", "schedule read", schedule_get, 0},
    {HTTP_PATCH, "/api/schedule/{id}", "schedule", schedule_patch, ROUTE_BODY},
    {HTTP_DELETE, "/api/schedule/{id}", "schedule", schedule_delete, 0},

    {HTTP_GET, "/api/config", "read", config_get, 0},

    {HTTP_POST, "/api/auth/keys", "keys", keys_create, ROUTE_BODY},
    {HTTP_GET, "/api/auth/keys", "keys", keys_list, 0},
    {HTTP_POST, "/api/auth/keys/{id}/rotate", "keys", keys_rotate, ROUTE_BODY | ROUTE_EMPTY_BODY},
    {HTTP_DELETE, "/api/auth/keys/{id}", "keys", keys_revoke, 0},
    {HTTP_GET, "/api/auth/whoami", NULL, whoami_get, 0},

    {HTTP_GET, "/api/sessions", "read", sessions_list, 0},
    {HTTP_GET, "/api/sessions/{id}", "read", sessions_get, 0},
    {HTTP_DELETE, "/api/sessions/{id}", "admin", sessions_delete, 0},
    {HTTP_GET, "/api/sessions/{id}/messages", "read", sessions_messages, 0},
    {HTTP_GET, "/api/runs", "read", runs_list, 0},
    {HTTP_GET, "/api/runs/{id}", "read chat", runs_get, 0},
    {HTTP_GET, "/api/runs/{id}/events", "read chat", runs_events, 0},
    {HTTP_POST, "/api/runs/{id}/cancel", "chat", runs_cancel, ROUTE_BODY | ROUTE_EMPTY_BODY},
    {HTTP_POST, "/api/runs/{id}/continue", "chat", runs_continue, ROUTE_BODY | ROUTE_EMPTY_BODY},
    {HTTP_POST, "/api/runs/{id}/fork", "chat", runs_fork, ROUTE_BODY | ROUTE_EMPTY_BODY},

    {HTTP_GET, "/api/agents", "read chat", agents_list, 0},
    {HTTP_GET, "/api/agents/{name}", "read chat", agents_get, 0},
    {HTTP_GET, "/api/teams", "read chat", teams_list, 0},
    {HTTP_GET, "/api/teams/{name}", "read chat", teams_get, 0},
    {HTTP_GET, "/api/workflows", "read chat", workflows_list, 0},
    {HTTP_GET, "/api/workflows/{name}", "read chat", workflows_get, 0},

    {HTTP_GET, "/api/approvals", "read chat", approvals_list, 0},
    {HTTP_GET, "/api/approvals/{id}", "read chat", approvals_get, 0},
    {HTTP_POST, "/api/approvals/{id}", "chat", approvals_decide, ROUTE_BODY | ROUTE_TOKEN},

    {HTTP_POST, "/api/memories", "admin", memories_post, ROUTE_BODY},
    {HTTP_GET, "/api/memories", "read", memories_list, 0},
    {HTTP_GET, "/api/memories/{id}", "read", memories_get, 0},
    {HTTP_PATCH, "/api/memories/{id}", "admin", memories_patch, ROUTE_BODY},
    {HTTP_DELETE, "/api/memories/{id}", "admin", memories_delete, 0},

    {HTTP_POST, "/mcp", "chat schedule", mcp_post, 0},
    {HTTP_POST, "/a2a", "chat", a2a_post, 0},
    {HTTP_POST, "/a2a/message:send", "chat", a2a_http_send, ROUTE_BODY},
    {HTTP_POST, "/a2a/message:stream", "chat", a2a_http_stream, ROUTE_BODY},
    {HTTP_GET, "/a2a/tasks/{id}", "chat", a2a_http_get, 0},
    {HTTP_POST, "/a2a/tasks/{id}:cancel", "chat", a2a_http_cancel, 0},
    {HTTP_GET, "/.well-known/agent-card.json", NULL, a2a_card, ROUTE_OPEN},

    {HTTP_POST, "/telegram/webhook", NULL, telegram_post, ROUTE_OPEN},

    {HTTP_GET, "/healthz", NULL, health_get, ROUTE_OPEN},
    {HTTP_GET, "/readyz", NULL, ready_get, ROUTE_OPEN},
    {HTTP_GET, "/metrics", "read", metrics_get, ROUTE_LOOPBACK},
    {HTTP_GET, "/openapi.json", NULL, openapi_get, ROUTE_OPEN},
    {HTTP_GET, "/docs", NULL, docs_get, ROUTE_OPEN},
    {HTTP_GET, "/problems/{name}", NULL, problem_page, ROUTE_OPEN},
    {HTTP_OTHER, NULL, NULL, NULL, 0},
};

void api_init(struct api *api, const struct agent_house *house, struct calendar *calendar,
    const char *version)
{
    *api = (struct api){.house = house, .calendar = calendar, .version = version};
    api->started_ms = env_wall_ms(house->env);
    api->rates = rate_table_new();
    api->failures = rate_table_new();
    api->mcp_calls = mcp_calls_new();
    api->openapi_json = openapi_json;
    api->openapi_json_len = openapi_json_len;
    ulid_make(house->env, api->process_id);
}

void api_deinit(struct api *api)
{
    if (!api->rates)
        return; /* never filled */
    rate_table_free(api->rates);
    rate_table_free(api->failures);
    api->rates = NULL;
    mcp_calls_free(api->mcp_calls);
}

void answer_header(struct answer *answer, const char *name, struct str value)
{
    assert(answer->header_count < ANSWER_HEADERS_MAX);
    answer->headers[answer->header_count++] = (struct http_header){str_from(name), value};
}

void answer_json(struct answer *answer, int status, const struct buf *out)
{
    answer->status = status;
    answer->content_type = "application/json";
    answer->body = buf_str(out);
}

/* Compare a path with a pattern part by part; {…} stands for all of a part before what follows it,
 * as in {id}:cancel, and is not empty. */
static bool path_matches(struct str pattern, struct str path, struct str params[2])
{
    struct str want, got;
    size_t found = 0;

    while (str_next(&pattern, '/', &want)) {
        if (!str_next(&path, '/', &got))
            return false;
        if (want.len > 0 && want.ptr[0] == '{') {
            ptrdiff_t brace = str_find_char(want, '}', 0);
            struct str end = str_slice(want, (size_t)brace + 1, want.len);

            if (got.len <= end.len || !str_ends(got, end))
                return false;
            params[found++] = str_slice(got, 0, got.len - end.len);
        } else if (!str_eq(want, got)) {
            return false;
        }
    }
    return path.ptr == NULL;
}

/* Is path the same as pattern up to where pattern ends or leaves a part open? Most routes are told
 * apart by this, a few bytes into the path. */
static bool may_match(const char *pattern, struct str path)
{
    size_t i = 0;

    while (i < path.len && pattern[i] == path.ptr[i])
        i++;
    return pattern[i] == '{' || (pattern[i] == '\0' && i == path.len);
}

/* A HEAD is a GET whose body the server keeps back. */
static bool method_matches(enum http_method route, enum http_method asked)
{
    return route == asked || (route == HTTP_GET && asked == HTTP_HEAD);
}

/* The route, or NULL with the methods that the path knows, comma-separated ("" = no such path). */
static const struct route *find_route(struct exchange *x, struct str *ret_allow)
{
    struct buf allow = BUF_IN(x->arena);
    bool exact = false; /* a path that is named in full is not also an {id} */

    for (const struct route *route = api_routes; route->pattern; route++) {
        bool open;

        if (!may_match(route->pattern, x->req->path))
            continue;
        open = strchr(route->pattern, '{') != NULL;
        if ((open && exact) || !path_matches(str_from(route->pattern), x->req->path, x->params))
            continue;
        exact = !open;
        if (method_matches(route->method, x->req->method))
            return route;
        buf_printf(&allow, "%s%s%s", allow.len ? ", " : "", http_method_name(route->method),
            route->method == HTTP_GET ? ", HEAD" : "");
    }
    *ret_allow = buf_str(&allow);
    return NULL;
}

static int dispatch(struct exchange *x)
{
    int rc = access_check(x);

    if (rc == 0 && (x->route->flags & ROUTE_BODY))
        rc = body_parse(x);
    if (rc == 0 && x->route->method == HTTP_POST)
        rc = idempotency_begin(x);
    if (rc == IDEMPOTENCY_REPLAYED && x->route->handler == chat_post)
        chat_replay(x);
    if (rc != 0)
        return MIN(rc, 0);
    rc = x->route->handler(x);
    if (rc < 0)
        problem_answer(x, rc);
    idempotency_end(x, rc);
    return 0;
}

static void no_route(struct exchange *x, struct str allow)
{
    if (str_empty(allow)) {
        problem_write(x, 404, "not_found", STR("There is nothing at this path; see /docs."));
        return;
    }
    answer_header(&x->answer, "Allow", allow);
    if (x->req->method == HTTP_OPTIONS) {
        x->answer.status = 204;
        x->answer.content_type = NULL;
        return;
    }
    problem_write(x, 405, "method_not_allowed",
        str_printf(x->arena, "This path answers %.*s only.", STR_ARG(allow)));
}

static void account(struct exchange *x)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    int status = x->answer.sent ? x->req->status : x->answer.status;
    double ms = (double)(x->env->mono_ns(x->env->ctx) - x->req->start_ns) / 1e6;
    bool probe = x->route && (x->route->flags & (ROUTE_OPEN | ROUTE_LOOPBACK));
    enum log_level level = status >= 500 ? LOG_WARN : probe ? LOG_DEBUG : LOG_INFO;

    metric_add(M_HTTP_REQUESTS, classes[MIN(MAX(status / 100 - 1, 0), 4)], 1);
    metric_observe_ms(M_HTTP_MS, NULL, ms);
    log_at(level, "http.request", LOG_CSTR("method", http_method_name(x->req->method)),
        LOG_STR("path", x->req->path), LOG_I64("status", status), LOG_I64("ms", (int64_t)ms),
        LOG_CSTR("key_id", x->known ? x->who.key_id : ""));
}

static void send_answer(struct exchange *x)
{
    struct answer *answer = &x->answer;

    if (answer->sent)
        return;
    answer_header(answer, "X-Content-Type-Options", STR("nosniff"));
    answer_header(answer, "Cache-Control", STR("no-store"));
    /* A client that went away is noticed here; there is nobody left to tell. */
    (void)http_respond(x->req, answer->status, answer->content_type, answer->headers,
        answer->header_count, answer->body);
}

void api_local(struct api *api, enum http_method method, struct str path, struct str query,
    struct str body, struct str workspace_id, struct arena *arena, struct api_answer *ret_answer)
{
    struct http_request req = {
        .arena = arena, .method = method, .path = path, .query = query, .body = body};
    struct exchange x = {.req = &req,
        .api = api,
        .arena = arena,
        .env = api->house->env,
        .store = api->house->store,
        .workspace = workspace_id,
        .local = true};
    struct str allow;
    int rc = 0;

    ulid_make(x.env, req.request_id);
    memset(&x.who.scopes, 0xff, sizeof(x.who.scopes));
    x.route = find_route(&x, &allow);
    if (!x.route)
        no_route(&x, allow);
    else if (x.route->flags & ROUTE_BODY)
        rc = body_parse(&x);
    if (x.route && rc == 0)
        rc = store_workspace(x.store, workspace_id);
    if (x.route && rc == 0)
        rc = x.route->handler(&x);
    if (rc < 0)
        problem_answer(&x, rc);
    *ret_answer = (struct api_answer){x.answer.status, x.answer.content_type, x.answer.body};
}

void api_handle(struct http_request *req, void *ctx)
{
    struct api *api = ctx;
    struct exchange x = {.req = req, .api = api, .arena = req->arena};
    struct str allow;

    x.env = api->house->env;
    x.store = api->house->store;
    x.route = find_route(&x, &allow);
    if (!x.route) {
        no_route(&x, allow);
    } else {
        int rc = dispatch(&x);

        if (rc < 0)
            problem_answer(&x, rc);
    }
    send_answer(&x);
    account(&x);
}
