#include "base/err.h"
#include "http/chars.h"
#include "http/parser.h"

/* chunk = size [ *( ";" name [ "=" ( token / quoted-string ) ] ) ] CRLF data CRLF, and after the
 * last chunk (size 0) trailer fields, which are checked and dropped, and an empty line. */
enum state {
    SIZE_FIRST,
    SIZE,
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
};

enum { MAX_SIZE_DIGITS = 15, MAX_EXTENSION = 256, MAX_TRAILER = 8 * KIB };

void http_chunked_init(struct http_chunked *decoder)
{
    *decoder = (struct http_chunked){.state = SIZE_FIRST};
}

static int fail(const char *message)
{
    return err_set(ERR_PROTOCOL, "%s", message);
}

static int take_digit(struct http_chunked *d, char c, bool first)
{
    int digit = http_hex_digit(c);

    if (digit < 0)
        return fail("a chunk size is not hexadecimal");
    if (first) {
        d->left = 0;
        d->line = 0;
    }
    if (++d->line > MAX_SIZE_DIGITS)
        return fail("a chunk size has too many digits");
    d->left = d->left * 16 + (uint64_t)digit;
    d->state = SIZE;
    return 0;
}

/* Behind a size or an extension: another extension or the line's end. */
static int after_item(struct http_chunked *d, char c)
{
    if (c == ';')
        d->state = EXT_NAME_FIRST;
    else if (c == '\r')
        d->state = SIZE_LF;
    else
        return fail("a chunk size line has a byte that is not allowed");
    return 0;
}

static int take_extension(struct http_chunked *d, char c)
{
    bool token = http_is_token_char(c);

    if (++d->line > MAX_SIZE_DIGITS + MAX_EXTENSION)
        return fail("a chunk extension is too long");
    switch (d->state) {
    case EXT_NAME_FIRST:
    case EXT_VALUE_FIRST:
        if (c == '"' && d->state == EXT_VALUE_FIRST)
            d->state = EXT_QUOTED;
        else if (token)
            d->state++; /* EXT_NAME or EXT_VALUE */
        else
            return fail("a chunk extension has a byte that is not allowed");
        return 0;
    case EXT_NAME:
        if (c == '=')
            d->state = EXT_VALUE_FIRST;
        return token || c == '=' ? 0 : after_item(d, c);
    case EXT_VALUE:
        return token ? 0 : after_item(d, c);
    case EXT_QUOTED:
        if (!http_is_value_char(c))
            return fail("a chunk extension has a control byte");
        if (c == '"')
            d->state = EXT_QUOTED_END;
        else if (c == '\\')
            d->state = EXT_ESCAPED;
        return 0;
    case EXT_ESCAPED:
        if (!http_is_value_char(c))
            return fail("a chunk extension has a control byte");
        d->state = EXT_QUOTED;
        return 0;
    default:
        return after_item(d, c);
    }
}

static int end_size_line(struct http_chunked *d, char c, uint64_t max_total)
{
    if (c != '\n')
        return fail("a chunk size line does not end in CRLF");
    if (d->left > max_total - MIN(d->total, max_total))
        return err_set(
            ERR_TOO_LARGE, "the body is larger than %llu bytes", (unsigned long long)max_total);
    d->line = 0;
    d->state = d->left > 0 ? DATA : TRAILER_FIRST;
    return 0;
}

static int take_trailer(struct http_chunked *d, char c)
{
    if (++d->line > MAX_TRAILER)
        return fail("the trailer fields are too large");
    switch (d->state) {
    case TRAILER_FIRST:
    case TRAILER_NAME:
        if (c == '\r' && d->state == TRAILER_FIRST)
            d->state = END_LF;
        else if (c == ':' && d->state == TRAILER_NAME)
            d->state = TRAILER_VALUE;
        else if (http_is_token_char(c))
            d->state = TRAILER_NAME;
        else
            return fail("a trailer line is not NAME: VALUE");
        return 0;
    case TRAILER_VALUE:
        if (c == '\r')
            d->state = TRAILER_LF;
        return c == '\r' || http_is_value_char(c) ? 0 : fail("a trailer value has a control byte");
    default: /* TRAILER_LF, END_LF */
        if (c != '\n')
            return fail("a trailer line does not end in CRLF");
        d->state = d->state == END_LF ? DONE : TRAILER_FIRST;
        return 0;
    }
}

static int take_byte(struct http_chunked *d, char c, uint64_t max_total)
{
    switch (d->state) {
    case SIZE_FIRST:
        return take_digit(d, c, true);
    case SIZE:
        return http_hex_digit(c) >= 0 ? take_digit(d, c, false) : after_item(d, c);
    case SIZE_LF:
        return end_size_line(d, c, max_total);
    case DATA_CR:
        d->state = DATA_LF;
        return c == '\r' ? 0 : fail("chunk data is longer than its size says");
    case DATA_LF:
        d->state = SIZE_FIRST;
        return c == '\n' ? 0 : fail("chunk data does not end in CRLF");
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
    case END_LF:
        return take_trailer(d, c);
    default:
        return take_extension(d, c);
    }
}

int http_chunked_feed(struct http_chunked *decoder, struct str bytes, uint64_t max_total,
    struct buf *out, size_t *ret_used)
{
    struct http_chunked *d = decoder;
    size_t pos = 0;

    while (pos < bytes.len && d->state != DONE) {
        if (d->state == DATA) {
            size_t count = (size_t)MIN(d->left, bytes.len - pos);
            buf_add(out, bytes.ptr + pos, count);
            pos += count;
            d->total += count;
            d->left -= count;
            if (d->left == 0)
                d->state = DATA_CR;
            continue;
        }
        int rc = take_byte(d, bytes.ptr[pos++], max_total);
        if (rc != 0)
            return rc;
    }
    *ret_used = pos;
    return d->state == DONE ? 0 : HTTP_PARSE_MORE;
}
