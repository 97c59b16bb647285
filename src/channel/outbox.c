#include "channel/outbox_private.h"

enum { SWEEP_PAGE = 100, DRAIN_STEP_MS = 5 };

struct outbox *outbox_new(const struct env *env, const struct config *config, struct store *store,
    struct str workspace_id, struct channel *const *channels, size_t channel_count)
{
    struct outbox *outbox = xcalloc(1, sizeof(*outbox));

    outbox->env = env;
    outbox->store = store;
    outbox->workspace_id = str_heap(workspace_id);
    outbox->channels = channels;
    outbox->channel_count = channel_count;
    outbox->limits = outbox_limits_new(config);
    outbox->notes = outbox_notes_new();
    ulid_make(env, outbox->owner);
    pthread_mutex_init(&outbox->mutex, NULL);
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    outbox_limits_free(outbox->limits);
    outbox_notes_free(outbox->notes);
    pthread_mutex_destroy(&outbox->mutex);
    free(outbox->workspace_id);
    free(outbox);
}

/* Rows of one process have different times, so that those of one chat keep their order. */
static int64_t next_time(struct outbox *outbox)
{
    int64_t now_ms = env_wall_ms(outbox->env);

    pthread_mutex_lock(&outbox->mutex);
    now_ms = MAX(now_ms, outbox->last_created_ms + 1);
    outbox->last_created_ms = now_ms;
    pthread_mutex_unlock(&outbox->mutex);
    return now_ms;
}

void outbox_put(struct outbox *outbox, struct store_batch *batch, const struct outbox_post *post)
{
    struct outbox_row *row = arena_new(batch->arena, struct outbox_row);
    struct outbox_post whole = *post;
    ptrdiff_t bar = str_find_char(post->chat_key, '|', 0);
    int64_t now_ms = next_time(outbox);

    if (str_empty(whole.after))
        whole.after =
            outbox_notes_after(outbox->notes, outbox_chat_of(post->chat_key), batch->arena);
    *row = (struct outbox_row){
        .workspace_id = str_from(outbox->workspace_id),
        .id = str_empty(post->id) ? ulid_new(outbox->env, batch->arena) : post->id,
        .state = STR("pending"),
        .channel = str_slice(post->chat_key, 0, bar < 0 ? post->chat_key.len : (size_t)bar),
        .chat_key = post->chat_key,
        /* Rows without a session are found by their chat. */
        .session_id = str_empty(post->session_id) ? post->chat_key : post->session_id,
        .run_id = post->run_id,
        .body = post->body,
        .options = outbox_options(batch->arena, &whole),
        .channel_ids = STR(""),
        .error = STR(""),
        .owner = str_from(outbox->owner),
        .due_at = env_wall_ms(outbox->env) + OUTBOX_LEASE_MS,
        .created_at = now_ms,
        .updated_at = now_ms,
    };
    store_insert(batch, STORE_OUTBOX, row);
}

void outbox_kick(struct outbox *outbox, struct str chat_key, struct str session_id)
{
    outbox_chat_kick(outbox, chat_key, str_empty(session_id) ? chat_key : session_id);
}

/* A row that a dead process holds becomes anybody's at once. */
static int take_away(struct outbox *outbox, struct outbox_row *row, struct arena *arena)
{
    struct store_batch batch;
    int rc;

    row->owner = STR("");
    row->due_at = env_wall_ms(outbox->env);
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_OUTBOX, row);
    rc = store_commit(outbox->store, &batch);
    return rc < 0 ? rc : 0;
}

static int sweep_page(struct outbox *outbox, const struct store_query *query, bool all,
    struct arena *arena, struct store_page *ret_page)
{
    int64_t now_ms = env_wall_ms(outbox->env);
    struct outbox_row *rows;
    int rc = store_list(outbox->store, query, arena, ret_page);

    rows = ret_page->rows;
    for (size_t i = 0; rc == 0 && all && i < ret_page->count; i++)
        if (!str_empty(rows[i].owner) && !str_is(rows[i].owner, outbox->owner) &&
            rows[i].due_at > now_ms)
            rc = take_away(outbox, &rows[i], arena);
    return rc;
}

int outbox_sweep(struct outbox *outbox, bool all,
    void (*found)(void *ctx, struct str chat_key, struct str session_id), void *ctx)
{
    struct store_query query = {.entity = STORE_OUTBOX,
        .workspace_id = str_from(outbox->workspace_id),
        .value = STR("pending"),
        .to = all ? 0 : env_wall_ms(outbox->env) + 1,
        .limit = SWEEP_PAGE,
        .cursor = STR("")};
    struct arena pages[2]; /* the cursor lies in the page before */
    int rc, turn = 0;

    arena_init(&pages[0]);
    arena_init(&pages[1]);
    do {
        struct arena *arena = &pages[turn++ % 2];
        struct store_page page = {0};

        arena_reset(arena);
        rc = sweep_page(outbox, &query, all, arena, &page);
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            const struct outbox_row *row = &((struct outbox_row *)page.rows)[i];
            found(ctx, row->chat_key, row->session_id);
        }
        query.cursor = page.cursor;
    } while (rc == 0 && !str_empty(query.cursor));
    arena_deinit(&pages[0]);
    arena_deinit(&pages[1]);
    return rc;
}

/* Wake those of this loop that wait for a time, so that they leave. True when there is any. */
static bool hurry(struct outbox *outbox)
{
    bool any = false;

    pthread_mutex_lock(&outbox->mutex);
    for (size_t i = 0; i < OUTBOX_BUCKETS; i++)
        for (struct outbox_chat *chat = outbox->chats[i]; chat; chat = chat->next)
            if (chat->loop == fiber_loop()) {
                any = true;
                if (chat->idle)
                    fiber_wake(chat->fiber);
            }
    pthread_mutex_unlock(&outbox->mutex);
    return any;
}

void outbox_drain(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->mutex);
    outbox->draining++;
    pthread_mutex_unlock(&outbox->mutex);
    fiber_shield();
    while (hurry(outbox) && fiber_sleep(DRAIN_STEP_MS) == 0)
        ;
    fiber_unshield();
    pthread_mutex_lock(&outbox->mutex);
    outbox->draining--;
    pthread_mutex_unlock(&outbox->mutex);
}

void outbox_heard(struct outbox *outbox, struct str chat_key, struct str message_id)
{
    struct str chat = outbox_chat_of(chat_key);

    outbox_notes_gone(outbox->notes, chat, false);
    outbox_notes_newest(outbox->notes, chat, message_id);
}
