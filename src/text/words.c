#include "text/words.h"

/* U+2019, which phones and word processors put for the apostrophe. */
static size_t apostrophe_at(struct str s, size_t at)
{
    if (at < s.len && s.ptr[at] == '\'')
        return 1;
    return at + 3 <= s.len && memcmp(s.ptr + at, "\xe2\x80\x99", 3) == 0 ? 3 : 0;
}

static bool same_word(const char *want, struct str word)
{
    size_t at = 0;

    for (; *want != '\0'; want++) {
        size_t step = *want == '\'' ? apostrophe_at(word, at) : 0;
        if (step == 0) {
            if (at >= word.len || char_lower(word.ptr[at]) != *want)
                return false;
            step = 1;
        }
        at += step;
    }
    return at == word.len;
}

bool words_have(const char *const *list, size_t count, struct str word)
{
    if (word.len == 0)
        return false;
    char first = char_lower(word.ptr[0]);
    for (size_t i = 0; i < count; i++) {
        if (list[i][0] == first && same_word(list[i], word))
            return true;
    }
    return false;
}

/* The typographic apostrophe is made of bytes beyond ASCII, the other punctuation of U+2000 to
 * U+206F (dashes, quotes, ellipsis) too, yet it parts words. */
static size_t punctuation_at(struct str s, size_t at)
{
    if (at + 3 > s.len || (unsigned char)s.ptr[at] != 0xe2)
        return 0;
    unsigned char second = (unsigned char)s.ptr[at + 1];
    return second == 0x80 || second == 0x81 ? 3 : 0;
}

static bool word_byte_at(struct str s, size_t at)
{
    return at < s.len && char_is_word(s.ptr[at]) && punctuation_at(s, at) == 0;
}

bool words_next(struct str text, size_t *pos, struct str *ret_word)
{
    size_t at = *pos;

    while (at < text.len && !word_byte_at(text, at)) {
        size_t skip = punctuation_at(text, at);
        at += skip != 0 ? skip : 1;
    }
    if (at >= text.len)
        return false;

    size_t from = at;
    while (at < text.len) {
        if (word_byte_at(text, at)) {
            at++;
            continue;
        }
        size_t joint = apostrophe_at(text, at);
        if (joint == 0 && text.ptr[at] == '-')
            joint = 1;
        if (joint == 0 || !word_byte_at(text, at + joint))
            break;
        at += joint;
    }
    *pos = at;
    *ret_word = str_slice(text, from, at);
    return true;
}

bool words_any(struct str text, const char *const *list, size_t count)
{
    struct str word;

    for (size_t pos = 0; words_next(text, &pos, &word);) {
        if (words_have(list, count, word))
            return true;
    }
    return false;
}
