/* A run that calls one tool and asks no model: how a tool that somebody calls by name goes through
 * limits, policy, approvals and the effects ledger like any other call. */
#include "agent/private.h"

/* What failed is said in the words that are for people. */
static struct str failure_of(struct run *run, struct str content)
{
    const struct json *root;
    struct str message;

    if (json_parse(run->arena, content, &root) < 0)
        return content;
    message = json_str(json_path(root, "error.message"));
    return str_empty(message) ? content : message;
}

void direct_result(struct run *run)
{
    const struct model_message *last = &run->messages[run->message_count - 1];
    struct run_result *result = &run->result;

    result->spoke = true;
    result->content = last->content;
    if (last->failed) {
        result->reason = STR("the tool failed");
        result->reply = result->content = failure_of(run, last->content);
        return;
    }
    result->reply = result->action_count > 0 ? result->actions[0].summary : last->content;
}

int direct_run(struct run *run)
{
    struct model_tool_call *call = arena_new(run->arena, struct model_tool_call);
    int rc = toolbox_fill(run);

    if (rc < 0)
        return rc;
    *call = (struct model_tool_call){
        .id = STR("call-1"), .name = run->request->tool, .arguments = run->request->tool_arguments};
    rc = calls_run(run, call, 1);
    if (rc == 0)
        direct_result(run);
    return rc;
}
