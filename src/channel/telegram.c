#include "channel/telegram.h"

#include "channel/telegram_poll.h"
#include "channel/telegram_send.h"

static bool enabled(const struct config *config)
{
    return config->telegram_token[0] != '\0';
}

/* "123456:ABC…" */
static bool token_valid(struct str token, struct str *ret_bot_id)
{
    ptrdiff_t colon = str_find_char(token, ':', 0);
    int64_t id;

    if (colon <= 0 || colon > 20 || token.len > 200 || (size_t)colon + 1 == token.len)
        return false;
    for (size_t i = (size_t)colon + 1; i < token.len; i++)
        if (!char_is_alnum(token.ptr[i]) && token.ptr[i] != '_' && token.ptr[i] != '-')
            return false;
    *ret_bot_id = str_slice(token, 0, (size_t)colon);
    return str_to_i64(*ret_bot_id, &id) && id > 0;
}

static int open_telegram(
    const struct config *config, const struct env *env, struct channel **ret_channel)
{
    struct telegram *telegram;
    struct str bot_id;

    if (!token_valid(str_from(config->telegram_token), &bot_id))
        return err_field(ERR_INVALID, "telegram.token",
            "telegram.token is not a bot token: @BotFather gives one such as 123456:ABC-DEF…");
    if (!str_starts(str_from(config->telegram_api_root), STR("http")))
        return err_field(ERR_INVALID, "telegram.api-root",
            "telegram.api-root must be an http or https address.");
    if (config->telegram_webhook_url[0] &&
        !str_starts(str_from(config->telegram_webhook_url), STR("https://")))
        return err_field(ERR_INVALID, "telegram.webhook-url",
            "telegram.webhook-url must be an https address, such as "
            "https://theo.example/telegram/webhook: Telegram calls no other.");
    telegram = xcalloc(1, sizeof(*telegram));
    telegram->base.ops = &channel_telegram;
    telegram->config = config;
    telegram->env = env;
    telegram->bot_id = str_heap(bot_id);
    telegram->memory = telegram_memory_new();
    pthread_mutex_init(&telegram->mutex, NULL);
    *ret_channel = (struct channel *)telegram;
    return 0;
}

static void close_telegram(struct channel *channel)
{
    struct telegram *telegram = (struct telegram *)channel;

    pthread_mutex_destroy(&telegram->mutex);
    telegram_memory_free(telegram->memory);
    free(telegram->bot_id);
    free(telegram->username);
    free(telegram->name);
    free(telegram);
}

static struct channel_who who(const struct channel *channel)
{
    struct telegram *telegram = (struct telegram *)channel;
    struct channel_who who = {.id = str_from(telegram->bot_id)};

    pthread_mutex_lock(&telegram->mutex);
    who.username = str_from(telegram->username);
    who.name = str_from(telegram->name);
    pthread_mutex_unlock(&telegram->mutex);
    return who;
}

/* One asks at a time; the loops that come second find it known. */
static int connect_telegram(struct channel *channel)
{
    struct telegram *telegram = (struct telegram *)channel;
    struct telegram_api api = telegram_api_of(telegram);
    struct telegram_call call = {.method = "getMe"};
    struct telegram_answer answer;
    struct arena arena;
    int rc;

    if (!str_empty(who(channel).username))
        return 0;
    arena_init(&arena);
    rc = telegram_call(&api, &call, &arena, &answer);
    if (rc == 0 && str_empty(json_get_str(answer.result, "username")))
        rc = err_set(ERR_PROTOCOL, "getMe answered without a username; is telegram.api-root a Bot "
                                   "API server?");
    pthread_mutex_lock(&telegram->mutex);
    if (rc == 0 && !telegram->username) {
        telegram->name = str_heap(json_get_str(answer.result, "first_name"));
        telegram->username = str_heap(json_get_str(answer.result, "username"));
    }
    pthread_mutex_unlock(&telegram->mutex);
    arena_deinit(&arena);
    return rc > 0 ? ERR_UNAVAILABLE : rc;
}

const struct channel_ops channel_telegram = {
    .name = "telegram",
    .enabled = enabled,
    .open = open_telegram,
    .close = close_telegram,
    .connect = connect_telegram,
    .who = who,
    .setup = telegram_setup,
    .read = telegram_read,
    .poll = telegram_poll,
    .send = telegram_send,
    .typing = telegram_typing,
    .preview = telegram_preview,
    .answer_press = telegram_answer_press,
    .download = telegram_download,
    .is_admin = telegram_is_admin,
};
