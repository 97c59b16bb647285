/* The effects ledger: an outside effect happens once, whatever is retried.
 *
 * ledger_begin() records the intent durably under a key of (run seed, tool, canonical arguments)
 * before the tool runs; ledger_end() its result. A second begin of a done effect returns the
 * recorded result instead. An effect found "intended" was interrupted: it is run again with the
 * same idempotency key, which the provider honours; so is one that failed, or whose outcome is
 * unknown. All calls yield.
 */
#ifndef AGENT_LEDGER_H
#define AGENT_LEDGER_H

#include "agent/tool.h"
#include "store/store.h"

enum { LEDGER_REUSED = 1 /* done before: the result is given back */ };

struct ledger_entry {
    struct effect_row row; /* its id is the idempotency key */
};

struct ledger_intent {
    struct str workspace_id, run_id;
    struct str seed; /* the request's idempotency key, or the run's id */
    const char *tool;
    const struct json *args;
    const struct agent_action_row *events; /* stored in the same commit; may be NULL */
};

/* 0, LEDGER_REUSED, or store errors. *ret_events_stored: the events are durable now. */
MUST_CHECK int ledger_begin(struct store *store, const struct env *env,
    const struct ledger_intent *intent, struct arena *arena, struct ledger_entry *ret_entry,
    struct tool_result *ret_result, bool *ret_events_stored);
/* outcome: what the tool returned; a time-out or cancel leaves the effect "unknown". */
MUST_CHECK int ledger_end(struct store *store, const struct env *env, struct ledger_entry *entry,
    int outcome, const struct tool_result *result, struct arena *arena);

/* Does this outcome of a tool leave open whether its effect happened? */
bool ledger_is_unknown(int outcome);

#endif
