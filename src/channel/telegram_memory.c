/* What keeps calls few: when a chat last saw us typing, who is an admin. A table of fixed size in
 * which one entry takes the place of another now and then; what is lost costs one more call. And
 * the previews that are shown, which are not lost. */
#include "channel/telegram_send.h"

#define ENTRIES 1024

struct entry {
    uint64_t hash;
    int64_t until_ms;
    int value;
};

struct telegram_memory {
    pthread_mutex_t mutex;
    struct entry entries[ENTRIES];
    struct entry *previews; /* these are kept as long as they are said to be */
    size_t preview_count, preview_room;
};

#define PREVIEW_MS (10 * MINUTE_MS)

struct telegram_memory *telegram_memory_new(void)
{
    struct telegram_memory *memory = xcalloc(1, sizeof(*memory));

    pthread_mutex_init(&memory->mutex, NULL);
    return memory;
}

void telegram_memory_free(struct telegram_memory *memory)
{
    pthread_mutex_destroy(&memory->mutex);
    free(memory->previews);
    free(memory);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(enum telegram_topic topic, struct str name)
{
    uint64_t hash = 0xcbf29ce484222325 ^ (uint64_t)topic;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 0x100000001b3;
    return hash;
}

static struct entry find(struct telegram_memory *memory, enum telegram_topic topic, struct str name)
{
    uint64_t hash = hash_of(topic, name);
    struct entry entry;

    pthread_mutex_lock(&memory->mutex);
    entry = memory->entries[(hash ^ hash >> 32) % ENTRIES];
    pthread_mutex_unlock(&memory->mutex);
    return entry.hash == hash ? entry : (struct entry){0};
}

int telegram_recall(
    struct telegram_memory *memory, enum telegram_topic topic, struct str name, int64_t now_ms)
{
    struct entry entry = find(memory, topic, name);

    return now_ms < entry.until_ms ? entry.value : -1;
}

int64_t telegram_left(
    struct telegram_memory *memory, enum telegram_topic topic, struct str name, int64_t now_ms)
{
    return MAX(find(memory, topic, name).until_ms - now_ms, 0);
}

void telegram_note(struct telegram_memory *memory, enum telegram_topic topic, struct str name,
    int value, int64_t until_ms)
{
    uint64_t hash = hash_of(topic, name);

    pthread_mutex_lock(&memory->mutex);
    memory->entries[(hash ^ hash >> 32) % ENTRIES] = (struct entry){hash, until_ms, value};
    pthread_mutex_unlock(&memory->mutex);
}

static uint64_t preview_hash(const struct telegram_place *place, int64_t message_id)
{
    char name[64];

    snprintf(name, sizeof(name), "%.*s|%lld", STR_ARG(place->chat_id), (long long)message_id);
    return hash_of(TELEGRAM_PREVIEW, str_from(name));
}

/* The entry, with the old ones dropped on the way. Under the mutex. */
static struct entry *find_preview(struct telegram_memory *memory, uint64_t hash, int64_t now_ms)
{
    struct entry *found = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < memory->preview_count; i++) {
        if (memory->previews[i].until_ms <= now_ms)
            continue;
        memory->previews[kept] = memory->previews[i];
        if (memory->previews[kept].hash == hash)
            found = &memory->previews[kept];
        kept++;
    }
    memory->preview_count = kept;
    return found;
}

void telegram_note_preview(struct telegram_memory *memory, const struct telegram_place *place,
    struct str message_id, int64_t now_ms)
{
    struct entry *entry;
    uint64_t hash;
    int64_t id;

    if (!str_to_i64(message_id, &id))
        return;
    hash = preview_hash(place, id);
    pthread_mutex_lock(&memory->mutex);
    entry = find_preview(memory, hash, now_ms);
    if (!entry && memory->preview_count == memory->preview_room) {
        memory->preview_room = MAX(memory->preview_room * 2, 16);
        memory->previews =
            xrealloc(memory->previews, memory->preview_room * sizeof(*memory->previews));
    }
    if (!entry)
        entry = &memory->previews[memory->preview_count++];
    *entry = (struct entry){hash, now_ms + PREVIEW_MS, 1};
    pthread_mutex_unlock(&memory->mutex);
}

bool telegram_is_preview(struct telegram_memory *memory, const struct telegram_place *place,
    int64_t message_id, int64_t now_ms)
{
    bool found;

    pthread_mutex_lock(&memory->mutex);
    found = find_preview(memory, preview_hash(place, message_id), now_ms) != NULL;
    pthread_mutex_unlock(&memory->mutex);
    return found;
}

void telegram_hold(const struct telegram *telegram, const struct telegram_place *place,
    const struct telegram_answer *answer)
{
    if (answer->status == 429 && answer->retry_after_ms > 0)
        telegram_note(telegram->memory, TELEGRAM_HELD, place->chat_id, 1,
            env_mono_ms(telegram->env) + answer->retry_after_ms);
}
