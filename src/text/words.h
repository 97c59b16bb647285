/* Short lists of English words, and the words of a text.
 *
 * A list is an array of lower-case constants; looking a word up ignores ASCII case and takes the
 * typographic apostrophe for the plain one. Pure, does not yield.
 */
#ifndef TEXT_WORDS_H
#define TEXT_WORDS_H

#include "base/str.h"

#define WORDS_HAVE(list, word) words_have((list), ARRAY_LEN(list), (word))

bool words_have(const char *const *list, size_t count, struct str word);

/* The same for a long list in order of bytes, without typographic apostrophes: log(count) steps. */
#define WORDS_SORTED_HAVE(list, word) words_sorted_have((list), ARRAY_LEN(list), (word))
bool words_sorted_have(const char *const *list, size_t count, struct str word);

/* Does this byte belong to a word? Letters, digits, "_" and everything beyond ASCII. */
static inline bool char_is_word(char c)
{
    return char_is_alnum(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The next word of text at or after *pos (letters, digits, inner apostrophes and hyphens), *pos
 * moves behind it. False at the end. */
bool words_next(struct str text, size_t *pos, struct str *ret_word);

/* Does text hold any word of the list? */
bool words_any(struct str text, const char *const *list, size_t count);
#define WORDS_ANY(text, list) words_any((text), (list), ARRAY_LEN(list))

/* Does text hold one of the phrases, whole words, ASCII case ignored? */
bool words_phrase(struct str text, const char *const *phrases, size_t count);
#define WORDS_PHRASE(text, list) words_phrase((text), (list), ARRAY_LEN(list))

#endif
