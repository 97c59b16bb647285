/* MCP's streamable HTTP: one POST per message, answered by one JSON object or an event stream.
 *
 * Bytes are counted whatever Content-Length says. In the legacy era a stream that breaks off before
 * the answer is resumed by GET with Last-Event-ID.
 */
#include "text/sse.h"
#include "tools/mcp_private.h"

#define HEADERS_MAX 64
#define RESUMES_MAX 5
#define RESUME_PAUSE_MS 200 /* when the server does not say */
#define RESUME_PAUSE_MAX_MS (10 * SECOND_MS)
#define NOTICE_TIMEOUT_MS (2 * SECOND_MS)

/* One answer being received. */
struct inbound {
    struct mcp_link *link;
    struct arena *arena;
    struct http_reply reply;
    struct sse_parser sse;
    struct buf body; /* heap; an answer that is no stream */
    int64_t id;
    size_t bytes, others;
    bool found;
    struct mcp_answer answer;
};

enum { ANSWER_FOUND = 77 };

static int post(struct mcp_link *link, const struct mcp_call *call, struct str message,
    struct inbound *in, int64_t timeout_ms, struct arena *arena);

static void tell(struct mcp_link *link, struct str message, struct arena *arena)
{
    struct mcp_call call = {.method = ""};

    if (post(link, &call, message, NULL, NOTICE_TIMEOUT_MS, arena) < 0)
        log_debug("mcp.not_told", LOG_STR("server", link->server->name), LOG_ERR);
}

static int take_message(struct inbound *in, struct str text)
{
    struct rpc_message message;
    int rc = rpc_read(in->arena, text, &message);

    if (rc < 0)
        return rc;
    if (message.kind == RPC_RESPONSE && (json_i64(message.id, 0) == in->id || !message.id)) {
        in->found = true;
        rc = mcp_answer_take(in->link, &message, in->id, in->arena, &in->answer);
        return rc < 0 ? rc : ANSWER_FOUND;
    }
    if (++in->others > MCP_FLOOD_MAX)
        return err_set(ERR_PROTOCOL, "The MCP server %s sent more than %d messages but no answer.",
            in->link->server->name.ptr, MCP_FLOOD_MAX);
    if (message.kind == RPC_REQUEST && in->link->era == MCP_ERA_LEGACY)
        tell(in->link, mcp_answer_request(&message, in->arena), in->arena);
    if (str_is(message.method, "notifications/tools/list_changed"))
        in->link->changes++;
    return 0;
}

static int on_event(const struct sse_event *event, void *ctx)
{
    /* An event without data only gives an id to resume from. */
    return str_empty(str_trim(event->data)) ? 0 : take_message(ctx, event->data);
}

static int on_data(struct str piece, void *ctx)
{
    struct inbound *in = ctx;
    struct str type = http_header(&in->reply.headers, "content-type");

    in->bytes += piece.len;
    if (in->bytes > MCP_MESSAGE_MAX)
        return err_set(ERR_TOO_LARGE, "The MCP server %s sent more than %zu MiB for one answer.",
            in->link->server->name.ptr, MCP_MESSAGE_MAX / MIB);
    if (str_starts_nocase(type, STR("text/event-stream")))
        return sse_parser_feed(&in->sse, piece, on_event, in);
    buf_add_str(&in->body, piece);
    return 0;
}

static void add_header(
    struct http_header *headers, size_t *count, const char *name, struct str value)
{
    if (*count < HEADERS_MAX && !str_empty(value))
        headers[(*count)++] = (struct http_header){str_from(name), value};
}

static size_t fill_headers(
    const struct mcp_link *link, const struct mcp_call *call, struct http_header *headers)
{
    size_t count = 0;

    add_header(headers, &count, "Content-Type", STR("application/json"));
    add_header(headers, &count, "Accept", STR("application/json, text/event-stream"));
    add_header(headers, &count, "MCP-Protocol-Version", str_from(link->version));
    add_header(headers, &count, "Mcp-Session-Id", link->session);
    if (link->era == MCP_ERA_MODERN) {
        add_header(headers, &count, "Mcp-Method", str_from(call->method));
        add_header(headers, &count, "Mcp-Name", call->name);
        for (size_t i = 0; i < call->header_count && count < HEADERS_MAX; i++)
            headers[count++] = call->headers[i]; /* an empty one too: the argument is there */
    }
    for (size_t i = 0; i < link->server->header_count; i++)
        add_header(
            headers, &count, link->server->headers[i].name.ptr, link->server->headers[i].value);
    return count;
}

/* in may be NULL: the answer is not looked at. */
static int post(struct mcp_link *link, const struct mcp_call *call, struct str message,
    struct inbound *in, int64_t timeout_ms, struct arena *arena)
{
    struct http_header headers[HEADERS_MAX];
    struct http_reply reply;
    struct http_call http = {.method = HTTP_POST,
        .url = link->server->url,
        .headers = headers,
        .header_count = fill_headers(link, call, headers),
        .body = message,
        .timeout_ms = timeout_ms,
        .max_body = MCP_MESSAGE_MAX,
        .on_data = in ? on_data : NULL,
        .ctx = in};

    return http_send(arena, &http, in ? &in->reply : &reply);
}

static int resume_stream(struct inbound *in, int64_t timeout_ms)
{
    struct mcp_link *link = in->link;
    struct http_header headers[HEADERS_MAX];
    size_t count = 0;
    struct http_call http = {.method = HTTP_GET,
        .url = link->server->url,
        .headers = headers,
        .timeout_ms = timeout_ms,
        .max_body = MCP_MESSAGE_MAX,
        .on_data = on_data,
        .ctx = in};

    add_header(headers, &count, "Accept", STR("text/event-stream"));
    add_header(headers, &count, "MCP-Protocol-Version", str_from(link->version));
    add_header(headers, &count, "Mcp-Session-Id", link->session);
    add_header(headers, &count, "Last-Event-ID", str_dup(in->arena, buf_str(&in->sse.id)));
    for (size_t i = 0; i < link->server->header_count; i++)
        add_header(
            headers, &count, link->server->headers[i].name.ptr, link->server->headers[i].value);
    http.header_count = count;
    return http_send(in->arena, &http, &in->reply);
}

/* A stream that ended early goes on where it stopped, when the server gave ids. */
static int receive_rest(struct inbound *in, int rc, int64_t timeout_ms)
{
    for (int i = 0; i < RESUMES_MAX && !in->found && in->sse.id.len > 0 &&
                    in->link->era == MCP_ERA_LEGACY && (rc == 0 || rc == ERR_IO);
         i++) {
        int64_t asked = in->sse.retry_ms;

        rc = fiber_sleep(asked > 0 ? MIN(asked, RESUME_PAUSE_MAX_MS) : RESUME_PAUSE_MS);
        if (rc < 0)
            break;
        rc = resume_stream(in, timeout_ms);
        if (rc == 0 && in->reply.status != 200)
            break;
    }
    return rc;
}

static int refuse(const struct inbound *in)
{
    const char *name = in->link->server->name.ptr;
    int status = in->reply.status;

    if (status == 401 || status == 403)
        return err_set(ERR_UNAUTHORIZED,
            "The MCP server %s refuses Theo (HTTP %d); its operator must mend the key in the "
            "setting mcp.",
            name, status);
    if (status == 429 || status >= 500)
        return err_set(
            ERR_UNAVAILABLE, "The MCP server %s cannot answer now (HTTP %d).", name, status);
    return err_set(ERR_PROTOCOL, "The MCP server %s answered HTTP %d.", name, status);
}

/* Another status may come with a JSON-RPC error that says more. */
static int take_refusal(struct inbound *in)
{
    struct rpc_message message;
    int status = in->reply.status;

    if (status == 404 && !str_empty(in->link->session))
        return err_set(ERR_NOT_FOUND, "The session with the MCP server %s is gone.",
            in->link->server->name.ptr);
    if (status != 401 && status != 403 && status != 429 &&
        rpc_read(in->arena, in->reply.body, &message) == 0 && message.kind == RPC_RESPONSE &&
        message.error && mcp_answer_take(in->link, &message, in->id, in->arena, &in->answer) == 0) {
        in->answer.status = status;
        return 0;
    }
    return refuse(in);
}

static void keep_session(struct inbound *in)
{
    struct mcp_link *link = in->link;
    struct str session = http_header(&in->reply.headers, "mcp-session-id");

    if (link->ready || link->era != MCP_ERA_LEGACY || str_empty(session) || session.len > 512)
        return;
    if (!str_empty(link->session))
        free((char *)(uintptr_t)link->session.ptr);
    link->session = (struct str){str_heap(session), session.len};
}

static int finish(struct inbound *in, int rc)
{
    if (rc < 0)
        return rc;
    if (in->reply.status < 200 || in->reply.status > 299)
        return take_refusal(in);
    keep_session(in);
    if (in->id == 0 || in->found)
        return 0;
    if (in->body.len > 0) {
        rc = take_message(in, buf_str(&in->body));
        if (rc == ANSWER_FOUND)
            return 0;
        if (rc < 0)
            return rc;
    }
    return err_set(ERR_PROTOCOL, "The MCP server %s ended its answer without answering.",
        in->link->server->name.ptr);
}

/* Closing the stream tells a modern server; a legacy one needs to be told. */
static void cancel(struct mcp_link *link, int64_t id, int rc, struct arena *arena)
{
    struct err cause = *err_get();

    if (id == 0 || link->era != MCP_ERA_LEGACY || !link->ready)
        return;
    fiber_shield();
    tell(link, mcp_cancel_text(id, rc == ERR_TIMEOUT ? "timeout" : "cancelled", arena), arena);
    fiber_unshield();
    *err_get() = cause;
}

int mcp_http_send(struct mcp_link *link, const struct mcp_call *call, struct str message,
    int64_t id, struct arena *arena, struct mcp_answer *ret_answer)
{
    struct inbound in = {.link = link, .arena = arena, .id = id, .body = BUF_HEAP};
    int rc;

    sse_parser_init(&in.sse, MCP_MESSAGE_MAX);
    rc = post(link, call, message, &in, call->timeout_ms, arena);
    rc = receive_rest(&in, rc, call->timeout_ms);
    if (rc == ERR_TIMEOUT || rc == ERR_CANCELLED)
        cancel(link, id, rc, arena);
    rc = finish(&in, rc);
    sse_parser_deinit(&in.sse);
    buf_deinit(&in.body);
    if (rc == 0)
        *ret_answer = in.answer;
    return rc;
}
