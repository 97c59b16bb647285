/* Evaluations: scores of answers, after they were given. Those there are stand in src/catalog.def,
 * one file and one line each; `evaluations` of an agent or a team says which are made of its runs,
 * and the setting of that name, which of those of the default agent and of who declares none.
 * They run behind the answer, on a fiber of their own, and are stored as events of the run,
 * evaluation.completed, behind its last one; what cannot be scored is logged and left out.
 */
#ifndef AGENT_EVALUATION_H
#define AGENT_EVALUATION_H

#include "base/err.h"
#include "base/json.h"

struct agent_def;
struct model;
struct run;

struct evaluation_call {
    const struct json *options; /* checked; NULL: none */
    struct arena *arena;
    struct str asked;       /* the chat's last message */
    struct str reply;       /* the answer */
    const struct str *read; /* what the model was shown: instructions, chat, results of tools */
    size_t read_count;
    struct model *model; /* that options name; NULL: none */
};

struct evaluation_score {
    double score; /* 0 to 1 */
    bool passed;
    struct str reason; /* for operators */
};

enum { EVALUATION_VOID = 1 }; /* there is nothing to score */

struct evaluator {
    const char *name;
    const char *options; /* JSON Schema; NULL: none. A member "model" names a model */
    /* 0, EVALUATION_VOID or ERR_*. May yield. */
    int (*run)(const struct evaluation_call *call, struct evaluation_score *ret_score);
};

struct evaluation_use {
    const struct evaluator *evaluation;
    const struct json *options;
};

struct evaluation_set {
    bool declared; /* also when it is empty */
    const struct evaluation_use *uses;
    size_t count;
};

extern const struct evaluator evaluation_grounded; /* figures that were read */

/* From src/catalog.def, ends with a NULL; set before anything is read. */
void evaluation_register(const struct evaluator *const *evaluations);
/* Read a list of names or {name: options}. As guard_set_read(). */
MUST_CHECK int evaluations_read(struct arena *arena, const struct json *list,
    struct evaluation_set *ret_set, const struct json **ret_place);
/* The model that one names; "" when it names none. */
struct str evaluation_model(const struct evaluation_use *use);

/* Begin to evaluate a run that is stored and was answered. Does not yield. The house must outlive
 * the loop's fibers. */
void evaluations_after_run(struct run *run);

#endif
