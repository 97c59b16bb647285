/* Arguments of a tool call against the subset of JSON Schema that tools use. */
#include "agent/tool.h"

struct place {
    char path[64];
};

static struct place place_member(const struct place *parent, struct str key)
{
    struct place place;

    snprintf(place.path, sizeof(place.path), "%.30s%s%.*s", parent->path,
        parent->path[0] ? "." : "", (int)MIN(key.len, (size_t)30), key.ptr);
    return place;
}

static struct place place_item(const struct place *parent, size_t index)
{
    struct place place;

    snprintf(place.path, sizeof(place.path), "%.40s[%zu]", parent->path, index);
    return place;
}

static const char *place_name(const struct place *place)
{
    return place->path[0] ? place->path : "arguments";
}

static bool type_matches(const struct json *node, struct str type)
{
    if (str_is(type, "string"))
        return json_is(node, JSON_STRING);
    if (str_is(type, "integer"))
        return json_is(node, JSON_NUMBER) && json_i64(node, INT64_MIN) != INT64_MIN;
    if (str_is(type, "number"))
        return json_is(node, JSON_NUMBER);
    if (str_is(type, "boolean"))
        return json_is(node, JSON_BOOL);
    if (str_is(type, "array"))
        return json_is(node, JSON_ARRAY);
    if (str_is(type, "object"))
        return json_is(node, JSON_OBJECT);
    return str_is(type, "null") && node && json_type(node) == JSON_NULL;
}

static int check_type(const struct json *schema, const struct json *node, const struct place *place)
{
    const struct json *type = json_get(schema, "type");

    if (!type || type_matches(node, json_str(type)))
        return 0;
    for (const struct json *one = json_is(type, JSON_ARRAY) ? json_first(type) : NULL; one;
         one = json_next(one))
        if (type_matches(node, json_str(one)))
            return 0;
    if (json_is(type, JSON_STRING))
        return err_field(ERR_INVALID, place->path, "%s must be of type %.*s.", place_name(place),
            STR_ARG(json_str(type)));
    return err_field(ERR_INVALID, place->path, "%s has the wrong type.", place_name(place));
}

static bool equal(const struct json *a, const struct json *b)
{
    if (json_type(a) != json_type(b))
        return false;
    if (json_is(a, JSON_STRING))
        return str_eq(json_str(a), json_str(b));
    if (json_is(a, JSON_NUMBER))
        return json_double(a, 0) == json_double(b, 0);
    return !json_is(a, JSON_BOOL) || json_bool(a, false) == json_bool(b, false);
}

static int check_enum(const struct json *schema, const struct json *node, const struct place *place)
{
    const struct json *list = json_get(schema, "enum");
    char allowed[256] = "";
    size_t len = 0;

    if (!list)
        return 0;
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        struct str text = json_str(one);

        if (equal(one, node))
            return 0;
        if (text.len + 3 < sizeof(allowed) - len)
            len += (size_t)snprintf(
                allowed + len, sizeof(allowed) - len, "%s%.*s", len > 0 ? ", " : "", STR_ARG(text));
    }
    return err_field(
        ERR_INVALID, place->path, "%s must be one of: %s.", place_name(place), allowed);
}

static size_t code_points(struct str text)
{
    size_t count = 0;

    for (size_t pos = 0; pos < text.len; count++)
        (void)utf8_next(text, &pos);
    return count;
}

static int check_size(const struct json *schema, const char *min_name, const char *max_name,
    size_t size, const char *unit, const struct place *place)
{
    int64_t min = json_get_i64(schema, min_name, 0);
    int64_t max = json_get_i64(schema, max_name, INT64_MAX);

    if ((int64_t)size < min)
        return err_field(ERR_INVALID, place->path, "%s must have at least %lld %s.",
            place_name(place), (long long)min, unit);
    if ((int64_t)size > max)
        return err_field(ERR_INVALID, place->path, "%s may have at most %lld %s.",
            place_name(place), (long long)max, unit);
    return 0;
}

static int check_number(
    const struct json *schema, const struct json *node, const struct place *place)
{
    const struct json *min = json_get(schema, "minimum"), *max = json_get(schema, "maximum");
    double value = json_double(node, 0);

    if (min && value < json_double(min, value))
        return err_field(ERR_INVALID, place->path, "%s must be at least %g.", place_name(place),
            json_double(min, 0));
    if (max && value > json_double(max, value))
        return err_field(ERR_INVALID, place->path, "%s may be at most %g.", place_name(place),
            json_double(max, 0));
    return 0;
}

static int check_value(
    const struct json *schema, const struct json *node, const struct place *place);

static int check_array(
    const struct json *schema, const struct json *node, const struct place *place)
{
    const struct json *items = json_get(schema, "items");
    size_t index = 0;
    int rc = check_size(schema, "minItems", "maxItems", json_len(node), "items", place);

    for (const struct json *item = json_first(node); item && items && rc == 0;
         item = json_next(item)) {
        struct place inner = place_item(place, index++);

        rc = check_value(items, item, &inner);
    }
    return rc;
}

static int check_required(
    const struct json *schema, const struct json *node, const struct place *place)
{
    for (const struct json *name = json_first(json_get(schema, "required")); name;
         name = json_next(name)) {
        bool found = false;

        for (const struct json *member = json_first(node); member && !found;
             member = json_next(member))
            found = str_eq(json_key(member), json_str(name));
        if (!found) {
            struct place missing = place_member(place, json_str(name));

            return err_field(ERR_INVALID, missing.path, "%s is missing.", missing.path);
        }
    }
    return 0;
}

static const struct json *member_named(const struct json *object, struct str key)
{
    for (const struct json *member = json_first(object); member; member = json_next(member))
        if (str_eq(json_key(member), key))
            return member;
    return NULL;
}

static bool is_required(const struct json *schema, struct str key)
{
    for (const struct json *name = json_first(json_get(schema, "required")); name;
         name = json_next(name))
        if (str_eq(json_str(name), key))
            return true;
    return false;
}

static int check_object(
    const struct json *schema, const struct json *node, const struct place *place)
{
    const struct json *properties = json_get(schema, "properties");
    bool open = json_bool(json_get(schema, "additionalProperties"), true);
    int rc = check_required(schema, node, place);

    for (const struct json *member = json_first(node); member && rc == 0;
         member = json_next(member)) {
        const struct json *inner = member_named(properties, json_key(member));
        struct place at = place_member(place, json_key(member));

        /* Models like to write null for what they leave out; readers take it as absent. */
        if (inner && json_type(member) == JSON_NULL)
            rc = is_required(schema, json_key(member)) ? check_type(inner, member, &at) : 0;
        else if (inner)
            rc = check_value(inner, member, &at);
        else if (!open)
            rc = err_field(ERR_INVALID, at.path, "%s is not an argument of this tool.", at.path);
    }
    return rc;
}

static int check_value(
    const struct json *schema, const struct json *node, const struct place *place)
{
    int rc = check_type(schema, node, place);

    if (rc == 0)
        rc = check_enum(schema, node, place);
    if (rc < 0)
        return rc;
    switch (json_type(node)) {
    case JSON_STRING:
        return check_size(
            schema, "minLength", "maxLength", code_points(json_str(node)), "characters", place);
    case JSON_NUMBER:
        return check_number(schema, node, place);
    case JSON_ARRAY:
        return check_array(schema, node, place);
    case JSON_OBJECT:
        return check_object(schema, node, place);
    default:
        return 0;
    }
}

int tool_check_args(const struct tool *tool, const struct json *args)
{
    const struct json *schema;
    struct place root = {""};
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = json_parse(&arena, str_from(tool->parameters), &schema);
    if (rc < 0)
        err_wrap("parameters of tool %s", tool->name);
    else
        rc = check_value(schema, args, &root);
    arena_deinit(&arena);
    return rc;
}
