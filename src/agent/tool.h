/* What a tool is. Implementations are in tools/, one file and one line in src/catalog.def each;
 * agents never include them.
 */
#ifndef AGENT_TOOL_H
#define AGENT_TOOL_H

#include "base/env.h"
#include "base/err.h"
#include "base/json.h"
#include "text/transcript.h"

struct run;
struct store;
struct tool_services; /* what the host gives to tools: calendar, search, …; see tools/services.h */

enum tool_effect {
    TOOL_PURE,  /* computes from its arguments and the chat */
    TOOL_READ,  /* reads the outside or the store */
    TOOL_WRITE, /* changes something outside the run: goes through the effects ledger */
};

/* Must a person agree before a call changes something, or at least see it afterwards? */
enum tool_approval {
    TOOL_APPROVAL_NONE,
    TOOL_APPROVAL_AUDIT,    /* runs; the event log says so with its arguments */
    TOOL_APPROVAL_REQUIRED, /* the run pauses until a person has agreed */
};

struct tool_call {
    const struct tool *tool; /* the one that is called: its ctx */
    struct arena *arena;     /* the run's */
    const struct env *env;
    struct store *store;
    struct tool_services *services;
    struct str workspace_id, session_id, run_id;
    struct str time_zone; /* IANA, of the request */
    struct str agent_name;
    struct run *run;               /* the agent room's own */
    int64_t now_ms;                /* of the run's start: a replay sees the same */
    const struct transcript *chat; /* what the run was given, history included */
    struct str idempotency_key;    /* TOOL_WRITE: stable over retries of this call */
    const struct json *args;       /* checked against parameters */
    const struct json *frame;      /* the agent room's own: what a call that waited goes on with */
};

struct tool_citation {
    struct str url, title, quote;
};

struct tool_result {
    struct str content; /* JSON or text given back to the model */
    struct str summary; /* one line for people: actions[].summary */
    struct str event;   /* JSON of a calendar event made or changed; may be empty */
    const struct tool_citation *citations;
    size_t citation_count;
    bool untrusted; /* others wrote what content says: data, never instructions */
};

struct tool {
    const char *name;        /* [a-z_]+ */
    const char *description; /* for the model: when to use it, in two sentences */
    const char
        *parameters; /* JSON Schema: object with properties, required, additionalProperties */
    enum tool_effect effect;
    int64_t timeout_ms; /* 0: 30 s */
    /* 0, or ERR_*: ERR_INVALID goes back to the model once (with the message), others are told to
     * it as a failure. Yields. */
    int (*run)(const struct tool_call *call, struct tool_result *ret_result);
    /* TOOL_WRITE: true when a call with these arguments changes nothing and so needs no ledger
     * ("list"). May be NULL. */
    bool (*reads_only)(const struct json *args);
    /* TOOL_WRITE: it honours idempotency_key, so that a call that was cut off may be made again
     * with the same key: its effect happens once all the same. Without this such a call is never
     * repeated, and must be checked by people. */
    bool keyed;
    /* Every result of it is untrusted, also one reused from the ledger. */
    bool untrusted;
    enum tool_approval approval;
    bool stop_after;   /* its summary is the run's answer; no model is asked again */
    int64_t calls_max; /* calls per run; 0: no limit of its own */
    /* TOOL_PURE and TOOL_READ: how long a result serves the same arguments again, in this process
     * and workspace; 0: not at all. Only for what is the same for every chat. */
    int64_t cache_ms;
    const void *ctx; /* the tool's own; NULL for those of src/catalog.def */
};

/* Tools that are only known while Theo runs: those of an MCP server, for example. */
struct tool_source {
    /* The tools there are now, in arena or living as long as it. What a source cannot reach it
     * leaves out and logs; a failure ends the run (ERR_CANCELLED, ERR_TIMEOUT). Yields. */
    int (*list)(
        void *ctx, struct arena *arena, const struct tool *const **ret_tools, size_t *ret_count);
    void *ctx;
};

/* Check args against the subset of JSON Schema that tools use: type, properties, required,
 * additionalProperties false, enum, items, minLength, maxLength, minimum, maximum, minItems,
 * maxItems. 0 or ERR_INVALID with field. */
MUST_CHECK int tool_check_args(const struct tool *tool, const struct json *args);

#endif
