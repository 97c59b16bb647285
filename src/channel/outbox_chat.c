/* The fiber that sends what waits for one chat. */
#include "channel/outbox_private.h"

enum {
    ROWS_PAGE = 16,
    ROWS_LOOKED_AT = 64, /* clocks of processes differ a little, and rows with them */
    HELD_LOOK_MS = 500,  /* another process sends; it may be through long before its lease ends */
};

static struct outbox_chat **slot_of(struct outbox *outbox, struct str key)
{
    struct outbox_chat **at = &outbox->chats[outbox_hash(key) % OUTBOX_BUCKETS];

    while (*at && !str_is(key, (*at)->key))
        at = &(*at)->next;
    return at;
}

static void free_chat(struct outbox_chat *chat)
{
    while (chat->lines) {
        struct outbox_line *line = chat->lines;
        chat->lines = line->next;
        free(line->chat_key);
        free(line->session_id);
        free(line);
    }
    free(chat->key);
    free(chat);
}

static bool leaves(struct outbox_chat *chat)
{
    bool draining;

    pthread_mutex_lock(&chat->outbox->mutex);
    draining = chat->outbox->draining > 0;
    pthread_mutex_unlock(&chat->outbox->mutex);
    return draining || fiber_is_cancelled();
}

static bool was_kicked(const struct outbox_chat *chat)
{
    const struct outbox_line *line = chat->lines;

    while (line && !line->look)
        line = line->next;
    return line != NULL;
}

/* Park for ms, or until somebody wakes us. Only here may others wake this fiber: what it waits for
 * elsewhere is not theirs. False: leave. */
static bool chat_wait(struct outbox_chat *chat, int64_t ms, bool for_kick)
{
    bool park;
    int rc = 0;

    pthread_mutex_lock(&chat->outbox->mutex);
    park = chat->outbox->draining == 0 && !(for_kick && was_kicked(chat));
    chat->idle = park;
    pthread_mutex_unlock(&chat->outbox->mutex);
    if (park)
        rc = fiber_park(loop_now_ms(chat->loop) + ms);
    pthread_mutex_lock(&chat->outbox->mutex);
    chat->idle = false;
    pthread_mutex_unlock(&chat->outbox->mutex);
    return (rc == 0 || rc == ERR_TIMEOUT) && !leaves(chat);
}

bool outbox_chat_pause(struct outbox_chat *chat, int64_t ms)
{
    int64_t until_ms = loop_now_ms(chat->loop) + ms;

    while (loop_now_ms(chat->loop) < until_ms)
        if (!chat_wait(chat, until_ms - loop_now_ms(chat->loop), false))
            return false;
    return true;
}

/* Pending rows of a line, the oldest first. */
struct waiting {
    struct arena pages[2]; /* the last two pages read: the older rows */
    struct outbox_row *rows;
    size_t count;
    bool more; /* younger ones were left out */
};

/* Put the page's pending rows of this chat before those that are there. */
static size_t take_page(struct outbox_chat *chat, const struct store_page *page,
    struct arena *arena, struct waiting *waiting)
{
    const struct outbox_row *all = page->rows;
    struct outbox_row *rows = arena_array(arena, struct outbox_row, 2 * ROWS_PAGE);
    size_t count = 0;

    for (size_t i = page->count; i-- > 0;)
        if (str_is(all[i].state, "pending") && str_is(outbox_chat_of(all[i].chat_key), chat->key))
            rows[count++] = all[i];
    if (count == 0)
        return 0;
    waiting->more |= waiting->count > ROWS_PAGE;
    waiting->count = MIN(waiting->count, (size_t)ROWS_PAGE);
    if (waiting->count > 0)
        memcpy(rows + count, waiting->rows, waiting->count * sizeof(*rows));
    waiting->rows = rows;
    waiting->count += count;
    return count;
}

/* They are the youngest of their session. */
static int read_rows(
    struct outbox_chat *chat, const struct outbox_line *line, struct waiting *waiting)
{
    struct store_query query = {.entity = STORE_OUTBOX,
        .workspace_id = str_from(chat->outbox->workspace_id),
        .index = 1,
        .value = str_from(line->session_id),
        .descending = true,
        .limit = ROWS_PAGE,
        .cursor = STR("")};
    size_t looked_at = 0, found;
    struct store_page page;
    int turn = 0, rc;

    do {
        struct arena *arena = &waiting->pages[turn++ % 2];

        arena_reset(arena);
        page = (struct store_page){0};
        rc = store_list(chat->outbox->store, &query, arena, &page);
        if (rc < 0)
            return rc;
        found = take_page(chat, &page, arena, waiting);
        looked_at += page.count;
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor) &&
             (waiting->count == 0 ? looked_at < ROWS_LOOKED_AT : found == page.count));
    return 0;
}

/* Send what a line has. Returns when it should be looked at again, in ms; -1: it has nothing. */
static int64_t see_to_line(struct outbox_chat *chat, struct outbox_line *line)
{
    struct waiting waiting = {0};
    enum outbox_step step = OUTBOX_DONE;
    int64_t wait_ms = -1;
    int rc;

    arena_init(&waiting.pages[0]);
    arena_init(&waiting.pages[1]);
    rc = read_rows(chat, line, &waiting);
    if (rc < 0) {
        log_warn("outbox.read", LOG_ERR);
        wait_ms = SECOND_MS;
    }
    for (size_t i = 0; i < waiting.count && step == OUTBOX_DONE; i++) {
        struct arena scratch;

        arena_init(&scratch);
        step = outbox_try(chat, &waiting.rows[i], &scratch, &wait_ms);
        arena_deinit(&scratch);
    }
    if (step == OUTBOX_DONE)
        wait_ms = waiting.more ? 0 : wait_ms;
    else if (step == OUTBOX_AGAIN)
        wait_ms = 1;
    else if (step == OUTBOX_HELD) {
        outbox_leave(chat, waiting.rows, waiting.count);
        wait_ms = MIN(wait_ms, HELD_LOOK_MS);
    }
    arena_deinit(&waiting.pages[0]);
    arena_deinit(&waiting.pages[1]);
    return wait_ms;
}

static struct outbox_line *begin_turn(struct outbox_chat *chat)
{
    struct outbox_line *first;

    pthread_mutex_lock(&chat->outbox->mutex);
    first = chat->lines;
    for (struct outbox_line *line = first; line; line = line->next) {
        line->now = line->look || line->again;
        line->look = line->again = false;
    }
    pthread_mutex_unlock(&chat->outbox->mutex);
    return first;
}

/* The same for all lines that may have something. */
static int64_t see_to_lines(struct outbox_chat *chat)
{
    int64_t wait_ms = -1;

    for (struct outbox_line *line = begin_turn(chat); line; line = line->next) {
        int64_t line_ms = line->now ? see_to_line(chat, line) : -1;

        line->again = line_ms >= 0;
        if (line->again)
            wait_ms = wait_ms < 0 ? line_ms : MIN(wait_ms, line_ms);
    }
    return wait_ms;
}

/* Nothing is left to do here, unless somebody kicked meanwhile. */
static bool chat_ends(struct outbox_chat *chat)
{
    struct outbox *outbox = chat->outbox;
    bool ends;

    pthread_mutex_lock(&outbox->mutex);
    ends = outbox->draining > 0 || !was_kicked(chat);
    if (ends)
        *slot_of(outbox, str_from(chat->key)) = chat->next;
    pthread_mutex_unlock(&outbox->mutex);
    return ends;
}

static void chat_main(void *arg)
{
    struct outbox_chat *chat = arg;

    for (;;) {
        int64_t wait_ms = see_to_lines(chat);

        if (wait_ms >= 0 && wait_ms <= OUTBOX_LINGER_MS && chat_wait(chat, wait_ms, true))
            continue;
        if (chat_ends(chat))
            break;
    }
    free_chat(chat);
}

/* A chat that another loop has: wake it there, if it still is. */
struct wake {
    struct outbox *outbox;
    struct str key;
    struct arena arena;
};

static void wake_there(void *arg)
{
    struct wake *wake = arg;
    struct outbox_chat *chat;

    pthread_mutex_lock(&wake->outbox->mutex);
    chat = *slot_of(wake->outbox, wake->key);
    if (chat && chat->idle && chat->loop == fiber_loop())
        fiber_wake(chat->fiber);
    pthread_mutex_unlock(&wake->outbox->mutex);
    arena_deinit(&wake->arena);
    free(wake);
}

/* Posted under the mutex: as long as the chat is in the table, its loop runs. */
static void wake(struct outbox_chat *chat)
{
    struct wake *wake;

    if (!chat->idle)
        return;
    if (chat->loop == fiber_loop()) {
        fiber_wake(chat->fiber);
        return;
    }
    wake = xcalloc(1, sizeof(*wake));
    arena_init(&wake->arena);
    wake->outbox = chat->outbox;
    wake->key = str_dup(&wake->arena, str_from(chat->key));
    loop_post(chat->loop, wake_there, wake);
}

static void look_at(struct outbox_chat *chat, struct str chat_key, struct str session_id)
{
    struct outbox_line *line = chat->lines;

    while (line && !(str_is(chat_key, line->chat_key) && str_is(session_id, line->session_id)))
        line = line->next;
    if (!line) {
        line = xcalloc(1, sizeof(*line));
        line->chat_key = str_heap(chat_key);
        line->session_id = str_heap(session_id);
        line->next = chat->lines;
        chat->lines = line;
    }
    line->look = true;
}

void outbox_chat_kick(struct outbox *outbox, struct str chat_key, struct str session_id)
{
    struct str key = outbox_chat_of(chat_key);
    struct outbox_chat **at, *chat;

    pthread_mutex_lock(&outbox->mutex);
    at = slot_of(outbox, key);
    chat = *at;
    if (chat) {
        look_at(chat, chat_key, session_id);
        wake(chat);
    } else {
        chat = xcalloc(1, sizeof(*chat));
        chat->outbox = outbox;
        chat->loop = fiber_loop();
        chat->key = str_heap(key);
        look_at(chat, chat_key, session_id);
        *at = chat;
        chat->fiber = fiber_spawn(chat->loop, "outbox", chat_main, chat);
    }
    pthread_mutex_unlock(&outbox->mutex);
}
