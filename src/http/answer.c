#include "http/answer.h"

#include "base/err.h"
#include "http/chars.h"
#include "http/parser.h"

enum { MAX_HEAD = 64 * KIB, MAX_FIELDS = 256 };

struct framing {
    int lengths, codings, minor;
    bool close, keep_alive;
};

static int fail(const char *message)
{
    return err_set(ERR_PROTOCOL, "%s", message);
}

static int find_end(struct str bytes, size_t scan_from, size_t *ret_end)
{
    size_t limit = MIN(bytes.len, (size_t)MAX_HEAD), pos = scan_from;

    while (pos < limit) {
        const char *lf = memchr(bytes.ptr + pos, '\n', limit - pos);
        if (lf == NULL)
            break;
        pos = (size_t)(lf - bytes.ptr) + 1;
        if (pos < 2 || lf[-1] != '\r')
            return fail("a line of its head ends in LF without CR");
        if (pos >= 4 && lf[-2] == '\n') {
            *ret_end = pos;
            return 0;
        }
    }
    return bytes.len < MAX_HEAD ? HTTP_PARSE_MORE : fail("its head is longer than 64 KiB");
}

/* HTTP-version SP 3DIGIT [ SP reason ]; some servers leave out the last space. */
/* NULL, or what is wrong with it. */
static const char *read_status_line(struct str line, int *ret_status, int *ret_minor)
{
    if (line.len < 12 || !str_starts(line, STR("HTTP/1.")) || !char_is_digit(line.ptr[7]) ||
        line.ptr[8] != ' ' || (line.len > 12 && line.ptr[12] != ' '))
        return "it does not begin with an HTTP/1 status line";
    for (size_t i = 9; i < line.len; i++) {
        if (i < 12 ? !char_is_digit(line.ptr[i]) : !http_is_value_char(line.ptr[i]))
            return "its status line holds a byte that is not allowed";
    }
    int status = (line.ptr[9] - '0') * 100 + (line.ptr[10] - '0') * 10 + (line.ptr[11] - '0');
    if (status < 100 || status > 599)
        return "its status is not between 100 and 599";
    *ret_status = status;
    *ret_minor = line.ptr[7] - '0';
    return NULL;
}

int http_answer_status(struct str bytes)
{
    ptrdiff_t end = str_find(bytes, STR("\r\n"), 0);
    int status = 0, minor = 0;

    if (end < 0 || read_status_line(str_slice(bytes, 0, (size_t)end), &status, &minor) != NULL)
        return 0;
    return status;
}

static int take_length(struct str value, struct http_answer *answer)
{
    int64_t length;

    for (size_t i = 0; i < value.len; i++)
        if (!char_is_digit(value.ptr[i]))
            return fail("its Content-Length is not a decimal number");
    if (value.len == 0 || !str_to_i64(value, &length))
        return fail("its Content-Length is no usable number");
    answer->has_length = true;
    answer->content_length = (uint64_t)length;
    return 0;
}

static void take_connection(struct str value, struct framing *framing)
{
    struct str part;

    while (str_next(&value, ',', &part)) {
        part = str_trim(part);
        framing->close |= str_eq_nocase(part, STR("close"));
        framing->keep_alive |= str_eq_nocase(part, STR("keep-alive"));
    }
}

/* Look at the fields that framing depends on; by length first, as most are others. */
static int take_field(
    const struct http_header *field, struct framing *framing, struct http_answer *answer)
{
    switch (field->name.len) {
    case 10:
        if (str_eq_nocase(field->name, STR("connection")))
            take_connection(field->value, framing);
        return 0;
    case 14:
        if (!str_eq_nocase(field->name, STR("content-length")))
            return 0;
        framing->lengths++;
        return take_length(field->value, answer);
    case 17:
        if (!str_eq_nocase(field->name, STR("transfer-encoding")))
            return 0;
        framing->codings++;
        if (!str_eq_nocase(field->value, STR("chunked")))
            return fail("it has a transfer coding other than chunked");
        answer->chunked = true;
        return 0;
    default:
        return 0;
    }
}

static int parse_field(struct str line, struct http_header *ret_field)
{
    size_t colon = 0;

    while (colon < line.len && http_is_token_char(line.ptr[colon]))
        colon++;
    if (colon == 0 || colon == line.len || line.ptr[colon] != ':')
        return fail("a header line is not NAME: VALUE");
    for (size_t i = colon + 1; i < line.len; i++)
        if (!http_is_value_char(line.ptr[i]))
            return fail("a header value has a control byte");
    ret_field->name = str_slice(line, 0, colon);
    ret_field->value = str_trim(str_slice(line, colon + 1, line.len));
    return 0;
}

static int parse_fields(
    struct str rest, struct arena *arena, struct framing *framing, struct http_answer *answer)
{
    struct http_headers *fields = &answer->headers;
    size_t cap = 0;

    while (rest.len > 2) {
        size_t end = (size_t)str_find_char(rest, '\n', 0);
        if (fields->count == MAX_FIELDS)
            return fail("it has more than 256 header fields");
        if (fields->count == cap) {
            size_t size = sizeof(struct http_header);
            size_t new_cap = MAX(8, 2 * cap);
            fields->items = arena_grow(arena, fields->items, cap * size, new_cap * size);
            cap = new_cap;
        }
        struct http_header *field = &fields->items[fields->count++];
        int rc = parse_field(str_slice(rest, 0, end - 1), field);
        if (rc == 0)
            rc = take_field(field, framing, answer);
        if (rc != 0)
            return rc;
        rest = str_slice(rest, end + 1, rest.len);
    }
    return 0;
}

static int check_framing(const struct framing *framing, struct http_answer *answer)
{
    if (framing->lengths > 1)
        return fail("its Content-Length is repeated");
    if (framing->codings > 1)
        return fail("its Transfer-Encoding is repeated");
    if (framing->lengths > 0 && framing->codings > 0)
        return fail("it has both Content-Length and Transfer-Encoding");
    if (framing->minor == 0 && framing->codings > 0)
        return fail("HTTP/1.0 has no Transfer-Encoding");
    answer->keep_alive = !framing->close && (framing->minor > 0 || framing->keep_alive);
    return 0;
}

int http_parse_answer(
    struct str bytes, size_t scan_from, struct arena *arena, struct http_answer *ret_answer)
{
    static const char start[] = "HTTP/1.";
    struct http_answer answer = {0};
    struct framing framing = {0};
    size_t end = 0;

    /* Said at the first wrong byte: what else speaks on that port may never send a line. */
    if (memcmp(bytes.ptr, start, MIN(bytes.len, sizeof(start) - 1)) != 0)
        return fail("it does not begin with an HTTP/1 status line");
    int rc = find_end(bytes, scan_from, &end);
    if (rc != 0)
        return rc;
    struct str head = str_dup(arena, str_slice(bytes, 0, end));
    size_t line_end = (size_t)str_find_char(head, '\n', 0);
    const char *wrong =
        read_status_line(str_slice(head, 0, line_end - 1), &answer.status, &framing.minor);
    rc = wrong != NULL ? fail(wrong) : 0;
    if (rc == 0)
        rc = parse_fields(str_slice(head, line_end + 1, head.len), arena, &framing, &answer);
    if (rc == 0)
        rc = check_framing(&framing, &answer);
    if (rc != 0)
        return rc;
    answer.head_len = end;
    *ret_answer = answer;
    return 0;
}
