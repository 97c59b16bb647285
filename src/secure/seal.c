#include "secure/seal.h"

#include "runtime/fiber.h"
#include "secure/box.h"
#include "secure/key_local.h"
#include "secure/sealer.h"

#include <sodium.h>

#define POLL_MS 5 /* while another fiber asks a service for the same key */

int secure_init(void)
{
    if (sodium_init() < 0)
        return err_set(ERR_FAILED, "libsodium cannot be initialised");
    return 0;
}

static struct sealer *new_sealer(const struct env *env, struct key_provider *provider)
{
    struct sealer *sealer = xcalloc(1, sizeof(*sealer));

    sealer->env = env;
    sealer->refresh_ms = MINUTE_MS;
    if (provider)
        sealer->providers[sealer->provider_count++] = provider;
    pthread_mutex_init(&sealer->lock, NULL);
    return sealer;
}

int sealer_open(const struct env *env, const char *path, bool create, struct sealer **ret_sealer,
    bool *ret_created)
{
    struct key_provider *provider;
    int r = secure_init();

    if (r == 0)
        r = key_local_open(env, path, create, ret_created, &provider);
    if (r == 0)
        *ret_sealer = new_sealer(env, provider);
    return r;
}

int sealer_new_ephemeral(const struct env *env, struct sealer **ret_sealer)
{
    struct key_provider *provider;
    unsigned char *key;
    int r = secure_init();

    if (r < 0)
        return r;
    key = key_memory();
    env->random(env->ctx, key, SEAL_KEY_LEN);
    r = key_local_new(&key_provider_env, env, key, NULL, &provider);
    sodium_free(key);
    if (r == 0)
        *ret_sealer = new_sealer(env, provider);
    return r;
}

int sealer_open_providers(const struct env *env, const struct config *config, bool create,
    struct sealer **ret_sealer, bool *ret_created)
{
    struct str rest = str_from(config->key_provider), spec;
    struct sealer *sealer;
    int r = secure_init();

    if (r < 0)
        return r;
    sealer = new_sealer(env, NULL);
    sealer->refresh_ms = config->key_refresh_seconds * SECOND_MS;
    while (r == 0 && str_next(&rest, ',', &spec)) {
        struct key_provider_request request = {.config = config,
            .env = env,
            .create = create && sealer->provider_count == 0,
            .ret_created = ret_created};

        if (sealer->provider_count == SEALER_PROVIDERS_MAX)
            r = err_field(ERR_INVALID, "key-provider", "at most %d key providers may be named",
                SEALER_PROVIDERS_MAX);
        else
            r = key_provider_open(spec, &request, &sealer->providers[sealer->provider_count]);
        if (r == 0)
            sealer->provider_count++;
    }
    if (r < 0)
        sealer_free(sealer);
    else
        *ret_sealer = sealer;
    return r;
}

static void free_keys(struct data_key *key)
{
    while (key) {
        struct data_key *next = key->next;

        sodium_free(key->bytes);
        free(key);
        key = next;
    }
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    for (size_t i = 0; i < SEALER_BUCKETS; i++)
        free_keys(atomic_load(&sealer->buckets[i]));
    for (size_t i = 0; i < sealer->provider_count; i++)
        key_provider_close(sealer->providers[i]);
    key_provider_close(sealer->target);
    if (sealer->mac_key)
        sodium_free(sealer->mac_key);
    pthread_mutex_destroy(&sealer->lock);
    free(sealer);
}

const char *sealer_master_id(const struct sealer *sealer)
{
    return sealer->providers[0]->id;
}

/* A service's id is as long as its key's name is: backups and the like take a hash of it. */
void sealer_key_id(const struct sealer *sealer, char out[17])
{
    const struct key_provider *provider = sealer->providers[0];
    unsigned char hash[crypto_generichash_BYTES_MIN];

    if (provider->master) {
        snprintf(out, 17, "%s", provider->id);
        return;
    }
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)provider->id,
        strlen(provider->id), (const unsigned char *)"theo key id", 11);
    sodium_bin2hex(out, 17, hash, 8);
}

static struct key_provider *holder(const struct sealer *sealer, struct str id)
{
    for (size_t i = 0; i < sealer->provider_count; i++)
        if (key_provider_holds(sealer->providers[i], id))
            return sealer->providers[i];
    if (sealer->target && key_provider_holds(sealer->target, id))
        return sealer->target;
    return NULL;
}

bool sealer_holds(const struct sealer *sealer, struct str id)
{
    return holder(sealer, id) != NULL;
}

void sealer_mac(const struct sealer *sealer, const char *context, uint64_t number, struct str bytes,
    unsigned char out[SEAL_MAC_LEN])
{
    const unsigned char *master = sealer->mac_key ? sealer->mac_key : sealer->providers[0]->master;
    unsigned char key[crypto_generichash_KEYBYTES], place[8];
    crypto_generichash_state state;

    for (int i = 0; i < 8; i++)
        place[i] = (unsigned char)(number >> (56 - 8 * i));
    crypto_generichash(
        key, sizeof(key), (const unsigned char *)context, strlen(context), master, SEAL_KEY_LEN);
    crypto_generichash_init(&state, key, sizeof(key), SEAL_MAC_LEN);
    crypto_generichash_update(&state, place, sizeof(place));
    crypto_generichash_update(&state, (const unsigned char *)bytes.ptr, bytes.len);
    crypto_generichash_final(&state, out, SEAL_MAC_LEN);
    sodium_memzero(key, sizeof(key));
}

static _Atomic(struct data_key *) *bucket(const struct sealer *sealer, struct str workspace)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: ids of workspaces are ours, not an attacker's */

    for (size_t i = 0; i < workspace.len; i++)
        hash = (hash ^ (unsigned char)workspace.ptr[i]) * 0x100000001b3u;
    return (_Atomic(struct data_key *) *)&sealer->buckets[(hash ^ hash >> 32) % SEALER_BUCKETS];
}

/* number 0: the workspace's newest, which has the highest number. */
static const struct data_key *find_key(
    const struct sealer *sealer, struct str workspace, uint32_t number)
{
    const struct data_key *key =
        atomic_load_explicit(bucket(sealer, workspace), memory_order_acquire);
    const struct data_key *best = NULL;

    for (; key; key = key->next) {
        if (!str_eq((struct str){key->workspace, key->workspace_len}, workspace))
            continue;
        if (key->number == number)
            return key;
        if (number == 0 && (!best || key->number > best->number))
            best = key;
    }
    return best;
}

bool sealer_has_data_key(const struct sealer *sealer, struct str workspace)
{
    return find_key(sealer, workspace, 0) != NULL;
}

/* One caller goes to ask, and the others seal on meanwhile, for as long again at most. */
bool sealer_is_fresh(struct sealer *sealer, struct str workspace)
{
    struct data_key *key = (struct data_key *)(uintptr_t)find_key(sealer, workspace, 0);
    int64_t now = env_mono_ms(sealer->env), age, claimed;

    if (!key)
        return false;
    age = now - atomic_load(&key->checked_ms);
    if (age < sealer->refresh_ms || age >= 2 * sealer->refresh_ms)
        return age < sealer->refresh_ms;
    claimed = atomic_load(&key->claimed_ms);
    return now - claimed < sealer->refresh_ms / 2 ||
           !atomic_compare_exchange_strong(&key->claimed_ms, &claimed, now);
}

void sealer_set_fresh(struct sealer *sealer, struct str workspace, int64_t looked_ms)
{
    struct data_key *key = (struct data_key *)(uintptr_t)find_key(sealer, workspace, 0);

    if (key)
        atomic_store(&key->checked_ms, looked_ms);
}

int64_t sealer_refresh_ms(const struct sealer *sealer)
{
    return sealer->refresh_ms;
}

/* A key that does not open is no ailment of the service. */
int sealer_note(struct sealer *sealer, const struct key_provider *provider, int r)
{
    if (provider->master || r == ERR_CORRUPT || r == ERR_CANCELLED)
        return r;
    pthread_mutex_lock(&sealer->lock);
    if (r < 0)
        sealer->last = *err_get();
    else
        sealer->last.code = 0;
    pthread_mutex_unlock(&sealer->lock);
    return r;
}

int sealer_health(struct sealer *sealer)
{
    int code;

    pthread_mutex_lock(&sealer->lock);
    code = sealer->last.code;
    pthread_mutex_unlock(&sealer->lock);
    if (code == 0)
        return 0;
    for (size_t i = 0; i < sealer->provider_count; i++) {
        int r = sealer->providers[i]->master ? 0 : key_provider_probe(sealer->providers[i]);

        if (sealer_note(sealer, sealer->providers[i], r) < 0)
            return r;
    }
    return 0;
}

int sealer_make_data_key(
    struct sealer *sealer, struct str workspace, struct arena *arena, struct str *ret_wrapped)
{
    struct key_provider *provider = sealer->providers[0];
    const struct data_key *newest = find_key(sealer, workspace, 0);
    struct key_use use = {workspace, newest ? newest->number + 1 : 1};
    unsigned char *key;
    int r;

    if (use.number == 0)
        return err_set(ERR_FULL, "the workspace has used up its key numbers");
    key = key_memory();
    sealer->env->random(sealer->env->ctx, key, SEAL_KEY_LEN);
    r = sealer_note(sealer, provider, key_provider_wrap(provider, &use, key, arena, ret_wrapped));
    sodium_free(key);
    return r;
}

int sealer_unwrap(struct sealer *sealer, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN])
{
    struct str id = wrapped_id(wrapped);
    struct key_provider *provider = holder(sealer, id);
    int r = ERR_CORRUPT;

    if (use->number == 0)
        return err_set(ERR_CORRUPT, "the data key of workspace \"%.*s\" is damaged",
            (int)MIN(use->workspace.len, (size_t)64), use->workspace.ptr);
    if (provider)
        return sealer_note(
            sealer, provider, key_provider_unwrap(provider, use, wrapped, arena, ret_key));
    if (!str_empty(id))
        return err_set(ERR_CORRUPT,
            "the data key of workspace \"%.*s\" is wrapped under %.*s, which the setting "
            "key-provider does not name (it has %s): add it there",
            (int)MIN(use->workspace.len, (size_t)64), use->workspace.ptr,
            (int)MIN(id.len, (size_t)200), id.ptr, sealer_master_id(sealer));
    for (size_t i = 0; r < 0 && i < sealer->provider_count; i++)
        if (sealer->providers[i]->master)
            r = key_provider_unwrap(sealer->providers[i], use, wrapped, arena, ret_key);
    if (r < 0 && sealer->target && sealer->target->master)
        r = key_provider_unwrap(sealer->target, use, wrapped, arena, ret_key);
    if (r < 0)
        r = err_set(ERR_CORRUPT,
            "the data key of workspace \"%.*s\" does not open under this master key (%s); use the "
            "master key that belongs to this store",
            (int)MIN(use->workspace.len, (size_t)64), use->workspace.ptr, sealer_master_id(sealer));
    return r;
}

/* The caller holds the lock; the entry is complete before a reader can see it. */
static void insert(struct sealer *sealer, const struct key_use *use, unsigned char *bytes)
{
    _Atomic(struct data_key *) *head = bucket(sealer, use->workspace);
    struct data_key *key = xmalloc(sizeof(*key) + use->workspace.len);

    *key = (struct data_key){
        .bytes = bytes, .number = use->number, .workspace_len = use->workspace.len};
    atomic_store(&key->checked_ms, env_mono_ms(sealer->env));
    atomic_store(&key->claimed_ms, INT64_MIN / 2);
    memcpy(key->workspace, use->workspace.ptr, use->workspace.len);
    key->next = atomic_load(head);
    atomic_store_explicit(head, key, memory_order_release);
}

static bool is_asked(const struct sealer *sealer, const struct key_use *use)
{
    for (const struct asking *a = sealer->asking; a; a = a->next)
        if (a->use.number == use->number && str_eq(a->use.workspace, use->workspace))
            return true;
    return false;
}

/* A service is asked once however many fibers, of whichever loops, want the key: the others wait
 * here. 1: the key is there now; 0: it is for the caller to ask. */
static int begin_asking(struct sealer *sealer, struct asking *asking)
{
    int r;

    for (;;) {
        bool there, asked;

        pthread_mutex_lock(&sealer->lock);
        there = find_key(sealer, asking->use.workspace, asking->use.number) != NULL;
        asked = is_asked(sealer, &asking->use);
        if (!there && !asked) {
            asking->next = sealer->asking;
            sealer->asking = asking;
        }
        pthread_mutex_unlock(&sealer->lock);
        if (there || !asked)
            return there;
        r = fiber_sleep(POLL_MS);
        if (r < 0)
            return r;
    }
}

/* The caller holds the lock. */
static void end_asking(struct sealer *sealer, struct asking *asking)
{
    struct asking **at = &sealer->asking;

    while (*at != asking)
        at = &(*at)->next;
    *at = asking->next;
}

int sealer_add_data_key(struct sealer *sealer, struct str workspace, struct str wrapped)
{
    struct asking asking = {.use = {workspace, wrapped_number(wrapped)}};
    bool service = !str_empty(wrapped_id(wrapped));
    unsigned char *bytes;
    struct arena arena;
    int r = service ? begin_asking(sealer, &asking) : 0;

    if (r != 0)
        return r < 0 ? r : 0;
    bytes = key_memory();
    arena_init(&arena);
    r = sealer_unwrap(sealer, &asking.use, wrapped, &arena, bytes);
    arena_deinit(&arena);
    pthread_mutex_lock(&sealer->lock);
    if (service)
        end_asking(sealer, &asking);
    if (r == 0 && !find_key(sealer, workspace, asking.use.number))
        insert(sealer, &asking.use, bytes);
    else
        sodium_free(bytes);
    pthread_mutex_unlock(&sealer->lock);
    return r;
}

int seal(struct sealer *sealer, struct str workspace, struct str aad, struct str plain,
    struct arena *arena, struct str *ret_sealed)
{
    const struct data_key *key = find_key(sealer, workspace, 0);

    if (!key)
        return err_set(ERR_NOT_FOUND, "the workspace has no data key");
    *ret_sealed = box_seal(sealer->env, key->bytes, key->number, "value|", aad, plain, arena);
    return 0;
}

int unseal(struct sealer *sealer, struct str workspace, struct str aad, struct str sealed,
    struct arena *arena, struct str *ret_plain)
{
    uint32_t number = seal_key_number(sealed);
    const struct data_key *key;
    size_t len = sealed.len - SEAL_OVERHEAD;
    unsigned char *out;

    if (number == 0)
        return err_set(ERR_CORRUPT, "a stored value is not sealed as it should be");
    key = find_key(sealer, workspace, number);
    if (!key)
        return err_set(
            ERR_NOT_FOUND, "the workspace's data key %u is not known here", (unsigned)number);
    out = arena_alloc(arena, len + 1);
    if (!box_open(key->bytes, "value|", aad, sealed, arena, out))
        return err_set(ERR_CORRUPT,
            "a stored value does not open: it was changed, moved or sealed with another key");
    out[len] = '\0';
    *ret_plain = (struct str){(char *)out, len};
    return 0;
}
