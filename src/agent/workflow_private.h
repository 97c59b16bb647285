/* What the files of a workflow at work share. workflow.c walks through the steps, workflow_step.c
 * takes those that ask somebody, workflow_mark.c remembers what steps came to. */
#ifndef AGENT_WORKFLOW_PRIVATE_H
#define AGENT_WORKFLOW_PRIVATE_H

#include "agent/private.h"
#include "agent/workflow.h"

enum mark_state { MARK_NEW, MARK_BEGUN, MARK_DONE, MARK_SKIPPED, MARK_FAILED };

/* What one step came to so far, or, with a frame, what it waits for. A step of a loop has one for
 * each round. */
struct mark {
    struct str key;
    enum mark_state state;
    struct str text; /* its output, or why it failed */
    int code;        /* of the failure */
    int64_t tries;   /* before this one */
    struct str frame;
    struct mark *next;
};

struct flow {
    struct run *run;
    const struct workflow *workflow;
    struct str *outputs; /* by slot */
    struct str input;    /* the last message of the chat */
    struct mark *marks;
    bool resumed; /* some of them are from before a pause */
};

struct strand {
    struct flow *flow;
    struct arena *arena;
    struct str previous;
    struct str prefix; /* of the keys of its marks: round and try of the steps around */
    int64_t deadline_ms;
};

/* The mark of a step on this strand; made when there is none. */
struct mark *mark_of(struct strand *strand, const struct step *step);
/* All marks as JSON, and the way back. */
struct str marks_write(const struct flow *flow);
void marks_read(struct flow *flow, const struct json *stand);
/* Did people not decide in time what this step, that says skip then, waits for? */
bool mark_timed_out(const struct strand *strand, const struct step *step, const struct mark *mark);

/* What an output holds is not read as a template again. */
struct str workflow_render(const struct strand *strand, struct str template);

static inline bool step_asks(const struct step *step)
{
    return step->kind == STEP_AGENT || step->kind == STEP_TOOL || step->kind == STEP_HUMAN;
}

/* Take a step that asks an agent, a tool or people. 0, CALLS_PAUSE with mark->frame, or ERR_*.
 * Yields. */
MUST_CHECK int step_ask(struct strand *strand, const struct step *step, struct mark *mark);

#endif
