/* Parser of a server-sent event stream (WHATWG HTML, section 9.2.6), byte by byte; no I/O.
 *
 * CR, LF and CRLF end lines, also across feeds; a BOM at the start is skipped; comments are
 * ignored. An event is bounded by max_event bytes.
 */
#ifndef TEXT_SSE_H
#define TEXT_SSE_H

#include "base/buf.h"

struct sse_event {
    struct str event; /* "" means "message" */
    struct str id;
    struct str data; /* lines joined by \n */
};

struct sse_parser {
    struct buf line, data, event, id;
    bool after_cr, any_data, started;
    size_t max_event;
    int64_t retry_ms; /* the last "retry": how long to wait before a reconnection; 0: not said */
};

void sse_parser_init(struct sse_parser *parser, size_t max_event);
void sse_parser_deinit(struct sse_parser *parser);
/* Feed bytes; on_event is called for each finished event and may stop by a non-zero return, which
 * is passed on. ERR_TOO_LARGE beyond max_event. Strings last until on_event returns. */
MUST_CHECK int sse_parser_feed(struct sse_parser *parser, struct str bytes,
    int (*on_event)(const struct sse_event *event, void *ctx), void *ctx);

#endif
