/* schema: the answer of an agent with an output-schema has that shape. It is given back once with
 * what is wrong; a second misfit ends the run. */
#include "agent/guard.h"
#include "agent/tool.h"

static int check(const struct guard_call *call, struct guard_finding *ret_finding)
{
    struct tool shape = {.name = "answer", .parameters = call->schema.ptr};
    const struct json *root;
    int rc = json_parse(call->arena, str_trim(call->text), &root);

    if (rc == 0)
        rc = tool_check_args(&shape, root);
    if (rc == 0)
        return GUARD_PASS;
    if (call->last)
        return err_set(ERR_UNAVAILABLE, "The model's answers do not fit the output-schema of %.*s.",
            STR_ARG(call->agent));
    ret_finding->reason = str_printf(call->arena,
        "That answer does not have the shape it must have: %s Answer again with nothing but JSON "
        "of that shape.",
        err_message());
    return GUARD_AGAIN;
}

const struct guard guard_schema = {
    .name = "schema",
    .check = check,
};
