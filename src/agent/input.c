/* What a caller gives to an agent that has an input-schema: the metadata of the request. */
#include "agent/definition.h"

int agent_check_input(const struct agent_def *agent, struct str metadata)
{
    struct tool shape = {.name = "metadata"};
    const struct json *root;
    struct arena arena;
    struct err cause;
    char field[80];
    int rc;

    if (!agent || str_empty(agent->input_schema))
        return 0;
    shape.parameters = agent->input_schema.ptr;
    arena_init(&arena);
    rc = json_parse(&arena, str_empty(metadata) ? STR("{}") : metadata, &root);
    if (rc == 0)
        rc = tool_check_args(&shape, root);
    arena_deinit(&arena);
    if (rc == 0)
        return 0;
    cause = *err_get();
    snprintf(field, sizeof(field), "metadata%s%s", cause.field[0] ? "." : "", cause.field);
    return err_field(ERR_INVALID, field, "%s does not fit the input-schema of %.*s: %s", field,
        STR_ARG(agent->name), cause.message);
}
