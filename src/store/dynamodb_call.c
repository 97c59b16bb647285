/* One call of DynamoDB's JSON protocol: signed, sent, repeated where that is safe and of use. */
#include "http/retry.h"
#include "http/url.h"
#include "secure/aws_json.h"
#include "store/dynamodb.h"

enum {
    CALL_TIMEOUT_MS = 5 * SECOND_MS,
    ANSWER_MAX = 64 * MIB,
};

static const struct retry_policy policy = {
    .first_ms = 50, .most_ms = 5 * SECOND_MS, .deadline_ms = 30 * SECOND_MS};

int ddb_back_off(struct store_backend *db, int attempt)
{
    return retry_pause(db->env, &policy, attempt + 1);
}

static int refused_access(
    struct store_backend *db, const char *operation, struct str code, struct str message)
{
    static const char *const unknown[] = {"UnrecognizedClientException", "InvalidClientTokenId",
        "MissingAuthenticationTokenException", "MissingAuthenticationToken",
        "IncompleteSignatureException", "InvalidSignatureException"};

    if (str_is(code, "InvalidSignatureException") &&
        (str_find(message, STR("Signature expired"), 0) >= 0 ||
            str_find(message, STR("not yet current"), 0) >= 0))
        return err_set(ERR_UNAUTHORIZED,
            "DynamoDB refused the time of a request: this machine's clock is wrong by more than "
            "five minutes; set it by NTP.");
    if (str_is(code, "ExpiredTokenException") || str_is(code, "ExpiredToken"))
        return err_set(ERR_UNAUTHORIZED,
            "The AWS credentials have expired: renew them, or give Theo a role instead.");
    if (aws_code_in(code, unknown, ARRAY_LEN(unknown)))
        return err_set(ERR_UNAUTHORIZED,
            "DynamoDB in %.*s does not know the AWS credentials (%.*s): check AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
            STR_ARG(db->region), STR_ARG(code));
    if (str_is(code, "AccessDeniedException") || str_is(code, "AccessDenied"))
        return err_set(ERR_DENIED,
            "The AWS credentials may not do dynamodb:%s on the table %.*s: grant the rights of "
            "deploy/dynamodb/template.yaml.",
            operation, STR_ARG(db->table));
    return 0;
}

static int final_error(struct store_backend *db, const char *operation, int status, struct str code,
    struct str message)
{
    int r = refused_access(db, operation, code, message);

    if (r < 0)
        return r;
    if (str_is(code, "UnknownOperationException"))
        return err_set(ERR_PROTOCOL,
            "The service at %.*s has no %s: use AWS's, or DynamoDB Local for tests.",
            STR_ARG(db->url), operation);
    if (str_is(code, "ValidationException") && str_find_nocase(message, STR("size"), 0) >= 0)
        return err_set(
            ERR_TOO_LARGE, "DynamoDB refused %s as too large: %.*s", operation, STR_ARG(message));
    if (aws_may_repeat(status, code))
        return err_set(ERR_UNAVAILABLE,
            "DynamoDB goes on refusing %s (status %d, %.*s): raise the table's capacity or look at "
            "the service's health.",
            operation, status, STR_ARG(code));
    return err_set(ERR_PROTOCOL, "DynamoDB refused %s (status %d, %.*s): %.*s", operation, status,
        STR_ARG(code), STR_ARG(message));
}

static bool is_refusal(struct str code)
{
    static const char *const codes[] = {"ConditionalCheckFailedException",
        "TransactionCanceledException", "ResourceNotFoundException", "ResourceInUseException",
        "IdempotentParameterMismatchException"};

    return aws_code_in(code, codes, ARRAY_LEN(codes));
}

static int send_once(struct store_backend *db, struct arena *arena, const char *operation,
    struct str body, struct http_reply *ret_reply)
{
    struct aws_json_call call = {.env = db->env,
        .url = db->url,
        .host = db->host,
        .region = db->region,
        .service = "dynamodb",
        .content_type = "application/x-amz-json-1.0",
        .target = str_printf(arena, "DynamoDB_20120810.%s", operation),
        .body = body,
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body = ANSWER_MAX};
    struct aws_credentials credentials;
    int r = aws_credentials_get(NULL, call.env, arena, &credentials);

    return r < 0 ? r : aws_json_send(&call, &credentials, arena, ret_reply);
}

/* What became of one attempt: done, refused, final failure, or worth another one. */
enum verdict { VERDICT_DONE, VERDICT_FINAL, VERDICT_AGAIN, VERDICT_AGAIN_UNSURE };

static enum verdict judge(struct store_backend *db, struct arena *arena, const char *operation,
    const struct http_reply *reply, struct ddb_reply *out, int *ret_rc)
{
    struct aws_refusal refusal;
    int r = json_parse(arena, reply->body, &out->root);

    if (reply->status == 200 && r == 0) {
        *ret_rc = 0;
        return VERDICT_DONE;
    }
    if (reply->status == 200) {
        *ret_rc = err_set(ERR_PROTOCOL, "DynamoDB answered %s with no JSON.", operation);
        return VERDICT_FINAL;
    }
    if (r < 0)
        out->root = NULL;
    refusal = aws_refusal_read(out->root);
    out->code = refusal.code;
    if (is_refusal(out->code)) {
        *ret_rc = DDB_REFUSED;
        return VERDICT_DONE;
    }
    *ret_rc = final_error(db, operation, reply->status, refusal.code, refusal.message);
    if (!aws_may_repeat(reply->status, out->code))
        return VERDICT_FINAL;
    return reply->status >= 500 ? VERDICT_AGAIN_UNSURE : VERDICT_AGAIN;
}

static enum verdict attempt(struct store_backend *db, struct arena *arena, const char *operation,
    struct str body, struct ddb_reply *out, int *ret_rc)
{
    struct http_reply reply;
    int r = send_once(db, arena, operation, body, &reply);

    *ret_rc = r;
    if (r == ERR_IO || r == ERR_TIMEOUT)
        return VERDICT_AGAIN_UNSURE;
    if (r < 0)
        return VERDICT_FINAL;
    return judge(db, arena, operation, &reply, out, ret_rc);
}

static int out_of_attempts(struct store_backend *db, const char *operation, bool unsure, int r)
{
    if (r == ERR_IO || r == ERR_TIMEOUT)
        err_wrap("DynamoDB at %.*s does not answer %s; check the region, the endpoint and the "
                 "network",
            STR_ARG(db->url), operation);
    if (!unsure)
        return r;
    err_get()->code = ERR_TIMEOUT; /* it may have been carried out */
    return ERR_TIMEOUT;
}

static bool writes(const char *operation)
{
    return strcmp(operation, "PutItem") == 0 || strcmp(operation, "DeleteItem") == 0 ||
           strcmp(operation, "UpdateItem") == 0 || strcmp(operation, "TransactWriteItems") == 0;
}

int ddb_call(struct store_backend *db, struct arena *arena, const char *operation, struct str body,
    struct ddb_reply *ret_reply)
{
    struct retry retry = retry_begin(db->env, &policy);
    bool unsure = false, renewed = false;
    int r = 0;

    retry.policy.attempts = db->attempts;
    while (retry_next(&retry, &r)) {
        struct ddb_reply reply = {.unsure = unsure};
        enum verdict verdict = attempt(db, arena, operation, body, &reply, &r);
        if (verdict == VERDICT_DONE) {
            *ret_reply = reply;
            return r;
        }
        if (verdict == VERDICT_FINAL && str_starts(reply.code, STR("ExpiredToken")) && !renewed) {
            renewed = true; /* ahead of its time: ask for new ones, once */
            aws_credentials_forget();
            continue;
        }
        if (verdict == VERDICT_FINAL)
            return r;
        unsure = unsure || verdict == VERDICT_AGAIN_UNSURE;
    }
    if (retry.stopped)
        return r;
    return out_of_attempts(db, operation, unsure && writes(operation), r);
}
