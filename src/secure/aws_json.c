#include "secure/aws_json.h"

int aws_json_send(const struct aws_json_call *call, const struct aws_credentials *credentials,
    struct arena *arena, struct http_reply *ret_reply)
{
    const struct http_header headers[] = {
        {STR("content-type"), str_from(call->content_type)},
        {STR("x-amz-target"), call->target},
    };
    struct sigv4_request request = {.method = "POST",
        .host = call->host,
        .path = STR("/"),
        .headers = headers,
        .header_count = ARRAY_LEN(headers),
        .body = call->body,
        .region = call->region,
        .service = str_from(call->service),
        .wall_ms = env_wall_ms(call->env)};
    struct http_headers signed_headers = sigv4_sign(arena, credentials, &request);
    struct http_call post = {.method = HTTP_POST,
        .url = call->url,
        .headers = signed_headers.items,
        .header_count = signed_headers.count,
        .body = call->body,
        .timeout_ms = call->timeout_ms,
        .max_body = call->max_body};

    return http_send(arena, &post, ret_reply);
}

/* "com.amazonaws.kms#NotFoundException:http://…" -> the name alone. */
static struct str code_of(struct str type)
{
    ptrdiff_t at = str_rfind_char(type, '#');

    type = str_slice(type, (size_t)(at + 1), type.len);
    at = str_find_char(type, ':', 0);
    return at < 0 ? type : str_slice(type, 0, (size_t)at);
}

struct aws_refusal aws_refusal_read(const struct json *root)
{
    struct aws_refusal refusal = {
        code_of(json_get_str(root, "__type")), json_get_str(root, "message")};

    if (str_empty(refusal.message))
        refusal.message = json_get_str(root, "Message");
    return refusal;
}

bool aws_code_in(struct str code, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(code, names[i]))
            return true;
    return false;
}

bool aws_may_repeat(int status, struct str code)
{
    static const char *const codes[] = {/* of any service */
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
        "BandwidthLimitExceeded", "LimitExceededException", "SlowDown", "PriorRequestNotComplete",
        "InternalServerError",
        /* DynamoDB */
        "ProvisionedThroughputExceededException", "TransactionInProgressException",
        "ReplicatedWriteConflictException", "TransactionConflictException",
        /* KMS */
        "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException"};

    return status == 429 || status >= 500 || aws_code_in(code, codes, ARRAY_LEN(codes));
}
