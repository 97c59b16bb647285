#include "store/erase.h"

#include "store/messages.h"

#define PAGE 200
#define RUNS 50 /* a commit deletes what hangs on so many */

static struct store_query page_query(
    enum store_entity entity, struct str workspace_id, int index, struct str value)
{
    return (struct store_query){.entity = entity,
        .workspace_id = workspace_id,
        .index = index,
        .value = value,
        .limit = PAGE,
        .cursor = STR("")};
}

/* One page of the chat's runs. */
static int erase_runs_page(struct store *store, struct str workspace_id, struct str session_id,
    int64_t before_ms, size_t *ret_count)
{
    struct store_query query = page_query(STORE_RUNS, workspace_id, 0, session_id);
    struct store_page page;
    struct store_batch batch;
    struct arena arena;
    int r;

    query.limit = RUNS;
    query.to = before_ms;
    arena_init(&arena);
    r = store_list(store, &query, &arena, &page);
    store_batch_init(&batch, &arena);
    for (size_t i = 0; r == 0 && i < page.count; i++) {
        const struct run_row *run = &((const struct run_row *)page.rows)[i];

        store_delete_all(&batch, STORE_AGENT_ACTIONS, workspace_id, STORE_CHILDREN, run->id);
        store_delete_all(&batch, STORE_EFFECTS, workspace_id, 0, run->id);
        store_delete(&batch, STORE_RUNS, run);
    }
    if (r == 0)
        r = store_commit(store, &batch);
    if (r == 0)
        *ret_count = page.count;
    arena_deinit(&arena);
    return r;
}

/* before_ms 0: all. */
static int erase_runs(struct store *store, struct str workspace_id, struct str session_id,
    int64_t before_ms, struct erase_stats *stats)
{
    size_t count = RUNS;
    int r = 0;

    while (r == 0 && count == RUNS) {
        count = 0;
        r = erase_runs_page(store, workspace_id, session_id, before_ms, &count);
        stats->runs += (int64_t)count;
    }
    return r;
}

int erase_session(struct store *store, struct str workspace_id, struct str session_id)
{
    static const enum store_entity below[] = {
        STORE_OUTBOX, STORE_INBOX, STORE_SCHEDULES, STORE_APPROVALS};
    const struct chat_session_row row = {.workspace_id = workspace_id, .id = session_id};
    struct erase_stats stats = {0};
    struct store_batch batch;
    struct arena arena;
    int r = erase_runs(store, workspace_id, session_id, 0, &stats);

    if (r < 0)
        return r;
    arena_init(&arena);
    store_batch_init(&batch, &arena);
    for (size_t i = 0; i < ARRAY_LEN(below); i++)
        store_delete_all(&batch, below[i], workspace_id, 1, session_id);
    store_delete_all(&batch, STORE_MEMORIES, workspace_id, 0, session_id);
    store_delete_all(&batch, STORE_DOCUMENTS, workspace_id, 0, session_id);
    store_delete_all(&batch, STORE_DEALS, workspace_id, 0, session_id);
    store_delete_all(&batch, STORE_MESSAGES, workspace_id, STORE_CHILDREN, session_id);
    store_delete(&batch, STORE_CHAT_SESSIONS, &row);
    r = store_commit(store, &batch);
    arena_deinit(&arena);
    return r;
}

/* Messages lie in the order they were stored in: the first that is young enough ends it. Those of
 * one row were stored together. */
static int erase_messages_page(struct store *store, const struct store_query *query,
    int64_t before_ms, struct arena *arena, size_t *ret_rows, int64_t *messages)
{
    const struct message_row *rows;
    struct message_row *inside;
    struct store_batch batch;
    struct store_page page;
    size_t count = 0, held, sum = 0;
    int r = store_list(store, query, arena, &page);

    if (r < 0)
        return r;
    rows = page.rows;
    store_batch_init(&batch, arena);
    for (; r == 0 && count < page.count && rows[count].created_at < before_ms; count++) {
        r = messages_unpack(&rows[count], arena, &inside, &held);
        sum += r == 0 ? held : 0;
        store_delete(&batch, STORE_MESSAGES, &rows[count]);
    }
    if (r == 0)
        r = store_commit(store, &batch);
    if (r == 0) {
        *ret_rows = count;
        *messages += (int64_t)sum;
    }
    return r;
}

/* Notes and summary that nobody touched since that time. */
static int erase_notes(
    struct store *store, struct str workspace_id, struct str session_id, int64_t before_ms)
{
    struct store_query query = page_query(STORE_MEMORIES, workspace_id, 0, session_id);
    struct store_batch batch;
    struct store_page page;
    struct arena arena;
    int r;

    query.to = before_ms;
    do {
        arena_init(&arena);
        r = store_list(store, &query, &arena, &page);
        store_batch_init(&batch, &arena);
        for (size_t i = 0; r == 0 && i < page.count; i++)
            store_delete(&batch, STORE_MEMORIES, (const struct memory_row *)page.rows + i);
        if (r == 0 && page.count > 0)
            r = store_commit(store, &batch);
        arena_deinit(&arena);
    } while (r == 0 && page.count == PAGE);
    return r;
}

/* Files that came before that time (0: whenever), of an author ("": of everybody). */
static int erase_documents(struct store *store, struct str workspace_id, struct str session_id,
    int64_t before_ms, struct str author)
{
    struct store_query query = page_query(STORE_DOCUMENTS, workspace_id, 0, session_id);
    struct store_page page = {.cursor = STR("")};
    struct arena arena;
    int r;

    query.to = before_ms;
    arena_init(&arena);
    do {
        struct store_batch batch;

        query.cursor = page.cursor;
        r = store_list(store, &query, &arena, &page);
        store_batch_init(&batch, &arena);
        for (size_t i = 0; r == 0 && i < page.count; i++) {
            const struct document_row *row = (const struct document_row *)page.rows + i;

            if (str_empty(author) || str_eq_nocase(row->author, author))
                store_delete(&batch, STORE_DOCUMENTS, row);
        }
        if (r == 0 && batch.count > 0)
            r = store_commit(store, &batch);
    } while (r == 0 && !str_empty(page.cursor));
    arena_deinit(&arena);
    return r;
}

int erase_before(struct store *store, struct str workspace_id, struct str session_id,
    int64_t before_ms, struct erase_stats *stats)
{
    struct store_query query = page_query(STORE_MESSAGES, workspace_id, STORE_CHILDREN, session_id);
    size_t count = PAGE;
    struct arena arena;
    int r = erase_runs(store, workspace_id, session_id, before_ms, stats);

    if (r == 0)
        r = erase_notes(store, workspace_id, session_id, before_ms);
    if (r == 0)
        r = erase_documents(store, workspace_id, session_id, before_ms, STR(""));
    arena_init(&arena);
    while (r == 0 && count == PAGE) {
        arena_reset(&arena);
        count = 0;
        r = erase_messages_page(store, &query, before_ms, &arena, &count, &stats->messages);
    }
    arena_deinit(&arena);
    return r;
}

/* A walk through all chats of a workspace, and through their messages. */
struct person {
    struct store *store;
    struct str workspace_id, author;
    int (*session)(struct person *person, const struct chat_session_row *session);
    const struct erase_reader *reader;
    struct erase_stats *stats;
};

static int each_session(struct person *person)
{
    struct store_query query =
        page_query(STORE_CHAT_SESSIONS, person->workspace_id, 1, STR("chat"));
    struct arena arenas[2]; /* the cursor lives in the page before */
    struct store_page page;
    int turn = 0, r;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    do {
        arena_reset(&arenas[turn]);
        r = store_list(person->store, &query, &arenas[turn], &page);
        for (size_t i = 0; r == 0 && i < page.count; i++)
            r = person->session(person, &((const struct chat_session_row *)page.rows)[i]);
        query.cursor = page.cursor;
        turn ^= 1;
    } while (r == 0 && !str_empty(query.cursor));
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r;
}

static bool wrote(const struct person *person, const struct message_row *row)
{
    return str_eq_nocase(row->author, person->author);
}

/* Blank the author's messages and Theo's answers in one row. */
static int blank_row(struct person *person, const struct message_row *row,
    struct store_batch *batch, size_t *own_count)
{
    struct message_row *messages;
    size_t count, changed = 0;
    int r = messages_unpack(row, batch->arena, &messages, &count);

    for (size_t i = 0; r == 0 && i < count; i++) {
        bool own = wrote(person, &messages[i]);

        if (!own && !str_is(messages[i].direction, "out"))
            continue;
        if (own)
            messages[i].author = STR("(erased)");
        messages[i].body = messages[i].channel_ids = STR("");
        *own_count += own;
        changed++;
    }
    if (r == 0 && changed > 0) {
        struct message_row *blank = arena_new(batch->arena, struct message_row);

        *blank = messages_pack(messages, count, batch->arena);
        store_put(batch, STORE_MESSAGES, blank);
    }
    return r;
}

/* A page of rows. Two people's messages may lie in one row, and both may be erased at once: the
 * chat's version, which every change raises, makes the second one read the row again. */
static int blank_page(struct person *person, struct str session_id, const struct store_query *query,
    struct arena *arena, struct store_page *ret_page)
{
    struct chat_session_row session;
    struct store_batch batch;
    size_t own;
    int r;

    do {
        own = 0;
        store_batch_init(&batch, arena);
        r = store_get(
            person->store, STORE_CHAT_SESSIONS, person->workspace_id, session_id, arena, &session);
        if (r == 0)
            r = store_list(person->store, query, arena, ret_page);
        for (size_t i = 0; r == 0 && i < ret_page->count; i++)
            r = blank_row(person, (const struct message_row *)ret_page->rows + i, &batch, &own);
        if (r != 0)
            return r;
        if (batch.count > 0)
            store_update(&batch, STORE_CHAT_SESSIONS, &session);
        r = store_commit(person->store, &batch);
    } while (r == STORE_CONFLICT);
    if (r == 0)
        person->stats->messages += (int64_t)own;
    return r;
}

static int blank_messages(struct person *person, struct str session_id)
{
    struct store_query query =
        page_query(STORE_MESSAGES, person->workspace_id, STORE_CHILDREN, session_id);
    struct arena arenas[2];
    struct store_page page = {0};
    int turn = 0, r;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    do {
        arena_reset(&arenas[turn]);
        r = blank_page(person, session_id, &query, &arenas[turn], &page);
        if (r == 0)
            query.cursor = page.cursor;
        turn ^= 1;
    } while (r == 0 && !str_empty(query.cursor));
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r > 0 ? 0 : r; /* deleted meanwhile */
}

/* Of the state only how the bot is to behave in the chat stays, which nobody's words are in. */
static struct str bare_state(struct str state, struct arena *arena)
{
    const struct json *root = NULL;

    if (json_parse(arena, state, &root) < 0 || !json_get(root, "bot"))
        return STR("{}");
    return str_printf(arena, "{\"bot\":%.*s}", STR_ARG(json_text(arena, json_get(root, "bot"))));
}

/* The chat's title and state may hold words of the messages. A turn that changes the chat at the
 * same moment makes it another try. */
static int blank_session(struct person *person, struct str session_id)
{
    struct store_batch batch;
    struct chat_session_row row;
    struct arena arena;
    int r;

    arena_init(&arena);
    do {
        arena_reset(&arena);
        r = store_get(
            person->store, STORE_CHAT_SESSIONS, person->workspace_id, session_id, &arena, &row);
        if (r != 0)
            break;
        row.title = STR("");
        row.state = bare_state(row.state, &arena);
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_CHAT_SESSIONS, &row);
        store_delete_all(&batch, STORE_OUTBOX, person->workspace_id, 1, session_id);
        store_delete_all(&batch, STORE_INBOX, person->workspace_id, 1, session_id);
        store_delete_all(&batch, STORE_APPROVALS, person->workspace_id, 1, session_id);
        store_delete_all(&batch, STORE_SCHEDULES, person->workspace_id, 1, session_id);
        store_delete_all(&batch, STORE_MEMORIES, person->workspace_id, 0, session_id);
        store_delete_all(&batch, STORE_DEALS, person->workspace_id, 0, session_id);
        r = store_commit(person->store, &batch);
    } while (r == STORE_CONFLICT);
    arena_deinit(&arena);
    return r > 0 ? 0 : r; /* deleted meanwhile */
}

static int read_messages(struct person *person, const struct chat_session_row *session,
    int (*message)(void *ctx, const struct chat_session_row *, const struct message_row *),
    void *ctx)
{
    struct store_query query =
        page_query(STORE_MESSAGES, person->workspace_id, STORE_CHILDREN, session->id);
    struct arena arenas[2];
    struct store_page page;
    int turn = 0, r;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    do {
        arena_reset(&arenas[turn]);
        r = messages_list(person->store, &query, &arenas[turn], &page);
        for (size_t i = 0; r == 0 && i < page.count; i++)
            if (wrote(person, &((const struct message_row *)page.rows)[i]))
                r = message(ctx, session, &((const struct message_row *)page.rows)[i]);
        query.cursor = page.cursor;
        turn ^= 1;
    } while (r == 0 && !str_empty(query.cursor));
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r;
}

static int note_author(
    void *ctx, const struct chat_session_row *session, const struct message_row *message)
{
    (void)session, (void)message;
    *(bool *)ctx = true;
    return 1; /* enough */
}

static int has_author(struct person *person, const struct chat_session_row *session, bool *ret_has)
{
    int r = read_messages(person, session, note_author, ret_has);

    return r > 0 ? 0 : r;
}

/* The author's own messages go last: until then a repeated call finds the chat again. */
static int erase_in_session(struct person *person, const struct chat_session_row *session)
{
    bool found = false;
    int r = has_author(person, session, &found);

    if (r < 0 || !found)
        return r;
    person->stats->sessions++;
    r = erase_runs(person->store, person->workspace_id, session->id, 0, person->stats);
    if (r == 0)
        r = erase_documents(person->store, person->workspace_id, session->id, 0, person->author);
    if (r == 0)
        r = blank_session(person, session->id);
    return r == 0 ? blank_messages(person, session->id) : r;
}

int erase_person(
    struct store *store, struct str workspace_id, struct str author, struct erase_stats *ret_stats)
{
    struct erase_stats stats = {0};
    struct person person = {store, workspace_id, author, erase_in_session, NULL, &stats};
    int r = each_session(&person);

    if (r == 0)
        *ret_stats = stats;
    return r;
}

static int export_session(struct person *person, const struct chat_session_row *session)
{
    return read_messages(person, session, person->reader->message, person->reader->ctx);
}

int export_person(struct store *store, struct str workspace_id, struct str author,
    const struct erase_reader *reader)
{
    struct person person = {store, workspace_id, author, export_session, reader, NULL};

    return each_session(&person);
}
