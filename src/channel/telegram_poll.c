#include "channel/telegram_poll.h"

#include "channel/telegram.h"
#include "runtime/loop.h"

#define TIMEOUT_S 50 /* Telegram's most */
#define GRACE_MS (15 * SECOND_MS)
#define LIMIT 100
#define ANSWER_MAX (32 * MIB) /* of a hundred updates; smaller batches are asked for beyond it */
#define AGAIN_MS 1000         /* doubled by each failure in a row */
#define CONFLICT_MS (4 * SECOND_MS) /* the same; whoever else polls has to notice too */
#define AGAIN_MS_MAX (60 * SECOND_MS)

struct poller {
    struct channel *channel;
    const struct env *env;
    channel_receiver *receive;
    void *ctx;
    int64_t offset; /* what is before it is acknowledged by the next request */
    int limit;
    int failures; /* in a row */
};

/* One update of a batch on its way. */
struct arrival {
    struct channel_update update;
    struct str payload;
    int64_t id;
    size_t queue; /* the first update of its chat */
    bool taken;
};

struct batch {
    struct poller *poller;
    struct arrival *arrivals;
    size_t count;
    int64_t end; /* the id behind the last */
    int rc;      /* the first failure */
    struct err cause;
};

/* The updates of one chat, from the first on. */
struct queue {
    struct batch *batch;
    size_t first;
    struct fiber *fiber;
};

static void run_queue(void *arg)
{
    struct queue *queue = arg;
    struct batch *batch = queue->batch;
    struct poller *poller = batch->poller;

    for (size_t i = queue->first; i < batch->count; i++) {
        struct arrival *arrival = &batch->arrivals[i];
        int rc;

        if (arrival->queue != queue->first)
            continue;
        rc = poller->receive(poller->ctx, &arrival->update, arrival->payload);
        if (rc < 0) {
            if (batch->rc == 0) {
                batch->rc = rc;
                batch->cause = *err_get();
            }
            return; /* the later ones of this chat wait for it */
        }
        arrival->taken = true;
    }
}

/* What is said in a chat's new place comes behind the news that it has moved there. */
static bool same_chat(const struct arrival *earlier, const struct arrival *arrival)
{
    return str_eq(earlier->update.chat_key, arrival->update.chat_key) ||
           (earlier->update.kind == CHANNEL_MIGRATED &&
               str_eq(earlier->update.moved_to, arrival->update.chat_id));
}

static size_t queue_of(const struct batch *batch, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (same_chat(&batch->arrivals[j], &batch->arrivals[i]))
            return batch->arrivals[j].queue;
    return i;
}

/* All chats of a batch at once. */
static void deliver(struct batch *batch, struct arena *arena)
{
    struct queue *queues = arena_array(arena, struct queue, batch->count);
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct queue *queue = &queues[count];

        batch->arrivals[i].queue = queue_of(batch, i);
        if (batch->arrivals[i].queue != i)
            continue;
        *queue = (struct queue){.batch = batch, .first = i};
        queue->fiber = fiber_spawn_joinable(fiber_loop(), "telegram.take", run_queue, queue);
        count++;
    }
    fiber_shield();
    for (size_t i = 0; i < count; i++)
        while (fiber_join(queues[i].fiber) != 0)
            continue;
    fiber_unshield();
}

/* What is no update that can be read is left behind: it would come for ever. */
static void read_batch(struct batch *batch, const struct json *result, struct arena *arena)
{
    batch->arrivals = arena_array(arena, struct arrival, json_len(result) + 1);
    for (const struct json *one = json_first(result); one; one = json_next(one)) {
        struct arrival *arrival = &batch->arrivals[batch->count];

        *arrival = (struct arrival){
            .id = json_get_i64(one, "update_id", -1), .payload = json_text(arena, one)};
        if (telegram_read(batch->poller->channel, arrival->payload, arena, &arrival->update) < 0)
            log_warn("telegram.unreadable", LOG_ERR);
        else
            batch->count++;
        batch->end = MAX(batch->end, arrival->id + 1);
    }
}

/* Where to go on: what was not taken comes again, and what was taken behind it is known then. */
static int64_t next_offset(const struct batch *batch)
{
    int64_t offset = batch->end;

    for (size_t i = 0; i < batch->count; i++)
        if (!batch->arrivals[i].taken)
            offset = MIN(offset, batch->arrivals[i].id);
    return offset;
}

/* Says what to do about it. */
static int explain_conflict(struct str description)
{
    if (str_find_nocase(description, STR("webhook"), 0) >= 0)
        return err_set(ERR_CONFLICT,
            "Telegram delivers this bot's updates to a webhook, so they cannot be asked for: "
            "`theo telegram remove` takes the webhook away; telegram.receive=webhook uses it");
    return err_set(ERR_CONFLICT,
        "Another program asks for the updates of this bot: stop it, or give Theo a bot of its own; "
        "instances of Theo that share a store take turns by themselves");
}

/* An update is lost only after 24 hours, so each failure is worth another try. */
static int get_updates(struct poller *poller, struct arena *arena, const struct json **ret_result)
{
    struct telegram_api api = telegram_api_of(telegram_of(poller->channel));
    struct telegram_call call = {.method = "getUpdates",
        .json = str_printf(arena,
            "{\"offset\":%lld,\"limit\":%d,\"timeout\":%d,\"allowed_updates\":%s}",
            (long long)poller->offset, poller->limit, TIMEOUT_S, TELEGRAM_ALLOWED_UPDATES),
        .timeout_ms = TIMEOUT_S * SECOND_MS + GRACE_MS,
        .max_answer = ANSWER_MAX,
        .fresh = poller->failures > 0};
    struct telegram_answer answer = {0};
    int rc = telegram_call(&api, &call, arena, &answer);

    *ret_result = answer.result;
    if (rc == ERR_CONFLICT)
        return explain_conflict(answer.description);
    if (rc == 0 && !json_is(answer.result, JSON_ARRAY))
        return err_set(ERR_PROTOCOL, "getUpdates answered without updates; is telegram.api-root a "
                                     "Bot API server?");
    return rc > 0 ? MIN(err_get()->code, -1) : rc;
}

/* One batch: 0 with the offset moved on, or why not. */
static int poll_once(struct poller *poller)
{
    struct batch batch = {.poller = poller, .end = poller->offset};
    const struct json *result;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = get_updates(poller, &arena, &result);
    if (rc == 0) {
        int64_t offset;

        read_batch(&batch, result, &arena);
        deliver(&batch, &arena);
        offset = next_offset(&batch);
        rc = batch.rc;
        if (rc < 0)
            *err_get() = batch.cause;
        else if (json_len(result) > 0 && offset <= poller->offset)
            rc = err_set(ERR_PROTOCOL, "getUpdates gives updates again that are acknowledged");
        poller->offset = offset;
    }
    arena_deinit(&arena);
    return rc;
}

/* Half of it by chance, so that those who failed together do not come back together; and no less
 * than Telegram asks for. */
static int64_t pause_ms(const struct poller *poller, int rc)
{
    int64_t first = rc == ERR_CONFLICT ? CONFLICT_MS : AGAIN_MS;
    int64_t most = MIN(first << MIN(poller->failures - 1, 6), (int64_t)AGAIN_MS_MAX);
    int64_t ms = most / 2 + (int64_t)(env_random_u64(poller->env) % (uint64_t)(most / 2 + 1));

    return MAX(ms, err_get()->retry_after_ms);
}

void telegram_poll(struct channel *channel, channel_receiver *receive, void *ctx)
{
    struct poller poller = {.channel = channel,
        .env = telegram_of(channel)->env,
        .receive = receive,
        .ctx = ctx,
        .limit = LIMIT};

    while (!fiber_is_cancelled()) {
        int64_t ms;
        int rc = poll_once(&poller);

        if (rc == 0) {
            poller.failures = 0;
            poller.limit = MIN(poller.limit * 2, LIMIT);
            continue;
        }
        if (fiber_is_cancelled())
            return;
        if (rc == ERR_TOO_LARGE)
            poller.limit = MAX(poller.limit / 2, 1);
        poller.failures++;
        ms = pause_ms(&poller, rc);
        log_warn("telegram.poll", LOG_ERR, LOG_I64("failures", poller.failures),
            LOG_I64("again_in_ms", ms));
        if (fiber_sleep(ms) < 0)
            return;
    }
}
