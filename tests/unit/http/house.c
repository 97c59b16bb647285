#include "house.h"

#include "http/sse.h"

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

void house_handler(struct http_request *req, void *ctx)
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
    } else if (str_is(req->path, "/give-up")) {
        house->waited = fiber_park(FIBER_NO_DEADLINE);
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

struct http_server_options quick(void)
{
    struct http_server_options options;

    http_server_options_init(&options);
    options.port = 0;
    return options;
}

bool open_house(struct test *t, struct house *house, const struct http_server_options *o)
{
    *house = (struct house){.seen = BUF_IN(t->arena)};
    return EXPECT_OK(http_server_start(fiber_loop(), o, house_handler, house, &house->server));
}

struct str exchange(struct test *t, struct house *house, struct str text)
{
    struct peer peer = peer_connect(t, http_server_port(house->server));
    struct str got;

    peer_send(&peer, text);
    got = str_dup(t->arena, peer_rest(&peer));
    peer_close(&peer);
    return got;
}

bool contains(struct str text, const char *needle)
{
    return str_find(text, str_from(needle), 0) >= 0;
}
