/* Workflows: steps in an order that is declared, not chosen by a model (setting workflows;
 * docs/agents.md). A workflow is one more agent_def: it is named, listed, asked and made a member
 * like an agent or a team.
 *
 * The output of each step has the step's name; later steps use it in templates, "{{facts}}", and in
 * conditions. How far a run of it got is told by its events step.started and step.completed. While
 * people decide, the run's checkpoint has what each step came to: going on walks through the steps
 * again, and those that ended are not taken again.
 * Definitions are immutable and live in the set's arena.
 */
#ifndef AGENT_WORKFLOW_H
#define AGENT_WORKFLOW_H

#include "agent/definition.h"

#define WORKFLOW_STEPS_MAX 100
#define WORKFLOW_DEPTH_MAX 6    /* steps in steps */
#define WORKFLOW_ROUNDS_MAX 100 /* of a loop */
#define WORKFLOW_RETRIES_MAX 10
#define WORKFLOW_HOURS_MAX 720 /* that a step waits for people */

/* What a template or condition looks at: the output of a step (0 and up), or one of these. */
enum { SLOT_INPUT = -1, SLOT_PREVIOUS = -2, SLOT_NONE = -3 };

enum step_kind {
    STEP_AGENT,
    STEP_TOOL,
    STEP_HUMAN,
    STEP_PARALLEL,
    STEP_LOOP,
    STEP_CONDITION,
    STEP_ROUTER,
};
enum step_on_error { STEP_FAILS, STEP_SKIPS, STEP_FALLS_BACK };
/* What follows when nobody decides in time. */
enum step_on_timeout {
    STEP_TIMEOUT_UNSAID, /* what a step around it says, or the run ends */
    STEP_TIMEOUT_STOP,
    STEP_TIMEOUT_SKIP,
    STEP_TIMEOUT_GO_ON, /* a review counts as agreed; a tool is not called, and its agent told so */
};

enum condition_kind { CONDITION_NONE, CONDITION_CONTAINS, CONDITION_EQUALS, CONDITION_EMPTY };

struct condition {
    enum condition_kind kind;
    bool negated;
    int slot;
    struct str value;
};

struct step_list {
    struct str name; /* of a router's case */
    struct step *steps;
    size_t count;
};

struct step {
    struct str name;
    enum step_kind kind;
    int slot;
    const struct agent_def *agent;
    struct str tool;
    struct str input;    /* template; STEP_AGENT, STEP_HUMAN. ptr NULL: the output before */
    struct str question; /* template; STEP_HUMAN */
    const struct json *arguments; /* STEP_TOOL: the strings in it are templates; NULL: none */
    struct step_list steps;       /* parallel, loop, then */
    struct step_list otherwise;   /* else */
    struct step_list *cases;
    size_t case_count;
    struct condition condition; /* if, until */
    int decides;                /* STEP_ROUTER: slot */
    int64_t rounds;
    enum step_on_error on_error;
    struct step_list fallback;
    int64_t retries, timeout_ms; /* of one attempt; 0: the run's */
    enum step_on_timeout on_timeout;
    int64_t hours; /* that it waits for people; 0: approvals.hours */
};

struct workflow {
    struct step_list steps;
    struct str answer;                    /* template; "": the last output */
    struct str names[WORKFLOW_STEPS_MAX]; /* by slot */
    int slot_count;
};

/* Where a workflow is read from, for messages. */
struct workflow_source {
    struct agent_set *set; /* all agents and teams are in it, and all workflows by name */
    const struct tool *const *tools;
    size_t tool_count;
    const char *place; /* of the setting workflows: "theo.yaml:12" */
};

/* Read one entry of the setting workflows into def: workflow, and as members whoever its steps ask.
 * 0 or ERR_INVALID with file, line and what is wrong. */
MUST_CHECK int workflow_read(
    const struct workflow_source *source, const struct json *entry, struct agent_def *def);

/* The slot of what stands between {{ and }}; SLOT_NONE when there is no such step. */
int workflow_slot(const struct workflow *workflow, struct str name);

/* "facts contains \"x\"", "not facts empty", "facts equals \"yes\"". False when it is no condition,
 * or about a step that there is not. */
bool condition_parse(
    const struct workflow *workflow, struct str text, struct condition *ret_condition);
bool condition_holds(const struct condition *condition, struct str output);

/* What a call that waits takes from the step that it is made for. */
struct waiting_call;
void workflow_timeout(const struct step *step, struct waiting_call *waiting);

#endif
