#include "channel/telegram_poll.h"

#include "channel/telegram.h"
#include "runtime/loop.h"

#define TIMEOUT_S 50 /* Telegram's most */
#define GRACE_MS (15 * SECOND_MS)
#define LIMIT 100
#define AGAIN_MS 1000 /* doubled by each failure in a row */
#define AGAIN_MS_MAX (60 * SECOND_MS)
#define CONFLICT_MS (10 * SECOND_MS) /* whoever else polls has to notice too */

/* One update of a batch on its way. */
struct arrival {
    struct batch *batch;
    struct channel_update update;
    struct str payload;
    int64_t id;
    bool taken;
};

struct batch {
    struct channel *channel;
    channel_receiver *receive;
    void *ctx;
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

static bool same_chat(const struct arrival *a, const struct arrival *b)
{
    return str_eq(a->update.chat_key, b->update.chat_key);
}

static void run_queue(void *arg)
{
    struct queue *queue = arg;
    struct batch *batch = queue->batch;
    struct arrival *first = &batch->arrivals[queue->first];

    for (size_t i = queue->first; i < batch->count; i++) {
        struct arrival *arrival = &batch->arrivals[i];
        int rc;

        if (!same_chat(arrival, first))
            continue;
        rc = batch->receive(batch->ctx, &arrival->update, arrival->payload);
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

static bool is_first(const struct batch *batch, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (same_chat(&batch->arrivals[i], &batch->arrivals[j]))
            return false;
    return true;
}

/* All chats of a batch at once. */
static void deliver(struct batch *batch, struct arena *arena)
{
    struct queue *queues = arena_array(arena, struct queue, batch->count);
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++)
        if (is_first(batch, i)) {
            struct queue *queue = &queues[count++];

            *queue = (struct queue){.batch = batch, .first = i};
            queue->fiber = fiber_spawn_joinable(fiber_loop(), "telegram.take", run_queue, queue);
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

        arrival->id = json_get_i64(one, "update_id", -1);
        arrival->payload = json_text(arena, one);
        if (telegram_read(batch->channel, arrival->payload, arena, &arrival->update) < 0)
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

/* fresh: after a failure not on the connection that brought it. */
static int get_updates(struct channel *channel, int64_t offset, bool fresh, struct arena *arena,
    const struct json **ret_result)
{
    struct telegram_api api = telegram_api_of(telegram_of(channel));
    struct telegram_call call = {.method = "getUpdates",
        .json = str_printf(arena,
            "{\"offset\":%lld,\"limit\":%d,\"timeout\":%d,\"allowed_updates\":%s}",
            (long long)offset, LIMIT, TIMEOUT_S, TELEGRAM_ALLOWED_UPDATES),
        .timeout_ms = TIMEOUT_S * SECOND_MS + GRACE_MS,
        .fresh = fresh};
    struct telegram_answer answer = {0};
    int rc = telegram_call(&api, &call, arena, &answer);

    *ret_result = answer.result;
    if (rc == CHANNEL_RETRY)
        return err_set(
            ERR_BUSY, "Telegram asks to wait %lld ms.", (long long)answer.retry_after_ms);
    return rc > 0 ? ERR_IO : rc;
}

/* One batch: 0 with *offset moved on, or why not. */
static int poll_once(
    struct channel *channel, channel_receiver *receive, void *ctx, bool fresh, int64_t *offset)
{
    struct batch batch = {.channel = channel, .receive = receive, .ctx = ctx, .end = *offset};
    const struct json *result;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = get_updates(channel, *offset, fresh, &arena, &result);
    if (rc == 0) {
        read_batch(&batch, result, &arena);
        deliver(&batch, &arena);
        *offset = next_offset(&batch);
        if (batch.rc < 0) {
            *err_get() = batch.cause;
            rc = batch.rc;
        }
    }
    arena_deinit(&arena);
    return rc;
}

static int64_t pause_ms(const struct env *env, int rc, int failures)
{
    int64_t most = AGAIN_MS << MIN(failures - 1, 6);

    if (rc == ERR_CONFLICT)
        return CONFLICT_MS;
    most = MIN(most, (int64_t)AGAIN_MS_MAX);
    return most / 2 + (int64_t)(env_random_u64(env) % (uint64_t)(most / 2 + 1));
}

void telegram_poll(struct channel *channel, channel_receiver *receive, void *ctx)
{
    const struct env *env = telegram_of(channel)->env;
    int64_t offset = 0;
    int failures = 0;

    while (!fiber_is_cancelled()) {
        int rc = poll_once(channel, receive, ctx, failures > 0, &offset);

        if (rc == ERR_CANCELLED)
            return;
        failures = rc < 0 ? failures + 1 : 0;
        if (rc < 0)
            log_warn("telegram.poll", LOG_ERR, LOG_I64("failures", failures));
        if (rc < 0 && fiber_sleep(pause_ms(env, rc, failures)) < 0)
            return;
    }
}
