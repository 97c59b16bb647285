/* What changes in a chat without anybody saying something new: edited messages, and another id of
 * the chat. Both may come again and change nothing then. */
#include "bot/private.h"

/* Older messages keep their first text. */
#define LOOK_BACK 500
#define PAGE 100
#define EDITS_KEPT 10

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
    for (const struct json *one = json_first(root); one; one = json_next(one))
        if (!str_is(json_key(one), "edits")) {
            json_name_str(&w, json_key(one));
            json_put_node(&w, one);
        }
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
    struct message_row *row;
    struct store_batch batch;
    struct store_page page;
    int rc = store_list(store, &query, arena, &page);

    if (rc != 0 || page.count == 0)
        return rc;
    row = page.rows;
    if (row->more.len > 0 || str_eq(row->body, update->text))
        return 0; /* of another channel, or known already */
    row->channel_ids = with_edit(row, update->at_ms, arena);
    row->body = update->text;
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

    if (rc < 0 || chat->row.version == 0 || str_empty(update->text))
        return rc;
    arena_init(&arena);
    rc = find_seq(chat, update->message_id, &arena, &seq);
    if (rc == 0)
        rc = rewrite(chat, update, seq, &arena);
    arena_deinit(&arena);
    return rc < 0 ? rc : 0;
}

int migrate_take(struct bot_chat *chat, const struct channel_update *update)
{
    const struct bot *bot = chat->lane->bot;
    struct bot_settings settings;
    struct chat_session_row row;
    struct store_batch batch;
    struct arena arena;
    int rc = chat_load(chat);

    if (rc < 0 || chat->row.version == 0 || str_empty(update->moved_to))
        return rc;
    arena_init(&arena);
    row = chat->row;
    settings = chat->settings;
    /* telegram.allow names the former id. */
    settings.paired = settings.paired || access_is_listed(bot, update->chat_id);
    row.state = settings_write(&settings, row.state, &arena);
    row.chat_key = str_printf(&arena, "%.*s|%.*s|%.*s|%.*s", STR_ARG(update->channel),
        STR_ARG(update->bot_id), STR_ARG(update->moved_to), STR_ARG(update->topic_id));
    store_batch_init(&batch, &arena);
    store_update(&batch, STORE_CHAT_SESSIONS, &row);
    rc = store_commit(bot->options.store, &batch);
    if (rc > 0)
        log_warn("bot.not_moved", LOG_STR("session", row.id),
            LOG_CSTR("note", "the chat's new id has a session already"));
    chat->stale = true;
    arena_deinit(&arena);
    return rc < 0 ? rc : 0;
}
