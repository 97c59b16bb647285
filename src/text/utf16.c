#include "text/utf16.h"

/* Move *pos over one code point; the units it counts. */
static size_t step(struct str s, size_t *pos)
{
    return utf8_next(s, pos) > 0xffff ? 2 : 1;
}

size_t utf16_to_byte(struct str s, size_t unit)
{
    size_t units = 0, pos = 0;

    while (pos < s.len && units < unit) {
        size_t next = pos;

        units += step(s, &next);
        if (units > unit)
            break;
        pos = next;
    }
    return pos;
}

size_t utf16_from_byte(struct str s, size_t byte)
{
    size_t units = 0, pos = 0;

    while (pos < s.len) {
        size_t next = pos, more = step(s, &next);

        if (next > byte)
            break;
        units += more;
        pos = next;
    }
    return units;
}

bool utf16_slice(struct str s, int64_t offset, int64_t length, struct str *ret_slice)
{
    size_t from, to;

    if (offset < 0 || length <= 0 || offset > INT32_MAX || length > INT32_MAX)
        return false;
    from = utf16_to_byte(s, (size_t)offset);
    to = utf16_to_byte(s, (size_t)(offset + length));
    /* Only a border of a code point gives back the unit that was asked for. */
    if (utf16_from_byte(s, from) != (size_t)offset ||
        utf16_from_byte(s, to) != (size_t)(offset + length))
        return false;
    *ret_slice = str_slice(s, from, to);
    return true;
}
