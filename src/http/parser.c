#include "http/parser.h"

#include "base/err.h"
#include "http/chars.h"

enum { MAX_METHOD = 32 };

/* What framing depends on, collected while the fields go by. */
struct framing {
    int hosts, lengths, codings;
    bool close, keep_alive;
};

static int fail(int status, int *ret_status, const char *message)
{
    *ret_status = status;
    return err_set(ERR_PROTOCOL, "%s", message);
}

/* Where the head ends, behind its empty line. Line ends are judged here, before anything else, so
 * that the verdict does not depend on how the bytes were cut into reads. */
static int find_end(struct str bytes, size_t start, size_t scan_from, size_t max_head,
    size_t *ret_end, int *ret_status)
{
    size_t limit = MIN(bytes.len, max_head);
    size_t pos = MAX(start, scan_from);

    while (pos < limit) {
        const char *lf = memchr(bytes.ptr + pos, '\n', limit - pos);
        if (!lf)
            break;
        pos = (size_t)(lf - bytes.ptr) + 1;
        if (pos < start + 2 || lf[-1] != '\r')
            return fail(400, ret_status, "a line ends in LF without CR");
        if (pos >= start + 4 && lf[-2] == '\n') {
            *ret_end = pos;
            return 0;
        }
    }
    if (bytes.len < max_head)
        return HTTP_PARSE_MORE;
    if (!memchr(bytes.ptr + start, '\n', max_head > start ? max_head - start : 0))
        return fail(414, ret_status, "the request line is too long");
    return fail(431, ret_status, "the header fields are too large");
}

static bool percent_decode(struct arena *arena, struct str raw, bool plus, struct str *ret_text)
{
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? http_hex_digit(raw.ptr[i + 1]) : -1;
            int low = high >= 0 ? http_hex_digit(raw.ptr[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    *ret_text = (struct str){out, len};
    return true;
}

/* The part of an absolute-form target (RFC 9112 section 3.2.2) from its path on. */
static bool skip_authority(struct str *target)
{
    ptrdiff_t scheme = str_find(*target, STR("://"), 0);
    size_t pos;

    if (!str_starts_nocase(*target, STR("http://")) && !str_starts_nocase(*target, STR("https://")))
        return false;
    pos = (size_t)scheme + 3;
    while (pos < target->len && target->ptr[pos] != '/' && target->ptr[pos] != '?')
        pos++;
    if (pos == (size_t)scheme + 3)
        return false;
    *target = str_slice(*target, pos, target->len);
    return true;
}

static int parse_target(struct arena *arena, struct http_head *head, int *ret_status)
{
    struct str rest = head->target, path;
    ptrdiff_t question;

    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] <= ' ' || rest.ptr[i] >= 0x7f || rest.ptr[i] == '#')
            return fail(400, ret_status, "the request target has a byte that is not allowed");
    if (str_is(head->method_name, "CONNECT"))
        return fail(501, ret_status, "this server is no proxy");
    if (str_is(rest, "*") && head->method == HTTP_OPTIONS)
        rest = STR("/");
    else if (rest.ptr[0] != '/' && !skip_authority(&rest))
        return fail(400, ret_status, "the request target is no path");
    question = str_find_char(rest, '?', 0);
    path = question < 0 ? rest : str_slice(rest, 0, (size_t)question);
    head->query = question < 0 ? STR("") : str_slice(rest, (size_t)question + 1, rest.len);
    if (path.len == 0)
        path = STR("/");
    if (str_find_char(path, '%', 0) >= 0 && !percent_decode(arena, path, false, &path))
        return fail(400, ret_status, "the path has a wrong percent encoding");
    head->path = path;
    return 0;
}

static int parse_version(struct str version, struct http_head *head, int *ret_status)
{
    if (version.len != 8 || !str_starts(version, STR("HTTP/")) || !char_is_digit(version.ptr[5]) ||
        version.ptr[6] != '.' || !char_is_digit(version.ptr[7]))
        return fail(400, ret_status, "the request line does not end in an HTTP version");
    if (version.ptr[5] != '1' || version.ptr[7] > '1')
        return fail(505, ret_status, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    head->minor = version.ptr[7] - '0';
    return 0;
}

static int parse_request_line(
    struct str line, struct arena *arena, struct http_head *head, int *ret_status)
{
    ptrdiff_t first = str_find_char(line, ' ', 0), second;
    int rc;

    second = first < 0 ? -1 : str_find_char(line, ' ', (size_t)first + 1);
    if (first <= 0 || second <= first + 1)
        return fail(400, ret_status, "the request line is not METHOD TARGET VERSION");
    head->method_name = str_slice(line, 0, (size_t)first);
    head->target = str_slice(line, (size_t)first + 1, (size_t)second);
    for (size_t i = 0; i < head->method_name.len; i++)
        if (!http_is_token_char(head->method_name.ptr[i]))
            return fail(400, ret_status, "the method has a byte that is not allowed");
    rc = parse_version(str_slice(line, (size_t)second + 1, line.len), head, ret_status);
    if (rc != 0)
        return rc;
    if (head->method_name.len > MAX_METHOD)
        return fail(501, ret_status, "the method is not known");
    head->method = http_method_parse(head->method_name);
    return parse_target(arena, head, ret_status);
}

static int take_length(struct str value, struct http_head *head, int *ret_status)
{
    int64_t length;

    for (size_t i = 0; i < value.len; i++)
        if (!char_is_digit(value.ptr[i]))
            return fail(400, ret_status, "Content-Length is not a decimal number");
    if (value.len == 0)
        return fail(400, ret_status, "Content-Length is empty");
    if (!str_to_i64(value, &length))
        return fail(413, ret_status, "Content-Length is too large");
    head->has_length = true;
    head->content_length = (uint64_t)length;
    return 0;
}

static int take_coding(struct str value, struct http_head *head, int *ret_status)
{
    ptrdiff_t comma = str_rfind_char(value, ',');
    struct str last = str_trim(str_slice(value, (size_t)(comma + 1), value.len));

    if (!str_eq_nocase(last, STR("chunked")))
        return fail(400, ret_status, "the last transfer coding must be chunked");
    if (comma >= 0 && str_find_nocase(str_slice(value, 0, (size_t)comma), STR("chunked"), 0) >= 0)
        return fail(400, ret_status, "chunked may be applied only once");
    if (comma >= 0)
        return fail(501, ret_status, "no transfer coding but chunked is understood");
    head->chunked = true;
    return 0;
}

static int take_connection(struct str value, struct framing *framing)
{
    struct str part;

    while (str_next(&value, ',', &part)) {
        part = str_trim(part);
        framing->close |= str_eq_nocase(part, STR("close"));
        framing->keep_alive |= str_eq_nocase(part, STR("keep-alive"));
    }
    return 0;
}

static int take_host(struct str value, int *ret_status)
{
    static const char wrong[] = " \t/\\@?#,<>\"";

    for (size_t i = 0; i < value.len; i++)
        if (memchr(wrong, value.ptr[i], sizeof(wrong) - 1))
            return fail(400, ret_status, "Host is not a host name and port");
    return 0;
}

/* Look at the fields that framing depends on; by length first, as most are others. */
static int take_field(const struct http_header *field, struct framing *framing,
    struct http_head *head, int *ret_status)
{
    switch (field->name.len) {
    case 4:
        if (!str_eq_nocase(field->name, STR("host")))
            return 0;
        framing->hosts++;
        return take_host(field->value, ret_status);
    case 6:
        if (str_eq_nocase(field->name, STR("expect")))
            head->expect_continue = str_eq_nocase(field->value, STR("100-continue"));
        return 0;
    case 10:
        if (str_eq_nocase(field->name, STR("connection")))
            return take_connection(field->value, framing);
        return 0;
    case 14:
        if (!str_eq_nocase(field->name, STR("content-length")))
            return 0;
        framing->lengths++;
        return take_length(field->value, head, ret_status);
    case 17:
        if (!str_eq_nocase(field->name, STR("transfer-encoding")))
            return 0;
        framing->codings++;
        return take_coding(field->value, head, ret_status);
    default:
        return 0;
    }
}

static int check_framing(const struct framing *framing, struct http_head *head, int *ret_status)
{
    if (framing->lengths > 1)
        return fail(400, ret_status, "Content-Length is repeated");
    if (framing->codings > 1)
        return fail(400, ret_status, "Transfer-Encoding is repeated");
    if (framing->lengths > 0 && framing->codings > 0)
        return fail(400, ret_status, "Content-Length and Transfer-Encoding exclude each other");
    if (head->minor == 0 && framing->codings > 0)
        return fail(400, ret_status, "HTTP/1.0 has no Transfer-Encoding");
    if (framing->hosts > 1)
        return fail(400, ret_status, "Host is repeated");
    if (head->minor == 1 && framing->hosts == 0)
        return fail(400, ret_status, "Host is missing");
    head->keep_alive = !framing->close && (head->minor == 1 || framing->keep_alive);
    head->expect_continue = head->expect_continue && head->minor == 1;
    return 0;
}

static int parse_field(struct str line, struct http_header *ret_field, int *ret_status)
{
    size_t colon = 0;

    while (colon < line.len && http_is_token_char(line.ptr[colon]))
        colon++;
    if (colon == 0 || colon == line.len || line.ptr[colon] != ':')
        return fail(400, ret_status, "a header line is not NAME: VALUE");
    for (size_t i = colon + 1; i < line.len; i++)
        if (!http_is_value_char(line.ptr[i]))
            return fail(400, ret_status, "a header value has a control byte");
    ret_field->name = str_slice(line, 0, colon);
    ret_field->value = str_trim(str_slice(line, colon + 1, line.len));
    return 0;
}

static int parse_fields(struct str rest, size_t max_headers, struct arena *arena,
    struct http_head *head, int *ret_status)
{
    struct framing framing = {0};
    struct http_headers *fields = &head->headers;
    size_t cap = 0;

    while (rest.len > 2) {
        size_t end = (size_t)str_find_char(rest, '\n', 0);
        if (fields->count == max_headers)
            return fail(431, ret_status, "there are too many header fields");
        if (fields->count == cap) {
            size_t size = sizeof(struct http_header);
            size_t new_cap = MAX(16, 2 * cap);
            fields->items = arena_grow(arena, fields->items, cap * size, new_cap * size);
            cap = new_cap;
        }
        struct http_header *field = &fields->items[fields->count++];
        int rc = parse_field(str_slice(rest, 0, end - 1), field, ret_status);
        if (rc == 0)
            rc = take_field(field, &framing, head, ret_status);
        if (rc != 0)
            return rc;
        rest = str_slice(rest, end + 1, rest.len);
    }
    return check_framing(&framing, head, ret_status);
}

int http_parse_head(struct str bytes, size_t scan_from, size_t max_head, size_t max_headers,
    struct arena *arena, struct http_head *ret_head, int *ret_status)
{
    struct http_head head = {0};
    size_t start = 0, end = 0, line_end;
    struct str line;
    int rc;

    /* Empty lines before a request are passed over (RFC 9112 section 2.2). */
    while (start + 1 < bytes.len && bytes.ptr[start] == '\r' && bytes.ptr[start + 1] == '\n')
        start += 2;
    /* Said at the first byte already, so that whoever speaks TLS to this port learns it at once. */
    if (start < bytes.len && !http_is_token_char(bytes.ptr[start]) &&
        (bytes.ptr[start] != '\r' || start + 1 < bytes.len))
        return fail(400, ret_status, "this is no HTTP request; is it TLS to a port without it?");
    rc = find_end(bytes, start, scan_from, max_head, &end, ret_status);
    if (rc != 0)
        return rc;
    line_end = (size_t)str_find_char(bytes, '\n', start);
    line = str_slice(bytes, start, line_end - 1);
    rc = parse_request_line(line, arena, &head, ret_status);
    if (rc == 0)
        rc = parse_fields(
            str_slice(bytes, line_end + 1, end), max_headers, arena, &head, ret_status);
    if (rc != 0)
        return rc;
    head.head_len = end;
    *ret_head = head;
    return 0;
}

bool http_query_get(struct arena *arena, struct str query, const char *name, struct str *ret_value)
{
    struct str pair, key, value;

    while (str_next(&query, '&', &pair)) {
        ptrdiff_t equals = str_find_char(pair, '=', 0);
        key = equals < 0 ? pair : str_slice(pair, 0, (size_t)equals);
        value = equals < 0 ? STR("") : str_slice(pair, (size_t)equals + 1, pair.len);
        if (!percent_decode(arena, key, true, &key) || !str_is(key, name))
            continue;
        return percent_decode(arena, value, true, ret_value);
    }
    return false;
}
