/* What a paused run goes on with: messages, budgets spent, what it has read and done, and the calls
 * that wait. JSON, sealed in the run's row; any process can go on from it.
 *
 * A member of a team, or a step of a workflow, that waits has the same for its own part: its frame.
 * Frames stand inside what waits for them, so that the tree of who asked whom is in the text; an
 * object with an approval_id is a call that a person decides on, at whatever depth.
 */
#ifndef AGENT_CHECKPOINT_H
#define AGENT_CHECKPOINT_H

#include "agent/private.h"

/* A call that waits for a decision, or for the frame of who works for it. */
struct waiting_call {
    struct str approval_id; /* "": what waits is below, in frame */
    struct model_tool_call call;
    struct str frame;            /* JSON */
    struct str on_timeout, step; /* of the workflow's step that it belongs to; "": none */
    int64_t hours;               /* until it expires; 0: approvals.hours */
};

struct str checkpoint_write(const struct run *run);
/* Fill a run whose row and arena are set, before its tools are gathered. 0 or ERR_CORRUPT. */
MUST_CHECK int checkpoint_read(struct run *run, struct str text);
/* The same of a member. */
void checkpoint_read_part(struct run *run, const struct json *frame);
/* The counts of calls, once the tools are there. */
void checkpoint_counts(struct run *run);
/* Write what a waiting call is as members of an object. */
void checkpoint_put_waiting(struct json_writer *w, const struct waiting_call *waiting);
/* All calls in it that people decide on, in its order, in arena; returns how many. */
size_t checkpoint_asked(
    struct arena *arena, const struct json *frame, struct waiting_call **ret_asked);

/* Let a member, or a root, whose frame was read go on to its answer or its next pause, as think()
 * does. all_refused: nobody wants anything of it done; no model is asked. Yields. */
MUST_CHECK int run_resume(struct run *run, bool all_refused);

#endif
