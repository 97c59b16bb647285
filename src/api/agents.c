/* /api/agents, /api/teams and /api/workflows: who can be asked by name. */
#include "agent/workflow.h"
#include "api/exchange.h"

static const char *mode_name(enum team_mode mode)
{
    static const char *const names[] = {
        [TEAM_COORDINATE] = "coordinate",
        [TEAM_ROUTE] = "route",
        [TEAM_BROADCAST] = "broadcast",
        [TEAM_TASKS] = "tasks",
    };

    return names[mode];
}

static void write_names(
    struct json_writer *w, const char *member, const struct str *names, size_t count)
{
    json_name(w, member);
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        json_put_str(w, names[i]);
    json_array_end(w);
}

static void write_limit(struct json_writer *w, const char *member, int64_t value)
{
    if (value > 0)
        json_i64_member(w, member, value);
}

/* Instructions are the operator's: who may ask an agent need not read them. */
static void write_def(struct json_writer *w, const struct agent_def *def)
{
    json_object_begin(w);
    json_str_member(w, "name", def->name);
    write_opt(w, "role", def->role);
    write_opt(w, "model", def->model);
    json_bool_member(w, "memory", def->memory);
    if (def->tools)
        write_names(w, "tools", def->tools, def->tool_count);
    if (!str_empty(def->output_schema))
        json_raw_member(w, "output_schema", def->output_schema);
    if (!str_empty(def->input_schema))
        json_raw_member(w, "input_schema", def->input_schema);
    write_limit(w, "max_model_calls", def->max_model_calls);
    write_limit(w, "max_tool_calls", def->max_tool_calls);
    write_limit(w, "max_tokens", def->max_tokens);
    write_limit(w, "timeout_ms", def->timeout_ms);
    if (def->mode != TEAM_NONE)
        json_cstr_member(w, "mode", mode_name(def->mode));
    if (def->workflow)
        write_names(w, "steps", def->workflow->names, (size_t)def->workflow->slot_count);
    if (def->mode != TEAM_NONE || def->workflow) {
        json_name(w, "members");
        json_array_begin(w);
        for (size_t i = 0; i < def->member_count; i++)
            json_put_str(w, def->members[i]->name);
        json_array_end(w);
    }
    json_object_end(w);
}

/* The agent of the settings, who answers when none is named. */
static struct agent_def default_agent(const struct exchange *x)
{
    return (struct agent_def){.name = str_from(x->api->house->config->agent_name),
        .role = STR(""),
        .model = STR(""),
        .output_schema = STR(""),
        .input_schema = STR(""),
        .memory = true};
}

enum kind { AGENT, TEAM, WORKFLOW };

static enum kind kind_of(const struct agent_def *def)
{
    if (def->workflow)
        return WORKFLOW;
    return def->mode == TEAM_NONE ? AGENT : TEAM;
}

static int list(struct exchange *x, const char *member, enum kind kind)
{
    const struct agent_set *set = x->api->house->agents;
    struct agent_def theo = default_agent(x);
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, member);
    json_array_begin(&w);
    if (kind == AGENT && !agent_set_find(set, theo.name))
        write_def(&w, &theo);
    for (size_t i = 0; set && i < set->count; i++)
        if (kind_of(&set->defs[i]) == kind)
            write_def(&w, &set->defs[i]);
    json_array_end(&w);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}

static int get(struct exchange *x, enum kind kind)
{
    static const char *const names[] = {"agent", "team", "workflow"};
    const struct agent_def *def = agent_set_find(x->api->house->agents, x->params[0]);
    struct agent_def theo = default_agent(x);
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    if (!def && kind == AGENT && str_eq_nocase(x->params[0], theo.name))
        def = &theo;
    if (!def || kind_of(def) != kind)
        return err_set(ERR_NOT_FOUND, "There is no %s of this name.", names[kind]);
    json_init(&w, &out);
    write_def(&w, def);
    answer_json(&x->answer, 200, &out);
    return 0;
}

int agents_list(struct exchange *x)
{
    return list(x, "agents", AGENT);
}

int agents_get(struct exchange *x)
{
    return get(x, AGENT);
}

int teams_list(struct exchange *x)
{
    return list(x, "teams", TEAM);
}

int teams_get(struct exchange *x)
{
    return get(x, TEAM);
}

int workflows_list(struct exchange *x)
{
    return list(x, "workflows", WORKFLOW);
}

int workflows_get(struct exchange *x)
{
    return get(x, WORKFLOW);
}
