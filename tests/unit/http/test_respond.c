/* http/respond.c: answers whole and streamed, and writers whose readers are slow. */
#include "house.h"

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
