#include "text/sse.h"

#include "base/err.h"

void sse_parser_init(struct sse_parser *parser, size_t max_event)
{
    *parser = (struct sse_parser){.max_event = max_event};
}

void sse_parser_deinit(struct sse_parser *parser)
{
    buf_deinit(&parser->line);
    buf_deinit(&parser->data);
    buf_deinit(&parser->event);
    buf_deinit(&parser->id);
}

/* An empty line ends an event; without a data field there is none. The id stays for later events.
 */
static int dispatch(
    struct sse_parser *parser, int (*on_event)(const struct sse_event *event, void *ctx), void *ctx)
{
    int rc = 0;
    if (parser->any_data) {
        struct str data = buf_str(&parser->data);
        data.len--; /* the newline behind the last data field */
        struct sse_event event = {buf_str(&parser->event), buf_str(&parser->id), data};
        rc = on_event(&event, ctx);
    }
    buf_clear(&parser->data);
    buf_clear(&parser->event);
    parser->any_data = false;
    return rc;
}

static int take_field(struct sse_parser *parser, struct str name, struct str value)
{
    if (str_is(name, "data")) {
        if (value.len + 1 > parser->max_event - MIN(parser->data.len, parser->max_event))
            return err_set(
                ERR_TOO_LARGE, "a server-sent event is longer than %zu bytes", parser->max_event);
        buf_add_str(&parser->data, value);
        buf_add_char(&parser->data, '\n');
        parser->any_data = true;
    } else if (str_is(name, "event")) {
        buf_clear(&parser->event);
        buf_add_str(&parser->event, value);
    } else if (str_is(name, "id") && str_find_char(value, '\0', 0) < 0) {
        buf_clear(&parser->id);
        buf_add_str(&parser->id, value);
    } else if (str_is(name, "retry")) {
        int64_t ms;

        if (str_to_i64(value, &ms) && ms >= 0)
            parser->retry_ms = ms;
    }
    return 0;
}

static int take_line(struct sse_parser *parser, struct str line,
    int (*on_event)(const struct sse_event *event, void *ctx), void *ctx)
{
    if (!parser->started && str_starts(line, STR("\xEF\xBB\xBF")))
        line = str_slice(line, 3, line.len);
    parser->started = true;
    if (str_empty(line))
        return dispatch(parser, on_event, ctx);
    ptrdiff_t colon = str_find_char(line, ':', 0);
    if (colon < 0)
        return take_field(parser, line, STR(""));
    struct str value = str_slice(line, (size_t)colon + 1, line.len);
    if (str_starts(value, STR(" ")))
        value = str_slice(value, 1, value.len);
    /* A comment has an empty name, which take_field() ignores like any unknown one. */
    return take_field(parser, str_slice(line, 0, (size_t)colon), value);
}

static size_t line_end(struct str bytes, size_t from)
{
    while (from < bytes.len && bytes.ptr[from] != '\n' && bytes.ptr[from] != '\r')
        from++;
    return from;
}

/* Lines that lie whole in bytes are taken from there, without a copy. */
static int end_line(struct sse_parser *parser, struct str tail,
    int (*on_event)(const struct sse_event *event, void *ctx), void *ctx)
{
    if (parser->line.len == 0)
        return take_line(parser, tail, on_event, ctx);
    buf_add_str(&parser->line, tail);
    int rc = take_line(parser, buf_str(&parser->line), on_event, ctx);
    buf_clear(&parser->line);
    return rc;
}

int sse_parser_feed(struct sse_parser *parser, struct str bytes,
    int (*on_event)(const struct sse_event *event, void *ctx), void *ctx)
{
    size_t pos = 0;
    while (pos < bytes.len) {
        if (parser->after_cr && bytes.ptr[pos] == '\n')
            pos++; /* the second half of CRLF */
        parser->after_cr = false;
        size_t end = line_end(bytes, pos);
        struct str piece = str_slice(bytes, pos, end);
        /* "data: " and its kin come on top of the event's own bytes. */
        if (parser->line.len + piece.len > parser->max_event + 16)
            return err_set(ERR_TOO_LARGE, "a line of an event stream is longer than %zu bytes",
                parser->max_event);
        if (end == bytes.len) {
            buf_add_str(&parser->line, piece);
            return 0;
        }
        parser->after_cr = bytes.ptr[end] == '\r';
        pos = end + 1;
        int rc = end_line(parser, piece, on_event, ctx);
        if (rc != 0)
            return rc;
    }
    return 0;
}
