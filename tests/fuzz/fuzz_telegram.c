#include "../unit/text/telegram_check.h"
#include "text/telegram_html.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Whatever comes in, each part is a message that Telegram takes, and the parts are the whole. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct telegram_part *parts, *whole;
    size_t count, whole_count, limit = TELEGRAM_CAPTION_MAX;
    struct arena arena;
    struct str text, rest;

    if (len == 0)
        return 0;
    limit += bytes[0] * 12u;
    text = (struct str){(const char *)bytes + 1, len - 1};
    arena_init(&arena);
    telegram_render(&arena, text, SIZE_MAX, &whole, &whole_count);
    telegram_render(&arena, text, limit, &parts, &count);
    rest = whole_count ? whole[0].plain : STR("");
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t at = str_find(rest, parts[i].plain, 0);

        if (telegram_check(&arena, parts[i].html, limit, NULL) ||
            utf16_len(parts[i].plain) > limit || at < 0 ||
            !str_empty(str_trim(str_slice(rest, 0, (size_t)at))))
            abort();
        rest = str_slice(rest, (size_t)at + parts[i].plain.len, rest.len);
    }
    arena_deinit(&arena);
    return 0;
}
