#include "http/answer.h"
#include "http/parser.h"
#include "test.h"

static int parse(struct test *t, const char *text, struct http_answer *answer)
{
    return http_parse_answer(str_from(text), 0, t->arena, answer);
}

TEST(answer_head)
{
    static const char text[] = "HTTP/1.1 200 All right\r\nX-A:  1 \r\ncontent-LENGTH: 12\r\n"
                               "Empty:\r\n\r\nrest";
    struct http_answer answer;
    REQUIRE_OK(parse(t, text, &answer));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.count, 3);
    EXPECT_STR(http_header(&answer.headers, "x-a"), "1");
    EXPECT(answer.has_length && answer.content_length == 12);
    EXPECT(answer.keep_alive && !answer.chunked);
    EXPECT_EQ(answer.head_len, strlen(text) - strlen("rest"));
    /* However it is cut, more is asked for until the end is there. */
    for (size_t cut = 0; cut < answer.head_len; cut++) {
        struct http_answer other;
        struct str bytes = str_from(text);
        EXPECT_EQ(
            http_parse_answer(str_slice(bytes, 0, cut), 0, t->arena, &other), HTTP_PARSE_MORE);
        EXPECT_OK(http_parse_answer(bytes, cut, t->arena, &other));
    }
}

TEST(answer_status_lines)
{
    static const char *const good[] = {"HTTP/1.1 204 \r\n\r\n", "HTTP/1.1 204\r\n\r\n",
        "HTTP/1.0 204 No \xC3\xA9\r\n\r\n", "HTTP/1.9 204 No\r\n\r\n"};
    static const char *const wrong[] = {"HTTP/2 200\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 a\001b\r\n\r\n", "SSH-2.0-x", "H2"};
    struct http_answer answer;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        EXPECT_OK(parse(t, good[i], &answer));
        EXPECT_EQ(answer.status, 204);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT_EQ(parse(t, wrong[i], &answer), ERR_PROTOCOL);
    EXPECT_EQ(http_answer_status(STR("HTTP/1.1 503 Oh\r\nRetry")), 503);
    EXPECT_EQ(http_answer_status(STR("HTTP/1.1 503 Oh")), 0);
}

TEST(answer_framing_is_strict)
{
    static const char *const wrong[] = {"Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Content-Length: +1\r\n", "Content-Length: 1, 1\r\n", "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length: 0x1\r\n", "A: b\n",
        " A: b\r\n", "A : b\r\n", "A\r\n", ": b\r\n", "A: b\rc\r\n", "A: b\r\n c\r\n",
        "A: \x7f\r\n"};
    struct http_answer answer;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct str text = str_printf(t->arena, "HTTP/1.1 200 OK\r\n%s\r\n", wrong[i]);
        EXPECT_EQ(parse(t, text.ptr, &answer), ERR_PROTOCOL);
    }
    EXPECT_EQ(
        parse(t, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &answer), ERR_PROTOCOL);
    EXPECT_OK(parse(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", &answer));
    EXPECT(answer.chunked);
}

TEST(answer_keep_alive)
{
    static const struct {
        const char *head;
        bool keep;
    } cases[] = {{"HTTP/1.1 200 OK\r\n\r\n", true}, {"HTTP/1.0 200 OK\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n", false},
        {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_answer answer;
        EXPECT_OK(parse(t, cases[i].head, &answer));
        EXPECT_EQ(answer.keep_alive, cases[i].keep);
    }
}

TEST(answer_limits)
{
    struct buf many = BUF_IN(t->arena), big = BUF_IN(t->arena);
    struct http_answer answer;
    buf_add_cstr(&many, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 257; i++)
        buf_add_cstr(&many, "A: b\r\n");
    buf_add_cstr(&many, "\r\n");
    EXPECT_EQ(http_parse_answer(buf_str(&many), 0, t->arena, &answer), ERR_PROTOCOL);
    buf_add_cstr(&big, "HTTP/1.1 200 ");
    while (big.len < 64 * KIB)
        buf_add_char(&big, 'x');
    EXPECT_EQ(http_parse_answer(buf_str(&big), 0, t->arena, &answer), ERR_PROTOCOL);
}
