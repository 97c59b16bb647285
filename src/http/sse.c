#include "http/sse.h"

int sse_begin(struct http_request *req)
{
    static const struct http_header headers[] = {
        {STR("Cache-Control"), STR("no-store")},
        {STR("X-Accel-Buffering"), STR("no")},
    };

    return http_stream_begin(req, 200, "text/event-stream", headers, ARRAY_LEN(headers));
}

/* One field a line; CR, LF and CRLF all end a line for the reader (section 9.2.6), so each does
 * here. */
static void add_data(struct buf *out, struct str data)
{
    size_t from = 0;

    for (size_t i = 0; i <= data.len; i++) {
        if (i < data.len && data.ptr[i] != '\n' && data.ptr[i] != '\r')
            continue;
        buf_add_str(out, STR("data: "));
        buf_add(out, data.ptr + from, i - from);
        buf_add_char(out, '\n');
        if (i + 1 < data.len && data.ptr[i] == '\r' && data.ptr[i + 1] == '\n')
            i++;
        from = i + 1;
    }
}

int sse_send(struct http_request *req, const char *event, int64_t id, struct str data)
{
    struct buf out = BUF_HEAP;
    int rc;

    if (event) {
        buf_add_str(&out, STR("event: "));
        buf_add_cstr(&out, event);
        buf_add_char(&out, '\n');
    }
    if (id >= 0) {
        buf_add_str(&out, STR("id: "));
        buf_add_i64(&out, id);
        buf_add_char(&out, '\n');
    }
    add_data(&out, data);
    buf_add_char(&out, '\n');
    rc = http_stream_write(req, buf_str(&out));
    buf_deinit(&out);
    return rc;
}

int sse_ping(struct http_request *req)
{
    return http_stream_write(req, STR(":\n\n"));
}
