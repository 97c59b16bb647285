/* Approvals: a person decides whether a tool call may happen.
 *
 * A run that meets a call which needs one (agent/policy.h) executes the other calls of that model
 * answer, stores what it needs to go on, and pauses; its answer says truthfully that it waits. Any
 * process goes on with it once all of its approvals are decided: approved calls run, once, through
 * the effects ledger, refused ones are told to the model, and the run continues to its end or its
 * next pause. A decision is stored before anything follows from it, and of several at the same time
 * one wins. Who goes on with a run holds a lease on its approvals; when that process dies,
 * approval_sweep() of any other takes over, and the ledger knows what was done already. An approval
 * that nobody decides in time fails its run.
 */
#ifndef AGENT_APPROVAL_H
#define AGENT_APPROVAL_H

#include "agent/run.h"

/* Of due_at: nothing is to be done any more. */
#define APPROVAL_NEVER (253402300799000LL)

enum { APPROVAL_WAITS = 1 /* decided; the run waits for other approvals */ };

struct approval_decision {
    struct str workspace_id, id;
    bool approve;
    struct str arguments; /* JSON object instead of the model's; empty: as they are */
    struct str reason;    /* may be empty */
    struct str by;        /* who decides: a key's id, or "token" */
};

/* Who goes on: this process. */
struct approval_owner {
    struct str id;            /* ULID of its start */
    bool sole;                /* nobody else used the store then: owners before it are dead */
    struct str model_api_key; /* the caller's own; may be empty */
};

/* Is this the token of the approval? Constant time. */
bool approval_token_is(const struct approval_row *row, struct str token);

/* What a button in a chat carries besides the approval's id, so that nobody makes one up: 32
 * characters that follow from the token, and from the row. */
struct str approval_button(struct str token, struct arena *arena);
bool approval_button_is(const struct approval_row *row, struct str button);

/* Decide, and go on with the run when nothing else is to be decided. 0, or APPROVAL_WAITS;
 * *ret_result is the run's answer as it is now, *ret_row the approval. ERR_NOT_FOUND, ERR_INVALID
 * (field arguments), ERR_CONFLICT (decided already, expired, or somebody is going on with it). A
 * run that fails afterwards is no failure here: *ret_failed, with the reason in the result. The
 * same decision again goes on with what an earlier one could not finish. Yields. */
MUST_CHECK int approval_decide(const struct agent_house *house,
    const struct approval_decision *decision, const struct approval_owner *owner,
    struct arena *arena, struct approval_row *ret_row, struct run_result *ret_result,
    bool *ret_failed);

/* Go on with what is due: runs whose process died, and expired approvals. *ret_count: runs. Yields.
 */
MUST_CHECK int approval_sweep(const struct agent_house *house, struct str workspace_id,
    const struct approval_owner *owner, size_t *ret_count);

struct run;
struct model_tool_call;
struct json;

/* The tool of an approval that asks a person to look at text: a workflow's step human. Its
 * arguments are {"question", "text"}; who decides may give another text. */
#define APPROVAL_REVIEW "review"

/* For the rest of this room: note that a call waits, for a person or (frame not "") for what works
 * for it and waits. */
void approval_add(
    struct run *run, const struct model_tool_call *call, const struct json *args, struct str frame);
/* The run pauses: its answer says so, and its approvals are stored with it. */
void approval_pause(struct run *run);
/* One line for people: what the call would do, made from its arguments. */
struct str approval_summary(struct arena *arena, struct str tool, const struct json *args);

/* Go on with a paused run; as approval_decide(). ERR_CONFLICT: it is not paused, or somebody else
 * is at it. */
MUST_CHECK int run_go_on(const struct agent_house *house, struct str workspace_id,
    struct str run_id, const struct approval_owner *owner, struct arena *arena,
    struct run_result *ret_result, bool *ret_failed);

#endif
