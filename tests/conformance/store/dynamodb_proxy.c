#include "dynamodb_proxy.h"

#include "http/client.h"

#include <stdlib.h>

static bool is_write(struct str operation)
{
    return str_is(operation, "PutItem") || str_is(operation, "DeleteItem") ||
           str_is(operation, "UpdateItem") || str_is(operation, "TransactWriteItems");
}

static bool is_read(struct str operation)
{
    return str_is(operation, "GetItem") || str_is(operation, "BatchGetItem") ||
           str_is(operation, "Query");
}

static int forward(struct arena *arena, const char *peer, struct str operation, struct str body,
    struct http_reply *ret_reply)
{
    const struct http_header headers[] = {
        {STR("content-type"), STR("application/x-amz-json-1.0")},
        {STR("x-amz-target"), str_printf(arena, "DynamoDB_20120810.%.*s", STR_ARG(operation))},
        {STR("authorization"),
            STR("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/dynamodb/aws4_request, "
                "SignedHeaders=host, Signature=00")},
        {STR("x-amz-date"), STR("20260101T000000Z")},
    };
    struct http_call call = {.method = HTTP_POST,
        .url = str_from(peer),
        .headers = headers,
        .header_count = ARRAY_LEN(headers),
        .body = body,
        .max_body = 64 * MIB};

    return http_send(arena, &call, ret_reply);
}

static double units(const struct json *capacity)
{
    double sum = 0;

    if (!json_is(capacity, JSON_ARRAY))
        return json_double(json_get(capacity, "CapacityUnits"), 0);
    for (const struct json *one = json_first(capacity); one; one = json_next(one))
        sum += units(one);
    return sum;
}

static void count(
    struct dynamodb_proxy *proxy, struct arena *arena, struct str operation, struct str answer)
{
    const struct json *root;

    if (json_parse(arena, answer, &root) != 0)
        return;
    if (is_write(operation)) {
        proxy->write_requests++;
        proxy->write_units += units(json_get(root, "ConsumedCapacity"));
    } else if (is_read(operation)) {
        proxy->read_requests++;
        proxy->read_units += units(json_get(root, "ConsumedCapacity"));
    }
}

static void answer_error(struct http_request *req, int status, const char *code, const char *text)
{
    struct str body = str_printf(req->arena,
        "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"%s\"}", code, text);

    (void)http_respond(req, status, "application/x-amz-json-1.0", NULL, 0, body);
}

static void handle(struct http_request *req, void *ctx)
{
    struct dynamodb_proxy *proxy = ctx;
    struct str target = http_header(&req->headers, "x-amz-target");
    struct str operation = str_slice(target, (size_t)(str_rfind_char(target, '.') + 1), target.len);
    struct str body = req->body;
    struct http_reply reply;

    proxy->requests++;
    snprintf(proxy->last_target, sizeof(proxy->last_target), "%.*s", STR_ARG(operation));
    if (proxy->refuse) {
        answer_error(req, 400, proxy->refuse, proxy->message ? proxy->message : "");
        return;
    }
    if (proxy->throttle > 0) {
        proxy->throttle--;
        answer_error(req, 400, "ThrottlingException", "Rate exceeded");
        return;
    }
    if (str_is(operation, "TransactWriteItems") && proxy->transactions == 0) {
        answer_error(req, 500, "InternalServerError", "as if the process had died");
        return;
    }
    if (str_is(operation, "TransactWriteItems"))
        proxy->transactions--;
    if ((is_write(operation) || is_read(operation)) && body.len > 1)
        body = str_printf(req->arena, "{\"ReturnConsumedCapacity\":\"TOTAL\",%.*s",
            (int)body.len - 1, body.ptr + 1);
    if (forward(req->arena, proxy->peer, operation, body, &reply) != 0) {
        answer_error(req, 500, "InternalServerError", "the peer does not answer");
        return;
    }
    count(proxy, req->arena, operation, reply.body);
    if (is_write(operation) && proxy->lose > 0) {
        proxy->lose--;
        answer_error(req, 500, "InternalServerError", "the answer was lost");
        return;
    }
    (void)http_respond(req, reply.status, "application/x-amz-json-1.0", NULL, 0, reply.body);
}

int dynamodb_proxy_start(struct dynamodb_proxy *proxy)
{
    struct http_server_options options;
    const char *peer = getenv("THEO_DYNAMODB_ENDPOINT");
    char url[64];
    int r;

    *proxy = (struct dynamodb_proxy){.transactions = -1};
    snprintf(proxy->peer, sizeof(proxy->peer), "%s", peer ? peer : "");
    http_server_options_init(&options);
    options.host = "127.0.0.1";
    options.port = 0;
    options.max_body_bytes = 16 * MIB;
    r = http_server_start(fiber_loop(), &options, handle, proxy, &proxy->server);
    if (r != 0)
        return r;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", http_server_port(proxy->server));
    setenv("THEO_DYNAMODB_ENDPOINT", url, 1);
    return 0;
}

void dynamodb_proxy_stop(struct dynamodb_proxy *proxy)
{
    setenv("THEO_DYNAMODB_ENDPOINT", proxy->peer, 1);
    http_server_stop(proxy->server);
}

int dynamodb_ask(
    struct arena *arena, const char *operation, struct str body, const struct json **ret_root)
{
    struct http_reply reply;
    int r = forward(arena, getenv("THEO_DYNAMODB_ENDPOINT"), str_from(operation), body, &reply);

    return r == 0 ? json_parse(arena, reply.body, ret_root) : r;
}
