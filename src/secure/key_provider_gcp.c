/* The master key in Google Cloud KMS (cloud.google.com/kms/docs/reference/rest: cryptoKeys.encrypt,
 * cryptoKeys.decrypt), with the workspace and the key's number as additional authenticated data. */
#include "base/json.h"
#include "http/client.h"
#include "http/retry.h"
#include "http/url.h"
#include "secure/google_auth.h"
#include "secure/key_provider.h"

#include <sodium.h>
#include <stdlib.h>

#define SCOPE "https://www.googleapis.com/auth/cloudkms"

enum {
    CALL_TIMEOUT_MS = 5 * SECOND_MS,
    ANSWER_MAX = 64 * KIB,
};

static const struct retry_policy policy = {
    .attempts = 5, .first_ms = 100, .most_ms = 3 * SECOND_MS, .deadline_ms = 15 * SECOND_MS};

struct gcp_kms {
    struct key_provider provider;
    struct arena arena; /* of what follows */
    struct str key;     /* "projects/…/locations/…/keyRings/…/cryptoKeys/…" */
    struct str url;     /* with the version and the key */
};

static struct gcp_kms *of(struct key_provider *provider)
{
    return (struct gcp_kms *)provider;
}

static bool may_repeat(int status)
{
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static bool has_reason(const struct json *error, const char *reason)
{
    for (const struct json *d = json_first(json_get(error, "details")); d; d = json_next(d))
        if (str_is(json_get_str(d, "reason"), reason))
            return true;
    return false;
}

static int denied(struct gcp_kms *kms, const struct json *error)
{
    if (has_reason(error, "SERVICE_DISABLED"))
        return err_set(ERR_DENIED,
            "The Cloud KMS API is off in the project of %.*s: run `gcloud services enable "
            "cloudkms.googleapis.com`.",
            STR_ARG(kms->key));
    return err_set(ERR_DENIED,
        "The Google account may not use the key %.*s: give it the role "
        "roles/cloudkms.cryptoKeyEncrypterDecrypter on that key.",
        STR_ARG(kms->key));
}

static int final_error(struct gcp_kms *kms, const char *method, const struct key_use *use,
    int status, const struct json *error)
{
    struct str code = json_get_str(error, "status"), message = json_get_str(error, "message");

    if (status == 401)
        return err_set(ERR_UNAUTHORIZED,
            "Google Cloud KMS refused the access token: check the service account and this "
            "machine's clock.");
    if (status == 403)
        return denied(kms, error);
    if (status == 404)
        return err_set(ERR_NOT_FOUND,
            "There is no key %.*s in Google Cloud KMS: check project, location, key ring and key "
            "in key-provider.",
            STR_ARG(kms->key));
    if (str_is(code, "FAILED_PRECONDITION"))
        return err_set(ERR_UNAVAILABLE,
            "The key %.*s cannot be used: its version is disabled, destroyed or not the primary "
            "one; enable or restore it, or the data stays unreadable.",
            STR_ARG(kms->key));
    if (status == 400 && strcmp(method, "decrypt") == 0)
        return err_set(ERR_CORRUPT,
            "The data key of workspace \"%.*s\" does not open under the key %.*s: it was changed, "
            "moved, or wrapped under another key.",
            (int)MIN(use->workspace.len, (size_t)64), use->workspace.ptr, STR_ARG(kms->key));
    if (may_repeat(status))
        return err_set(ERR_UNAVAILABLE,
            "Google Cloud KMS goes on refusing %s (status %d, %.*s): look at the quotas of the "
            "project and at the service's health.",
            method, status, STR_ARG(code));
    return err_set(ERR_PROTOCOL, "Google Cloud KMS refused %s (status %d, %.*s): %.*s", method,
        status, STR_ARG(code), (int)MIN(message.len, (size_t)200), message.ptr);
}

static int send_once(struct gcp_kms *kms, struct arena *arena, const char *method, struct str body,
    struct http_reply *ret_reply)
{
    const struct google_auth_request request = {.scopes = STR(SCOPE)};
    struct http_header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), STR("")},
    };
    struct http_call call = {.method = HTTP_POST,
        .url = str_printf(arena, "%.*s:%s", STR_ARG(kms->url), method),
        .headers = headers,
        .header_count = ARRAY_LEN(headers),
        .body = body,
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body = ANSWER_MAX};
    struct str token;
    int r = google_auth_token(NULL, kms->provider.env, &request, arena, &token);

    if (r < 0)
        return err_wrap("Google Cloud KMS");
    headers[1].value = str_printf(arena, "Bearer %.*s", STR_ARG(token));
    r = http_send(arena, &call, ret_reply);
    if (r == ERR_IO || r == ERR_TIMEOUT)
        err_wrap("Google Cloud KMS at %.*s does not answer; check gcp-kms.endpoint and the network",
            STR_ARG(kms->url));
    return r;
}

/* again: whether another attempt is of use. */
static int attempt(struct gcp_kms *kms, struct arena *arena, const char *method,
    const struct key_use *use, struct str body, const struct json **root, int *status, bool *again)
{
    struct http_reply reply = {0};
    int r = send_once(kms, arena, method, body, &reply);

    *root = NULL;
    *status = reply.status;
    *again = r == ERR_IO || r == ERR_TIMEOUT || r == ERR_UNAVAILABLE;
    if (r < 0)
        return r;
    if (json_parse(arena, reply.body, root) < 0)
        *root = NULL;
    if (reply.status == 200 && *root)
        return 0;
    *again = may_repeat(reply.status);
    return final_error(kms, method, use, reply.status, json_get(*root, "error"));
}

static int call(struct gcp_kms *kms, struct arena *arena, const char *method,
    const struct key_use *use, struct str body, const struct json **ret_root)
{
    struct retry retry = retry_begin(kms->provider.env, &policy);
    bool again = true, renewed = false;
    const struct json *root;
    int r = 0, status;

    while (again && retry_next(&retry, &r)) {
        r = attempt(kms, arena, method, use, body, &root, &status, &again);
        if (r < 0 && status == 401 && !renewed) {
            renewed = again = true; /* revoked ahead of its time: ask for another, once */
            google_auth_forget();
        }
    }
    if (r == 0)
        *ret_root = root;
    return r;
}

static struct str body_of(
    struct arena *arena, const struct key_use *use, const char *name, struct str bytes)
{
    struct str aad =
        str_printf(arena, "theo|%.*s|%u", STR_ARG(use->workspace), (unsigned)use->number);
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    struct str text = key_base64(arena, bytes);

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, name, text);
    json_str_member(&w, "additionalAuthenticatedData", key_base64(arena, aad));
    json_object_end(&w);
    sodium_memzero((char *)(uintptr_t)text.ptr, text.len);
    return buf_str(&out);
}

static int wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped)
{
    struct str body =
        body_of(arena, use, "plaintext", (struct str){(const char *)key, SEAL_KEY_LEN});
    const struct json *root;
    int r = call(of(provider), arena, "encrypt", use, body, &root);

    sodium_memzero((char *)(uintptr_t)body.ptr, body.len);
    if (r < 0)
        return r;
    if (!key_unbase64(arena, json_get_str(root, "ciphertext"), ret_wrapped))
        return err_set(ERR_PROTOCOL, "Google Cloud KMS answered encrypt without a ciphertext.");
    return 0;
}

static int unwrap(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN])
{
    struct str body = body_of(arena, use, "ciphertext", wrapped);
    const struct json *root;
    int r = call(of(provider), arena, "decrypt", use, body, &root);

    if (r < 0)
        return r;
    if (!key_take_base64(json_get_str(root, "plaintext"), ret_key))
        return err_set(ERR_PROTOCOL, "Google Cloud KMS answered decrypt without a data key.");
    return 0;
}

/* The key itself, none of its versions: the service finds the version by the ciphertext. */
static bool is_key_name(struct str name)
{
    static const char *const words[] = {"projects", "locations", "keyRings", "cryptoKeys"};
    struct str part;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!str_next(&name, '/', &part) || !str_is(part, words[i]) ||
            !str_next(&name, '/', &part) || str_empty(part))
            return false;
    return !str_next(&name, '/', &part);
}

static void close_kms(struct key_provider *provider)
{
    arena_deinit(&of(provider)->arena);
    free(provider);
}

static int set_place(struct gcp_kms *kms, const struct key_provider_request *request)
{
    const char *endpoint = request->config->gcp_kms_endpoint;
    struct str base = str_from(endpoint[0] ? endpoint : "https://cloudkms.googleapis.com");
    struct url url;

    if (!is_key_name(request->place))
        return err_field(ERR_INVALID, "key-provider",
            "gcp-kms needs a key: gcp-kms:projects/PROJECT/locations/PLACE/keyRings/RING/"
            "cryptoKeys/KEY, without a version.");
    if (url_parse(&kms->arena, base, &url) < 0)
        return err_field(ERR_INVALID, "gcp-kms.endpoint",
            "gcp-kms.endpoint must be an http or https address, for example "
            "https://cloudkms.googleapis.com.");
    if (base.ptr[base.len - 1] == '/')
        base.len--;
    kms->key = str_dup(&kms->arena, request->place);
    kms->url = str_printf(&kms->arena, "%.*s/v1/%.*s", STR_ARG(base), STR_ARG(kms->key));
    kms->provider.id = str_printf(&kms->arena, "gcp-kms:%.*s", STR_ARG(kms->key)).ptr;
    return 0;
}

static int open_kms(const struct key_provider_request *request, struct key_provider **ret_provider)
{
    struct gcp_kms *kms = xcalloc(1, sizeof(*kms));
    int r;

    arena_init(&kms->arena);
    kms->provider =
        (struct key_provider){.ops = &key_provider_gcp_kms, .env = request->env, .id = ""};
    r = set_place(kms, request);
    if (r == 0)
        r = key_provider_probe(&kms->provider);
    if (r < 0)
        close_kms(&kms->provider);
    else
        *ret_provider = &kms->provider;
    return r;
}

const struct key_provider_ops key_provider_gcp_kms = {
    .name = "gcp-kms",
    .open = open_kms,
    .close = close_kms,
    .wrap = wrap,
    .unwrap = unwrap,
};
