/* The master key in AWS KMS (docs.aws.amazon.com/kms/latest/APIReference: Encrypt, Decrypt), with
 * the workspace and the key's number as encryption context. */
#include "http/retry.h"
#include "http/url.h"
#include "secure/aws_credentials.h"
#include "secure/aws_json.h"
#include "secure/key_provider.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    CALL_TIMEOUT_MS = 5 * SECOND_MS,
    ANSWER_MAX = 64 * KIB,
};

static const struct retry_policy policy = {
    .attempts = 5, .first_ms = 100, .most_ms = 3 * SECOND_MS, .deadline_ms = 15 * SECOND_MS};

struct aws_kms {
    struct key_provider provider;
    struct arena arena; /* of what follows */
    struct str key;     /* as it is asked for: the ARN once that is known */
    struct str region, url, host;
};

struct kms_answer {
    const struct json *root; /* NULL when it was no JSON */
    struct aws_refusal refusal;
};

static struct aws_kms *of(struct key_provider *provider)
{
    return (struct aws_kms *)provider;
}

static int bad_credentials(struct aws_kms *kms, struct str code, struct str message)
{
    static const char *const unknown[] = {"UnrecognizedClientException", "InvalidClientTokenId",
        "MissingAuthenticationTokenException", "MissingAuthenticationToken",
        "IncompleteSignatureException", "IncompleteSignature", "InvalidSignatureException"};

    if (str_is(code, "ExpiredTokenException") || str_is(code, "ExpiredToken"))
        return err_set(ERR_UNAUTHORIZED,
            "The AWS credentials have expired, so KMS does not open the data keys: renew them, or "
            "give Theo a role instead.");
    if (!aws_code_in(code, unknown, ARRAY_LEN(unknown)))
        return 0;
    if (str_find(message, STR("Signature expired"), 0) >= 0 ||
        str_find(message, STR("not yet current"), 0) >= 0)
        return err_set(ERR_UNAUTHORIZED,
            "AWS KMS refused the time of a request: this machine's clock is wrong by more than "
            "five minutes; set it by NTP.");
    if (str_find(message, STR("Credential should be scoped"), 0) >= 0)
        return err_set(ERR_UNAUTHORIZED,
            "AWS KMS at %.*s is not that of region %.*s: name the key by its ARN, or set "
            "AWS_REGION to the key's region.",
            STR_ARG(kms->url), STR_ARG(kms->region));
    return err_set(ERR_UNAUTHORIZED,
        "AWS KMS in %.*s does not know the AWS credentials (%.*s): check AWS_ACCESS_KEY_ID, "
        "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
        STR_ARG(kms->region), STR_ARG(code));
}

static int bad_key(struct aws_kms *kms, const char *operation, const struct key_use *use,
    struct str code, struct str message)
{
    if (str_is(code, "AccessDeniedException") || str_is(code, "AccessDenied"))
        return err_set(ERR_DENIED,
            "The AWS credentials may not do kms:%s with the key %.*s: allow kms:Encrypt and "
            "kms:Decrypt on it in their policy or in the key's.",
            operation, STR_ARG(kms->key));
    if (str_is(code, "NotFoundException"))
        return err_set(ERR_NOT_FOUND,
            "There is no KMS key %.*s in region %.*s: check the ARN or alias in key-provider, and "
            "the region.",
            STR_ARG(kms->key), STR_ARG(kms->region));
    if (str_is(code, "DisabledException"))
        return err_set(ERR_UNAVAILABLE,
            "The KMS key %.*s is disabled: enable it, or the data stays unreadable.",
            STR_ARG(kms->key));
    if (str_is(code, "KMSInvalidStateException"))
        return err_set(ERR_UNAVAILABLE,
            "The KMS key %.*s cannot be used as it is (%.*s): cancel its deletion, or wait until "
            "it is ready.",
            STR_ARG(kms->key), STR_ARG(message));
    if (str_is(code, "InvalidCiphertextException") || str_is(code, "IncorrectKeyException"))
        return err_set(ERR_CORRUPT,
            "The data key of workspace \"%.*s\" does not open under the KMS key %.*s: it was "
            "changed, moved, or wrapped under another key.",
            (int)MIN(use->workspace.len, (size_t)64), use->workspace.ptr, STR_ARG(kms->key));
    return 0;
}

static int final_error(struct aws_kms *kms, const char *operation, const struct key_use *use,
    int status, const struct aws_refusal *refusal)
{
    int r = bad_credentials(kms, refusal->code, refusal->message);

    if (r == 0)
        r = bad_key(kms, operation, use, refusal->code, refusal->message);
    if (r < 0)
        return r;
    if (aws_may_repeat(status, refusal->code))
        return err_set(ERR_UNAVAILABLE,
            "AWS KMS goes on refusing kms:%s (status %d, %.*s): look at the request quota of the "
            "account and at the service's health.",
            operation, status, STR_ARG(refusal->code));
    return err_set(ERR_PROTOCOL, "AWS KMS at %.*s refused kms:%s (status %d, %.*s): %.*s",
        STR_ARG(kms->url), operation, status, STR_ARG(refusal->code),
        (int)MIN(refusal->message.len, (size_t)200), refusal->message.ptr);
}

static int send_once(struct aws_kms *kms, struct arena *arena, const char *operation,
    struct str body, struct http_reply *ret_reply)
{
    struct aws_json_call call = {.env = kms->provider.env,
        .url = kms->url,
        .host = kms->host,
        .region = kms->region,
        .service = "kms",
        .content_type = "application/x-amz-json-1.1",
        .target = str_printf(arena, "TrentService.%s", operation),
        .body = body,
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body = ANSWER_MAX};
    struct aws_credentials credentials;
    int r = aws_credentials_get(NULL, call.env, arena, &credentials);

    if (r < 0)
        return err_wrap("AWS KMS");
    r = aws_json_send(&call, &credentials, arena, ret_reply);
    if (r == ERR_IO || r == ERR_TIMEOUT)
        err_wrap("AWS KMS at %.*s does not answer; check the region, the endpoint and the network",
            STR_ARG(kms->url));
    return r;
}

/* again: whether another attempt is of use. */
static int attempt(struct aws_kms *kms, struct arena *arena, const char *operation,
    const struct key_use *use, struct str body, struct kms_answer *answer, bool *again)
{
    struct http_reply reply;
    int r = send_once(kms, arena, operation, body, &reply);

    *answer = (struct kms_answer){.refusal = {STR(""), STR("")}};
    *again = r == ERR_IO || r == ERR_TIMEOUT || r == ERR_UNAVAILABLE;
    if (r < 0)
        return r;
    if (json_parse(arena, reply.body, &answer->root) < 0)
        answer->root = NULL;
    if (reply.status == 200 && answer->root)
        return 0;
    answer->refusal = aws_refusal_read(answer->root);
    *again = aws_may_repeat(reply.status, answer->refusal.code);
    return final_error(kms, operation, use, reply.status, &answer->refusal);
}

static int call(struct aws_kms *kms, struct arena *arena, const char *operation,
    const struct key_use *use, struct str body, const struct json **ret_root)
{
    struct retry retry = retry_begin(kms->provider.env, &policy);
    bool again = true, renewed = false;
    struct kms_answer answer;
    int r = 0;

    while (again && retry_next(&retry, &r)) {
        r = attempt(kms, arena, operation, use, body, &answer, &again);
        if (r < 0 && str_starts(answer.refusal.code, STR("ExpiredToken")) && !renewed) {
            renewed = again = true; /* ahead of its time: ask for new ones, once */
            aws_credentials_forget();
        }
    }
    if (r == 0)
        *ret_root = answer.root;
    return r;
}

static void begin_body(
    struct json_writer *w, struct buf *out, struct aws_kms *kms, const struct key_use *use)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", (unsigned)use->number);
    json_init(w, out);
    json_object_begin(w);
    json_str_member(w, "KeyId", kms->key);
    json_name(w, "EncryptionContext");
    json_object_begin(w);
    json_str_member(w, "theo-workspace", use->workspace);
    json_cstr_member(w, "theo-key", number);
    json_object_end(w);
}

static int encrypt(struct aws_kms *kms, const struct key_use *use, const unsigned char *key,
    struct arena *arena, struct str *ret_blob, struct str *ret_arn)
{
    struct buf body = BUF_IN(arena);
    const struct json *root;
    struct json_writer w;
    struct str text;
    int r;

    begin_body(&w, &body, kms, use);
    text = key_base64(arena, (struct str){(const char *)key, SEAL_KEY_LEN});
    json_str_member(&w, "Plaintext", text);
    json_object_end(&w);
    r = call(kms, arena, "Encrypt", use, buf_str(&body), &root);
    sodium_memzero((char *)(uintptr_t)text.ptr, text.len);
    sodium_memzero(body.ptr, body.len);
    if (r < 0)
        return r;
    text = json_get_str(root, "CiphertextBlob");
    if (!key_unbase64(arena, text, ret_blob))
        return err_set(ERR_PROTOCOL, "AWS KMS at %.*s answered kms:Encrypt without a ciphertext.",
            STR_ARG(kms->url));
    *ret_arn = json_get_str(root, "KeyId");
    return 0;
}

static int wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped)
{
    struct str arn;

    return encrypt(of(provider), use, key, arena, ret_wrapped, &arn);
}

static int unwrap(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN])
{
    struct aws_kms *kms = of(provider);
    struct buf body = BUF_IN(arena);
    const struct json *root;
    struct json_writer w;
    int r;

    begin_body(&w, &body, kms, use);
    json_str_member(&w, "CiphertextBlob", key_base64(arena, wrapped));
    json_object_end(&w);
    r = call(kms, arena, "Decrypt", use, buf_str(&body), &root);
    if (r < 0)
        return r;
    if (!key_take_base64(json_get_str(root, "Plaintext"), ret_key))
        return err_set(ERR_PROTOCOL, "AWS KMS at %.*s answered kms:Decrypt without a data key.",
            STR_ARG(kms->url));
    return 0;
}

/* "arn:PARTITION:kms:REGION:ACCOUNT:key/ID": part number `wanted`, "" when there is none. */
static struct str arn_part(struct str arn, int wanted)
{
    struct str part = STR("");

    for (int i = 0; i <= wanted; i++)
        if (!str_next(&arn, ':', &part))
            return STR("");
    return part;
}

static int set_place(struct aws_kms *kms, const struct key_provider_request *request)
{
    const char *region = getenv("AWS_REGION"), *endpoint = request->config->aws_kms_endpoint;
    struct str key = request->place;
    bool china;
    struct url url;

    if (str_empty(key))
        return err_field(ERR_INVALID, "key-provider",
            "aws-kms needs a key: aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID or "
            "aws-kms:alias/NAME.");
    if (!region || !region[0])
        region = getenv("AWS_DEFAULT_REGION");
    kms->key = str_dup(&kms->arena, key);
    kms->region = str_starts(key, STR("arn:")) ? arn_part(kms->key, 3)
                                               : str_dup(&kms->arena, str_from(region));
    if (str_empty(kms->region))
        return err_field(ERR_INVALID, "key-provider",
            "The region of the KMS key %.*s is not known: name the key by its ARN, or set "
            "AWS_REGION.",
            (int)MIN(key.len, (size_t)200), key.ptr);
    china = str_starts(kms->region, STR("cn-"));
    kms->url = endpoint[0] ? str_dup(&kms->arena, str_from(endpoint))
                           : str_printf(&kms->arena, "https://kms.%.*s.amazonaws.com%s/",
                                 STR_ARG(kms->region), china ? ".cn" : "");
    if (url_parse(&kms->arena, kms->url, &url) < 0)
        return err_field(ERR_INVALID, "aws-kms.endpoint",
            "aws-kms.endpoint must be an http or https address, for example "
            "https://kms.eu-west-1.amazonaws.com.");
    kms->host = url.port == (str_is(url.scheme, "https") ? 443 : 80)
                    ? url.host
                    : str_printf(&kms->arena, "%.*s:%d", STR_ARG(url.host), url.port);
    return 0;
}

/* An alias may be pointed elsewhere: what is remembered is the key behind it. The replicas of a
 * multi-region key are one key, whatever their region. */
static void set_id(struct aws_kms *kms, struct str arn)
{
    struct str resource = arn_part(arn, 5);

    kms->key = str_dup(&kms->arena, arn);
    if (str_starts(resource, STR("key/mrk-")))
        kms->provider.id = str_printf(&kms->arena, "aws-kms:arn:%.*s:kms::%.*s:%.*s",
            STR_ARG(arn_part(arn, 1)), STR_ARG(arn_part(arn, 4)), STR_ARG(resource))
                               .ptr;
    else
        kms->provider.id = str_printf(&kms->arena, "aws-kms:%.*s", STR_ARG(arn)).ptr;
}

static void close_kms(struct key_provider *provider)
{
    arena_deinit(&of(provider)->arena);
    free(provider);
}

static int open_kms(const struct key_provider_request *request, struct key_provider **ret_provider)
{
    const struct key_use use = {STR("theo-probe"), 0};
    struct aws_kms *kms = xcalloc(1, sizeof(*kms));
    unsigned char key[SEAL_KEY_LEN] = {0};
    struct str blob, arn;
    int r;

    arena_init(&kms->arena);
    kms->provider =
        (struct key_provider){.ops = &key_provider_aws_kms, .env = request->env, .id = ""};
    r = set_place(kms, request);
    if (r == 0)
        r = encrypt(kms, &use, key, &kms->arena, &blob, &arn);
    if (r == 0 && !str_starts(arn, STR("arn:")))
        r = err_set(
            ERR_PROTOCOL, "AWS KMS at %.*s does not say which key it used.", STR_ARG(kms->url));
    if (r == 0) {
        set_id(kms, arn);
        r = unwrap(&kms->provider, &use, blob, &kms->arena, key);
    }
    if (r < 0)
        close_kms(&kms->provider);
    else
        *ret_provider = &kms->provider;
    return r;
}

const struct key_provider_ops key_provider_aws_kms = {
    .name = "aws-kms",
    .open = open_kms,
    .close = close_kms,
    .wrap = wrap,
    .unwrap = unwrap,
};
