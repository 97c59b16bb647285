#include "text/name.h"

/* Letters that may go on a name. Scripts without spaces, emoji and punctuation end it. */
static bool name_letter(uint32_t cp)
{
    if (cp < 0x80)
        return char_is_alnum((char)cp) || cp == '_';
    return cp >= 0xc0 && cp < 0x2000;
}

static uint32_t code_point_before(struct str text, size_t at)
{
    size_t from = at - 1;

    while (from > 0 && at - from < 4 && ((unsigned char)text.ptr[from] & 0xc0) == 0x80)
        from--;
    return utf8_next(text, &from);
}

static bool letter_at(struct str text, size_t at)
{
    return at < text.len && name_letter(utf8_next(text, &at));
}

/* Does a name of len bytes stand at at as a word of its own? "theo-like", "theo.io", "Theo|away",
 * "x/theo" and "ana@theo" are other words. */
static bool whole_name(struct str text, size_t at, size_t len)
{
    if (at > 0) {
        uint32_t before = code_point_before(text, at);
        bool joint = before < 0x80 && strchr("-/.@|#\\", (int)before) != NULL;
        if (name_letter(before) || before == '#')
            return false;
        if (joint && at > 1 && name_letter(code_point_before(text, at - 1)))
            return false;
    }
    size_t end = at + len;
    if (letter_at(text, end))
        return false;
    return !(end < text.len && strchr("-.@|`^", text.ptr[end]) != NULL && text.ptr[end] != '\0' &&
             letter_at(text, end + 1));
}

ptrdiff_t name_find(struct str text, struct str name, size_t from)
{
    if (name.len == 0)
        return -1;
    for (;;) {
        ptrdiff_t at = str_find_nocase(text, name, from);
        if (at < 0 || whole_name(text, (size_t)at, name.len))
            return at;
        from = (size_t)at + 1;
    }
}
