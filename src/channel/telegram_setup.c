/* What Telegram has to be told once: where to deliver, and which commands to show. Only what
 * differs is set: setMyCommands at every start locks a bot out for minutes. The secret of a webhook
 * cannot be read back; the caller remembers a hash of it. */
#include "base/log.h"
#include "channel/telegram.h"
#include "runtime/fiber.h"

#include <sodium.h>

struct setting_up {
    struct telegram_api api;
    const struct channel_setup *setup;
    struct arena *arena;
    struct channel_report *report;
    const struct config *config;
    size_t stale; /* menus that were, or are, not as they should be */
};

enum { TRIES = 4, PATIENCE_MS = 60 * SECOND_MS };

static void PRINTF_LIKE(3, 4)
    say(struct setting_up *s, enum channel_finding state, const char *fmt, ...)
{
    struct channel_report *report = s->report;
    struct buf text = BUF_IN(s->arena);
    va_list args;

    if (report->count == CHANNEL_FINDINGS_MAX)
        return;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    report->findings[report->count].state = state;
    report->findings[report->count++].text = buf_str(&text);
}

/* Yields. Twelve menus one after the other are more than Telegram takes at once from some bots: it
 * is waited for as long as it says, up to a minute. */
static int call(
    struct setting_up *s, const char *method, struct str json, const struct json **ret_result)
{
    struct telegram_call call = {.method = method, .json = json};
    struct telegram_answer answer;
    int rc;

    for (int tried = 1;; tried++) {
        answer = (struct telegram_answer){0};
        rc = telegram_call(&s->api, &call, s->arena, &answer);
        if (rc != CHANNEL_RETRY || tried == TRIES || answer.retry_after_ms <= 0 ||
            answer.retry_after_ms > PATIENCE_MS)
            break;
        log_info("telegram.wait", LOG_ERR, LOG_I64("after_ms", answer.retry_after_ms));
        rc = fiber_sleep(answer.retry_after_ms);
        if (rc < 0)
            return rc;
    }
    *ret_result = answer.result;
    return rc > 0 ? err_set(ERR_UNAVAILABLE, "Telegram did not do %s: %.*s", method,
                        STR_ARG(answer.description))
                  : rc;
}

static struct str secret_hash(struct setting_up *s)
{
    unsigned char hash[16];
    struct buf out = BUF_IN(s->arena);
    struct str text = str_printf(
        s->arena, "%s\n%s", s->config->telegram_webhook_secret, s->config->telegram_webhook_url);

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)text.ptr, text.len, NULL, 0);
    for (size_t i = 0; i < sizeof(hash); i++)
        buf_printf(&out, "%02x", hash[i]);
    return buf_str(&out);
}

static int check_bot(struct setting_up *s)
{
    const struct json *me;
    int rc = call(s, "getMe", STR(""), &me);

    if (rc < 0)
        return rc;
    say(s, CHANNEL_FINE, "The token works: @%.*s.", STR_ARG(json_get_str(me, "username")));
    if (!json_get_bool(me, "can_read_all_group_messages", false))
        say(s, CHANNEL_TO_FIX,
            "Privacy mode is on: in groups Theo hears only commands, mentions and replies. Send "
            "/setprivacy to @BotFather, choose Disable, and add the bot to its groups again.");
    if (!json_get_bool(me, "can_join_groups", true))
        say(s, CHANNEL_TO_FIX,
            "The bot may not join groups: send /setjoingroups to @BotFather and choose Enable.");
    return 0;
}

static bool same_updates(const struct json *info, struct arena *arena)
{
    const struct json *want, *have = json_get(info, "allowed_updates");
    size_t found = 0;

    if (json_parse(arena, STR(TELEGRAM_ALLOWED_UPDATES), &want) < 0)
        return false;
    for (const struct json *one = json_first(want); one; one = json_next(one))
        for (const struct json *other = json_first(have); other; other = json_next(other))
            found += str_eq(json_str(one), json_str(other));
    return found == json_len(want) && json_len(have) == json_len(want);
}

static int set_webhook(struct setting_up *s)
{
    const struct json *result;
    struct buf out = BUF_IN(s->arena);
    struct json_writer w;
    int rc;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "url", s->config->telegram_webhook_url);
    json_cstr_member(&w, "secret_token", s->config->telegram_webhook_secret);
    json_raw_member(&w, "allowed_updates", STR(TELEGRAM_ALLOWED_UPDATES));
    json_object_end(&w);
    rc = call(s, "setWebhook", buf_str(&out), &result);
    if (rc == 0)
        say(s, CHANNEL_CHANGED, "Telegram delivers to %s now.", s->config->telegram_webhook_url);
    return rc;
}

static void tell_trouble(struct setting_up *s, const struct json *info)
{
    struct str error = json_get_str(info, "last_error_message");
    int64_t at = json_get_i64(info, "last_error_date", 0);

    if (!str_empty(error))
        say(s, CHANNEL_TO_FIX, "The last delivery that failed (%.*s): %.*s",
            STR_ARG(rfc3339(s->arena, at * SECOND_MS)), STR_ARG(error));
    if (json_get_i64(info, "pending_update_count", 0) > 0)
        say(s, CHANNEL_FINE, "%lld updates wait to be delivered.",
            (long long)json_get_i64(info, "pending_update_count", 0));
}

static int delete_webhook(struct setting_up *s, struct str url)
{
    const struct json *result;
    int rc = call(s, "deleteWebhook", STR("{}"), &result);

    if (rc == 0)
        say(s, CHANNEL_CHANGED, "The webhook %.*s is removed.", STR_ARG(url));
    return rc;
}

static int check_webhook(struct setting_up *s)
{
    const char *url = s->config->telegram_webhook_url;
    const struct json *info;
    struct str now;
    int rc = call(s, "getWebhookInfo", STR(""), &info);

    if (rc < 0)
        return rc;
    now = json_get_str(info, "url");
    s->report->secret_hash = secret_hash(s);
    tell_trouble(s, info);
    if (s->setup->remove || url[0] == '\0') {
        if (s->setup->change && !str_empty(now))
            return delete_webhook(s, now);
        say(s, CHANNEL_FINE, "%s",
            str_empty(now) ? "No webhook: Theo asks for updates by long polling."
                           : "A webhook is set, which long polling cannot work beside: run "
                             "`theo telegram setup`.");
        return 0;
    }
    if (s->config->telegram_webhook_secret[0] == '\0')
        return err_field(ERR_INVALID, "telegram.webhook-secret",
            "telegram.webhook-url needs telegram.webhook-secret beside it: 1 to 256 of A-Z a-z 0-9 "
            "_ -, such as `openssl rand -hex 32` makes.");
    if (str_is(now, url) && same_updates(info, s->arena) &&
        str_eq(s->setup->secret_hash, s->report->secret_hash)) {
        say(s, CHANNEL_FINE, "The webhook is set: %s", url);
        return 0;
    }
    if (s->setup->change)
        return set_webhook(s);
    say(s, CHANNEL_TO_FIX, "The webhook is not as configured: run `theo telegram setup`.");
    return 0;
}

static bool same_commands(
    const struct json *have, const struct channel_command *commands, size_t count)
{
    size_t i = 0;

    if (json_len(have) != count)
        return false;
    for (const struct json *one = json_first(have); one; one = json_next(one), i++)
        if (!str_eq(json_get_str(one, "command"), commands[i].name) ||
            !str_eq(json_get_str(one, "description"), commands[i].help))
            return false;
    return true;
}

static struct str commands_json(
    struct setting_up *s, const struct channel_menu *menu, size_t count, bool with)
{
    struct buf out = BUF_IN(s->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    if (menu->scope[0]) {
        json_name(&w, "scope");
        json_object_begin(&w);
        json_cstr_member(&w, "type", menu->scope);
        json_object_end(&w);
    }
    if (menu->language[0])
        json_cstr_member(&w, "language_code", menu->language);
    if (with) {
        json_name(&w, "commands");
        json_array_begin(&w);
        for (size_t i = 0; i < count; i++) {
            json_object_begin(&w);
            json_str_member(&w, "command", menu->commands[i].name);
            json_str_member(&w, "description", menu->commands[i].help);
            json_object_end(&w);
        }
        json_array_end(&w);
    }
    json_object_end(&w);
    return buf_str(&out);
}

static int check_menu(struct setting_up *s, const struct channel_menu *menu)
{
    const struct json *have, *result;
    size_t count = s->setup->remove ? 0 : menu->count;
    int rc = call(s, "getMyCommands", commands_json(s, menu, 0, false), &have);

    if (rc < 0 || same_commands(have, menu->commands, count))
        return rc;
    s->stale++;
    return s->setup->change ? call(s, "setMyCommands", commands_json(s, menu, count, true), &result)
                            : 0;
}

static int check_menus(struct setting_up *s)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < s->setup->menu_count; i++)
        rc = check_menu(s, &s->setup->menus[i]);
    if (rc < 0 || s->stale == 0)
        return rc;
    if (!s->setup->change)
        say(s, CHANNEL_TO_FIX,
            "Menus of commands that are not current: %zu of %zu. Run `theo telegram setup`.",
            s->stale, s->setup->menu_count);
    else
        say(s, CHANNEL_CHANGED,
            s->setup->remove ? "Menus of commands taken away: %zu."
                             : "Menus of commands set: %zu (private chats, groups; by language).",
            s->stale);
    return 0;
}

int telegram_setup(struct channel *channel, const struct channel_setup *setup, struct arena *arena,
    struct channel_report *ret_report)
{
    const struct telegram *telegram = telegram_of(channel);
    struct setting_up s = {.api = telegram_api_of(telegram),
        .setup = setup,
        .arena = arena,
        .report = ret_report,
        .config = telegram->config};
    int rc;

    *ret_report = (struct channel_report){.secret_hash = setup->secret_hash};
    rc = check_bot(&s);
    if (rc == 0)
        rc = check_webhook(&s);
    if (rc == 0)
        rc = check_menus(&s);
    if (rc == 0 && telegram->config->telegram_allow[0] == '\0')
        say(&s, CHANNEL_TO_FIX,
            "telegram.allow is empty: nobody is answered until a chat pairs with a code (`theo "
            "telegram pair`).");
    return rc;
}
