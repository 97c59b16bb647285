/* Whose turn it is in a chat, when several processes take its updates. Each piece of work is an
 * inbox row that says whose it is and until when. Of those that wait, the one whose message was
 * said first is the chat's head, and only who has it works in the chat: the others wait until it is
 * done, or until its lease ends and whoever sweeps takes it over. So the rows are the lease of the
 * chat: nothing is written for it, and nothing at all for an update that no work follows from. */
#include "bot/private.h"

#define PAGE 50
#define PAGES_MAX 10
#define WAIT_MIN_MS 50
#define WAIT_MAX_MS 500

/* The place of a piece of work in its chat: the number of the message that it is about; 0: it has
 * none and waits for nobody (presses, reactions, what is told to strangers). */
static int64_t place_of(struct str payload)
{
    static const char *const in_order[] = {"answer", "command", "file", "remind"};
    const struct json *note;
    struct arena arena;
    int64_t place = 0;

    arena_init(&arena);
    if (json_parse(&arena, payload, &note) == 0)
        for (size_t i = 0; i < ARRAY_LEN(in_order); i++)
            if (str_is(json_get_str(note, "do"), in_order[i]))
                place = json_get_i64(note, "seq", 0);
    arena_deinit(&arena);
    return place;
}

/* The first row of the chat that waits. Done ones are not in this list. 0, STORE_MISSING or ERR_*;
 * what is found lives in arena. */
static int find_head(
    struct store *store, const struct inbox_row *mine, struct arena *arena, struct inbox_row *head)
{
    struct store_query query = {.entity = STORE_INBOX,
        .workspace_id = mine->workspace_id,
        .index = 1,
        .value = mine->session_id,
        .limit = PAGE,
        .cursor = STR("")};
    int64_t first = 0;

    for (int read = 0; read < PAGES_MAX; read++) {
        struct store_page page;
        int rc = store_list(store, &query, arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            const struct inbox_row *row = (const struct inbox_row *)page.rows + i;
            int64_t place = str_is(row->state, "pending") ? place_of(row->payload) : 0;

            if (place > 0 && (first == 0 || place < first)) {
                first = place;
                *head = *row;
            }
        }
        if (str_empty(page.cursor))
            break;
        query.cursor = page.cursor;
    }
    return first > 0 ? 0 : STORE_MISSING;
}

static struct bot_work *detach(struct bot_chat *chat, struct str id)
{
    struct bot_work *before = NULL, *work = chat->first;

    while (work && !str_eq(work->row.id, id)) {
        before = work;
        work = work->next;
    }
    if (!work)
        return NULL;
    if (before)
        before->next = work->next;
    else
        chat->first = work->next;
    if (chat->last == work)
        chat->last = before;
    work->next = NULL;
    return work;
}

/* The first of the queue as it is stored now: what somebody else has done, or does, is dropped. */
static int look_again(struct bot_chat *chat, struct arena *arena, struct inbox_row *ret_row)
{
    const struct bot_options *options = &chat->lane->bot->options;
    struct str id = str_dup(arena, chat->first->row.id);
    struct inbox_row row;
    struct bot_work *work;
    int rc = store_get(options->store, STORE_INBOX, options->workspace_id, id, arena, &row);

    if (rc < 0)
        return rc;
    if (rc == 0 && str_is(row.state, "pending") && str_eq(row.owner, options->owner.id)) {
        *ret_row = row;
        return 0;
    }
    work = detach(chat, id);
    if (work)
        work_free(work);
    return STORE_MISSING;
}

/* The head, when it is in our queue and ours. */
static struct bot_work *take_head(struct bot_chat *chat, const struct inbox_row *head)
{
    struct bot_work *work;

    if (!str_eq(head->owner, chat->lane->bot->options.owner.id))
        return NULL;
    work = detach(chat, head->id);
    if (work) { /* it may have been claimed anew meanwhile */
        work->row.version = head->version;
        work->row.due_at = head->due_at;
        work->row.attempts = head->attempts;
    }
    return work;
}

static struct bot_work *next_in_order(struct bot_chat *chat)
{
    struct bot_work *work = NULL;
    struct inbox_row head, mine;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = find_head(chat->lane->bot->options.store, &chat->first->row, &arena, &head);
    if (rc == 0)
        work = take_head(chat, &head);
    if (rc >= 0 && !work && chat->first &&
        (rc == STORE_MISSING || place_of(head.payload) >= place_of(chat->first->row.payload))) {
        rc = look_again(chat, &arena, &mine);
        if (rc == 0)
            work = take_head(chat, &mine);
    }
    if (rc < 0)
        log_warn("bot.turn", LOG_ERR);
    arena_deinit(&arena);
    return work;
}

struct bot_work *turn_next(struct bot_chat *chat)
{
    int64_t wait_ms = WAIT_MIN_MS;

    while (chat->first && !__atomic_load_n(&chat->lane->draining, __ATOMIC_RELAXED)) {
        struct bot_work *work;

        if (str_empty(chat->first->row.session_id) || place_of(chat->first->row.payload) == 0)
            return detach(chat, chat->first->row.id);
        work = next_in_order(chat);
        if (work)
            return work;
        if (chat->first && fiber_sleep(wait_ms) < 0)
            return NULL;
        wait_ms = MIN(2 * wait_ms, WAIT_MAX_MS);
    }
    return NULL;
}
