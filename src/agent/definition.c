#include "agent/definition.h"

#include "agent/workflow.h"

#define NAME_MAX_LEN 40
#define TEXT_MAX (16 * KIB)
#define DEFS_MAX 256

static const char *const modes[] = {[TEAM_NONE] = "",
    [TEAM_COORDINATE] = "coordinate",
    [TEAM_ROUTE] = "route",
    [TEAM_BROADCAST] = "broadcast",
    [TEAM_TASKS] = "tasks"};

struct reader {
    struct agent_set *set;
    const struct tool *const *tools;
    size_t tool_count;
    const char *setting; /* "agents", "teams" or "workflows" */
    const char *place;   /* of the whole setting */
    const struct json *entry;
    struct agent_def *def;
};

/* "theo.yaml:3" of the entry, or the whole setting's place when it has no line. */
static void find_place(const struct reader *r, char *where, size_t size)
{
    int64_t line = json_get_i64(r->entry, "@line", 0);
    struct str file = str_from(r->place);
    ptrdiff_t colon = str_rfind_char(file, ':');

    if (line > 0 && colon > 0)
        snprintf(where, size, "%.*s:%lld", (int)MIN(colon, 200), file.ptr, (long long)line);
    else
        snprintf(where, size, "%s", r->place);
}

static int PRINTF_LIKE(3, 4) wrong(const struct reader *r, const char *member, const char *fmt, ...)
{
    struct str name = r->def ? r->def->name : STR("");
    char field[128], what[400], where[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    snprintf(field, sizeof(field), "%s%s%.*s%s%s", r->setting, name.len ? "." : "",
        (int)MIN(name.len, (size_t)NAME_MAX_LEN), name.ptr ? name.ptr : "", member ? "." : "",
        member ? member : "");
    find_place(r, where, sizeof(where));
    return err_field(ERR_INVALID, field, "%s: %s %s", where, field, what);
}

static bool good_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.ptr[i]) && (i == 0 || !strchr("-_", name.ptr[i])))
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

static int check_members(const struct reader *r)
{
    static const char *const both[] = {"role", "instructions", "model", "fallbacks",
        "on-rate-limit", "on-context-overflow", "tools", "memory", "output-schema", "input-schema",
        "knowledge", "max-model-calls", "max-tool-calls", "timeout-ms", "guards", "evaluations",
        "@line"};
    static const char *const team[] = {"mode", "members"};
    static const char *const workflow[] = {"role", "steps", "answer", "guards", "@line"};
    bool is_team = strcmp(r->setting, "teams") == 0;
    bool is_workflow = strcmp(r->setting, "workflows") == 0;

    for (const struct json *m = json_first(r->entry); m; m = json_next(m)) {
        bool known = false;

        for (size_t i = 0; i < ARRAY_LEN(both); i++)
            known |= !is_workflow && str_is(json_key(m), both[i]);
        for (size_t i = 0; i < ARRAY_LEN(team); i++)
            known |= is_team && str_is(json_key(m), team[i]);
        for (size_t i = 0; i < ARRAY_LEN(workflow); i++)
            known |= is_workflow && str_is(json_key(m), workflow[i]);
        if (!known)
            return wrong(r, NULL, "has no member %.*s", (int)MIN(json_key(m).len, (size_t)60),
                json_key(m).ptr);
    }
    return 0;
}

static int read_text(const struct reader *r, const char *member, struct str *ret_text)
{
    const struct json *node = json_get(r->entry, member);

    if (node && !json_is(node, JSON_STRING))
        return wrong(r, member, "must be text");
    if (json_str(node).len > TEXT_MAX)
        return wrong(r, member, "may have at most %d bytes", TEXT_MAX);
    *ret_text = str_dup(&r->set->arena, str_trim(json_str(node)));
    return 0;
}

static int read_names(
    const struct reader *r, const char *member, const struct str **ret_names, size_t *ret_count)
{
    const struct json *list = json_get(r->entry, member);
    struct str *names;
    size_t count = 0;

    if (!list)
        return 0;
    if (!json_is(list, JSON_ARRAY))
        return wrong(r, member, "must be a list of names");
    names = arena_array(&r->set->arena, struct str, json_len(list) + 1);
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        if (!json_is(one, JSON_STRING) || str_empty(json_str(one)))
            return wrong(r, member, "must be a list of names");
        names[count++] = str_dup(&r->set->arena, json_str(one));
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int read_number(const struct reader *r, const char *member, int64_t max, int64_t *ret_value)
{
    const struct json *node = json_get(r->entry, member);
    int64_t value = json_i64(node, -1);

    if (!node)
        return 0;
    if (value < 1 || value > max)
        return wrong(r, member, "must be a whole number from 1 to %lld", (long long)max);
    *ret_value = value;
    return 0;
}

static int check_tools(const struct reader *r)
{
    for (size_t i = 0; i < r->def->tool_count; i++) {
        struct str name = r->def->tools[i];
        bool known = str_find(name, STR("__"), 0) > 0; /* of a source, which may be down now */

        for (size_t j = 0; j < r->tool_count && !known; j++)
            known = str_is(name, r->tools[j]->name);
        if (!known)
            return wrong(r, "tools", "names %.*s, and there is no such tool",
                (int)MIN(name.len, (size_t)60), name.ptr);
    }
    return 0;
}

/* The schema as text, checked by building what it would be used for. */
static int read_schema(const struct reader *r, const char *member, struct str *ret_schema)
{
    const struct json *node = json_get(r->entry, member);
    struct str text = json_is(node, JSON_STRING) ? json_str(node) : STR("");
    const struct json *schema = node;

    if (!node)
        return 0;
    if (json_is(node, JSON_STRING) && json_parse(&r->set->arena, text, &schema) < 0)
        return wrong(r, member, "is not JSON: %s", err_message());
    if (!json_is(schema, JSON_OBJECT) || !str_is(json_get_str(schema, "type"), "object") ||
        !json_is(json_get(schema, "properties"), JSON_OBJECT))
        return wrong(r, member, "must be a JSON Schema of type object, with properties");
    if (str_empty(text))
        text = agent_schema_text(&r->set->arena, schema);
    *ret_schema = str_dup(&r->set->arena, text);
    return 0;
}

/* Beside the file that declares it. */
static struct str resolve(const struct reader *r, struct str path)
{
    struct str file = str_from(r->place);
    ptrdiff_t slash = str_rfind_char(file, '/');

    if (str_starts(path, STR("/")) || slash < 0)
        return str_dup(&r->set->arena, path);
    return str_printf(&r->set->arena, "%.*s/%.*s", (int)slash, file.ptr, STR_ARG(path));
}

static int read_source(
    const struct reader *r, const struct json *node, struct knowledge_source *ret_source)
{
    bool mapping = json_is(node, JSON_OBJECT);
    struct str path = str_trim(mapping ? json_get_str(node, "path") : json_str(node));
    const struct json *untrusted = json_get(node, "untrusted");

    if (str_empty(path) || (untrusted && !json_is(untrusted, JSON_BOOL)))
        return wrong(r, "knowledge",
            "must be a list of files and folders, each a path or {path: PATH, untrusted: true}");
    for (const struct json *one = mapping ? json_first(node) : NULL; one; one = json_next(one))
        if (!str_is(json_key(one), "path") && !str_is(json_key(one), "untrusted") &&
            !str_is(json_key(one), "@line"))
            return wrong(r, "knowledge", "has no member %.*s; known are path and untrusted",
                (int)MIN(json_key(one).len, (size_t)60), json_key(one).ptr);
    *ret_source = (struct knowledge_source){
        resolve(r, path), str_dup(&r->set->arena, path), json_bool(untrusted, false)};
    return 0;
}

static int read_knowledge(const struct reader *r)
{
    const struct json *list = json_get(r->entry, "knowledge");
    struct knowledge_source *sources;

    if (!list)
        return 0;
    if (!json_is(list, JSON_ARRAY) || json_len(list) == 0)
        return wrong(r, "knowledge", "must be a list of files and folders");
    sources = arena_array(&r->set->arena, struct knowledge_source, json_len(list));
    r->def->knowledge = sources;
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        int rc = read_source(r, one, &sources[r->def->knowledge_count]);

        if (rc < 0)
            return rc;
        r->def->knowledge_count++;
    }
    return 0;
}

/* Guards and evaluations say themselves what is wrong and where. */
static int at_place(struct reader *r, int rc, const char *member, const struct json *place)
{
    const struct json *entry = r->entry;

    if (rc == 0)
        return 0;
    r->entry = place;
    rc = wrong(r, member, "%s", err_message());
    r->entry = entry;
    return rc;
}

static int read_guards(struct reader *r)
{
    struct agent_def *def = r->def;
    const struct json *guards = json_get(r->entry, "guards"), *place = r->entry;
    const struct json *evaluations = json_get(r->entry, "evaluations");
    int rc = 0;

    if (guards)
        rc = guard_set_read(&r->set->arena, guards, &def->guards, &place);
    rc = at_place(r, rc, "guards", place);
    if (rc < 0 || !evaluations)
        return rc;
    place = r->entry;
    rc = evaluations_read(
        &r->set->arena, evaluations, &def->evaluations, &def->evaluation_count, &place);
    return at_place(r, rc, "evaluations", place);
}

static int read_mode(const struct reader *r)
{
    struct str mode = json_get_str(r->entry, "mode");

    if (strcmp(r->setting, "teams") != 0)
        return 0;
    if (str_empty(mode))
        mode = STR("coordinate");
    for (size_t i = TEAM_COORDINATE; i < ARRAY_LEN(modes); i++)
        if (str_is(mode, modes[i]))
            r->def->mode = (enum team_mode)i;
    if (r->def->mode == TEAM_NONE)
        return wrong(r, "mode", "must be coordinate, route, broadcast or tasks");
    return 0;
}

static int read_def(struct reader *r, struct str name)
{
    struct agent_def *def = r->def;
    const struct json *memory;
    char where[300];
    int rc;

    find_place(r, where, sizeof(where));
    def->name = str_dup(&r->set->arena, name);
    def->place = str_dup(&r->set->arena, str_from(where));
    if (!good_name(name))
        return wrong(r, NULL, "must have a name of 1 to 40 letters, digits, - and _");
    if (!json_is(r->entry, JSON_OBJECT))
        return wrong(r, NULL, "must be a mapping");
    for (struct agent_def *other = r->set->defs; other < def; other++)
        if (str_eq_nocase(other->name, name))
            return wrong(r, NULL, "has a name that another agent or team has");
    memory = json_get(r->entry, "memory");
    if (memory && !json_is(memory, JSON_BOOL))
        return wrong(r, "memory", "must be true or false");
    def->memory = json_bool(memory, true);
    rc = check_members(r);
    if (rc == 0)
        rc = read_text(r, "role", &def->role);
    if (rc == 0)
        rc = read_text(r, "instructions", &def->instructions);
    if (rc == 0)
        rc = read_text(r, "model", &def->model);
    if (rc == 0)
        rc = read_names(r, "fallbacks", &def->fallbacks, &def->fallback_count);
    if (rc == 0)
        rc = read_names(r, "on-rate-limit", &def->on_rate_limit, &def->on_rate_limit_count);
    if (rc == 0)
        rc = read_names(
            r, "on-context-overflow", &def->on_context_overflow, &def->on_context_overflow_count);
    if (rc == 0)
        rc = read_names(r, "tools", &def->tools, &def->tool_count);
    if (rc == 0)
        rc = check_tools(r);
    if (rc == 0)
        rc = read_schema(r, "output-schema", &def->output_schema);
    if (rc == 0)
        rc = read_schema(r, "input-schema", &def->input_schema);
    if (rc == 0)
        rc = read_knowledge(r);
    if (rc == 0)
        rc = read_number(r, "max-model-calls", 1000, &def->max_model_calls);
    if (rc == 0)
        rc = read_number(r, "max-tool-calls", 10000, &def->max_tool_calls);
    if (rc == 0)
        rc = read_number(r, "timeout-ms", HOUR_MS, &def->timeout_ms);
    if (rc == 0)
        rc = read_guards(r);
    return rc < 0 ? rc : read_mode(r);
}

static int read_setting(struct reader *r, const struct json *root)
{
    int rc = 0;

    if (root && !json_is(root, JSON_OBJECT))
        return wrong(r, NULL, "must be a mapping of names to %s", r->setting);
    for (const struct json *entry = json_first(root); entry && rc == 0; entry = json_next(entry)) {
        if (str_is(json_key(entry), "@line"))
            continue;
        if (r->set->count == DEFS_MAX)
            return wrong(r, NULL, "are more than %d", DEFS_MAX);
        r->entry = entry;
        r->def = &r->set->defs[r->set->count];
        rc = read_def(r, json_key(entry));
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

static int join_members(struct reader *r, const struct json *teams)
{
    struct arena *arena = &r->set->arena;

    for (const struct json *entry = json_first(teams); entry; entry = json_next(entry)) {
        const struct json *list = json_get(entry, "members");

        if (str_is(json_key(entry), "@line"))
            continue;
        r->entry = entry;
        r->def = (struct agent_def *)agent_set_find(r->set, json_key(entry));
        if (!json_is(list, JSON_ARRAY) || json_len(list) == 0 || json_len(list) > AGENT_MEMBERS_MAX)
            return wrong(
                r, "members", "must be a list of 1 to %d agents or teams", AGENT_MEMBERS_MAX);
        r->def->members = arena_array(arena, const struct agent_def *, json_len(list));
        for (const struct json *one = json_first(list); one; one = json_next(one)) {
            const struct agent_def *member = agent_set_find(r->set, json_str(one));

            if (!member)
                return wrong(r, "members", "names %.*s, and there is no such agent or team",
                    (int)MIN(json_str(one).len, (size_t)60),
                    json_str(one).len ? json_str(one).ptr : "nothing");
            for (size_t i = 0; i < r->def->member_count; i++)
                if (r->def->members[i] == member)
                    return wrong(r, "members", "names %.*s twice", STR_ARG(member->name));
            r->def->members[r->def->member_count++] = member;
        }
    }
    return 0;
}

static int read_workflows(struct reader *r, const struct json *workflows)
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
static int check_depth(struct reader *r, const struct json *entries)
{
    for (const struct json *entry = json_first(entries); entry; entry = json_next(entry)) {
        if (str_is(json_key(entry), "@line"))
            continue;
        r->entry = entry;
        r->def = (struct agent_def *)agent_set_find(r->set, json_key(entry));
        if (depth_of(r->def, 0) > AGENT_DEPTH_MAX)
            return wrong(r, r->def->workflow ? "steps" : "members",
                "lead back to the %s itself, or are nested more than %d deep",
                r->def->workflow ? "workflow" : "team", AGENT_DEPTH_MAX);
    }
    return 0;
}

static const char *place_of(const struct config *config, const char *setting)
{
    const char *place = "default";

    for (size_t i = 0; i < config_settings_count; i++)
        if (strcmp(config_settings[i].name, setting) == 0)
            config_origin(config, i, &place);
    return place;
}

/* Of the default agent, and of those who declare none. */
static int read_own_guards(struct reader *r, const struct config *config)
{
    const struct json *place;
    int rc;

    r->setting = "guards";
    r->place = place_of(config, "guards");
    if (!config->guards[0])
        return 0;
    rc = json_parse(&r->set->arena, str_from(config->guards), &r->entry);
    place = r->entry;
    if (rc == 0)
        rc = guard_set_read(&r->set->arena, r->entry, &r->set->guards, &place);
    r->entry = place;
    return rc < 0 ? wrong(r, NULL, "%s", err_message()) : 0;
}

static bool rewrites(const struct guard_set *guards)
{
    for (size_t i = 0; i < guards->before_count; i++)
        if (guards->before[i].guard->rewrites)
            return true;
    return false;
}

static int read_all(struct reader *r, const struct config *config)
{
    const struct json *agents = NULL, *teams = NULL, *workflows = NULL;
    struct arena *arena = &r->set->arena;
    int rc = 0;

    if (config->agents[0])
        rc = json_parse(arena, str_from(config->agents), &agents);
    if (rc == 0 && config->teams[0])
        rc = json_parse(arena, str_from(config->teams), &teams);
    if (rc == 0 && config->workflows[0])
        rc = json_parse(arena, str_from(config->workflows), &workflows);
    if (rc < 0)
        return rc;
    r->set->defs = arena_array(arena, struct agent_def, DEFS_MAX);
    r->setting = "agents";
    r->place = place_of(config, "agents");
    rc = read_setting(r, agents);
    r->setting = "teams";
    r->place = place_of(config, "teams");
    if (rc == 0)
        rc = read_setting(r, teams);
    r->setting = "workflows";
    r->place = place_of(config, "workflows");
    if (rc == 0)
        rc = read_setting(r, workflows);
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
    struct reader r = {.set = set, .tools = tools, .tool_count = tool_count};
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
