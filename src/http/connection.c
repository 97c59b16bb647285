#include "http/connection.h"

#include "base/err.h"

enum { READ_SIZE = 4 * KIB, SMALL_BODY = 64 * KIB };

static int64_t after(const struct http_connection *conn, int64_t ms)
{
    return loop_now_ms(conn->server->loop) + ms;
}

static int fill(struct http_connection *conn, int64_t deadline_ms)
{
    size_t len;
    char *room = buf_reserve(&conn->in, READ_SIZE);
    int rc = connection_read(conn, room, READ_SIZE, deadline_ms, &len);

    if (rc == 0)
        conn->in.len += len;
    return rc;
}

/* 0, or a failure; *ret_status is then what to answer, or 0 to close without a word. */
static int read_head(
    struct http_connection *conn, struct arena *arena, struct http_head *ret_head, int *ret_status)
{
    const struct http_server_options *options = &conn->server->options;
    int64_t deadline = 0;
    size_t scanned = 0;
    int rc;

    if (conn->in.len == 0) {
        rc = connection_idle(conn, after(conn, options->idle_timeout_ms));
        if (rc == 0)
            rc = fill(conn, after(conn, options->header_timeout_ms));
        conn->idle = false;
        if (rc != 0)
            return rc;
    }
    deadline = after(conn, options->header_timeout_ms);
    for (;;) {
        rc = http_parse_head(buf_str(&conn->in), scanned, options->max_header_bytes,
            options->max_headers, arena, ret_head, ret_status);
        if (rc != HTTP_PARSE_MORE)
            return rc;
        scanned = conn->in.len;
        rc = fill(conn, deadline);
        if (rc == ERR_TIMEOUT)
            *ret_status = 408;
        if (rc != 0)
            return rc;
    }
}

static int body_failed(int rc, int *ret_status)
{
    if (rc == ERR_TIMEOUT)
        *ret_status = 408;
    else if (rc == ERR_BUSY)
        *ret_status = 503;
    else if (rc == ERR_TOO_LARGE)
        *ret_status = 413;
    else if (rc == ERR_PROTOCOL)
        *ret_status = 400;
    return rc;
}

static int say_continue(struct http_connection *conn, const struct http_head *head)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec piece = {text, sizeof(text) - 1};

    return head->expect_continue ? connection_write(conn, &piece, 1) : 0;
}

/* Who sends a body is not known before it is read: what large ones that are under way hold together
 * has a limit, so that nobody fills the memory with bodies that never end. Small ones always go. */
static int hold(struct http_connection *conn, size_t held, size_t more)
{
    struct http_server *server = conn->server;
    size_t beyond = MAX(held + more, (size_t)SMALL_BODY) - MAX(held, (size_t)SMALL_BODY);

    server->receiving += beyond;
    if (beyond > 0 && server->receiving > server->options.max_receiving)
        return err_set(ERR_BUSY, "too many large bodies arrive at once; try again");
    return 0;
}

static void let_go(struct http_connection *conn, size_t held)
{
    conn->server->receiving -= MAX(held, (size_t)SMALL_BODY) - SMALL_BODY;
}

/* Bytes of conn->in that belong to this request, and bytes of the next one that are elsewhere. */
struct consumed {
    size_t used;
    struct str left;
};

/* The body is read behind the head when it came along with it, otherwise straight to its place. */
static int read_sized(struct http_connection *conn, const struct http_head *head,
    struct arena *arena, int64_t deadline, struct str *ret_body, struct consumed *ret_consumed)
{
    struct str had = str_slice(buf_str(&conn->in), head->head_len, conn->in.len);
    size_t length = (size_t)head->content_length, have = MIN(had.len, length);
    char *body;
    int rc = 0;

    ret_consumed->used = head->head_len + have;
    *ret_body = str_slice(had, 0, have);
    if (have == length)
        return 0;
    if (have == 0)
        rc = say_continue(conn, head);
    body = arena_alloc(arena, length);
    memcpy(body, had.ptr, have);
    while (rc == 0 && have < length) {
        size_t len;
        rc = connection_read(conn, body + have, length - have, deadline, &len);
        if (rc != 0)
            break;
        rc = hold(conn, have, len);
        have += len;
    }
    let_go(conn, have);
    *ret_body = (struct str){body, length};
    return rc;
}

/* Later pieces are read elsewhere than conn->in: the strings of the head point into that and must
 * stay where they are until the answer is sent. */
static int read_chunked(struct http_connection *conn, const struct http_head *head,
    struct arena *arena, int64_t deadline, struct str *ret_body, struct consumed *ret_consumed)
{
    struct buf body = BUF_IN(arena);
    struct str piece = str_slice(buf_str(&conn->in), head->head_len, conn->in.len);
    struct http_chunked decoder;
    size_t used = 0, held = 0;
    char *room = NULL;
    int rc;

    http_chunked_init(&decoder);
    rc = piece.len == 0 ? say_continue(conn, head) : 0;
    while (rc == 0) {
        rc = http_chunked_feed(&decoder, piece, conn->server->options.max_body_bytes, &body, &used);
        if (rc != HTTP_PARSE_MORE)
            break;
        if (!room)
            room = arena_alloc(arena, READ_SIZE);
        piece = (struct str){room, 0};
        rc = connection_read(conn, room, READ_SIZE, deadline, &piece.len);
        if (rc != 0)
            break;
        rc = hold(conn, held, piece.len);
        held += piece.len;
    }
    let_go(conn, held);
    *ret_body = buf_str(&body);
    ret_consumed->used = room ? conn->in.len : head->head_len + used;
    if (room)
        ret_consumed->left = str_slice(piece, used, piece.len);
    return rc;
}

static int read_body(struct http_connection *conn, const struct http_head *head,
    struct arena *arena, struct str *ret_body, struct consumed *ret_consumed, int *ret_status)
{
    const struct http_server_options *options = &conn->server->options;
    int64_t deadline = after(conn, options->body_timeout_ms);
    int rc;

    if (head->has_length && head->content_length > options->max_body_bytes)
        rc = err_set(ERR_TOO_LARGE, "the body is larger than %zu bytes", options->max_body_bytes);
    else if (head->chunked)
        rc = read_chunked(conn, head, arena, deadline, ret_body, ret_consumed);
    else
        rc = read_sized(conn, head, arena, deadline, ret_body, ret_consumed);
    return rc == 0 ? 0 : body_failed(rc, ret_status);
}

static void keep_rest(struct http_connection *conn, const struct consumed *consumed)
{
    buf_consume(&conn->in, consumed->used);
    buf_add_str(&conn->in, consumed->left);
    if (conn->in.len == 0)
        buf_deinit(&conn->in);
}

/* A caller's own id is taken over if it fits, so that its logs and ours agree. */
static void choose_id(struct http_request *req)
{
    struct str wanted = http_header(&req->headers, "X-Request-Id");
    bool good = wanted.len > 0 && wanted.len < sizeof(req->request_id);

    for (size_t i = 0; good && i < wanted.len; i++)
        good = char_is_alnum(wanted.ptr[i]) || memchr("_.-", wanted.ptr[i], 3);
    if (good)
        memcpy(req->request_id, wanted.ptr, wanted.len);
    else
        ulid_make(loop_env(fiber_loop()), req->request_id);
}

static void fill_request(struct http_request *req, const struct http_head *head)
{
    const struct env *env = loop_env(fiber_loop());

    req->method = head->method;
    req->method_name = head->method_name;
    req->target = head->target;
    req->path = head->path;
    req->query = head->query;
    req->headers = head->headers;
    req->start_ns = env->mono_ns(env->ctx);
    req->connection->minor = head->minor;
    req->connection->last = !head->keep_alive;
    req->connection->headless = head->method == HTTP_HEAD;
    choose_id(req);
}

static void handle(struct http_connection *conn, struct http_request *req)
{
    struct log_context *log = fiber_log_context();

    snprintf(log->request_id, sizeof(log->request_id), "%s", req->request_id);
    conn->server->active++;
    conn->handling = true;
    conn->server->handler(req, conn->server->ctx);
    fiber_set_deadline(FIBER_NO_DEADLINE);
    if (!req->responded && !conn->gone && fiber_is_cancelled()) {
        respond_problem(req, 503, "the server is stopping; try again");
    } else if (!req->responded && !conn->gone) {
        log_error("http.unanswered", LOG_STR("path", req->path));
        respond_problem(req, 500, "the request was not answered; the log says more");
    }
    conn->handling = false;
    conn->server->active--;
    *log = (struct log_context){{0}, {0}};
}

static void refuse(struct http_connection *conn, struct http_request *req, int status)
{
    char detail[sizeof(err_get()->message)];

    snprintf(detail, sizeof(detail), "%s", err_message());
    if (req->request_id[0] == '\0')
        ulid_make(loop_env(conn->server->loop), req->request_id);
    if (status == 408)
        snprintf(detail, sizeof(detail), "the request did not arrive in time");
    conn->last = true;
    respond_problem(req, status, detail);
    connection_linger(conn);
}

/* One request and its answer. False when the connection is to end. */
static bool serve(struct http_connection *conn, struct arena *arena)
{
    struct http_request req = {
        .arena = arena, .peer = str_from(conn->peer), .tls = conn->tls != NULL, .connection = conn};
    struct consumed consumed = {0};
    struct http_head head;
    int status = 0;
    int rc;

    conn->headless = conn->open = false;
    conn->minor = 1;
    rc = read_head(conn, arena, &head, &status);
    if (rc == 0) {
        fill_request(&req, &head);
        rc = read_body(conn, &head, arena, &req.body, &consumed, &status);
    }
    if (rc != 0) {
        if (status != 0)
            refuse(conn, &req, status);
        return false;
    }
    handle(conn, &req);
    keep_rest(conn, &consumed);
    if (!conn->last && !conn->gone && !conn->open && !fiber_is_cancelled())
        return true;
    if (conn->readable || conn->in.len > 0)
        connection_linger(conn);
    return false;
}

void connection_main(void *arg)
{
    struct http_connection *conn = arg;
    struct http_server *server = conn->server;
    struct arena arena;
    bool more = connection_open(conn) == 0;

    while (more) {
        arena_init(&arena);
        more = serve(conn, &arena);
        arena_deinit(&arena);
    }
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    connection_close(conn);
    __atomic_fetch_sub(&server->connections, 1, __ATOMIC_RELAXED);
    if (server->stopper)
        fiber_wake(server->stopper);
}
