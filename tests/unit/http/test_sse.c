#include "http/sse.h"
#include "peer.h"

static void handler(struct http_request *req, void *ctx)
{
    int *rc = ctx;

    *rc = sse_begin(req);
    if (*rc == 0)
        *rc = sse_ping(req);
    if (*rc == 0)
        *rc = sse_send(req, "delta", 7, STR("one\ntwo\r\nthree\rfour"));
    if (*rc == 0)
        *rc = sse_send(req, NULL, -1, STR(""));
    if (*rc == 0)
        *rc = http_stream_end(req);
}

TEST(events_as_the_standard_writes_them)
{
    struct http_server_options options;
    struct http_server *server;
    struct peer peer;
    struct str got;
    int rc = -1;

    http_server_options_init(&options);
    options.port = 0;
    REQUIRE_OK(http_server_start(fiber_loop(), &options, handler, &rc, &server));
    peer = peer_connect(t, http_server_port(server));
    peer_send(&peer, STR("GET / HTTP/1.0\r\n\r\n"));
    got = peer_rest(&peer);
    EXPECT(str_find(got, STR("Content-Type: text/event-stream\r\n"), 0) > 0);
    EXPECT(str_find(got, STR("Cache-Control: no-store\r\n"), 0) > 0);
    EXPECT_STR(str_slice(got, (size_t)str_find(got, STR("\r\n\r\n"), 0), got.len),
        "\r\n\r\n:\n\nevent: delta\nid: 7\ndata: one\ndata: two\ndata: three\ndata: four\n\n"
        "data: \n\n");
    EXPECT_EQ(rc, 0);
    peer_close(&peer);
    http_server_stop(server);
}
