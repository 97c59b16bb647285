/* One call of Firestore's REST interface: with a token, sent, repeated where that is safe and of
 * use. Every write has a precondition or writes what was written before, so that each may be
 * repeated; whoever called learns by `unsure` that an attempt may have been carried out. */
#include "http/client.h"
#include "http/retry.h"
#include "secure/google_auth.h"
#include "store/firestore.h"

enum {
    CALL_TIMEOUT_MS = 20 * SECOND_MS,
    ANSWER_MAX = 128 * MIB,
};

static const struct retry_policy policy = {
    .first_ms = 50, .most_ms = 5 * SECOND_MS, .deadline_ms = 60 * SECOND_MS};

int fs_back_off(struct store_backend *fs, int attempt)
{
    return retry_pause(fs->env, &policy, attempt + 1);
}

static int send_once(struct store_backend *fs, struct arena *arena, const char *method,
    struct str body, struct http_reply *ret_reply)
{
    const struct google_auth_request request = {
        .scopes = STR("https://www.googleapis.com/auth/datastore"),
        .emulator_variable = FS_EMULATOR,
    };
    struct http_header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), STR("")},
    };
    struct http_call call = {.method = HTTP_POST,
        .url = str_printf(arena, "%.*s/documents:%s", STR_ARG(fs->url), method),
        .headers = headers,
        .header_count = ARRAY_LEN(headers),
        .body = body,
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body = ANSWER_MAX};
    struct str token;
    int r = google_auth_token(NULL, fs->env, &request, arena, &token);

    if (r < 0)
        return r;
    headers[1].value = str_printf(arena, "Bearer %.*s", STR_ARG(token));
    return http_send(arena, &call, ret_reply);
}

static bool may_repeat(int status)
{
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static int final_error(
    struct store_backend *fs, const char *method, int status, struct str code, struct str message)
{
    if (status == 401)
        return err_set(ERR_UNAUTHORIZED,
            "Firestore refused the access token (%.*s): check the service account and this "
            "machine's clock.",
            STR_ARG(message));
    if (status == 403)
        return err_set(ERR_DENIED,
            "The Google account may not use %.*s: give it the role roles/datastore.user. (%.*s)",
            STR_ARG(fs->database), STR_ARG(message));
    if (str_is(code, "NOT_FOUND"))
        return err_set(ERR_NOT_FOUND,
            "There is no database %.*s: create it in native mode, or correct the setting store. "
            "(%.*s)",
            STR_ARG(fs->database), STR_ARG(message));
    if (str_is(code, "FAILED_PRECONDITION"))
        return err_set(ERR_NOT_FOUND,
            "Firestore lacks an index: deploy deploy/firestore/firestore.indexes.json and wait "
            "until it is built. (%.*s)",
            STR_ARG(message));
    if (may_repeat(status))
        return err_set(ERR_UNAVAILABLE,
            "Firestore goes on refusing %s (status %d, %.*s): look at the quotas of the project "
            "and at the service's health.",
            method, status, STR_ARG(code));
    if (status == 413 || str_find_nocase(message, STR("too large"), 0) >= 0 ||
        str_find_nocase(message, STR("maximum"), 0) >= 0)
        return err_set(
            ERR_TOO_LARGE, "Firestore refused %s as too large: %.*s", method, STR_ARG(message));
    return err_set(ERR_PROTOCOL, "Firestore refused %s (status %d, %.*s): %.*s", method, status,
        STR_ARG(code), STR_ARG(message));
}

/* 409 is two things: ALREADY_EXISTS stays so, ABORTED is contention. Both are the caller's, who
 * has to look again at what is there. */
static bool is_refusal(const char *method, int status, struct str code)
{
    if (str_is(code, "ABORTED"))
        return true;
    if (strcmp(method, "commit") != 0)
        return false;
    return str_is(code, "ALREADY_EXISTS") || str_is(code, "FAILED_PRECONDITION") ||
           (str_is(code, "NOT_FOUND") && status == 404);
}

/* What became of one attempt: done or refused, final failure, or worth another one. */
enum verdict { VERDICT_DONE, VERDICT_FINAL, VERDICT_AGAIN, VERDICT_AGAIN_UNSURE, VERDICT_TOKEN };

static enum verdict judge(struct store_backend *fs, struct arena *arena, const char *method,
    const struct http_reply *reply, struct fs_reply *out, int *ret_rc)
{
    const struct json *error;
    int r = json_parse(arena, reply->body, &out->root);

    if (reply->status == 200 && r == 0) {
        *ret_rc = 0;
        return VERDICT_DONE;
    }
    if (reply->status == 200) {
        *ret_rc = err_set(ERR_PROTOCOL, "Firestore answered %s with no JSON.", method);
        return VERDICT_AGAIN_UNSURE;
    }
    if (r < 0)
        out->root = NULL;
    if (json_is(out->root, JSON_ARRAY)) /* as answers to batchGet and runQuery are */
        out->root = json_at(out->root, 0);
    error = json_get(out->root, "error");
    out->code = json_get_str(error, "status");
    if (is_refusal(method, reply->status, out->code)) {
        *ret_rc = FS_REFUSED;
        return VERDICT_DONE;
    }
    *ret_rc = final_error(fs, method, reply->status, out->code, json_get_str(error, "message"));
    if (reply->status == 401)
        return VERDICT_TOKEN;
    if (!may_repeat(reply->status))
        return VERDICT_FINAL;
    return reply->status == 429 ? VERDICT_AGAIN : VERDICT_AGAIN_UNSURE;
}

static enum verdict attempt(struct store_backend *fs, struct arena *arena, const char *method,
    struct str body, struct fs_reply *out, int *ret_rc)
{
    struct http_reply reply;
    int r = send_once(fs, arena, method, body, &reply);

    *ret_rc = r;
    if (r == ERR_IO || r == ERR_TIMEOUT)
        return VERDICT_AGAIN_UNSURE;
    if (r == ERR_UNAVAILABLE)
        return VERDICT_AGAIN; /* the token's endpoint */
    if (r < 0)
        return VERDICT_FINAL;
    return judge(fs, arena, method, &reply, out, ret_rc);
}

static int out_of_attempts(struct store_backend *fs, const char *method, bool unsure, int r)
{
    if (r == ERR_IO || r == ERR_TIMEOUT)
        r = err_wrap("Firestore at %.*s does not answer %s; check the network, and "
                     "FIRESTORE_EMULATOR_HOST if it is set",
            STR_ARG(fs->url), method);
    if (!unsure || strcmp(method, "commit") != 0)
        return r;
    err_get()->code = ERR_TIMEOUT; /* it may have been carried out */
    return ERR_TIMEOUT;
}

int fs_call(struct store_backend *fs, struct arena *arena, const char *method, struct str body,
    struct fs_reply *ret_reply)
{
    struct retry retry = retry_begin(fs->env, &policy);
    bool unsure = false, renewed = false;
    int r = 0;

    retry.policy.attempts = fs->attempts;
    while (retry_next(&retry, &r)) {
        struct fs_reply reply = {.unsure = unsure};
        enum verdict verdict = attempt(fs, arena, method, body, &reply, &r);
        if (verdict == VERDICT_DONE) {
            *ret_reply = reply;
            return r;
        }
        if (verdict == VERDICT_FINAL || (verdict == VERDICT_TOKEN && renewed))
            return r;
        if (verdict == VERDICT_TOKEN) { /* revoked ahead of its time: ask for another, once */
            renewed = true;
            google_auth_forget();
        }
        unsure = unsure || verdict == VERDICT_AGAIN_UNSURE;
    }
    if (retry.stopped)
        return r;
    return out_of_attempts(fs, method, unsure, r);
}
