#include "secure/google_auth.h"

#include "base/json.h"
#include "http/client.h"
#include "http/url.h"
#include "runtime/channel.h"
#include "runtime/offload.h"
#include "secure/jwt.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    AHEAD_MS = 5 * MINUTE_MS,
    RETRY_MS = MINUTE_MS, /* between failing renewals while the old token is good */
    TOKEN_TIMEOUT_MS = 10 * SECOND_MS,
    METADATA_TIMEOUT_MS = 3 * SECOND_MS,
    FILE_MAX = 64 * KIB,
    GRANT_S = 3600, /* the most that Google takes */
};

/* What a fetch works with. */
struct search {
    const struct google_environment *environment;
    const struct google_auth_request *request;
    const struct env *env;
    struct arena *arena;
};

struct found {
    struct str token;
    int64_t expires_at_ms;
};

static struct str variable(const struct google_environment *environment, const char *name)
{
    if (environment && environment->get)
        return str_from(environment->get(environment->ctx, name));
    return str_from(getenv(name));
}

struct file_job {
    const char *path;
    struct arena *arena;
    struct str text;
};

static int read_file(void *arg)
{
    struct file_job *job = arg;
    char *text = arena_alloc(job->arena, FILE_MAX);
    FILE *stream = fopen(job->path, "re");
    size_t len;

    if (!stream)
        return err_set(ERR_INVALID,
            "GOOGLE_APPLICATION_CREDENTIALS names %s, which cannot be read: %m.", job->path);
    len = fread(text, 1, FILE_MAX, stream);
    fclose(stream);
    if (len == 0 || len == FILE_MAX)
        return err_set(ERR_INVALID, "The credentials file %s is empty or too long.", job->path);
    job->text = (struct str){text, len};
    return 0;
}

struct account {
    struct str path, email, key, key_id, token_uri;
};

/* The answer of the token endpoint is worth stealing: in clear only to this machine. */
static int check_token_uri(const struct search *s, const struct account *account)
{
    struct url url;

    if (url_parse(s->arena, account->token_uri, &url) < 0 || url.has_user)
        return err_set(ERR_INVALID, "The token_uri in %.*s is no http or https address.",
            STR_ARG(account->path));
    if (str_is(url.scheme, "https") || str_starts(url.host, STR("127.")) ||
        str_is(url.host, "localhost") || str_is(url.host, "::1"))
        return 0;
    return err_set(ERR_DENIED,
        "The token_uri in %.*s is not https: credentials are not sent there.",
        STR_ARG(account->path));
}

static int read_account(const struct search *s, struct str path, struct account *ret_account)
{
    struct file_job job = {str_cstr(s->arena, path), s->arena, STR("")};
    const struct json *root;
    struct account account;
    int r = offload(read_file, &job);

    if (r < 0)
        return r;
    if (json_parse(s->arena, job.text, &root) < 0 || !json_is(root, JSON_OBJECT))
        return err_set(ERR_INVALID, "The credentials file %s is not JSON.", job.path);
    if (!str_is(json_get_str(root, "type"), "service_account"))
        return err_set(ERR_INVALID,
            "The credentials file %s is of type \"%.*s\": give one of a service account.", job.path,
            STR_ARG(json_get_str(root, "type")));
    account = (struct account){.path = path,
        .email = json_get_str(root, "client_email"),
        .key = json_get_str(root, "private_key"),
        .key_id = json_get_str(root, "private_key_id"),
        .token_uri = json_get_str(root, "token_uri")};
    if (str_empty(account.email) || str_empty(account.key))
        return err_set(ERR_INVALID,
            "The credentials file %s has no client_email or no private_key: download it anew.",
            job.path);
    if (str_empty(account.token_uri))
        account.token_uri = STR("https://oauth2.googleapis.com/token");
    *ret_account = account;
    return check_token_uri(s, &account);
}

static struct str make_claims(const struct search *s, const struct account *account)
{
    struct buf claims = BUF_IN(s->arena);
    int64_t now_s = env_wall_ms(s->env) / 1000;
    struct json_writer w;

    json_init(&w, &claims);
    json_object_begin(&w);
    json_str_member(&w, "iss", account->email);
    json_str_member(&w, "scope", s->request->scopes);
    json_str_member(&w, "aud", account->token_uri);
    json_i64_member(&w, "iat", now_s);
    json_i64_member(&w, "exp", now_s + GRANT_S);
    if (!str_empty(s->request->sub))
        json_str_member(&w, "sub", s->request->sub);
    json_object_end(&w);
    return buf_str(&claims);
}

/* {"access_token", "expires_in", "token_type"}, of the token endpoint and the metadata server. */
static int parse_token(
    const struct search *s, const char *from, struct str body, struct found *ret_found)
{
    const struct json *root;
    struct str token;
    int64_t lives_s;

    if (json_parse(s->arena, body, &root) < 0)
        return err_set(ERR_PROTOCOL, "%s gave a token that is not JSON.", from);
    token = json_get_str(root, "access_token");
    lives_s = json_get_i64(root, "expires_in", 0);
    if (str_empty(token) || lives_s <= 0)
        return err_set(ERR_PROTOCOL, "%s gave an answer without a token or its lifetime.", from);
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] >= 0x7f)
            return err_set(ERR_PROTOCOL, "%s gave a token that no header can carry.", from);
    *ret_found = (struct found){token, env_wall_ms(s->env) + MIN(lives_s, DAY_MS / 1000) * 1000};
    return 0;
}

static int grant_refused(
    const struct search *s, const struct account *account, const struct http_reply *reply)
{
    const struct json *root = NULL;
    struct str error, description;

    if (reply->status >= 500 || reply->status == 429)
        return err_set(ERR_UNAVAILABLE, "Google's token endpoint answered %d.", reply->status);
    if (json_parse(s->arena, reply->body, &root) < 0)
        root = NULL;
    error = json_get_str(root, "error");
    description = json_get_str(root, "error_description");
    if (str_is(error, "invalid_grant"))
        return err_set(ERR_UNAUTHORIZED,
            "Google refused the service account %.*s (invalid_grant: %.*s): either this machine's "
            "clock is wrong, set it by NTP, or the key was deleted, make a new one.",
            STR_ARG(account->email), STR_ARG(description));
    if (str_is(error, "unauthorized_client"))
        return err_set(ERR_DENIED,
            "The service account %.*s may not act for %.*s (unauthorized_client): delegate the "
            "scopes to it in the admin console, or leave the user out.",
            STR_ARG(account->email),
            STR_ARG(str_empty(s->request->sub) ? STR("itself") : s->request->sub));
    return err_set(ERR_UNAUTHORIZED,
        "Google refused the service account %.*s (status %d, %.*s): %.*s", STR_ARG(account->email),
        reply->status, STR_ARG(error), STR_ARG(description));
}

static int from_account(const struct search *s, struct str path, struct found *ret_found)
{
    const struct http_header header = {
        STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    struct http_call call = {
        .method = HTTP_POST, .headers = &header, .header_count = 1, .timeout_ms = TOKEN_TIMEOUT_MS};
    struct account account;
    struct http_reply reply;
    struct str token;
    int r = read_account(s, path, &account);

    if (r < 0)
        return r;
    r = jwt_sign_rs256(s->arena, account.key, account.key_id, make_claims(s, &account), &token);
    if (r < 0)
        return err_wrap("in the credentials file %.*s", STR_ARG(path));
    call.url = account.token_uri;
    call.body = str_printf(s->arena,
        "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&assertion=%.*s",
        STR_ARG(token));
    r = http_send(s->arena, &call, &reply);
    if (r < 0)
        return err_wrap("asking Google for an access token");
    if (reply.status != 200)
        return grant_refused(s, &account, &reply);
    return parse_token(s, "Google's token endpoint", reply.body, ret_found);
}

static int from_metadata(const struct search *s, struct found *ret_found)
{
    const char *base = s->environment ? s->environment->metadata_endpoint : NULL;
    const struct http_header header = {STR("Metadata-Flavor"), STR("Google")};
    struct http_call call = {.method = HTTP_GET,
        .headers = &header,
        .header_count = 1,
        .timeout_ms = METADATA_TIMEOUT_MS};
    struct buf url = BUF_IN(s->arena);
    struct http_reply reply;
    int r;

    buf_printf(&url, "%s/computeMetadata/v1/instance/service-accounts/default/token?scopes=",
        base ? base : "http://metadata.google.internal");
    for (size_t i = 0; i < s->request->scopes.len; i++) {
        char c = s->request->scopes.ptr[i];
        url_encode(&url, (struct str){c == ' ' ? "," : &s->request->scopes.ptr[i], 1});
    }
    call.url = buf_str(&url);
    r = http_send(s->arena, &call, &reply);
    if (r == ERR_CANCELLED)
        return r;
    if (r < 0 || !str_is(http_header(&reply.headers, "Metadata-Flavor"), "Google"))
        return err_set(ERR_UNAUTHORIZED,
            "No Google credentials were found: set GOOGLE_APPLICATION_CREDENTIALS to the file of a "
            "service account, or run on Google Cloud with a service account.");
    if (reply.status == 404)
        return err_set(ERR_UNAUTHORIZED, "This machine has no service account: attach one to it.");
    if (reply.status != 200)
        return err_set(reply.status >= 500 ? ERR_UNAVAILABLE : ERR_UNAUTHORIZED,
            "The metadata server gave no token (status %d): check the machine's service account "
            "and its scopes.",
            reply.status);
    return parse_token(s, "The metadata server", reply.body, ret_found);
}

static int fetch(const struct search *s, struct found *ret_found)
{
    struct str path = variable(s->environment, "GOOGLE_APPLICATION_CREDENTIALS");

    if (!str_empty(path))
        return from_account(s, path, ret_found);
    if (!str_empty(s->request->sub))
        return err_set(ERR_UNAUTHORIZED,
            "Acting for %.*s needs the file of a service account: set "
            "GOOGLE_APPLICATION_CREDENTIALS.",
            STR_ARG(s->request->sub));
    return from_metadata(s, ret_found);
}

/* One loop's token for one (sub, scopes). Entries stay until the loop ends: their waiters may be
 * parked on the semaphore. */
struct entry {
    char *sub, *scopes;
    struct semaphore one; /* whoever asks */
    char *token;          /* NULL: none */
    int64_t expires_at_ms;
    int64_t retry_at_ms; /* not before, after a renewal that failed */
    struct entry *next;
};

struct cache {
    struct entry *entries;
};

static const char cache_key;

static void token_wipe(struct entry *entry)
{
    if (entry->token)
        sodium_memzero(entry->token, strlen(entry->token));
    free(entry->token);
    entry->token = NULL;
}

static void cache_free(void *value)
{
    struct cache *cache = value;
    struct entry *next;

    for (struct entry *entry = cache->entries; entry; entry = next) {
        next = entry->next;
        token_wipe(entry);
        free(entry->sub);
        free(entry->scopes);
        free(entry);
    }
    free(cache);
}

static struct cache *cache_of(struct loop *loop)
{
    struct cache *cache = loop_local(loop, &cache_key);

    if (!cache) {
        cache = xcalloc(1, sizeof(*cache));
        loop_set_local(loop, &cache_key, cache, cache_free);
    }
    return cache;
}

static struct entry *entry_of(struct cache *cache, const struct google_auth_request *request)
{
    struct entry *entry;

    for (entry = cache->entries; entry; entry = entry->next)
        if (str_is(request->sub, entry->sub) && str_is(request->scopes, entry->scopes))
            return entry;
    entry = xcalloc(1, sizeof(*entry));
    entry->sub = str_heap(request->sub);
    entry->scopes = str_heap(request->scopes);
    semaphore_init(&entry->one, 1);
    entry->next = cache->entries;
    cache->entries = entry;
    return entry;
}

static bool is_fresh(const struct entry *entry, int64_t now_ms, int64_t ahead_ms)
{
    return entry->token && entry->expires_at_ms - now_ms > ahead_ms;
}

static int renew(struct entry *entry, const struct search *s, int64_t now_ms)
{
    struct found found;
    int r;

    if (is_fresh(entry, now_ms, AHEAD_MS) ||
        (is_fresh(entry, now_ms, 0) && now_ms < entry->retry_at_ms))
        return 0; /* another fiber was faster, or failed just now */
    r = fetch(s, &found);
    entry->retry_at_ms = now_ms + RETRY_MS;
    if (r < 0 && is_fresh(entry, now_ms, 0)) {
        log_warn("google.token_not_renewed", LOG_ERR);
        return 0;
    }
    if (r < 0)
        return r;
    token_wipe(entry);
    entry->token = str_heap(found.token);
    entry->expires_at_ms = found.expires_at_ms;
    return 0;
}

int google_auth_token(const struct google_environment *environment, const struct env *env,
    const struct google_auth_request *request, struct arena *arena, struct str *ret_token)
{
    struct entry *entry = entry_of(cache_of(fiber_loop()), request);
    int64_t now_ms = env_wall_ms(env);
    struct arena scratch;
    int r = 0;

    if (request->emulator_variable &&
        !str_empty(variable(environment, request->emulator_variable))) {
        *ret_token = STR("owner");
        return 0;
    }
    if (!is_fresh(entry, now_ms, AHEAD_MS)) {
        r = semaphore_take(&entry->one, FIBER_NO_DEADLINE);
        if (r < 0)
            return r;
        arena_init(&scratch);
        r = renew(entry, &(struct search){environment, request, env, &scratch}, now_ms);
        arena_deinit(&scratch);
        semaphore_give(&entry->one);
    }
    if (r == 0)
        *ret_token = str_dup(arena, str_from(entry->token));
    return r;
}

void google_auth_forget(void)
{
    for (struct entry *entry = cache_of(fiber_loop())->entries; entry; entry = entry->next)
        token_wipe(entry);
}
