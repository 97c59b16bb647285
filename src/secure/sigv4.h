/* AWS Signature Version 4 (docs.aws.amazon.com, "Signature Version 4 signing process"): the header
 * form, for requests whose body is at hand.
 *
 * Every header given is signed, and host, x-amz-date and, for temporary credentials,
 * x-amz-security-token besides. The path is encoded a second time, as every service but S3 asks
 * for. libcurl's own signer is not used: that of Debian 12 signs queries and removed headers
 * wrongly. Nothing here yields.
 */
#ifndef SECURE_SIGV4_H
#define SECURE_SIGV4_H

#include "http/http.h"

struct aws_credentials {
    struct str access_key_id, secret_access_key;
    struct str session_token; /* "" for long-lived keys */
    int64_t expires_at_ms;    /* UTC ms; 0: never */
};

struct sigv4_request {
    const char *method;
    struct str host;  /* as in the Host header: with the port unless it is the scheme's */
    struct str path;  /* as sent: encoded once; "" is "/" */
    struct str query; /* as sent, without the question mark */
    const struct http_header *headers;
    size_t header_count;
    struct str body;
    struct str region, service;
    int64_t wall_ms;
};

/* The texts that are hashed, for tests and for finding out why a signature is refused. */
struct str sigv4_canonical_request(struct arena *arena, const struct sigv4_request *request);
struct str sigv4_string_to_sign(struct arena *arena, const struct sigv4_request *request);

/* The request's headers and those of the signature: x-amz-date, x-amz-security-token,
 * authorization. The Host header is left to whoever sends. In arena. */
struct http_headers sigv4_sign(struct arena *arena, const struct aws_credentials *credentials,
    const struct sigv4_request *request);

#endif
