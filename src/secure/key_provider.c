#include "secure/key_provider.h"

#include "secure/box.h"

#include <sodium.h>

#define SERVICE_VERSION 2
#define SERVICE_HEADER_LEN 7

static const struct key_provider_ops *const *registry;

void key_provider_register(const struct key_provider_ops *const *providers)
{
    registry = providers;
}

int key_provider_open(
    struct str spec, struct key_provider_request *request, struct key_provider **ret_provider)
{
    struct str place = str_trim(spec), name = STR("");

    (void)str_next(&place, ':', &name);
    for (const struct key_provider_ops *const *ops = registry; ops && *ops; ops++)
        if (str_is(name, (*ops)->name)) {
            request->place = place;
            return (*ops)->open(request, ret_provider);
        }
    return err_field(ERR_INVALID, "key-provider",
        "There is no key provider \"%.*s\": use file, env, aws-kms:KEY_ARN or "
        "gcp-kms:projects/…/cryptoKeys/….",
        (int)MIN(name.len, (size_t)40), name.ptr);
}

void key_provider_close(struct key_provider *provider)
{
    if (provider)
        provider->ops->close(provider);
}

bool key_provider_holds(const struct key_provider *provider, struct str id)
{
    return provider->ops->holds ? provider->ops->holds(provider, id) : str_is(id, provider->id);
}

static size_t id_len(struct str wrapped)
{
    const unsigned char *p = (const unsigned char *)wrapped.ptr;

    return (size_t)p[5] << 8 | p[6];
}

static bool is_of_service(struct str wrapped)
{
    return wrapped.len > SERVICE_HEADER_LEN && wrapped.ptr[0] == SERVICE_VERSION &&
           wrapped.len > SERVICE_HEADER_LEN + id_len(wrapped);
}

uint32_t wrapped_number(struct str wrapped)
{
    const unsigned char *p = (const unsigned char *)wrapped.ptr;

    if (is_of_service(wrapped))
        return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    return wrapped.len == SEAL_KEY_LEN + SEAL_OVERHEAD ? seal_key_number(wrapped) : 0;
}

struct str wrapped_id(struct str wrapped)
{
    if (!is_of_service(wrapped))
        return STR("");
    return str_slice(wrapped, SERVICE_HEADER_LEN, SERVICE_HEADER_LEN + id_len(wrapped));
}

int key_provider_wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped)
{
    struct buf out = BUF_IN(arena);
    size_t len = strlen(provider->id);
    struct str made;
    int r = provider->ops->wrap(provider, use, key, arena, &made);

    if (r < 0)
        return r;
    if (!provider->master) {
        buf_add_char(&out, SERVICE_VERSION);
        for (int i = 0; i < 4; i++)
            buf_add_char(&out, (char)(use->number >> (24 - 8 * i) & 255));
        buf_add_char(&out, (char)(len >> 8));
        buf_add_char(&out, (char)(len & 255));
        buf_add(&out, provider->id, len);
        buf_add_str(&out, made);
        made = buf_str(&out);
    }
    *ret_wrapped = made;
    return 0;
}

int key_provider_unwrap(struct key_provider *provider, const struct key_use *use,
    struct str wrapped, struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN])
{
    struct str id = wrapped_id(wrapped);

    if (!str_empty(id))
        wrapped = str_slice(wrapped, SERVICE_HEADER_LEN + id.len, wrapped.len);
    return provider->ops->unwrap(provider, use, wrapped, arena, ret_key);
}

int key_provider_probe(struct key_provider *provider)
{
    const struct key_use use = {STR("theo-probe"), 0};
    unsigned char there[SEAL_KEY_LEN], back[SEAL_KEY_LEN];
    struct arena arena;
    struct str wrapped;
    int r;

    provider->env->random(provider->env->ctx, there, sizeof(there));
    arena_init(&arena);
    r = provider->ops->wrap(provider, &use, there, &arena, &wrapped);
    if (r == 0)
        r = provider->ops->unwrap(provider, &use, wrapped, &arena, back);
    if (r == 0 && sodium_memcmp(there, back, sizeof(there)) != 0)
        r = err_set(ERR_PROTOCOL, "%s gave another key back than it was given.", provider->id);
    arena_deinit(&arena);
    return r;
}

struct str key_base64(struct arena *arena, struct str bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
    char *out = arena_alloc(arena, size);

    sodium_bin2base64(
        out, size, (const unsigned char *)bytes.ptr, bytes.len, sodium_base64_VARIANT_ORIGINAL);
    return (struct str){out, size - 1};
}

bool key_unbase64(struct arena *arena, struct str text, struct str *ret_bytes)
{
    unsigned char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    if (str_empty(text) || sodium_base642bin(out, text.len, text.ptr, text.len, NULL, &len, NULL,
                               sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    *ret_bytes = (struct str){(char *)out, len};
    return true;
}

bool key_take_base64(struct str text, unsigned char ret_key[SEAL_KEY_LEN])
{
    size_t len = 0;
    int r = sodium_base642bin(ret_key, SEAL_KEY_LEN, text.ptr, text.len, NULL, &len, NULL,
        sodium_base64_VARIANT_ORIGINAL);

    sodium_memzero((char *)(uintptr_t)text.ptr, text.len);
    return r == 0 && len == SEAL_KEY_LEN;
}
