#include "base/json_scan.h"

#include "base/err.h"

enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after '[' */
    EXPECT_KEY,
    EXPECT_KEY_OR_END, /* after '{' */
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING, /* the root is complete */
};

struct scan {
    struct str text;
    size_t at;
    int depth;
    uint64_t objects; /* bit per depth: an object, not an array */
    bool rewrite;     /* holds something that cJSON would not read as we want */
};

static int fail(size_t at, const char *what)
{
    return err_set(ERR_INVALID, "not valid JSON: %s at byte %zu", what, at);
}

static void skip_space(struct scan *scan)
{
    const char *p = scan->text.ptr;

    while (scan->at < scan->text.len && (p[scan->at] == ' ' || p[scan->at] == '\n' ||
                                            p[scan->at] == '\r' || p[scan->at] == '\t'))
        scan->at++;
}

static int hex4(struct str text, size_t at)
{
    int value = 0;

    if (at > text.len || text.len - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = char_lower(text.ptr[i]);

        if (!char_is_digit(c) && (c < 'a' || c > 'f'))
            return -1;
        value = value * 16 + (char_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

size_t json_escape_len(struct str text, size_t at, bool *ret_bad)
{
    char c = at + 1 < text.len ? text.ptr[at + 1] : '\0';

    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) ? 2 : 0;

    int unit = hex4(text, at + 2);

    if (unit < 0)
        return 0;
    if (is_high_surrogate(unit) && str_starts(str_slice(text, at + 6, text.len), STR("\\u"))) {
        int low = hex4(text, at + 8);

        if (low >= 0xdc00 && low <= 0xdfff)
            return 12;
    }
    if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff))
        *ret_bad = true;
    return 6;
}

/* at stands on the opening quote. */
static int scan_string(struct scan *scan)
{
    size_t at = scan->at + 1;

    for (;;) {
        at = json_plain_end(scan->text, at);
        if (at == scan->text.len)
            return fail(scan->at, "a string without end");
        if (scan->text.ptr[at] == '"')
            break;
        if (scan->text.ptr[at] != '\\')
            return fail(at, "a control character in a string");

        size_t len = json_escape_len(scan->text, at, &scan->rewrite);

        if (!len)
            return fail(at, "an unknown escape");
        at += len;
    }
    scan->at = at + 1;
    return 0;
}

size_t json_number_end(struct str text, size_t at)
{
    while (at < text.len &&
           (char_is_digit(text.ptr[at]) || text.ptr[at] == '-' || text.ptr[at] == '+' ||
               text.ptr[at] == '.' || text.ptr[at] == 'e' || text.ptr[at] == 'E'))
        at++;
    return at;
}

static int scan_number(struct scan *scan)
{
    size_t end = json_number_end(scan->text, scan->at), start = scan->at;
    struct str number = str_slice(scan->text, start, end);
    struct str digits = str_slice(number, number.ptr[0] == '-', number.len);
    double value;

    if (digits.len > 1 && digits.ptr[0] == '0' && char_is_digit(digits.ptr[1]))
        return fail(start, "a number with a leading zero");
    scan->at = end;
    for (size_t i = 0; i < digits.len && digits.len <= 15; i++) {
        if (!char_is_digit(digits.ptr[i]))
            break;
        if (i + 1 == digits.len)
            return 0; /* the usual case: a short whole number */
    }
    if (!str_to_double(number, &value))
        return fail(start, "a number that is malformed, too long or too large");
    scan->rewrite |= number.len >= JSON_LONG_NUMBER;
    return 0;
}

static int scan_literal(struct scan *scan, struct str literal)
{
    if (!str_starts(str_slice(scan->text, scan->at, scan->text.len), literal))
        return fail(scan->at, "an unknown word");
    scan->at += literal.len;
    return 0;
}

static int open_level(struct scan *scan, bool object, enum expect *ret_next)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return fail(scan->at, "more than 64 levels of nesting");

    uint64_t bit = (uint64_t)1 << scan->depth++;

    scan->objects = object ? scan->objects | bit : scan->objects & ~bit;
    scan->at++;
    *ret_next = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return 0;
}

static enum expect after_value(const struct scan *scan)
{
    return scan->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static bool in_object(const struct scan *scan)
{
    return scan->depth && (scan->objects >> (scan->depth - 1) & 1);
}

static int scan_value(struct scan *scan, enum expect *ret_next)
{
    char c = scan->text.ptr[scan->at];

    *ret_next = after_value(scan);
    switch (c) {
    case '{':
    case '[':
        return open_level(scan, c == '{', ret_next);
    case '"':
        return scan_string(scan);
    case 't':
        return scan_literal(scan, STR("true"));
    case 'f':
        return scan_literal(scan, STR("false"));
    case 'n':
        return scan_literal(scan, STR("null"));
    default:
        if (c == '-' || char_is_digit(c))
            return scan_number(scan);
        return fail(scan->at, "no value where one is due");
    }
}

static int scan_key(struct scan *scan, enum expect *ret_next)
{
    if (scan->text.ptr[scan->at] != '"')
        return fail(scan->at, "no quoted member name where one is due");

    int r = scan_string(scan);

    if (r)
        return r;
    skip_space(scan);
    if (scan->at == scan->text.len || scan->text.ptr[scan->at] != ':')
        return fail(scan->at, "no colon where one is due");
    scan->at++;
    *ret_next = EXPECT_VALUE;
    return 0;
}

/* A comma, or the end of the innermost array or object. */
static int scan_separator(struct scan *scan, enum expect *ret_next)
{
    bool object = in_object(scan);
    char c = scan->text.ptr[scan->at];

    if (c == ',') {
        *ret_next = object ? EXPECT_KEY : EXPECT_VALUE;
    } else if (c == (object ? '}' : ']')) {
        scan->depth--;
        *ret_next = after_value(scan);
    } else {
        return fail(scan->at, "no comma or closing bracket where one is due");
    }
    scan->at++;
    return 0;
}

static int scan_token(struct scan *scan, enum expect expect, enum expect *ret_next)
{
    char c = scan->text.ptr[scan->at];

    switch (expect) {
    case EXPECT_VALUE_OR_END:
        if (c == ']')
            return scan_separator(scan, ret_next);
        return scan_value(scan, ret_next);
    case EXPECT_VALUE:
        return scan_value(scan, ret_next);
    case EXPECT_KEY_OR_END:
        if (c == '}')
            return scan_separator(scan, ret_next);
        return scan_key(scan, ret_next);
    case EXPECT_KEY:
        return scan_key(scan, ret_next);
    case EXPECT_COMMA_OR_END:
        return scan_separator(scan, ret_next);
    case EXPECT_NOTHING:
        break;
    }
    return fail(scan->at, "something after the end");
}

static int scan_text(struct scan *scan)
{
    enum expect expect = EXPECT_VALUE;
    size_t good = utf8_valid_len(scan->text);

    if (good < scan->text.len)
        return fail(good, "invalid UTF-8");
    for (;;) {
        skip_space(scan);
        if (scan->at == scan->text.len)
            break;

        int r = scan_token(scan, expect, &expect);

        if (r)
            return r;
    }
    if (expect != EXPECT_NOTHING)
        return fail(scan->at, "an unexpected end");
    return 0;
}

int json_scan(struct str text, bool *ret_rewrite)
{
    struct scan scan = {.text = text};
    int r = scan_text(&scan);

    if (r == 0)
        *ret_rewrite = scan.rewrite;
    return r;
}

int json_check(struct str text)
{
    bool rewrite;

    return json_scan(text, &rewrite);
}
