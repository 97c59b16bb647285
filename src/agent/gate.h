/* What stands between a model's call and the tool: limits, the policy, and what it makes of
 * results: inert text, and a run that knows what it has read. Only the run's own fiber calls these.
 */
#ifndef AGENT_GATE_H
#define AGENT_GATE_H

#include "agent/policy.h"
#include "agent/private.h"

/* May this call run? 0 with *ret_verdict ALLOW, AUDIT or ASK; ERR_BUDGET (the tool's own limit) or
 * ERR_DENIED (the policy blocks it) with a cause for the model; the event log has the reason.
 * ERR_CANCELLED from the event log ends the run. */
MUST_CHECK int gate_check(struct run *run, const struct model_tool_call *asked,
    const struct tool *tool, size_t index, const struct json *args,
    enum policy_verdict *ret_verdict);

/* Text of a tool on its way to the model: of an untrusted one it taints the run and is made
 * inert. */
struct str gate_content(struct run *run, const struct tool *tool, bool untrusted, struct str text);

#endif
