/* What changes in a chat without anybody saying something new: edited messages, and another id of
 * the chat. Both may come again and change nothing then. */
#include "bot/private.h"

/* Older messages keep their first text. */
#define LOOK_BACK 500
#define PAGE 100
#define EDITS_KEPT 10
#define MOVES_MAX 20
#define ABSORBED_MAX 80 /* in one commit */

static int find_seq(struct bot_chat *chat, struct str message_id, struct arena *arena, int64_t *ret)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = chat->row.workspace_id,
        .index = STORE_CHILDREN,
        .value = chat->row.id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};

    for (size_t i = chat->tail.count; i > 0; i--)
        if (!chat->notes[i - 1].outgoing && str_eq(chat->notes[i - 1].message_id, message_id)) {
            *ret = chat->notes[i - 1].seq;
            return 0;
        }
    for (int read = 0; read < LOOK_BACK; read += PAGE) {
        struct store_page page;
        int rc = messages_list(chat->lane->bot->options.store, &query, arena, &page);

        if (rc != 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            const struct message_row *row = (const struct message_row *)page.rows + i;

            if (str_is(row->direction, "in") &&
                str_eq(channel_ids_message(row->channel_ids, arena), message_id)) {
                *ret = row->seq;
                return 0;
            }
        }
        if (str_empty(page.cursor))
            break;
        query.cursor = page.cursor;
    }
    return STORE_MISSING;
}

/* The channel ids with the text that is replaced. */
static struct str with_edit(const struct message_row *row, int64_t at_ms, struct arena *arena)
{
    const struct json *root = NULL, *edits;
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    size_t skip;

    if (json_parse(arena, row->channel_ids, &root) < 0)
        root = NULL;
    edits = json_get(root, "edits");
    json_init(&w, &out);
    json_object_begin(&w);
    json_put_members(&w, root, "edits");
    json_name(&w, "edits");
    json_array_begin(&w);
    skip = json_len(edits) >= EDITS_KEPT ? json_len(edits) - EDITS_KEPT + 1 : 0;
    for (size_t i = skip; i < json_len(edits); i++)
        json_put_node(&w, json_at(edits, i));
    json_object_begin(&w);
    json_i64_member(&w, "at", at_ms);
    json_str_member(&w, "before", row->body);
    json_object_end(&w);
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static int rewrite(
    struct bot_chat *chat, const struct channel_update *update, int64_t seq, struct arena *arena)
{
    struct store *store = chat->lane->bot->options.store;
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = chat->row.workspace_id,
        .index = STORE_CHILDREN,
        .value = chat->row.id,
        .from = seq,
        .to = seq + 1,
        .limit = 1,
        .cursor = STR("")};
    struct str said = chat_said(update, arena);
    struct message_row *row;
    struct store_batch batch;
    struct store_page page;
    int rc = store_list(store, &query, arena, &page);

    if (rc != 0 || page.count == 0)
        return rc;
    row = page.rows;
    if (row->more.len > 0 || str_eq(row->body, said))
        return 0; /* of another channel, or known already */
    row->channel_ids = with_edit(row, update->at_ms, arena);
    row->body = said;
    store_batch_init(&batch, arena);
    store_put(&batch, STORE_MESSAGES, row);
    rc = store_commit(store, &batch);
    chat->stale = true;
    return rc;
}

int edit_take(struct bot_chat *chat, const struct channel_update *update)
{
    struct arena arena;
    int64_t seq;
    int rc = chat_load(chat);

    if (rc < 0 || chat->row.version == 0 || (str_empty(update->text) && !update->file.kind))
        return rc;
    arena_init(&arena);
    rc = find_seq(chat, update->message_id, &arena, &seq);
    if (rc == 0)
        rc = rewrite(chat, update, seq, &arena);
    arena_deinit(&arena);
    return rc < 0 ? rc : 0;
}

/* What was said at the new id before the news of the move came began a session of its own: its
 * messages go behind those of the former one, and the chat leaves it. */
static int absorb(struct bot_chat *chat, struct chat_session_row *second, struct arena *arena)
{
    struct store *store = chat->lane->bot->options.store;
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = second->workspace_id,
        .index = STORE_CHILDREN,
        .value = second->id,
        .limit = ABSORBED_MAX,
        .cursor = STR("")};
    struct bot_settings settings = chat->settings, other = settings_read(second->state, arena);
    struct chat_session_row row = chat->row;
    struct store_batch batch;
    struct store_page page;
    int rc = messages_list(store, &query, arena, &page);

    if (rc < 0)
        return rc;
    store_batch_init(&batch, arena);
    for (size_t i = 0; i < page.count; i++) {
        struct message_row *message = (struct message_row *)page.rows + i;

        message->session_id = row.id;
        message->seq = ++row.message_count;
        messages_insert(&batch, message, 1);
    }
    settings.paired = settings.paired || other.paired;
    settings.introduced = settings.introduced || other.introduced;
    settings.gone = other.gone;
    row.state = settings_write(&settings, row.state, arena);
    second->chat_key = STR("");
    store_update(&batch, STORE_CHAT_SESSIONS, second);
    store_update(&batch, STORE_CHAT_SESSIONS, &row);
    return store_commit(store, &batch);
}

static int move(
    struct bot_chat *chat, const struct channel_update *update, struct str to, struct arena *arena)
{
    const struct bot *bot = chat->lane->bot;
    struct bot_settings settings = chat->settings;
    struct chat_session_row row = chat->row, second;
    struct store_batch batch;
    int rc = store_find(
        bot->options.store, STORE_CHAT_SESSIONS, row.workspace_id, 0, to, arena, &second);

    if (rc == 0) {
        rc = absorb(chat, &second, arena);
        return rc < 0 ? rc : STORE_CONFLICT; /* and once more, to move */
    }
    if (rc < 0)
        return rc;
    /* telegram.allow names the former id. */
    settings.paired = settings.paired || access_is_listed(bot, update->chat_id);
    row.state = settings_write(&settings, row.state, arena);
    row.chat_key = to;
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_CHAT_SESSIONS, &row);
    return store_commit(bot->options.store, &batch);
}

int migrate_take(struct bot_chat *chat, const struct channel_update *update)
{
    int rc = STORE_CONFLICT;

    for (int i = 0; i < MOVES_MAX && rc > 0; i++) {
        struct arena arena;
        struct str to;

        rc = chat_load(chat);
        if (rc < 0 || chat->row.version == 0 || str_empty(update->moved_to))
            return rc;
        arena_init(&arena);
        to = str_printf(&arena, "%.*s|%.*s|%.*s|%.*s", STR_ARG(update->channel),
            STR_ARG(update->bot_id), STR_ARG(update->moved_to), STR_ARG(update->topic_id));
        rc = move(chat, update, to, &arena);
        chat->stale = true;
        if (rc == 0)
            bot_kick(chat->lane->bot, to, chat->row.id);
        arena_deinit(&arena);
    }
    return rc > 0 ? err_set(ERR_UNAVAILABLE, "Too many write to this chat at once; try again.")
                  : rc;
}
