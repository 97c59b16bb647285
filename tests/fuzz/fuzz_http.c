/* The HTTP parser must give the same verdict however the bytes were cut into reads.
 *
 * The input is a request. The head is parsed whole and at every split (of its first bytes); what
 * follows it, or the whole input, is decoded as a chunked body at once, byte by byte, and in two
 * parts.
 */
#include "base/err.h"
#include "http/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEAD = 4 * KIB, MAX_FIELDS = 50, MAX_SPLITS = 256, MAX_BODY = 64 * KIB };

struct verdict {
    int rc, status;
    size_t len;
};

static void check(bool same)
{
    if (!same)
        abort();
}

static struct verdict parse(
    struct arena *arena, struct str bytes, size_t scan_from, struct http_head *head)
{
    struct verdict v = {0};

    v.rc = http_parse_head(bytes, scan_from, MAX_HEAD, MAX_FIELDS, arena, head, &v.status);
    if (v.rc == 0)
        v.len = head->head_len;
    return v;
}

static bool same(struct verdict a, struct verdict b)
{
    return a.rc == b.rc && a.status == b.status && a.len == b.len;
}

static void check_head(struct arena *arena, struct str input, struct str *ret_rest)
{
    struct http_head head = {0}, other = {0};
    struct verdict whole = parse(arena, input, 0, &head);

    for (size_t cut = 0; cut < MIN(input.len, MAX_SPLITS); cut++) {
        struct verdict first = parse(arena, str_slice(input, 0, cut), 0, &other);
        if (first.rc == HTTP_PARSE_MORE)
            check(same(parse(arena, input, cut, &other), whole));
        else
            check(same(first, whole));
    }
    if (whole.rc != 0)
        return;
    check(head.path.len > 0 && head.path.ptr[0] == '/');
    check(!(head.chunked && head.has_length));
    check(head.head_len <= input.len && head.headers.count <= MAX_FIELDS);
    *ret_rest = str_slice(input, head.head_len, input.len);
}

static struct verdict decode(struct str bytes, size_t first, size_t step, struct buf *out)
{
    struct http_chunked decoder;
    struct verdict v = {.rc = HTTP_PARSE_MORE};

    http_chunked_init(&decoder);
    for (size_t pos = 0; pos < bytes.len && v.rc == HTTP_PARSE_MORE;) {
        size_t count = pos == 0 && first > 0 ? first : step;
        size_t used = 0;
        v.rc =
            http_chunked_feed(&decoder, str_slice(bytes, pos, pos + count), MAX_BODY, out, &used);
        v.len += used;
        pos += count;
    }
    if (v.rc < 0)
        v.len = 0;
    return v;
}

static void check_chunked(struct arena *arena, struct str bytes)
{
    struct buf whole = BUF_IN(arena), other = BUF_IN(arena);
    struct verdict v = decode(bytes, 0, bytes.len + 1, &whole);

    check(whole.len <= MAX_BODY);
    check(same(decode(bytes, 0, 1, &other), v) && str_eq(buf_str(&other), buf_str(&whole)));
    for (size_t cut = 1; cut < MIN(bytes.len, 64); cut++) {
        buf_clear(&other);
        check(same(decode(bytes, cut, bytes.len, &other), v));
        check(str_eq(buf_str(&other), buf_str(&whole)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size}, rest = input, value;
    struct arena arena;

    arena_init(&arena);
    check_head(&arena, input, &rest);
    check_chunked(&arena, rest);
    if (http_query_get(&arena, input, "a", &value))
        check(value.len <= input.len);
    arena_deinit(&arena);
    return 0;
}
