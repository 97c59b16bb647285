/* Questions to Telegram beside the stream of messages: presses of buttons, files, admins. */
#include "base/log.h"
#include "channel/telegram_send.h"
#include "text/utf16.h"

enum { CALL_MS = 5 * SECOND_MS, PRESS_TEXT_MAX = 200 };
#define ADMIN_MS (5 * MINUTE_MS)

/* An outcome that is no ERR_* as one, for those who only want to know whether it worked. */
static int as_error(int rc)
{
    return rc > 0 ? ERR_UNAVAILABLE : rc;
}

/* Late answers are refused; the person has seen the message change by then. */
void telegram_answer_press(
    struct channel *channel, struct str press_id, struct str text, bool alert)
{
    struct telegram_api api = telegram_api_of(telegram_of(channel));
    struct telegram_call call = {.method = "answerCallbackQuery", .timeout_ms = CALL_MS};
    struct telegram_answer answer;
    struct json_writer w;
    struct arena arena;
    struct buf json;
    int rc;

    arena_init(&arena);
    json = BUF_IN(&arena);
    text = str_slice(text, 0, utf16_to_byte(text, PRESS_TEXT_MAX));
    json_init(&w, &json);
    json_object_begin(&w);
    json_str_member(&w, "callback_query_id", press_id);
    if (!str_empty(text))
        json_str_member(&w, "text", text);
    json_bool_member(&w, "show_alert", alert);
    json_object_end(&w);
    call.json = buf_str(&json);
    rc = telegram_call(&api, &call, &arena, &answer);
    if (rc != 0 && answer.refusal != TELEGRAM_LATE)
        log_warn("telegram.press", LOG_ERR);
    arena_deinit(&arena);
}

int telegram_download(struct channel *channel, const struct channel_file *file, size_t max,
    struct arena *arena, struct str *ret_bytes)
{
    struct telegram_api api = telegram_api_of(telegram_of(channel));
    struct telegram_call call = {.method = "getFile"};
    struct telegram_answer answer;
    struct buf json = BUF_IN(arena);
    struct json_writer w;
    int rc;

    if (file->size > 0 && (uint64_t)file->size > max)
        return err_set(ERR_TOO_LARGE, "the file is larger than %zu bytes", max);
    json_init(&w, &json);
    json_object_begin(&w);
    json_str_member(&w, "file_id", file->id);
    json_object_end(&w);
    call.json = buf_str(&json);
    rc = telegram_call(&api, &call, arena, &answer);
    if (rc == CHANNEL_REFUSED)
        return str_find_nocase(answer.description, STR("too big"), 0) >= 0 ? ERR_TOO_LARGE
                                                                           : ERR_NOT_FOUND;
    if (rc != 0)
        return rc == ERR_CANCELLED ? rc : ERR_IO;
    if (json_get_i64(answer.result, "file_size", 0) > (int64_t)max)
        return err_set(ERR_TOO_LARGE, "the file is larger than %zu bytes", max);
    return telegram_fetch(&api, json_get_str(answer.result, "file_path"), max, arena, ret_bytes);
}

static int ask_member(const struct telegram_api *api, const struct telegram_place *place,
    int64_t person, bool *ret_admin)
{
    struct telegram_call call = {.method = "getChatMember"};
    struct telegram_answer answer;
    struct json_writer w;
    struct arena arena;
    struct buf json;
    int rc;

    arena_init(&arena);
    json = BUF_IN(&arena);
    json_init(&w, &json);
    json_object_begin(&w);
    telegram_write_place(&w, place, false);
    json_i64_member(&w, "user_id", person);
    json_object_end(&w);
    call.json = buf_str(&json);
    rc = telegram_call(api, &call, &arena, &answer);
    if (rc == 0) {
        struct str status = json_get_str(answer.result, "status");
        *ret_admin = str_is(status, "creator") || str_is(status, "administrator");
    }
    arena_deinit(&arena);
    return as_error(rc);
}

int telegram_is_admin(struct channel *channel, struct str chat_key, struct str person_id)
{
    struct telegram *telegram = (struct telegram *)channel;
    struct telegram_api api = telegram_api_of(telegram);
    int64_t now_ms = env_mono_ms(telegram->env), person;
    struct telegram_place place;
    char name[64];
    bool admin = false;
    int rc = telegram_place_of(chat_key, &place);

    if (rc < 0)
        return rc;
    /* An anonymous admin writes as the group itself. */
    if (!str_starts(place.chat_id, STR("-")) || str_eq(person_id, place.chat_id))
        return 1;
    if (!str_to_i64(person_id, &person) || person <= 0)
        return 0;
    snprintf(name, sizeof(name), "%.*s|%lld", STR_ARG(place.chat_id), (long long)person);
    rc = telegram_recall(telegram->memory, TELEGRAM_ADMIN, str_from(name), now_ms);
    if (rc >= 0)
        return rc;
    rc = ask_member(&api, &place, person, &admin);
    if (rc < 0)
        return rc;
    telegram_note(telegram->memory, TELEGRAM_ADMIN, str_from(name), admin, now_ms + ADMIN_MS);
    return admin;
}
