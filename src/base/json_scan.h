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

/* Sixteen bytes at once, by whatever vector instructions the processor has. */
typedef unsigned char json_bytes __attribute__((vector_size(16)));

static inline json_bytes json_load(const char *at)
{
    json_bytes bytes;

    memcpy(&bytes, at, sizeof(bytes));
    return bytes;
}

static inline bool json_any(json_bytes bytes)
{
    uint64_t words[2];

    memcpy(words, &bytes, sizeof(words));
    return (words[0] | words[1]) != 0;
}

/* Which bytes are below 0x20, a quote or a backslash. */
static inline json_bytes json_special(json_bytes bytes)
{
    return (json_bytes)(bytes < 0x20) | (json_bytes)(bytes == '"') | (json_bytes)(bytes == '\\');
}

/* Position of the first byte from at on that is below 0x20, a quote or a backslash; text.len if
 * there is none. */
static inline size_t json_plain_end(struct str text, size_t at)
{
    while (text.len - at >= sizeof(json_bytes) && !json_any(json_special(json_load(text.ptr + at))))
        at += sizeof(json_bytes);
    while (at < text.len && (unsigned char)text.ptr[at] >= 0x20 && text.ptr[at] != '"' &&
           text.ptr[at] != '\\')
        at++;
    return at;
}

#endif
