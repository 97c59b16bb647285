#include "base/log.h"
#include "house.h"
#include "http/server.h"

#include <sys/resource.h>
#include <sys/socket.h>

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

TEST(stop_ends_even_who_was_not_accepted_yet)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    REQUIRE_OK(fiber_sleep(1));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(send(peer.fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", 31, MSG_NOSIGNAL) == 31);
    http_server_stop(house.server);
    peer_rest(&peer);
    EXPECT(peer.ended);
    peer_close(&peer);
}

TEST(a_handler_that_gives_up_when_stopped_answers_503)
{
    struct http_server_options options = quick();
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    peer = peer_connect(t, http_server_port(house.server));
    EXPECT(peer_send(&peer, STR("GET /give-up HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (house.entered == 0)
        REQUIRE_OK(fiber_sleep(1));
    http_server_stop(house.server);
    EXPECT_HAS(peer_rest(&peer), "HTTP/1.1 503 ");
    peer_close(&peer);
}

/* Without descriptors the client waits in the kernel's queue, and is served once there are some. */
TEST(running_out_of_descriptors_is_survived)
{
    struct http_server_options options = quick();
    struct rlimit limit, low;
    struct house house;
    struct peer peer;

    REQUIRE(open_house(t, &house, &options));
    REQUIRE_OK(fiber_sleep(1));
    peer = peer_connect(t, http_server_port(house.server));
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    low = limit;
    low.rlim_cur = (rlim_t)peer.fd + 1;
    log_level_set(LOG_OFF);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    EXPECT(peer_send(&peer, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT_OK(fiber_sleep(10));
    EXPECT_EQ(http_server_connections(house.server), 0);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    log_level_set(LOG_INFO);
    EXPECT(peer_await(&peer, "hello", 1));
    peer_close(&peer);
    http_server_stop(house.server);
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
    EXPECT_EQ(http_server_start(fiber_loop(), &options, house_handler, NULL, &server), ERR_INVALID);
    EXPECT(strstr(err_message(), "256.1.1.1.invalid:81"));
    options.host = "192.0.2.1"; /* documentation address: never this machine's */
    EXPECT_EQ(http_server_start(fiber_loop(), &options, house_handler, NULL, &server), ERR_IO);
    EXPECT(strstr(err_message(), "192.0.2.1:81"));
}

TEST(loops_share_a_port_but_an_exclusive_one_is_not_shared)
{
    struct http_server_options options = quick();
    struct house house, second, third;

    options.exclusive = true;
    REQUIRE(open_house(t, &house, &options));
    options.port = http_server_port(house.server);
    EXPECT_EQ(
        http_server_start(fiber_loop(), &options, house_handler, NULL, &third.server), ERR_IO);
    EXPECT(strstr(err_message(), "taken"));
    options.exclusive = false;
    REQUIRE(open_house(t, &second, &options));
    EXPECT_EQ(http_server_port(second.server), options.port);
    http_server_stop(house.server);
    EXPECT_HAS(exchange(t, &second, STR("GET / HTTP/1.0\r\n\r\n")), "hello");
    http_server_stop(second.server);
}
