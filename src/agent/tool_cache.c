#include "agent/tool_cache.h"

#include "secure/keys.h"

#include <pthread.h>

#define SLOTS 256
#define RESULT_MAX (32 * KIB)

struct slot {
    char key[65];
    int64_t until_ms;
    char *content, *summary; /* on the heap; NULL: the slot is empty */
    size_t content_len, summary_len;
    bool untrusted;
};

struct tool_cache {
    pthread_mutex_t mutex;
    struct slot slots[SLOTS];
};

struct tool_cache *tool_cache_new(void)
{
    struct tool_cache *cache = xcalloc(1, sizeof(*cache));

    pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

static void clear(struct slot *slot)
{
    free(slot->content);
    free(slot->summary);
    memset(slot, 0, sizeof(*slot));
}

void tool_cache_free(struct tool_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        clear(&cache->slots[i]);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

static struct slot *find_slot(struct tool_cache *cache, struct str workspace_id,
    struct str session_id, const struct tool *tool, const struct json *args, char ret_key[65])
{
    struct buf text = BUF_HEAP;
    struct arena arena;

    arena_init(&arena);
    /* Agents may have tools of one name that know other things: ctx tells them apart. */
    buf_printf(&text, "%.*s\n%.*s\n%s\n%p\n%.*s", STR_ARG(workspace_id),
        STR_ARG(tool->cache_ms > 0 ? STR("") : session_id), tool->name, tool->ctx,
        STR_ARG(json_canonical(&arena, args)));
    hash_hex(buf_str(&text), ret_key);
    buf_deinit(&text);
    arena_deinit(&arena);
    return &cache->slots[strtoul((char[]){ret_key[0], ret_key[1], 0}, NULL, 16) % SLOTS];
}

bool tool_cache_get(struct tool_cache *cache, struct str workspace_id, struct str session_id,
    const struct tool *tool, const struct json *args, int64_t now_ms, struct arena *arena,
    struct tool_result *ret_result)
{
    struct slot *slot;
    char key[65];
    bool hit;

    if (!cache)
        return false;
    slot = find_slot(cache, workspace_id, session_id, tool, args, key);
    pthread_mutex_lock(&cache->mutex);
    hit = slot->content && now_ms < slot->until_ms && strcmp(slot->key, key) == 0;
    if (hit)
        *ret_result = (struct tool_result){
            .content = str_dup(arena, (struct str){slot->content, slot->content_len}),
            .summary = str_dup(arena, (struct str){slot->summary, slot->summary_len}),
            .event = STR(""),
            .untrusted = slot->untrusted,
        };
    pthread_mutex_unlock(&cache->mutex);
    return hit;
}

void tool_cache_put(struct tool_cache *cache, struct str workspace_id, struct str session_id,
    const struct tool *tool, const struct json *args, int64_t until_ms,
    const struct tool_result *result)
{
    struct slot *slot;
    char key[65];

    if (!cache || result->citation_count > 0 || !str_empty(result->event) ||
        result->content.len + result->summary.len > RESULT_MAX)
        return;
    slot = find_slot(cache, workspace_id, session_id, tool, args, key);
    pthread_mutex_lock(&cache->mutex);
    clear(slot);
    memcpy(slot->key, key, sizeof(key));
    slot->until_ms = until_ms;
    slot->content = str_heap(result->content);
    slot->content_len = result->content.len;
    slot->summary = str_heap(result->summary);
    slot->summary_len = result->summary.len;
    slot->untrusted = result->untrusted;
    pthread_mutex_unlock(&cache->mutex);
}
