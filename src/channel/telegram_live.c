/* What is shown for the moment: that Theo types, and the beginning of an answer. It may be lost,
 * and never holds up the answer itself. */
#include "base/log.h"
#include "channel/telegram_send.h"
#include "runtime/loop.h"
#include "text/telegram_html.h"

enum {
    TYPING_MS = 4 * SECOND_MS, /* it is shown for 5 s */
    CALL_MS = 5 * SECOND_MS,
    DRAFT_EVERY_MS = 1 * SECOND_MS,
    EDIT_EVERY_MS = 1200, /* the first ones; a group has twenty messages and edits a minute */
};

void telegram_typing(struct channel *channel, struct str chat_key)
{
    struct telegram *telegram = (struct telegram *)channel;
    struct telegram_api api = telegram_api_of(telegram);
    struct telegram_call call = {.method = "sendChatAction", .timeout_ms = CALL_MS};
    struct telegram_place place;
    struct telegram_answer answer;
    int64_t now_ms = env_mono_ms(telegram->env);
    struct json_writer w;
    struct arena arena;
    struct buf json;

    if (telegram_recall(telegram->memory, TELEGRAM_TYPING, chat_key, now_ms) >= 0 ||
        telegram_place_of(chat_key, &place) < 0)
        return;
    telegram_note(telegram->memory, TELEGRAM_TYPING, chat_key, 1, now_ms + TYPING_MS);
    arena_init(&arena);
    json = BUF_IN(&arena);
    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &place, true);
    json_cstr_member(&w, "action", "typing");
    json_object_end(&w);
    call.json = buf_str(&json);
    if (telegram_call(&api, &call, &arena, &answer) != 0) {
        log_debug("telegram.typing", LOG_ERR);
        telegram_note(telegram->memory, TELEGRAM_TYPING, chat_key, 1,
            now_ms + MAX(answer.retry_after_ms, (int64_t)TYPING_MS));
    }
    arena_deinit(&arena);
}

/* A preview on its way. */
struct preview {
    struct telegram_api api;
    struct telegram_place place;
    struct arena *arena;
    struct outbox_post post; /* for its reply_to */
    const struct telegram_part *part;
    struct str draft_id, message_id; /* one of them, or none: it is the first */
    struct telegram_answer answer;
};

static int show(struct preview *preview, bool plain)
{
    struct buf json = BUF_IN(preview->arena);
    bool draft = !str_empty(preview->draft_id), edit = !str_empty(preview->message_id);
    struct telegram_call call = {.method = draft  ? "sendMessageDraft"
                                           : edit ? "editMessageText"
                                                  : "sendMessage",
        .once = !draft && !edit,
        .timeout_ms = CALL_MS};
    struct json_writer w;

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &preview->place, !edit);
    if (draft)
        json_raw_member(&w, "draft_id", preview->draft_id);
    if (edit)
        json_raw_member(&w, "message_id", preview->message_id);
    json_str_member(&w, "text", plain ? preview->part->plain : preview->part->html);
    if (!plain)
        json_cstr_member(&w, "parse_mode", "HTML");
    if (!draft)
        json_raw_member(&w, "link_preview_options", STR("{\"is_disabled\":true}"));
    if (!draft && !edit)
        telegram_write_reply(&w, &preview->post);
    json_object_end(&w);
    call.json = buf_str(&json);
    return telegram_call(&preview->api, &call, preview->arena, &preview->answer);
}

static bool wants_draft(const struct telegram *telegram, const struct telegram_place *place)
{
    struct str mode = str_from(telegram->config->telegram_stream);

    return !str_starts(place->chat_id, STR("-")) &&
           (str_is(mode, "auto") || str_is(mode, "drafts"));
}

/* What to go on with: a draft of our own number, or what message_id says. */
static int begin(const struct telegram *telegram, struct preview *preview, struct str message_id)
{
    int64_t id;

    if (str_starts(message_id, STR(TELEGRAM_DRAFT)))
        preview->draft_id = str_slice(message_id, strlen(TELEGRAM_DRAFT), message_id.len);
    else if (str_to_i64(message_id, &id))
        preview->message_id = message_id;
    else if (!str_empty(message_id))
        return err_set(ERR_UNAVAILABLE, "nobody knows where the preview is");
    else if (wants_draft(telegram, &preview->place))
        preview->draft_id =
            str_printf(preview->arena, "%d", (int)(env_random_u64(telegram->env) % 2000000000) + 1);
    else if (str_is(str_from(telegram->config->telegram_stream), "drafts"))
        return err_set(ERR_UNAVAILABLE, "there are drafts in private chats only");
    return 0;
}

/* The more was shown in this chat of late, the longer: ten edits in the first forty seconds. */
static int64_t pause_after(const struct telegram *telegram, const struct preview *preview)
{
    int64_t now_ms = env_mono_ms(telegram->env);
    int shown;

    if (!str_empty(preview->draft_id))
        return DRAFT_EVERY_MS;
    shown =
        MAX(telegram_recall(telegram->memory, TELEGRAM_SHOWN, preview->place.chat_id, now_ms), 0);
    telegram_note(
        telegram->memory, TELEGRAM_SHOWN, preview->place.chat_id, shown + 1, now_ms + MINUTE_MS);
    return EDIT_EVERY_MS + EDIT_EVERY_MS * shown / 2;
}

/* What follows from a call: 0 to go on. */
static int judge(struct preview *preview, int rc, struct str *message_id)
{
    if (rc == CHANNEL_REFUSED && preview->answer.refusal == TELEGRAM_NOT_MODIFIED)
        rc = 0;
    if (rc == CHANNEL_UNKNOWN && str_empty(preview->draft_id) && str_empty(preview->message_id))
        *message_id =
            str_printf(preview->arena, "%s%.*s", CHANNEL_LOST, STR_ARG(preview->post.reply_to));
    else if (rc == 0 && !str_empty(preview->draft_id))
        *message_id =
            str_printf(preview->arena, "%s%.*s", TELEGRAM_DRAFT, STR_ARG(preview->draft_id));
    else if (rc == 0 && str_empty(preview->message_id))
        *message_id = str_printf(preview->arena, "%lld",
            (long long)json_get_i64(preview->answer.result, "message_id", 0));
    if (rc == CHANNEL_RETRY)
        return 0;
    return rc > 0 ? err_wrap("no preview") : rc;
}

int telegram_preview(struct channel *channel, struct str chat_key, struct str reply_to,
    struct str text, struct arena *arena, struct str *message_id, int64_t *next_ms)
{
    struct telegram *telegram = (struct telegram *)channel;
    struct preview preview = {
        .api = telegram_api_of(telegram), .arena = arena, .post.reply_to = reply_to};
    struct telegram_part *parts;
    int64_t held_ms;
    size_t count;
    int rc = telegram_place_of(chat_key, &preview.place);

    if (rc == 0)
        rc = begin(telegram, &preview, *message_id);
    if (rc < 0)
        return rc;
    held_ms = telegram_left(
        telegram->memory, TELEGRAM_HELD, preview.place.chat_id, env_mono_ms(telegram->env));
    *next_ms = env_mono_ms(telegram->env) + MAX(held_ms, (int64_t)EDIT_EVERY_MS);
    if (held_ms > 0)
        return 0;
    telegram_render(arena, text, TELEGRAM_TEXT_MAX, &parts, &count);
    if (count == 0)
        return 0;
    preview.part = &parts[0];
    rc = show(&preview, false);
    if (rc == CHANNEL_REFUSED && preview.answer.refusal == TELEGRAM_BAD_MARKUP)
        rc = show(&preview, true);
    telegram_hold(telegram, &preview.place, &preview.answer);
    *next_ms = env_mono_ms(telegram->env) +
               MAX(pause_after(telegram, &preview), preview.answer.retry_after_ms);
    rc = judge(&preview, rc, message_id);
    telegram_note_preview(
        telegram->memory, &preview.place, *message_id, env_mono_ms(telegram->env));
    return rc;
}
