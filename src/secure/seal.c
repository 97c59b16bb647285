#include "secure/seal.h"

#include "secure/key_file.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#define VERSION 1
#define HEADER_LEN 5 /* version and key number */
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
#define BUCKETS 1024

_Static_assert(HEADER_LEN + NONCE_LEN + TAG_LEN == SEAL_OVERHEAD, "the format in seal.h");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SEAL_KEY_LEN, "the key length");

/* Entries are only ever added, in front, until the sealer is freed: readers need no lock. */
struct data_key {
    struct data_key *next;
    unsigned char *bytes; /* sodium_malloc'd */
    uint32_t number;
    size_t workspace_len;
    char workspace[];
};

struct sealer {
    const struct env *env;
    unsigned char *master; /* sodium_malloc'd */
    char *path;            /* of its file; NULL: in memory only */
    /* The coming and the former master key, zero while unknown; written under the lock. */
    unsigned char *next, *old;
    pthread_mutex_t adding;
    _Atomic(struct data_key *) buckets[BUCKETS];
};

int secure_init(void)
{
    if (sodium_init() < 0)
        return err_set(ERR_FAILED, "libsodium cannot be initialised");
    return 0;
}

static unsigned char *new_key(void)
{
    unsigned char *key = sodium_malloc(SEAL_KEY_LEN);

    if (!key) {
        fputs("theo: out of memory for a key; raise the limit of locked memory\n", stderr);
        abort();
    }
    return key;
}

static struct sealer *new_sealer(const struct env *env)
{
    struct sealer *sealer = xcalloc(1, sizeof(*sealer));

    sealer->env = env;
    sealer->master = new_key();
    sealer->next = new_key();
    sealer->old = new_key();
    sodium_memzero(sealer->next, SEAL_KEY_LEN);
    sodium_memzero(sealer->old, SEAL_KEY_LEN);
    pthread_mutex_init(&sealer->adding, NULL);
    return sealer;
}

static int read_beside(const struct sealer *sealer, const char *suffix, unsigned char *key)
{
    struct buf path = BUF_HEAP;
    int r;

    buf_printf(&path, "%s%s", sealer->path, suffix);
    r = key_file_read(path.ptr, key);
    buf_deinit(&path);
    return r == ERR_NOT_FOUND ? 0 : r;
}

/* The other master keys as the folder has them now. What PATH holds may be newer than what this
 * sealer began with: then it is what the sealer knows as the next. */
static int read_others(struct sealer *sealer)
{
    unsigned char *now = new_key();
    int r = read_beside(sealer, ".old", sealer->old);

    if (r == 0)
        r = read_beside(sealer, ".next", sealer->next);
    memcpy(now, sealer->master, SEAL_KEY_LEN);
    if (r == 0)
        r = read_beside(sealer, "", now);
    if (r == 0 && sodium_memcmp(now, sealer->master, SEAL_KEY_LEN) != 0)
        memcpy(sealer->next, now, SEAL_KEY_LEN);
    sodium_free(now);
    return r;
}

int sealer_open(const struct env *env, const char *path, bool create, struct sealer **ret_sealer,
    bool *ret_created)
{
    bool created = false;
    int r = secure_init();

    if (r)
        return r;

    struct sealer *sealer = new_sealer(env);

    r = key_file_read(path, sealer->master);
    if (r == ERR_NOT_FOUND && create) {
        r = key_file_create(env, path);
        created = r == 0;
        if (r == 0 || r == ERR_EXISTS)
            r = key_file_read(path, sealer->master);
    }
    sealer->path = xstrdup(path);
    if (r == 0)
        r = read_others(sealer);
    if (r) {
        sealer_free(sealer);
        return r;
    }
    if (ret_created)
        *ret_created = created;
    *ret_sealer = sealer;
    return 0;
}

int sealer_new_ephemeral(const struct env *env, struct sealer **ret_sealer)
{
    int r = secure_init();

    if (r)
        return r;

    struct sealer *sealer = new_sealer(env);

    env->random(env->ctx, sealer->master, SEAL_KEY_LEN);
    *ret_sealer = sealer;
    return 0;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct data_key *key = atomic_load(&sealer->buckets[i]);

        while (key) {
            struct data_key *next = key->next;

            sodium_free(key->bytes);
            free(key);
            key = next;
        }
    }
    sodium_free(sealer->master);
    sodium_free(sealer->next);
    sodium_free(sealer->old);
    free(sealer->path);
    pthread_mutex_destroy(&sealer->adding);
    free(sealer);
}

static void key_id(const unsigned char *key, char out[17])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];

    crypto_generichash(
        hash, sizeof(hash), key, SEAL_KEY_LEN, (const unsigned char *)"theo key id", 11);
    sodium_bin2hex(out, 17, hash, 8);
}

void sealer_key_id(const struct sealer *sealer, char out[17])
{
    key_id(sealer->master, out);
}

bool sealer_holds(const struct sealer *sealer, struct str id)
{
    const unsigned char *keys[] = {sealer->master, sealer->next, sealer->old};
    char held[17];

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        key_id(keys[i], held);
        if (!sodium_is_zero(keys[i], SEAL_KEY_LEN) && str_is(id, held))
            return true;
    }
    return false;
}

void sealer_mac(const struct sealer *sealer, const char *context, uint64_t number, struct str bytes,
    unsigned char out[SEAL_MAC_LEN])
{
    unsigned char key[crypto_generichash_KEYBYTES], place[8];
    crypto_generichash_state state;

    for (int i = 0; i < 8; i++)
        place[i] = (unsigned char)(number >> (56 - 8 * i));
    crypto_generichash(key, sizeof(key), (const unsigned char *)context, strlen(context),
        sealer->master, SEAL_KEY_LEN);
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
    return (_Atomic(struct data_key *) *)&sealer->buckets[(hash ^ hash >> 32) % BUCKETS];
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

static void put_header(unsigned char *out, uint32_t number)
{
    out[0] = VERSION;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (unsigned char)(number >> (24 - 8 * i));
}

/* What is authenticated besides the plain text: header, kind and place. The kind keeps a data key
 * and a value apart. */
static struct str associated(
    struct arena *arena, const unsigned char *header, const char *kind, struct str place)
{
    struct buf out = BUF_IN(arena);

    buf_reserve(&out, HEADER_LEN + 16 + place.len);
    buf_add(&out, header, HEADER_LEN);
    buf_add_cstr(&out, kind);
    buf_add_str(&out, place);
    return buf_str(&out);
}

static struct str encrypt(const struct env *env, const unsigned char *key, uint32_t number,
    const char *kind, struct str place, struct str plain, struct arena *arena)
{
    unsigned char *out = arena_alloc(arena, plain.len + SEAL_OVERHEAD);

    put_header(out, number);
    env->random(env->ctx, out + HEADER_LEN, NONCE_LEN);

    struct str ad = associated(arena, out, kind, place);

    crypto_aead_xchacha20poly1305_ietf_encrypt(out + HEADER_LEN + NONCE_LEN, NULL,
        (const unsigned char *)plain.ptr, plain.len, (const unsigned char *)ad.ptr, ad.len, NULL,
        out + HEADER_LEN, key);
    return (struct str){(char *)out, plain.len + SEAL_OVERHEAD};
}

/* Number of the key that sealed it; 0 when it is no sealed value. */
static uint32_t key_number(struct str sealed)
{
    const unsigned char *p = (const unsigned char *)sealed.ptr;

    if (sealed.len < SEAL_OVERHEAD || p[0] != VERSION)
        return 0;
    return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

/* False when it does not open. out: sealed.len - SEAL_OVERHEAD bytes. */
static bool decrypt(const unsigned char *key, const char *kind, struct str place, struct str sealed,
    struct arena *arena, unsigned char *out)
{
    const unsigned char *p = (const unsigned char *)sealed.ptr;
    struct str ad = associated(arena, p, kind, place);

    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, p + HEADER_LEN + NONCE_LEN,
               sealed.len - HEADER_LEN - NONCE_LEN, (const unsigned char *)ad.ptr, ad.len,
               p + HEADER_LEN, key) == 0;
}

int sealer_make_data_key(
    struct sealer *sealer, struct str workspace, struct arena *arena, struct str *ret_wrapped)
{
    const struct data_key *newest = find_key(sealer, workspace, 0);
    uint32_t number = newest ? newest->number + 1 : 1;
    unsigned char key[SEAL_KEY_LEN];

    if (number == 0)
        return err_set(ERR_FULL, "the workspace has used up its key numbers");
    sealer->env->random(sealer->env->ctx, key, sizeof(key));
    *ret_wrapped = encrypt(sealer->env, sealer->master, number, "data-key|", workspace,
        (struct str){(char *)key, sizeof(key)}, arena);
    sodium_memzero(key, sizeof(key));
    return 0;
}

/* The caller holds the lock; the entry is complete before a reader can see it. */
static void insert(struct sealer *sealer, struct data_key *key)
{
    struct str workspace = {key->workspace, key->workspace_len};
    _Atomic(struct data_key *) *head = bucket(sealer, workspace);

    key->next = atomic_load(head);
    atomic_store_explicit(head, key, memory_order_release);
}

/* With any master key that is held; the caller holds the lock. */
static bool unwrap_held(struct sealer *sealer, struct str workspace, struct str wrapped,
    struct arena *arena, unsigned char *out)
{
    const unsigned char *keys[] = {sealer->master, sealer->next, sealer->old};

    if (!key_number(wrapped) || wrapped.len != SEAL_KEY_LEN + SEAL_OVERHEAD)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!sodium_is_zero(keys[i], SEAL_KEY_LEN) &&
            decrypt(keys[i], "data-key|", workspace, wrapped, arena, out))
            return true;
    return false;
}

/* The files are read again before giving up: another process may have rotated meanwhile. Rare, and
 * two small files. */
static bool unwrap(struct sealer *sealer, struct str workspace, struct str wrapped,
    struct arena *arena, unsigned char *out)
{
    bool opened;

    pthread_mutex_lock(&sealer->adding);
    opened = unwrap_held(sealer, workspace, wrapped, arena, out);
    if (!opened && sealer->path && read_others(sealer) == 0)
        opened = unwrap_held(sealer, workspace, wrapped, arena, out);
    pthread_mutex_unlock(&sealer->adding);
    return opened;
}

int sealer_prepare_next(struct sealer *sealer, char ret_id[17])
{
    struct buf path = BUF_HEAP;
    int r;

    if (!sealer->path)
        return err_set(ERR_DENIED, "a master key in memory cannot be changed");
    buf_printf(&path, "%s.next", sealer->path);
    pthread_mutex_lock(&sealer->adding);
    r = key_file_create(sealer->env, path.ptr);
    if (r == 0 || r == ERR_EXISTS)
        r = key_file_read(path.ptr, sealer->next);
    if (r == 0)
        key_id(sealer->next, ret_id);
    pthread_mutex_unlock(&sealer->adding);
    buf_deinit(&path);
    return r;
}

int sealer_rewrap(struct sealer *sealer, struct str workspace, struct str wrapped,
    struct arena *arena, struct str *ret_wrapped)
{
    unsigned char *key = new_key();
    struct str result = wrapped;
    int r = 0;

    /* A decryption that fails clears its output: so the one that is to be kept comes last. */
    if (!key_number(wrapped) || wrapped.len != SEAL_KEY_LEN + SEAL_OVERHEAD ||
        !decrypt(sealer->next, "data-key|", workspace, wrapped, arena, key)) {
        if (unwrap(sealer, workspace, wrapped, arena, key))
            result = encrypt(sealer->env, sealer->next, key_number(wrapped), "data-key|", workspace,
                (struct str){(char *)key, SEAL_KEY_LEN}, arena);
        else
            r = err_set(ERR_CORRUPT, "the data key of workspace \"%.*s\" does not open",
                (int)MIN(workspace.len, (size_t)64), workspace.ptr);
    }
    sodium_free(key);
    if (r == 0)
        *ret_wrapped = result;
    return r;
}

int sealer_promote_next(struct sealer *sealer)
{
    return key_file_promote(sealer->path);
}

int sealer_add_data_key(struct sealer *sealer, struct str workspace, struct str wrapped)
{
    uint32_t number = key_number(wrapped);
    unsigned char *bytes = new_key();
    struct arena arena;
    bool opened;

    arena_init(&arena);
    opened = unwrap(sealer, workspace, wrapped, &arena, bytes);
    arena_deinit(&arena);
    if (!opened) {
        sodium_free(bytes);
        return err_set(ERR_CORRUPT,
            "the data key of workspace \"%.*s\" does not open under this master key; "
            "use the master key file that belongs to this store",
            (int)MIN(workspace.len, (size_t)64), workspace.ptr);
    }
    pthread_mutex_lock(&sealer->adding);
    if (find_key(sealer, workspace, number)) {
        sodium_free(bytes);
    } else {
        struct data_key *key = xmalloc(sizeof(*key) + workspace.len);

        *key = (struct data_key){.bytes = bytes, .number = number, .workspace_len = workspace.len};
        memcpy(key->workspace, workspace.ptr, workspace.len);
        insert(sealer, key);
    }
    pthread_mutex_unlock(&sealer->adding);
    return 0;
}

int seal(struct sealer *sealer, struct str workspace, struct str aad, struct str plain,
    struct arena *arena, struct str *ret_sealed)
{
    const struct data_key *key = find_key(sealer, workspace, 0);

    if (!key)
        return err_set(ERR_NOT_FOUND, "the workspace has no data key");
    *ret_sealed = encrypt(sealer->env, key->bytes, key->number, "value|", aad, plain, arena);
    return 0;
}

int unseal(struct sealer *sealer, struct str workspace, struct str aad, struct str sealed,
    struct arena *arena, struct str *ret_plain)
{
    uint32_t number = key_number(sealed);

    if (number == 0)
        return err_set(ERR_CORRUPT, "a stored value is not sealed as it should be");
    if (!sealer_has_data_key(sealer, workspace))
        return err_set(ERR_NOT_FOUND, "the workspace has no data key");

    const struct data_key *key = find_key(sealer, workspace, number);
    size_t len = sealed.len - SEAL_OVERHEAD;
    unsigned char *out = arena_alloc(arena, len + 1);

    if (!key || !decrypt(key->bytes, "value|", aad, sealed, arena, out))
        return err_set(ERR_CORRUPT,
            "a stored value does not open: it was changed, moved or sealed with another key");
    out[len] = '\0';
    *ret_plain = (struct str){(char *)out, len};
    return 0;
}
