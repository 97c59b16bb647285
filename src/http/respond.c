#include "base/err.h"
#include "base/json.h"
#include "http/connection.h"

static const char *server_date(struct http_server *server)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t second = env_wall_ms(loop_env(server->loop)) / 1000;

    if (second != server->date_second) {
        struct civil c = civil_from_s(second);
        server->date_second = second;
        snprintf(server->date, sizeof(server->date), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
            days + 3 * civil_weekday(c.year, c.month, c.day), c.day, months + 3 * (c.month - 1),
            c.year, c.hour, c.minute, c.second);
    }
    return server->date;
}

/* A line break in a value would begin another header: control bytes become spaces. */
static void add_value(struct buf *out, struct str value)
{
    char *room = buf_reserve(out, value.len);

    for (size_t i = 0; i < value.len; i++)
        room[i] = (unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f ? ' ' : value.ptr[i];
    out->len += value.len;
}

static void add_field(struct buf *out, struct str name, struct str value)
{
    buf_add_str(out, name);
    buf_add(out, ": ", 2);
    add_value(out, value);
    buf_add(out, "\r\n", 2);
}

static bool has_no_body(const struct http_connection *conn, int status)
{
    return conn->headless || status == 204 || status == 304 || status < 200;
}

static void add_head(struct buf *out, struct http_request *req, int status,
    const char *content_type, const struct http_header *extra, size_t extra_count)
{
    struct http_connection *conn = req->connection;

    buf_reserve(out, 512);
    buf_add_str(out, STR("HTTP/1.1 "));
    buf_add_i64(out, status);
    buf_add_char(out, ' ');
    buf_add_cstr(out, http_reason(status));
    buf_add_str(out, STR("\r\nDate: "));
    buf_add_cstr(out, server_date(conn->server));
    buf_add_str(out, STR("\r\nX-Request-Id: "));
    buf_add_cstr(out, req->request_id);
    buf_add_str(out, STR("\r\n"));
    if (content_type)
        add_field(out, STR("Content-Type"), str_from(content_type));
    for (size_t i = 0; i < extra_count; i++)
        add_field(out, extra[i].name, extra[i].value);
    conn->last |= conn->server->draining;
    if (conn->last)
        buf_add_str(out, STR("Connection: close\r\n"));
    else if (conn->minor == 0)
        buf_add_str(out, STR("Connection: keep-alive\r\n"));
}

static int write_out(struct http_request *req, struct iovec *pieces, size_t count)
{
    int rc = connection_write(req->connection, pieces, count);

    if (rc < 0)
        req->connection->last = true;
    return rc;
}

static int begin(struct http_request *req, int status)
{
    if (req->responded)
        return err_set(ERR_INVALID, "the request was answered already");
    req->responded = true;
    req->status = status;
    req->connection->headless = has_no_body(req->connection, status);
    return 0;
}

int http_respond(struct http_request *req, int status, const char *content_type,
    const struct http_header *extra, size_t extra_count, struct str body)
{
    struct buf head = BUF_IN(req->arena);
    struct iovec pieces[2];
    int rc = begin(req, status);

    if (rc != 0)
        return rc;
    add_head(&head, req, status, content_type, extra, extra_count);
    if (status >= 200 && status != 204) {
        buf_add_str(&head, STR("Content-Length: "));
        buf_add_i64(&head, (int64_t)body.len);
        buf_add_str(&head, STR("\r\n"));
    }
    buf_add_str(&head, STR("\r\n"));
    pieces[0] = (struct iovec){head.ptr, head.len};
    pieces[1] = (struct iovec){(char *)(uintptr_t)body.ptr, body.len};
    return write_out(req, pieces, req->connection->headless || body.len == 0 ? 1 : 2);
}

int http_stream_begin(struct http_request *req, int status, const char *content_type,
    const struct http_header *extra, size_t extra_count)
{
    struct http_connection *conn = req->connection;
    struct buf head = BUF_IN(req->arena);
    struct iovec piece;
    int rc = begin(req, status);

    if (rc != 0)
        return rc;
    conn->chunked = conn->minor == 1;
    conn->last |= !conn->chunked;
    conn->open = true;
    add_head(&head, req, status, content_type, extra, extra_count);
    if (conn->chunked && status >= 200 && status != 204)
        buf_add_str(&head, STR("Transfer-Encoding: chunked\r\n"));
    buf_add_str(&head, STR("\r\n"));
    piece = (struct iovec){head.ptr, head.len};
    return write_out(req, &piece, 1);
}

int http_stream_write(struct http_request *req, struct str bytes)
{
    struct http_connection *conn = req->connection;
    char size[20];
    struct iovec pieces[3];

    if (!conn->open)
        return err_set(ERR_INVALID, "no answer is being streamed");
    if (bytes.len == 0 || conn->headless)
        return 0;
    pieces[1] = (struct iovec){(char *)(uintptr_t)bytes.ptr, bytes.len};
    if (!conn->chunked)
        return write_out(req, pieces + 1, 1);
    pieces[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
    pieces[0].iov_base = size;
    pieces[2] = (struct iovec){(char[]){'\r', '\n'}, 2};
    return write_out(req, pieces, 3);
}

int http_stream_end(struct http_request *req)
{
    struct http_connection *conn = req->connection;
    char end[] = "0\r\n\r\n";
    struct iovec piece = {end, sizeof(end) - 1};
    int rc = 0;

    if (!conn->open)
        return err_set(ERR_INVALID, "no answer is being streamed");
    if (conn->chunked && !conn->headless)
        rc = write_out(req, &piece, 1);
    conn->open = rc != 0;
    return rc;
}

void respond_problem(struct http_request *req, int status, const char *detail)
{
    struct buf body = BUF_IN(req->arena);
    struct json_writer w;

    json_init(&w, &body);
    json_object_begin(&w);
    json_cstr_member(&w, "type", "about:blank");
    json_cstr_member(&w, "title", http_reason(status));
    json_i64_member(&w, "status", status);
    json_cstr_member(&w, "detail", detail);
    json_cstr_member(&w, "request_id", req->request_id);
    json_object_end(&w);
    if (http_respond(req, status, "application/problem+json", NULL, 0, buf_str(&body)) != 0)
        log_debug("http.unsent", LOG_I64("status", status), LOG_ERR);
}
