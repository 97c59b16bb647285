#include "base/json.h"

#include "base/err.h"
#include "base/json_scan.h"

#include <math.h>

int json_parse(struct arena *arena, struct str text, const struct json **ret_root)
{
    int r = json_check(text);

    if (r == 0)
        *ret_root = json_build(arena, text);
    return r;
}

/* Reading the tree. */

enum json_type json_type(const struct json *node)
{
    return node ? node->type : JSON_NULL;
}

bool json_is(const struct json *node, enum json_type type)
{
    return node && json_type(node) == type;
}

static const struct json *get_len(const struct json *object, const char *key, size_t len)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    for (const struct json *n = object->child; n; n = n->next)
        if (n->key.len == len && memcmp(n->key.ptr, key, len) == 0)
            return n;
    return NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    return get_len(object, key, strlen(key));
}

const struct json *json_path(const struct json *root, const char *dotted)
{
    struct str rest = str_from(dotted), part;
    int64_t index;

    while (root && str_next(&rest, '.', &part)) {
        if (json_is(root, JSON_ARRAY))
            root = str_to_i64(part, &index) && index >= 0 ? json_at(root, (size_t)index) : NULL;
        else
            root = get_len(root, part.ptr, part.len);
    }
    return root;
}

const struct json *json_at(const struct json *array, size_t index)
{
    const struct json *n = json_is(array, JSON_ARRAY) ? json_first(array) : NULL;

    while (n && index--)
        n = json_next(n);
    return n;
}

size_t json_len(const struct json *node)
{
    size_t count = 0;

    for (const struct json *n = json_first(node); n; n = json_next(n))
        count++;
    return count;
}

const struct json *json_first(const struct json *node)
{
    return node ? node->child : NULL;
}

const struct json *json_next(const struct json *node)
{
    return node ? node->next : NULL;
}

struct str json_key(const struct json *member)
{
    return member && member->key.ptr ? member->key : STR("");
}

struct str json_str(const struct json *node)
{
    return json_is(node, JSON_STRING) ? node->text : STR("");
}

struct str json_get_str(const struct json *object, const char *key)
{
    return json_str(json_get(object, key));
}

int64_t json_i64(const struct json *node, int64_t otherwise)
{
    double value = json_double(node, NAN);

    /* 2^63 itself is a double, and no int64. */
    if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0) ||
        value != trunc(value))
        return otherwise;
    return (int64_t)value;
}

int64_t json_get_i64(const struct json *object, const char *key, int64_t otherwise)
{
    return json_i64(json_get(object, key), otherwise);
}

double json_double(const struct json *node, double otherwise)
{
    return json_is(node, JSON_NUMBER) ? node->number : otherwise;
}

bool json_bool(const struct json *node, bool otherwise)
{
    return json_is(node, JSON_BOOL) ? node->number != 0 : otherwise;
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise)
{
    return json_bool(json_get(object, key), otherwise);
}
