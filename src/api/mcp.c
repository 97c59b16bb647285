/* POST /mcp: MCP's streamable HTTP, without sessions.
 *
 * A call runs on a fiber of its own, so that notifications/cancelled can end it without ending the
 * connection. The answer is one JSON object, or an event stream when the caller asked for progress.
 */
#include "api/mcp.h"

#include "http/sse.h"
#include "http/url.h"
#include "text/inert.h"

#define PROGRESS_MS SECOND_MS

static int answer_error(struct exchange *x, int status, const struct json *id, int64_t code,
    const char *message, struct str data)
{
    struct buf out = BUF_IN(x->arena);

    rpc_put_error(&out, id, code, str_from(message), data);
    answer_json(&x->answer, status, &out);
    return 0;
}

/* A page of another site in a browser must not use a key-less trick or a rebound name to get here:
 * an Origin must be this machine or one that the operator named. */
bool mcp_origin_allowed(const struct exchange *x)
{
    struct str origin = http_header(&x->req->headers, "origin"), rest, one;
    struct url url;

    if (str_empty(origin))
        return true;
    rest = str_from(x->api->house->config->server_origins);
    while (str_next(&rest, ',', &one))
        if (str_eq_nocase(str_trim(one), origin))
            return true;
    return url_parse(x->arena, origin, &url) == 0 &&
           (str_is(url.host, "localhost") || str_is(url.host, "127.0.0.1") ||
               str_is(url.host, "::1"));
}

static bool version_known(struct str version)
{
    static const char *const known[] = {
        MCP_MODERN, MCP_LATEST_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(version, known[i]))
            return true;
    return false;
}

static int refuse_version(struct exchange *x, const struct json *id, struct str asked)
{
    struct buf data = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &data);
    json_object_begin(&w);
    json_raw_member(&w, "supported",
        STR("[\"" MCP_MODERN "\",\"" MCP_LATEST_LEGACY
            "\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"]"));
    json_str_member(&w, "requested", inert_visible(x->arena, asked, 64));
    json_object_end(&w);
    return answer_error(
        x, 400, id, RPC_VERSION, "This revision of MCP is not spoken here.", buf_str(&data));
}

/* A modern request says everything twice, in headers for proxies and in the body; they must agree.
 */
static const char *header_trouble(
    const struct exchange *x, const struct rpc_message *message, struct str version)
{
    struct str method = http_header(&x->req->headers, "mcp-method");
    struct str name = http_header(&x->req->headers, "mcp-name");
    struct str asked = json_get_str(message->params, "name");

    if (!str_eq(http_header(&x->req->headers, "mcp-protocol-version"), version))
        return "The header MCP-Protocol-Version must repeat the version in params._meta.";
    if (!str_eq(method, message->method))
        return "The header Mcp-Method must repeat the method.";
    if (str_is(message->method, "tools/call") && !str_eq(name, asked))
        return "The header Mcp-Name must repeat params.name.";
    return NULL;
}

/* What every modern request must say of its sender. */
static const char *meta_trouble(const struct json *meta)
{
    if (str_empty(json_get_str(meta, MCP_META_VERSION)))
        return "params._meta lacks the protocol version.";
    if (!json_is(json_get(meta, MCP_META_CAPABILITIES), JSON_OBJECT))
        return "params._meta lacks the client's capabilities.";
    return NULL;
}

/* Which era the request is of. 0 when it may go on; 1 when it is answered already. */
static int check_era(struct exchange *x, const struct rpc_message *message, bool *ret_modern)
{
    struct str header = http_header(&x->req->headers, "mcp-protocol-version");
    const struct json *meta = json_get(message->params, "_meta");
    struct str inside = json_get_str(meta, MCP_META_VERSION);
    bool local = x->req->connection == NULL; /* stdio has no headers */
    struct str version = local || str_empty(header) ? inside : header;
    const char *trouble;

    if (!str_empty(version) && !version_known(version))
        return refuse_version(x, message->id, version), 1;
    *ret_modern = str_is(version, MCP_MODERN);
    if (!*ret_modern)
        return 0;
    trouble = meta_trouble(meta);
    if (trouble)
        return answer_error(x, 400, message->id, RPC_INVALID_PARAMS, trouble, STR("")), 1;
    trouble = local ? NULL : header_trouble(x, message, inside);
    if (trouble)
        return answer_error(x, 400, message->id, RPC_HEADER_MISMATCH, trouble, STR("")), 1;
    return 0;
}

struct job {
    struct mcp_request request;
    bool done;
    struct fiber *waiter;
};

static void work(void *arg)
{
    struct job *job = arg;
    struct exchange *x = job->request.x;
    struct str id = json_text(x->arena, job->request.message->id);
    uint64_t serial = mcp_calls_add(x->api->mcp_calls, x->who.key_id, id, fiber_self());

    memcpy(fiber_log_context()->request_id, x->req->request_id, sizeof(x->req->request_id));
    mcp_serve(&job->request);
    mcp_calls_remove(x->api->mcp_calls, serial);
    if (fiber_is_cancelled())
        mcp_refuse(&job->request, 200, RPC_INTERNAL, "The request was cancelled.");
    job->done = true;
    fiber_wake(job->waiter);
}

static int send_progress(struct exchange *x, const struct json *token, int64_t count)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "jsonrpc", "2.0");
    json_cstr_member(&w, "method", "notifications/progress");
    json_name(&w, "params");
    json_object_begin(&w);
    json_name(&w, "progressToken");
    json_put_node(&w, token);
    json_i64_member(&w, "progress", count);
    json_cstr_member(&w, "message", count == 0 ? "started" : "still working");
    json_object_end(&w);
    json_object_end(&w);
    return sse_send(x->req, "message", -1, buf_str(&out));
}

/* Wait for the worker; tell progress when a token is given. 0, or why nobody waits any more. */
static int await(struct job *job, const struct json *token)
{
    struct exchange *x = job->request.x;
    int64_t count = 0;
    int rc = 0;

    while (!job->done && rc == 0) {
        rc = fiber_park(token ? loop_now_ms(fiber_loop()) + PROGRESS_MS : FIBER_NO_DEADLINE);
        if (rc == ERR_TIMEOUT)
            rc = send_progress(x, token, ++count);
    }
    return rc;
}

static int begin_stream(struct exchange *x, const struct json *token)
{
    int rc;

    answer_header(&x->answer, "X-Accel-Buffering", STR("no"));
    answer_header(&x->answer, "Cache-Control", STR("no-store"));
    x->answer.sent = true;
    rc = http_stream_begin(
        x->req, 200, "text/event-stream", x->answer.headers, x->answer.header_count);
    return rc < 0 ? rc : send_progress(x, token, 0);
}

static int run(struct exchange *x, const struct rpc_message *message, bool modern)
{
    const struct json *token = json_path(message->params, "_meta");
    struct buf out = BUF_IN(x->arena);
    struct job job = {
        .request = {.x = x, .message = message, .modern = modern, .out = &out, .status = 200},
        .waiter = fiber_self()};
    struct fiber *fiber;
    int rc = 0;

    token = json_get(token, "progressToken");
    if (!x->req->connection || !accepts(x, "text/event-stream") ||
        !str_is(message->method, "tools/call"))
        token = NULL;
    if (token)
        rc = begin_stream(x, token);
    fiber = fiber_spawn_joinable(fiber_loop(), "mcp.call", work, &job);
    if (rc == 0)
        rc = await(&job, token);
    if (rc < 0)
        fiber_cancel(fiber);
    fiber_shield();
    if (fiber_join(fiber) < 0)
        abort(); /* a shielded wait without deadline cannot fail */
    fiber_unshield();
    if (!token) {
        answer_json(&x->answer, job.request.status, &out);
    } else if (rc == 0 && sse_send(x->req, "message", -1, buf_str(&out)) == 0) {
        (void)http_stream_end(x->req);
    }
    return 0;
}

static int take_notification(struct exchange *x, const struct rpc_message *message)
{
    const struct json *id = json_get(message->params, "requestId");

    if (str_is(message->method, "notifications/cancelled") && id)
        (void)mcp_calls_cancel(x->api->mcp_calls, x->who.key_id, json_text(x->arena, id));
    x->answer.status = 202;
    x->answer.content_type = NULL;
    return 0;
}

int mcp_post(struct exchange *x)
{
    struct str type = http_header(&x->req->headers, "content-type");
    const struct json *tree;
    struct rpc_message message;
    bool modern;

    if (!mcp_origin_allowed(x))
        return answer_error(x, 403, NULL, RPC_INVALID_REQUEST,
            "This Origin may not use Theo; name it in server.origins.", STR(""));
    if (x->req->connection && !str_starts_nocase(type, STR("application/json"))) {
        problem_write(
            x, 415, "unsupported_media_type", STR("Send Content-Type: application/json."));
        return 0;
    }
    if (json_parse(x->arena, x->req->body, &tree) < 0)
        return answer_error(x, 400, NULL, RPC_PARSE_ERROR, "The body is not valid JSON.", STR(""));
    if (rpc_take(tree, &message) < 0)
        return answer_error(x, 400, NULL, RPC_INVALID_REQUEST, err_message(), STR(""));
    if (check_era(x, &message, &modern) != 0)
        return 0;
    if (message.kind != RPC_REQUEST)
        return take_notification(x, &message);
    return run(x, &message, modern);
}
