#include "store/api_keys.h"

#include "base/log.h"
#include "runtime/loop.h"
#include "store/front.h"
#include "watch/metrics.h"

#include <pthread.h>

#define FRESH_MS SECOND_MS /* how long a revocation elsewhere may go unnoticed */
#define USED_EVERY_MS MINUTE_MS
#define KNOWN_SLOTS 4096
#define UNKNOWN_SLOTS 512
#define TRIES 5

enum { KEYS_GLOBAL = 0 };

/* What a check needs of a row. */
struct key_facts {
    struct api_identity identity;
    unsigned char hash[API_KEY_HASH_LEN];
    int64_t expires_at, revoked_at;
};

struct known_key {
    struct key_facts facts;
    int64_t read_ms; /* monotonic; 0: the slot is empty */
    int64_t used_ms; /* when its use was last written down */
};

struct unknown_key {
    char id[API_KEY_ID_LEN];
    int64_t read_ms;
};

/* One slot per place, found by the id: bounded without lists to keep, and a flood of made-up ids
 * cannot push out keys that exist, because those have slots of their own. Shared by all loops, so
 * that a revocation here counts at once; the lock is held for a copy only. */
struct key_cache {
    pthread_mutex_t mutex;
    struct known_key known[KNOWN_SLOTS];
    struct unknown_key unknown[UNKNOWN_SLOTS];
};

struct key_cache *key_cache_new(void)
{
    struct key_cache *cache = xcalloc(1, sizeof(*cache));

    pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

void key_cache_free(struct key_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

static size_t slot_of(const char *id, size_t slots)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (int i = 0; i < API_KEY_ID_LEN; i++)
        hash = (hash ^ (unsigned char)id[i]) * 0x100000001b3u;
    return (hash ^ hash >> 32) % slots;
}

static struct known_key *known_slot(struct key_cache *cache, const char *id)
{
    return &cache->known[slot_of(id, KNOWN_SLOTS)];
}

static bool same_id(const struct known_key *slot, const char *id)
{
    return memcmp(slot->facts.identity.key_id, id, API_KEY_ID_LEN) == 0;
}

static bool is_fresh(int64_t read_ms, int64_t now)
{
    return read_ms != 0 && now - read_ms < FRESH_MS;
}

/* 0, STORE_MISSING (known to be unknown), or -1: not in the cache. */
static int cache_look(
    struct key_cache *cache, const char *id, int64_t now, struct key_facts *ret_facts)
{
    struct unknown_key *unknown = &cache->unknown[slot_of(id, UNKNOWN_SLOTS)];
    struct known_key *known = known_slot(cache, id);
    int r = -1;

    pthread_mutex_lock(&cache->mutex);
    if (is_fresh(known->read_ms, now) && same_id(known, id)) {
        *ret_facts = known->facts;
        r = 0;
    } else if (is_fresh(unknown->read_ms, now) && memcmp(unknown->id, id, API_KEY_ID_LEN) == 0) {
        r = STORE_MISSING;
    }
    pthread_mutex_unlock(&cache->mutex);
    return r;
}

/* read_ms is from before the read, so that the answer is never older than it claims. */
static void cache_known(struct key_cache *cache, const struct key_facts *facts, int64_t read_ms)
{
    struct known_key *slot = known_slot(cache, facts->identity.key_id);

    pthread_mutex_lock(&cache->mutex);
    if (!same_id(slot, facts->identity.key_id))
        slot->used_ms = 0;
    slot->facts = *facts;
    slot->read_ms = MAX(read_ms, 1);
    pthread_mutex_unlock(&cache->mutex);
}

static void cache_unknown(struct key_cache *cache, const char *id, int64_t read_ms)
{
    struct unknown_key *slot = &cache->unknown[slot_of(id, UNKNOWN_SLOTS)];

    pthread_mutex_lock(&cache->mutex);
    memcpy(slot->id, id, API_KEY_ID_LEN);
    slot->read_ms = MAX(read_ms, 1);
    pthread_mutex_unlock(&cache->mutex);
}

static void cache_forget(struct key_cache *cache, struct str id)
{
    struct unknown_key *unknown;
    struct known_key *known;

    if (id.len != API_KEY_ID_LEN)
        return;
    known = known_slot(cache, id.ptr);
    unknown = &cache->unknown[slot_of(id.ptr, UNKNOWN_SLOTS)];
    pthread_mutex_lock(&cache->mutex);
    if (same_id(known, id.ptr))
        known->read_ms = 0;
    if (memcmp(unknown->id, id.ptr, API_KEY_ID_LEN) == 0)
        unknown->read_ms = 0;
    pthread_mutex_unlock(&cache->mutex);
}

static void cache_forget_all(struct key_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    for (size_t i = 0; i < KNOWN_SLOTS; i++)
        cache->known[i].read_ms = 0;
    for (size_t i = 0; i < UNKNOWN_SLOTS; i++)
        cache->unknown[i].read_ms = 0;
    pthread_mutex_unlock(&cache->mutex);
}

void api_key_on_change(struct store *store, void (*fn)(void *ctx, struct str id), void *ctx)
{
    store->key_changed = fn;
    store->key_changed_ctx = ctx;
}

void api_key_forget(struct store *store, struct str id)
{
    if (str_empty(id))
        cache_forget_all(store->keys);
    else
        cache_forget(store->keys, id);
}

static void tell_change(struct store *store, struct str id)
{
    cache_forget(store->keys, id);
    if (store->key_changed)
        store->key_changed(store->key_changed_ctx, id);
}

/* True once a minute for each key. */
static bool cache_note_use(struct key_cache *cache, const char *id, int64_t now)
{
    struct known_key *slot = known_slot(cache, id);
    bool due = false;

    pthread_mutex_lock(&cache->mutex);
    if (same_id(slot, id) && (slot->used_ms == 0 || now - slot->used_ms >= USED_EVERY_MS)) {
        slot->used_ms = MAX(now, 1);
        due = true;
    }
    pthread_mutex_unlock(&cache->mutex);
    return due;
}

static bool next_scope(struct str *rest, struct str *ret_scope)
{
    size_t end = 0;

    while (rest->len && (*rest->ptr == ' ' || *rest->ptr == ','))
        *rest = str_slice(*rest, 1, rest->len);
    while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != ',')
        end++;
    *ret_scope = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len);
    return end > 0;
}

/* Bit number of a scope, -1 if there is none of that name. */
static int scope_bit(struct str scope)
{
    struct str rest = STR(API_KEY_SCOPES), name;

    for (int bit = 0; next_scope(&rest, &name); bit++)
        if (str_eq(name, scope))
            return bit;
    return -1;
}

static uint32_t scope_bits(struct str scopes)
{
    struct str scope;
    uint32_t bits = 0;
    int bit;

    while (next_scope(&scopes, &scope))
        if ((bit = scope_bit(scope)) >= 0)
            bits |= 1u << bit;
    return bits;
}

/* Checked and in the order of API_KEY_SCOPES, each once. */
static int clean_scopes(struct str scopes, struct arena *arena, struct str *ret_scopes)
{
    struct str rest = scopes, scope, all = STR(API_KEY_SCOPES);
    uint32_t bits = scope_bits(scopes);
    struct buf out = BUF_IN(arena);

    while (next_scope(&rest, &scope))
        if (scope_bit(scope) < 0)
            return err_field(ERR_INVALID, "scopes", "There is no scope \"%.*s\": use some of %s.",
                (int)MIN(scope.len, (size_t)40), scope.ptr, API_KEY_SCOPES);
    if (bits == 0)
        return err_field(
            ERR_INVALID, "scopes", "A key needs a scope: use some of %s.", API_KEY_SCOPES);
    for (int bit = 0; next_scope(&all, &scope); bit++)
        if (bits >> bit & 1) {
            if (out.len)
                buf_add_char(&out, ' ');
            buf_add_str(&out, scope);
        }
    *ret_scopes = buf_str(&out);
    return 0;
}

static int check_name(struct str name)
{
    size_t max = sizeof(((struct api_identity *)NULL)->name) - 1;

    if (str_empty(str_trim(name)) || name.len > max || !utf8_valid(name))
        return err_field(ERR_INVALID, "name", "A key's name is UTF-8 text of 1 to %zu bytes.", max);
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return err_field(ERR_INVALID, "name", "A key's name holds no control characters.");
    return 0;
}

/* A fresh id and secret into row and ret_key. */
static void make_secret(const struct env *env, struct arena *arena, struct api_key_row *row,
    char ret_key[API_KEY_LEN + 1])
{
    unsigned char hash[API_KEY_HASH_LEN];
    char id[API_KEY_ID_LEN + 1];

    api_key_make(env, ret_key, id, hash);
    row->id = str_dup(arena, str_from(id));
    row->hash = hex_encode(arena, (struct str){(char *)hash, sizeof(hash)});
}

int api_key_create(struct store *store, const struct env *env,
    const struct api_key_request *request, struct arena *arena, char ret_key[API_KEY_LEN + 1],
    struct api_key_row *ret_row)
{
    struct api_key_row row = {.workspace_id = request->workspace_id,
        .version = 1,
        .name = request->name,
        .kind = STR("key"),
        .created_at = env_wall_ms(env),
        .expires_at = request->expires_at};
    char key[API_KEY_LEN + 1];
    int r = check_name(request->name);

    if (r == 0)
        r = clean_scopes(request->scopes, arena, &row.scopes);
    if (r == 0 && row.expires_at != 0 && row.expires_at <= row.created_at)
        r = err_field(ERR_INVALID, "expires_at", "The key would have expired already.");
    if (r == 0)
        r = store_workspace(store, request->workspace_id);
    if (r < 0)
        return r;
    r = STORE_EXISTS; /* ids are 32 random bits: a second draw is rare, a third is luck */
    for (int i = 0; r == STORE_EXISTS && i < TRIES; i++) {
        struct store_batch batch;
        make_secret(env, arena, &row, key);
        store_batch_init(&batch, arena);
        store_insert(&batch, STORE_API_KEYS, &row);
        r = store_commit(store, &batch);
    }
    if (r > 0)
        return err_set(ERR_FAILED, "No free key id was found: try again.");
    if (r < 0)
        return r;
    cache_forget(store->keys, row.id);
    memcpy(ret_key, key, sizeof(key));
    *ret_row = row;
    return 0;
}

static int get_key(struct store *store, struct str workspace_id, struct str id, struct arena *arena,
    struct api_key_row *ret_row)
{
    int r = store_get(store, STORE_API_KEYS, workspace_id, id, arena, ret_row);

    if (r == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "There is no key with this id: see the list of keys.");
    return r;
}

static int rotate_once(struct store *store, const struct env *env, struct str workspace_id,
    struct str id, int64_t grace_ms, struct arena *arena, char key[API_KEY_LEN + 1],
    struct api_key_row *ret_row)
{
    struct api_key_row old, row;
    int64_t now = env_wall_ms(env), end = now + grace_ms;
    struct store_batch batch;
    int r = get_key(store, workspace_id, id, arena, &old);

    if (r < 0)
        return r;
    if (old.revoked_at != 0 || (old.expires_at != 0 && old.expires_at <= now))
        return err_set(ERR_CONFLICT, "The key is no longer valid: create a new one instead.");
    if (!str_empty(old.rotated_to))
        return err_set(ERR_CONFLICT, "The key was rotated already: rotate its successor.");
    row = old;
    row.created_at = now;
    row.last_used_at = 0;
    make_secret(env, arena, &row, key);
    old.rotated_to = row.id;
    if (old.expires_at == 0 || old.expires_at > end)
        old.expires_at = end;
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_API_KEYS, &row);
    store_update(&batch, STORE_API_KEYS, &old);
    r = store_commit(store, &batch);
    if (r != 0)
        return r;
    row.version = 1;
    *ret_row = row;
    return 0;
}

int api_key_rotate(struct store *store, const struct env *env, struct str workspace_id,
    struct str id, int64_t grace_ms, struct arena *arena, char ret_key[API_KEY_LEN + 1],
    struct api_key_row *ret_row)
{
    char key[API_KEY_LEN + 1];
    int r = STORE_CONFLICT;

    if (grace_ms < 0 || grace_ms > 366 * DAY_MS)
        return err_field(ERR_INVALID, "grace_ms", "The old key can go on for 0 to 366 days.");
    for (int i = 0; r > 0 && i < TRIES; i++)
        r = rotate_once(store, env, workspace_id, id, grace_ms, arena, key, ret_row);
    if (r > 0)
        return err_set(ERR_CONFLICT, "The key keeps being changed by others: try again.");
    if (r < 0)
        return r;
    tell_change(store, id);
    memcpy(ret_key, key, sizeof(key));
    return 0;
}

int api_key_revoke(
    struct store *store, const struct env *env, struct str workspace_id, struct str id)
{
    struct arena arena;
    int r = STORE_CONFLICT;

    arena_init(&arena);
    for (int i = 0; r > 0 && i < TRIES; i++) {
        struct api_key_row row;
        struct store_batch batch;
        r = get_key(store, workspace_id, id, &arena, &row);
        if (r < 0 || row.revoked_at != 0)
            break;
        row.revoked_at = env_wall_ms(env);
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_API_KEYS, &row);
        r = store_commit(store, &batch);
    }
    if (r > 0)
        r = err_set(ERR_CONFLICT, "The key keeps being changed by others: try again.");
    if (r == 0)
        tell_change(store, id);
    arena_deinit(&arena);
    return r;
}

static void copy_text(char *out, size_t size, struct str text)
{
    text = utf8_truncate(text, size - 1);
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

/* 0, STORE_MISSING or ERR_*. Yields. */
static int read_facts(struct store *store, const char *id, struct key_facts *ret_facts)
{
    struct key_facts facts = {0};
    struct api_key_row row;
    struct arena arena;
    struct str hash;
    int r;

    arena_init(&arena);
    r = store_find(store, STORE_API_KEYS, (struct str){"", 0}, KEYS_GLOBAL,
        (struct str){id, API_KEY_ID_LEN}, &arena, &row);
    if (r == 0 && (!hex_decode(&arena, row.hash, &hash) || hash.len != API_KEY_HASH_LEN))
        r = err_set(ERR_CORRUPT, "The stored hash of key %.8s is damaged: create another key.", id);
    if (r == 0) {
        memcpy(facts.identity.key_id, id, API_KEY_ID_LEN);
        copy_text(
            facts.identity.workspace_id, sizeof(facts.identity.workspace_id), row.workspace_id);
        copy_text(facts.identity.name, sizeof(facts.identity.name), row.name);
        facts.identity.scopes = scope_bits(row.scopes);
        memcpy(facts.hash, hash.ptr, sizeof(facts.hash));
        facts.expires_at = row.expires_at;
        facts.revoked_at = row.revoked_at;
        *ret_facts = facts;
    }
    arena_deinit(&arena);
    return r;
}

static int find_facts(
    struct store *store, const struct env *env, const char *id, struct key_facts *ret_facts)
{
    int64_t now = env_mono_ms(env);
    int r = cache_look(store->keys, id, now, ret_facts);

    if (r >= 0)
        return r;
    r = read_facts(store, id, ret_facts);
    if (r == 0)
        cache_known(store->keys, ret_facts, now);
    else if (r == STORE_MISSING)
        cache_unknown(store->keys, id, now);
    return r;
}

struct use {
    struct store *store;
    char id[API_KEY_ID_LEN + 1];
    char workspace_id[64];
    int64_t at;
};

/* A fiber of its own: the request does not wait for it, and nothing but a log line tells that it
 * failed. A key that changed meanwhile keeps the change: the version no longer fits. */
static void write_use(void *arg)
{
    struct use *use = arg;
    struct api_key_row row;
    struct store_batch batch;
    struct arena arena;
    int r;

    arena_init(&arena);
    r = store_get(
        use->store, STORE_API_KEYS, str_from(use->workspace_id), str_from(use->id), &arena, &row);
    if (r == 0 && row.last_used_at < use->at) {
        row.last_used_at = use->at;
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_API_KEYS, &row);
        r = store_commit(use->store, &batch);
    }
    if (r < 0)
        log_debug("key.use_not_noted", LOG_CSTR("key", use->id), LOG_ERR);
    arena_deinit(&arena);
    free(use);
}

static void note_use(struct store *store, const struct env *env, const struct api_identity *who)
{
    struct use *use;

    if (!fiber_loop() || !cache_note_use(store->keys, who->key_id, env_mono_ms(env)))
        return;
    use = xcalloc(1, sizeof(*use));
    use->store = store;
    use->at = env_wall_ms(env);
    memcpy(use->id, who->key_id, sizeof(use->id));
    memcpy(use->workspace_id, who->workspace_id, sizeof(use->workspace_id));
    fiber_spawn(fiber_loop(), "key.use", write_use, use);
}

/* NULL, or why these facts forbid the key. */
static const char *fault_of(
    const struct key_facts *facts, const unsigned char hash[API_KEY_HASH_LEN], int64_t now)
{
    if (!api_key_hash_equal(facts->hash, hash))
        return "wrong";
    if (facts->revoked_at != 0 && facts->revoked_at <= now)
        return "revoked";
    if (facts->expires_at != 0 && facts->expires_at <= now)
        return "expired";
    return NULL;
}

bool api_key_in_memory(struct store *store, const struct env *env, struct str key)
{
    unsigned char hash[API_KEY_HASH_LEN];
    char id[API_KEY_ID_LEN + 1];
    struct known_key *slot;
    struct key_facts facts;
    bool found;

    if (!api_key_parse(key, id, hash))
        return false;
    slot = known_slot(store->keys, id);
    pthread_mutex_lock(&store->keys->mutex);
    facts = slot->facts;
    found = same_id(slot, id);
    pthread_mutex_unlock(&store->keys->mutex);
    return found && !fault_of(&facts, hash, env_wall_ms(env));
}

static int refuse(const char *reason, const char *id)
{
    metric_add(M_AUTH_FAILURES, reason, 1);
    log_info("auth.refused", LOG_CSTR("reason", reason), LOG_CSTR("key", id));
    return err_set(ERR_UNAUTHORIZED,
        "The API key is not valid: it is malformed, unknown, expired or revoked.");
}

int api_key_check(
    struct store *store, const struct env *env, struct str key, struct api_identity *ret_identity)
{
    unsigned char hash[API_KEY_HASH_LEN];
    char id[API_KEY_ID_LEN + 1];
    struct key_facts facts;
    const char *fault;
    int r;

    if (!api_key_parse(key, id, hash))
        return refuse("malformed", "");
    r = find_facts(store, env, id, &facts);
    if (r < 0)
        return r;
    if (r == STORE_MISSING)
        return refuse("unknown", id);
    fault = fault_of(&facts, hash, env_wall_ms(env));
    if (fault)
        return refuse(fault, id);
    note_use(store, env, &facts.identity);
    *ret_identity = facts.identity;
    return 0;
}

bool api_identity_may(const struct api_identity *identity, const char *scope)
{
    int bit = scope_bit(str_from(scope));

    return bit >= 0 && (identity->scopes & 1u || identity->scopes >> bit & 1);
}

bool api_identity_covers(const struct api_identity *identity, struct str scopes)
{
    return identity->scopes & 1u || (scope_bits(scopes) & ~identity->scopes) == 0;
}
