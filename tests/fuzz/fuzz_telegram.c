#include "../unit/text/telegram_check.h"
#include "text/telegram_html.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void add_letters(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!char_is_space(text.ptr[i]))
            buf_add_char(out, text.ptr[i]);
}

/* Everything but the white space of all parts. Each must be a message that Telegram takes. */
static struct str letters(struct arena *arena, struct str markdown, size_t limit)
{
    struct buf out = BUF_IN(arena);
    struct telegram_part *parts;
    size_t count;

    telegram_render(arena, markdown, limit, &parts, &count);
    for (size_t i = 0; i < count; i++) {
        if (telegram_check(arena, parts[i].html, limit, NULL) || utf16_len(parts[i].plain) > limit)
            abort();
        add_letters(&out, parts[i].plain);
    }
    return buf_str(&out);
}

/* Cutting loses nothing. The first byte says the limit, the second how often the rest is repeated,
 * so that there are parts. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena arena;
    struct buf text = BUF_IN(&arena);
    size_t limit;

    if (len < 2)
        return 0;
    arena_init(&arena);
    for (int i = 0; i <= bytes[1]; i += 16)
        buf_add(&text, bytes + 2, len - 2);
    limit = TELEGRAM_CAPTION_MAX + bytes[0] * 12u;
    if (!str_eq(letters(&arena, buf_str(&text), SIZE_MAX), letters(&arena, buf_str(&text), limit)))
        abort();
    arena_deinit(&arena);
    return 0;
}
