/* The methods of the MCP server, for both eras of the protocol. */
#include "api/mcp.h"

static const char *const legacy_versions[] = {
    MCP_LATEST_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"};

static const char instructions[] =
    "Theo reads a chat and helps with it: it schedules meetings, recalls and sums up what was "
    "said, and answers questions. Give the tool ask the chat as lines of \"name: message\", and "
    "it decides what to say and do.";

void mcp_refuse(struct mcp_request *request, int status, int64_t code, const char *message)
{
    buf_clear(request->out);
    request->status = status;
    rpc_put_error(request->out, request->message->id, code, str_from(message), STR(""));
}

static void put_info(struct mcp_request *request, struct json_writer *w, const char *member)
{
    json_name(w, member);
    json_object_begin(w);
    json_cstr_member(w, "name", "theo");
    json_cstr_member(w, "title", "Theo");
    json_cstr_member(w, "version", request->x->api->version);
    json_object_end(w);
}

/* A modern answer says whose it is, as there was no handshake. */
void mcp_result_begin(struct mcp_request *request, struct json_writer *w, struct buf *out)
{
    json_init(w, out);
    json_object_begin(w);
    if (!request->modern)
        return;
    json_cstr_member(w, "resultType", "complete");
    json_name(w, "_meta");
    json_object_begin(w);
    put_info(request, w, MCP_META_SERVER);
    json_object_end(w);
}

void mcp_result_end(struct mcp_request *request, struct json_writer *w, struct buf *out)
{
    json_object_end(w);
    rpc_put_result(request->out, request->message->id, buf_str(out));
}

static void put_capabilities(struct json_writer *w)
{
    json_raw_member(w, "capabilities", STR("{\"tools\":{}}"));
    json_cstr_member(w, "instructions", instructions);
}

static void initialize(struct mcp_request *request)
{
    struct str asked = json_get_str(request->message->params, "protocolVersion");
    const char *version = MCP_LATEST_LEGACY;
    struct buf out = BUF_IN(request->x->arena);
    struct json_writer w;

    for (size_t i = 0; i < ARRAY_LEN(legacy_versions); i++)
        if (str_is(asked, legacy_versions[i]))
            version = legacy_versions[i];
    if (str_empty(asked)) {
        mcp_refuse(request, 200, RPC_INVALID_PARAMS, "protocolVersion is missing.");
        return;
    }
    mcp_result_begin(request, &w, &out);
    json_cstr_member(&w, "protocolVersion", version);
    put_info(request, &w, "serverInfo");
    put_capabilities(&w);
    mcp_result_end(request, &w, &out);
}

static void discover(struct mcp_request *request)
{
    struct buf out = BUF_IN(request->x->arena);
    struct json_writer w;

    mcp_result_begin(request, &w, &out);
    json_name(&w, "supportedVersions");
    json_array_begin(&w);
    json_put_cstr(&w, MCP_MODERN);
    for (size_t i = 0; i < ARRAY_LEN(legacy_versions); i++)
        json_put_cstr(&w, legacy_versions[i]);
    json_array_end(&w);
    put_capabilities(&w);
    json_i64_member(&w, "ttlMs", HOUR_MS);
    json_cstr_member(&w, "cacheScope", "public");
    mcp_result_end(request, &w, &out);
}

static void ping(struct mcp_request *request)
{
    rpc_put_result(request->out, request->message->id, STR("{}"));
}

enum era { LEGACY = 1, MODERN = 2 };

static const struct {
    const char *method;
    void (*serve)(struct mcp_request *request);
    int eras;
} methods[] = {
    {"initialize", initialize, LEGACY},
    {"ping", ping, LEGACY},
    {"server/discover", discover, MODERN},
    {"tools/list", mcp_tools_list, LEGACY | MODERN},
    {"tools/call", mcp_tools_call, LEGACY | MODERN},
};

void mcp_serve(struct mcp_request *request)
{
    int era = request->modern ? MODERN : LEGACY;

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_is(request->message->method, methods[i].method) && (methods[i].eras & era)) {
            methods[i].serve(request);
            return;
        }
    mcp_refuse(request, request->modern ? 404 : 200, RPC_NO_METHOD, "There is no such method.");
}
