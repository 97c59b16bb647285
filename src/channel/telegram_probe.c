/* Whether a message is there whose sending was cut off before the answer came.
 *
 * Telegram has no idempotency key and no way to read a chat. But an edit to exactly what a message
 * is already is refused as "message is not modified", an edit of somebody else's message as one
 * that cannot be edited, and one of an id that is not there as not found. Ids grow within a chat.
 * So the ids after the newest one that was known before the try are asked, one after the other;
 * where a limit interrupts it, the next try goes on behind the last one.
 *
 * An edit that succeeds has changed another message of ours: what it was cannot be brought back.
 * So ids that are known to be other messages of ours, sent or shown as previews, are never asked,
 * topics of one chat are not sent to at the same time, and rows of one chat are asked for in their
 * order. What is left is a message of ours that nothing here knows: a preview whose id was lost
 * with its process. It now reads as this message should and is taken; if it stands in another
 * topic, it is deleted, as what is said in one topic is not for others.
 */
#include "base/log.h"
#include "channel/telegram_send.h"

enum {
    LOOK_GROUP = 20, /* ids of a supergroup's own row; four in a row that are not there end it */
    GAP_GROUP = 4,
    LOOK_ACCOUNT = 10, /* ids that all private chats and small groups share */
};

static int64_t newest_known(const struct telegram_say *say)
{
    const struct str given[] = {say->sent->after, say->post.reply_to, say->post.message_id};
    const struct json *sent = NULL;
    int64_t newest = 0, id;

    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        if (str_to_i64(given[i], &id))
            newest = MAX(newest, id);
    if (json_parse(say->arena, say->sent->message_ids, &sent) < 0)
        return newest;
    for (const struct json *n = json_first(sent); n; n = json_next(n))
        if (str_to_i64(json_str(n), &id))
            newest = MAX(newest, id);
    return newest;
}

static bool is_other(const struct telegram_say *say, int64_t candidate)
{
    for (size_t i = 0; i < say->sent->ours_count; i++) {
        int64_t id;
        if (str_to_i64(say->sent->ours[i], &id) && id == candidate)
            return true;
    }
    return telegram_is_preview(
        say->telegram->memory, &say->place, candidate, env_mono_ms(say->telegram->env));
}

/* Edit one message to what it should be. */
static int ask(struct telegram_say *say, const char *method, int64_t id,
    void (*write)(struct json_writer *w, void *ctx), void *ctx)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, false);
    json_i64_member(&w, "message_id", id);
    write(&w, ctx);
    json_object_end(&w);
    return telegram_say_json(say, method, &json, false);
}

/* The message that was changed just now stands where this one belongs. */
static bool is_here(const struct telegram_say *say)
{
    int64_t topic = 0, found = json_get_i64(say->answer.result, "message_thread_id", 0);

    if (!json_get_bool(say->answer.result, "is_topic_message", false))
        found = 0;
    return (str_empty(say->place.topic_id) || str_to_i64(say->place.topic_id, &topic)) &&
           topic == found;
}

static void take_away(struct telegram_say *say, int64_t id)
{
    struct buf json = BUF_IN(say->arena);
    struct json_writer w;

    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, &say->place, false);
    json_i64_member(&w, "message_id", id);
    json_object_end(&w);
    if (telegram_say_json(say, "deleteMessage", &json, false) != 0)
        log_warn("telegram.delete", LOG_I64("message", id), LOG_ERR);
}

int telegram_probe(struct telegram_say *say, const char *method,
    void (*write)(struct json_writer *w, void *ctx), void *ctx, struct str *ret_message_id)
{
    bool supergroup = str_starts(say->place.chat_id, STR("-100"));
    size_t most = supergroup ? LOOK_GROUP : LOOK_ACCOUNT, missing = 0;
    int64_t id = newest_known(say);

    if (id <= 0)
        most = 0; /* nothing to begin at */
    while (say->sent->looked < most && !(supergroup && missing == GAP_GROUP)) {
        int rc;

        if (is_other(say, ++id)) {
            missing = 0;
            continue;
        }
        rc = ask(say, method, id, write, ctx);
        if (rc == 0 && !is_here(say)) {
            take_away(say, id);
            rc = CHANNEL_REFUSED;
        }
        if (rc == 0 || (rc == CHANNEL_REFUSED && say->answer.refusal == TELEGRAM_NOT_MODIFIED)) {
            log_info("telegram.found", LOG_I64("message", id), LOG_BOOL("edited", rc == 0));
            *ret_message_id = str_printf(say->arena, "%lld", (long long)id);
            return 0;
        }
        if (rc != CHANNEL_REFUSED || say->answer.refusal == TELEGRAM_BAD_MARKUP)
            return rc;
        missing =
            str_find_nocase(say->answer.description, STR("not found"), 0) >= 0 ? missing + 1 : 0;
        say->sent->looked++;
        say->sent->after = str_printf(say->arena, "%lld", (long long)id);
    }
    *ret_message_id = STR("");
    return 0;
}
