/* Strings as pointer and length, and the questions asked of them.
 *
 * A struct str does not own its bytes, need not end in NUL, and is passed by value. Functions that
 * make bytes take an arena. "Nocase" is ASCII only; Unicode case folding is not needed here.
 * Nothing here yields.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/arena.h"

struct str {
    const char *ptr;
    size_t len;
};

/* A constant as a str. */
#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
/* For printf("%.*s"). */
#define STR_ARG(s) (int)(s).len, (s).ptr

struct str str_from(const char *cstr);                      /* NULL gives an empty str */
struct str str_slice(struct str s, size_t from, size_t to); /* bounds are clamped */
static inline bool str_empty(struct str s)
{
    return s.len == 0;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_nocase(struct str a, struct str b);
/* Inline, so that the length of a constant is one, too. */
static inline bool str_is(struct str a, const char *cstr)
{
    return str_eq(a, (struct str){cstr, cstr ? strlen(cstr) : 0});
}

int str_cmp(struct str a, struct str b); /* bytewise, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Position of the first occurrence at or after from, or -1. */
ptrdiff_t str_find(struct str s, struct str needle, size_t from);
ptrdiff_t str_find_nocase(struct str s, struct str needle, size_t from);
ptrdiff_t str_find_char(struct str s, char c, size_t from);
ptrdiff_t str_rfind_char(struct str s, char c);
struct str str_trim(struct str s); /* ASCII white space at both ends */

/* Cut *rest at the first sep: the part before it is returned through ret_part, *rest is what
 * follows. False once *rest is used up (its ptr is then NULL). An empty last part is given. */
bool str_next(struct str *rest, char sep, struct str *ret_part);

struct str str_dup(struct arena *arena, struct str s);   /* also NUL-terminated */
char *str_cstr(struct arena *arena, struct str s);       /* NUL-terminated copy */
char *str_heap(struct str s);                            /* NUL-terminated copy; free() it */
struct str str_lower(struct arena *arena, struct str s); /* ASCII */
struct str str_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Whole string as a decimal number; false on anything else, or outside int64 / double. */
MUST_CHECK bool str_to_i64(struct str s, int64_t *ret_value);
MUST_CHECK bool str_to_double(struct str s, double *ret_value);

struct str str_from_i64(struct arena *arena, int64_t value); /* decimal */

/* UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). */
bool utf8_valid(struct str s);
/* Bytes of the longest valid prefix; s.len when all of it is valid. */
size_t utf8_valid_len(struct str s);
/* Decode the code point at *pos and move *pos behind it; an invalid byte gives U+FFFD and moves 1.
 * *pos must be < s.len. */
uint32_t utf8_next(struct str s, size_t *pos);
/* Write cp into out (4 bytes), return the count written (1 to 4). */
size_t utf8_encode(uint32_t cp, char out[4]);
/* The longest prefix of at most max bytes that does not cut a code point. */
struct str utf8_truncate(struct str s, size_t max);
/* Invalid sequences replaced by U+FFFD; s itself when it is valid. */
struct str utf8_clean(struct arena *arena, struct str s);
/* Length in UTF-16 code units. */
size_t utf16_len(struct str s);

/* Of words tried one after the other, the one that name is most likely a mistyped form of.
 *   struct str_near near = STR_NEAR(name); str_near_try(&near, word); … near.best.len > 0 */
struct str_near {
    struct str name, best;
    size_t least;
};
#define STR_NEAR(name)                                                                             \
    ((struct str_near){(name), {NULL, 0}, 5}) /* more than four slips are another word */
/* True when word is nearer than those before it; best is then word, which is not copied. */
bool str_near_try(struct str_near *near, struct str word);

static inline bool char_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool char_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool char_is_alnum(char c)
{
    return char_is_digit(c) || char_is_alpha(c);
}
static inline char char_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

#endif
