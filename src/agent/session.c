#include "agent/session.h"

#include "store/messages.h"
#include "text/tokens.h"

/* So much of the history is looked at for the end of a request that repeats it. */
#define PAGE 32
/* History is read until it holds that many tokens or messages, and as much as the request may
 * repeat. What lies before is summed up every 20 messages (memory.every-messages), so the window
 * holds what the summary does not have yet and as much again. */
#define TOKENS_ENOUGH 4000
#define WINDOW 40
/* A turn is often two messages in one row. */
#define ROWS (WINDOW / 2)
#define MESSAGES_MOST (2 * TRANSCRIPT_MESSAGES_MAX + 8)
/* When a chat was used last is known within this. */
#define USED_WITHIN_MS MINUTE_MS
/* So many messages in a row must agree before a part of a request is taken for the history. */
#define AGREE 8

void session_new(struct session *ret_session, const struct env *env, struct arena *arena,
    struct str workspace_id, struct str channel, struct str chat_key, struct str title)
{
    int64_t now = env_wall_ms(env);

    *ret_session = (struct session){
        .row =
            {
                .workspace_id = workspace_id,
                .id = ulid_new(env, arena),
                .chat_key = chat_key,
                .channel = channel,
                .title = utf8_truncate(title, 120),
                .state = STR("{}"),
                .kind = STR("chat"),
                .created_at = now,
                .updated_at = now,
            },
        .fresh = true,
        .whole = true,
    };
}

struct history {
    struct chat_message *messages; /* newest first while reading */
    bool *outgoing;
    size_t count, capacity;
    size_t bytes;
};

static void history_add(struct history *history, const struct message_row *row, struct arena *arena)
{
    if (history->count == history->capacity) {
        size_t capacity = history->capacity ? history->capacity * 2 : WINDOW + 8;

        history->messages = arena_grow(arena, history->messages,
            history->capacity * sizeof(*history->messages), capacity * sizeof(*history->messages));
        history->outgoing =
            arena_grow(arena, history->outgoing, history->capacity, capacity * sizeof(bool));
        history->capacity = capacity;
    }
    history->messages[history->count] = (struct chat_message){
        .party = row->author, .text = row->body, .at_ms = row->at ? row->at : row->created_at};
    history->outgoing[history->count] = str_is(row->direction, "out");
    history->bytes += row->body.len;
    history->count++;
}

/* What was added from place begin on comes in the other order. */
static void history_turn(struct history *history, size_t begin)
{
    for (size_t i = begin, j = history->count; i + 1 < j; i++) {
        struct chat_message message = history->messages[i];
        bool outgoing = history->outgoing[i];

        j--;
        history->messages[i] = history->messages[j];
        history->outgoing[i] = history->outgoing[j];
        history->messages[j] = message;
        history->outgoing[j] = outgoing;
    }
}

static bool same(const struct chat_message *a, const struct chat_message *b)
{
    return str_eq(a->text, b->text) && str_eq(a->party, b->party);
}

/* Does all that was read so far (newest first) equal the messages of next that end before to?
 * Theo's answers may be missing there. */
static bool agrees(
    const struct history *history, const struct transcript *next, size_t to, size_t *ret_from)
{
    size_t at = to;

    for (size_t i = 0; i < history->count; i++)
        if (at > 0 && same(&history->messages[i], &next->messages[at - 1]))
            at--;
        else if (!history->outgoing[i])
            return false;
    *ret_from = at;
    return to - at >= AGREE;
}

/* A client that sends a long chat again and again: its end is found by the first page, so that the
 * turn does not read everything that is stored. */
static bool find_inside(
    const struct history *history, const struct transcript *next, struct session *session)
{
    size_t from, answers = 0;

    while (answers < history->count && history->outgoing[answers])
        answers++;
    for (size_t to = next->count; to >= AGREE; to--)
        if (agrees(history, next, to, &from)) {
            session->inside_from = from;
            session->inside_to = to;
            session->inside_end = history->count - answers;
            return true;
        }
    return false;
}

/* No text has more tokens than bytes: as long as there are few bytes nothing is estimated. */
static bool has_tokens_enough(const struct history *history)
{
    int64_t tokens = 0;

    for (size_t i = 0; history->bytes >= TOKENS_ENOUGH && i < history->count; i++)
        tokens += tokens_estimate(history->messages[i].text);
    return tokens >= TOKENS_ENOUGH;
}

static bool history_enough(const struct history *history, size_t wanted)
{
    if (history->count < wanted)
        return false;
    return history->count >= WINDOW || has_tokens_enough(history);
}

/* The stored rows, newest first, as they come out of the store. */
struct tail {
    struct store *store;
    struct message_place place;
    struct store_page page;
    size_t at; /* in page */
};

static bool tail_has_more(const struct tail *tail)
{
    return tail->at < tail->page.count || tail->page.more;
}

static int tail_row(
    struct tail *tail, size_t missing, struct arena *arena, const struct message_row **ret_row)
{
    if (tail->at == tail->page.count) {
        size_t rows = MIN(MAX(missing / 2, (size_t)ROWS), (size_t)1000);
        int rc = messages_rows_before(tail->store, &tail->place, rows, arena, &tail->page);

        if (rc < 0)
            return rc;
        tail->at = 0;
    }
    if (tail->page.count == 0)
        return 0;
    *ret_row = (const struct message_row *)tail->page.rows + tail->at++;
    tail->place.before = (*ret_row)->seq;
    return 1;
}

/* Read on until there are so many messages; a row is read to its end. */
static int tail_read(struct tail *tail, size_t count, struct history *history, struct arena *arena)
{
    while (history->count < count && tail_has_more(tail)) {
        size_t begin = history->count;
        const struct message_row *row;
        struct message_reader reader;
        int rc = tail_row(tail, count - begin, arena, &row);

        if (rc <= 0)
            return rc;
        message_reader_init(&reader, row);
        while ((rc = message_next(&reader)) > 0)
            history_add(history, &reader.message, arena);
        if (rc < 0)
            return rc;
        history_turn(history, begin);
    }
    return 0;
}

/* How many messages the request may repeat, or lie behind the one that it is about. */
static size_t wanted_messages(const struct chat_session_row *row, const struct session_need *need)
{
    int64_t behind = need->seq > 0 ? row->message_count - need->seq : 0;

    return MIN(need->next.count * 2 + 8 + (size_t)MAX(behind, (int64_t)0), (size_t)MESSAGES_MOST);
}

static int read_history(struct store *store, const struct session_need *need, struct arena *arena,
    struct session *session)
{
    struct history history = {0};
    size_t wanted = wanted_messages(&session->row, need);
    /* Others add to the chat between the two reads: only what the row counts is read. */
    struct tail tail = {.store = store,
        .place = {session->row.workspace_id, session->row.id, session->row.message_count + 1},
        .page = {.more = true}};
    int rc = tail_read(&tail, PAGE, &history, arena);

    if (rc == 0 && !(tail_has_more(&tail) && find_inside(&history, &need->next, session)) &&
        !history_enough(&history, wanted))
        rc = tail_read(&tail, MAX(wanted, (size_t)WINDOW), &history, arena);
    if (rc < 0)
        return rc;
    history_turn(&history, 0);
    session->stored = (struct transcript){history.messages, history.count};
    session->outgoing = history.outgoing;
    session->whole = !tail_has_more(&tail);
    return 0;
}

int session_read(struct store *store, struct str workspace_id, struct str id,
    const struct session_need *need, struct arena *arena, struct session *ret_session)
{
    struct session session = {0};
    int rc = store_get(store, STORE_CHAT_SESSIONS, workspace_id, id, arena, &session.row);

    if (rc == STORE_MISSING)
        return err_field(ERR_NOT_FOUND, "session_id",
            "There is no such session; leave session_id out to begin a new one.");
    if (rc == 0)
        rc = read_history(store, need, arena, &session);
    if (rc < 0)
        return rc;
    *ret_session = session;
    return 0;
}

int session_read_by_key(struct store *store, struct str workspace_id, struct str chat_key,
    const struct session_need *need, struct arena *arena, struct session *ret_session)
{
    struct session session = {0};
    int rc = store_find(store, STORE_CHAT_SESSIONS, workspace_id, 0, chat_key, arena, &session.row);

    if (rc == 0)
        rc = read_history(store, need, arena, &session);
    if (rc != 0)
        return rc;
    *ret_session = session;
    return 0;
}

/* Does the stored history from place at on, to its end, equal the start of next? Theo's answers may
 * be missing in next. Returns how many of next are matched, *ret_end is the place behind the last
 * match. */
static size_t match_tail(
    const struct session *session, const struct transcript *next, size_t at, size_t *ret_end)
{
    size_t matched = 0, end = at;

    for (size_t i = at; i < session->stored.count; i++) {
        if (matched < next->count && same(&session->stored.messages[i], &next->messages[matched])) {
            matched++;
            end = i + 1;
        } else if (!session->outgoing[i]) {
            return 0;
        }
    }
    *ret_end = end;
    return matched;
}

/* Two clients that each send the whole chat may have gone on differently: what next has in common
 * with the history from the first message on, in order, is stored already. Two messages must agree
 * before that is believed. */
static size_t match_whole(
    const struct session *session, const struct transcript *next, size_t *ret_end)
{
    size_t matched = 0, end = 0, i = 0;

    if (!session->whole || session->stored.count < 2 || next->count < 2)
        return 0;
    for (; i < session->stored.count && matched < next->count; i++)
        if (same(&session->stored.messages[i], &next->messages[matched])) {
            matched++;
            end = i + 1;
        } else if (matched < 2 && !session->outgoing[i]) {
            return 0;
        }
    *ret_end = end;
    return matched < 2 ? 0 : matched;
}

static size_t find_overlap(
    const struct session *session, const struct transcript *next, size_t *ret_end)
{
    size_t count = session->stored.count, best = 0, end = count, place;

    /* The earliest place that matches to the end gives the longest overlap. */
    for (size_t at = 0; at < count && best == 0; at++)
        if (same(&session->stored.messages[at], &next->messages[0])) {
            best = match_tail(session, next, at, &place);
            if (best > 0)
                end = place;
        }
    if (match_whole(session, next, &place) > best)
        best = match_whole(session, next, &end);
    *ret_end = end;
    return best;
}

/* Those from one place up to another. */
static void add_messages(
    struct transcript *chat, const struct transcript *other, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        chat->messages[chat->count++] = other->messages[i];
}

size_t session_merge(const struct session *session, const struct transcript *next,
    struct arena *arena, struct transcript *ret_chat)
{
    size_t before = session->inside_from, known = session->inside_to, end = session->inside_end;
    struct transcript chat = {0};

    if (session->stored.count == 0) {
        *ret_chat = *next;
        return 0;
    }
    if (known == 0 && next->count > 0)
        known = find_overlap(session, next, &end);
    if (known < next->count)
        end = session->stored.count;
    chat.messages = arena_array(arena, struct chat_message, before + end + next->count - known);
    add_messages(&chat, next, 0, before);
    add_messages(&chat, &session->stored, 0, end);
    add_messages(&chat, next, known, next->count);
    *ret_chat = chat;
    return known;
}

int64_t session_first(const struct session *session)
{
    return session->row.message_count - (int64_t)session->stored.count + 1;
}

int session_focus(const struct session *session, int64_t seq, struct str text, struct arena *arena,
    struct transcript *ret_chat)
{
    const struct transcript *stored = &session->stored;
    int64_t first = session_first(session);
    struct transcript chat = {arena_array(arena, struct chat_message, stored->count + 1), 0};
    size_t place;

    if (seq < first || seq > session->row.message_count)
        return err_set(ERR_NOT_FOUND, "The message to be answered is not in the chat's tail.");
    place = (size_t)(seq - first);
    for (size_t i = 0; i < stored->count; i++)
        if (i < place || (i > place && session->outgoing[i]))
            chat.messages[chat.count++] = stored->messages[i];
    chat.messages[chat.count++] = stored->messages[place];
    if (!str_empty(text))
        chat.messages[chat.count - 1].text = text;
    *ret_chat = chat;
    return 0;
}

static struct message_row message_of(const struct session *session, struct str run_id,
    const struct chat_message *message, const char *direction, int64_t now_ms)
{
    return (struct message_row){
        .workspace_id = session->row.workspace_id,
        .session_id = session->row.id,
        .seq = session->row.message_count + 1,
        .run_id = run_id,
        .direction = str_from(direction),
        .author = message->party,
        .body = message->text,
        .channel_ids = STR(""),
        .at = message->at_ms,
        .created_at = now_ms,
    };
}

void session_append(struct session *session, struct store_batch *batch, struct str run_id,
    const struct chat_message *in, size_t count, const struct chat_message *reply, int64_t now_ms)
{
    struct message_row *rows = arena_array(batch->arena, struct message_row, count + 1);
    struct chat_session_row *row = &session->row;
    size_t sum = 0;

    if (session->fresh)
        store_insert(batch, STORE_CHAT_SESSIONS, row);
    else if (count > 0 || reply)
        store_update(batch, STORE_CHAT_SESSIONS, row);
    for (size_t i = 0; i < count; i++) {
        rows[sum++] = message_of(session, run_id, &in[i], "in", now_ms);
        row->message_count++;
    }
    if (reply) {
        rows[sum++] = message_of(session, run_id, reply, "out", now_ms);
        row->message_count++;
    }
    /* Each move in the list by last use writes the list twice. */
    if (count > 0 && now_ms - row->updated_at >= USED_WITHIN_MS)
        row->updated_at = now_ms;
    messages_insert(batch, rows, sum);
}
