/* What runs here and how it is: configuration, health, metrics, the contract and a page for people.
 */
#include "agent/policy.h"
#include "api/exchange.h"
#include "api/openapi.h"
#include "cache/cache.h"
#include "watch/metrics.h"

static bool draining(const struct api *api)
{
    return __atomic_load_n(&api->draining, __ATOMIC_RELAXED);
}

static void write_models(struct json_writer *w, const struct agent_house *house)
{
    json_name(w, "models");
    json_array_begin(w);
    for (size_t i = 0; i < house->model_count; i++)
        json_put_str(w, model_spec(house->models[i]));
    json_array_end(w);
    json_name(w, "tools");
    json_array_begin(w);
    for (size_t i = 0; i < house->tool_count; i++)
        json_put_cstr(w, house->tools[i]->name);
    json_array_end(w);
}

static void write_features(struct json_writer *w)
{
    static const char *const features[] = {"chat", "chat.stream", "schedule",
        "schedule.availability", "sessions", "runs", "auth.keys", "idempotency", "metrics"};

    json_name(w, "features");
    json_array_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        json_put_cstr(w, features[i]);
    json_array_end(w);
}

static void write_limits(struct json_writer *w, const struct config *config)
{
    json_name(w, "limits");
    json_object_begin(w);
    json_i64_member(w, "max_body_bytes", config->server_max_body_bytes);
    json_i64_member(w, "requests_per_minute", config->rate_per_minute);
    json_i64_member(w, "runs_in_flight", config->run_max_in_flight);
    json_i64_member(w, "run_timeout_ms", config->run_timeout_ms);
    json_i64_member(w, "run_model_calls", config->run_max_model_calls);
    json_i64_member(w, "run_tool_calls", config->run_max_tool_calls);
    json_i64_member(w, "run_tokens", config->run_max_tokens);
    json_i64_member(w, "idempotency_hours", config->idempotency_hours);
    json_object_end(w);
}

/* Without its cache Theo answers all the same, so it is never "failing". */
static struct str cache_word(struct exchange *x)
{
    if (cache_health(x->api->cache) == 0)
        return STR("ok");
    return str_printf(x->arena, "degraded: %s", err_message());
}

/* A configured model is only known to work once it is asked, which costs; so it is "not checked".
 */
static void write_health(struct json_writer *w, struct exchange *x)
{
    const struct agent_house *house = x->api->house;
    bool builtin = house->model_count > 0 && model_is_builtin(house->models[0]);

    json_name(w, "health");
    json_object_begin(w);
    json_cstr_member(w, "store", store_health(x->store) == 0 ? "ok" : "failing");
    json_cstr_member(w, "model", builtin ? "ok" : "not checked");
    json_cstr_member(w, "calendar", "ok");
    if (x->api->cache)
        json_str_member(w, "cache", cache_word(x));
    json_object_end(w);
}

int config_get(struct exchange *x)
{
    const struct agent_house *house = x->api->house;
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "name", "theo");
    json_cstr_member(&w, "version", x->api->version);
    json_cstr_member(&w, "agent", house->config->agent_name);
    json_str_member(
        &w, "model", house->model_count > 0 ? model_spec(house->models[0]) : STR("none"));
    write_models(&w, house);
    json_cstr_member(&w, "store", store_name(x->store));
    json_cstr_member(&w, "calendar", house->config->calendar);
    if (x->api->cache)
        json_cstr_member(&w, "cache", cache_name(x->api->cache));
    json_cstr_member(&w, "time_zone", house->config->time_zone);
    write_time(&w, "started_at", x->api->started_ms);
    write_features(&w);
    write_limits(&w, house->config);
    json_name(&w, "policy");
    policy_write(&w, house->policy);
    write_health(&w, x);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}

static int answer_status(struct exchange *x, int status, const char *word)
{
    x->answer.status = status;
    x->answer.content_type = "application/json";
    x->answer.body = str_printf(x->arena, "{\"status\":\"%s\"}", word);
    return 0;
}

int health_get(struct exchange *x)
{
    return answer_status(x, 200, "ok");
}

/* The reason names hosts and accounts: everybody else finds it in the log. */
static int answer_store_failing(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    log_warn("ready.store", LOG_ERR);
    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "status", "store failing");
    if (access_is_local(x->req))
        json_cstr_member(&w, "detail", err_message());
    json_object_end(&w);
    answer_json(&x->answer, 503, &out);
    return 0;
}

int ready_get(struct exchange *x)
{
    if (draining(x->api))
        return answer_status(x, 503, "draining");
    if (store_health(x->store) != 0)
        return answer_store_failing(x);
    answer_status(x, 200, "ready");
    if (x->api->cache && cache_health(x->api->cache) != 0)
        x->answer.body = STR("{\"status\":\"ready\",\"degraded\":[\"cache\"]}");
    return 0;
}

int metrics_get(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);

    if (x->api->connections)
        metric_set(M_HTTP_CONNECTIONS, NULL, x->api->connections(x->api->connections_ctx));
    metrics_write(&out);
    x->answer.status = 200;
    x->answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    x->answer.body = buf_str(&out);
    return 0;
}

int openapi_get(struct exchange *x)
{
    x->answer.status = 200;
    x->answer.content_type = "application/json";
    x->answer.body = (struct str){x->api->openapi_json, x->api->openapi_json_len};
    return 0;
}

int docs_get(struct exchange *x)
{
    answer_header(&x->answer, "Content-Security-Policy",
        STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
            "base-uri 'none'; form-action 'none'"));
    x->answer.status = 200;
    x->answer.content_type = "text/html; charset=utf-8";
    x->answer.body = (struct str){docs_html, docs_html_len};
    return 0;
}
