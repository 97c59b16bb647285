#include "api/a2a.h"

static const char *const states[][2] = {
    [A2A_WORKING] = {"TASK_STATE_WORKING", "working"},
    [A2A_COMPLETED] = {"TASK_STATE_COMPLETED", "completed"},
    [A2A_FAILED] = {"TASK_STATE_FAILED", "failed"},
    [A2A_CANCELED] = {"TASK_STATE_CANCELED", "canceled"},
    [A2A_REJECTED] = {"TASK_STATE_REJECTED", "rejected"},
    [A2A_INPUT] = {"TASK_STATE_INPUT_REQUIRED", "input-required"},
};

static void put_text_part(struct json_writer *w, struct str text, bool old)
{
    json_object_begin(w);
    if (old)
        json_cstr_member(w, "kind", "text");
    json_str_member(w, "text", text);
    if (!old)
        json_cstr_member(w, "mediaType", "text/plain");
    json_object_end(w);
}

static void put_status(
    struct exchange *x, struct json_writer *w, const struct a2a_task *task, bool old)
{
    bool said =
        task->state == A2A_FAILED || task->state == A2A_REJECTED || task->state == A2A_INPUT;
    char at[RFC3339_LEN + 1];

    rfc3339_format(task->at_ms, at);
    json_name(w, "status");
    json_object_begin(w);
    json_cstr_member(w, "state", states[task->state][old]);
    json_cstr_member(w, "timestamp", at);
    if (said && !str_empty(task->text)) {
        json_name(w, "message");
        json_object_begin(w);
        if (old)
            json_cstr_member(w, "kind", "message");
        json_str_member(w, "messageId", ulid_new(x->env, x->arena));
        json_cstr_member(w, "role", old ? "agent" : "ROLE_AGENT");
        json_name(w, "parts");
        json_array_begin(w);
        put_text_part(w, task->text, old);
        json_array_end(w);
        json_object_end(w);
    }
    json_object_end(w);
}

static void put_artifact(struct json_writer *w, const struct a2a_task *task, bool old)
{
    json_object_begin(w);
    json_cstr_member(w, "artifactId", "reply");
    json_cstr_member(w, "name", "reply");
    json_name(w, "parts");
    json_array_begin(w);
    put_text_part(w, task->text, old);
    if (!str_empty(task->data)) {
        json_object_begin(w);
        if (old)
            json_cstr_member(w, "kind", "data");
        json_raw_member(w, "data", task->data);
        if (!old)
            json_cstr_member(w, "mediaType", "application/json");
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

struct str a2a_task_json(struct exchange *x, const struct a2a_task *task, bool old)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    if (old)
        json_cstr_member(&w, "kind", "task");
    json_str_member(&w, "id", task->id);
    json_str_member(&w, "contextId", task->context_id);
    put_status(x, &w, task, old);
    if (task->state == A2A_COMPLETED) {
        json_name(&w, "artifacts");
        json_array_begin(&w);
        put_artifact(&w, task, old);
        json_array_end(&w);
    }
    json_object_end(&w);
    return buf_str(&out);
}

static void begin_update(
    struct json_writer *w, struct buf *out, const struct a2a_task *task, const char *kind)
{
    json_init(w, out);
    json_object_begin(w);
    if (kind)
        json_cstr_member(w, "kind", kind);
    json_str_member(w, "taskId", task->id);
    json_str_member(w, "contextId", task->context_id);
}

struct str a2a_status_json(struct exchange *x, const struct a2a_task *task, bool old)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    begin_update(&w, &out, task, old ? "status-update" : NULL);
    put_status(x, &w, task, old);
    if (old)
        json_bool_member(&w, "final", task->state != A2A_WORKING);
    json_object_end(&w);
    return buf_str(&out);
}

struct str a2a_artifact_json(struct exchange *x, const struct a2a_task *task, bool old)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    begin_update(&w, &out, task, old ? "artifact-update" : NULL);
    json_name(&w, "artifact");
    put_artifact(&w, task, old);
    json_bool_member(&w, "lastChunk", true);
    json_object_end(&w);
    return buf_str(&out);
}

void a2a_task_of_result(struct exchange *x, struct str result, struct a2a_task *ret_task)
{
    const struct json *tree;

    ret_task->state = A2A_COMPLETED;
    ret_task->data = result;
    ret_task->text = STR("");
    if (json_parse(x->arena, result, &tree) < 0)
        return;
    if (json_len(json_get(tree, "approvals")) > 0) /* decided by people, not by who asked */
        ret_task->state = A2A_INPUT;
    ret_task->text = json_get_bool(tree, "spoke", false) ? json_get_str(tree, "reply")
                                                         : json_get_str(tree, "reason");
}
