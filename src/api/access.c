/* Who asks, may he, and how often. */
#include "api/exchange.h"
#include "cache/cache.h"
#include "watch/metrics.h"

static struct str presented_key(const struct http_request *req)
{
    struct str value = http_header(&req->headers, "authorization");

    if (str_starts_nocase(value, STR("bearer ")))
        return str_trim(str_slice(value, 7, value.len));
    return str_trim(http_header(&req->headers, "x-api-key"));
}

bool access_is_loopback(const struct http_request *req)
{
    return str_starts(req->peer, STR("127.")) || str_is(req->peer, "::1") ||
           str_starts(req->peer, STR("::ffff:127."));
}

/* A proxy on the same machine makes the whole world look like loopback; it says so in a header. */
bool access_is_local(const struct http_request *req)
{
    return access_is_loopback(req) && !http_header(&req->headers, "x-forwarded-for").ptr &&
           !http_header(&req->headers, "forwarded").ptr;
}

static int identify(struct exchange *x)
{
    struct str key = presented_key(x->req);
    int rc;

    if (str_empty(key)) {
        metric_add(M_AUTH_FAILURES, "missing", 1);
        return err_set(ERR_UNAUTHORIZED, "Send an API key as `Authorization: Bearer KEY` or "
                                         "`X-API-Key: KEY`.");
    }
    rc = failures_check(x, key);
    if (rc == 0)
        rc = api_key_check(x->store, x->env, key, &x->who);
    if (rc == ERR_UNAUTHORIZED)
        failures_note(x);
    if (rc < 0)
        return rc;
    x->known = true;
    x->workspace = str_from(x->who.workspace_id);
    return store_workspace(x->store, x->workspace);
}

static int check_scopes(struct exchange *x)
{
    struct str rest, scope;

    if (!x->route->scopes)
        return 0;
    rest = str_from(x->route->scopes);
    while (str_next(&rest, ' ', &scope))
        if (api_identity_may(&x->who, str_cstr(x->arena, scope)))
            return 0;
    metric_add(M_AUTH_FAILURES, "scope", 1);
    return err_set(ERR_DENIED, "This key lacks the scope that is needed here (one of: %s, admin).",
        x->route->scopes);
}

/* What all processes counted, when they share counters. False: nobody knows now. */
static bool take_shared(struct exchange *x, int64_t per_minute, struct rate_state *ret_rate)
{
    struct cache_key key = {x->workspace, "rate", str_from(x->who.key_id)};
    struct cache_taken taken;

    if (!x->api->cache || !cache_shared(x->api->cache) ||
        cache_take(x->api->cache, &key, per_minute, MINUTE_MS, &taken) < 0)
        return false;
    *ret_rate = (struct rate_state){.limit = per_minute,
        .remaining = taken.remaining,
        .reset_s = (taken.reset_ms + 999) / 1000,
        .retry_after_ms = taken.retry_after_ms,
        .allowed = taken.allowed};
    return true;
}

/* This process counts too what the shared counters let through, so that it knows its own part when
 * they are lost. */
static struct rate_state take(struct exchange *x, int64_t per_minute)
{
    struct rate_state shared, own;
    bool known = take_shared(x, per_minute, &shared);

    if (known && !shared.allowed)
        return shared;
    own = rate_take(x->api->rates, strtoul(x->who.key_id, NULL, 16) | 1ULL << 32, per_minute,
        env_mono_ms(x->env));
    return known && own.allowed ? shared : own;
}

static int check_rate(struct exchange *x)
{
    int64_t per_minute = x->api->house->config->rate_per_minute;
    struct rate_state rate;

    if (per_minute == 0)
        return 0;
    rate = take(x, per_minute);
    answer_header(&x->answer, "RateLimit-Policy",
        str_printf(x->arena, "\"default\";q=%lld;w=60", (long long)rate.limit));
    answer_header(&x->answer, "RateLimit",
        str_printf(x->arena, "\"default\";r=%lld;t=%lld", (long long)rate.remaining,
            (long long)rate.reset_s));
    if (rate.allowed)
        return 0;
    err_set(ERR_BUSY, "This key may make %lld requests a minute; wait and try again.",
        (long long)rate.limit);
    err_get()->retry_after_ms = rate.retry_after_ms;
    return ERR_BUSY;
}

int access_check(struct exchange *x)
{
    int rc;

    if (x->route->flags & ROUTE_OPEN)
        return 0;
    if ((x->route->flags & ROUTE_LOOPBACK) && access_is_local(x->req))
        return 0;
    if ((x->route->flags & ROUTE_TOKEN) && str_empty(presented_key(x->req)))
        return 0;
    rc = identify(x);
    if (rc == 0)
        rc = check_rate(x);
    return rc == 0 ? check_scopes(x) : rc;
}
