#include "text/words.h"

/* U+2019, which phones and word processors put for the apostrophe. */
static size_t apostrophe_at(struct str s, size_t at)
{
    if (at < s.len && s.ptr[at] == '\'')
        return 1;
    return at + 3 <= s.len && memcmp(s.ptr + at, "\xe2\x80\x99", 3) == 0 ? 3 : 0;
}

/* How many bytes at the start of text spell want; 0 when they do not. */
static size_t spelled(const char *want, struct str text)
{
    size_t at = 0;

    for (; *want != '\0'; want++) {
        size_t step = *want == '\'' ? apostrophe_at(text, at) : 0;
        if (step == 0) {
            if (at >= text.len || char_lower(text.ptr[at]) != *want)
                return 0;
            step = 1;
        }
        at += step;
    }
    return at;
}

bool words_have(const char *const *list, size_t count, struct str word)
{
    if (word.len == 0)
        return false;
    char first = char_lower(word.ptr[0]);
    for (size_t i = 0; i < count; i++) {
        if (list[i][0] == first && spelled(list[i], word) == word.len)
            return true;
    }
    return false;
}

/* Compare word, lower-cased, with a constant. */
static int word_cmp(struct str word, const char *want)
{
    for (size_t i = 0; i < word.len; i++) {
        int order = (unsigned char)char_lower(word.ptr[i]) - (unsigned char)want[i];
        if (order != 0 || want[i] == '\0')
            return order;
    }
    return want[word.len] == '\0' ? 0 : -1;
}

bool words_sorted_have(const char *const *list, size_t count, struct str word)
{
    size_t from = 0, to = count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = word_cmp(word, list[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
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

/* Where the words of a part of a text begin, and a bit for each byte that one begins with, by its
 * lowest five bits, which are the same for both cases of a letter. */
struct starts {
    struct str rest[32];
    size_t count;
    uint32_t firsts;
};

static uint32_t first_bit(char c)
{
    return (uint32_t)1 << (c & 31);
}

static bool next_starts(struct str text, size_t *pos, struct starts *starts)
{
    struct str word;

    starts->count = 0;
    starts->firsts = 0;
    while (starts->count < ARRAY_LEN(starts->rest) && words_next(text, pos, &word)) {
        starts->rest[starts->count++] = str_slice(text, (size_t)(word.ptr - text.ptr), text.len);
        starts->firsts |= first_bit(word.ptr[0]);
    }
    return starts->count > 0;
}

static bool starts_with_phrase(const struct starts *starts, const char *phrase)
{
    for (size_t i = 0; i < starts->count; i++) {
        struct str rest = starts->rest[i];
        size_t len = char_lower(rest.ptr[0]) == phrase[0] ? spelled(phrase, rest) : 0;

        if (len > 0 && !word_byte_at(rest, len))
            return true;
    }
    return false;
}

bool words_phrase(struct str text, const char *const *phrases, size_t count)
{
    struct starts starts;

    for (size_t pos = 0; next_starts(text, &pos, &starts);)
        for (size_t i = 0; i < count; i++)
            if ((starts.firsts & first_bit(phrases[i][0])) &&
                starts_with_phrase(&starts, phrases[i]))
                return true;
    return false;
}
