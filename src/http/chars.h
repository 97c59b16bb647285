/* Byte classes of RFC 9110 section 5.6, shared by the head parser and the chunked decoder. */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "base/str.h"

/* One of the bytes that tokens (methods, field names) are made of. */
static inline bool http_is_token_char(char c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    return char_is_alnum(c) || (c != '\0' && memchr(others, c, sizeof(others) - 1) != NULL);
}

/* A byte that may stand in a field value: visible, space, tab or above ASCII. */
static inline bool http_is_value_char(char c)
{
    unsigned char byte = (unsigned char)c;

    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static inline int http_hex_digit(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
