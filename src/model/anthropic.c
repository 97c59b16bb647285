#include "model/anthropic.h"

/* Served since 2023 and understood by every model; newer versions refuse fields that we send. */
#define VERSION "2023-06-01"

static struct str url(
    const struct provider *provider, const struct model_request *request, struct arena *arena)
{
    struct str base = str_from(provider->url);

    (void)request;
    return str_printf(
        arena, "%.*s%s/messages", STR_ARG(base), str_ends(base, STR("/v1")) ? "" : "/v1");
}

static size_t headers(const struct provider *provider, struct str key, struct arena *arena,
    struct http_header *ret_headers)
{
    (void)provider, (void)arena;
    ret_headers[0] = (struct http_header){STR("anthropic-version"), STR(VERSION)};
    if (str_empty(key))
        return 1;
    ret_headers[1] = (struct http_header){STR("x-api-key"), key};
    return 2;
}

const struct provider_protocol anthropic_protocol = {
    .prefix = "anthropic",
    .key_setting = "anthropic.api-key",
    .url_setting = "anthropic.base-url",
    .example = "anthropic:claude-sonnet-5",
    .url_example = "https://api.anthropic.com",
    .url = url,
    .headers = headers,
    .write = anthropic_write_request,
    .take = anthropic_answer_take,
    .says_done = false,
};

static int open_model(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    struct provider *provider = NULL;
    int rc = provider_open(&anthropic_protocol, config, env, name, config->anthropic_base_url,
        config->anthropic_api_key, &provider);

    if (rc == 0)
        *ret_state = provider;
    return rc;
}

const struct model_ops model_anthropic = {
    .prefix = "anthropic",
    .open = open_model,
    .close = provider_close,
    .chat = provider_chat,
};
