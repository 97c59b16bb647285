/* Remote agents that speak A2A (Agent2Agent protocol, 1.0 and 0.3, JSON-RPC binding), each a tool
 * NAME__ask for Theo's agents, so that one can be a member of a team.
 *
 * The setting "a2a" names them; docs/a2a.md describes it. What they say is untrusted, as with MCP
 * servers (tools/mcp.h).
 */
#ifndef TOOLS_A2A_H
#define TOOLS_A2A_H

#include "agent/tool.h"
#include "base/config.h"

struct a2a;

/* Read the setting. 0, or ERR_INVALID naming the line. ret_a2a is NULL when no agent is named. */
MUST_CHECK int a2a_open(const struct config *config, struct a2a **ret_a2a);
/* After all loops ended. */
void a2a_free(struct a2a *a2a);
/* For struct agent_house; a2a is not NULL. */
struct tool_source a2a_source(struct a2a *a2a);

#endif
