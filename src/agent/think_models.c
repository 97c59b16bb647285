/* Which models a run tries, and in which order. */
#include "agent/think.h"

static bool names_model(struct str spec, struct str name)
{
    ptrdiff_t colon = str_find_char(spec, ':', 0);

    return str_eq(spec, name) ||
           (colon > 0 && str_eq(str_slice(spec, (size_t)colon + 1, spec.len), name));
}

static int unknown_model(const struct run *run)
{
    char known[300] = "";
    size_t len = 0;

    for (size_t i = 0; i < run->house->model_count && len + 1 < sizeof(known); i++) {
        struct str spec = model_spec(run->house->models[i]);

        len += (size_t)snprintf(
            known + len, sizeof(known) - len, "%s%.*s", i ? ", " : "", STR_ARG(spec));
    }
    return err_field(ERR_INVALID, "model", "There is no model %.*s here; configured: %s.",
        (int)MIN(run->request->model.len, (size_t)100), run->request->model.ptr, known);
}

static struct model *model_named(const struct run *run, struct str spec)
{
    for (size_t i = 0; i < run->house->model_count; i++)
        if (names_model(model_spec(run->house->models[i]), spec))
            return run->house->models[i];
    return NULL;
}

/* An agent's own model and fallbacks; without such, the configured ones follow its model. All were
 * opened at start. */
static int think_of_agent(struct run *run)
{
    const struct agent_def *agent = run->agent;
    const struct agent_house *house = run->house;

    if (str_empty(agent->model))
        run->models[run->model_count++] = house->models[0];
    else
        run->models[run->model_count++] = model_named(run, agent->model);
    for (size_t i = 0; i < agent->fallback_count && run->model_count < RUN_MODELS_MAX; i++)
        run->models[run->model_count++] = model_named(run, agent->fallbacks[i]);
    for (size_t i = 0; agent->fallback_count == 0 && i < house->configured_count &&
                       run->model_count < RUN_MODELS_MAX;
         i++)
        if (house->models[i] != run->models[0])
            run->models[run->model_count++] = house->models[i];
    run->result.model = run->row.model = model_spec(run->models[0]);
    return 0;
}

int think_prepare(struct run *run)
{
    const struct agent_house *house = run->house;
    size_t first = 0;

    if (run->agent && str_empty(run->request->model) && house->model_count > 0 &&
        (!str_empty(run->agent->model) || run->agent->fallback_count > 0))
        return think_of_agent(run);
    if (!str_empty(run->request->model)) {
        while (first < house->model_count &&
               !names_model(model_spec(house->models[first]), run->request->model))
            first++;
        if (first == house->model_count)
            return unknown_model(run);
    }
    if (house->model_count == 0)
        return err_set(ERR_UNAVAILABLE, "No model is configured; set model to builtin or another.");
    /* Models beyond the configured ones belong to the agents that name them. */
    for (size_t i = first;
         i < MAX(house->configured_count, first + 1) && run->model_count < RUN_MODELS_MAX; i++)
        run->models[run->model_count++] = house->models[i];
    run->result.model = run->row.model = model_spec(run->models[0]);
    return 0;
}

void think_models_for(struct run *run, enum model_error error)
{
    const struct agent_def *agent = run->agent;
    bool limited = error == MODEL_RATE_LIMITED || error == MODEL_QUOTA;
    const struct str *specs;
    size_t count;

    if (!agent || (!limited && error != MODEL_CONTEXT_OVERFLOW))
        return;
    specs = limited ? agent->on_rate_limit : agent->on_context_overflow;
    count = limited ? agent->on_rate_limit_count : agent->on_context_overflow_count;
    error = limited ? MODEL_RATE_LIMITED : error;
    if (count == 0 || run->fell_back & (1u << error))
        return;
    run->fell_back |= 1u << error;
    run->model_count = run->model_current + 1;
    for (size_t i = 0; i < count && run->model_count < RUN_MODELS_MAX; i++)
        run->models[run->model_count++] = model_named(run, specs[i]);
}
