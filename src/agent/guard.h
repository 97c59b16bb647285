/* Guards: checks on text before it goes to a model and after a model has answered. Those there are
 * stand in src/catalog.def, one file and one line each; docs/guards.md says what they do, and which
 * an agent, a team or a workflow has is declared in theo.yaml.
 *
 * A guard of the phase "before" either judges what comes in (each new message of the chat once, and
 * each text that others wrote and a tool gave), or, when it rewrites, changes all text that a model
 * is shown; what it changed it undoes in what the model says. A guard of the phase "after" sees the
 * answer, before anybody else does. A guard does no I/O, does not yield, and finds nothing in
 * doubt.
 */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include "base/err.h"
#include "base/json.h"

enum guard_phase { GUARD_BEFORE = 1, GUARD_AFTER = 2 }; /* bits */

enum guard_verdict {
    GUARD_PASS,
    GUARD_CHANGED, /* ret->text instead */
    GUARD_FLAGGED, /* noted, and the run is tainted: ret->reason */
    GUARD_AGAIN,   /* an answer goes back to the model with ret->reason; not when last */
    GUARD_STOP,    /* the run ends here: ret->reason */
};

struct guard;

struct guard_call {
    const struct guard *guard;
    enum guard_phase phase;
    const struct json *options; /* as declared, checked against guard->options; NULL: none */
    struct arena *arena;        /* the run's */
    struct str text;
    bool untrusted;    /* a tool gave it, and others wrote it */
    bool last;         /* an answer that was given back before */
    struct str rules;  /* GUARD_AFTER: the instructions that are nobody's business */
    struct str schema; /* GUARD_AFTER: of the agent's answers; "": free text */
    struct str agent;  /* whose answer it is */
    void **state;      /* the guard's own in this run; NULL at first */
};

struct guard_finding {
    struct str text;
    struct str reason; /* a few words for operators, without what was found: it is stored */
    const char
        *apology; /* GUARD_STOP: one sentence for the people in the chat; NULL: a common one */
};

struct guard {
    const char *name;
    unsigned phases;     /* in which it can be declared; 0: it comes by itself */
    const char *options; /* JSON Schema of its options, an object; NULL: it has none */
    bool rewrites;
    /* An enum guard_verdict, or ERR_*, which fails the run. */
    int (*check)(const struct guard_call *call, struct guard_finding *ret_finding);
    /* Undo in text what check() changed in this run. NULL: nothing. */
    struct str (*restore)(const struct guard_call *call, struct str text);
};

/* A guard as declared for somebody. */
struct guard_use {
    const struct guard *guard;
    const struct json *options;
};

struct guard_set {
    bool declared; /* also when it is empty */
    struct guard_use *before, *after;
    size_t before_count, after_count;
};

/* From src/catalog.def, ends with a NULL; set before anything is read. */
void guard_register(const struct guard *const *guards);

/* Read {before: [...], after: [...]}, each a list of names or of {name: {options}}. 0, or
 * ERR_INVALID with what is wrong ("names fly, and …"), and the mapping where it stands in
 * *ret_place, which has its "@line". What is read lives in arena. */
MUST_CHECK int guard_set_read(struct arena *arena, const struct json *node,
    struct guard_set *ret_set, const struct json **ret_place);

extern const struct guard guard_schema; /* of every agent with an output-schema */

#endif
