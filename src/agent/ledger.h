/* The effects ledger: an outside effect happens once, whatever is retried.
 *
 * ledger_begin() records the intent durably under a key of (run seed, tool, canonical arguments)
 * before the tool runs; ledger_end() its result. A second begin of a done effect returns the
 * recorded result instead. One that failed is run again. An effect found "intended" was
 * interrupted, and of an "unknown" one nobody knows whether it happened: they are run again with
 * the same idempotency key when the tool honours it (struct tool: keyed), and never otherwise. All
 * calls yield.
 */
#ifndef AGENT_LEDGER_H
#define AGENT_LEDGER_H

#include "agent/tool.h"
#include "store/store.h"

enum {
    LEDGER_REUSED = 1, /* done before: the result is given back */
    LEDGER_OPEN = 2,   /* begun before, and its tool cannot be asked again: people must check */
};

struct ledger_entry {
    struct effect_row row; /* its id is the idempotency key */
};

struct ledger_intent {
    struct str workspace_id, run_id;
    struct str seed; /* the request's idempotency key, or the run's id */
    const char *tool;
    bool keyed; /* the tool honours idempotency keys */
    const struct json *args;
    const struct agent_action_row *events; /* stored in the same commit; may be NULL */
};

/* 0, LEDGER_REUSED, LEDGER_OPEN, or store errors. *ret_events_stored: the events are durable now.
 */
MUST_CHECK int ledger_begin(struct store *store, const struct env *env,
    const struct ledger_intent *intent, struct arena *arena, struct ledger_entry *ret_entry,
    struct tool_result *ret_result, bool *ret_events_stored);
/* outcome: what the tool returned; a time-out or cancel leaves the effect "unknown". */
MUST_CHECK int ledger_end(struct store *store, const struct env *env, struct ledger_entry *entry,
    int outcome, const struct tool_result *result, struct arena *arena);

/* Does this outcome of a tool leave open whether its effect happened? */
bool ledger_is_unknown(int outcome);

#endif
