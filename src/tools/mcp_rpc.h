/* JSON-RPC 2.0 messages as MCP and A2A use them: no batches, ids are strings or whole numbers. */
#ifndef TOOLS_MCP_RPC_H
#define TOOLS_MCP_RPC_H

#include "base/json.h"

#define MCP_MODERN "2026-07-28"
#define MCP_LATEST_LEGACY "2025-11-25"
#define MCP_META_VERSION "io.modelcontextprotocol/protocolVersion"
#define MCP_META_CLIENT "io.modelcontextprotocol/clientInfo"
#define MCP_META_SERVER "io.modelcontextprotocol/serverInfo"
#define MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_HEADER_MISMATCH = -32020,
    RPC_VERSION = -32022,
};

enum rpc_kind { RPC_REQUEST, RPC_NOTIFICATION, RPC_RESPONSE };

struct rpc_message {
    enum rpc_kind kind;
    const struct json *id; /* NULL: none, or null in a response */
    struct str method;
    const struct json *params;         /* NULL or an object */
    const struct json *result, *error; /* RPC_RESPONSE: one of them */
};

/* 0 or ERR_PROTOCOL, also for JSON that is no such message. */
MUST_CHECK int rpc_read(struct arena *arena, struct str text, struct rpc_message *ret_message);
/* The same from a tree. */
MUST_CHECK int rpc_take(const struct json *tree, struct rpc_message *ret_message);

/* {"jsonrpc":"2.0","id":…,"result":…} */
void rpc_put_result(struct buf *out, const struct json *id, struct str result);
/* data: JSON, may be empty. id NULL writes null. */
void rpc_put_error(
    struct buf *out, const struct json *id, int64_t code, struct str message, struct str data);

#endif
