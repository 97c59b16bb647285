#include "base/buf.h"
#include "base/str.h"

#define REPLACEMENT 0xfffd

/* Bytes of the sequence that starts at p, 0 when it is not valid (Unicode, table 3-7). */
static size_t sequence_len(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    if (p[0] < 0xe0) {
        len = 2;
    } else if (p[0] < 0xf0) {
        len = 3;
        if (p[0] == 0xe0)
            low = 0xa0; /* no overlong form */
        else if (p[0] == 0xed)
            high = 0x9f; /* no surrogate */
    } else {
        len = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        else if (p[0] == 0xf4)
            high = 0x8f; /* nothing above U+10FFFF */
    }
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Position of the first byte from at on that does not belong to a valid sequence; s.len if none. */
static size_t valid_until(struct str s, size_t at)
{
    while (at < s.len) {
        uint64_t words[2];

        if (s.len - at >= sizeof(words)) {
            memcpy(words, s.ptr + at, sizeof(words));
            if (!((words[0] | words[1]) & 0x8080808080808080u)) {
                at += sizeof(words);
                continue;
            }
        }

        size_t len = sequence_len((const unsigned char *)s.ptr + at, s.len - at);

        if (!len)
            return at;
        at += len;
    }
    return at;
}

size_t utf8_valid_len(struct str s)
{
    return valid_until(s, 0);
}

bool utf8_valid(struct str s)
{
    return valid_until(s, 0) == s.len;
}

uint32_t utf8_next(struct str s, size_t *pos)
{
    const unsigned char *p = (const unsigned char *)s.ptr + *pos;
    size_t len = sequence_len(p, s.len - *pos);

    *pos += len ? len : 1;
    switch (len) {
    case 0:
        return REPLACEMENT;
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    case 3:
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
               (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    }
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        cp = REPLACEMENT;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

struct str utf8_truncate(struct str s, size_t max)
{
    if (s.len <= max)
        return s;

    size_t cut = max;

    /* A sequence has at most three continuation bytes; more of them are no text anyway. */
    while (cut > 0 && max - cut < 3 && ((unsigned char)s.ptr[cut] & 0xc0) == 0x80)
        cut--;
    if (((unsigned char)s.ptr[cut] & 0xc0) == 0x80)
        cut = max;
    return str_slice(s, 0, cut);
}

struct str utf8_clean(struct arena *arena, struct str s)
{
    size_t good = valid_until(s, 0);

    if (good == s.len)
        return s;

    struct buf out = BUF_IN(arena);
    size_t at = 0;

    buf_reserve(&out, s.len + 16);
    while (at < s.len) {
        buf_add(&out, s.ptr + at, good - at);
        if (good < s.len)
            buf_add(&out, "\xef\xbf\xbd", 3);
        at = good + 1;
        if (at < s.len)
            good = valid_until(s, at);
    }
    return buf_str(&out);
}

size_t utf16_len(struct str s)
{
    size_t units = 0, pos = 0;

    while (pos < s.len)
        units += utf8_next(s, &pos) > 0xffff ? 2 : 1;
    return units;
}
