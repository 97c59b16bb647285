/* Errors of A2A: in JSON-RPC with google.rpc.ErrorInfo as data, in HTTP+JSON as google.rpc.Status
 * with a status of HTTP. See "Error Handling" of either binding in the specification of 1.0.
 */
#include "api/a2a.h"

static const struct refusal {
    int64_t code;
    int status;
    const char *name, *reason;
} refusals[] = {
    {A2A_TASK_NOT_FOUND, 404, "NOT_FOUND", "TASK_NOT_FOUND"},
    {A2A_NOT_CANCELABLE, 400, "FAILED_PRECONDITION", "TASK_NOT_CANCELABLE"},
    {A2A_NO_PUSH, 400, "FAILED_PRECONDITION", "PUSH_NOTIFICATION_NOT_SUPPORTED"},
    {A2A_UNSUPPORTED, 400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION"},
    {A2A_NO_EXTENDED_CARD, 400, "FAILED_PRECONDITION", "EXTENDED_AGENT_CARD_NOT_CONFIGURED"},
    {A2A_VERSION, 400, "FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED"},
    {RPC_INVALID_PARAMS, 400, "INVALID_ARGUMENT", "INVALID_PARAMS"},
};

static const struct refusal *find(int64_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (refusals[i].code == code)
            return &refusals[i];
    return NULL;
}

static void put_details(struct json_writer *w, const struct refusal *refusal)
{
    json_array_begin(w);
    json_object_begin(w);
    json_cstr_member(w, "@type", "type.googleapis.com/google.rpc.ErrorInfo");
    json_cstr_member(w, "reason", refusal->reason);
    json_cstr_member(w, "domain", "a2a-protocol.org");
    json_object_end(w);
    json_array_end(w);
}

static void put_status(struct buf *out, const struct refusal *refusal, const char *message)
{
    struct json_writer w;

    json_init(&w, out);
    json_object_begin(&w);
    json_name(&w, "error");
    json_object_begin(&w);
    json_i64_member(&w, "code", refusal->status);
    json_cstr_member(&w, "status", refusal->name);
    json_cstr_member(&w, "message", message);
    json_name(&w, "details");
    put_details(&w, refusal);
    json_object_end(&w);
    json_object_end(&w);
}

void a2a_answer(struct exchange *x, const struct a2a_call *call, int status, const struct buf *out)
{
    answer_json(&x->answer, status, out);
    if (call->form == A2A_HTTP)
        x->answer.content_type = "application/a2a+json";
}

int a2a_refuse(struct exchange *x, const struct a2a_call *call, int64_t code, const char *message)
{
    const struct refusal *refusal = find(code);
    struct buf out = BUF_IN(x->arena), data = BUF_IN(x->arena);
    struct json_writer w;

    if (call->form == A2A_HTTP) {
        put_status(&out, refusal, message);
        a2a_answer(x, call, refusal->status, &out);
        return 0;
    }
    if (refusal && code != RPC_INVALID_PARAMS) {
        json_init(&w, &data);
        put_details(&w, refusal);
    }
    rpc_put_error(&out, call->id, code, str_from(message), buf_str(&data));
    a2a_answer(x, call, 200, &out);
    return 0;
}

int a2a_refuse_rc(struct exchange *x, const struct a2a_call *call, int rc)
{
    if (rc == ERR_INVALID)
        return a2a_refuse(
            x, call, RPC_INVALID_PARAMS, str_dup(x->arena, str_from(err_message())).ptr);
    if (rc == ERR_NOT_FOUND)
        return a2a_refuse(x, call, RPC_INVALID_PARAMS,
            "There is no such contextId; leave it out to begin a new one.");
    return rc;
}
