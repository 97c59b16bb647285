/* What the files of a run share; nobody outside this room includes it.
 *
 * run.c drives; journal.c commits; think*.c ask models; toolbox.c gathers tools; calls.c executes
 * their calls; result.c writes the answer.
 */
#ifndef AGENT_PRIVATE_H
#define AGENT_PRIVATE_H

#include "agent/definition.h"
#include "agent/policy.h"
#include "agent/run.h"
#include "agent/session.h"
#include "agent/speak.h"
#include "runtime/channel.h"

#define RUN_MODELS_MAX 16

struct run_guards;
struct step;
struct waiting_call;

/* A run, or a member of a team at work in one. Members have models, messages and tools of their
 * own; what a run has once (the row, session, event log, effects, budgets, actions, citations) is
 * the root's. */
struct run {
    struct run *root;              /* itself when it is no member */
    struct run *leader;            /* of a member; NULL: none */
    const struct agent_def *agent; /* who works; NULL: the agent of the settings */
    struct str task;               /* of a member: what it is to do */
    int depth;                     /* 0: no member */
    const struct agent_house *house;
    const struct run_request *request;
    struct arena *arena;
    struct str seed;    /* of the run's effect keys */
    struct str persona; /* the name that people call it by */
    struct run_row row;
    struct session session;
    struct transcript chat; /* history and request */
    const struct zone *zone;
    int64_t now_ms;                /* wall clock at the start */
    int64_t begun_ms, deadline_ms; /* monotonic */
    struct speak_verdict verdict;
    struct event_log log;
    struct semaphore log_lock; /* the root's: its members may work at the same time */

    size_t known;         /* so many of the request's messages are stored already */
    bool unsaved;         /* the input waits for the first commit that must be */
    struct fiber *keeper; /* stores it when the run takes long; NULL: none */

    struct model *models[RUN_MODELS_MAX]; /* to try, in order */
    size_t model_count, model_current;
    unsigned fell_back; /* a bit for each enum model_error whose own models were taken */
    struct model_message *messages;
    size_t message_count, message_capacity;
    const struct tool *const *tool_list; /* the house's and those of its sources */
    size_t tool_count;
    struct model_tool *tools; /* the same, for the model */
    bool *given_back; /* per tool, and one for unknown names: was an error given back already? */
    int64_t *call_counts;         /* per tool: calls so far */
    struct run_guards *guards;    /* guard_run.c; NULL: not looked for yet */
    size_t judged;                /* so many messages were looked at by guards */
    struct taint taint;           /* what untrusted text was read */
    struct waiting_call *waiting; /* calls that wait for people, or for what waits below them */
    size_t waiting_count;
    struct str stand;           /* of a workflow, or of members that all speak, that waits: JSON */
    const struct json *resumed; /* the frame from which it goes on; NULL: it begins */
    const struct step *step;    /* the workflow's step it works for; NULL: none */
    struct run_decision *decisions; /* the root's: of what it waited for */
    size_t decision_count;
    bool paused;              /* its end is a pause */
    bool ended;               /* its end, or pause, is stored */
    bool store_failed;        /* in the midst of calls, perhaps a member's: no answer may follow */
    struct store_batch extra; /* what else is stored with its end or pause: approvals */
    int64_t tokens;           /* spent, estimated where a provider does not say */
    struct buf delta;         /* heap: answer text that is held back while it may mean silence */
    bool delta_open;          /* it cannot mean silence any more */
    int64_t own_model_calls, own_tool_calls, own_tokens; /* of this agent */
    bool repaired; /* an answer that a guard did not accept was given back */
    bool stopped;  /* a tool that ends the work gave the answer: result.reply */

    struct task_list *tasks; /* of a leader that keeps one; tasks.c */

    struct run_result result;
    struct run_action *actions;
    struct tool_citation *citations;
    struct str *events;
    size_t action_capacity, citation_capacity, event_capacity;
};

/* Record an event of the run; ERR_CANCELLED when its reader went away. Yields. */
MUST_CHECK int run_event(struct run *run, const char *type, struct str data);
/* The same, stored with other data. */
MUST_CHECK int run_event_as(struct run *run, const char *type, struct str data, struct str stored);
/* Who works: by request->agent. 0 with NULL for the agent of the settings, or ERR_INVALID. */
MUST_CHECK int run_choose_agent(const struct run_request *request, const struct agent_house *house,
    const struct agent_def **ret_agent);
/* Bring a run to its end, or its pause, after think() returned rc: store it and show the last
 * events. Yields. */
MUST_CHECK int run_finish(struct run *run, int rc);
/* May the run be silent although a model was asked? A member answers whoever asks it. */
static inline bool run_may_be_silent(const struct run *run)
{
    return run->root == run && !run->request->must_reply && !run->verdict.addressed;
}

/* journal.c */
/* Store the input, and for a silent run its end too, in one commit. Fills session, chat and
 * verdict. The input of a run that will speak may wait; see journal.c. 0, ERR_NOT_FOUND, store
 * errors: then nothing is stored. Yields. */
MUST_CHECK int journal_begin(struct run *run);
/* Wait until the input is stored, if it waits. Before tools: what they do and read may depend on
 * it. 0 or store errors. Yields. */
MUST_CHECK int journal_saved(struct run *run);
/* Store the answer, the run's end and its events in one commit; state: completed, failed,
 * cancelled, paused. Yields, also when the fiber was cancelled. */
MUST_CHECK int journal_end(struct run *run, const char *state, int code, const struct err *cause);

/* think.c */
/* Choose the models to try from the request. 0 or ERR_INVALID (field "model"). */
MUST_CHECK int think_prepare(struct run *run);
/* Ask models and run tools until there is an answer in run->result, or silence. Yields. */
MUST_CHECK int think(struct run *run);
/* The same, with messages and tools that are there already. */
MUST_CHECK int think_on(struct run *run);

/* direct.c */
/* Call the tool that the request names instead of asking a model. 0, CALLS_PAUSE, or what ends the
 * run. Yields. */
MUST_CHECK int direct_run(struct run *run);
/* The result of a run whose call of a tool has ended. */
void direct_result(struct run *run);
static inline bool run_is_direct(const struct run *run)
{
    return run->root == run && !str_empty(run->request->tool);
}

/* team.c */
/* Let a team's members speak first where its mode says so: their answers go into the messages. 0,
 * or what ends the run. Yields. */
MUST_CHECK int team_prepare(struct run *run);
/* Let def work on task, "" for the chat itself: 0 with its answer; CALLS_PAUSE with what it goes on
 * with once people have decided, given as frame then (NULL: it begins); or ERR_* when it could not
 * answer. What it makes lives in arena. Yields. */
MUST_CHECK int team_ask(struct run *leader, const struct agent_def *def, struct str task,
    const struct json *frame, struct arena *arena, struct str *ret_answer);
/* The tools that a team's leader has besides its own; *ret_count 0 for others. */
const struct tool *const *team_tools(struct run *run, size_t *ret_count);

/* tasks.c */
/* The list of a leader that waits, and its way back. */
void tasks_write(struct json_writer *w, const struct run *leader);
void tasks_read(struct run *leader, const struct json *list);
/* The tool by which the leader of a team in mode tasks has its list worked through. */
void tasks_tool(struct arena *arena, const struct agent_def *team, struct tool *ret_tool);

/* workflow.c */
/* Take the steps of run->agent's workflow; the answer is in run->result. Yields. */
MUST_CHECK int workflow_run(struct run *run);

/* toolbox.c */
/* Gather the run's tools. 0, or what ends the run. Yields. */
MUST_CHECK int toolbox_fill(struct run *run);

/* calls.c */
enum { CALLS_PAUSE = 1 /* calls wait for approvals; the others ran */ };
/* Execute tool calls, append their answers to run->messages. 0, CALLS_PAUSE, or what ends the run.
 * Yields. */
MUST_CHECK int calls_run(struct run *run, const struct model_tool_call *calls, size_t count);
/* The same with the calls that waited (run->waiting): those that were approved run, perhaps with
 * other arguments, and what waited below goes on. */
MUST_CHECK int calls_go_on(struct run *run);

/* How an approval that a run waited for was decided, and what came of it. */
struct run_decision {
    struct approval_row *row;
    bool done;        /* what it was about was done */
    bool unknown;     /* it was cut off: nobody knows whether it did its work */
    struct str cause; /* why it was not done */
};
/* NULL: the run did not wait for it. */
struct run_decision *run_decision(const struct run *run, struct str approval_id);
void run_message_add(struct run *run, const struct model_message *message);

/* result.c */
struct str result_text(const struct run *run);
void result_add_action(struct run *run, struct str tool, const char *status, struct str summary);
/* Take over event and citations of a tool; those whose quote does not stand in its text are left
 * out. */
void result_add(struct run *run, const struct tool_result *result);
/* The members "actions" and "citations". */
void result_write_actions(struct json_writer *w, const struct run_result *result);
void result_write_citations(struct json_writer *w, const struct run_result *result);

#endif
