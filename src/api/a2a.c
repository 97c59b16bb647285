/* The methods of A2A, and the door for JSON-RPC: POST /a2a, in the names of 1.0 and of 0.3. */
#include "api/a2a.h"

#define CANCEL_WAIT_MS (5 * SECOND_MS)
#define CANCEL_STEP_MS 20

static int give_task(struct exchange *x, const struct a2a_call *call, struct a2a_task *task)
{
    struct str text = a2a_task_json(x, task, call->form == A2A_RPC_OLD);
    struct buf out = BUF_IN(x->arena);

    if (call->form == A2A_HTTP)
        buf_add_str(&out, text);
    else
        rpc_put_result(&out, call->id, text);
    a2a_answer(x, call, 200, &out);
    return 0;
}

/* 0 or STORE_MISSING. */
static int load_task(struct exchange *x, struct str id, struct a2a_task *ret_task)
{
    struct run_row run;
    int rc = ulid_valid(id) ? store_get(x->store, STORE_RUNS, x->workspace, id, x->arena, &run)
                            : STORE_MISSING;

    if (rc != 0)
        return rc;
    *ret_task = (struct a2a_task){.id = run.id,
        .context_id = run.session_id,
        .at_ms = run.finished_at ? run.finished_at : run.created_at};
    if (str_is(run.state, "completed") || str_is(run.state, "paused")) {
        a2a_task_of_result(x, run.result, ret_task);
    } else if (str_is(run.state, "running")) {
        ret_task->state = A2A_WORKING;
    } else {
        ret_task->state = str_is(run.state, "cancelled") ? A2A_CANCELED : A2A_FAILED;
        ret_task->text = run.error;
    }
    return 0;
}

int a2a_get_task(struct exchange *x, const struct a2a_call *call)
{
    struct a2a_task task;
    int rc = load_task(x, call->task_id, &task);

    if (rc == STORE_MISSING)
        return a2a_refuse(x, call, A2A_TASK_NOT_FOUND, "There is no task with this id.");
    return rc < 0 ? rc : give_task(x, call, &task);
}

/* A run that was told to end is waited for a moment, so that the answer is what came of it. */
int a2a_cancel_task(struct exchange *x, const struct a2a_call *call)
{
    struct a2a_task task = {.state = A2A_WORKING};
    struct str id = call->task_id;
    bool told = mcp_calls_cancel(x->api->mcp_calls, x->who.key_id, id);
    int64_t end = loop_now_ms(fiber_loop()) + CANCEL_WAIT_MS;
    int rc = load_task(x, id, &task);

    while (told && rc >= 0 && (rc == STORE_MISSING || task.state == A2A_WORKING) &&
           loop_now_ms(fiber_loop()) < end) {
        rc = fiber_sleep(CANCEL_STEP_MS);
        if (rc == 0)
            rc = load_task(x, id, &task);
    }
    if (rc == STORE_MISSING)
        return a2a_refuse(x, call, A2A_TASK_NOT_FOUND, "There is no task with this id.");
    if (rc < 0)
        return rc;
    if (!told || task.state != A2A_CANCELED)
        return a2a_refuse(x, call, A2A_NOT_CANCELABLE,
            "The task has ended already, or works on another instance or for another key.");
    return give_task(x, call, &task);
}

static int run_message(struct exchange *x, const struct a2a_call *call, bool stream)
{
    if (!str_empty(json_get_str(json_get(call->params, "message"), "taskId")))
        return a2a_refuse(x, call, A2A_UNSUPPORTED,
            "A task of Theo takes no further messages; send contextId alone.");
    return a2a_run(x, call, stream);
}

int a2a_send(struct exchange *x, const struct a2a_call *call)
{
    return run_message(x, call, false);
}

int a2a_stream(struct exchange *x, const struct a2a_call *call)
{
    return run_message(x, call, true);
}

static const struct {
    const char *name, *old_name;
    int (*serve)(struct exchange *x, const struct a2a_call *call);
    int64_t refusal; /* without serve */
} methods[] = {
    {"SendMessage", "message/send", a2a_send, 0},
    {"SendStreamingMessage", "message/stream", a2a_stream, 0},
    {"GetTask", "tasks/get", a2a_get_task, 0},
    {"CancelTask", "tasks/cancel", a2a_cancel_task, 0},
    {"ListTasks", "tasks/list", NULL, A2A_UNSUPPORTED},
    {"SubscribeToTask", "tasks/resubscribe", NULL, A2A_UNSUPPORTED},
    {"CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set", NULL, A2A_NO_PUSH},
    {"GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get", NULL, A2A_NO_PUSH},
    {"ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list", NULL, A2A_NO_PUSH},
    {"DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete", NULL, A2A_NO_PUSH},
    {"GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", NULL, A2A_NO_EXTENDED_CARD},
};

static int serve(struct exchange *x, const struct rpc_message *message)
{
    struct a2a_call call = {.form = A2A_RPC,
        .id = message->id,
        .params = message->params,
        .task_id = json_get_str(message->params, "id")};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (str_is(message->method, methods[i].old_name))
            call.form = A2A_RPC_OLD;
        else if (!str_is(message->method, methods[i].name))
            continue;
        if (!methods[i].serve)
            return a2a_refuse(x, &call, methods[i].refusal, "Theo does not offer this method.");
        return a2a_refuse_rc(x, &call, methods[i].serve(x, &call));
    }
    return a2a_refuse(x, &call, RPC_NO_METHOD, "There is no such method.");
}

int a2a_post(struct exchange *x)
{
    struct a2a_call call = {.form = A2A_RPC};
    struct rpc_message message;
    const struct json *tree;

    if (!mcp_origin_allowed(x))
        return err_set(ERR_DENIED, "This Origin may not use Theo; name it in server.origins.");
    if (json_parse(x->arena, x->req->body, &tree) < 0)
        return a2a_refuse(x, &call, RPC_PARSE_ERROR, "The body is not valid JSON.");
    if (rpc_take(tree, &message) < 0 || message.kind != RPC_REQUEST)
        return a2a_refuse(x, &call, RPC_INVALID_REQUEST, "This is not a JSON-RPC 2.0 request.");
    call.id = message.id;
    if (!a2a_version_known(x, A2A_RPC))
        return a2a_refuse(x, &call, A2A_VERSION, "Theo speaks versions 1.0 and 0.3 of A2A.");
    return serve(x, &message);
}
