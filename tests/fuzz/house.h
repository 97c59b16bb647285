/* What stands behind a door that is fuzzed: a memory store, the local calendar and the built-in
 * model. Whatever fails here is no fault of the input. */
#ifndef TESTS_FUZZ_HOUSE_H
#define TESTS_FUZZ_HOUSE_H

#include "agent/definition.h"
#include "agent/policy.h"
#include "calendar/calendar.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "tools/services.h"

#include <stdlib.h>

extern const struct tool tool_schedule, tool_summarise, tool_recall, tool_documents;
extern const struct model_ops model_builtin;

struct house {
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
    struct model *model;
    struct tool_services services;
    struct agent_set *agents;
    struct policy *policy;
    struct agent_house agent;
};

static inline void must(int rc)
{
    if (rc < 0)
        abort();
}

/* settings: further lines of YAML. Its workspace is "main". */
static inline void house_open(struct house *house, const char *settings)
{
    static const struct tool *const tools[] = {
        &tool_schedule, &tool_summarise, &tool_recall, &tool_documents};
    static const struct store_ops *const stores[] = {&store_memory, NULL};
    static const struct model_ops *const models[] = {&model_builtin, NULL};
    const struct env *env = env_system();
    char text[1024];

    snprintf(text, sizeof(text), "store: memory\nmodel: builtin\n%s", settings);
    log_level_set(LOG_OFF);
    store_register(stores);
    model_register(models);
    must(secure_init());
    must(config_load_text(&house->config, str_from(text), "fuzz.yaml"));
    must(agent_set_read(&house->config, tools, ARRAY_LEN(tools), &house->agents));
    must(policy_open(&house->config, &house->policy));
    must(sealer_new_ephemeral(env, &house->sealer));
    must(store_open(&house->config, env, house->sealer, &house->store));
    must(calendar_open(&house->config, env, house->store, &house->calendar));
    must(model_open(&house->config, env, STR("builtin"), &house->model));
    must(store_workspace(house->store, STR("main")));
    house->services.calendar = house->calendar;
    house->agent = (struct agent_house){.env = env,
        .config = &house->config,
        .store = house->store,
        .models = &house->model,
        .model_count = 1,
        .configured_count = 1,
        .tools = tools,
        .tool_count = ARRAY_LEN(tools),
        .services = &house->services,
        .agents = house->agents,
        .policy = house->policy};
}

static inline void house_close(struct house *house)
{
    model_free(house->model);
    calendar_free(house->calendar);
    store_close(house->store);
    sealer_free(house->sealer);
    agent_set_free(house->agents);
    policy_free(house->policy);
    config_deinit(&house->config);
}

#endif
