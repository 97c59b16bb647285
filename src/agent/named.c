#include "agent/named.h"

#include "agent/definition.h"

static bool is_marker(const struct json *member)
{
    return str_is(json_key(member), "@line");
}

int named_read(const struct json *node, struct str *ret_name, const struct json **ret_options,
    const struct json **ret_place)
{
    const struct json *options = NULL;

    if (!json_is(node, JSON_OBJECT)) {
        *ret_name = json_str(node);
        return 0;
    }
    *ret_place = node;
    for (const struct json *one = json_first(node); one; one = json_next(one))
        if (!is_marker(one) && !options)
            options = one;
    if (json_len(node) != (json_get(node, "@line") ? 2 : 1))
        return err_set(ERR_INVALID, "must be a list, each a name or {name: options}");
    *ret_name = json_key(options);
    *ret_options = options;
    return 0;
}

int named_options(struct arena *arena, const char *name, const char *schema,
    const struct json *node, const struct json **ret_options)
{
    struct tool shape = {.name = name, .parameters = schema};
    const struct json *options = NULL;
    struct err cause;
    int rc;

    if (!node || json_type(node) == JSON_NULL)
        return 0;
    if (!json_is(node, JSON_OBJECT))
        return err_set(ERR_INVALID, "must give %s a mapping of options", name);
    if (!schema)
        return err_set(ERR_INVALID, "gives %s options, and it has none", name);
    rc = json_parse(arena, agent_schema_text(arena, node), &options);
    if (rc == 0)
        rc = tool_check_args(&shape, options);
    if (rc == 0) {
        *ret_options = options;
        return 0;
    }
    cause = *err_get();
    return err_set(ERR_INVALID, "has wrong options of %s: %s", name, cause.message);
}
