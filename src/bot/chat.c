/* What is kept of a chat between updates: its row, its settings, and the last messages. All of it
 * can be read again; the row's version tells when it has to be. */
#include "bot/private.h"

#define NAME_MAX_BYTES 60

static void tail_free(struct bot_chat *chat)
{
    for (size_t i = 0; i < chat->tail.count; i++) {
        free((char *)chat->tail.messages[i].party.ptr);
        free((char *)chat->tail.messages[i].text.ptr);
        free((char *)chat->notes[i].message_id.ptr);
    }
    chat->tail.count = 0;
}

static void tail_drop_first(struct bot_chat *chat)
{
    free((char *)chat->tail.messages[0].party.ptr);
    free((char *)chat->tail.messages[0].text.ptr);
    free((char *)chat->notes[0].message_id.ptr);
    chat->tail.count--;
    memmove(chat->tail.messages, chat->tail.messages + 1,
        chat->tail.count * sizeof(*chat->tail.messages));
    memmove(chat->notes, chat->notes + 1, chat->tail.count * sizeof(*chat->notes));
}

static struct str heap_str(struct str s)
{
    return (struct str){str_heap(s), s.len};
}

void chat_remember(struct bot_chat *chat, const struct chat_message *message, struct str message_id,
    int64_t seq, bool outgoing)
{
    size_t i;

    if (chat->tail.count == TAIL)
        tail_drop_first(chat);
    i = chat->tail.count++;
    chat->tail.messages[i] =
        (struct chat_message){heap_str(message->party), heap_str(message->text), message->at_ms};
    chat->notes[i] = (struct tail_note){heap_str(message_id), seq, outgoing};
}

static struct str file_words(const struct channel_file *file, struct arena *arena)
{
    static const char *const names[] = {
        "", "document", "photo", "voice message", "audio", "video", "sticker", "file"};

    if (str_empty(file->name))
        return str_printf(arena, "[%s]", names[file->kind]);
    return str_printf(arena, "[%s: %.*s]", names[file->kind],
        STR_ARG(utf8_truncate(utf8_clean(arena, file->name), 120)));
}

struct str chat_said(const struct channel_update *update, struct arena *arena)
{
    if (!update->file.kind)
        return update->text;
    if (str_empty(update->text))
        return file_words(&update->file, arena);
    return str_printf(
        arena, "%.*s %.*s", STR_ARG(file_words(&update->file, arena)), STR_ARG(update->text));
}

struct str chat_channel_ids(const struct channel_update *update, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "id", update->message_id);
    json_str_member(&w, "from", update->from.id);
    if (!str_empty(update->reply_to_id))
        json_str_member(&w, "reply_to", update->reply_to_id);
    json_object_end(&w);
    return buf_str(&out);
}

struct str channel_ids_message(struct str channel_ids, struct arena *arena)
{
    const struct json *root;

    if (str_empty(channel_ids) || json_parse(arena, channel_ids, &root) < 0)
        return STR("");
    return json_get_str(root, "id");
}

static int read_tail(struct bot_chat *chat)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = chat->row.workspace_id,
        .index = STORE_CHILDREN,
        .value = chat->row.id,
        .descending = true,
        .limit = TAIL,
        .cursor = STR("")};
    struct store_page page;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = messages_list(chat->lane->bot->options.store, &query, &arena, &page);
    for (size_t i = rc == 0 ? page.count : 0; i > 0; i--) {
        const struct message_row *row = (const struct message_row *)page.rows + i - 1;
        struct chat_message message = {row->author, row->body, row->at ? row->at : row->created_at};

        chat_remember(chat, &message, channel_ids_message(row->channel_ids, &arena), row->seq,
            str_is(row->direction, "out"));
    }
    arena_deinit(&arena);
    return rc;
}

/* What was read. */
static void chat_forget(struct bot_chat *chat)
{
    tail_free(chat);
    arena_deinit(&chat->arena);
    arena_init(&chat->arena);
    chat->row = (struct chat_session_row){0};
    chat->settings = (struct bot_settings){0};
    chat->loaded = chat->stale = false;
}

void chat_free(struct bot_chat *chat)
{
    work_forget(chat);
    tail_free(chat);
    arena_deinit(&chat->arena);
    free(chat->tail.messages);
    free((char *)chat->key.ptr);
    free(chat);
}

/* Presses and other work of the chat look at its row and settings while this reads: they find the
 * former ones until the new ones are there, and take nothing of them along over a wait. */
int chat_load(struct bot_chat *chat)
{
    const struct bot_options *options = &chat->lane->bot->options;
    struct chat_session_row row = {0};
    struct arena arena;
    int rc;

    /* What is not there may be made by another process at any time. */
    if (chat->loaded && !chat->stale && chat->row.version > 0)
        return 0;
    chat->loaded = false;
    arena_init(&arena);
    rc = store_find(
        options->store, STORE_CHAT_SESSIONS, options->workspace_id, 0, chat->key, &arena, &row);
    if (rc < 0) {
        arena_deinit(&arena);
        return rc;
    }
    chat_forget(chat);
    chat->arena = arena;
    if (rc == 0) {
        chat->row = row;
        chat->settings = settings_read(row.state, &chat->arena);
        rc = read_tail(chat);
    }
    chat->loaded = rc >= 0;
    return MIN(rc, 0);
}

void chat_begin(struct bot_chat *chat, const struct channel_update *update)
{
    const struct bot_options *options = &chat->lane->bot->options;
    static const char *const kinds[] = {"private", "group", "broadcast"};
    int64_t now = env_wall_ms(options->env);

    chat->row = (struct chat_session_row){
        .workspace_id = options->workspace_id,
        .id = ulid_new(options->env, &chat->arena),
        .chat_key = chat->key,
        .channel = str_dup(&chat->arena, update->channel),
        .title = str_dup(&chat->arena, utf8_truncate(update->chat_title, 120)),
        .state = STR("{}"),
        .kind = STR("chat"),
        .created_at = now,
        .updated_at = now,
    };
    chat->settings = (struct bot_settings){.kind = str_from(kinds[update->chat]),
        .button_key = button_key(options->env, &chat->arena)};
    chat->row.state = settings_write(&chat->settings, STR("{}"), &chat->arena);
}

struct bot_settings settings_read(struct str state, struct arena *arena)
{
    struct bot_settings settings = {0};
    const struct json *root = NULL, *bot;
    struct str manner;

    if (json_parse(arena, state, &root) < 0)
        return settings;
    bot = json_get(root, "bot");
    manner = json_get_str(bot, "speak");
    settings.manner = str_is(manner, "eager")   ? BOT_EAGER
                      : str_is(manner, "asked") ? BOT_ASKED
                                                : BOT_NORMAL;
    settings.language = json_get_str(bot, "language");
    settings.time_zone = json_get_str(bot, "time_zone");
    settings.quiet_from = json_get_i64(bot, "quiet_from", 0);
    settings.quiet_to = json_get_i64(bot, "quiet_to", 0);
    settings.paired = json_get_bool(bot, "paired", false);
    settings.introduced = json_get_bool(bot, "introduced", false);
    settings.gone = json_get_bool(bot, "gone", false);
    settings.kind = json_get_str(bot, "kind");
    settings.digest_at = json_get_i64(bot, "digest_at", 0);
    settings.button_key = json_get_str(bot, "button_key");
    settings.brief_minutes = json_get_i64(bot, "brief_minutes", 0);
    return settings;
}

static void write_settings(struct json_writer *w, const struct bot_settings *settings)
{
    static const char *const manners[] = {"normal", "eager", "asked"};

    json_name(w, "bot");
    json_object_begin(w);
    json_cstr_member(w, "speak", manners[settings->manner]);
    json_str_member(w, "language", settings->language);
    json_str_member(w, "time_zone", settings->time_zone);
    json_i64_member(w, "quiet_from", settings->quiet_from);
    json_i64_member(w, "quiet_to", settings->quiet_to);
    json_bool_member(w, "paired", settings->paired);
    json_bool_member(w, "introduced", settings->introduced);
    json_bool_member(w, "gone", settings->gone);
    json_str_member(w, "kind", settings->kind);
    json_i64_member(w, "digest_at", settings->digest_at);
    json_str_member(w, "button_key", settings->button_key);
    json_i64_member(w, "brief_minutes", settings->brief_minutes);
    json_object_end(w);
}

/* Other members of the state stay as they are. */
struct str settings_write(
    const struct bot_settings *settings, struct str state, struct arena *arena)
{
    const struct json *root = NULL;
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (json_parse(arena, state, &root) < 0)
        root = NULL;
    json_init(&w, &out);
    json_object_begin(&w);
    json_put_members(&w, root, "bot");
    write_settings(&w, settings);
    json_object_end(&w);
    return buf_str(&out);
}

void chat_put(struct bot_chat *chat, struct store_batch *batch, const struct bot_settings *settings,
    struct arena *arena)
{
    struct chat_session_row *row = arena_new(arena, struct chat_session_row);

    *row = chat->row;
    row->state = settings_write(settings, chat->row.state, arena);
    store_update(batch, STORE_CHAT_SESSIONS, row);
    chat->stale = true; /* read again: what is kept is what was stored */
}

/* Chats that are older than buttons have no key yet. */
int chat_need_key(struct bot_chat *chat)
{
    const struct bot_options *options = &chat->lane->bot->options;
    struct bot_settings settings;
    struct store_batch batch;
    struct arena arena;
    int rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);

    if (rc < 0)
        return rc;
    arena_init(&arena);
    rc = chat_load(chat);
    if (rc == 0 && chat->row.version > 0 && str_empty(chat->settings.button_key)) {
        settings = chat->settings;
        settings.button_key = button_key(options->env, &arena);
        store_batch_init(&batch, &arena);
        chat_put(chat, &batch, &settings, &arena);
        rc = store_commit(options->store, &batch);
    }
    arena_deinit(&arena);
    semaphore_give(&chat->lock);
    return rc > 0 ? err_set(ERR_CONFLICT, "The chat was changed meanwhile.") : rc;
}

const struct zone *settings_zone(const struct bot *bot, const struct bot_settings *settings)
{
    const struct zone *zone = NULL;

    if (!str_empty(settings->time_zone))
        zone = zone_get(settings->time_zone);
    if (!zone)
        zone = zone_get(str_from(bot->options.config->time_zone));
    return zone ? zone : zone_get(STR("UTC"));
}

bool settings_quiet(const struct bot_settings *settings, const struct zone *zone, int64_t now_ms)
{
    int64_t minute, from = settings->quiet_from, to = settings->quiet_to;

    if (from == to)
        return false;
    minute = (now_ms / MINUTE_MS + zone_offset(zone, now_ms / 1000, NULL) / 60) % (24 * 60);
    return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

const struct zone *chat_zone(const struct bot_chat *chat)
{
    return settings_zone(chat->lane->bot, &chat->settings);
}

/* A name is one line, and nobody is taken for Theo because he calls himself so. */
struct str chat_party(
    const struct bot *bot, const struct channel_update *update, struct arena *arena)
{
    struct str name = utf8_truncate(utf8_clean(arena, update->from.name), NAME_MAX_BYTES);
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < name.len; i++)
        buf_add_char(
            &out, (unsigned char)name.ptr[i] < ' ' || name.ptr[i] == ':' ? ' ' : name.ptr[i]);
    name = str_trim(buf_str(&out));
    if (str_empty(name))
        name = str_printf(arena, "Person %.*s", STR_ARG(update->from.id));
    if (str_eq_nocase(name, str_from(bot->options.config->agent_name)))
        name = str_printf(arena, "%.*s (%.*s)", STR_ARG(name),
            STR_ARG(str_empty(update->from.username) ? update->from.id : update->from.username));
    return name;
}
