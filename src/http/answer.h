/* Strict HTTP/1.1 response-head parser, on bytes; no I/O, fuzzed on its own. Private to src/http.
 *
 * As strict about framing as the request parser (RFC 9112 sections 4 to 6): an answer whose length
 * two parsers could read differently is refused.
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include "http/http.h"

struct http_answer {
    int status; /* 100 to 599 */
    struct http_headers headers;
    bool keep_alive;
    bool chunked;
    bool has_length;
    uint64_t content_length;
    size_t head_len; /* bytes up to and including the empty line */
};

/* Parse the head at the start of bytes; scan_from: how much earlier calls have seen (0 at first).
 * 0, HTTP_PARSE_MORE, or ERR_PROTOCOL. Strings are copied to arena. */
MUST_CHECK int http_parse_answer(
    struct str bytes, size_t scan_from, struct arena *arena, struct http_answer *ret_answer);
/* The status of a head that may be incomplete; 0 when its first line is. */
int http_answer_status(struct str bytes);

#endif
