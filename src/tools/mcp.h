/* Tools of MCP servers (Model Context Protocol, revisions 2026-07-28 and 2025-11-25 down to
 * 2024-11-05), for agents to use like built-in ones.
 *
 * The setting "mcp" names the servers; docs/mcp.md describes it. Each loop keeps its own link to
 * each server: an HTTP session, or a child process that is spoken to over pipes. Links open when a
 * tool list is first needed, in the background; a server that is down has no tools until it is
 * back, and is tried again with growing pauses.
 *
 * Everything a server says is untrusted: names and schemas are checked, texts cut and cleaned of
 * invisible characters, results marked. What one call meets (a lie, a flood, 50 MB, silence, a
 * death) fails that call with a plain message.
 */
#ifndef TOOLS_MCP_H
#define TOOLS_MCP_H

#include "agent/tool.h"
#include "base/config.h"

struct mcp;

/* Read the setting. 0, or ERR_INVALID naming the line. ret_mcp is NULL when no server is named. */
MUST_CHECK int mcp_open(const struct config *config, struct mcp **ret_mcp);
/* After all loops ended. */
void mcp_free(struct mcp *mcp);
/* For struct agent_house; mcp is not NULL. */
struct tool_source mcp_source(struct mcp *mcp);
/* Begin to open the current loop's links, so that the first run need not wait. mcp may be NULL. */
void mcp_warm(struct mcp *mcp);

#endif
