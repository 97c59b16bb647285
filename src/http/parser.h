/* Strict HTTP/1.1 request-head parser and body framing, on bytes; no I/O, fuzzed on its own.
 *
 * Rejects what lets two parsers disagree (RFC 9112 sections 2, 5, 6, 11.2): both Content-Length and
 * Transfer-Encoding, repeated or signed or non-decimal Content-Length, any coding but a single
 * final "chunked", bare CR or LF, obs-fold, white space before the colon or at a line's start, NUL
 * and control bytes, a missing or repeated Host in HTTP/1.1, chunk extensions longer than 256
 * bytes. Every result is in terms of HTTP status: 400, 413, 414, 431, 501, 505.
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include "http/http.h"

enum { HTTP_PARSE_MORE = 1 /* the head is not complete yet */ };

struct http_head {
    enum http_method method;
    struct str method_name;
    struct str target; /* as sent */
    struct str path;   /* percent-decoded, always begins with '/'; in arena */
    struct str query;  /* raw, without '?' */
    int minor;         /* HTTP/1.minor: 0 or 1 */
    struct http_headers headers;
    bool keep_alive;
    bool chunked;
    bool expect_continue;
    bool has_length;
    uint64_t content_length;
    size_t head_len; /* bytes up to and including the empty line */
};

/* Parse the head at the start of bytes. 0, HTTP_PARSE_MORE, or ERR_PROTOCOL with *ret_status set.
 * Strings point into bytes or arena. scan_from: how much earlier calls have seen (0 at first). */
MUST_CHECK int http_parse_head(struct str bytes, size_t scan_from, size_t max_head,
    size_t max_headers, struct arena *arena, struct http_head *ret_head, int *ret_status);

/* Chunked body decoder (RFC 9112 section 7.1), incremental. */
struct http_chunked {
    int state;
    uint64_t left;  /* of the current chunk */
    uint64_t total; /* decoded so far */
    size_t line;    /* bytes of the current size line or trailer section */
};
void http_chunked_init(struct http_chunked *decoder);
/* Consume from bytes, append data to out. ret_used says how much was consumed. 0 = body complete,
 * HTTP_PARSE_MORE, ERR_PROTOCOL, or ERR_TOO_LARGE beyond max_total. */
MUST_CHECK int http_chunked_feed(struct http_chunked *decoder, struct str bytes, uint64_t max_total,
    struct buf *out, size_t *ret_used);

/* A query or form parameter, percent-decoded, '+' as space. False if absent. */
bool http_query_get(struct arena *arena, struct str query, const char *name, struct str *ret_value);

#endif
