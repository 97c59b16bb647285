#include "http/server.h"
#include "http/sse.h"
#include "peer.h"

#include <sys/socket.h>

/* What the handler saw and did, for the tests to look at. */
struct house {
    struct http_server *server;
    int entered;     /* handlers begun */
    int waited;      /* what the wait of /wait gave */
    bool cancelled;  /* and whether it was cancelled */
    int sent;        /* outcome of the last write of /flood */
    uint64_t flood;  /* bytes that /flood got rid of */
    bool go;         /* /gate waits for it */
    struct buf seen; /* paths in the order of handling */
};

static void answer(struct http_request *req, const char *text)
{
    if (http_respond(req, 200, "text/plain", NULL, 0, str_from(text)) != 0)
        return;
}

static void flood(struct http_request *req, struct house *house)
{
    static char piece[16 * KIB];

    memset(piece, 'x', sizeof(piece));
    house->sent = sse_begin(req);
    while (house->sent == 0 && house->flood < 256 * MIB) {
        house->sent = sse_send(req, "piece", -1, (struct str){piece, sizeof(piece)});
        if (house->sent == 0)
            house->flood += sizeof(piece);
    }
}

static void stream(struct http_request *req)
{
    if (http_stream_begin(req, 200, "text/plain", NULL, 0) == 0 &&
        http_stream_write(req, STR("one ")) == 0 && http_stream_write(req, STR("")) == 0 &&
        http_stream_write(req, STR("two")) == 0)
        http_stream_end(req);
}

static void handler(struct http_request *req, void *ctx)
{
    struct house *house = ctx;

    house->entered++;
    buf_add_str(&house->seen, req->path);
    if (str_is(req->path, "/echo")) {
        http_respond(req, 200, "text/plain", NULL, 0, req->body);
    } else if (str_is(req->path, "/wait")) {
        house->waited = fiber_park(FIBER_NO_DEADLINE);
        house->cancelled = fiber_is_cancelled();
        answer(req, "too late");
    } else if (str_is(req->path, "/gate")) {
        while (!house->go && fiber_sleep(1) == 0)
            ;
        answer(req, "through");
    } else if (str_is(req->path, "/flood")) {
        flood(req, house);
    } else if (str_is(req->path, "/stream")) {
        stream(req);
    } else if (str_is(req->path, "/half")) {
        if (http_stream_begin(req, 200, "text/plain", NULL, 0) == 0)
            http_stream_write(req, STR("half"));
    } else if (str_is(req->path, "/empty")) {
        http_respond(req, 204, NULL, NULL, 0, STR(""));
    } else if (str_is(req->path, "/evil")) {
        struct http_header extra = {STR("X-Evil"), STR("a\r\nX-Smuggled: b")};
        http_respond(req, 200, "text/plain", &extra, 1, STR("ok"));
    } else if (!str_is(req->path, "/nothing")) {
        answer(req, "hello");
    }
}

static struct http_server_options quick(void)
{
    struct http_server_options options;

    http_server_options_init(&options);
    options.port = 0;
    return options;
}

static bool open_house(struct test *t, struct house *house, const struct http_server_options *o)
{
    *house = (struct house){.seen = BUF_IN(t->arena)};
    return EXPECT_OK(http_server_start(fiber_loop(), o, handler, house, &house->server));
}

/* Send text on a fresh connection and give all that comes until the server closes. */
static struct str exchange(struct test *t, struct house *house, struct str text)
{
    struct peer peer = peer_connect(t, http_server_port(house->server));
    struct str got;

    peer_send(&peer, text);
    got = str_dup(t->arena, peer_rest(&peer));
    peer_close(&peer);
    return got;
}

static bool contains(struct str text, const char *needle)
{
    return str_find(text, str_from(needle), 0) >= 0;
}

#define EXPECT_HAS(text, needle)                                                                   \
    do {                                                                                           \
        if (!EXPECT(contains((text), (needle))))                                                   \
            printf("# \"%s\" is not in: %.*s\n", (needle), STR_ARG(text));                         \
    } while (0)

TEST(answer_has_the_fields_that_every_answer_has)
{
    struct http_server_options options = quick();
    struct house house;
    struct str got;

    REQUIRE(open_house(t, &house, &options));
    got = exchange(t, &house, STR("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    EXPECT(str_starts(got, STR("HTTP/1.1 200 OK\r\n")));
    EXPECT_HAS(got, " GMT\r\n");
    EXPECT_HAS(got, "X-Request-Id: ");
    EXPECT_HAS(got, "Content-Type: text/plain\r\n");
    EXPECT_HAS(got, "Connection: close\r\n");
    EXPECT_HAS(got, "Content-Length: 5\r\n\r\nhello");
    http_server_stop(house.server);
}

TEST(one_connection_serves_many_requests)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    for (int i = 1; i <= 20; i++) {
        EXPECT(peer_send(&peer, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")));
        REQUIRE(peer_await(&peer, "\r\n\r\nhello", i));
    }
    EXPECT_EQ(http_server_connections(house.server), 1);
    EXPECT_EQ(house.entered, 20);
    peer_close(&peer);
    http_server_stop(house.server);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct http_server_options options = quick();
    struct house house;
    struct str got;

    REQUIRE(open_house(t, &house, &options));
    got = exchange(t, &house,
        STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n\r\n"
            "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: "
            "close\r\n\r\nlast"));
    EXPECT_STR(buf_str(&house.seen), "/echo/echo/hello/echo");
    EXPECT(str_find(got, STR("first"), 0) < str_find(got, STR("second"), 0));
    EXPECT(str_find(got, STR("second"), 0) < str_find(got, STR("hello"), 0));
    EXPECT(str_ends(got, STR("\r\n\r\nlast")));
    http_server_stop(house.server);
}

/* The second request arrives while the first is being handled: it must wait, and must not be
 * mistaken for the client's leaving. */
TEST(a_request_sent_meanwhile_waits_its_turn)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (house.entered == 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT(peer_send(&peer, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")));
    REQUIRE_OK(fiber_sleep(5));
    EXPECT_EQ(house.entered, 1);
    house.go = true;
    EXPECT(peer_await(&peer, "through", 1));
    EXPECT(peer_await(&peer, "hello", 1));
    peer_close(&peer);
    http_server_stop(house.server);
}

TEST(a_client_that_leaves_cancels_its_handler)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (house.entered == 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT_EQ(http_server_active(house.server), 1);
    peer_close(&peer);
    while (http_server_connections(house.server) > 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT_EQ(house.waited, ERR_CANCELLED);
    EXPECT(house.cancelled);
    EXPECT_EQ(http_server_active(house.server), 0);
    http_server_stop(house.server);
}

TEST(leaving_with_a_pipelined_request_unread_cancels_too)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (house.entered == 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT(peer_send(&peer, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")));
    REQUIRE_OK(fiber_sleep(5));
    peer_close(&peer);
    while (http_server_connections(house.server) > 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT_EQ(house.waited, ERR_CANCELLED);
    EXPECT_EQ(house.entered, 1);
    http_server_stop(house.server);
}

/* A byte now and then must not prolong the time for a header. */
static void dribble(struct test *t, struct house *house, struct str text, struct str *ret_got)
{
    struct peer peer = peer_connect(t, http_server_port(house->server));

    for (size_t i = 0; i < text.len && !peer.ended; i++) {
        char byte = text.ptr[i];
        if (send(peer.fd, &byte, 1, MSG_NOSIGNAL) != 1 || fiber_sleep(10) != 0 ||
            recv(peer.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
            break;
    }
    *ret_got = str_dup(t->arena, peer_rest(&peer));
    peer_close(&peer);
}

TEST(a_dribbled_header_meets_its_deadline)
{
    struct http_server_options options = quick();
    struct house house;
    struct str got;

    options.header_timeout_ms = 100;
    REQUIRE(open_house(t, &house, &options));
    dribble(t, &house,
        STR("GET /a-rather-long-path HTTP/1.1\r\nHost: example.org\r\nX-More: "
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r"
            "\n"),
        &got);
    EXPECT(str_starts(got, STR("HTTP/1.1 408 ")));
    EXPECT_HAS(got, "application/problem+json");
    EXPECT_HAS(got, "\"status\":408");
    EXPECT_EQ(house.entered, 0);
    http_server_stop(house.server);
}

TEST(a_slow_body_meets_its_deadline)
{
    struct http_server_options options = quick();
    struct house house;
    struct str got;

    options.body_timeout_ms = 50;
    REQUIRE(open_house(t, &house, &options));
    got =
        exchange(t, &house, STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"));
    EXPECT(str_starts(got, STR("HTTP/1.1 408 ")));
    got = exchange(t, &house,
        STR("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha"));
    EXPECT(str_starts(got, STR("HTTP/1.1 408 ")));
    EXPECT_EQ(house.entered, 0);
    http_server_stop(house.server);
}

TEST(a_silent_connection_is_closed_without_a_word)
{
    struct http_server_options options = quick();
    struct house house;

    options.idle_timeout_ms = 20;
    REQUIRE(open_house(t, &house, &options));
    EXPECT_STR(exchange(t, &house, STR("")), "");
    http_server_stop(house.server);
}

static struct str repeat(
    struct test *t, const char *before, char c, size_t count, const char *after)
{
    struct buf out = BUF_IN(t->arena);

    buf_add_cstr(&out, before);
    memset(buf_reserve(&out, count), c, count);
    out.len += count;
    buf_add_cstr(&out, after);
    return buf_str(&out);
}

TEST(what_is_too_large_is_refused_and_the_answer_is_seen)
{
    struct http_server_options options = quick();
    struct house house;

    REQUIRE(open_house(t, &house, &options));
    /* The clients send everything before they read: lingering close lets them see the answer. */
    EXPECT_HAS(
        exchange(t, &house, repeat(t, "GET /", 'a', 300 * KIB, " HTTP/1.1\r\nHost: x\r\n\r\n")),
        "HTTP/1.1 414 ");
    EXPECT_HAS(exchange(t, &house,
                   repeat(t, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 'a', 300 * KIB, "\r\n\r\n")),
        "HTTP/1.1 431 ");
    EXPECT_HAS(exchange(t, &house,
                   repeat(t, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
                       'b', 10000000, "")),
        "HTTP/1.1 413 ");
    EXPECT_HAS(
        exchange(t, &house,
            repeat(t,
                "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n",
                'b', 0x200000, "\r\n0\r\n\r\n")),
        "HTTP/1.1 413 ");
    EXPECT_EQ(house.entered, 0);
    http_server_stop(house.server);
}

TEST(too_many_fields_are_refused)
{
    struct http_server_options options = quick();
    struct buf text = BUF_IN(t->arena);
    struct house house;

    REQUIRE(open_house(t, &house, &options));
    buf_add_cstr(&text, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "X-%d: y\r\n", i);
    buf_add_cstr(&text, "\r\n");
    EXPECT_HAS(exchange(t, &house, buf_str(&text)), "HTTP/1.1 431 ");
    http_server_stop(house.server);
}

TEST(malformed_requests_get_their_status)
{
    static const struct {
        const char *text, *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400 "}, {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505 "},
        {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", "501 "},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 "},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 "},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", "400 "},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400 "},
        {"GET / HTTP/1.1\nHost: x\n\n", "400 "}, {"\x16\x03\x01", "400 "}, /* TLS */
    };
    struct http_server_options options = quick();
    struct house house;

    REQUIRE(open_house(t, &house, &options));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = exchange(t, &house, str_from(cases[i].text));
        EXPECT(str_starts(got, STR("HTTP/1.1 ")));
        EXPECT_STR(str_slice(got, 9, 13), cases[i].status);
        EXPECT_HAS(got, "Connection: close\r\n");
        EXPECT_HAS(got, "\"detail\":\"");
        EXPECT_HAS(got, "\"request_id\":\"");
    }
    EXPECT_EQ(house.entered, 0);
    http_server_stop(house.server);
}

TEST(bodies_in_pieces)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;
    struct str body = repeat(t, "", 'z', 900 * KIB, "!");

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(
        peer_send(&peer, STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 921601\r\n\r\n")));
    EXPECT(peer_send(&peer, body));
    EXPECT(peer_await(&peer, "z!", 1));
    EXPECT(str_ends(buf_str(&peer.got), body));
    buf_clear(&peer.got);
    EXPECT(peer_send(&peer,
        STR("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\ne1000\r\n")));
    EXPECT(peer_send(&peer, str_slice(body, 0, 900 * KIB)));
    EXPECT(peer_send(&peer, STR("\r\n1\r\n!\r\n0\r\nTrailer: yes\r\n\r\nGET /hello")));
    EXPECT(peer_await(&peer, "z!", 1));
    EXPECT(str_ends(buf_str(&peer.got), body));
    EXPECT(peer_send(&peer, STR(" HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT(peer_await(&peer, "hello", 1));
    peer_close(&peer);
    http_server_stop(house.server);
}

TEST(expect_100_continue)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                                "Expect: 100-continue\r\n\r\n")));
    REQUIRE(peer_await(&peer, "HTTP/1.1 100 Continue\r\n\r\n", 1));
    EXPECT(peer_send(&peer, STR("body")));
    EXPECT(peer_await(&peer, "\r\n\r\nbody", 1));
    peer_close(&peer);
    /* A body that would be refused is not asked for. */
    EXPECT(str_starts(exchange(t, &house,
                          STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
                              "Expect: 100-continue\r\n\r\n")),
        STR("HTTP/1.1 413 ")));
    http_server_stop(house.server);
}

TEST(head_http_1_0_and_empty_answers)
{
    struct http_server_options options = quick();
    struct house house;
    struct str got;

    REQUIRE(open_house(t, &house, &options));
    got = exchange(t, &house, STR("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    EXPECT_HAS(got, "Content-Length: 5\r\n");
    EXPECT(str_ends(got, STR("\r\n\r\n")));
    got = exchange(t, &house, STR("HEAD /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    EXPECT(str_ends(got, STR("\r\n\r\n")));
    got = exchange(t, &house, STR("GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    EXPECT_HAS(got, "HTTP/1.1 204 ");
    EXPECT(!contains(got, "Content-Length"));
    got = exchange(t, &house, STR("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_HAS(got, "Connection: close\r\n");
    got = exchange(t, &house, STR("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    EXPECT(!contains(got, "chunked"));
    EXPECT(str_ends(got, STR("\r\n\r\none two")));
    got = exchange(
        t, &house, STR("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"));
    EXPECT_HAS(got, "Connection: keep-alive\r\n");
    EXPECT_EQ(house.entered, 7);
    http_server_stop(house.server);
}

TEST(streams_are_chunked_and_a_half_one_is_never_completed)
{
    struct http_server_options options = quick();
    struct house house;
    struct str got;

    REQUIRE(open_house(t, &house, &options));
    got = exchange(t, &house, STR("GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    EXPECT_HAS(got, "Transfer-Encoding: chunked\r\n");
    EXPECT(str_ends(got, STR("\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")));
    got = exchange(t, &house, STR("GET /half HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT(str_ends(got, STR("4\r\nhalf\r\n")));
    http_server_stop(house.server);
}

TEST(a_handler_that_does_not_answer_gives_500)
{
    struct http_server_options options = quick();
    struct house house;

    REQUIRE(open_house(t, &house, &options));
    EXPECT_HAS(
        exchange(t, &house, STR("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
        "HTTP/1.1 500 ");
    http_server_stop(house.server);
}

TEST(values_cannot_begin_a_header_of_their_own)
{
    struct http_server_options options = quick();
    struct house house;

    REQUIRE(open_house(t, &house, &options));
    EXPECT_HAS(
        exchange(t, &house, STR("GET /evil HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
        "X-Evil: a  X-Smuggled: b\r\n");
    http_server_stop(house.server);
}

TEST(request_ids_are_taken_over_when_they_fit)
{
    struct http_server_options options = quick();
    struct house house;

    REQUIRE(open_house(t, &house, &options));
    EXPECT_HAS(exchange(t, &house, STR("GET / HTTP/1.0\r\nX-Request-Id: my-id_1.2\r\n\r\n")),
        "X-Request-Id: my-id_1.2\r\n");
    EXPECT(
        !contains(exchange(t, &house, STR("GET / HTTP/1.0\r\nX-Request-Id: a b\r\n\r\n")), "a b"));
    EXPECT(
        !contains(exchange(t, &house,
                      STR("GET / HTTP/1.0\r\nX-Request-Id: 0123456789012345678901234567\r\n\r\n")),
            "01234567890"));
    http_server_stop(house.server);
}

/* The reader takes nothing: the server's memory must not grow, its handler must stand still. */
TEST(a_slow_reader_holds_the_writer_back)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;
    uint64_t before;

    options.write_timeout_ms = 300;
    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")));
    do {
        before = house.flood;
        REQUIRE_OK(fiber_sleep(20));
    } while (house.flood == 0 || house.flood != before);
    EXPECT(house.flood < 16 * MIB); /* what the kernel's socket buffers hold */
    while (http_server_connections(house.server) > 0)
        REQUIRE_OK(fiber_sleep(5));
    EXPECT_EQ(house.sent, ERR_TIMEOUT);
    peer_close(&peer);
    http_server_stop(house.server);
}

TEST(a_reader_that_leaves_while_the_writer_waits)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;
    uint64_t before;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")));
    do {
        before = house.flood;
        REQUIRE_OK(fiber_sleep(20));
    } while (house.flood == 0 || house.flood != before);
    peer_close(&peer);
    while (http_server_connections(house.server) > 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT(house.sent == ERR_CANCELLED || house.sent == ERR_IO);
    http_server_stop(house.server);
}

TEST(drain_finishes_what_runs_and_takes_no_more)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer busy, idle;
    int port;

    REQUIRE(open_house(t, &house, &options));
    port = http_server_port(house.server);
    idle = peer_connect(t, port);
    EXPECT(peer_send(&idle, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT(peer_await(&idle, "hello", 1));
    busy = peer_connect(t, port);
    EXPECT(peer_send(&busy, STR("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (http_server_active(house.server) == 0)
        REQUIRE_OK(fiber_sleep(1));
    http_server_drain(house.server);
    peer_rest(&idle);
    EXPECT(idle.ended);
    EXPECT_EQ(http_server_connections(house.server), 1);
    house.go = true;
    EXPECT_HAS(peer_rest(&busy), "Connection: close\r\n");
    EXPECT(str_ends(buf_str(&busy.got), STR("through")));
    while (http_server_connections(house.server) > 0)
        REQUIRE_OK(fiber_sleep(1));
    peer_close(&idle);
    peer_close(&busy);
    http_server_stop(house.server);
}

TEST(stop_cancels_what_runs)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (house.entered == 0)
        REQUIRE_OK(fiber_sleep(1));
    http_server_stop(house.server);
    EXPECT_EQ(house.waited, ERR_CANCELLED);
    peer_close(&peer);
}

TEST(connections_beyond_the_limit_are_turned_away)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer first;

    options.max_connections = 1;
    REQUIRE(open_house(t, &house, &options));
    first = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&first, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT(peer_await(&first, "hello", 1));
    EXPECT_HAS(exchange(t, &house, STR("")), "HTTP/1.1 503 ");
    peer_close(&first);
    while (http_server_connections(house.server) > 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT_HAS(exchange(t, &house, STR("GET / HTTP/1.0\r\n\r\n")), "HTTP/1.1 200 ");
    http_server_stop(house.server);
}

TEST(an_address_that_cannot_be_had_is_named)
{
    struct http_server_options options = quick();
    struct http_server *server;

    options.host = "256.1.1.1.invalid";
    options.port = 81;
    EXPECT_EQ(http_server_start(fiber_loop(), &options, handler, NULL, &server), ERR_INVALID);
    EXPECT(strstr(err_message(), "256.1.1.1.invalid:81"));
    options.host = "192.0.2.1"; /* documentation address: never this machine's */
    EXPECT_EQ(http_server_start(fiber_loop(), &options, handler, NULL, &server), ERR_IO);
    EXPECT(strstr(err_message(), "192.0.2.1:81"));
}
