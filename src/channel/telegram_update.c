/* Reads what Telegram delivers (Bot API 10.3, object Update) into a struct channel_update.
 *
 * Entities count in UTF-16 code units; what mentions the bot is known by them and never by looking
 * for its name in the text, so that @theodore_bot is not @theo. The General topic of a forum is no
 * topic: its messages carry no is_topic_message, and a message_thread_id without that is a reply
 * thread.
 */
#include "channel/telegram.h"
#include "text/utf16.h"

#define TEXT_MAX 20000 /* bytes; Telegram's 4,096 characters are fewer */
#define NAME_MAX_BYTES 128
#define ENTITIES_MAX 200
#define NAMES_MAX 1000        /* bytes of the names of those who joined together */
#define DATE_MAX 253402300799 /* the last second of the year 9999 */

struct reading {
    const struct telegram *telegram;
    struct arena *arena;
    struct channel_who me;
    struct channel_update *update;
};

static struct str id_text(struct arena *arena, const struct json *object, const char *name)
{
    int64_t value = json_get_i64(object, name, 0);

    return value == 0 ? STR("") : str_from_i64(arena, value);
}

/* Unix seconds as milliseconds; 0 for what is no date. */
static int64_t date_ms(const struct json *object, const char *name)
{
    int64_t seconds = json_get_i64(object, name, 0);

    return seconds > 0 && seconds <= DATE_MAX ? seconds * SECOND_MS : 0;
}

static struct str short_name(struct arena *arena, struct str name)
{
    return utf8_truncate(str_trim(utf8_clean(arena, name)), NAME_MAX_BYTES);
}

static struct str full_name(struct arena *arena, const struct json *user)
{
    struct str first = json_get_str(user, "first_name"), last = json_get_str(user, "last_name");

    if (str_empty(last))
        return short_name(arena, first);
    return short_name(arena, str_printf(arena, "%.*s %.*s", STR_ARG(first), STR_ARG(last)));
}

static struct channel_person read_user(struct arena *arena, const struct json *user)
{
    struct channel_person person = {.id = id_text(arena, user, "id"),
        .name = full_name(arena, user),
        .username = short_name(arena, json_get_str(user, "username")),
        .language = short_name(arena, json_get_str(user, "language_code")),
        .bot = json_get_bool(user, "is_bot", false)};

    if (str_empty(person.name))
        person.name = str_empty(person.username)
                          ? str_printf(arena, "User %.*s", STR_ARG(person.id))
                          : person.username;
    return person;
}

/* A chat in whose name somebody acts comes before the person: an anonymous admin as the group, or
 * as a channel. */
static struct channel_person read_either(
    struct arena *arena, const struct json *object, const char *chat, const char *user)
{
    const struct json *as = json_get(object, chat);
    struct channel_person person;

    if (!as)
        return read_user(arena, json_get(object, user));
    person = (struct channel_person){.id = id_text(arena, as, "id"),
        .name = short_name(arena, json_get_str(as, "title")),
        .username = short_name(arena, json_get_str(as, "username")),
        .anonymous = true};
    if (str_empty(person.name))
        person.name = STR("Anonymous");
    return person;
}

static struct channel_person read_sender(struct arena *arena, const struct json *message)
{
    return read_either(arena, message, "sender_chat", "from");
}

static void read_chat(struct reading *r, const struct json *chat)
{
    struct channel_update *update = r->update;
    struct str type = json_get_str(chat, "type");

    update->chat_id = id_text(r->arena, chat, "id");
    update->chat = str_is(type, "private")   ? CHANNEL_PRIVATE
                   : str_is(type, "channel") ? CHANNEL_BROADCAST
                                             : CHANNEL_GROUP;
    update->chat_title = update->chat == CHANNEL_PRIVATE
                             ? full_name(r->arena, chat)
                             : short_name(r->arena, json_get_str(chat, "title"));
}

static void set_key(struct reading *r)
{
    struct channel_update *update = r->update;

    if (!str_empty(update->chat_id))
        update->chat_key = str_printf(r->arena, "telegram|%.*s|%.*s|%.*s", STR_ARG(r->me.id),
            STR_ARG(update->chat_id), STR_ARG(update->topic_id));
}

/* The part of text that an entity marks; empty when it lies outside. */
static struct str entity_text(struct str text, const struct json *entity)
{
    struct str mark = STR("");

    if (!utf16_slice(
            text, json_get_i64(entity, "offset", -1), json_get_i64(entity, "length", 0), &mark))
        return STR("");
    return mark;
}

/* "/cmd@Bot" at the beginning: ours when the bot is named, or nobody is. */
static void read_command(struct reading *r, struct str mark)
{
    struct str text = r->update->text, name = str_slice(mark, 1, mark.len), bot;
    ptrdiff_t at = str_find_char(name, '@', 0);

    if (at >= 0) {
        bot = str_slice(name, (size_t)at + 1, name.len);
        name = str_slice(name, 0, (size_t)at);
        if (!str_eq_nocase(bot, r->me.username))
            return;
    }
    r->update->command = str_lower(r->arena, name);
    r->update->arguments = str_trim(str_slice(text, mark.len, text.len));
}

static void read_entities(struct reading *r, const struct json *entities)
{
    struct channel_update *update = r->update;
    int count = 0;

    for (const struct json *one = json_first(entities); one && count < ENTITIES_MAX;
         one = json_next(one), count++) {
        struct str type = json_get_str(one, "type"), mark = entity_text(update->text, one);

        if (str_empty(mark))
            continue;
        if (str_is(type, "mention"))
            update->mentioned |= !str_empty(r->me.username) && mark.ptr[0] == '@' &&
                                 str_eq_nocase(str_slice(mark, 1, mark.len), r->me.username);
        else if (str_is(type, "text_mention"))
            update->mentioned |= str_eq(id_text(r->arena, json_get(one, "user"), "id"), r->me.id);
        else if (str_is(type, "bot_command") && json_get_i64(one, "offset", -1) == 0 &&
                 mark.ptr[0] == '/')
            read_command(r, mark);
    }
}

/* What it answers: of a part that was marked only that. In a topic every message "replies" to the
 * one that made the topic. A message of another chat is known by the marked part alone. */
static void read_reply(struct reading *r, const struct json *message)
{
    const struct json *to = json_get(message, "reply_to_message");
    struct str text = json_get_str(json_get(message, "quote"), "text");
    struct channel_update *update = r->update;
    struct channel_person author;

    if (to && !json_get(to, "forum_topic_created")) {
        author = read_sender(r->arena, to);
        if (str_empty(text))
            text = json_get_str(to, "text");
        if (str_empty(text))
            text = json_get_str(to, "caption");
        update->reply_to_id = id_text(r->arena, to, "message_id");
        update->reply_to_author = author.name;
        update->replied = author.bot && str_eq(author.id, r->me.id);
    }
    update->reply_to_text = utf8_truncate(utf8_clean(r->arena, text), TEXT_MAX);
}

static const struct {
    const char *name;
    enum channel_file_kind kind;
} files[] = {/* An animation comes with a document beside it, for old programs. */
    {"animation", CHANNEL_OTHER_FILE}, {"document", CHANNEL_DOCUMENT}, {"voice", CHANNEL_VOICE},
    {"audio", CHANNEL_AUDIO}, {"video", CHANNEL_VIDEO}, {"video_note", CHANNEL_VIDEO},
    {"sticker", CHANNEL_STICKER}, {"contact", CHANNEL_OTHER_FILE}, {"venue", CHANNEL_OTHER_FILE},
    {"location", CHANNEL_OTHER_FILE}, {"poll", CHANNEL_OTHER_FILE}, {"dice", CHANNEL_OTHER_FILE},
    {"story", CHANNEL_OTHER_FILE}};

static void read_file(struct reading *r, const struct json *file, enum channel_file_kind kind)
{
    r->update->file = (struct channel_file){.kind = kind,
        .id = json_get_str(file, "file_id"),
        .name = short_name(r->arena, json_get_str(file, "file_name")),
        .mime = short_name(r->arena, json_get_str(file, "mime_type")),
        .size = json_get_i64(file, "file_size", 0)};
}

static void read_files(struct reading *r, const struct json *message)
{
    const struct json *photo = json_get(message, "photo"); /* the same in growing sizes */

    if (json_len(photo) > 0) {
        read_file(r, json_at(photo, json_len(photo) - 1), CHANNEL_PHOTO);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (json_get(message, files[i].name)) {
            read_file(r, json_get(message, files[i].name), files[i].kind);
            return;
        }
}

/* Of people other than the bot: what becomes of it comes as my_chat_member too. */
static void add_name(struct reading *r, struct buf *names, const struct json *user)
{
    struct channel_person person = read_user(r->arena, user);

    if (names->len < NAMES_MAX && !str_eq(person.id, r->me.id))
        buf_printf(names, "%s%.*s", names->len > 0 ? ", " : "", STR_ARG(person.name));
}

static void read_people(struct reading *r, const struct json *message)
{
    struct buf joined = BUF_IN(r->arena), left = BUF_IN(r->arena);
    const struct json *gone = json_get(message, "left_chat_member");

    for (const struct json *one = json_first(json_get(message, "new_chat_members")); one;
         one = json_next(one))
        add_name(r, &joined, one);
    if (gone)
        add_name(r, &left, gone);
    r->update->joined = buf_str(&joined);
    r->update->left = buf_str(&left);
    r->update->kind = joined.len + left.len > 0 ? CHANNEL_PEOPLE : CHANNEL_IGNORED;
}

/* Two messages tell that a group became a supergroup: the last of the old chat and the first of the
 * new one. Both are given as the old chat's, so that the new one's order begins behind it. */
static void read_migration(struct reading *r, const struct json *message)
{
    struct channel_update *update = r->update;

    update->kind = CHANNEL_MIGRATED;
    update->moved_to = id_text(r->arena, message, "migrate_to_chat_id");
    if (!str_empty(update->moved_to))
        return;
    update->moved_to = update->chat_id;
    update->chat_id = id_text(r->arena, message, "migrate_from_chat_id");
    set_key(r);
}

/* Messages that tell of the chat itself. */
static void read_service(struct reading *r, const struct json *message)
{
    struct channel_update *update = r->update;

    if (json_i64(json_get(message, "migrate_to_chat_id"), 0) != 0 ||
        json_i64(json_get(message, "migrate_from_chat_id"), 0) != 0)
        read_migration(r, message);
    else if (json_get(message, "new_chat_members") || json_get(message, "left_chat_member"))
        read_people(r, message);
    else if (str_empty(update->text) && !update->file.kind)
        update->kind = CHANNEL_IGNORED;
}

static void read_message(struct reading *r, const struct json *message, enum channel_kind kind)
{
    struct channel_update *update = r->update;
    struct str text = json_get_str(message, "text");
    bool caption = str_empty(text);

    update->kind = kind;
    read_chat(r, json_get(message, "chat"));
    if (json_get_bool(message, "is_topic_message", false))
        update->topic_id = id_text(r->arena, message, "message_thread_id");
    set_key(r);
    update->from = read_sender(r->arena, message);
    update->message_id = id_text(r->arena, message, "message_id");
    update->at_ms = date_ms(
        message, kind == CHANNEL_EDIT && json_get(message, "edit_date") ? "edit_date" : "date");
    update->text = utf8_truncate(
        utf8_clean(r->arena, caption ? json_get_str(message, "caption") : text), TEXT_MAX);
    update->album = json_get_str(message, "media_group_id");
    read_entities(r, json_get(message, caption ? "caption_entities" : "entities"));
    read_reply(r, message);
    read_files(r, message);
    if (kind == CHANNEL_MESSAGE)
        read_service(r, message);
}

static void read_press(struct reading *r, const struct json *press)
{
    const struct json *message = json_get(press, "message");
    struct channel_update *update = r->update;

    update->kind = CHANNEL_PRESS;
    update->press_id = json_get_str(press, "id");
    update->press_data = json_get_str(press, "data");
    update->from = read_user(r->arena, json_get(press, "from"));
    if (!message)
        return; /* inline messages are none of ours: no chat */
    read_chat(r, json_get(message, "chat"));
    if (json_get_bool(message, "is_topic_message", false))
        update->topic_id = id_text(r->arena, message, "message_thread_id");
    update->message_id = id_text(r->arena, message, "message_id");
    set_key(r);
}

static void read_reaction(struct reading *r, const struct json *reaction)
{
    const struct json *now = json_first(json_get(reaction, "new_reaction"));
    struct channel_update *update = r->update;

    update->kind = CHANNEL_REACTION;
    read_chat(r, json_get(reaction, "chat"));
    set_key(r);
    update->message_id = id_text(r->arena, reaction, "message_id");
    update->at_ms = date_ms(reaction, "date");
    update->from = read_either(r->arena, reaction, "actor_chat", "user");
    update->emoji = json_get_str(now, "emoji");
}

static void read_poll_answer(struct reading *r, const struct json *answer)
{
    struct channel_update *update = r->update;

    update->kind = CHANNEL_POLL_ANSWER;
    update->poll_id = json_get_str(answer, "poll_id");
    update->from = read_either(r->arena, answer, "voter_chat", "user");
    for (const struct json *one = json_first(json_get(answer, "option_ids")); one;
         one = json_next(one)) {
        int64_t option = json_i64(one, -1);

        if (option >= 0 && option < 32)
            update->options |= 1u << option;
    }
}

static bool is_in(struct str status, const struct json *member)
{
    return str_is(status, "member") || str_is(status, "administrator") ||
           str_is(status, "creator") ||
           (str_is(status, "restricted") && json_get_bool(member, "is_member", false));
}

static void read_self(struct reading *r, const struct json *change)
{
    const struct json *before = json_get(change, "old_chat_member"),
                      *after = json_get(change, "new_chat_member");
    struct str was = json_get_str(before, "status"), is = json_get_str(after, "status");
    struct channel_update *update = r->update;

    update->kind = CHANNEL_SELF;
    read_chat(r, json_get(change, "chat"));
    set_key(r);
    update->from = read_user(r->arena, json_get(change, "from"));
    update->at_ms = date_ms(change, "date");
    if (!is_in(is, after))
        update->self = CHANNEL_SELF_REMOVED;
    else if (!is_in(was, before))
        update->self = CHANNEL_SELF_ADDED;
    else if (str_is(is, "administrator"))
        update->self = CHANNEL_SELF_ADMIN;
    else
        update->kind = CHANNEL_IGNORED;
}

static void read_stopped(struct reading *r, const struct json *stopped)
{
    r->update->kind = CHANNEL_STOPPED;
    read_chat(r, json_get(stopped, "chat"));
    r->update->topic_id = id_text(r->arena, stopped, "message_thread_id");
    set_key(r);
}

static void read_kind(struct reading *r, const struct json *root)
{
    const struct json *part;

    if ((part = json_get(root, "message")) || (part = json_get(root, "channel_post")))
        read_message(r, part, CHANNEL_MESSAGE);
    else if ((part = json_get(root, "edited_message")) ||
             (part = json_get(root, "edited_channel_post")))
        read_message(r, part, CHANNEL_EDIT);
    else if ((part = json_get(root, "callback_query")))
        read_press(r, part);
    else if ((part = json_get(root, "message_reaction")))
        read_reaction(r, part);
    else if ((part = json_get(root, "poll_answer")))
        read_poll_answer(r, part);
    else if ((part = json_get(root, "my_chat_member")))
        read_self(r, part);
    else if ((part = json_get(root, "stopped_message_generation")))
        read_stopped(r, part);
}

int telegram_read(const struct channel *channel, struct str payload, struct arena *arena,
    struct channel_update *ret_update)
{
    struct channel_update update = {.channel = STR("telegram"), .kind = CHANNEL_IGNORED};
    struct reading r = {telegram_of(channel), arena, channel_telegram.who(channel), &update};
    const struct json *root;
    int64_t id;
    int rc = json_parse(arena, payload, &root);

    if (rc < 0)
        return err_wrap("The update");
    id = json_get_i64(root, "update_id", -1);
    if (id < 0)
        return err_field(ERR_INVALID, "update_id", "This is no update: update_id is missing.");
    update.bot_id = r.me.id;
    update.id = str_printf(arena, "telegram|%.*s|%lld", STR_ARG(r.me.id), (long long)id);
    read_kind(&r, root);
    if (str_empty(update.chat_key) && update.kind != CHANNEL_POLL_ANSWER &&
        update.kind != CHANNEL_PRESS)
        update.kind = CHANNEL_IGNORED;
    *ret_update = update;
    return 0;
}
