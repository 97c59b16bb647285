/* A proxy between the store and a DynamoDB: counts what calls cost and goes wrong on demand.
 *
 * While it runs THEO_DYNAMODB_ENDPOINT names it. On the fiber's loop.
 */
#ifndef CONFORMANCE_STORE_DYNAMODB_PROXY_H
#define CONFORMANCE_STORE_DYNAMODB_PROXY_H

#include "base/json.h"
#include "http/server.h"

struct dynamodb_proxy {
    struct http_server *server;
    char peer[128];
    int requests, read_requests, write_requests;
    double read_units, write_units;
    int throttle;         /* so many calls are answered ThrottlingException */
    int lose;             /* so many writes are carried out and answered 500 */
    int transactions;     /* so many more are let through; negative: all */
    const char *refuse;   /* error code for every call, or NULL */
    const char *message;  /* its text */
    char last_target[64]; /* operation of the last call */
};

MUST_CHECK int dynamodb_proxy_start(struct dynamodb_proxy *proxy);
void dynamodb_proxy_stop(struct dynamodb_proxy *proxy);
/* Ask the peer itself. */
MUST_CHECK int dynamodb_ask(
    struct arena *arena, const char *operation, struct str body, const struct json **ret_root);

#endif
