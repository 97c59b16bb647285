/* The A2A card and the methods of POST /a2a, in the names of 1.0 and of 0.3. */
#include "api/a2a.h"

#define CANCEL_WAIT_MS (5 * SECOND_MS)
#define CANCEL_STEP_MS 20

static const char description[] =
    "Reads what people say in a chat and helps: schedules meetings, answers questions, recalls and "
    "sums up what was said.";

/* Where this server is reached: as the operator says, or as the caller wrote it. */
static struct str base_url(struct exchange *x)
{
    struct str url = str_from(x->api->house->config->server_public_url);
    struct str host = http_header(&x->req->headers, "host");

    while (str_ends(url, STR("/")))
        url.len--;
    if (!str_empty(url))
        return url;
    return str_printf(x->arena, "%s://%.*s", x->req->tls ? "https" : "http", STR_ARG(host));
}

static void put_interface(struct exchange *x, struct json_writer *w, const char *version)
{
    struct str base = base_url(x);

    json_object_begin(w);
    json_str_member(w, "url", str_printf(x->arena, "%.*s/a2a", STR_ARG(base)));
    json_cstr_member(w, "protocolBinding", "JSONRPC");
    json_cstr_member(w, "protocolVersion", version);
    json_object_end(w);
}

int a2a_card(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "name", x->api->house->config->agent_name);
    json_cstr_member(&w, "description", description);
    json_cstr_member(&w, "version", x->api->version);
    json_name(&w, "supportedInterfaces");
    json_array_begin(&w);
    put_interface(x, &w, "1.0");
    put_interface(x, &w, "0.3");
    json_array_end(&w);
    json_raw_member(&w, "capabilities",
        STR("{\"streaming\":true,\"pushNotifications\":false,\"extendedAgentCard\":false}"));
    json_raw_member(&w, "securitySchemes",
        STR("{\"bearer\":{\"httpAuthSecurityScheme\":{\"scheme\":\"Bearer\","
            "\"description\":\"An API key of Theo with the scope chat.\"}}}"));
    json_raw_member(&w, "securityRequirements", STR("[{\"schemes\":{\"bearer\":{\"list\":[]}}}]"));
    json_raw_member(&w, "defaultInputModes", STR("[\"text/plain\"]"));
    json_raw_member(&w, "defaultOutputModes", STR("[\"text/plain\",\"application/json\"]"));
    json_raw_member(&w, "skills",
        STR("[{\"id\":\"chat\",\"name\":\"Answer a chat\",\"description\":\"Answers, schedules, "
            "recalls and sums up.\",\"tags\":[\"chat\",\"scheduling\",\"summary\"],"
            "\"examples\":[\"Book us a call with Ben tomorrow at 3pm\"]}]"));
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}

static int fail(struct exchange *x, const struct json *id, int64_t code, const char *message)
{
    struct buf out = BUF_IN(x->arena);

    rpc_put_error(&out, id, code, str_from(message), STR(""));
    answer_json(&x->answer, 200, &out);
    return 0;
}

static int give_task(struct exchange *x, const struct json *id, struct a2a_task *task, bool old)
{
    struct buf out = BUF_IN(x->arena);

    rpc_put_result(&out, id, a2a_task_json(x, task, old));
    answer_json(&x->answer, 200, &out);
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

static struct str task_id(const struct rpc_message *message)
{
    return json_get_str(message->params, "id");
}

static int get_task(struct exchange *x, const struct rpc_message *message, bool old)
{
    struct a2a_task task;
    int rc = load_task(x, task_id(message), &task);

    if (rc == STORE_MISSING)
        return fail(x, message->id, A2A_TASK_NOT_FOUND, "There is no task with this id.");
    return rc < 0 ? rc : give_task(x, message->id, &task, old);
}

/* A run that was told to end is waited for a moment, so that the answer is what came of it. */
static int cancel_task(struct exchange *x, const struct rpc_message *message, bool old)
{
    struct a2a_task task = {.state = A2A_WORKING};
    struct str id = task_id(message);
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
        return fail(x, message->id, A2A_TASK_NOT_FOUND, "There is no task with this id.");
    if (rc < 0)
        return rc;
    if (!told || task.state != A2A_CANCELED)
        return fail(x, message->id, A2A_NOT_CANCELABLE,
            "The task has ended already, or works on another instance or for another key.");
    return give_task(x, message->id, &task, old);
}

static int send_message(struct exchange *x, const struct rpc_message *message, bool old)
{
    return a2a_run(x, message, old, false);
}

static int stream_message(struct exchange *x, const struct rpc_message *message, bool old)
{
    return a2a_run(x, message, old, true);
}

static const struct {
    const char *name, *old_name;
    int (*serve)(struct exchange *x, const struct rpc_message *message, bool old);
    int64_t refusal; /* without serve */
} methods[] = {
    {"SendMessage", "message/send", send_message, 0},
    {"SendStreamingMessage", "message/stream", stream_message, 0},
    {"GetTask", "tasks/get", get_task, 0},
    {"CancelTask", "tasks/cancel", cancel_task, 0},
    {"ListTasks", "tasks/list", NULL, A2A_UNSUPPORTED},
    {"SubscribeToTask", "tasks/resubscribe", NULL, A2A_UNSUPPORTED},
    {"CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set", NULL, A2A_NO_PUSH},
    {"GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get", NULL, A2A_NO_PUSH},
    {"ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list", NULL, A2A_NO_PUSH},
    {"DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete", NULL, A2A_NO_PUSH},
    {"GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", NULL, A2A_NO_EXTENDED_CARD},
};

/* What a method refuses, as JSON-RPC says it; what is down or too much stays a problem. */
static int answer_failure(struct exchange *x, const struct rpc_message *message, int rc)
{
    if (rc == ERR_INVALID)
        return fail(
            x, message->id, RPC_INVALID_PARAMS, str_dup(x->arena, str_from(err_message())).ptr);
    if (rc == ERR_NOT_FOUND)
        return fail(x, message->id, RPC_INVALID_PARAMS,
            "There is no such contextId; leave it out to begin a new one.");
    return rc;
}

static int serve(struct exchange *x, const struct rpc_message *message)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        bool old = str_is(message->method, methods[i].old_name);
        int rc;

        if (!old && !str_is(message->method, methods[i].name))
            continue;
        if (!methods[i].serve)
            return fail(x, message->id, methods[i].refusal, "Theo does not offer this method.");
        if (!str_empty(json_get_str(json_get(message->params, "message"), "taskId")))
            return fail(x, message->id, A2A_UNSUPPORTED,
                "A task of Theo takes no further messages; send contextId alone.");
        rc = methods[i].serve(x, message, old);
        return rc < 0 ? answer_failure(x, message, rc) : 0;
    }
    return fail(x, message->id, RPC_NO_METHOD, "There is no such method.");
}

int a2a_post(struct exchange *x)
{
    struct str version = http_header(&x->req->headers, "a2a-version");
    struct rpc_message message;
    const struct json *tree;

    if (!mcp_origin_allowed(x))
        return err_set(ERR_DENIED, "This Origin may not use Theo; name it in server.origins.");
    if (json_parse(x->arena, x->req->body, &tree) < 0)
        return fail(x, NULL, RPC_PARSE_ERROR, "The body is not valid JSON.");
    if (rpc_take(tree, &message) < 0 || message.kind != RPC_REQUEST)
        return fail(x, NULL, RPC_INVALID_REQUEST, "This is not a JSON-RPC 2.0 request.");
    if (!str_empty(version) && !str_is(version, "1.0") && !str_is(version, "0.3"))
        return fail(x, message.id, A2A_VERSION, "Theo speaks versions 1.0 and 0.3 of A2A.");
    return serve(x, &message);
}
