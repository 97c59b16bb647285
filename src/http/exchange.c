#include "http/exchange.h"

#include "base/err.h"
#include "http/answer.h"
#include "http/parser.h"

enum {
    CONNECT_TIMEOUT_MS = 10 * SECOND_MS,
    HEAD_READ = 4 * KIB,
    BODY_READ = 16 * KIB,
    HEADS_MAX = 128 * KIB, /* interim answers included */
};

/* An exchange under way. */
struct state {
    struct exchange *x;
    struct pool *pool;
    struct outbound *conn;
    int64_t start_ms;
    bool reused;
    bool repeatable; /* it failed in a way that says nothing about the server */
    bool whole;      /* the request went out and the answer came, to the last byte */
    size_t sent;
    struct buf in; /* received and not yet understood, on the heap */
    struct http_answer answer;
    struct buf body; /* collected, or the next piece of a chunked stream; in the arena */
    size_t received;
};

static int fail(const struct state *s, const char *what)
{
    const struct url *url = &s->x->target->url;

    return err_set(ERR_IO, "%s %.*s:%d: %s", what, STR_ARG(url->host), url->port,
        str_cstr(s->x->arena, str_from(err_message())));
}

static int cut_off(const struct state *s)
{
    const struct url *url = &s->x->target->url;

    return err_set(
        ERR_IO, "the answer was cut off by %.*s:%d before its end", STR_ARG(url->host), url->port);
}

static int too_large(const struct state *s)
{
    return err_set(ERR_TOO_LARGE, "the answer of %.*s is larger than the %zu bytes allowed",
        STR_ARG(s->x->target->url.host), s->x->call->max_body);
}

/* Name what a wait or the socket failed with. */
static int explain(const struct state *s, int rc, const char *what)
{
    const struct url *url = &s->x->target->url;

    if (rc == ERR_TIMEOUT)
        return err_set(
            ERR_TIMEOUT, "no whole answer from %.*s:%d in time", STR_ARG(url->host), url->port);
    return rc == ERR_IO || rc == ERR_PROTOCOL ? fail(s, what) : rc;
}

static int64_t elapsed_ms(const struct state *s)
{
    return loop_now_ms(fiber_loop()) - s->start_ms;
}

static bool sends_body(const struct http_call *call)
{
    return call->body.len > 0 || call->method == HTTP_POST || call->method == HTTP_PUT ||
           call->method == HTTP_PATCH;
}

static bool has_header(const struct http_call *call, struct str name)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (str_eq_nocase(call->headers[i].name, name))
            return true;
    }
    return false;
}

static bool is_sendable(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    }
    return true;
}

/* What frames the request is written here alone. */
static bool is_framing(struct str name)
{
    return str_eq_nocase(name, STR("content-length")) ||
           str_eq_nocase(name, STR("transfer-encoding"));
}

static int add_headers(struct buf *head, const struct http_call *call)
{
    for (size_t i = 0; i < call->header_count; i++) {
        struct str name = call->headers[i].name, value = call->headers[i].value;
        if (str_empty(name) || !is_sendable(name) || !is_sendable(value) ||
            str_find_char(name, ':', 0) >= 0)
            return err_set(ERR_INVALID,
                "header number %zu of an HTTP call holds a line break, NUL or no name", i + 1);
        if (is_framing(name))
            continue;
        buf_add_str(head, name);
        buf_add_str(head, str_empty(value) ? STR(":") : STR(": "));
        buf_add_str(head, value);
        buf_add_str(head, STR("\r\n"));
    }
    return 0;
}

static int write_head(const struct exchange *x, struct buf *head)
{
    const struct http_call *call = x->call;

    buf_reserve(head, 512);
    buf_add_cstr(head, http_method_name(call->method));
    buf_add_str(head, x->target->path_line);
    if (!has_header(call, STR("host")))
        buf_add_str(head, x->target->host);
    if (!str_empty(x->target->authorization) && !has_header(call, STR("authorization")))
        buf_add_str(head, x->target->authorization);
    if (!has_header(call, STR("user-agent")))
        buf_add_str(head, STR("User-Agent: theo\r\n"));
    if (!has_header(call, STR("accept")))
        buf_add_str(head, STR("Accept: */*\r\n"));
    int rc = add_headers(head, call);
    if (rc != 0)
        return rc;
    if (sends_body(call)) {
        buf_add_str(head, STR("Content-Length: "));
        buf_add_i64(head, (int64_t)call->body.len);
        buf_add_str(head, STR("\r\n"));
    }
    buf_add_str(head, STR("\r\n"));
    return 0;
}

static int connect_to(struct state *s, bool fresh)
{
    const struct exchange *x = s->x;
    bool public_only = (x->call->flags & HTTP_PUBLIC_ONLY) != 0;

    /* A pooled connection may lead where a checked call must not go. */
    fresh = fresh || public_only || (x->call->flags & HTTP_FRESH) != 0;
    s->conn = fresh ? NULL : pool_take(s->pool, &x->target->url);
    s->reused = s->conn != NULL;
    if (s->reused)
        return 0;
    struct outbound_addresses addresses = {0};
    int rc =
        target_addresses(x->target, x->resolver, public_only, x->deadline_ms, x->arena, &addresses);
    if (rc != 0)
        return rc;
    int64_t limit_ms = loop_now_ms(fiber_loop()) + CONNECT_TIMEOUT_MS;
    rc = pool_open(s->pool, &addresses, MIN(limit_ms, x->deadline_ms), &s->conn);
    if (rc == ERR_TIMEOUT && limit_ms < x->deadline_ms && limit_ms < fiber_deadline())
        rc = err_set(ERR_IO, "no answer within %d s", CONNECT_TIMEOUT_MS / SECOND_MS);
    if (rc != 0)
        return explain(s, rc, "cannot connect to");
    x->reply->connect_ms = elapsed_ms(s);
    return 0;
}

static bool is_idempotent(enum http_method method)
{
    return method != HTTP_POST && method != HTTP_PATCH && method != HTTP_OTHER;
}

/* The server had closed a kept-alive connection before it saw this request. */
static void note_stale(struct state *s)
{
    bool once = (s->x->call->flags & HTTP_ONCE) != 0 || !is_idempotent(s->x->call->method);

    s->repeatable = s->reused && (s->sent == 0 || !once);
}

static int send_request(struct state *s, struct str head)
{
    const struct http_call *call = s->x->call;
    struct iovec pieces[2] = {
        {(char *)head.ptr, head.len},
        {(char *)call->body.ptr, call->body.len},
    };
    int rc =
        outbound_send(s->conn, pieces, call->body.len > 0 ? 2 : 1, s->x->deadline_ms, &s->sent);

    s->whole = rc == 0;
    /* Who answers early may close at once; what it said still counts. */
    if (rc == OUTBOUND_ANSWERED || (rc == ERR_IO && s->sent > 0))
        return 0;
    if (rc == ERR_IO)
        note_stale(s);
    return explain(s, rc, "the connection was broken off by");
}

/* More bytes into s->in. 0, OUTBOUND_CLOSED or ERR_*. */
static int fill(struct state *s, size_t most)
{
    if (s->in.len == 0)
        buf_deinit(&s->in); /* nothing is held while waiting */
    return outbound_receive(s->conn, &s->in, most, s->x->deadline_ms);
}

static int receive_head(struct state *s)
{
    struct http_reply *reply = s->x->reply;
    size_t seen = 0;
    int rc;

    while ((rc = http_parse_answer(buf_str(&s->in), seen, s->x->arena, &s->answer)) ==
           HTTP_PARSE_MORE) {
        seen = s->in.len;
        rc = fill(s, HEAD_READ);
        if (rc == 0 && seen == 0)
            reply->first_byte_ms = elapsed_ms(s);
        if (rc == 0)
            continue;
        reply->status = http_answer_status(buf_str(&s->in));
        if (rc == OUTBOUND_CLOSED)
            rc = err_set(ERR_IO, "it closed the connection without an answer");
        if (rc == ERR_IO && seen == 0)
            note_stale(s);
        return explain(s, rc, "the connection was broken off by");
    }
    if (rc != 0)
        return explain(s, rc, "no proper HTTP answer from");
    reply->status = s->answer.status;
    reply->headers = s->answer.headers;
    buf_consume(&s->in, s->answer.head_len);
    return 0;
}

/* The first answer that is not interim (RFC 9110 section 15.2). */
static int receive_final_head(struct state *s)
{
    size_t bytes = 0;
    int rc;

    do {
        rc = receive_head(s);
        s->reused = false; /* the server is there: nothing is repeated from now on */
        bytes += s->answer.head_len;
        if (rc == 0 && s->answer.status == 101)
            rc = err_set(ERR_PROTOCOL, "it changes to a protocol that was not asked for");
        else if (rc == 0 && bytes > HEADS_MAX)
            rc = err_set(ERR_PROTOCOL, "it sends interim answers without end");
        else if (rc != 0)
            return rc;
    } while (rc == 0 && s->answer.status < 200);
    return explain(s, rc, "no proper HTTP answer from");
}

static bool has_body(const struct state *s)
{
    int status = s->answer.status;

    return s->x->call->method != HTTP_HEAD && status != 204 && status != 304;
}

static bool is_streamed(const struct state *s)
{
    return s->x->call->on_data != NULL && s->answer.status <= 299;
}

static int deliver(struct state *s, struct str piece)
{
    return piece.len > 0 ? s->x->call->on_data(piece, s->x->call->ctx) : 0;
}

static int receive_chunked(struct state *s)
{
    struct http_chunked decoder;
    size_t used = 0;
    int rc;

    http_chunked_init(&decoder);
    for (;;) {
        rc = http_chunked_feed(&decoder, buf_str(&s->in), s->x->call->max_body, &s->body, &used);
        if (rc == ERR_TOO_LARGE)
            return too_large(s);
        if (rc < 0)
            return explain(s, rc, "no proper HTTP answer from");
        buf_consume(&s->in, used);
        int delivered = is_streamed(s) ? deliver(s, buf_str(&s->body)) : 0;
        if (delivered != 0 || rc == 0)
            return delivered;
        if (is_streamed(s))
            buf_clear(&s->body);
        rc = fill(s, BODY_READ);
        if (rc == OUTBOUND_CLOSED)
            return cut_off(s);
        if (rc != 0)
            return explain(s, rc, "the connection was broken off by");
    }
}

/* A body of known length, or up to the end of the stream (left is SIZE_MAX then), piece by piece.
 */
static int stream_plain(struct state *s, size_t left)
{
    for (;;) {
        struct str piece = str_slice(buf_str(&s->in), 0, left);
        s->received += piece.len;
        if (s->received > s->x->call->max_body)
            return too_large(s);
        int rc = deliver(s, piece);
        if (rc != 0)
            return rc;
        left -= left == SIZE_MAX ? 0 : piece.len;
        buf_consume(&s->in, piece.len);
        if (left == 0)
            return 0;
        rc = fill(s, MIN(left, (size_t)BODY_READ));
        if (rc == OUTBOUND_CLOSED)
            return left == SIZE_MAX ? 0 : cut_off(s);
        if (rc != 0)
            return explain(s, rc, "the connection was broken off by");
    }
}

/* The same into s->body. */
static int collect_plain(struct state *s, size_t left)
{
    struct str first = str_slice(buf_str(&s->in), 0, left);

    if (left != SIZE_MAX)
        buf_reserve(&s->body, MIN(left, (size_t)MIB));
    buf_add_str(&s->body, first);
    buf_consume(&s->in, first.len);
    while (s->body.len < left) {
        if (s->body.len > s->x->call->max_body)
            return too_large(s);
        int rc = outbound_receive(
            s->conn, &s->body, MIN(left - s->body.len, (size_t)BODY_READ * 4), s->x->deadline_ms);
        if (rc == OUTBOUND_CLOSED)
            return left == SIZE_MAX ? 0 : cut_off(s);
        if (rc != 0)
            return explain(s, rc, "the connection was broken off by");
    }
    return 0;
}

static int receive_body(struct state *s)
{
    const struct http_answer *answer = &s->answer;

    if (!has_body(s))
        return 0;
    if (answer->chunked)
        return receive_chunked(s);
    if (answer->has_length && answer->content_length > s->x->call->max_body)
        return too_large(s);
    s->whole &= answer->has_length; /* otherwise the stream's end is the body's */
    size_t left = answer->has_length ? (size_t)answer->content_length : SIZE_MAX;
    return is_streamed(s) ? stream_plain(s, left) : collect_plain(s, left);
}

static int run(struct state *s, struct str head, bool fresh)
{
    int rc = connect_to(s, fresh);

    if (rc == 0)
        rc = send_request(s, head);
    if (rc == 0)
        rc = receive_final_head(s);
    if (rc == 0)
        rc = receive_body(s);
    s->x->reply->total_ms = elapsed_ms(s);
    s->x->reply->sent = s->sent > 0;
    if (rc == 0 && !is_streamed(s))
        s->x->reply->body = buf_str(&s->body);
    return rc;
}

static void let_go(struct state *s, int rc)
{
    bool public_only = (s->x->call->flags & HTTP_PUBLIC_ONLY) != 0;
    bool keep = rc == 0 && s->whole && s->answer.keep_alive && s->in.len == 0 && !public_only;

    buf_deinit(&s->in);
    if (s->conn == NULL)
        return;
    if (keep)
        pool_keep(s->pool, &s->x->target->url, s->conn);
    else
        pool_close(s->pool, s->conn);
}

int exchange_run(struct pool *pool, struct exchange *exchange)
{
    struct buf head = BUF_IN(exchange->arena);
    int64_t start_ms = loop_now_ms(fiber_loop());
    int rc = write_head(exchange, &head);
    bool again = rc == 0;

    for (int attempt = 0; again; attempt++) {
        struct state s = {.x = exchange, .pool = pool, .start_ms = start_ms};
        s.body = BUF_IN(exchange->arena);
        rc = run(&s, buf_str(&head), attempt > 0);
        again = rc != 0 && s.repeatable && attempt == 0;
        let_go(&s, rc);
    }
    return rc;
}
