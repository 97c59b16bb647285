/* What an outbox row says, as calls of the Bot API: one message a call of telegram_send(). */
#include "channel/telegram_send.h"

#include "text/telegram_html.h"
#include "text/utf16.h"

int telegram_place_of(struct str chat_key, struct telegram_place *ret_place)
{
    struct telegram_place place = {0};
    struct str rest = chat_key, channel, bot;
    int64_t id;

    if (!str_next(&rest, '|', &channel) || !str_next(&rest, '|', &bot) ||
        !str_next(&rest, '|', &place.chat_id) || !str_next(&rest, '|', &place.topic_id) ||
        rest.ptr != NULL || !str_to_i64(place.chat_id, &id) ||
        (!str_empty(place.topic_id) && !str_to_i64(place.topic_id, &id)))
        return err_set(ERR_INVALID, "%.*s is not the key of a Telegram chat", STR_ARG(chat_key));
    /* Telegram refuses the General topic's own id: it goes without. */
    if (str_is(place.topic_id, "1"))
        place.topic_id = STR("");
    *ret_place = place;
    return 0;
}

void telegram_write_place(
    struct json_writer *w, const struct telegram_place *place, bool with_topic)
{
    json_raw_member(w, "chat_id", place->chat_id);
    if (with_topic && !str_empty(place->topic_id))
        json_raw_member(w, "message_thread_id", place->topic_id);
}

void telegram_write_reply(struct json_writer *w, const struct outbox_post *post)
{
    int64_t id;

    if (!str_to_i64(post->reply_to, &id))
        return;
    json_name(w, "reply_parameters");
    json_object_begin(w);
    json_i64_member(w, "message_id", id);
    json_bool_member(w, "allow_sending_without_reply", true);
    json_object_end(w);
}

/* Call and put down what the answer says about waiting and moving. Yields. */
static int say_call(struct telegram_say *say, const struct telegram_call *call)
{
    int rc = telegram_call(&say->api, call, say->arena, &say->answer);

    say->sent->retry_after_ms = say->answer.retry_after_ms;
    telegram_hold(say->telegram, &say->place, &say->answer);
    if (rc == CHANNEL_MOVED)
        say->sent->moved_to = say->answer.moved_to;
    return rc;
}

int telegram_say_json(
    struct telegram_say *say, const char *method, const struct buf *json, bool once)
{
    struct telegram_call call = {.method = method, .json = buf_str(json), .once = once};

    return say_call(say, &call);
}

void telegram_say_add(struct telegram_say *say, struct str message_id)
{
    struct channel_sent *sent = say->sent;
    struct str former = sent->message_ids;
    struct buf out = BUF_IN(say->arena);

    buf_add_str(&out, former.len > 2 ? str_slice(former, 0, former.len - 1) : STR("["));
    buf_printf(&out, "%s\"%.*s\"]", former.len > 2 ? "," : "", STR_ARG(message_id));
    sent->message_ids = buf_str(&out);
    sent->parts++;
}

int telegram_say_refuse(const char *why)
{
    err_set(ERR_FAILED, "%s", why);
    return CHANNEL_REFUSED;
}

struct str telegram_say_id(const struct telegram_say *say)
{
    int64_t id = json_get_i64(say->answer.result, "message_id", 0);

    return str_printf(say->arena, "%lld", (long long)id);
}

bool telegram_say_refused(const struct telegram_say *say, int rc, enum telegram_refusal refusal)
{
    return rc == CHANNEL_REFUSED && say->answer.refusal == refusal;
}

/* A caption as it is sent and as it is looked for. */
struct caption {
    struct telegram_say *say;
    struct telegram_part *parts;
    size_t count;
};

static void write_caption(struct json_writer *w, void *ctx)
{
    const struct caption *caption = ctx;
    bool plain = caption->say->sent->plain;

    if (caption->count <= 1)
        telegram_write_buttons(w, &caption->say->post);
    if (caption->count == 0)
        return;
    json_str_member(w, "caption", plain ? caption->parts[0].plain : caption->parts[0].html);
    if (!plain)
        json_cstr_member(w, "parse_mode", "HTML");
}

static const char *type_of(struct str file_name)
{
    static const char *const types[][2] = {{".md", "text/markdown"}, {".txt", "text/plain"},
        {".csv", "text/csv"}, {".ics", "text/calendar"}, {".html", "text/html"},
        {".json", "application/json"}, {".pdf", "application/pdf"}};

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_ends(file_name, str_from(types[i][0])))
            return types[i][1];
    return "application/octet-stream";
}

static int upload(struct telegram_say *say, struct caption *caption)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;
    struct telegram_call call = {.method = "sendDocument",
        .once = true,
        .timeout_ms = TELEGRAM_UPLOAD_MS,
        .file_field = "document",
        .file_name = str_empty(say->post.file_name) ? STR("document.txt") : say->post.file_name,
        .file_type = str_from(type_of(say->post.file_name)),
        .file = say->post.body};

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, true);
    write_caption(&w, caption);
    telegram_write_reply(&w, &say->post);
    if (say->post.quiet)
        json_bool_member(&w, "disable_notification", true);
    json_object_end(&w);
    call.json = buf_str(&json);
    return say_call(say, &call);
}

/* The file, once. 0, or CHANNEL_MORE when it is still to be sent. */
static int find_sent(struct telegram_say *say, const char *method,
    void (*write)(struct json_writer *w, void *ctx), void *ctx)
{
    struct str id = STR("");
    int rc;

    if (!say->sent->unsure)
        return CHANNEL_MORE;
    rc = telegram_probe(say, method, write, ctx, &id);
    if (rc != 0)
        return rc;
    say->sent->unsure = false;
    say->sent->looked = 0;
    if (str_empty(id))
        return CHANNEL_MORE;
    telegram_say_add(say, id);
    return 0;
}

/* What is too long for the caption follows as text. */
static int say_document(struct telegram_say *say)
{
    struct caption caption = {.say = say};
    int rc;

    if (say->sent->parts > 0)
        return telegram_say_text(say, say->post.caption, TELEGRAM_CAPTION_MAX);
    telegram_render(
        say->arena, say->post.caption, TELEGRAM_CAPTION_MAX, &caption.parts, &caption.count);
    rc = find_sent(say, "editMessageCaption", write_caption, &caption);
    if (rc == CHANNEL_MORE)
        rc = upload(say, &caption);
    if (telegram_say_refused(say, rc, TELEGRAM_BAD_MARKUP) && !say->sent->plain) {
        say->sent->plain = true;
        rc = upload(say, &caption);
    }
    if (rc == 0 && say->sent->parts == 0)
        telegram_say_add(say, telegram_say_id(say));
    return rc == 0 && caption.count > 1 ? CHANNEL_MORE : rc;
}

/* The longest prefix of at most max UTF-16 units. */
static struct str shortened(struct str text, size_t max)
{
    return str_slice(text, 0, utf16_to_byte(text, max));
}

static void write_poll(struct json_writer *w, const struct telegram_say *say)
{
    json_str_member(w, "question", shortened(say->post.body, TELEGRAM_QUESTION_MAX));
    json_name(w, "options");
    json_array_begin(w);
    for (size_t i = 0; i < say->post.choice_count; i++) {
        json_object_begin(w);
        json_str_member(w, "text", shortened(say->post.choices[i], TELEGRAM_CHOICE_MAX));
        json_object_end(w);
    }
    json_array_end(w);
    json_bool_member(w, "is_anonymous", false);
    json_bool_member(w, "allows_multiple_answers", say->post.choice_count > 1);
}

/* A poll has neither text nor caption: its keyboard, which is none, is what does not change. */
static void write_nothing(struct json_writer *w, void *ctx)
{
    (void)w, (void)ctx;
}

static int say_poll(struct telegram_say *say)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;
    int rc = find_sent(say, "editMessageReplyMarkup", write_nothing, NULL);

    if (rc != CHANNEL_MORE)
        return rc;
    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, true);
    write_poll(&w, say);
    telegram_write_reply(&w, &say->post);
    if (say->post.quiet)
        json_bool_member(&w, "disable_notification", true);
    json_object_end(&w);
    rc = telegram_say_json(say, "sendPoll", &json, true);
    if (rc != 0)
        return rc;
    telegram_say_add(say, telegram_say_id(say));
    telegram_say_add(say, str_printf(say->arena, "poll:%.*s",
                              STR_ARG(json_str(json_path(say->answer.result, "poll.id")))));
    return 0;
}

/* It may be repeated: the second time changes nothing. A Bot API server that does not know the
 * method (404) shows none; what is said behind it does not wait for that. */
static int say_reaction(struct telegram_say *say)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;
    int64_t id;
    int rc;

    if (!str_to_i64(say->post.message_id, &id))
        return telegram_say_refuse("a reaction needs a message");
    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, false);
    json_i64_member(&w, "message_id", id);
    json_name(&w, "reaction");
    json_array_begin(&w);
    if (!str_empty(say->post.body)) {
        json_object_begin(&w);
        json_cstr_member(&w, "type", "emoji");
        json_str_member(&w, "emoji", say->post.body);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    rc = telegram_say_json(say, "setMessageReaction", &json, false);
    return rc == ERR_UNAUTHORIZED || rc == ERR_PROTOCOL ? CHANNEL_REFUSED : rc;
}

/* Who is out already has left. */
static int say_leave(struct telegram_say *say)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;
    int rc;

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, false);
    json_object_end(&w);
    rc = telegram_say_json(say, "leaveChat", &json, false);
    return rc == CHANNEL_GONE ? 0 : rc;
}

/* One that is closed or gone takes no votes either. */
static int say_stop(struct telegram_say *say)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;
    int64_t id;
    int rc;

    if (!str_to_i64(say->post.message_id, &id))
        return telegram_say_refuse("a poll that ends needs a message");
    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, false);
    json_i64_member(&w, "message_id", id);
    json_object_end(&w);
    rc = telegram_say_json(say, "stopPoll", &json, false);
    return rc == CHANNEL_REFUSED ? 0 : rc;
}

/* A preview was told to wait: that holds for what follows it. */
static int64_t held_ms(const struct telegram_say *say)
{
    return telegram_left(
        say->telegram->memory, TELEGRAM_HELD, say->place.chat_id, env_mono_ms(say->telegram->env));
}

int telegram_send(struct channel *channel, const struct outbox_row *row, struct arena *arena,
    struct channel_sent *ret_sent)
{
    struct telegram_say say = {.telegram = telegram_of(channel),
        .api = telegram_api_of(telegram_of(channel)),
        .arena = arena,
        .sent = ret_sent};
    int rc = outbox_read(row, arena, &say.post);

    if (rc == 0)
        rc = telegram_place_of(row->chat_key, &say.place);
    if (rc < 0)
        return rc;
    ret_sent->retry_after_ms = held_ms(&say);
    if (ret_sent->retry_after_ms > 0) {
        err_set(ERR_BUSY, "Telegram said to wait in this chat");
        return CHANNEL_RETRY;
    }
    switch (say.post.kind) {
    case OUTBOX_TEXT:
    case OUTBOX_EDIT:
        return telegram_say_text(&say, say.post.body, TELEGRAM_TEXT_MAX);
    case OUTBOX_DOCUMENT:
        return say_document(&say);
    case OUTBOX_POLL:
        return say_poll(&say);
    case OUTBOX_REACTION:
        return say_reaction(&say);
    case OUTBOX_LEAVE:
        return say_leave(&say);
    case OUTBOX_POLL_STOP:
        return say_stop(&say);
    }
    return telegram_say_refuse("this kind of message is not known");
}
