#include "model/gemini.h"

/* A model's name goes into the path: only what names are made of. */
static bool plain_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.ptr[i]) && !strchr("-._/", name.ptr[i]))
            return false;
    return name.len > 0 && str_find(name, STR(".."), 0) < 0;
}

static struct str url(
    const struct provider *provider, const struct model_request *request, struct arena *arena)
{
    struct str base = str_from(provider->url), name = str_from(provider->name);
    bool versioned = str_ends(base, STR("/v1beta")) || str_ends(base, STR("/v1"));

    if (plain_name(request->name))
        name = request->name;
    return str_printf(arena, "%.*s%s/models/%.*s:%s", STR_ARG(base), versioned ? "" : "/v1beta",
        STR_ARG(name),
        request->on_delta != NULL ? "streamGenerateContent?alt=sse" : "generateContent");
}

static size_t headers(const struct provider *provider, struct str key, struct arena *arena,
    struct http_header *ret_headers)
{
    (void)provider, (void)arena;
    if (str_empty(key))
        return 0;
    ret_headers[0] = (struct http_header){STR("x-goog-api-key"), key};
    return 1;
}

const struct provider_protocol gemini_protocol = {
    .prefix = "gemini",
    .key_setting = "gemini.api-key",
    .url_setting = "gemini.base-url",
    .example = "gemini:gemini-3-flash",
    .url_example = "https://generativelanguage.googleapis.com",
    .url = url,
    .headers = headers,
    .write = gemini_write_request,
    .take = gemini_answer_take,
    .says_done = false,
};

static int open_model(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    struct provider *provider = NULL;
    int rc;

    if (!str_empty(name) && !plain_name(name))
        return err_field(ERR_INVALID, "model",
            "the model's name has characters that no Gemini "
            "model has; write for instance %s",
            gemini_protocol.example);
    rc = provider_open(&gemini_protocol, config, env, name, config->gemini_base_url,
        config->gemini_api_key, &provider);
    if (rc == 0)
        *ret_state = provider;
    return rc;
}

const struct model_ops model_gemini = {
    .prefix = "gemini",
    .open = open_model,
    .close = provider_close,
    .chat = provider_chat,
};
