#include "secure/aws_credentials.h"

#include "base/json.h"
#include "http/client.h"
#include "http/url.h"
#include "runtime/channel.h"
#include "runtime/offload.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    AHEAD_MS = 15 * MINUTE_MS,
    RETRY_MS = MINUTE_MS, /* between failing renewals while the old ones are good */
    STS_TIMEOUT_MS = 2000,
    CONTAINER_TIMEOUT_MS = 2000,
    CONTAINER_TRIES = 3,
    IMDS_TIMEOUT_MS = 1000,
    TOKEN_FILE_MAX = 64 * KIB,
};

/* What a fetch works with. */
struct search {
    const struct aws_environment *environment;
    const struct env *env;
    struct arena *arena;
};

static struct str variable(const struct search *s, const char *name)
{
    if (s->environment && s->environment->get)
        return str_from(s->environment->get(s->environment->ctx, name));
    return str_from(getenv(name));
}

struct token_file {
    const char *path;
    struct arena *arena;
    struct str text;
};

static int read_token_file(void *arg)
{
    struct token_file *file = arg;
    char *text = arena_alloc(file->arena, TOKEN_FILE_MAX);
    FILE *stream = fopen(file->path, "re");
    size_t len;

    if (!stream)
        return err_set(ERR_INVALID, "The token file %s cannot be read: %m.", file->path);
    len = fread(text, 1, TOKEN_FILE_MAX, stream);
    fclose(stream);
    file->text = str_trim((struct str){text, len});
    if (str_empty(file->text) || len == TOKEN_FILE_MAX)
        return err_set(ERR_INVALID, "The token file %s is empty or too long.", file->path);
    return 0;
}

/* Read anew each time: the platform renews the file. */
static int read_token(const struct search *s, struct str path, struct str *ret_token)
{
    struct token_file file = {str_cstr(s->arena, path), s->arena, STR("")};
    int r = offload(read_token_file, &file);

    if (r == 0)
        *ret_token = file.text;
    return r;
}

static int from_environment(const struct search *s, struct aws_credentials *ret_credentials)
{
    *ret_credentials = (struct aws_credentials){.access_key_id = variable(s, "AWS_ACCESS_KEY_ID"),
        .secret_access_key = variable(s, "AWS_SECRET_ACCESS_KEY"),
        .session_token = variable(s, "AWS_SESSION_TOKEN")};
    if (str_empty(ret_credentials->secret_access_key))
        return err_set(ERR_INVALID,
            "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: set both or neither.");
    return 0;
}

/* {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} of the container's agent and IMDS. */
static int parse_credentials(const struct search *s, const char *from, struct str body,
    struct aws_credentials *ret_credentials)
{
    struct aws_credentials found;
    const struct json *root;
    struct str expiration;
    int r = json_parse(s->arena, body, &root);

    if (r < 0)
        return err_set(ERR_PROTOCOL, "%s gave credentials that are not JSON.", from);
    found = (struct aws_credentials){.access_key_id = json_get_str(root, "AccessKeyId"),
        .secret_access_key = json_get_str(root, "SecretAccessKey"),
        .session_token = json_get_str(root, "Token")};
    expiration = json_get_str(root, "Expiration");
    if (str_empty(found.access_key_id) || str_empty(found.secret_access_key))
        return err_set(ERR_PROTOCOL, "%s gave an answer without a key.", from);
    if (!str_empty(expiration) && !rfc3339_parse(expiration, &found.expires_at_ms, NULL))
        return err_set(ERR_PROTOCOL, "%s gave an expiry that is no time.", from);
    *ret_credentials = found;
    return 0;
}

static int check_status(const char *from, const struct http_reply *reply)
{
    if (reply->status == 200)
        return 0;
    if (reply->status >= 500 || reply->status == 429)
        return err_set(ERR_UNAVAILABLE, "%s answered %d.", from, reply->status);
    return err_set(ERR_DENIED,
        "%s refused to give credentials (status %d): check the role that it should give.", from,
        reply->status);
}

/* The text between <name> and </name>: all that is needed of STS's XML. */
static struct str element(struct str xml, const char *name, struct arena *arena)
{
    struct str open = str_printf(arena, "<%s>", name), close = str_printf(arena, "</%s>", name);
    ptrdiff_t at = str_find(xml, open, 0), end;

    if (at < 0)
        return STR("");
    end = str_find(xml, close, (size_t)at);
    return end < 0 ? STR("") : str_slice(xml, (size_t)at + open.len, (size_t)end);
}

static int parse_sts(
    const struct search *s, const struct http_reply *reply, struct aws_credentials *ret_credentials)
{
    struct aws_credentials found = {.access_key_id = element(reply->body, "AccessKeyId", s->arena),
        .secret_access_key = element(reply->body, "SecretAccessKey", s->arena),
        .session_token = element(reply->body, "SessionToken", s->arena)};

    if (reply->status != 200) {
        struct str code = element(reply->body, "Code", s->arena);
        return err_set(reply->status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED,
            "STS refused the web identity (status %d, %.*s): check AWS_ROLE_ARN and that the role "
            "trusts this identity provider.",
            reply->status, STR_ARG(code));
    }
    if (str_empty(found.access_key_id) || str_empty(found.secret_access_key) ||
        !rfc3339_parse(element(reply->body, "Expiration", s->arena), &found.expires_at_ms, NULL))
        return err_set(ERR_PROTOCOL, "STS gave an answer without a key.");
    *ret_credentials = found;
    return 0;
}

static struct str sts_url(const struct search *s)
{
    struct str url = variable(s, "AWS_ENDPOINT_URL_STS"), region = variable(s, "AWS_REGION");

    if (!str_empty(url))
        return url;
    if (str_empty(region))
        region = variable(s, "AWS_DEFAULT_REGION");
    if (str_empty(region))
        return STR("https://sts.amazonaws.com/");
    return str_printf(s->arena, "https://sts.%.*s.amazonaws.com%s/", STR_ARG(region),
        str_starts(region, STR("cn-")) ? ".cn" : "");
}

static int from_web_identity(const struct search *s, struct aws_credentials *ret_credentials)
{
    const struct http_header headers[] = {
        {STR("Content-Type"), STR("application/x-www-form-urlencoded")}};
    struct http_call call = {.method = HTTP_POST,
        .url = sts_url(s),
        .headers = headers,
        .header_count = 1,
        .timeout_ms = STS_TIMEOUT_MS};
    struct str token, role = variable(s, "AWS_ROLE_ARN"),
                      session = variable(s, "AWS_ROLE_SESSION_NAME");
    struct buf form = BUF_IN(s->arena);
    struct http_reply reply;
    int r;

    if (str_empty(role))
        return err_set(ERR_INVALID,
            "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not: set the role to assume.");
    r = read_token(s, variable(s, "AWS_WEB_IDENTITY_TOKEN_FILE"), &token);
    if (r < 0)
        return r;
    buf_add_cstr(&form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=");
    url_encode(&form, role);
    buf_add_cstr(&form, "&RoleSessionName=");
    url_encode(&form, str_empty(session) ? STR("theo") : session);
    buf_add_cstr(&form, "&WebIdentityToken=");
    url_encode(&form, token);
    call.body = buf_str(&form);
    r = http_send(s->arena, &call, &reply);
    if (r < 0)
        return err_wrap("asking STS for credentials");
    return parse_sts(s, &reply, ret_credentials);
}

static bool is_loopback(struct str host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!char_is_digit(host.ptr[i]) && host.ptr[i] != '.')
            return false; /* 127.0.0.1.example.com is a name like any other */
    return str_starts(host, STR("127."));
}

/* Credentials are worth stealing: only this machine and AWS's two agents may be asked in clear. */
static int check_full_uri(const struct search *s, struct str uri)
{
    static const char *const hosts[] = {
        "localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
    struct url url;

    if (url_parse(s->arena, uri, &url) < 0 || url.has_user)
        return err_set(
            ERR_INVALID, "AWS_CONTAINER_CREDENTIALS_FULL_URI is no http or https address.");
    if (str_is(url.scheme, "https") || is_loopback(url.host))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (str_is(url.host, hosts[i]))
            return 0;
    return err_set(ERR_DENIED,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI names the host %.*s: without https only loopback and "
        "AWS's own agents may be asked for credentials.",
        STR_ARG(url.host));
}

static int container_url(const struct search *s, struct str *ret_url)
{
    struct str relative = variable(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *base = s->environment ? s->environment->container_endpoint : NULL;

    if (!str_empty(relative)) {
        if (relative.ptr[0] != '/')
            return err_set(
                ERR_INVALID, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with a slash.");
        *ret_url =
            str_printf(s->arena, "%s%.*s", base ? base : "http://169.254.170.2", STR_ARG(relative));
        return 0;
    }
    *ret_url = variable(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    return check_full_uri(s, *ret_url);
}

static int container_token(const struct search *s, struct str *ret_token)
{
    struct str file = variable(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    int r = 0;

    *ret_token = variable(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (!str_empty(file))
        r = read_token(s, file, ret_token);
    for (size_t i = 0; r == 0 && i < ret_token->len; i++)
        if (ret_token->ptr[i] == '\r' || ret_token->ptr[i] == '\n')
            r = err_set(ERR_INVALID, "The container's authorization token holds a line break.");
    return r;
}

static int from_container(const struct search *s, struct aws_credentials *ret_credentials)
{
    struct http_header header = {STR("Authorization"), STR("")};
    struct http_call call = {
        .method = HTTP_GET, .headers = &header, .timeout_ms = CONTAINER_TIMEOUT_MS};
    struct http_reply reply;
    int r = container_url(s, &call.url);

    if (r == 0)
        r = container_token(s, &header.value);
    if (r < 0)
        return r;
    call.header_count = str_empty(header.value) ? 0 : 1;
    for (int i = 0; i < CONTAINER_TRIES; i++) {
        r = http_send(s->arena, &call, &reply);
        if (r == 0)
            r = check_status("The container's credential agent", &reply);
        if (r == 0)
            return parse_credentials(
                s, "The container's credential agent", reply.body, ret_credentials);
        if (r != ERR_IO && r != ERR_TIMEOUT && r != ERR_UNAVAILABLE)
            return r;
    }
    return err_wrap("asking the container's credential agent");
}

static int imds_send(const struct search *s, enum http_method method, const char *path,
    const struct http_header *header, struct str *ret_body)
{
    const char *base = s->environment ? s->environment->imds_endpoint : NULL;
    struct http_call call = {.method = method,
        .url = str_printf(s->arena, "%s%s", base ? base : "http://169.254.169.254", path),
        .headers = header,
        .header_count = 1,
        .timeout_ms = IMDS_TIMEOUT_MS};
    struct http_reply reply;
    int r = http_send(s->arena, &call, &reply);

    if (r == 0)
        r = check_status("The instance metadata service", &reply);
    if (r == 0)
        *ret_body = reply.body;
    return r;
}

static int from_imds(const struct search *s, struct aws_credentials *ret_credentials)
{
    static const char path[] = "/latest/meta-data/iam/security-credentials/";
    struct http_header lifetime = {STR("x-aws-ec2-metadata-token-ttl-seconds"), STR("21600")};
    struct http_header token = {STR("x-aws-ec2-metadata-token"), STR("")};
    struct str role, body;
    int r = imds_send(s, HTTP_PUT, "/latest/api/token", &lifetime, &token.value);

    if (r == ERR_IO || r == ERR_TIMEOUT)
        return err_set(ERR_UNAUTHORIZED,
            "No AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "run with a role (web identity, container or instance).");
    if (r == 0)
        r = imds_send(s, HTTP_GET, path, &token, &role);
    if (r < 0)
        return r;
    role = str_trim(role);
    if (str_find_char(role, '\n', 0) >= 0)
        role = str_slice(role, 0, (size_t)str_find_char(role, '\n', 0));
    if (str_empty(role))
        return err_set(ERR_UNAUTHORIZED, "The instance has no role: attach an instance profile.");
    r = imds_send(
        s, HTTP_GET, str_printf(s->arena, "%s%.*s", path, STR_ARG(role)).ptr, &token, &body);
    if (r < 0)
        return r;
    return parse_credentials(s, "The instance metadata service", body, ret_credentials);
}

static int fetch(const struct search *s, struct aws_credentials *ret_credentials)
{
    if (!str_empty(variable(s, "AWS_ACCESS_KEY_ID")))
        return from_environment(s, ret_credentials);
    if (!str_empty(variable(s, "AWS_WEB_IDENTITY_TOKEN_FILE")))
        return from_web_identity(s, ret_credentials);
    if (!str_empty(variable(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) ||
        !str_empty(variable(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI")))
        return from_container(s, ret_credentials);
    if (str_eq_nocase(variable(s, "AWS_EC2_METADATA_DISABLED"), STR("true")))
        return err_set(ERR_UNAUTHORIZED,
            "No AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
    return from_imds(s, ret_credentials);
}

/* One loop's copy. */
struct cache {
    struct semaphore one; /* whoever asks */
    struct arena arena;   /* of the credentials */
    struct aws_credentials credentials;
    bool known;
    int64_t retry_at_ms; /* not before, after a renewal that failed */
};

static const char cache_key;

static void cache_wipe(struct cache *cache)
{
    struct str secret = cache->credentials.secret_access_key;

    if (cache->known)
        sodium_memzero((void *)(uintptr_t)secret.ptr, secret.len);
    arena_reset(&cache->arena);
    cache->known = false;
}

static void cache_free(void *value)
{
    struct cache *cache = value;

    cache_wipe(cache);
    arena_deinit(&cache->arena);
    free(cache);
}

static struct cache *cache_of(struct loop *loop)
{
    struct cache *cache = loop_local(loop, &cache_key);

    if (cache)
        return cache;
    cache = xcalloc(1, sizeof(*cache));
    semaphore_init(&cache->one, 1);
    arena_init(&cache->arena);
    loop_set_local(loop, &cache_key, cache, cache_free);
    return cache;
}

static struct aws_credentials copy(struct arena *arena, const struct aws_credentials *credentials)
{
    return (struct aws_credentials){str_dup(arena, credentials->access_key_id),
        str_dup(arena, credentials->secret_access_key), str_dup(arena, credentials->session_token),
        credentials->expires_at_ms};
}

static bool is_fresh(const struct cache *cache, int64_t now_ms, int64_t ahead_ms)
{
    return cache->known && (cache->credentials.expires_at_ms == 0 ||
                               cache->credentials.expires_at_ms - now_ms > ahead_ms);
}

static int renew(struct cache *cache, const struct search *s, int64_t now_ms)
{
    struct aws_credentials found;
    int r;

    if (is_fresh(cache, now_ms, AHEAD_MS) ||
        (is_fresh(cache, now_ms, 0) && now_ms < cache->retry_at_ms))
        return 0; /* another fiber was faster, or failed just now */
    r = fetch(s, &found);
    if (r < 0 && is_fresh(cache, now_ms, 0)) {
        log_warn("aws.credentials_not_renewed", LOG_ERR);
        cache->retry_at_ms = now_ms + RETRY_MS;
        return 0;
    }
    if (r < 0)
        return r;
    cache_wipe(cache);
    cache->credentials = copy(&cache->arena, &found);
    cache->known = true;
    cache->retry_at_ms = now_ms + RETRY_MS;
    return 0;
}

int aws_credentials_get(const struct aws_environment *environment, const struct env *env,
    struct arena *arena, struct aws_credentials *ret_credentials)
{
    struct cache *cache = cache_of(fiber_loop());
    int64_t now_ms = env_wall_ms(env);
    struct arena scratch;
    int r = 0;

    if (!is_fresh(cache, now_ms, AHEAD_MS)) {
        r = semaphore_take(&cache->one, FIBER_NO_DEADLINE);
        if (r < 0)
            return r;
        arena_init(&scratch);
        r = renew(cache, &(struct search){environment, env, &scratch}, now_ms);
        arena_deinit(&scratch);
        semaphore_give(&cache->one);
    }
    if (r == 0)
        *ret_credentials = copy(arena, &cache->credentials);
    return r;
}

void aws_credentials_forget(void)
{
    struct cache *cache = cache_of(fiber_loop());

    cache_wipe(cache);
}
