/* A run: one answer to one state of a chat. Append-only event log, one arena, one deadline.
 *
 * run_chat() journals its input durably (session, messages, run) before anything else (of a new
 * chat before anything that can be noticed: agent/journal.c), decides whether to speak, calls the
 * model with the tools until it answers or a budget ends it, each outside effect through the
 * effects ledger, and commits answer and events before it returns 0: what it returned survives a
 * crash. A run found "running" after a restart is marked "interrupted"; a repeated request (same
 * idempotency key) continues on the ledger's results.
 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include "agent/event.h"
#include "agent/speak.h"
#include "agent/tool.h"
#include "model/model.h"
#include "store/store.h"

/* A run at its end, or its pause. */
struct run_end {
    const struct run_request *request; /* of a run that goes on after a pause as it was stored */
    const struct run_row *run;
    const struct chat_session_row *session;
    const struct run_result *result;
    int code; /* 0, or why it failed */
    const struct err *cause;
};

/* Who stores what follows from a run in the commit that ends it, such as the message that a channel
 * is to deliver: both happen or neither does. */
struct run_listener {
    /* Add to the batch; called again when the commit has to be tried again. Rows live in the
     * batch's arena. 0, or what the run fails with. May yield. */
    int (*ending)(void *ctx, const struct run_end *end, struct store_batch *batch);
    /* It is stored. Does not yield. */
    void (*ended)(void *ctx, const struct run_end *end);
    void *ctx;
};

/* What runs need; made by the host, shared by all loops, immutable. */
struct agent_house {
    const struct env *env;
    const struct config *config;
    struct store *store;
    struct model *const *models; /* the configured one and its fallbacks, in order */
    size_t model_count;
    size_t configured_count; /* of them, the first ones: settings model and model.fallback; the
                                others are agents' own */
    const struct tool *const *tools;
    size_t tool_count;
    const struct tool_source *sources; /* of further tools, asked by each run that needs a model */
    size_t source_count;
    struct tool_services *services;
    const struct agent_set *agents; /* declared ones; NULL: none */
    const struct policy *policy;    /* NULL: tools speak for themselves */
    struct tool_cache *tool_cache;  /* NULL: nothing is cached */
    struct live_runs *live; /* those that are worked on now; NULL: nobody asks (agent/live.h) */
    const struct run_listener *listener; /* of runs of channels; NULL: none */
};

struct agent_set;

struct run_request {
    struct str workspace_id;
    struct str key_id;          /* who asks */
    struct str session_id;      /* empty: a new session */
    struct str channel;         /* "api"; others have a listener */
    struct str idempotency_key; /* empty: none; the seed of the run's effect keys */
    struct transcript chat;
    /* Not 0: chat is empty, and this message of the session, stored already, is to be answered.
     * What came in after it is left out. */
    int64_t answer_seq;
    struct str answer_text; /* what that message asks, in other words; empty: as it was said */
    const struct speak_verdict *verdict; /* decided already; NULL: the rules decide */
    /* Not empty: no model is asked; this tool is called with these arguments (a JSON object), as a
     * model would call it: limits, policy, approvals and the effects ledger hold for it too. */
    struct str tool, tool_arguments;
    struct str system_prompt; /* added to the instructions; may be empty */
    struct str agent;         /* empty: default */
    struct str model;         /* "builtin" or a configured spec; empty: default */
    struct str model_api_key; /* caller's own; never stored or logged */
    struct str time_zone;     /* IANA; empty: setting time-zone */
    struct str metadata;      /* JSON object, kept with the run; may be empty */
    bool must_reply;
    run_sink *sink; /* may be NULL */
    void *sink_ctx;
};

struct run_action {
    struct str tool, status /* done, failed, reused */, summary;
};

/* A tool call that waits until a person has agreed. */
struct run_approval {
    struct str id, tool, summary, arguments /* JSON */;
    struct str token; /* lets whoever has it decide; given out once, never stored */
    int64_t expires_at;
};

struct run_result {
    struct str session_id, run_id;
    bool spoke;
    struct str reply;   /* empty when silent */
    struct str reason;  /* why silent, or what stopped it; may be empty */
    struct str content; /* of a call of one tool: what it gave, for a model; else empty */
    struct str agent, model;
    const struct tool_citation *citations;
    size_t citation_count;
    const struct run_action *actions;
    size_t action_count;
    const struct run_approval *approvals; /* the run is paused until these are decided */
    size_t approval_count;
    const struct str *events; /* JSON of calendar events made */
    size_t event_count;
    struct model_usage usage;
    double cost_usd;   /* of the model calls whose price is known */
    bool cost_unknown; /* that of another one is not */
    int64_t model_calls, tool_calls;
    int64_t latency_ms;
};

/* 0 (silence included); ERR_INVALID (field: session_id, model, agent, time_zone), ERR_NOT_FOUND
 * (session), ERR_BUDGET, ERR_TIMEOUT, ERR_UNAVAILABLE (model down and no fallback; with
 * retry_after), ERR_CANCELLED, store errors. A run that fails after it was journaled is stored as
 * failed, and ret_result has its ids. Yields. */
MUST_CHECK int run_chat(const struct agent_house *house, const struct run_request *request,
    struct arena *arena, struct run_result *ret_result);

/* The object that POST /api/chat answers with and run.completed carries. */
void run_result_write(struct json_writer *w, const struct run_result *result);

/* Is it not at its end: does it run, wait for people, or is it being cancelled? */
static inline bool run_is_open(const struct run_row *run)
{
    return str_is(run->listed, "running") || str_is(run->listed, "paused") ||
           str_is(run->listed, "cancelling");
}

/* Runs left "running" by a process that died become "interrupted". Once at start, per workspace.
 * Returns how many through ret_count. Yields. */
MUST_CHECK int run_recover(
    const struct agent_house *house, struct str workspace_id, size_t *ret_count);
/* The same for a store that others use too: runs begun before that time (UTC ms), which no living
 * process can still be at. Those that go on after approvals are left to approval_sweep(). Yields.
 */
MUST_CHECK int run_interrupt_old(
    const struct agent_house *house, struct str workspace_id, int64_t before_ms, size_t *ret_count);

#endif
