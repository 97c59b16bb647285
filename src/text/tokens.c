#include "text/tokens.h"

/* Quarters of a token per code point, from the habits of byte-pair vocabularies of 100,000 and more
 * entries: words of Latin letters take 4 to 5 bytes a token, digits go in groups of up to three,
 * punctuation often stands alone, other alphabets take about two letters, CJK one character, and
 * an emoji two or three tokens. */
static int64_t quarters(uint32_t cp)
{
    if (cp < 0x80) {
        if (char_is_alpha((char)cp) || cp == ' ')
            return 1;
        return cp == '\n' || char_is_digit((char)cp) ? 2 : 3;
    }
    if (cp < 0x250)
        return 2; /* accented Latin splits words */
    if (cp < 0x2E80)
        return 3; /* Greek, Cyrillic, Arabic, Indic, symbols */
    return cp < 0x10000 ? 4 : 10;
}

int64_t tokens_estimate(struct str text)
{
    int64_t sum = 0;
    for (size_t pos = 0; pos < text.len;)
        sum += quarters((unsigned char)text.ptr[pos] < 0x80 ? (unsigned char)text.ptr[pos++]
                                                            : utf8_next(text, &pos));
    return (sum + 3) / 4;
}
