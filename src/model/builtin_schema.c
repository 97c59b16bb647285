/* Structured answers: the text goes into the string that asks for it, lists may be empty, and what
 * needs knowledge that no rule has is refused, never invented. */
#include "model/builtin.h"

static const char *const text_names[] = {
    "reply", "answer", "text", "message", "summary", "content", "response", "output"};

static bool names_text(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(text_names); i++)
        if (str_is(name, text_names[i]))
            return true;
    return false;
}

static bool is_type(const struct json *schema, const char *type)
{
    const struct json *node = json_get(schema, "type");

    if (json_is(node, JSON_STRING))
        return str_is(json_str(node), type);
    for (const struct json *t = json_first(node); t; t = json_next(t))
        if (str_is(json_str(t), type))
            return true;
    return false;
}

static bool is_required(const struct json *schema, struct str name)
{
    for (const struct json *r = json_first(json_get(schema, "required")); r; r = json_next(r))
        if (str_eq(json_str(r), name))
            return true;
    return false;
}

static bool fits_length(const struct json *schema, struct str answer)
{
    return (int64_t)answer.len >= json_get_i64(schema, "minLength", 0) &&
           (int64_t)answer.len <= json_get_i64(schema, "maxLength", INT64_MAX) &&
           !json_get(schema, "enum") && !json_get(schema, "pattern") && !json_get(schema, "format");
}

/* Write a value for one member. False when it takes more than this model knows. */
static bool write_member(struct json_writer *w, struct str name, const struct json *schema,
    struct str answer, bool only_one)
{
    if (json_get(schema, "const")) {
        json_name_str(w, name);
        json_put_node(w, json_get(schema, "const"));
    } else if (is_type(schema, "string") && (only_one || names_text(name)) &&
               fits_length(schema, answer)) {
        json_name_str(w, name);
        json_put_str(w, answer);
    } else if (is_type(schema, "null")) {
        json_name_str(w, name);
        json_put_null(w);
    } else if (is_type(schema, "array") && json_get_i64(schema, "minItems", 0) == 0) {
        json_name_str(w, name);
        json_array_begin(w);
        json_array_end(w);
    } else {
        return false;
    }
    return true;
}

bool builtin_fit_schema(
    struct str answer, struct str schema_text, struct arena *arena, struct str *ret_json)
{
    const struct json *schema, *properties;
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (json_parse(arena, schema_text, &schema) != 0 || !is_type(schema, "object"))
        return false;
    properties = json_get(schema, "properties");
    json_init(&w, &out);
    json_object_begin(&w);
    for (const struct json *p = json_first(properties); p; p = json_next(p))
        if (!write_member(&w, json_key(p), p, answer, json_len(properties) == 1) &&
            is_required(schema, json_key(p)))
            return false;
    for (const struct json *r = json_first(json_get(schema, "required")); r; r = json_next(r))
        if (!json_get(properties, str_cstr(arena, json_str(r))))
            return false;
    json_object_end(&w);
    *ret_json = buf_str(&out);
    return true;
}
