/* Theo as an MCP server: POST /mcp, and the same over stdio (`theo mcp`, host/mcp.c).
 *
 * Stateless: no sessions, so any instance answers any request. mcp.c is the HTTP door, mcp_server.c
 * knows the methods, mcp_tools.c offers and calls the tools, mcp_calls.c finds running calls again
 * to cancel them. docs/mcp.md describes it for users.
 */
#ifndef API_MCP_H
#define API_MCP_H

#include "api/exchange.h"
#include "tools/mcp_rpc.h"

/* One JSON-RPC request and its answer. */
struct mcp_request {
    struct exchange *x;
    const struct rpc_message *message;
    bool modern;
    struct buf *out; /* the answer: one JSON-RPC message */
    int status;      /* of HTTP, for the answer */
};

int mcp_post(struct exchange *x);
/* mcp.c: no Origin, or one that may. */
bool mcp_origin_allowed(const struct exchange *x);

/* mcp_server.c: answer the request. Never fails: failures are answers. Yields. */
void mcp_serve(struct mcp_request *request);
void mcp_refuse(struct mcp_request *request, int status, int64_t code, const char *message);
/* Results of either era: what a modern one needs besides is added. */
void mcp_result_begin(struct mcp_request *request, struct json_writer *w, struct buf *out);
void mcp_result_end(struct mcp_request *request, struct json_writer *w, struct buf *out);

/* mcp_tools.c */
void mcp_tools_list(struct mcp_request *request);
void mcp_tools_call(struct mcp_request *request);

/* mcp_calls.c: the calls that run in this process, for notifications/cancelled. */
struct mcp_calls *mcp_calls_new(void);
void mcp_calls_free(struct mcp_calls *calls);
/* fiber runs the call; take it away before it ends. Both on the fiber's loop. */
uint64_t mcp_calls_add(
    struct mcp_calls *calls, const char *key_id, struct str id, struct fiber *fiber);
void mcp_calls_remove(struct mcp_calls *calls, uint64_t serial);
/* Cancel what a key's request id names; false when nothing of that name runs here. Any thread. */
bool mcp_calls_cancel(struct mcp_calls *calls, const char *key_id, struct str id);

#endif
