/* Inside of base/json.h: the strict check of a JSON text, and what its steps share with the copy
 * made for cJSON and with the writer. Nobody else includes this. No recursion, nothing allocated.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/json.h"

/* Numbers of this length or more do not fit cJSON's buffer. */
#define JSON_LONG_NUMBER 60

/* Check grammar, UTF-8, depth and numbers. 0 or ERR_INVALID. ret_rewrite: the text holds something
 * that cJSON would not read as we want (an escaped NUL, half a surrogate pair, a long number). */
MUST_CHECK int json_scan(struct str text, bool *ret_rewrite);

/* Length of the escape whose backslash stands at at: 2, 6, or 12 for a surrogate pair; 0 if it is
 * none. *ret_bad is set, never cleared, when it stands for NUL or half a surrogate pair. */
size_t json_escape_len(struct str text, size_t at, bool *ret_bad);

/* Position behind the characters of numbers that start at at. */
size_t json_number_end(struct str text, size_t at);

#define EVERY_BYTE(b) (0x0101010101010101u * (b))

/* The high bit of a byte is set where word may hold a byte below 0x20, a quote or a backslash, see
 * "Determine if a word has a zero byte" in graphics.stanford.edu/~seander/bithacks.html. A byte
 * above the first such one may be marked wrongly; if none is marked there is none. */
static inline uint64_t json_special(uint64_t word)
{
    uint64_t quote = word ^ EVERY_BYTE('"'), backslash = word ^ EVERY_BYTE('\\');
    uint64_t hit = ((word - EVERY_BYTE(0x20)) & ~word) | ((quote - EVERY_BYTE(1)) & ~quote) |
                   ((backslash - EVERY_BYTE(1)) & ~backslash);

    return hit & EVERY_BYTE(0x80);
}

/* Position of the first byte from at on that is below 0x20, a quote or a backslash; text.len if
 * there is none. */
static inline size_t json_plain_end(struct str text, size_t at)
{
    uint64_t word;

    while (text.len - at >= sizeof(word)) {
        memcpy(&word, text.ptr + at, sizeof(word));
        if (json_special(word))
            break;
        at += sizeof(word);
    }
    while (at < text.len && (unsigned char)text.ptr[at] >= 0x20 && text.ptr[at] != '"' &&
           text.ptr[at] != '\\')
        at++;
    return at;
}

#endif
