/* One row: whose it is, whether it may go out now, the tries, and what is stored of each. */
#include "channel/outbox_private.h"
#include "runtime/errinj.h"
#include "watch/metrics.h"

enum {
    FIRST_PAUSE_MS = 1 * SECOND_MS,
    LONGEST_PAUSE_MS = 5 * MINUTE_MS,
    HALT_MS = 1 * MINUTE_MS,
    KNOWN_MAX = 5000, /* rows looked at to find messages that are others */
    KNOWN_PAGE = 100,
    MOVES_MAX = 5,
};
#define GIVE_UP_MS (1 * DAY_MS)
#define KNOWN_BEFORE_MS (10 * MINUTE_MS)

struct
try {
    struct outbox_chat *chat;
    struct outbox_row *row;
    struct arena *arena;
    struct channel *channel;
    struct channel_sent sent;
};

static int64_t wall_ms(const struct outbox_chat *chat)
{
    return env_wall_ms(chat->outbox->env);
}

/* Store the row; a store that is down is asked again, as the message is out already. OUTBOX_DONE,
 * or OUTBOX_AGAIN: the row is not ours any more, or the process ends. */
static enum outbox_step save(struct outbox_chat *chat, struct outbox_row *row)
{
    int64_t pause_ms = 100;

    for (;;) {
        struct store_batch batch;
        struct arena arena;
        int rc;

        row->updated_at = wall_ms(chat);
        arena_init(&arena);
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_OUTBOX, row);
        rc = store_commit(chat->outbox->store, &batch);
        arena_deinit(&arena);
        if (rc == 0) {
            row->version++;
            return OUTBOX_DONE;
        }
        if (rc > 0) {
            log_warn("outbox.taken", LOG_STR("id", row->id));
            return OUTBOX_AGAIN;
        }
        log_warn("outbox.store", LOG_STR("id", row->id), LOG_ERR);
        if (rc == ERR_INVALID || !outbox_chat_pause(chat, pause_ms))
            return OUTBOX_AGAIN;
        pause_ms = MIN(pause_ms * 2, (int64_t)5 * SECOND_MS);
    }
}

/* At the end: sent or failed. */
static enum outbox_step finish(struct outbox_chat *chat, struct outbox_row *row, const char *state,
    const char *outcome, struct str error)
{
    metric_add(M_OUTBOX_ROWS, outcome, 1);
    metric_observe_ms(M_OUTBOX_MS, NULL, (double)MAX(wall_ms(chat) - row->created_at, 0));
    row->state = str_from(state);
    row->error = error;
    /* The chat's messages have the text: it is not kept a second time. */
    if (str_empty(error))
        row->body = STR("");
    row->owner = STR("");
    row->due_at = wall_ms(chat);
    if (str_empty(error))
        log_debug("outbox.sent", LOG_STR("id", row->id), LOG_I64("attempts", row->attempts));
    else
        log_warn("outbox.failed", LOG_STR("id", row->id), LOG_STR("chat", row->chat_key),
            LOG_STR("error", error), LOG_I64("attempts", row->attempts));
    return save(chat, row);
}

/* Exponential with full jitter, but never nothing. */
static int64_t pause_after(const struct outbox_chat *chat, int64_t attempts)
{
    int64_t most = MIN((int64_t)FIRST_PAUSE_MS << MIN(attempts, 20), (int64_t)LONGEST_PAUSE_MS);

    return most / 2 + (int64_t)(env_random_u64(chat->outbox->env) % (uint64_t)(most / 2 + 1));
}

/* Make the row ours, with a lease that is long enough. */
static enum outbox_step take(struct try *t, int64_t *ret_wait_ms)
{
    struct outbox_chat *chat = t->chat;
    struct outbox_row *row = t->row;
    int64_t now_ms = wall_ms(chat);
    bool ours = str_is(row->owner, chat->outbox->owner);

    if (!ours && row->due_at > now_ms) {
        *ret_wait_ms = row->due_at - now_ms;
        return str_empty(row->owner) ? OUTBOX_WAIT : OUTBOX_HELD;
    }
    if (ours && row->due_at - now_ms >= OUTBOX_FRESH_MS)
        return OUTBOX_DONE;
    /* One that this process put and nobody took is not out. */
    t->sent.unsure |= !ours && str_empty(row->error);
    row->owner = str_from(chat->outbox->owner);
    row->due_at = now_ms + OUTBOX_LEASE_MS;
    row->error = STR("");
    return save(chat, row);
}

/* What is known of a message that may be out is kept with its row. */
static enum outbox_step release(
    struct try *t, int64_t wait_ms, struct str why, int64_t *ret_wait_ms)
{
    struct outbox_post post;
    bool unsure = t->sent.unsure;

    if (unsure && outbox_read(t->row, t->arena, &post) == 0) {
        post.after = t->sent.after;
        post.looked = t->sent.looked;
        t->row->options = outbox_options(t->arena, &post);
    }
    t->row->owner = STR("");
    t->row->due_at = wall_ms(t->chat) + wait_ms;
    t->row->error = unsure ? STR("") : why;
    *ret_wait_ms = wait_ms;
    return save(t->chat, t->row) == OUTBOX_DONE ? OUTBOX_WAIT : OUTBOX_AGAIN;
}

/* Wait for a turn among all that is said. */
static enum outbox_step wait_for_turn(struct try *t, int64_t *ret_wait_ms)
{
    struct outbox_chat *chat = t->chat;
    struct outbox *outbox = chat->outbox;

    for (;;) {
        int64_t now_ms = env_mono_ms(outbox->env), wait_ms;

        pthread_mutex_lock(&outbox->mutex);
        wait_ms = outbox->halted_until_mono - now_ms;
        pthread_mutex_unlock(&outbox->mutex);
        if (wait_ms <= 0)
            wait_ms = outbox_limits_take(outbox->limits, str_from(chat->key), now_ms);
        if (wait_ms <= 0)
            return OUTBOX_DONE;
        if (wait_ms > OUTBOX_LINGER_MS || !outbox_chat_pause(chat, wait_ms)) {
            return release(t, MAX(wait_ms, 0), STR("it waits for its turn"), ret_wait_ms);
        }
    }
}

/* Ids of messages of ours that are others than the one looked for. */
struct others {
    struct str *ids;
    size_t count;
};

/* Of rows of this chat, in whatever topic, that came to this state about then or since. */
static int add_others(struct try *t, const char *state, int64_t from_ms, struct others *others)
{
    struct store_query query = {.entity = STORE_OUTBOX,
        .workspace_id = t->row->workspace_id,
        .value = str_from(state),
        .from = from_ms,
        .descending = true,
        .limit = KNOWN_PAGE,
        .cursor = STR("")};
    size_t seen = 0;

    do {
        struct store_page page = {0};
        int rc = store_list(t->chat->outbox->store, &query, t->arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            const struct outbox_row *row = &((struct outbox_row *)page.rows)[i];
            size_t count = 0;
            struct str *ids = outbox_ids(t->arena, row->channel_ids, &count);

            if (!str_is(outbox_chat_of(row->chat_key), t->chat->key))
                continue;
            for (size_t k = 0; k < count && others->count < KNOWN_MAX; k++)
                others->ids[others->count++] = ids[k];
        }
        seen += page.count;
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor) && seen < KNOWN_MAX);
    return 0;
}

/* Without them nothing is looked for: an edit could hit one of them. */
static int find_others(struct try *t)
{
    struct others others = {.ids = arena_array(t->arena, struct str, KNOWN_MAX)};
    int64_t from_ms = MAX(t->row->created_at - KNOWN_BEFORE_MS, 0);
    int rc = add_others(t, "sent", from_ms, &others);

    if (rc == 0)
        rc = add_others(t, "failed", from_ms, &others);
    if (rc == 0)
        rc = add_others(t, "pending", 0, &others);
    t->sent.ours = others.ids;
    t->sent.ours_count = others.count;
    return rc;
}

/* All that waits for this chat is told why it will not come: this row now, those behind it when
 * their turn comes. */
static enum outbox_step gone(struct try *t, const char *why)
{
    struct str chat = str_from(t->chat->key);

    outbox_notes_gone(t->chat->outbox->notes, chat, true);
    return finish(t->chat, t->row, "failed", "gone", str_dup(t->arena, str_from(why)));
}

static enum outbox_step moved(struct try *t)
{
    ptrdiff_t topic = str_rfind_char(t->row->chat_key, '|');
    ptrdiff_t chat = str_rfind_char(str_slice(t->row->chat_key, 0, (size_t)MAX(topic, 0)), '|');
    struct str former = t->row->chat_key;
    int64_t wait_ms;
    enum outbox_step step;

    if (topic < 0 || chat < 0)
        return finish(t->chat, t->row, "failed", "failed", STR("its chat's key is malformed"));
    t->row->chat_key =
        str_printf(t->arena, "%.*s|%.*s%.*s", STR_ARG(str_slice(former, 0, (size_t)chat)),
            STR_ARG(t->sent.moved_to), STR_ARG(str_slice(former, (size_t)topic, former.len)));
    log_info("outbox.moved", LOG_STR("from", former), LOG_STR("to", t->row->chat_key));
    if (str_eq(former, t->row->chat_key) || ++t->row->attempts > MOVES_MAX)
        return finish(t->chat, t->row, "failed", "failed", STR("its chat moves on and on"));
    step = release(t, 0, STR("the chat has another id"), &wait_ms);
    if (step != OUTBOX_WAIT)
        return step;
    outbox_chat_kick(t->chat->outbox, t->row->chat_key, t->row->session_id);
    return OUTBOX_DONE;
}

/* It is to be tried again: when, and whether what was tried may have arrived. */
static enum outbox_step later(struct try *t, int rc, int64_t *ret_wait_ms)
{
    struct outbox_row *row = t->row;
    int64_t now_ms = wall_ms(t->chat), pause_ms = pause_after(t->chat, row->attempts);
    const char *why = err_message();
    const char *reason = t->sent.unsure ? "unknown" : rc == CHANNEL_RETRY ? "later" : "unreachable";

    if (t->sent.retry_after_ms > 0) {
        reason = "limit";
        pause_ms = t->sent.retry_after_ms;
        outbox_limits_hold(t->chat->outbox->limits, str_from(t->chat->key),
            env_mono_ms(t->chat->outbox->env) + pause_ms);
    }
    row->attempts++;
    metric_add(M_OUTBOX_RETRIES, reason, 1);
    log_warn("outbox.retry", LOG_STR("id", row->id), LOG_STR("chat", row->chat_key),
        LOG_CSTR("reason", reason), LOG_I64("after_ms", pause_ms), LOG_ERR);
    if (now_ms - row->created_at > GIVE_UP_MS)
        return finish(t->chat, row, "failed", "failed",
            str_printf(t->arena, "given up after a day: %s", why));
    return release(t, pause_ms, str_dup(t->arena, str_from(why)), ret_wait_ms);
}

/* The channel does not know us: nothing can be said at all, and asking for each row would not
 * help. */
static enum outbox_step halted(struct try *t, int64_t *ret_wait_ms)
{
    struct outbox *outbox = t->chat->outbox;

    log_error("outbox.unauthorized", LOG_STR("channel", t->row->channel), LOG_ERR);
    metric_add(M_OUTBOX_RETRIES, "unauthorized", 1);
    pthread_mutex_lock(&outbox->mutex);
    outbox->halted_until_mono = env_mono_ms(outbox->env) + HALT_MS;
    pthread_mutex_unlock(&outbox->mutex);
    return release(t, HALT_MS, str_dup(t->arena, str_from(err_message())), ret_wait_ms);
}

/* Call the channel once. */
static int send_once(struct try *t)
{
    struct outbox_notes *notes = t->chat->outbox->notes;
    struct str chat = str_from(t->chat->key);
    struct str before = outbox_notes_after(notes, chat, t->arena);
    struct channel_sent former = t->sent;
    struct str *ids;
    size_t count;
    int64_t deadline_ms;
    int rc;

    t->sent.retry_after_ms = 0;
    rc = t->sent.unsure ? find_others(t) : 0;
    if (rc < 0)
        return rc;
    if (errinj("outbox.sending"))
        return err_set(ERR_IO, "injected fault");
    /* It ends within the lease: afterwards somebody else may be at it. */
    deadline_ms = fiber_set_deadline(loop_now_ms(t->chat->loop) + OUTBOX_CALL_MS);
    rc = channel_ops_of(t->channel)->send(t->channel, t->row, t->arena, &t->sent);
    fiber_set_deadline(deadline_ms);
    if (errinj("outbox.sent")) {
        t->sent = former;
        rc = CHANNEL_UNKNOWN;
        err_set(ERR_IO, "injected fault");
    }
    if (rc == CHANNEL_UNKNOWN && !t->sent.unsure) {
        t->sent.unsure = true;
        t->sent.after = str_empty(before) ? t->sent.after : before;
    }
    ids = outbox_ids(t->arena, t->sent.message_ids, &count);
    for (size_t i = 0; i < count; i++)
        outbox_notes_newest(notes, chat, ids[i]);
    return rc;
}

static enum outbox_step follow(struct try *t, int rc, int64_t *ret_wait_ms)
{
    t->row->channel_ids = t->sent.message_ids;
    switch (rc) {
    case 0:
        return finish(t->chat, t->row, "sent", "sent", STR(""));
    case CHANNEL_GONE:
        return gone(t, err_message());
    case CHANNEL_MOVED:
        return moved(t);
    case CHANNEL_REFUSED:
    case ERR_CORRUPT:
    case ERR_INVALID:
        return finish(
            t->chat, t->row, "failed", "refused", str_dup(t->arena, str_from(err_message())));
    case ERR_UNAUTHORIZED:
        return halted(t, ret_wait_ms);
    default:
        return later(t, rc, ret_wait_ms);
    }
}

static struct channel *channel_of(const struct outbox *outbox, struct str name)
{
    for (size_t i = 0; i < outbox->channel_count; i++)
        if (str_is(name, channel_ops_of(outbox->channels[i])->name))
            return outbox->channels[i];
    return NULL;
}

static enum outbox_step send_parts(struct try *t, int64_t *ret_wait_ms)
{
    for (;;) {
        enum outbox_step step = wait_for_turn(t, ret_wait_ms);
        int rc;

        if (step == OUTBOX_DONE)
            step = take(t, ret_wait_ms);
        if (step != OUTBOX_DONE)
            return step;
        rc = send_once(t);
        if (rc != CHANNEL_MORE)
            return follow(t, rc, ret_wait_ms);
        t->sent.unsure = t->sent.plain = false;
        t->sent.looked = 0;
        t->row->channel_ids = t->sent.message_ids;
        t->row->due_at = wall_ms(t->chat) + OUTBOX_LEASE_MS;
        step = save(t->chat, t->row);
        if (step != OUTBOX_DONE)
            return step;
    }
}

/* Where a message that may be out is looked for. A preview whose sending was cut off is one. */
static void read_search(struct try *t, const struct outbox_post *post)
{
    t->sent.after = post->after;
    t->sent.looked = post->looked;
    if (t->sent.parts == 0 && str_starts(post->message_id, STR(CHANNEL_LOST))) {
        t->sent.unsure = true;
        if (t->row->attempts == 0)
            t->sent.after = str_slice(post->message_id, strlen(CHANNEL_LOST), post->message_id.len);
    }
}

void outbox_leave(struct outbox_chat *chat, struct outbox_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!str_is(rows[i].owner, chat->outbox->owner))
            continue;
        rows[i].owner = STR("");
        rows[i].due_at = wall_ms(chat);
        rows[i].error = STR("it waits for its turn");
        if (save(chat, &rows[i]) != OUTBOX_DONE)
            return;
    }
}

enum outbox_step outbox_try(
    struct outbox_chat *chat, struct outbox_row *row, struct arena *arena, int64_t *ret_wait_ms)
{
    struct try t = {.chat = chat, .row = row, .arena = arena};
    struct outbox_post post;
    size_t count;
    enum outbox_step step;

    outbox_ids(arena, row->channel_ids, &count);
    t.channel = channel_of(chat->outbox, row->channel);
    t.sent.message_ids = str_empty(row->channel_ids) ? STR("[]") : row->channel_ids;
    t.sent.parts = count;
    t.sent.moved_to = t.sent.after = STR("");
    if (outbox_read(row, arena, &post) == 0)
        read_search(&t, &post);
    step = take(&t, ret_wait_ms);
    if (step != OUTBOX_DONE)
        return step;
    if (!t.channel)
        return finish(chat, row, "failed", "failed", STR("its channel is not configured"));
    if (outbox_notes_is_gone(chat->outbox->notes, str_from(chat->key)))
        return finish(chat, row, "failed", "gone", STR("nobody can be reached in this chat"));
    return send_parts(&t, ret_wait_ms);
}
