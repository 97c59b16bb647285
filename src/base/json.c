#include "base/json.h"

#include "base/err.h"
#include "base/json_scan.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>

/* A struct json is a cJSON under a name of ours: no caller can depend on the library. */

/* Building the tree. */

/* A copy of checked text in which what cJSON would not read as we want is replaced: an escaped
 * NUL and half a surrogate pair by U+FFFD, a long number by its 17 digits. */
static struct str rewrite(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);
    bool in_string = false;
    size_t at = 0;

    buf_reserve(&out, text.len);
    while (at < text.len) {
        char c = text.ptr[at];
        size_t len = 1;
        double value;

        if (c == '\\') {
            bool bad = false;

            len = json_escape_len(text, at, &bad);
            buf_add_str(&out, bad ? STR("\\ufffd") : str_slice(text, at, at + len));
        } else if (!in_string && (c == '-' || char_is_digit(c))) {
            struct str number = str_slice(text, at, json_number_end(text, at));

            len = number.len;
            if (len >= JSON_LONG_NUMBER && str_to_double(number, &value))
                buf_printf(&out, "%.17g", value);
            else
                buf_add_str(&out, number);
        } else {
            in_string ^= c == '"';
            buf_add_char(&out, c);
        }
        at += len;
    }
    return buf_str(&out);
}

static _Thread_local struct arena *building;

static void *alloc_node(size_t size)
{
    return arena_alloc(building, size);
}

static void free_node(void *node)
{
    (void)node; /* goes with the arena */
}

static void install_hooks(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){alloc_node, free_node});
}

int json_parse(struct arena *arena, struct str text, const struct json **ret_root)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool must_rewrite;
    int r = json_scan(text, &must_rewrite);

    if (r)
        return r;
    if (must_rewrite)
        text = rewrite(arena, text);
    pthread_once(&once, install_hooks);
    building = arena;

    cJSON *root = cJSON_ParseWithLengthOpts(text.ptr, text.len, NULL, false);

    building = NULL;
    if (!root)
        return err_set(ERR_INVALID, "not valid JSON: it could not be read");
    *ret_root = (const struct json *)(const void *)root;
    return 0;
}

/* Reading the tree. */

static const cJSON *as_cjson(const struct json *node)
{
    return (const cJSON *)(const void *)node;
}

static const struct json *as_json(const cJSON *node)
{
    return (const struct json *)(const void *)node;
}

enum json_type json_type(const struct json *node)
{
    const cJSON *n = as_cjson(node);

    switch (n ? n->type & 0xff : cJSON_NULL) {
    case cJSON_False:
    case cJSON_True:
        return JSON_BOOL;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

bool json_is(const struct json *node, enum json_type type)
{
    return node && json_type(node) == type;
}

static const struct json *get_len(const struct json *object, const char *key, size_t len)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    for (const cJSON *n = as_cjson(object)->child; n; n = n->next)
        if (len == 0 ? n->string[0] == '\0'
                     : n->string[0] == key[0] && strncmp(n->string, key, len) == 0 &&
                           n->string[len] == '\0')
            return as_json(n);
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
    return node ? as_json(as_cjson(node)->child) : NULL;
}

const struct json *json_next(const struct json *node)
{
    return node ? as_json(as_cjson(node)->next) : NULL;
}

struct str json_key(const struct json *member)
{
    return member ? str_from(as_cjson(member)->string) : STR("");
}

struct str json_str(const struct json *node)
{
    return json_is(node, JSON_STRING) ? str_from(as_cjson(node)->valuestring) : STR("");
}

struct str json_get_str(const struct json *object, const char *key)
{
    return json_str(json_get(object, key));
}

int64_t json_i64(const struct json *node, int64_t otherwise)
{
    double value = json_double(node, NAN);

    return fabs(value) <= (double)JSON_I64_MAX && value == trunc(value) ? (int64_t)value
                                                                        : otherwise;
}

int64_t json_get_i64(const struct json *object, const char *key, int64_t otherwise)
{
    return json_i64(json_get(object, key), otherwise);
}

double json_double(const struct json *node, double otherwise)
{
    return json_is(node, JSON_NUMBER) ? as_cjson(node)->valuedouble : otherwise;
}

bool json_bool(const struct json *node, bool otherwise)
{
    return json_is(node, JSON_BOOL) ? (as_cjson(node)->type & 0xff) == cJSON_True : otherwise;
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise)
{
    return json_bool(json_get(object, key), otherwise);
}
