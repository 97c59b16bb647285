#include "text/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int note(const struct sse_event *event, void *ctx)
{
    buf_printf(
        ctx, "[%.*s|%.*s|%.*s]", STR_ARG(event->event), STR_ARG(event->id), STR_ARG(event->data));
    return 0;
}

static int feed(struct str bytes, size_t step, struct buf *out)
{
    struct sse_parser parser;
    int rc = 0;
    sse_parser_init(&parser, 4096);
    for (size_t pos = 0; pos < bytes.len && rc == 0; pos += step)
        rc = sse_parser_feed(&parser, str_slice(bytes, pos, MIN(pos + step, bytes.len)), note, out);
    sse_parser_deinit(&parser);
    return rc;
}

/* However the bytes are cut, the same events come out. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text = {(const char *)bytes, len};
    struct buf whole = BUF_HEAP, pieces = BUF_HEAP;
    int rc = feed(text, len + 1, &whole);
    if (feed(text, 1, &pieces) != rc || !str_eq(buf_str(&whole), buf_str(&pieces)))
        abort();
    buf_deinit(&whole);
    buf_deinit(&pieces);
    return 0;
}
