#include "agent/definition.h"

#include "agent/definition_entry.h"
#include "agent/workflow.h"

static int read_setting(
    struct definition_reader *r, enum definition_kind kind, const struct json *root)
{
    int rc = 0;

    r->kind = kind;
    r->whole = str_dup(&r->set->arena, str_from(r->place));
    if (root && !json_is(root, JSON_OBJECT))
        return definition_wrong(r, NULL, "must be a mapping of names to %s", r->setting);
    for (const struct json *entry = json_first(root); entry && rc == 0; entry = json_next(entry)) {
        if (str_is(json_key(entry), "@line"))
            continue;
        if (r->set->count == DEFINITIONS_MAX)
            return definition_wrong(r, NULL, "are more than %d", DEFINITIONS_MAX);
        r->entry = entry;
        r->def = &r->set->defs[r->set->count];
        rc = definition_entry(r, json_key(entry));
        r->set->count++;
    }
    r->def = NULL;
    return rc;
}

const struct agent_def *agent_set_find(const struct agent_set *set, struct str name)
{
    for (size_t i = 0; set && i < set->count; i++)
        if (str_eq_nocase(set->defs[i].name, name))
            return &set->defs[i];
    return NULL;
}

/* How deep teams are nested below def; beyond the limit they may as well be a circle. */
static int depth_of(const struct agent_def *def, int depth)
{
    int most = depth;

    for (size_t i = 0; i < def->member_count && most <= AGENT_DEPTH_MAX; i++)
        most = MAX(most, depth_of(def->members[i], depth + 1));
    return most;
}

static int join_members(struct definition_reader *r, const struct json *teams)
{
    struct arena *arena = &r->set->arena;

    for (const struct json *entry = json_first(teams); entry; entry = json_next(entry)) {
        const struct json *list = json_get(entry, "members");

        if (str_is(json_key(entry), "@line"))
            continue;
        r->entry = entry;
        r->def = (struct agent_def *)agent_set_find(r->set, json_key(entry));
        if (!json_is(list, JSON_ARRAY) || json_len(list) == 0 || json_len(list) > AGENT_MEMBERS_MAX)
            return definition_wrong(
                r, "members", "must be a list of 1 to %d agents or teams", AGENT_MEMBERS_MAX);
        r->def->members = arena_array(arena, const struct agent_def *, json_len(list));
        for (const struct json *one = json_first(list); one; one = json_next(one)) {
            const struct agent_def *member = agent_set_find(r->set, json_str(one));

            if (!member)
                return definition_wrong(r, "members",
                    "names %.*s, and there is no such agent or team",
                    (int)MIN(json_str(one).len, (size_t)60),
                    json_str(one).len ? json_str(one).ptr : "nothing");
            for (size_t i = 0; i < r->def->member_count; i++)
                if (r->def->members[i] == member)
                    return definition_wrong(
                        r, "members", "names %.*s twice", STR_ARG(member->name));
            r->def->members[r->def->member_count++] = member;
        }
    }
    return 0;
}

static int read_workflows(struct definition_reader *r, const struct json *workflows)
{
    struct workflow_source source = {r->set, r->tools, r->tool_count, r->place};
    int rc = 0;

    for (const struct json *entry = json_first(workflows); entry && rc == 0;
         entry = json_next(entry))
        if (!str_is(json_key(entry), "@line"))
            rc = workflow_read(
                &source, entry, (struct agent_def *)agent_set_find(r->set, json_key(entry)));
    return rc;
}

/* Nobody may end up working for themselves. */
static int check_depth(struct definition_reader *r, const struct json *entries)
{
    for (const struct json *entry = json_first(entries); entry; entry = json_next(entry)) {
        if (str_is(json_key(entry), "@line"))
            continue;
        r->entry = entry;
        r->def = (struct agent_def *)agent_set_find(r->set, json_key(entry));
        if (depth_of(r->def, 0) > AGENT_DEPTH_MAX)
            return definition_wrong(r, r->def->workflow ? "steps" : "members",
                "lead back to the %s itself, or are nested more than %d deep",
                r->def->workflow ? "workflow" : "team", AGENT_DEPTH_MAX);
    }
    return 0;
}

static const char *place_of(const struct config *config, const char *setting)
{
    const char *place = "default";

    for (size_t i = 0; i < config_settings_count; i++)
        if (strcmp(config_settings[i].name, setting) == 0) {
            config_origin(config, i, &place);
            break;
        }
    return place;
}

/* Of the default agent, and of those who declare none. */
static int read_own_guards(struct definition_reader *r, const struct config *config)
{
    const struct json *place;
    int rc;

    r->def = NULL;
    r->setting = "guards";
    r->place = place_of(config, "guards");
    if (!config->guards[0])
        return 0;
    rc = json_parse(&r->set->arena, str_from(config->guards), &r->entry);
    place = r->entry;
    if (rc == 0)
        rc = guard_set_read(&r->set->arena, r->entry, &r->set->guards, &place);
    r->entry = place;
    return rc < 0 ? definition_wrong(r, NULL, "%s", err_message()) : 0;
}

static int read_own_evaluations(struct definition_reader *r, const struct config *config)
{
    const struct json *place = NULL, *list;
    int rc;

    r->def = NULL;
    r->setting = "evaluations";
    r->place = place_of(config, "evaluations");
    if (!config->evaluations[0])
        return 0;
    rc = json_parse(&r->set->arena, str_from(config->evaluations), &list);
    if (rc == 0)
        rc = evaluations_read(&r->set->arena, list, &r->set->evaluations, &place);
    r->entry = place;
    return rc < 0 ? definition_wrong(r, NULL, "%s", err_message()) : 0;
}

static bool rewrites(const struct guard_set *guards)
{
    for (size_t i = 0; i < guards->before_count; i++)
        if (guards->before[i].guard->rewrites)
            return true;
    return false;
}

static int read_all(struct definition_reader *r, const struct config *config)
{
    const struct json *agents = NULL, *teams = NULL, *workflows = NULL;
    struct arena *arena = &r->set->arena;
    size_t count;
    int rc = 0;

    if (config->agents[0])
        rc = json_parse(arena, str_from(config->agents), &agents);
    if (rc == 0 && config->teams[0])
        rc = json_parse(arena, str_from(config->teams), &teams);
    if (rc == 0 && config->workflows[0])
        rc = json_parse(arena, str_from(config->workflows), &workflows);
    if (rc < 0)
        return rc;
    count = json_len(agents) + json_len(teams) + json_len(workflows);
    r->set->defs = arena_array(arena, struct agent_def, MIN(count, (size_t)DEFINITIONS_MAX));
    r->setting = "agents";
    r->place = place_of(config, "agents");
    rc = read_setting(r, AGENTS, agents);
    r->setting = "teams";
    r->place = place_of(config, "teams");
    if (rc == 0)
        rc = read_setting(r, TEAMS, teams);
    r->setting = "workflows";
    r->place = place_of(config, "workflows");
    if (rc == 0)
        rc = read_setting(r, WORKFLOWS, workflows);
    r->setting = "teams";
    r->place = place_of(config, "teams");
    if (rc == 0)
        rc = join_members(r, teams);
    r->setting = "workflows";
    r->place = place_of(config, "workflows");
    if (rc == 0)
        rc = read_workflows(r, workflows);
    if (rc == 0)
        rc = check_depth(r, workflows);
    r->setting = "teams";
    r->place = place_of(config, "teams");
    if (rc == 0)
        rc = check_depth(r, teams);
    if (rc == 0)
        rc = read_own_guards(r, config);
    if (rc == 0)
        rc = read_own_evaluations(r, config);
    r->set->rewrites = rewrites(&r->set->guards);
    for (size_t i = 0; rc == 0 && i < r->set->count; i++)
        r->set->rewrites = r->set->rewrites || rewrites(&r->set->defs[i].guards);
    for (size_t i = 0; rc == 0 && i < r->set->count; i++)
        if (r->set->defs[i].mode != TEAM_NONE)
            team_member_tools(arena, &r->set->defs[i]);
    return rc;
}

int agent_set_read(const struct config *config, const struct tool *const *tools, size_t tool_count,
    struct agent_set **ret_set)
{
    struct agent_set *set = xcalloc(1, sizeof(*set));
    struct definition_reader r = {.set = set, .tools = tools, .tool_count = tool_count};
    int rc;

    arena_init(&set->arena);
    rc = read_all(&r, config);
    if (rc < 0) {
        agent_set_free(set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

void agent_set_free(struct agent_set *set)
{
    if (!set)
        return;
    arena_deinit(&set->arena);
    free(set);
}

/* Without the line numbers that a tree setting carries. */
struct str agent_schema_text(struct arena *arena, const struct json *node)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    bool object = json_is(node, JSON_OBJECT);

    if (!object && !json_is(node, JSON_ARRAY))
        return json_text(arena, node);
    json_init(&w, &out);
    object ? json_object_begin(&w) : json_array_begin(&w);
    for (const struct json *one = json_first(node); one; one = json_next(one)) {
        if (object && str_is(json_key(one), "@line"))
            continue;
        if (object)
            json_name_str(&w, json_key(one));
        json_put_raw(&w, agent_schema_text(arena, one));
    }
    object ? json_object_end(&w) : json_array_end(&w);
    return buf_str(&out);
}
