#include "channel/telegram.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static size_t bars(struct str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == '|';
    return count;
}

static bool is_text(struct str s)
{
    for (size_t pos = 0; pos < s.len;) {
        size_t at = pos;

        /* U+FFFD is three bytes when it was written, and fewer when it stands for a broken one. */
        if (utf8_next(s, &pos) == 0xfffd && pos - at != 3)
            return false;
    }
    return true;
}

#define DATE_MAX_MS 253402300799000 /* the year 9999 ends */

/* Whatever is delivered is refused, or read into strings that are text and an exact key. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config config = {.telegram_token = "77:abc",
        .telegram_api_root = "http://127.0.0.1:1",
        .telegram_webhook_url = ""};
    struct channel_update update;
    struct telegram *telegram;
    struct channel *channel;
    struct arena arena;

    if (channel_telegram.open(&config, env_system(), &channel) < 0)
        abort();
    telegram = (struct telegram *)channel;
    telegram->username = xstrdup("theo");
    arena_init(&arena);
    if (telegram_read(channel, (struct str){(const char *)bytes, len}, &arena, &update) == 0 &&
        (!str_starts(update.id, STR("telegram|77|")) || !is_text(update.text) ||
            !is_text(update.from.name) || !is_text(update.command) || !is_text(update.arguments) ||
            update.at_ms < 0 || update.at_ms > DATE_MAX_MS || !is_text(update.reply_to_text) ||
            !is_text(update.joined) || (!str_empty(update.command) && update.text.ptr[0] != '/') ||
            (!str_empty(update.chat_key) && bars(update.chat_key) != 3)))
        abort();
    arena_deinit(&arena);
    channel_telegram.close(channel);
    return 0;
}
