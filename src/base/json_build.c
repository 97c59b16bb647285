/* Makes the tree of a text that json_scan() has passed: nothing is checked again here. */
#include "base/json_scan.h"

struct build {
    struct arena *arena;
    struct str text;
    size_t at;
};

static uint32_t hex4(const char *digits)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        char c = char_lower(digits[i]);

        value = value * 16 + (uint32_t)(char_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
}

static char plain_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* Write what the escape at at stands for to out; a NUL and half a surrogate pair become U+FFFD,
 * since the first would end a string early and the second is no character. Returns the bytes
 * written, which are never more than the escape has. */
static size_t decode_escape(struct str text, size_t at, char *out, size_t *ret_len)
{
    bool bad = false;
    uint32_t cp;

    *ret_len = json_escape_len(text, at, &bad);
    if (*ret_len == 2) {
        out[0] = plain_escape(text.ptr[at + 1]);
        return 1;
    }
    cp = bad ? 0xfffd : hex4(text.ptr + at + 2);
    if (*ret_len == 12)
        cp = 0x10000 + ((cp - 0xd800) << 10) + (hex4(text.ptr + at + 8) - 0xdc00);
    return utf8_encode(cp, out);
}

static size_t string_end(struct str text, size_t at)
{
    bool bad;

    for (at = json_plain_end(text, at); text.ptr[at] == '\\'; at = json_plain_end(text, at))
        at += json_escape_len(text, at, &bad);
    return at;
}

/* at stands on the opening quote and moves behind the closing one. */
static struct str build_string(struct build *b)
{
    size_t at = b->at + 1, end = json_plain_end(b->text, at), len = 0;
    bool plain = b->text.ptr[end] == '"';
    char *out;

    if (!plain)
        end = string_end(b->text, end);
    b->at = end + 1;
    out = arena_alloc(b->arena, end - at + 1);
    while (at < end) {
        size_t part = plain ? end : json_plain_end(b->text, at), step = 0;

        memcpy(out + len, b->text.ptr + at, part - at);
        len += part - at;
        at = part;
        if (at < end)
            len += decode_escape(b->text, at, out + len, &step);
        at += step;
    }
    out[len] = '\0';
    return (struct str){out, len};
}

static double build_number(struct build *b)
{
    size_t end = json_number_end(b->text, b->at);
    struct str number = str_slice(b->text, b->at, end);
    bool negative = number.ptr[0] == '-';
    int64_t whole = 0;
    double value = 0;

    b->at = end;
    for (size_t i = negative; i < number.len; i++) {
        if (!char_is_digit(number.ptr[i]) || number.len > 16)
            return str_to_double(number, &value) ? value : 0; /* it is one: that was checked */
        whole = whole * 10 + (number.ptr[i] - '0');
    }
    return negative ? -(double)whole : (double)whole;
}

static void build_value(struct build *b, struct json *node)
{
    switch (b->text.ptr[b->at]) {
    case '{':
        node->type = JSON_OBJECT;
        b->at++;
        break;
    case '[':
        node->type = JSON_ARRAY;
        b->at++;
        break;
    case '"':
        node->type = JSON_STRING;
        node->text = build_string(b);
        break;
    case 't':
        node->type = JSON_BOOL;
        node->number = 1;
        b->at += 4;
        break;
    case 'f':
        node->type = JSON_BOOL;
        b->at += 5;
        break;
    case 'n':
        node->type = JSON_NULL;
        b->at += 4;
        break;
    default:
        node->type = JSON_NUMBER;
        node->number = build_number(b);
        break;
    }
}

/* To the next byte that says something; false at the end. */
static bool skip(struct build *b)
{
    const char *p = b->text.ptr;

    while (b->at < b->text.len && (p[b->at] == ' ' || p[b->at] == '\n' || p[b->at] == '\r' ||
                                      p[b->at] == '\t' || p[b->at] == ',' || p[b->at] == ':'))
        b->at++;
    return b->at < b->text.len;
}

struct json *json_build(struct arena *arena, struct str text)
{
    struct json *root = NULL, **next = &root, *open[JSON_DEPTH_MAX];
    struct build b = {arena, text, 0};
    size_t depth = 0;

    while (skip(&b)) {
        struct json *node;

        if (text.ptr[b.at] == '}' || text.ptr[b.at] == ']') {
            b.at++;
            next = &open[--depth]->next;
            continue;
        }
        node = arena_new(arena, struct json);
        if (depth > 0 && open[depth - 1]->type == JSON_OBJECT) {
            node->key = build_string(&b);
            (void)skip(&b);
        }
        build_value(&b, node);
        *next = node;
        next = &node->next;
        if (node->type == JSON_OBJECT || node->type == JSON_ARRAY) {
            open[depth++] = node;
            next = &node->child;
        }
    }
    return root;
}
