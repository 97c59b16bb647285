/* What a paused run goes on with: messages, budgets spent, what it has read and done, and the calls
 * that wait. JSON, sealed in the run's row; any process can go on from it.
 */
#ifndef AGENT_CHECKPOINT_H
#define AGENT_CHECKPOINT_H

#include "agent/private.h"

/* A call that waits for a decision. */
struct waiting_call {
    struct str approval_id;
    struct model_tool_call call;
};

struct str checkpoint_write(const struct run *run);
/* Fill a run whose row and arena are set, before its tools are gathered. 0 or ERR_CORRUPT. */
MUST_CHECK int checkpoint_read(struct run *run, struct str text);
/* The counts of calls, once the tools are there. */
void checkpoint_counts(struct run *run, struct str text);

#endif
