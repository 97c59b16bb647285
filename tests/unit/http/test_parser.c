#include "http/parser.h"
#include "test.h"

static int parse(struct test *t, struct str text, struct http_head *ret_head)
{
    int status = 0;
    int rc = http_parse_head(text, 0, 16 * KIB, 100, t->arena, ret_head, &status);

    return rc == ERR_PROTOCOL ? status : rc;
}

TEST(a_head_with_everything)
{
    struct http_head head;

    REQUIRE_OK(parse(t,
        STR("POST /a%20b/c?x=1&y=%41+z HTTP/1.1\r\nHost: example.org:8080\r\n"
            "Content-Length:  0042 \t\r\nX-Empty:\r\nX-Tab:\ta\tb\t\r\nExpect: "
            "100-Continue\r\n\r\nbody"),
        &head));
    EXPECT_EQ(head.method, HTTP_POST);
    EXPECT_STR(head.target, "/a%20b/c?x=1&y=%41+z");
    EXPECT_STR(head.path, "/a b/c");
    EXPECT_STR(head.query, "x=1&y=%41+z");
    EXPECT_EQ(head.minor, 1);
    EXPECT_EQ(head.headers.count, 5);
    EXPECT_STR(http_header(&head.headers, "HOST"), "example.org:8080");
    EXPECT_STR(http_header(&head.headers, "x-tab"), "a\tb");
    EXPECT(http_header(&head.headers, "x-empty").ptr != NULL);
    EXPECT(http_header(&head.headers, "x-none").ptr == NULL);
    EXPECT(head.has_length && !head.chunked && head.keep_alive && head.expect_continue);
    EXPECT_EQ(head.content_length, 42);
}

TEST(targets)
{
    static const struct {
        const char *line, *path, *query;
    } cases[] = {
        {"GET http://example.org/p?q HTTP/1.1", "/p", "q"},
        {"GET HTTPS://example.org HTTP/1.1", "/", ""},
        {"GET http://example.org?q HTTP/1.1", "/", "q"},
        {"OPTIONS * HTTP/1.1", "/", ""},
        {"GET /? HTTP/1.1", "/", ""},
        {"BREW /%7Epot HTTP/1.0", "/~pot", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head = {0};
        EXPECT_OK(parse(t, str_printf(t->arena, "%s\r\nHost: x\r\n\r\n", cases[i].line), &head));
        EXPECT_STR(head.path, cases[i].path);
        EXPECT_STR(head.query, cases[i].query);
    }
}

TEST(connection_persistence)
{
    static const struct {
        const char *head;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: x , close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head = {0};
        EXPECT_OK(parse(t, str_from(cases[i].head), &head));
        EXPECT_EQ(head.keep_alive, cases[i].keep_alive);
    }
}

/* What must be refused, after "GET / HTTP/1.1\r\nHost: x\r\n" when it begins with '+'. */
TEST(what_lets_two_parsers_disagree_is_refused)
{
    static const struct {
        struct str text;
        int status;
    } cases[] = {
        {STR("+Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
        {STR("+Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
        {STR("+Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
        {STR("+Content-Length: 1, 1\r\n"), 400},
        {STR("+Content-Length: +1\r\n"), 400},
        {STR("+Content-Length: -1\r\n"), 400},
        {STR("+Content-Length: 0x1\r\n"), 400},
        {STR("+Content-Length: 1 1\r\n"), 400},
        {STR("+Content-Length:\r\n"), 400},
        {STR("+Content-Length: 99999999999999999999\r\n"), 413},
        {STR("+Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        {STR("+Transfer-Encoding: chunked, chunked\r\n"), 400},
        {STR("+Transfer-Encoding: chunked, gzip\r\n"), 400},
        {STR("+Transfer-Encoding: xchunked\r\n"), 400},
        {STR("+Transfer-Encoding: identity\r\n"), 400},
        {STR("+Transfer-Encoding:\r\n"), 400},
        {STR("+Transfer-Encoding: gzip, chunked\r\n"), 501},
        {STR("+Transfer-Encoding : chunked\r\n"), 400},
        {STR("+X: a\r\n b\r\n"), 400},
        {STR("+ X: a\r\n"), 400},
        {STR("+X: a\nY: b\r\n"), 400},
        {STR("+X: a\rY: b\r\n"), 400},
        {STR("+X: a\0b\r\n"), 400},
        {STR("+X: a\x7f\r\n"), 400},
        {STR("+X\r\n"), 400},
        {STR("+: x\r\n"), 400},
        {STR("+X(y): x\r\n"), 400},
        {STR("+Host: y\r\n"), 400},
        {STR("GET / HTTP/1.1\r\nX: y\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\nHost: user@x\r\n\r\n"), 400},
        {STR("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1 \r\nHost: x\r\n\r\n"), 400},
        {STR("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR(" GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("G@T / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET /\r\n\r\n"), 400},
        {STR("GET / HTTP/11\r\nHost: x\r\n\r\n"), 400},
        {STR("GET / http/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET / HTTP/1.2\r\nHost: x\r\n\r\n"), 505},
        {STR("GET / HTTP/0.9\r\nHost: x\r\n\r\n"), 505},
        {STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
        {STR("GET * HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET path HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET http:///path HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
        {STR("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"), 501},
        {STR("\n"), 400},
        {STR("GET / HTTP/1.1\n"), 400},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = cases[i].text;
        struct buf whole = BUF_IN(t->arena);
        struct http_head head;
        if (text.ptr[0] == '+') {
            buf_add_str(&whole, STR("GET / HTTP/1.1\r\nHost: x\r\n"));
            buf_add_str(&whole, str_slice(text, 1, text.len));
            buf_add_str(&whole, STR("\r\n"));
        } else {
            buf_add_str(&whole, text);
        }
        if (!EXPECT_EQ(parse(t, buf_str(&whole), &head), cases[i].status))
            printf("# %.*s\n", STR_ARG(text));
    }
}

TEST(limits_on_the_head)
{
    struct http_head head;
    int status = 0;

    EXPECT_EQ(http_parse_head(STR("GET /aaaaaaaaaaaaa"), 0, 16, 9, t->arena, &head, &status),
        ERR_PROTOCOL);
    EXPECT_EQ(status, 414);
    EXPECT_EQ(http_parse_head(STR("GET / HTTP/1.1\r\nX"), 0, 16, 9, t->arena, &head, &status),
        ERR_PROTOCOL);
    EXPECT_EQ(status, 431);
    EXPECT_EQ(http_parse_head(STR("GET / HTTP/1.0\r\nA: b\r\nB: c\r\n\r\n"), 0, 99, 1, t->arena,
                  &head, &status),
        ERR_PROTOCOL);
    EXPECT_EQ(status, 431);
    EXPECT_EQ(http_parse_head(STR("GET / HTTP/1.0\r\n\r"), 0, 99, 1, t->arena, &head, &status),
        HTTP_PARSE_MORE);
}

TEST(empty_lines_before_a_request_are_passed_over)
{
    struct http_head head;
    struct str text = STR("\r\n\r\nGET / HTTP/1.0\r\n\r\nrest");

    REQUIRE_OK(parse(t, text, &head));
    EXPECT_STR(str_slice(text, head.head_len, text.len), "rest");
}

/* However the bytes are cut into reads, the outcome is the same. */
TEST(every_split_of_a_head_gives_the_same)
{
    static const struct str texts[] = {
        STR("\r\nGET /x?y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
        STR("GET / HTTP/3.0\r\nHost: x\r\n\r\n"),
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct http_head whole = {0}, head = {0};
        int whole_status = 0, status = 0;
        int rc = http_parse_head(texts[i], 0, KIB, 9, t->arena, &whole, &whole_status);
        for (size_t cut = 0; cut < texts[i].len; cut++) {
            int first =
                http_parse_head(str_slice(texts[i], 0, cut), 0, KIB, 9, t->arena, &head, &status);
            if (first != HTTP_PARSE_MORE) {
                EXPECT_EQ(first, rc);
                EXPECT_EQ(status, whole_status);
                continue;
            }
            EXPECT_EQ(http_parse_head(texts[i], cut, KIB, 9, t->arena, &head, &status), rc);
            EXPECT_EQ(status, whole_status);
            EXPECT_EQ(head.head_len, whole.head_len);
        }
    }
}

/* Decode in pieces of the given size; the outcome, and the data in out. */
static int decode(struct str text, size_t step, uint64_t max, struct buf *out, size_t *ret_used)
{
    struct http_chunked decoder;
    int rc = HTTP_PARSE_MORE;

    *ret_used = 0;
    http_chunked_init(&decoder);
    for (size_t pos = 0; pos < text.len && rc == HTTP_PARSE_MORE; pos += step) {
        size_t used = 0;
        rc = http_chunked_feed(&decoder, str_slice(text, pos, pos + step), max, out, &used);
        *ret_used += used;
    }
    return rc;
}

TEST(chunked_bodies_at_every_step)
{
    struct str text =
        STR("5\r\nhello\r\n0006;a;b=c;d=\"q\\\"\xc3\xa9\"\r\n world\r\nA\r\n0123456789\r\n"
            "0\r\nTrailer: v\r\nX:\r\n\r\nnext");

    for (size_t step = 1; step <= text.len; step++) {
        struct buf out = BUF_IN(t->arena);
        size_t used;
        EXPECT_OK(decode(text, step, 1000, &out, &used));
        EXPECT_STR(buf_str(&out), "hello world0123456789");
        EXPECT_EQ(used, text.len - 4);
    }
}

TEST(wrong_chunks_are_refused)
{
    static const struct str wrong[] = {
        STR("\r\n"),
        STR("x\r\n"),
        STR("-1\r\n"),
        STR("+1\r\n"),
        STR("0x1\r\na"),
        STR(" 1\r\na"),
        STR("1 \r\na"),
        STR("1\na"),
        STR("1\r\rb"),
        STR("1\r\nab"),
        STR("1\r\na\n"),
        STR("1\r\na\r0"),
        STR("1;\r\n"),
        STR("1;a=\r\n"),
        STR("1;a=\"b\"c\r\n"),
        STR("1;a=\"\n"),
        STR("1; a\r\n"),
        STR("1;a\n"),
        STR("1111111111111111\r\n"),
        STR("0\r\nX\r\n"),
        STR("0\r\n: v\r\n"),
        STR("0\r\nX: a\n"),
        STR("0\r\n\n"),
        STR("0\r\n X: y\r\n"),
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct buf out = BUF_IN(t->arena);
        size_t used;
        if (!EXPECT_EQ(decode(wrong[i], 1, 1 << 30, &out, &used), ERR_PROTOCOL))
            printf("# %.*s\n", STR_ARG(wrong[i]));
        if (!EXPECT_EQ(decode(wrong[i], 100, 1 << 30, &out, &used), ERR_PROTOCOL))
            printf("# %.*s\n", STR_ARG(wrong[i]));
    }
}

TEST(limits_on_chunked_bodies)
{
    struct buf out = BUF_IN(t->arena), text = BUF_IN(t->arena);
    size_t used;

    EXPECT_EQ(decode(STR("5\r\nhello\r\n1\r\n!"), 100, 5, &out, &used), ERR_TOO_LARGE);
    EXPECT_STR(buf_str(&out), "hello");
    EXPECT_EQ(decode(STR("fffffffffffffff\r\n"), 100, 5, &out, &used), ERR_TOO_LARGE);
    buf_add_cstr(&text, "1;");
    for (int i = 0; i < 300; i++)
        buf_add_char(&text, 'a');
    EXPECT_EQ(decode(buf_str(&text), 1000, 5, &out, &used), ERR_PROTOCOL);
    buf_clear(&text);
    buf_add_cstr(&text, "0\r\n");
    for (int i = 0; i < 1000; i++)
        buf_add_cstr(&text, "X: 0123456789\r\n");
    EXPECT_EQ(decode(buf_str(&text), 100000, 5, &out, &used), ERR_PROTOCOL);
}

TEST(query_parameters)
{
    struct str value = STR("unset");

    EXPECT(http_query_get(t->arena, STR("a=1&b=x+y%21&c&=d&b=second"), "b", &value));
    EXPECT_STR(value, "x y!");
    EXPECT(http_query_get(t->arena, STR("a=1&c"), "c", &value));
    EXPECT_STR(value, "");
    EXPECT(!http_query_get(t->arena, STR("a=1&bb=2"), "b", &value));
    EXPECT(!http_query_get(t->arena, STR("a=%zz"), "a", &value));
    EXPECT(!http_query_get(t->arena, STR(""), "a", &value));
    EXPECT(http_query_get(t->arena, STR("%61=1"), "a", &value));
    EXPECT_STR(value, "1");
}
