/* Server-sent events (WHATWG HTML, section 9.2): the writing side. The parser is text/sse.h. */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "http/server.h"

/* 200, text/event-stream, no-store, X-Accel-Buffering: no. Yields. Errors as http_stream_*. */
int sse_begin(struct http_request *req);
/* One event; data may hold newlines. id < 0: none. Yields. */
int sse_send(struct http_request *req, const char *event, int64_t id, struct str data);
/* A comment line, keeps proxies awake. Yields. */
int sse_ping(struct http_request *req);

#endif
