/* How often Theo may speak, so that the channel need not say that it is too much: about one message
 * a second in a chat with short bursts, twenty a minute in a group, thirty a second in all
 * (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).
 *
 * Groups and the whole have sliding windows, which no minute or second of the service's own clock
 * can see exceeded; they are a little longer than the unit, for the way there. A chat has a bucket.
 * What is known of a chat is forgotten a minute after its last message.
 */
#include "channel/outbox_private.h"

#define CHAT_BURST 3
#define WINDOW_MAX 200

struct window {
    int64_t at[WINDOW_MAX]; /* ring of the times of the last `limit` messages */
    size_t next, count;
};

struct chat_limit {
    uint64_t hash;
    int64_t last_ms;
    int64_t until_ms; /* nothing before then: the service said so */
    double level;     /* of the bucket, at last_ms */
    struct window *group;
    struct chat_limit *next;
};

struct outbox_limits {
    pthread_mutex_t mutex;
    size_t per_second, per_minute, all; /* 0: no limit */
    struct window whole;
    struct chat_limit *chats[OUTBOX_BUCKETS];
    size_t swept;
};

#define GROUP_WINDOW_MS (62 * SECOND_MS)
#define WHOLE_WINDOW_MS (1100)

struct outbox_limits *outbox_limits_new(const struct config *config)
{
    struct outbox_limits *limits = xcalloc(1, sizeof(*limits));

    pthread_mutex_init(&limits->mutex, NULL);
    limits->per_second = (size_t)config->telegram_limit_chat;
    limits->per_minute = (size_t)config->telegram_limit_group;
    limits->all = (size_t)config->telegram_limit_all;
    return limits;
}

static void free_chat(struct chat_limit *chat)
{
    free(chat->group);
    free(chat);
}

void outbox_limits_free(struct outbox_limits *limits)
{
    for (size_t i = 0; i < OUTBOX_BUCKETS; i++)
        while (limits->chats[i]) {
            struct chat_limit *chat = limits->chats[i];
            limits->chats[i] = chat->next;
            free_chat(chat);
        }
    pthread_mutex_destroy(&limits->mutex);
    free(limits);
}

/* Forget what is old in one bucket; the next call looks at the next one. */
static void sweep(struct outbox_limits *limits, int64_t now_ms)
{
    struct chat_limit **at = &limits->chats[limits->swept++ % OUTBOX_BUCKETS];

    while (*at) {
        struct chat_limit *chat = *at;
        if (now_ms - MAX(chat->last_ms, chat->until_ms) > GROUP_WINDOW_MS) {
            *at = chat->next;
            free_chat(chat);
        } else {
            at = &chat->next;
        }
    }
}

/* A group's id is negative on Telegram, a person's is not. */
static bool is_group(struct str chat)
{
    ptrdiff_t bar = str_rfind_char(chat, '|');

    return (size_t)(bar + 1) < chat.len && chat.ptr[bar + 1] == '-';
}

static struct chat_limit *find(struct outbox_limits *limits, struct str name, int64_t now_ms)
{
    uint64_t hash = outbox_hash(name);
    struct chat_limit **bucket = &limits->chats[hash % OUTBOX_BUCKETS];
    struct chat_limit *chat = *bucket;

    while (chat && chat->hash != hash)
        chat = chat->next;
    if (chat)
        return chat;
    chat = xcalloc(1, sizeof(*chat));
    *chat =
        (struct chat_limit){.hash = hash, .last_ms = now_ms, .level = CHAT_BURST, .next = *bucket};
    if (is_group(name) && limits->per_minute > 0)
        chat->group = xcalloc(1, sizeof(*chat->group));
    return *bucket = chat;
}

static int64_t window_wait(
    const struct window *window, size_t limit, int64_t length_ms, int64_t now_ms)
{
    int64_t oldest;

    if (limit == 0 || window->count < limit)
        return 0;
    oldest = window->at[(window->next + WINDOW_MAX - limit) % WINDOW_MAX];
    return MAX(oldest + length_ms - now_ms, 0);
}

static void window_add(struct window *window, int64_t now_ms)
{
    window->at[window->next] = now_ms;
    window->next = (window->next + 1) % WINDOW_MAX;
    window->count = MIN(window->count + 1, (size_t)WINDOW_MAX);
}

static int64_t bucket_wait(struct outbox_limits *limits, struct chat_limit *chat, int64_t now_ms)
{
    double rate = (double)limits->per_second / SECOND_MS;

    if (limits->per_second == 0)
        return 0;
    chat->level = MIN(chat->level + (double)(now_ms - chat->last_ms) * rate, (double)CHAT_BURST);
    chat->last_ms = now_ms;
    return chat->level >= 1 ? 0 : (int64_t)((1 - chat->level) / rate) + 1;
}

int64_t outbox_limits_take(struct outbox_limits *limits, struct str name, int64_t now_ms)
{
    struct chat_limit *chat;
    int64_t wait_ms;

    pthread_mutex_lock(&limits->mutex);
    sweep(limits, now_ms);
    chat = find(limits, name, now_ms);
    wait_ms = MAX(bucket_wait(limits, chat, now_ms), chat->until_ms - now_ms);
    if (chat->group)
        wait_ms =
            MAX(wait_ms, window_wait(chat->group, limits->per_minute, GROUP_WINDOW_MS, now_ms));
    wait_ms = MAX(wait_ms, window_wait(&limits->whole, limits->all, WHOLE_WINDOW_MS, now_ms));
    if (wait_ms <= 0) {
        chat->level -= 1;
        chat->last_ms = now_ms;
        if (chat->group)
            window_add(chat->group, now_ms);
        window_add(&limits->whole, now_ms);
    }
    pthread_mutex_unlock(&limits->mutex);
    return wait_ms;
}

void outbox_limits_hold(struct outbox_limits *limits, struct str name, int64_t until_ms)
{
    struct chat_limit *chat;

    pthread_mutex_lock(&limits->mutex);
    chat = find(limits, name, until_ms);
    chat->until_ms = MAX(chat->until_ms, until_ms);
    pthread_mutex_unlock(&limits->mutex);
}
