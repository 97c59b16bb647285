#include "model/openai.h"

#include "http/url.h"

static struct str url(
    const struct provider *provider, const struct model_request *request, struct arena *arena)
{
    (void)request;
    return openai_url(arena, str_from(provider->url));
}

static size_t headers(const struct provider *provider, struct str key, struct arena *arena,
    struct http_header *ret_headers)
{
    if (str_empty(key))
        return 0;
    if (provider->dialect == OPENAI_AZURE)
        ret_headers[0] = (struct http_header){STR("api-key"), key};
    else
        ret_headers[0] = (struct http_header){
            STR("Authorization"), str_printf(arena, "Bearer %.*s", STR_ARG(key))};
    return 1;
}

const struct provider_protocol openai_protocol = {
    .prefix = "openai",
    .key_setting = "openai.api-key",
    .url_setting = "openai.base-url",
    .example = "openai:gpt-5-mini",
    .url_example = "https://api.openai.com/v1",
    .url = url,
    .headers = headers,
    .write = openai_write_request,
    .take = openai_answer_take,
    .says_done = true,
};

static int open_model(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    struct provider *provider = NULL;
    struct arena scratch;
    struct url parts;
    int rc = provider_open(&openai_protocol, config, env, name, config->openai_base_url,
        config->openai_api_key, &provider);

    if (rc != 0)
        return rc;
    arena_init(&scratch);
    if (url_parse(&scratch, str_from(provider->url), &parts) == 0)
        provider->dialect = (int)openai_dialect_of(parts.host);
    arena_deinit(&scratch);
    *ret_state = provider;
    return 0;
}

const struct model_ops model_openai = {
    .prefix = "openai",
    .open = open_model,
    .close = provider_close,
    .chat = provider_chat,
};
