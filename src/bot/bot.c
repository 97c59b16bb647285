/* The loops of the bot, whose chats they are, and what is picked up after a crash. */
#include "bot/service.h"
#include "watch/metrics.h"

/* Chats whose state a loop keeps when nothing happens in them. */
#define CHATS_KEPT 2000
#define CLAIM_LEASE_MS (30 * SECOND_MS)
#define CLAIM_COUNT 50
#define PURGE_COUNT 500

static uint32_t hash_of(struct str key)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619u;
    return hash;
}

struct bot *bot_new(const struct bot_options *options)
{
    struct bot *bot = xcalloc(1, sizeof(*bot));

    bot->options = *options;
    answer_listener(bot, &bot->listener);
    return bot;
}

static void lane_free(struct bot_lane *lane)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (lane->buckets[i]) {
            struct bot_chat *chat = lane->buckets[i];

            lane->buckets[i] = chat->next;
            chat_free(chat);
        }
}

void bot_free(struct bot *bot)
{
    if (!bot)
        return;
    for (size_t i = 0; i < bot->lane_count; i++)
        lane_free(&bot->lanes[i]);
    free(bot);
}

const struct run_listener *bot_listener(struct bot *bot)
{
    return &bot->listener;
}

void bot_join(struct bot *bot)
{
    size_t count = __atomic_load_n(&bot->lane_count, __ATOMIC_RELAXED);
    struct bot_lane *lane = &bot->lanes[count];

    assert(count < BOT_LOOPS_MAX);
    lane->bot = bot;
    lane->loop = fiber_loop();
    __atomic_store_n(&bot->lane_count, count + 1, __ATOMIC_RELEASE);
}

struct bot_lane *bot_this_lane(struct bot *bot)
{
    size_t count = __atomic_load_n(&bot->lane_count, __ATOMIC_ACQUIRE);

    for (size_t i = 0; i < count; i++)
        if (bot->lanes[i].loop == fiber_loop())
            return &bot->lanes[i];
    return NULL;
}

struct channel *bot_channel(const struct bot *bot, struct str name)
{
    for (size_t i = 0; i < bot->options.channel_count; i++)
        if (str_is(name, channel_ops_of(bot->options.channels[i])->name))
            return bot->options.channels[i];
    return NULL;
}

/* The least recently used of a bucket's idle chats goes when there are many. */
static void make_room(struct bot_lane *lane, struct bot_chat **bucket)
{
    struct bot_chat **oldest = NULL;

    if (lane->chats < CHATS_KEPT)
        return;
    for (struct bot_chat **at = bucket; *at; at = &(*at)->next)
        if ((*at)->users == 0 && (!oldest || (*at)->used_ms < (*oldest)->used_ms))
            oldest = at;
    if (oldest) {
        struct bot_chat *gone = *oldest;

        *oldest = gone->next;
        chat_free(gone);
        lane->chats--;
    }
}

struct bot_chat *chat_hold(struct bot_lane *lane, struct str key)
{
    uint32_t hash = hash_of(key);
    struct bot_chat **bucket = &lane->buckets[hash % BUCKETS], *chat = *bucket;

    while (chat && !(chat->hash == hash && str_eq(chat->key, key)))
        chat = chat->next;
    if (!chat) {
        make_room(lane, bucket);
        chat = xcalloc(1, sizeof(*chat));
        chat->lane = lane;
        chat->hash = hash;
        chat->key = (struct str){str_heap(key), key.len};
        chat->tail.messages = xcalloc(TAIL, sizeof(*chat->tail.messages));
        semaphore_init(&chat->lock, 1);
        arena_init(&chat->arena);
        chat->next = *bucket;
        *bucket = chat;
        lane->chats++;
    }
    chat->users++;
    return chat;
}

void chat_release(struct bot_chat *chat)
{
    chat->users--;
    chat->used_ms = loop_now_ms(chat->lane->loop);
}

struct hop {
    struct bot_lane *lane;
    int (*fn)(struct bot_lane *lane, void *ctx);
    void *ctx;
    struct loop *home;
    struct fiber *waiting;
    int rc;
    struct err cause;
    bool done;
};

static void hop_end(void *arg)
{
    struct hop *hop = arg;

    hop->done = true;
    fiber_wake(hop->waiting);
}

static void hop_run(void *arg)
{
    struct hop *hop = arg;

    hop->rc = hop->fn(hop->lane, hop->ctx);
    hop->cause = *err_get();
    hop->lane->at_work--;
    loop_post(hop->home, hop_end, hop); /* hop is gone from here on */
}

static void hop_begin(void *arg)
{
    struct hop *hop = arg;

    hop->lane->at_work++;
    fiber_spawn(hop->lane->loop, "bot", hop_run, hop);
}

int bot_on_lane(
    struct bot *bot, struct str chat_key, int (*fn)(struct bot_lane *lane, void *ctx), void *ctx)
{
    size_t count = __atomic_load_n(&bot->lane_count, __ATOMIC_ACQUIRE);
    struct bot_lane *lane;
    struct hop hop;

    if (count == 0)
        return err_set(ERR_UNAVAILABLE, "The bot is not running yet.");
    lane = &bot->lanes[hash_of(chat_key) % count];
    if (__atomic_load_n(&lane->draining, __ATOMIC_RELAXED))
        return err_set(ERR_UNAVAILABLE, "The service is stopping.");
    if (lane->loop == fiber_loop())
        return fn(lane, ctx);
    hop = (struct hop){
        .lane = lane, .fn = fn, .ctx = ctx, .home = fiber_loop(), .waiting = fiber_self()};
    loop_post(lane->loop, hop_begin, &hop);
    fiber_shield();
    while (!hop.done)
        if (fiber_park(FIBER_NO_DEADLINE) < 0)
            log_debug("bot.hop", LOG_ERR); /* shielded: cannot be */
    fiber_unshield();
    *err_get() = hop.cause;
    return hop.rc;
}

static int take_over(struct bot_lane *lane, void *ctx)
{
    struct bot_work *work = ctx;
    struct bot_chat *chat = chat_hold(lane, work->row.chat_key);

    work_add(chat, work);
    chat_release(chat);
    return 0;
}

/* Rows whose lease ended; all: whatever their lease says, they belong to nobody. */
static int claim_some(struct bot *bot, bool all, size_t *ret_count)
{
    struct store_claim claim = {.entity = STORE_INBOX,
        .workspace_id = bot->options.workspace_id,
        .index = 0,
        .value = STR("pending"),
        .now_ms = env_wall_ms(bot->options.env) + (all ? CLAIM_LEASE_MS : 0),
        .lease_ms = CLAIM_LEASE_MS + (all ? CLAIM_LEASE_MS : 0),
        .owner = bot->options.owner.id,
        .limit = CLAIM_COUNT};
    struct store_page page;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = store_claim(bot->options.store, &claim, &arena, &page);
    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        struct bot_work *work = work_new((const struct inbox_row *)page.rows + i);

        rc = bot_on_lane(bot, work->row.chat_key, take_over, work);
        if (rc < 0)
            work_free(work);
    }
    *ret_count = rc == 0 ? page.count : 0;
    arena_deinit(&arena);
    return rc;
}

struct kick {
    struct bot_lane *lane;
    struct str chat_key, session_id; /* heap */
};

static void on_kick(void *arg)
{
    struct kick *kick = arg;
    struct bot_chat *chat = chat_hold(kick->lane, kick->chat_key);

    chat->stale = true;
    chat_release(chat);
    outbox_kick(kick->lane->bot->options.outbox, kick->chat_key, kick->session_id);
    free((char *)kick->chat_key.ptr);
    free((char *)kick->session_id.ptr);
    free(kick);
}

void bot_kick(struct bot *bot, struct str chat_key, struct str session_id)
{
    size_t count = __atomic_load_n(&bot->lane_count, __ATOMIC_ACQUIRE);
    struct bot_lane *lane = count > 0 ? &bot->lanes[hash_of(chat_key) % count] : NULL;
    struct kick *kick;

    if (lane && __atomic_load_n(&lane->draining, __ATOMIC_RELAXED) && lane->loop == fiber_loop())
        outbox_kick(bot->options.outbox, chat_key, session_id); /* the last answer before the end */
    if (!lane || __atomic_load_n(&lane->draining, __ATOMIC_RELAXED))
        return; /* whoever sweeps finds it */
    kick = xcalloc(1, sizeof(*kick));
    *kick = (struct kick){
        lane, {str_heap(chat_key), chat_key.len}, {str_heap(session_id), session_id.len}};
    if (lane->loop == fiber_loop())
        on_kick(kick);
    else
        loop_post(lane->loop, on_kick, kick);
}

static void on_found(void *ctx, struct str chat_key, struct str session_id)
{
    bot_kick(ctx, chat_key, session_id);
}

int bot_purge(struct bot *bot, enum store_entity entity, size_t row_size, int64_t to_ms)
{
    struct store_query query = {.entity = entity,
        .workspace_id = bot->options.workspace_id,
        .index = 0,
        .value = STR("done"),
        .to = to_ms,
        .limit = PURGE_COUNT,
        .cursor = STR("")};
    struct store_batch batch;
    struct store_page page;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = store_list(bot->options.store, &query, &arena, &page);
    if (rc == 0 && page.count > 0) {
        store_batch_init(&batch, &arena);
        for (size_t i = 0; i < page.count; i++)
            store_delete(&batch, entity, (const char *)page.rows + i * row_size);
        rc = store_commit(bot->options.store, &batch);
    }
    arena_deinit(&arena);
    return MIN(rc, 0);
}

int bot_sweep(struct bot *bot, bool all)
{
    size_t count = 0;
    int rc;

    do
        rc = claim_some(bot, all, &count);
    while (rc == 0 && count == CLAIM_COUNT);
    if (rc == 0)
        rc = service_sweep(bot, all);
    if (rc == 0)
        rc = outbox_sweep(bot->options.outbox, all, on_found, bot);
    if (rc == 0) /* updates that cannot come again */
        rc = bot_purge(bot, STORE_INBOX, sizeof(struct inbox_row), env_wall_ms(bot->options.env));
    return rc;
}

void bot_drain(struct bot *bot)
{
    struct bot_lane *lane = bot_this_lane(bot);

    if (!lane)
        return;
    __atomic_store_n(&lane->draining, true, __ATOMIC_RELAXED);
    while (lane->at_work > 0)
        if (fiber_sleep(10) < 0)
            break;
}
