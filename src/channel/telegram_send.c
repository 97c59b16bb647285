/* What an outbox row says, as calls of the Bot API: one message a call of telegram_send(). */
#include "channel/telegram_send.h"

#include "base/log.h"
#include "text/telegram_html.h"

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

int telegram_say_call(struct telegram_say *say, const struct telegram_call *call)
{
    int rc = telegram_call(&say->api, call, say->arena, &say->answer);

    say->sent->retry_after_ms = say->answer.retry_after_ms;
    if (rc == CHANNEL_MOVED)
        say->sent->moved_to = say->answer.moved_to;
    return rc;
}

int telegram_say_json(
    struct telegram_say *say, const char *method, const struct buf *json, bool once)
{
    struct telegram_call call = {.method = method, .json = buf_str(json), .once = once};

    return telegram_say_call(say, &call);
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

static int refuse(const char *why)
{
    err_set(ERR_FAILED, "%s", why);
    return CHANNEL_REFUSED;
}

static struct str answered_id(const struct telegram_say *say)
{
    int64_t id = json_get_i64(say->answer.result, "message_id", 0);

    return str_printf(say->arena, "%lld", (long long)id);
}

static bool refused(const struct telegram_say *say, int rc, enum telegram_refusal refusal)
{
    return rc == CHANNEL_REFUSED && say->answer.refusal == refusal;
}

/* A part of a text. */
struct piece {
    struct telegram_say *say;
    const struct telegram_part *part;
    bool plain, first, last;
};

static void write_content(struct json_writer *w, const struct piece *piece)
{
    json_str_member(w, "text", piece->plain ? piece->part->plain : piece->part->html);
    if (!piece->plain)
        json_cstr_member(w, "parse_mode", "HTML");
    json_raw_member(w, "link_preview_options", STR("{\"is_disabled\":true}"));
}

static void write_button(struct json_writer *w, const struct outbox_button *button)
{
    json_object_begin(w);
    json_str_member(w, "text", button->text);
    if (!str_empty(button->url))
        json_str_member(w, "url", button->url);
    else
        json_str_member(w, "callback_data", button->data);
    json_object_end(w);
}

static void write_buttons(struct json_writer *w, const struct outbox_post *post)
{
    if (post->button_count == 0)
        return;
    json_name(w, "reply_markup");
    json_object_begin(w);
    json_name(w, "inline_keyboard");
    json_array_begin(w);
    for (size_t i = 0; i < post->button_count; i++) {
        if (i == 0 || post->buttons[i].new_row)
            json_array_begin(w);
        write_button(w, &post->buttons[i]);
        if (i + 1 == post->button_count || post->buttons[i + 1].new_row)
            json_array_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void write_reply(struct json_writer *w, const struct outbox_post *post)
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

/* How a message stands, whether it is sent or edited to be so. */
static void write_state(struct json_writer *w, void *ctx)
{
    const struct piece *piece = ctx;

    write_content(w, piece);
    if (piece->last)
        write_buttons(w, &piece->say->post);
}

static int send_piece(struct piece *piece, bool with_reply)
{
    struct telegram_say *say = piece->say;
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, true);
    write_state(&w, piece);
    if (piece->first && with_reply)
        write_reply(&w, &say->post);
    if (say->post.quiet)
        json_bool_member(&w, "disable_notification", true);
    json_object_end(&w);
    return telegram_say_json(say, "sendMessage", &json, true);
}

static int edit_piece(struct piece *piece, struct str message_id)
{
    struct telegram_say *say = piece->say;
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, false);
    json_raw_member(&w, "message_id", message_id);
    write_state(&w, piece);
    json_object_end(&w);
    return telegram_say_json(say, "editMessageText", &json, false);
}

/* The message as text without markup, when Telegram does not understand its markup. */
static bool without_markup(struct piece *piece, int rc)
{
    if (piece->plain || !refused(piece->say, rc, TELEGRAM_BAD_MARKUP))
        return false;
    log_warn("telegram.markup", LOG_ERR);
    piece->plain = piece->say->sent->plain = true;
    return true;
}

/* It may be there already: then its id is taken. 0 when it is, CHANNEL_MORE when it is to be sent.
 */
static int find_piece(struct piece *piece)
{
    struct telegram_say *say = piece->say;
    struct str id = STR("");
    int rc;

    do
        rc = telegram_probe(say, "editMessageText", write_state, piece, &id);
    while (without_markup(piece, rc));
    if (rc != 0)
        return rc;
    say->sent->unsure = false;
    say->sent->looked = 0;
    if (str_empty(id))
        return CHANNEL_MORE;
    telegram_say_add(say, id);
    return 0;
}

static int say_new(struct piece *piece)
{
    struct telegram_say *say = piece->say;
    int rc = say->sent->unsure ? find_piece(piece) : CHANNEL_MORE;

    if (rc != CHANNEL_MORE)
        return rc;
    rc = send_piece(piece, true);
    if (without_markup(piece, rc))
        rc = send_piece(piece, true);
    if (refused(say, rc, TELEGRAM_NO_REPLIED))
        rc = send_piece(piece, false);
    if (rc == 0)
        telegram_say_add(say, answered_id(say));
    return rc;
}

/* An edit may be repeated: what it changed already it does not change again. */
static int say_in_place(struct piece *piece, struct str message_id)
{
    struct telegram_say *say = piece->say;
    int rc = edit_piece(piece, message_id);

    if (without_markup(piece, rc))
        rc = edit_piece(piece, message_id);
    if (refused(say, rc, TELEGRAM_NOT_MODIFIED))
        rc = 0;
    if (rc == 0) {
        say->sent->unsure = false;
        telegram_say_add(say, message_id);
    }
    return rc;
}

static int say_text(struct telegram_say *say, struct str markdown, size_t limit, size_t skip)
{
    struct telegram_part *parts;
    size_t count, at = say->sent->parts - skip;
    struct str in_place = say->post.message_id;
    struct piece piece;
    int64_t id;
    int rc;

    telegram_render(say->arena, markdown, limit, &parts, &count);
    if (at >= count)
        return count > 0 || skip > 0 ? 0 : refuse("the message shows nothing");
    piece = (struct piece){.say = say,
        .part = &parts[at],
        .plain = say->sent->plain,
        .first = say->sent->parts == 0,
        .last = at + 1 == count};
    if (piece.first && str_to_i64(in_place, &id)) {
        rc = say_in_place(&piece, in_place);
        /* A preview that people deleted: the answer is still due. */
        if (refused(say, rc, TELEGRAM_NO_MESSAGE) && say->post.kind == OUTBOX_TEXT)
            rc = say_new(&piece);
    } else {
        rc = say_new(&piece);
    }
    return rc == 0 && !piece.last ? CHANNEL_MORE : rc;
}

int telegram_send(struct channel *channel, const struct outbox_row *row, struct arena *arena,
    struct channel_sent *ret_sent)
{
    struct telegram_say say = {
        .api = telegram_api_of(telegram_of(channel)), .arena = arena, .sent = ret_sent};
    int rc = outbox_read(row, arena, &say.post);

    if (rc == 0)
        rc = telegram_place_of(row->chat_key, &say.place);
    if (rc < 0)
        return rc;
    switch (say.post.kind) {
    case OUTBOX_TEXT:
    case OUTBOX_EDIT:
        return say_text(&say, say.post.body, TELEGRAM_TEXT_MAX, 0);
    default:
        return refuse("this kind of message is not known");
    }
}
