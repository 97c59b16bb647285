#include "extract/plain.h"

/* Windows-1252, 0x80 to 0x9f (https://encoding.spec.whatwg.org/index-windows-1252.txt). */
static const uint16_t upper[32] = {0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d,
    0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178};

static void put(struct buf *out, uint32_t cp)
{
    char bytes[4];

    buf_add(out, bytes, utf8_encode(cp, bytes));
}

static uint32_t unit(struct str bytes, size_t at, bool big)
{
    uint32_t first = (unsigned char)bytes.ptr[at], second = (unsigned char)bytes.ptr[at + 1];

    return big ? first << 8 | second : second << 8 | first;
}

static void decode_utf16(struct str bytes, bool big, size_t max, struct buf *out)
{
    for (size_t i = 2; i + 1 < bytes.len && out->len <= max; i += 2) {
        uint32_t cp = unit(bytes, i, big);

        if (cp >= 0xd800 && cp <= 0xdbff && i + 3 < bytes.len) {
            uint32_t low = unit(bytes, i + 2, big);

            if (low >= 0xdc00 && low <= 0xdfff) {
                cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        put(out, cp);
    }
}

static void decode_1252(struct str bytes, size_t max, struct buf *out)
{
    for (size_t i = 0; i < bytes.len && out->len <= max; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        put(out, c >= 0x80 && c < 0xa0 ? upper[c - 0x80] : c);
    }
}

bool plain_decode(
    struct str bytes, size_t max, struct arena *arena, struct str *ret_text, bool *ret_cut)
{
    struct buf out = BUF_IN(arena);
    struct str text = bytes;

    if (str_starts(bytes, STR("\xff\xfe")) || str_starts(bytes, STR("\xfe\xff"))) {
        decode_utf16(bytes, bytes.ptr[0] == '\xfe', max, &out);
        text = buf_str(&out);
    } else if (str_find_char(bytes, '\0', 0) >= 0) {
        return false;
    } else if (utf8_valid(bytes)) {
        if (str_starts(text, STR("\xef\xbb\xbf")))
            text = str_slice(text, 3, text.len);
    } else {
        decode_1252(bytes, max, &out);
        text = buf_str(&out);
    }
    *ret_cut = text.len > max;
    *ret_text = utf8_truncate(text, max);
    return true;
}
