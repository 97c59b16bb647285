/* One call of a tool while it is planned, made and reported: calls.c and job.c. */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include "agent/ledger.h"
#include "agent/private.h"

struct job {
    struct run *run;
    const struct model_tool_call *asked;
    const struct tool *tool; /* NULL: unknown */
    size_t index;            /* of the tool; the count of tools for unknown names */
    const struct json *args;
    struct arena *arena;
    bool effect, reused;
    bool begun;                    /* its effect, by an earlier call, which did not say its end */
    bool waits;                    /* for an approval */
    struct run_decision *decision; /* it waited, and this was decided */
    const struct json *frame;      /* it waited for what is below, and goes on with this */
    struct str waits_below;        /* frame of what is below and waits; "": it does not */
    bool refused;                  /* by a person */
    bool ran;
    bool late;              /* it used up its own time */
    bool untrusted;         /* its words are somebody else's, also about a failure */
    const struct job *twin; /* an earlier call of the same answer that has the same effect */
    struct ledger_entry entry;
    struct tool_result result;
    int rc; /* of planning, then of the tool */
    int ledger_rc;
    struct err cause;
};

/* {"call_id", "tool", "state"?} */
struct str job_effect_data(const struct job *job, const char *state);
/* Tell the model, the event log and the run's result what came of a call that ended. 0 or
 * ERR_CANCELLED. Yields. */
MUST_CHECK int job_finish(struct job *job);

#endif
