/* Changing the master key, and check sums by it. */
#include "secure/box.h"
#include "secure/key_local.h"
#include "secure/sealer.h"

#include <sodium.h>

static struct key_provider *file_of(const struct sealer *sealer)
{
    return sealer->providers[0]->ops == &key_provider_file ? sealer->providers[0] : NULL;
}

int sealer_rotate_to(struct sealer *sealer, const struct config *config, const char *spec)
{
    struct key_provider_request request = {.config = config, .env = sealer->env, .create = true};
    struct key_provider *target;
    int r = key_provider_open(str_from(spec), &request, &target);

    if (r < 0)
        return r;
    key_provider_close(sealer->target);
    sealer->target = target;
    return 0;
}

int sealer_prepare_next(struct sealer *sealer, char ret_id[17])
{
    struct key_provider *file = file_of(sealer);

    if (!file)
        return err_set(ERR_INVALID,
            "The master key is not in a file, so Theo cannot make another: name the new one, for "
            "example --to aws-kms:alias/theo or --to env:NEW_MASTER_KEY.");
    return key_local_prepare_next(file, ret_id);
}

int sealer_prepare(struct sealer *sealer, struct arena *arena, struct str *ret_id)
{
    char id[17];
    int r;

    if (sealer->target) {
        *ret_id = str_dup(arena, str_from(sealer->target->id));
        return 0;
    }
    r = sealer_prepare_next(sealer, id);
    if (r == 0)
        *ret_id = str_dup(arena, str_from(id));
    return r;
}

/* Is it wrapped under the new master key already? One that is here has to be tried. */
static bool is_rewrapped(
    struct sealer *sealer, const struct key_use *use, struct str wrapped, struct arena *arena)
{
    struct key_provider *target = sealer->target;
    struct str id = wrapped_id(wrapped);
    unsigned char *key;
    bool is;

    if (!target)
        return key_local_is_next(sealer->providers[0], use, wrapped, arena);
    if (!target->master || !str_empty(id))
        return str_is(id, target->id);
    key = key_memory();
    is = key_provider_unwrap(target, use, wrapped, arena, key) == 0;
    sodium_free(key);
    return is;
}

/* What is stored must open again: a key wrapped wrongly would be lost with all that it sealed. */
static int wrap_and_prove(struct key_provider *target, const struct key_use *use,
    const unsigned char *key, struct arena *arena, struct str *ret_wrapped)
{
    unsigned char *back = key_memory();
    struct str wrapped;
    int r = key_provider_wrap(target, use, key, arena, &wrapped);

    if (r == 0)
        r = key_provider_unwrap(target, use, wrapped, arena, back);
    if (r == 0 && sodium_memcmp(key, back, SEAL_KEY_LEN) != 0)
        r = err_set(ERR_PROTOCOL, "%s gave another key back than it was given.", target->id);
    sodium_free(back);
    if (r == 0)
        *ret_wrapped = wrapped;
    return r;
}

int sealer_rewrap(struct sealer *sealer, struct str workspace, struct str wrapped,
    struct arena *arena, struct str *ret_wrapped)
{
    struct key_use use = {workspace, wrapped_number(wrapped)};
    unsigned char *key;
    int r;

    if (use.number && is_rewrapped(sealer, &use, wrapped, arena)) {
        *ret_wrapped = wrapped;
        return 0;
    }
    key = key_memory();
    r = sealer_unwrap(sealer, &use, wrapped, arena, key);
    if (r == 0 && sealer->target)
        r = wrap_and_prove(sealer->target, &use, key, arena, ret_wrapped);
    else if (r == 0)
        *ret_wrapped = key_local_wrap_next(sealer->providers[0], &use, key, arena);
    sodium_free(key);
    return r;
}

int sealer_promote_next(struct sealer *sealer)
{
    return sealer->target ? 0 : key_local_promote_next(sealer->providers[0]);
}

int sealer_mac_begin(struct sealer *sealer, struct arena *arena, struct str *ret_wrapped)
{
    const struct key_use use = {STR("theo-backup"), 0};
    struct str wrapped = STR("");
    unsigned char *key;
    int r;

    if (sealer->providers[0]->master) {
        *ret_wrapped = wrapped;
        return 0;
    }
    key = key_memory();
    sealer->env->random(sealer->env->ctx, key, SEAL_KEY_LEN);
    r = sealer_note(sealer, sealer->providers[0],
        key_provider_wrap(sealer->providers[0], &use, key, arena, &wrapped));
    if (r == 0)
        r = sealer_mac_resume(sealer, wrapped);
    sodium_free(key);
    if (r == 0)
        *ret_wrapped = wrapped;
    return r;
}

int sealer_mac_resume(struct sealer *sealer, struct str wrapped)
{
    const struct key_use use = {STR("theo-backup"), 0};
    struct arena arena;
    unsigned char *key;
    int r;

    if (sealer->providers[0]->master)
        return 0;
    key = key_memory();
    arena_init(&arena);
    r = sealer_note(sealer, sealer->providers[0],
        key_provider_unwrap(sealer->providers[0], &use, wrapped, &arena, key));
    arena_deinit(&arena);
    if (r < 0) {
        sodium_free(key);
        return r;
    }
    if (sealer->mac_key)
        sodium_free(sealer->mac_key);
    sealer->mac_key = key;
    return 0;
}
