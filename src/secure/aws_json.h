/* AWS's JSON protocol, as KMS and DynamoDB speak it: one signed POST, and what a refusal says. */
#ifndef SECURE_AWS_JSON_H
#define SECURE_AWS_JSON_H

#include "base/json.h"
#include "http/client.h"
#include "secure/sigv4.h"

struct aws_json_call {
    const struct env *env;
    struct str url, host, region;
    const char *service;      /* to sign for: "kms" */
    const char *content_type; /* with the protocol's version */
    struct str target;        /* "TrentService.Encrypt" */
    struct str body;
    int64_t timeout_ms;
    size_t max_body; /* of the answer, bytes */
};

/* Sent once; what http_send() returns. Yields. */
MUST_CHECK int aws_json_send(const struct aws_json_call *call,
    const struct aws_credentials *credentials, struct arena *arena, struct http_reply *ret_reply);

/* Why it was refused; both are empty where root, which may be NULL, does not say. */
struct aws_refusal {
    struct str code, message;
};
struct aws_refusal aws_refusal_read(const struct json *root);
/* Another attempt is of use. */
bool aws_may_repeat(int status, struct str code);
bool aws_code_in(struct str code, const char *const *names, size_t count);

#endif
