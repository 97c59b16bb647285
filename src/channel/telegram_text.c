/* A text, part by part: sent, edited in place of a preview, without markup when Telegram does not
 * take it. */
#include "base/log.h"
#include "channel/telegram_send.h"
#include "text/telegram_html.h"

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

void telegram_write_buttons(struct json_writer *w, const struct outbox_post *post)
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

/* How a message stands, whether it is sent or edited to be so. */
static void write_state(struct json_writer *w, void *ctx)
{
    const struct piece *piece = ctx;

    write_content(w, piece);
    if (piece->last)
        telegram_write_buttons(w, &piece->say->post);
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
        telegram_write_reply(&w, &say->post);
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
    if (piece->plain || !telegram_say_refused(piece->say, rc, TELEGRAM_BAD_MARKUP))
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
    if (telegram_say_refused(say, rc, TELEGRAM_NO_REPLIED))
        rc = send_piece(piece, false);
    if (rc == 0)
        telegram_say_add(say, telegram_say_id(say));
    return rc;
}

/* An edit may be repeated: what it changed already it does not change again. */
static int say_in_place(struct piece *piece, struct str message_id)
{
    struct telegram_say *say = piece->say;
    int rc = edit_piece(piece, message_id);

    if (without_markup(piece, rc))
        rc = edit_piece(piece, message_id);
    if (telegram_say_refused(say, rc, TELEGRAM_NOT_MODIFIED))
        rc = 0;
    if (rc == 0) {
        say->sent->unsure = false;
        telegram_say_add(say, message_id);
    }
    return rc;
}

int telegram_say_text(struct telegram_say *say, struct str markdown, size_t limit)
{
    struct telegram_part *parts;
    size_t count, at = say->sent->parts;
    struct str in_place = say->post.message_id;
    struct piece piece;
    int64_t id;
    int rc;

    telegram_render(say->arena, markdown, limit, &parts, &count);
    if (at >= count)
        return count > 0 ? 0 : telegram_say_refuse("the message shows nothing");
    piece = (struct piece){.say = say,
        .part = &parts[at],
        .plain = say->sent->plain,
        .first = say->sent->parts == 0,
        .last = at + 1 == count};
    if (piece.first && str_to_i64(in_place, &id)) {
        rc = say_in_place(&piece, in_place);
        /* A preview that people deleted: the answer is still due. */
        if (telegram_say_refused(say, rc, TELEGRAM_NO_MESSAGE) && say->post.kind == OUTBOX_TEXT)
            rc = say_new(&piece);
    } else {
        rc = say_new(&piece);
    }
    return rc == 0 && !piece.last ? CHANNEL_MORE : rc;
}
