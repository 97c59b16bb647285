#include "base/json.h"
#include "base/json_scan.h"

#include <math.h>

void json_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out, .first = 1};
}

/* The comma before a value or a name, where one is due. At depth 0 nothing separates values: a
 * stream of documents is the caller's business. */
static void separate(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }

    uint64_t bit = (uint64_t)1 << w->depth;

    if (w->first & bit)
        w->first &= ~bit;
    else if (w->depth > 0)
        buf_add_char(w->out, ',');
}

static void begin(struct json_writer *w, char bracket)
{
    separate(w);
    assert(w->depth < 63);
    w->depth++;
    w->first |= (uint64_t)1 << w->depth;
    buf_add_char(w->out, bracket);
}

static void end(struct json_writer *w, char bracket)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_add_char(w->out, bracket);
}

void json_object_begin(struct json_writer *w)
{
    begin(w, '{');
}

void json_object_end(struct json_writer *w)
{
    end(w, '}');
}

void json_array_begin(struct json_writer *w)
{
    begin(w, '[');
}

void json_array_end(struct json_writer *w)
{
    end(w, ']');
}

static void put_escape(struct buf *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {['\b'] = 'b',
        ['\t'] = 't',
        ['\n'] = 'n',
        ['\f'] = 'f',
        ['\r'] = 'r',
        ['"'] = '"',
        ['\\'] = '\\'};
    char letter = letters[(unsigned char)c];

    if (letter)
        buf_add(out, (char[]){'\\', letter}, 2);
    else
        buf_add(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

static void put_escaped(struct buf *out, struct str s)
{
    size_t at = 0;

    while (at < s.len) {
        size_t end = json_plain_end(s, at);

        buf_add(out, s.ptr + at, end - at);
        at = end;
        if (at < s.len)
            put_escape(out, s.ptr[at++]);
    }
}

static bool plain_bytes(json_bytes bytes)
{
    return !json_any(json_special(bytes) | (json_bytes)(bytes > 0x7f));
}

/* ASCII with nothing to escape, as names and most values are. */
static bool is_plain(struct str s)
{
    json_bytes bytes = {0};

    if (s.len < sizeof(bytes)) {
        memset(&bytes, 'a', sizeof(bytes));
        if (s.len)
            memcpy(&bytes, s.ptr, s.len);
        return plain_bytes(bytes);
    }
    for (size_t at = 0; at + sizeof(bytes) < s.len; at += sizeof(bytes))
        if (!plain_bytes(json_load(s.ptr + at)))
            return false;
    return plain_bytes(json_load(s.ptr + s.len - sizeof(bytes)));
}

/* What stands between the quotes. */
static void put_inside(struct buf *out, struct str s)
{
    if (is_plain(s)) {
        buf_add_str(out, s);
        return;
    }
    for (;;) {
        size_t good = utf8_valid_len(s);

        put_escaped(out, str_slice(s, 0, good));
        if (good == s.len)
            break;
        buf_add(out, "\xef\xbf\xbd", 3);
        s = str_slice(s, good + 1, s.len);
    }
}

static void put_string(struct buf *out, struct str s)
{
    buf_reserve(out, s.len + 2);
    buf_add_char(out, '"');
    put_inside(out, s);
    buf_add_char(out, '"');
}

void json_name_str(struct json_writer *w, struct str key)
{
    assert(w->depth > 0 && !w->after_key);
    separate(w);
    put_string(w->out, key);
    buf_add_char(w->out, ':');
    w->after_key = true;
}

void json_name(struct json_writer *w, const char *key)
{
    size_t len = strlen(key);
    char *to = buf_reserve(w->out, len + 4);
    bool comma = w->depth > 0 && !(w->first >> w->depth & 1);

    assert(w->depth > 0 && !w->after_key && is_plain((struct str){key, len}));
    w->first &= ~((uint64_t)1 << w->depth);
    if (comma)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, key, len);
    memcpy(to + len, "\":", 3);
    w->out->len += len + 3 + comma;
    w->after_key = true;
}

void json_put_str(struct json_writer *w, struct str value)
{
    separate(w);
    put_string(w->out, value);
}

void json_put_joined(struct json_writer *w, const struct str *parts, size_t count)
{
    separate(w);
    buf_add_char(w->out, '"');
    for (size_t i = 0; i < count; i++)
        put_inside(w->out, parts[i]);
    buf_add_char(w->out, '"');
}

void json_put_cstr(struct json_writer *w, const char *value)
{
    if (value)
        json_put_str(w, str_from(value));
    else
        json_put_null(w);
}

void json_put_i64(struct json_writer *w, int64_t value)
{
    separate(w);
    buf_add_i64(w->out, value);
}

/* The fewest digits, from 15 to 17, that read back as the same double; 17 always do. */
static void put_double(struct buf *out, double value)
{
    char text[32];
    int len = 0;

    if (!isfinite(value)) {
        buf_add(out, "null", 4);
        return;
    }
    if (value == trunc(value) && fabs(value) <= 9007199254740992.0) { /* also turns -0 into 0 */
        buf_add_i64(out, (int64_t)value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_add(out, text, (size_t)len);
}

void json_put_double(struct json_writer *w, double value)
{
    separate(w);
    put_double(w->out, value);
}

void json_put_bool(struct json_writer *w, bool value)
{
    json_put_raw(w, value ? STR("true") : STR("false"));
}

void json_put_null(struct json_writer *w)
{
    json_put_raw(w, STR("null"));
}

void json_put_raw(struct json_writer *w, struct str json)
{
    separate(w);
    buf_add_str(w->out, json);
}

struct slot {
    const struct json *member;
    size_t index; /* keeps members with one key in their order */
};

static int by_key(const void *a, const void *b)
{
    const struct slot *left = a, *right = b;
    int order = str_cmp(json_key(left->member), json_key(right->member));

    return order ? order : (left->index > right->index) - (left->index < right->index);
}

static void put_tree(struct buf *out, const struct json *node, struct arena *sort);

static void put_member(struct buf *out, const struct json *member, struct arena *sort)
{
    put_string(out, json_key(member));
    buf_add_char(out, ':');
    put_tree(out, member, sort);
}

static void put_sorted(struct buf *out, const struct json *object, struct arena *arena)
{
    size_t count = json_len(object), i = 0;
    struct slot *slots = arena_array(arena, struct slot, count);

    for (const struct json *n = json_first(object); n; n = json_next(n), i++)
        slots[i] = (struct slot){n, i};
    qsort(slots, count, sizeof(slots[0]), by_key);
    buf_add_char(out, '{');
    for (i = 0; i < count; i++) {
        /* Of members with one key the first counts, here as in json_get(). */
        if (i > 0 && str_eq(json_key(slots[i - 1].member), json_key(slots[i].member)))
            continue;
        if (i > 0)
            buf_add_char(out, ',');
        put_member(out, slots[i].member, arena);
    }
    buf_add_char(out, '}');
}

static void put_children(struct buf *out, const struct json *node, bool object, struct arena *sort)
{
    buf_add_char(out, object ? '{' : '[');
    for (const struct json *n = json_first(node); n; n = json_next(n)) {
        if (n != json_first(node))
            buf_add_char(out, ',');
        if (object)
            put_member(out, n, sort);
        else
            put_tree(out, n, sort);
    }
    buf_add_char(out, object ? '}' : ']');
}

/* Recurses as deep as the tree is, which json_parse() keeps to JSON_DEPTH_MAX. sort: arena for
 * sorting the members of objects, NULL to keep their order. */
static void put_tree(struct buf *out, const struct json *node, struct arena *sort)
{
    switch (json_type(node)) {
    case JSON_NULL:
        buf_add(out, "null", 4);
        break;
    case JSON_BOOL:
        buf_add_str(out, json_bool(node, false) ? STR("true") : STR("false"));
        break;
    case JSON_NUMBER:
        put_double(out, json_double(node, 0));
        break;
    case JSON_STRING:
        put_string(out, json_str(node));
        break;
    case JSON_ARRAY:
        put_children(out, node, false, sort);
        break;
    case JSON_OBJECT:
        if (sort)
            put_sorted(out, node, sort);
        else
            put_children(out, node, true, sort);
        break;
    }
}

void json_put_node(struct json_writer *w, const struct json *node)
{
    separate(w);
    put_tree(w->out, node, NULL);
}

void json_str_member(struct json_writer *w, const char *key, struct str value)
{
    json_name(w, key);
    json_put_str(w, value);
}

void json_cstr_member(struct json_writer *w, const char *key, const char *value)
{
    json_name(w, key);
    json_put_cstr(w, value);
}

void json_i64_member(struct json_writer *w, const char *key, int64_t value)
{
    json_name(w, key);
    json_put_i64(w, value);
}

void json_bool_member(struct json_writer *w, const char *key, bool value)
{
    json_name(w, key);
    json_put_bool(w, value);
}

void json_raw_member(struct json_writer *w, const char *key, struct str json)
{
    json_name(w, key);
    json_put_raw(w, json);
}

struct str json_text(struct arena *arena, const struct json *node)
{
    struct buf out = BUF_IN(arena);

    put_tree(&out, node, NULL);
    return buf_str(&out);
}

struct str json_canonical(struct arena *arena, const struct json *node)
{
    struct buf out = BUF_IN(arena);

    put_tree(&out, node, arena);
    return buf_str(&out);
}

void json_put_members(struct json_writer *w, const struct json *object, const char *except)
{
    for (const struct json *one = json_first(object); one; one = json_next(one))
        if (!str_is(json_key(one), except)) {
            json_name_str(w, json_key(one));
            json_put_node(w, one);
        }
}
