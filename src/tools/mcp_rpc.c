#include "tools/mcp_rpc.h"

#include "base/err.h"

static bool id_is_valid(const struct json *id)
{
    return json_is(id, JSON_STRING) ||
           (json_is(id, JSON_NUMBER) && json_i64(id, INT64_MIN) != INT64_MIN);
}

static int take_response(const struct json *tree, struct rpc_message *message)
{
    const struct json *id = json_get(tree, "id");

    message->kind = RPC_RESPONSE;
    message->result = json_get(tree, "result");
    message->error = json_get(tree, "error");
    message->id = id_is_valid(id) ? id : NULL;
    if (!message->result == !message->error)
        return err_set(ERR_PROTOCOL, "An answer has neither result nor error, or both.");
    if (message->result && (!message->id || !json_is(message->result, JSON_OBJECT)))
        return err_set(ERR_PROTOCOL, "An answer's id or result has the wrong type.");
    if (message->error && !json_is(message->error, JSON_OBJECT))
        return err_set(ERR_PROTOCOL, "An answer's error is no object.");
    return 0;
}

int rpc_take(const struct json *tree, struct rpc_message *ret_message)
{
    const struct json *id = json_get(tree, "id"), *method = json_get(tree, "method");
    struct rpc_message message = {.kind = id ? RPC_REQUEST : RPC_NOTIFICATION, .id = id};
    int rc = 0;

    if (!json_is(tree, JSON_OBJECT) || !str_is(json_get_str(tree, "jsonrpc"), "2.0"))
        return err_set(ERR_PROTOCOL, "This is not a JSON-RPC 2.0 message.");
    if (!method) {
        rc = take_response(tree, &message);
    } else {
        message.method = json_str(method);
        message.params = json_get(tree, "params");
        if (str_empty(message.method) || (id && !id_is_valid(id)))
            rc = err_set(ERR_PROTOCOL, "A request's method or id has the wrong type.");
        else if (message.params && !json_is(message.params, JSON_OBJECT))
            rc = err_set(ERR_PROTOCOL, "A request's params are no object.");
    }
    if (rc == 0)
        *ret_message = message;
    return rc;
}

int rpc_read(struct arena *arena, struct str text, struct rpc_message *ret_message)
{
    const struct json *tree;

    if (json_parse(arena, text, &tree) < 0)
        return err_set(ERR_PROTOCOL, "A message is not valid JSON.");
    return rpc_take(tree, ret_message);
}

static void begin(struct json_writer *w, struct buf *out, const struct json *id)
{
    json_init(w, out);
    json_object_begin(w);
    json_cstr_member(w, "jsonrpc", "2.0");
    json_name(w, "id");
    if (id)
        json_put_node(w, id);
    else
        json_put_null(w);
}

void rpc_put_result(struct buf *out, const struct json *id, struct str result)
{
    struct json_writer w;

    begin(&w, out, id);
    json_raw_member(&w, "result", result);
    json_object_end(&w);
}

void rpc_put_error(
    struct buf *out, const struct json *id, int64_t code, struct str message, struct str data)
{
    struct json_writer w;

    begin(&w, out, id);
    json_name(&w, "error");
    json_object_begin(&w);
    json_i64_member(&w, "code", code);
    json_str_member(&w, "message", message);
    if (!str_empty(data))
        json_raw_member(&w, "data", data);
    json_object_end(&w);
    json_object_end(&w);
}
