/* /api/agents and /api/teams: who can be asked by name. */
#include "agent/definition.h"
#include "api/exchange.h"

static const char *mode_name(enum team_mode mode)
{
    static const char *const names[] = {
        [TEAM_COORDINATE] = "coordinate", [TEAM_ROUTE] = "route", [TEAM_BROADCAST] = "broadcast"};

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
    write_limit(w, "max_model_calls", def->max_model_calls);
    write_limit(w, "max_tool_calls", def->max_tool_calls);
    write_limit(w, "timeout_ms", def->timeout_ms);
    if (def->mode != TEAM_NONE) {
        json_cstr_member(w, "mode", mode_name(def->mode));
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
        .memory = true};
}

static int list(struct exchange *x, const char *member, bool teams)
{
    const struct agent_set *set = x->api->house->agents;
    struct agent_def theo = default_agent(x);
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, member);
    json_array_begin(&w);
    if (!teams && !agent_set_find(set, theo.name))
        write_def(&w, &theo);
    for (size_t i = 0; set && i < set->count; i++)
        if ((set->defs[i].mode != TEAM_NONE) == teams)
            write_def(&w, &set->defs[i]);
    json_array_end(&w);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}

static int get(struct exchange *x, bool team)
{
    const struct agent_def *def = agent_set_find(x->api->house->agents, x->params[0]);
    struct agent_def theo = default_agent(x);
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    if (!def && !team && str_eq_nocase(x->params[0], theo.name))
        def = &theo;
    if (!def || (def->mode != TEAM_NONE) != team)
        return err_set(ERR_NOT_FOUND, "There is no %s of this name.", team ? "team" : "agent");
    json_init(&w, &out);
    write_def(&w, def);
    answer_json(&x->answer, 200, &out);
    return 0;
}

int agents_list(struct exchange *x)
{
    return list(x, "agents", false);
}

int agents_get(struct exchange *x)
{
    return get(x, false);
}

int teams_list(struct exchange *x)
{
    return list(x, "teams", true);
}

int teams_get(struct exchange *x)
{
    return get(x, true);
}
