/* Arguments that a tool's schema marks with "x-mcp-header": NAME are repeated as headers
 * Mcp-Param-NAME, so that what lies between can route by them. See "Custom Headers from Tool
 * Parameters" of revision 2026-07-28, which also says which marks make a tool unusable.
 */
#include "secure/key_provider.h"
#include "tools/mcp_private.h"

#define MARK "x-mcp-header"
#define NAME_MAX_BYTES 64

struct marks {
    struct str names[MCP_PARAM_HEADERS_MAX];
    size_t count;
};

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.ptr[i]) &&
            (!name.ptr[i] || !strchr("!#$%&'*+-.^_`|~", name.ptr[i])))
            return false;
    return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

/* Of a value that is one parameter's, and not a second parameter's of that name. */
static bool mark_is_valid(const struct json *schema, struct marks *marks)
{
    static const char *const types[] = {"string", "integer", "boolean"};
    struct str name = json_get_str(schema, MARK), type = json_get_str(schema, "type");
    bool primitive = false;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        primitive = primitive || str_is(type, types[i]);
    for (size_t i = 0; i < marks->count; i++)
        if (str_eq_nocase(marks->names[i], name))
            return false;
    if (!primitive || !is_token(name) || marks->count == ARRAY_LEN(marks->names))
        return false;
    marks->names[marks->count++] = name;
    return true;
}

static bool holds_schemas(struct str key)
{
    static const char *const data[] = {"default", "const", "enum", "examples"};

    for (size_t i = 0; i < ARRAY_LEN(data); i++)
        if (str_is(key, data[i]))
            return false;
    return true;
}

/* reached: by "properties" alone, so that the value's place is known. */
static bool marks_are_valid(
    const struct json *schema, bool reached, bool is_root, struct marks *marks)
{
    bool valid = true;

    if (json_is(schema, JSON_OBJECT) && json_get(schema, MARK))
        valid = reached && !is_root && mark_is_valid(schema, marks);
    for (const struct json *m = json_first(schema); m && valid; m = json_next(m)) {
        if (json_is(schema, JSON_OBJECT) && str_is(json_key(m), "properties"))
            for (const struct json *p = json_first(m); p && valid; p = json_next(p))
                valid = marks_are_valid(p, reached, false, marks);
        else if (json_is(schema, JSON_ARRAY) || holds_schemas(json_key(m)))
            valid = marks_are_valid(m, false, false, marks);
    }
    return valid;
}

bool mcp_headers_are_valid(const struct json *schema)
{
    struct marks marks = {.count = 0};

    return marks_are_valid(schema, true, true, &marks);
}

/* The value as it is, or "=?base64?…?=" when a header would not carry it or it looks like that. */
static struct str header_value(const struct json *value, struct arena *arena)
{
    struct str text = json_is(value, JSON_STRING) ? json_str(value) : json_text(arena, value);
    bool plain = str_trim(text).len == text.len && !str_starts(text, STR("=?base64?"));

    for (size_t i = 0; i < text.len; i++)
        plain = plain && text.ptr[i] >= 0x20 && text.ptr[i] <= 0x7e;
    return plain ? text : str_printf(arena, "=?base64?%s?=", key_base64(arena, text).ptr);
}

static void add_marked(const struct json *schema, const struct json *args, struct arena *arena,
    struct http_header *headers, size_t *count)
{
    for (const struct json *p = json_first(json_get(schema, "properties")); p; p = json_next(p)) {
        const struct json *value = json_get(args, json_key(p).ptr);
        struct str name = json_get_str(p, MARK);

        if (!value || json_is(value, JSON_NULL))
            continue;
        if (!str_empty(name) && *count < MCP_PARAM_HEADERS_MAX)
            headers[(*count)++] = (struct http_header){
                str_printf(arena, "Mcp-Param-%.*s", STR_ARG(name)), header_value(value, arena)};
        add_marked(p, value, arena, headers, count);
    }
}

void mcp_headers_add(
    struct str parameters, const struct json *args, struct arena *arena, struct mcp_call *call)
{
    struct http_header *headers = arena_array(arena, struct http_header, MCP_PARAM_HEADERS_MAX);
    const struct json *schema;

    if (json_parse(arena, parameters, &schema) < 0)
        return;
    add_marked(schema, args, arena, headers, &call->header_count);
    call->headers = headers;
}
