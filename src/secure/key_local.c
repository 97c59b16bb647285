#include "secure/key_local.h"

#include "secure/box.h"
#include "secure/key_file.h"

#include <pthread.h>
#include <sodium.h>

#define KIND "data-key|"

struct local {
    struct key_provider provider;
    char id[17];
    unsigned char *master; /* never changes */
    char *path;            /* of its file; NULL: in memory only */
    /* The coming and the former master key, zero while unknown; under the lock. */
    unsigned char *next, *old;
    pthread_mutex_t lock;
};

static struct local *of(const struct key_provider *provider)
{
    return (struct local *)(uintptr_t)provider;
}

static void key_id(const unsigned char *key, char out[17])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];

    crypto_generichash(
        hash, sizeof(hash), key, SEAL_KEY_LEN, (const unsigned char *)"theo key id", 11);
    sodium_bin2hex(out, 17, hash, 8);
}

static int read_beside(const struct local *local, const char *suffix, unsigned char *key)
{
    struct buf path = BUF_HEAP;
    int r;

    buf_printf(&path, "%s%s", local->path, suffix);
    r = key_file_read(path.ptr, key);
    buf_deinit(&path);
    return r == ERR_NOT_FOUND ? 0 : r;
}

/* The other master keys as the folder has them now. What PATH holds may be newer than what this
 * process began with: then it is what it knows as the next. */
static int read_others(struct local *local)
{
    unsigned char *now = key_memory();
    int r = read_beside(local, ".old", local->old);

    if (r == 0)
        r = read_beside(local, ".next", local->next);
    memcpy(now, local->master, SEAL_KEY_LEN);
    if (r == 0)
        r = read_beside(local, "", now);
    if (r == 0 && sodium_memcmp(now, local->master, SEAL_KEY_LEN) != 0)
        memcpy(local->next, now, SEAL_KEY_LEN);
    sodium_free(now);
    return r;
}

int key_local_new(const struct key_provider_ops *ops, const struct env *env,
    const unsigned char master[SEAL_KEY_LEN], const char *path, struct key_provider **ret_provider)
{
    struct local *local = xcalloc(1, sizeof(*local));
    int r = 0;

    local->master = key_memory();
    local->next = key_memory();
    local->old = key_memory();
    memcpy(local->master, master, SEAL_KEY_LEN);
    sodium_memzero(local->next, SEAL_KEY_LEN);
    sodium_memzero(local->old, SEAL_KEY_LEN);
    pthread_mutex_init(&local->lock, NULL);
    key_id(local->master, local->id);
    local->provider =
        (struct key_provider){.ops = ops, .env = env, .id = local->id, .master = local->master};
    if (path) {
        local->path = xstrdup(path);
        r = read_others(local);
    }
    if (r < 0)
        key_local_close(&local->provider);
    else
        *ret_provider = &local->provider;
    return r;
}

int key_local_open(const struct env *env, const char *path, bool create, bool *ret_created,
    struct key_provider **ret_provider)
{
    unsigned char *key = key_memory();
    bool created = false;
    int r = key_file_read(path, key);

    if (r == ERR_NOT_FOUND && create) {
        r = key_file_create(env, path);
        created = r == 0;
        if (r == 0 || r == ERR_EXISTS)
            r = key_file_read(path, key);
    }
    if (r == 0)
        r = key_local_new(&key_provider_file, env, key, path, ret_provider);
    sodium_free(key);
    if (r == 0 && ret_created)
        *ret_created = created;
    return r;
}

void key_local_close(struct key_provider *provider)
{
    struct local *local = of(provider);

    sodium_free(local->master);
    sodium_free(local->next);
    sodium_free(local->old);
    free(local->path);
    pthread_mutex_destroy(&local->lock);
    free(local);
}

bool key_local_holds(const struct key_provider *provider, struct str id)
{
    struct local *local = of(provider);
    const unsigned char *keys[] = {local->master, local->next, local->old};
    bool holds = false;
    char held[17];

    pthread_mutex_lock(&local->lock);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        key_id(keys[i], held);
        holds = holds || (!sodium_is_zero(keys[i], SEAL_KEY_LEN) && str_is(id, held));
    }
    pthread_mutex_unlock(&local->lock);
    return holds;
}

int key_local_wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped)
{
    *ret_wrapped = box_seal(provider->env, of(provider)->master, use->number, KIND, use->workspace,
        (struct str){(const char *)key, SEAL_KEY_LEN}, arena);
    return 0;
}

/* With any master key that is held; the caller holds the lock. */
static bool unwrap_held(struct local *local, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char *out)
{
    const unsigned char *keys[] = {local->master, local->next, local->old};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!sodium_is_zero(keys[i], SEAL_KEY_LEN) &&
            box_open(keys[i], KIND, use->workspace, wrapped, arena, out))
            return true;
    return false;
}

/* The files are read again before giving up: another process may have rotated meanwhile. Rare, and
 * three small files. */
int key_local_unwrap(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN])
{
    struct local *local = of(provider);
    bool opened;

    pthread_mutex_lock(&local->lock);
    opened = unwrap_held(local, use, wrapped, arena, ret_key);
    if (!opened && local->path && read_others(local) == 0)
        opened = unwrap_held(local, use, wrapped, arena, ret_key);
    pthread_mutex_unlock(&local->lock);
    if (!opened)
        return err_set(ERR_CORRUPT,
            "the data key of workspace \"%.*s\" does not open under this master key; use the "
            "master key that belongs to this store",
            (int)MIN(use->workspace.len, (size_t)64), use->workspace.ptr);
    return 0;
}

int key_local_prepare_next(struct key_provider *provider, char ret_id[17])
{
    struct local *local = of(provider);
    struct buf path = BUF_HEAP;
    int r;

    if (!local->path)
        return err_set(ERR_DENIED, "a master key that is in no file cannot be changed in place");
    buf_printf(&path, "%s.next", local->path);
    pthread_mutex_lock(&local->lock);
    r = key_file_create(provider->env, path.ptr);
    if (r == 0 || r == ERR_EXISTS)
        r = key_file_read(path.ptr, local->next);
    if (r == 0)
        key_id(local->next, ret_id);
    pthread_mutex_unlock(&local->lock);
    buf_deinit(&path);
    return r;
}

bool key_local_is_next(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena)
{
    unsigned char *key = key_memory();
    bool is = wrapped.len == SEAL_KEY_LEN + SEAL_OVERHEAD &&
              box_open(of(provider)->next, KIND, use->workspace, wrapped, arena, key);

    sodium_free(key);
    return is;
}

struct str key_local_wrap_next(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena)
{
    return box_seal(provider->env, of(provider)->next, use->number, KIND, use->workspace,
        (struct str){(const char *)key, SEAL_KEY_LEN}, arena);
}

int key_local_promote_next(struct key_provider *provider)
{
    return key_file_promote(of(provider)->path);
}
