#include "http/client.h"
#include "http/resolve.h"
#include "http/stub.h"
#include "test.h"

#include <arpa/inet.h>
#include <unistd.h>

#define OK(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " #body_len "\r\n\r\n" body

static struct str url_of(struct test *t, int port, const char *path)
{
    return str_printf(t->arena, "http://127.0.0.1:%d%s", port, path);
}

static struct http_call get(struct test *t, const struct stub *stub)
{
    return (struct http_call){.method = HTTP_GET, .url = url_of(t, stub_port(stub), "/")};
}

TEST(client_sends_and_receives)
{
    struct stub *stub = stub_start((const struct stub_step[]){
        {.answer = "HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\n"
                   "Content-Length: 5\r\n\r\nhello"},
        {0}});
    struct http_header headers[] = {{STR("X-One"), STR("1")}, {STR("X-Empty"), STR("")}};
    struct http_call call = {.method = HTTP_POST,
        .url = url_of(t, stub_port(stub), "/path?q=1#frag"),
        .body = STR("{\"a\":1}"),
        .headers = headers,
        .header_count = 2};
    struct http_reply reply;
    int port = stub_port(stub);
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_EQ(reply.status, 201);
    EXPECT_STR(reply.body, "hello");
    EXPECT_STR(http_header(&reply.headers, "x-a"), "1");
    EXPECT_EQ(reply.headers.count, 4);
    struct str want = str_printf(t->arena,
        "POST /path?q=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: theo\r\nAccept: */*\r\n"
        "X-One: 1\r\nX-Empty:\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        port);
    EXPECT_STR(stub_stop(stub, t->arena), want.ptr);
}

TEST(client_methods_and_reuse)
{
    static const struct stub_step steps[] = {{.answer = OK(1, "a")}, {.answer = OK(1, "b")},
        {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
        {.answer = "HTTP/1.1 204 No Content\r\n\r\n"}, {.answer = OK(1, "c")},
        {.answer = OK(1, "d")}, {0}};
    static const enum http_method methods[] = {
        HTTP_POST, HTTP_GET, HTTP_HEAD, HTTP_DELETE, HTTP_PUT, HTTP_PATCH};
    static const char *const bodies[] = {"a", "b", "", "", "c", "d"};
    struct stub *stub = stub_start(steps);
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct http_call call = get(t, stub);
        struct http_reply reply;
        call.method = methods[i];
        if (methods[i] == HTTP_PUT)
            call.body = STR("put");
        REQUIRE_OK(http_send(t->arena, &call, &reply));
        EXPECT_STR(reply.body, bodies[i]);
    }
    EXPECT_EQ(stub_connections(stub), 1);
    struct str seen = stub_stop(stub, t->arena);
    static const char *const lines[] = {"POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n",
        "HEAD / HTTP/1.1\r\n", "DELETE / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\n",
        "PATCH / HTTP/1.1\r\n"};
    ptrdiff_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        at = str_find(seen, str_from(lines[i]), (size_t)at);
        REQUIRE(at >= 0);
    }
    EXPECT(str_find(seen, STR("Content-Type"), 0) < 0);
    EXPECT(str_find(seen, STR("Expect"), 0) < 0);
}

TEST(client_chunked_and_informational)
{
    static const struct stub_step steps[] = {
        {.answer = "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            .piece = 1},
        {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = get(t, stub);
    struct http_reply reply;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_EQ(reply.status, 200);
    EXPECT_STR(reply.body, "abcde");
    EXPECT(http_header(&reply.headers, "x-early").ptr == NULL);
    stub_stop(stub, t->arena);
}

static int fail_with(struct test *t, const struct stub_step *step, int want)
{
    struct stub_step steps[] = {*step, *step, {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = get(t, stub);
    struct http_reply reply;
    EXPECT_EQ(http_send(t->arena, &call, &reply), want);
    stub_stop(stub, t->arena);
    return reply.status;
}

TEST(client_broken_answers)
{
    EXPECT_EQ(
        fail_with(t, &(struct stub_step){.answer = OK(10, "short"), .close = true}, ERR_IO), 200);
    EXPECT(str_find(str_from(err_message()), STR("cut off"), 0) >= 0);
    fail_with(t, &(struct stub_step){.answer = "nonsense\r\n\r\n", .close = true}, ERR_IO);
    fail_with(t, &(struct stub_step){.answer = "HTTP/1.1 2", .close = true}, ERR_IO);
    fail_with(t, &(struct stub_step){.answer = "\0", .len = 1, .close = true}, ERR_IO);
    fail_with(t,
        &(struct stub_step){
            .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .close = true},
        ERR_IO);
    fail_with(t,
        &(struct stub_step){
            .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            .close = true},
        ERR_IO);
}

TEST(client_refused_connection_and_bad_calls)
{
    struct stub *stub = stub_start(&(const struct stub_step){0});
    struct http_call call = get(t, stub);
    struct http_reply reply;
    stub_stop(stub, t->arena);
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT(str_starts(str_from(err_message()), STR("cannot connect to 127.0.0.1:")));
    call.url = STR("ftp://127.0.0.1/");
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_INVALID);
    call.url = STR("");
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_INVALID);
    call.url = STR("http://127.0.0.1:1/");
    struct http_header evil = {STR("Authorization"), STR("hush\r\nX: y")};
    call.headers = &evil;
    call.header_count = 1;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_INVALID);
    EXPECT(str_find(str_from(err_message()), STR("hush"), 0) < 0);
}

TEST(client_limits_the_body)
{
    static const struct stub_step steps[] = {{.answer = OK(10, "0123456789")},
        {.answer = OK(10, "0123456789")},
        {.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n"},
        {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = get(t, stub);
    struct http_reply reply;
    call.max_body = 10;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(reply.body, "0123456789");
    call.max_body = 9;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_TOO_LARGE);
    EXPECT_EQ(reply.status, 200);
    call.max_body = 10;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_TOO_LARGE);
    stub_stop(stub, t->arena);
}

TEST(client_deadlines)
{
    static const struct stub_step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\n", .hang = true}, {.answer = "", .hang = true}, {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = get(t, stub);
    struct http_reply reply;
    call.timeout_ms = 30;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_TIMEOUT);
    EXPECT_EQ(reply.status, 200);
    call.timeout_ms = 60000;
    int64_t former = fiber_set_deadline(loop_now_ms(fiber_loop()) + 30);
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_TIMEOUT);
    EXPECT_EQ(reply.status, 0);
    fiber_set_deadline(former);
    stub_stop(stub, t->arena);
}

struct cancelled {
    struct test *t;
    struct http_call call;
    int rc;
};

static void call_until_cancelled(void *arg)
{
    struct cancelled *c = arg;
    struct http_reply reply;
    c->rc = http_send(c->t->arena, &c->call, &reply);
}

TEST(client_cancel_ends_the_transfer_at_once)
{
    static const struct stub_step steps[] = {{.answer = "HTTP/1.1 200 OK\r\n", .hang = true}, {0}};
    struct stub *stub = stub_start(steps);
    struct cancelled c = {t, get(t, stub), 0};
    struct fiber *fiber = fiber_spawn_joinable(fiber_loop(), "call", call_until_cancelled, &c);
    while (stub_requests(stub) == 0)
        REQUIRE_OK(fiber_sleep(1));
    fiber_cancel(fiber);
    REQUIRE_OK(fiber_join(fiber));
    EXPECT_EQ(c.rc, ERR_CANCELLED);
    while (stub_hung_up(stub) == 0)
        REQUIRE_OK(fiber_sleep(1));
    stub_stop(stub, t->arena);
}

/* A port whose queue is full: whoever connects to it waits. */
static int full_port(int fds[4], int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = (struct sockaddr *)(void *)&at;
    socklen_t len = sizeof(at);

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fds[0], address, len) != 0 || listen(fds[0], 0) != 0 ||
        getsockname(fds[0], address, &len) != 0)
        return -1;
    for (int i = 1; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fds[i], address, len);
    }
    *ret_port = ntohs(at.sin_port);
    return 0;
}

/* libcurl 7.88 closes such a socket without its callback: the loop must not go on to watch it. */
TEST(client_cancel_while_connecting)
{
    int fds[4], port = 0;
    REQUIRE(full_port(fds, &port) == 0);
    struct cancelled c = {t, {.method = HTTP_GET, .url = url_of(t, port, "/")}, 0};
    struct fiber *fiber = fiber_spawn_joinable(fiber_loop(), "call", call_until_cancelled, &c);
    REQUIRE_OK(fiber_yield());
    fiber_cancel(fiber);
    REQUIRE_OK(fiber_join(fiber));
    EXPECT_EQ(c.rc, ERR_CANCELLED);
    EXPECT_OK(fiber_sleep(1));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
}

struct sink {
    size_t bytes, calls, stop_at, last;
    int64_t sleep_ms;
};

static int take(struct str piece, void *ctx)
{
    struct sink *sink = ctx;
    sink->bytes += piece.len;
    sink->calls++;
    sink->last = piece.len;
    if (sink->sleep_ms > 0 && fiber_sleep(sink->sleep_ms) != 0)
        return -1;
    return sink->stop_at > 0 && sink->bytes >= sink->stop_at ? 77 : 0;
}

TEST(client_streams_with_back_pressure)
{
    size_t size = 3 * MIB;
    struct buf big = BUF_IN(t->arena);
    buf_printf(&big, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    memset(buf_reserve(&big, size), 'x', size);
    big.len += size;
    struct stub_step steps[] = {{.answer = big.ptr, .len = big.len},
        {.answer = big.ptr, .len = big.len},
        {.answer = "HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nfail"}, {0}};
    struct stub *stub = stub_start(steps);
    struct sink sink = {.sleep_ms = 2};
    struct http_call call = get(t, stub);
    struct http_reply reply;
    call.on_data = take;
    call.ctx = &sink;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_EQ(sink.bytes, size);
    EXPECT(sink.last < 128 * KIB);
    EXPECT_EQ(reply.body.len, 0);

    sink = (struct sink){.stop_at = 1};
    EXPECT_EQ(http_send(t->arena, &call, &reply), 77);
    EXPECT_EQ(sink.calls, 1);

    sink = (struct sink){0};
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_EQ(reply.status, 500);
    EXPECT_STR(reply.body, "fail");
    EXPECT_EQ(sink.calls, 0);
    stub_stop(stub, t->arena);
}

TEST(client_delivers_what_came_before_a_cut)
{
    static const struct stub_step steps[] = {{.answer = OK(10, "0123"), .close = true}, {0}};
    struct stub *stub = stub_start(steps);
    struct sink sink = {0};
    struct http_call call = get(t, stub);
    struct http_reply reply;
    call.on_data = take;
    call.ctx = &sink;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT_EQ(sink.bytes, 4);
    stub_stop(stub, t->arena);
}

TEST(client_follows_redirects)
{
    static const struct stub_step steps[] = {
        {.answer = "HTTP/1.1 302 Found\r\nLocation: ../b?x#y\r\nContent-Length: 3\r\n\r\nold"},
        {.answer = OK(3, "new")}, {0}};
    struct stub *stub = stub_start(steps);
    struct http_header key = {STR("Authorization"), STR("Bearer k")};
    struct http_call call = {.method = HTTP_POST,
        .url = url_of(t, stub_port(stub), "/a/c"),
        .body = STR("x"),
        .headers = &key,
        .header_count = 1,
        .flags = HTTP_FOLLOW_REDIRECTS};
    struct http_reply reply;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(reply.body, "new");
    struct str seen = stub_stop(stub, t->arena);
    ptrdiff_t second = str_find(seen, STR("GET /b?x HTTP/1.1\r\n"), 0);
    EXPECT(second > 0);
    EXPECT(str_find(seen, STR("Bearer k"), (size_t)second) > 0);
}

TEST(client_redirect_to_another_origin_gets_no_credentials)
{
    struct stub *other = stub_start((const struct stub_step[]){{.answer = OK(2, "ok")}, {0}});
    struct str answer = str_printf(t->arena,
        "HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:%d/z\r\nContent-Length: 0\r\n\r\n",
        stub_port(other));
    struct stub_step steps[] = {{.answer = answer.ptr}, {0}};
    struct stub *stub = stub_start(steps);
    struct http_header headers[] = {{STR("Authorization"), STR("Bearer k")},
        {STR("X-Key"), STR("k")}, {STR("Accept"), STR("a/b")}};
    struct http_call call = {.method = HTTP_POST,
        .url = url_of(t, stub_port(stub), "/"),
        .body = STR("x"),
        .headers = headers,
        .header_count = 3,
        .flags = HTTP_FOLLOW_REDIRECTS};
    struct http_reply reply;
    EXPECT_OK(http_send(t->arena, &call, &reply));
    EXPECT_STR(reply.body, "ok");
    stub_stop(stub, t->arena);
    struct str seen = stub_stop(other, t->arena);
    EXPECT(str_starts(seen, STR("POST /z HTTP/1.1\r\n")));
    EXPECT(str_find(seen, STR("Accept: a/b"), 0) > 0);
    EXPECT(str_find(seen, STR("Authorization"), 0) < 0);
    EXPECT(str_find(seen, STR("X-Key"), 0) < 0);
}

TEST(client_redirects_end)
{
    static const char again[] = "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    static const struct stub_step steps[] = {{.answer = again}, {.answer = again},
        {.answer = again}, {.answer = again}, {.answer = again}, {.answer = again},
        {.answer = "HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\n"
                   "Content-Length: 0\r\n\r\n"},
        {0}};
    struct stub *stub = stub_start(steps);
    struct http_call call = get(t, stub);
    struct http_reply reply;
    call.flags = HTTP_FOLLOW_REDIRECTS;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT_EQ(stub_requests(stub), 6);
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_INVALID);
    stub_stop(stub, t->arena);
}

static int fake_lookups;

/* Stands in for getaddrinfo; the names say what they lead to. */
static int fake_lookup(const char *host, struct buf *ret_addresses)
{
    __atomic_add_fetch(&fake_lookups, 1, __ATOMIC_RELAXED);
    usleep(10000);
    if (str_is(STR("unknown.test"), host))
        return err_set(ERR_IO, "the host name %s cannot be resolved: no such name", host);
    buf_add_cstr(
        ret_addresses, str_is(STR("mixed.test"), host) ? "8.8.8.8,127.0.0.1" : "127.0.0.1");
    return 0;
}

TEST(client_public_only)
{
    resolver_set_source(http_client_resolver(fiber_loop()), fake_lookup);
    static const char *const urls[] = {"http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/",
        "http://169.254.169.254/latest/meta-data", "http://inside.test/", "http://mixed.test/"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct http_call call = {.url = str_from(urls[i]), .flags = HTTP_PUBLIC_ONLY};
        struct http_reply reply;
        EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_DENIED);
    }
}

struct parallel {
    struct test *t;
    struct str url;
    int left;
    int failures;
};

static void one_of_many(void *arg)
{
    struct parallel *p = arg;
    struct http_call call = {.url = p->url};
    struct http_reply reply;
    if (http_send(p->t->arena, &call, &reply) != 0 || !str_is(reply.body, "x"))
        p->failures++;
    p->left--;
}

static void run_parallel(struct test *t, struct parallel *p, int count)
{
    p->left = count;
    for (int i = 0; i < count; i++)
        fiber_spawn(fiber_loop(), "many", one_of_many, p);
    while (p->left > 0)
        REQUIRE_OK(fiber_sleep(1));
}

TEST(client_resolves_once_for_all)
{
    struct stub_step steps[22] = {{0}};
    for (int i = 0; i < 21; i++)
        steps[i].answer = OK(1, "x");
    struct stub *stub = stub_start(steps);
    resolver_set_source(http_client_resolver(fiber_loop()), fake_lookup);
    __atomic_store_n(&fake_lookups, 0, __ATOMIC_RELAXED);
    struct parallel p = {t, str_printf(t->arena, "http://Name.test.:%d/", stub_port(stub)), 0, 0};
    run_parallel(t, &p, 20);
    run_parallel(t, &p, 1);
    EXPECT_EQ(p.failures, 0);
    EXPECT_EQ(__atomic_load_n(&fake_lookups, __ATOMIC_RELAXED), 1);
    stub_stop(stub, t->arena);

    struct http_call call = {.url = STR("http://unknown.test/")};
    struct http_reply reply;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT(str_find(str_from(err_message()), STR("unknown.test"), 0) > 0);
    call.timeout_ms = 1;
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_TIMEOUT);
}

TEST(client_waits_at_the_connection_cap)
{
    struct stub_step steps[41] = {{0}};
    for (int i = 0; i < 40; i++)
        steps[i] = (struct stub_step){.answer = OK(1, "x"), .delay_ms = 2};
    struct stub *stub = stub_start(steps);
    http_client_configure(fiber_loop(), &(struct http_client_options){.max_connections = 3});
    struct parallel p = {t, url_of(t, stub_port(stub), "/"), 0, 0};
    run_parallel(t, &p, 40);
    EXPECT_EQ(p.failures, 0);
    EXPECT(stub_connections(stub) <= 3);
    stub_stop(stub, t->arena);
}
