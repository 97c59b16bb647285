#include "http/client.h"
#include "http/resolve.h"
#include "http/stub.h"
#include "test.h"

#define OK(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " #body_len "\r\n\r\n" body

static struct http_call call_to(struct test *t, const struct stub *stub, enum http_method method)
{
    return (struct http_call){
        .method = method, .url = str_printf(t->arena, "http://127.0.0.1:%d/", stub_port(stub))};
}

TEST(exchange_bodies_up_to_the_end_of_the_stream)
{
    static const struct stub_step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\n\r\nto the end", .close = true},
        {.answer = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", .close = true},
        {.answer = OK(3, "new")}, {0}};
    static const char *const bodies[] = {"to the end", "old", "new"};
    struct stub *stub = stub_start(steps);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct http_call call = call_to(t, stub, HTTP_GET);
        struct http_reply reply;
        REQUIRE_OK(http_send(t->arena, &call, &reply));
        EXPECT_STR(reply.body, bodies[i]);
    }
    EXPECT_EQ(stub_connections(stub), 3);
    stub_stop(stub, t->arena);
}

TEST(exchange_leaves_connections_that_cannot_be_kept)
{
    static const struct stub_step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"},
        {.answer = OK(1, "bHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")},
        {.answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"},
        {.answer = OK(1, "d")}, {0}};
    static const char *const bodies[] = {"a", "b", "", "d"};
    struct stub *stub = stub_start(steps);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct http_call call = call_to(t, stub, HTTP_GET);
        struct http_reply reply;
        REQUIRE_OK(http_send(t->arena, &call, &reply));
        EXPECT_STR(reply.body, bodies[i]);
    }
    EXPECT_EQ(stub_connections(stub), 3);
    stub_stop(stub, t->arena);
}

/* The second request meets a connection that is closed without an answer. */
static int after_stale(struct test *t, enum http_method method, int *ret_requests)
{
    static const struct stub_step steps[] = {
        {.answer = OK(1, "a")}, {.answer = "", .close = true}, {.answer = OK(1, "c")}, {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = call_to(t, stub, method);
    struct http_reply reply;
    int rc = http_send(t->arena, &call, &reply);
    if (rc == 0)
        rc = http_send(t->arena, &call, &reply);
    *ret_requests = stub_requests(stub);
    stub_stop(stub, t->arena);
    return rc;
}

TEST(exchange_repeats_only_what_is_safe_on_a_stale_connection)
{
    int requests;
    EXPECT_OK(after_stale(t, HTTP_GET, &requests));
    EXPECT_EQ(requests, 3);
    EXPECT_OK(after_stale(t, HTTP_PUT, &requests));
    EXPECT_EQ(requests, 3);
    EXPECT_EQ(after_stale(t, HTTP_POST, &requests), ERR_IO);
    EXPECT_EQ(requests, 2);
}

TEST(exchange_repeats_once_and_not_on_a_fresh_connection)
{
    static const struct stub_step fresh[] = {{.answer = "", .close = true}, {.answer = OK(1, "a")},
        {.answer = "", .close = true}, {.answer = "", .close = true}, {.answer = OK(1, "b")}, {0}};
    struct stub *stub = stub_start(fresh);
    struct http_call call = call_to(t, stub, HTTP_GET);
    struct http_reply reply;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT_EQ(stub_requests(stub), 4);
    stub_stop(stub, t->arena);
}

TEST(exchange_says_whether_anything_was_sent)
{
    static const struct stub_step steps[] = {
        {.answer = OK(1, "a")}, {.answer = "", .close = true}, {.answer = OK(1, "b")}, {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = call_to(t, stub, HTTP_PUT);
    struct http_reply reply;
    call.body = STR("x");
    call.flags = HTTP_ONCE;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT(reply.sent);
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT(reply.sent);
    EXPECT_EQ(stub_requests(stub), 2);
    stub_stop(stub, t->arena);
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT(!reply.sent);
}

TEST(exchange_drops_what_the_server_closes_while_idle)
{
    static const struct stub_step steps[] = {
        {.answer = OK(1, "a"), .close = true}, {.answer = OK(1, "b")}, {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = call_to(t, stub, HTTP_POST);
    struct http_reply reply;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    while (stub_ended(stub) == 0)
        REQUIRE_OK(fiber_sleep(1));
    for (int i = 0; i < 5; i++) /* turns of the loop, in which it hears of it */
        REQUIRE_OK(fiber_sleep(1));
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(reply.body, "b");
    EXPECT_EQ(stub_connections(stub), 2);
    stub_stop(stub, t->arena);
}

TEST(exchange_refuses_ambiguous_answers)
{
    static const char *const wrong[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 101 Switching\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct stub *stub =
            stub_start((const struct stub_step[]){{.answer = wrong[i], .hang = true}, {0}});
        struct http_call call = call_to(t, stub, HTTP_GET);
        struct http_reply reply;
        EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
        EXPECT(str_starts(str_from(err_message()), STR("no proper HTTP answer from 127.0.0.1:")));
        stub_stop(stub, t->arena);
    }
}

TEST(exchange_large_bodies_and_early_answers)
{
    size_t size = 8 * MIB;
    struct stub *stub = stub_start((const struct stub_step[]){{.answer = OK(2, "ok")}, {0}});
    struct http_call call = call_to(t, stub, HTTP_PUT);
    struct http_reply reply;
    char *body = arena_alloc(t->arena, size);
    memset(body, 'x', size);
    call.body = (struct str){body, size};
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(reply.body, "ok");
    struct str seen = stub_stop(stub, t->arena);
    EXPECT(seen.len > size && str_ends(seen, call.body));
}

TEST(exchange_callers_headers_replace_its_own)
{
    struct stub *stub = stub_start((const struct stub_step[]){{.answer = OK(0, "")}, {0}});
    struct http_header headers[] = {{STR("host"), STR("other")}, {STR("ACCEPT"), STR("a/b")},
        {STR("User-Agent"), STR("me")}, {STR("Content-Length"), STR("99")},
        {STR("Transfer-Encoding"), STR("chunked")}};
    struct http_call call = {.method = HTTP_POST,
        .url = str_printf(t->arena, "http://us%%65r:p%%3Aw@127.0.0.1:%d/a?b", stub_port(stub)),
        .body = STR("x"),
        .headers = headers,
        .header_count = ARRAY_LEN(headers)};
    struct http_reply reply;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(stub_stop(stub, t->arena),
        "POST /a?b HTTP/1.1\r\nAuthorization: Basic dXNlcjpwOnc=\r\nhost: other\r\nACCEPT: a/b\r\n"
        "User-Agent: me\r\nContent-Length: 1\r\n\r\nx");
}

/* Nothing listens at the first address. */
static int two_addresses(const char *host, struct buf *ret_addresses)
{
    (void)host;
    buf_add_cstr(ret_addresses, "127.0.0.9,[::1],127.0.0.1");
    return 0;
}

TEST(exchange_tries_the_next_address)
{
    struct stub *stub = stub_start((const struct stub_step[]){{.answer = OK(1, "x")}, {0}});
    struct http_call call = {.url = str_printf(t->arena, "http://two.test:%d/", stub_port(stub))};
    struct http_reply reply;
    resolver_set_source(http_client_resolver(fiber_loop()), two_addresses);
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(reply.body, "x");
    stub_stop(stub, t->arena);
}

static int collect(struct str piece, void *ctx)
{
    buf_add_str(ctx, piece);
    return fiber_yield();
}

TEST(exchange_streams_chunks_with_trailers)
{
    static const struct stub_step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n"
                   "2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
            .piece = 1},
        {.answer = OK(1, "y")}, {0}};
    struct stub *stub = stub_start(steps);
    struct buf got = BUF_IN(t->arena);
    struct http_call call = call_to(t, stub, HTTP_GET);
    struct http_reply reply;
    call.on_data = collect;
    call.ctx = &got;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(buf_str(&got), "abcde");
    EXPECT_EQ(reply.body.len, 0);
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(buf_str(&got), "abcdey");
    EXPECT_EQ(stub_connections(stub), 1);
    stub_stop(stub, t->arena);
}
