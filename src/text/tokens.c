#include "text/tokens.h"

/* Quarters of a token per code point, from the habits of byte-pair vocabularies of 100,000 and more
 * entries: words of Latin letters take 4 to 5 bytes a token, digits go in groups of up to three,
 * punctuation often stands alone, other alphabets take about two letters, CJK one character, and
 * an emoji two or three tokens. ASCII by table: letters and space 1; digits and line feed 2; the
 * others 3. */
static const unsigned char ascii_quarters[128] = {
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    2,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    1,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    3,
    3,
    3,
    3,
    3,
    3,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    3,
    3,
    3,
    3,
    3,
};

static int64_t quarters(uint32_t cp)
{
    if (cp < 0x80)
        return ascii_quarters[cp];
    if (cp < 0x250)
        return 2; /* accented Latin splits words */
    if (cp < 0x2E80)
        return 3; /* Greek, Cyrillic, Arabic, Indic, symbols */
    return cp < 0x10000 ? 4 : 10;
}

/* Eight bytes at once. */
static bool is_ascii(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return (word & 0x8080808080808080u) == 0;
}

int64_t tokens_estimate(struct str text)
{
    int64_t sum = 0;

    for (size_t pos = 0; pos < text.len;) {
        for (; text.len - pos >= 8 && is_ascii(text.ptr + pos); pos += 8)
            for (size_t i = 0; i < 8; i++)
                sum += ascii_quarters[(unsigned char)text.ptr[pos + i]];
        while (pos < text.len && (unsigned char)text.ptr[pos] < 0x80)
            sum += ascii_quarters[(unsigned char)text.ptr[pos++]];
        if (pos < text.len)
            sum += quarters(utf8_next(text, &pos));
    }
    return (sum + 3) / 4;
}
