#include "base/str.h"

#include "base/buf.h"

#include <math.h>

struct str str_from(const char *cstr)
{
    return cstr ? (struct str){cstr, strlen(cstr)} : STR("");
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    to = MIN(to, s.len);
    from = MIN(from, to);
    return (struct str){s.ptr + from, to - from};
}

static bool equal_nocase(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (char_lower(a[i]) != char_lower(b[i]))
            return false;
    return true;
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && equal_nocase(a.ptr, b.ptr, a.len);
}

int str_cmp(struct str a, struct str b)
{
    size_t common = MIN(a.len, b.len);
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && equal_nocase(s.ptr, prefix.ptr, prefix.len);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

ptrdiff_t str_find(struct str s, struct str needle, size_t from)
{
    if (from > s.len || needle.len > s.len - from)
        return -1;
    if (needle.len == 0)
        return (ptrdiff_t)from;

    const char *hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);

    return hit ? hit - s.ptr : -1;
}

ptrdiff_t str_find_nocase(struct str s, struct str needle, size_t from)
{
    if (from > s.len || needle.len > s.len - from)
        return -1;
    if (needle.len == 0)
        return (ptrdiff_t)from;

    char first = char_lower(needle.ptr[0]);

    for (size_t i = from; i <= s.len - needle.len; i++)
        if (char_lower(s.ptr[i]) == first && equal_nocase(s.ptr + i, needle.ptr, needle.len))
            return (ptrdiff_t)i;
    return -1;
}

ptrdiff_t str_find_char(struct str s, char c, size_t from)
{
    if (from >= s.len)
        return -1;

    const char *hit = memchr(s.ptr + from, c, s.len - from);

    return hit ? hit - s.ptr : -1;
}

ptrdiff_t str_rfind_char(struct str s, char c)
{
    const char *hit = s.len ? memrchr(s.ptr, c, s.len) : NULL;

    return hit ? hit - s.ptr : -1;
}

struct str str_trim(struct str s)
{
    while (s.len && char_is_space(s.ptr[0]))
        s.ptr++, s.len--;
    while (s.len && char_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_next(struct str *rest, char sep, struct str *ret_part)
{
    if (!rest->ptr)
        return false;

    ptrdiff_t at = str_find_char(*rest, sep, 0);

    if (at < 0) {
        *ret_part = *rest;
        *rest = (struct str){NULL, 0};
    } else {
        *ret_part = str_slice(*rest, 0, (size_t)at);
        *rest = str_slice(*rest, (size_t)at + 1, rest->len);
    }
    return true;
}

static char *copy_terminated(char *to, struct str s)
{
    if (s.len)
        memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
    return to;
}

struct str str_dup(struct arena *arena, struct str s)
{
    return (struct str){str_cstr(arena, s), s.len};
}

char *str_cstr(struct arena *arena, struct str s)
{
    return copy_terminated(arena_alloc(arena, s.len + 1), s);
}

char *str_heap(struct str s)
{
    return copy_terminated(xmalloc(s.len + 1), s);
}

struct str str_lower(struct arena *arena, struct str s)
{
    char *copy = str_cstr(arena, s);

    for (size_t i = 0; i < s.len; i++)
        copy[i] = char_lower(copy[i]);
    return (struct str){copy, s.len};
}

struct str str_printf(struct arena *arena, const char *fmt, ...)
{
    struct buf buf = BUF_IN(arena);
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&buf, fmt, args);
    va_end(args);
    return buf_str(&buf);
}

struct str str_from_i64(struct arena *arena, int64_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    return str_dup(arena, (struct str){at, (size_t)(digits + sizeof(digits) - at)});
}

bool str_to_i64(struct str s, int64_t *ret_value)
{
    bool negative = s.len && s.ptr[0] == '-';
    int64_t value = 0;

    if (s.len == negative)
        return false;
    /* Counted downwards: the lowest number has no positive counterpart. */
    for (size_t i = negative; i < s.len; i++) {
        if (!char_is_digit(s.ptr[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, s.ptr[i] - '0', &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *ret_value = negative ? value : -value;
    return true;
}

static size_t skip_digits(struct str s, size_t at)
{
    while (at < s.len && char_is_digit(s.ptr[at]))
        at++;
    return at;
}

/* -?digits(.digits)?([eE][+-]?digits)?: no hexadecimal, infinity or NaN, which strtod would take.
 */
static bool is_decimal(struct str s)
{
    size_t at = s.len && s.ptr[0] == '-', start = at;

    at = skip_digits(s, at);
    if (at == start)
        return false;
    if (at < s.len && s.ptr[at] == '.') {
        start = ++at;
        at = skip_digits(s, at);
        if (at == start)
            return false;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-'))
            at++;
        start = at;
        at = skip_digits(s, at);
        if (at == start)
            return false;
    }
    return at == s.len;
}

bool str_to_double(struct str s, double *ret_value)
{
    char text[400];

    if (s.len >= sizeof(text) || !is_decimal(s))
        return false;

    double value = strtod(copy_terminated(text, s), NULL);

    if (!isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

#define NEAR_MAX 120

/* Levenshtein's distance. b has fewer than NEAR_MAX bytes. */
static size_t distance(struct str a, struct str b)
{
    size_t costs[NEAR_MAX];

    for (size_t k = 0; k <= b.len; k++)
        costs[k] = k;
    for (size_t i = 0; i < a.len; i++) {
        size_t corner = costs[0];

        costs[0] = i + 1;
        for (size_t k = 0; k < b.len; k++) {
            size_t replaced = corner + (a.ptr[i] != b.ptr[k]);

            corner = costs[k + 1];
            costs[k + 1] = MIN(replaced, MIN(costs[k], costs[k + 1]) + 1);
        }
    }
    return costs[b.len];
}

bool str_near_try(struct str_near *near, struct str word)
{
    size_t away;

    if (near->name.len >= NEAR_MAX || word.len >= NEAR_MAX)
        return false;
    away = distance(near->name, word);
    if (away >= near->least || away * 2 > near->name.len)
        return false;
    near->least = away;
    near->best = word;
    return true;
}
