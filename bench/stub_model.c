/* A Chat-Completions server that answers at once (or after a delay), for script/bench.
 *
 *   bench-stub PORT DELAY_MS
 *
 * Plain answers are constant. A streamed answer's first delta is the stub's monotonic clock in
 * nanoseconds, so that a client on the same machine can tell how long the way back took.
 */
#include "http/server.h"
#include "http/sse.h"

#include <signal.h>

struct stub {
    int64_t delay_ms;
    int port;
};

static const char answer[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"stub\","
    "\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\","
    "\"content\":\"You agreed on 500 units at 12 euro each, delivered by the end of March; Ben "
    "sends the contract on Friday.\"}}],\"usage\":{\"prompt_tokens\":400,\"completion_tokens\":30,"
    "\"total_tokens\":430}}";

static void stream(struct http_request *req)
{
    char data[256];
    struct timespec now;

    if (sse_begin(req) != 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(data, sizeof(data),
        "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"%lld%09ld\"}}]"
        "}",
        (long long)now.tv_sec, now.tv_nsec);
    if (sse_send(req, NULL, -1, str_from(data)) != 0 || fiber_sleep(50) != 0)
        return;
    if (sse_send(req, NULL, -1,
            STR("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}")) != 0 ||
        sse_send(req, NULL, -1, STR("[DONE]")) != 0)
        return;
    (void)http_stream_end(req);
}

static void handle(struct http_request *req, void *ctx)
{
    const struct stub *stub = ctx;

    if (stub->delay_ms > 0 && fiber_sleep(stub->delay_ms) != 0)
        return;
    if (str_find(req->body, STR("\"stream\":true"), 0) >= 0)
        stream(req);
    else
        (void)http_respond(req, 200, "application/json", NULL, 0, str_from(answer));
}

static void serve(void *arg)
{
    struct stub *stub = arg;
    struct http_server_options options;
    struct http_server *server;

    http_server_options_init(&options);
    options.host = "127.0.0.1";
    options.port = stub->port;
    options.max_connections = 30000;
    if (http_server_start(fiber_loop(), &options, handle, stub, &server) != 0) {
        fprintf(stderr, "bench-stub: %s\n", err_message());
        exit(1);
    }
    while (fiber_park(FIBER_NO_DEADLINE) == 0)
        ; /* until the process is ended */
}

int main(int argc, char **argv)
{
    struct stub stub = {0};
    int64_t port;

    if (argc != 3 || !str_to_i64(str_from(argv[1]), &port) ||
        !str_to_i64(str_from(argv[2]), &stub.delay_ms)) {
        fprintf(stderr, "usage: bench-stub PORT DELAY_MS\n");
        return 2;
    }
    stub.port = (int)port;
    signal(SIGPIPE, SIG_IGN);
    return loop_run_fiber(env_system(), serve, &stub) == 0 ? 0 : 1;
}
