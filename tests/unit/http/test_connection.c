/* http/connection.c: requests as they come in, well or badly, and clients that leave. */
#include "house.h"

#include <sys/socket.h>

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

/* The answer to the request, once it has this status: what others do may not have been noticed. */
static struct str exchange_until(
    struct test *t, struct house *house, struct str request, const char *status)
{
    struct str got = STR("");

    for (int i = 0; i < 500 && str_find(got, str_from(status), 0) < 0; i++) {
        EXPECT_OK(fiber_sleep(5));
        got = exchange(t, house, request);
    }
    return got;
}

/* Two clients send most of a large body and then nothing: a third large one finds no room, small
 * ones do, and so does a large one once the two have left. */
TEST(large_bodies_under_way_have_room_together)
{
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n"};
    static const char large[] = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                "Content-Length: 200000\r\n\r\n";
    struct http_server_options options = quick();
    struct house house;

    options.max_receiving = 200 * KIB;
    REQUIRE(open_house(t, &house, &options));
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct peer hogs[] = {peer_connect(t, http_server_port(house.server)),
            peer_connect(t, http_server_port(house.server))};
        struct str part = repeat(t, heads[i], 'b', 160 * KIB, "");
        struct str got;

        EXPECT(peer_send(&hogs[0], part) && peer_send(&hogs[1], part));
        got = exchange_until(t, &house, repeat(t, large, 'b', 200000, ""), "HTTP/1.1 503 ");
        EXPECT_HAS(got, "HTTP/1.1 503 ");
        EXPECT_HAS(got, "too many large bodies");
        EXPECT_HAS(exchange(t, &house,
                       STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                           "Connection: close\r\n\r\nsmall")),
            "HTTP/1.1 200 ");
        peer_close(&hogs[0]);
        peer_close(&hogs[1]);
        EXPECT_HAS(exchange_until(t, &house, repeat(t, large, 'b', 200000, ""), "HTTP/1.1 200 "),
            "HTTP/1.1 200 ");
    }
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
