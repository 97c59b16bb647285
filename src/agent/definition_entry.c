/* One entry of the settings agents, teams and workflows: its members are looked at once, in the
 * order in which they stand, so that an agent costs as much to make as it says. */
#include "agent/definition_entry.h"

#define NAME_MAX_LEN 40
#define TEXT_MAX (16 * KIB)

static const char *const modes[] = {[TEAM_NONE] = "",
    [TEAM_COORDINATE] = "coordinate",
    [TEAM_ROUTE] = "route",
    [TEAM_BROADCAST] = "broadcast",
    [TEAM_TASKS] = "tasks"};

/* "theo.yaml:3" of the entry, or the whole setting's place when it has no line. */
static void find_place(const struct definition_reader *r, char *where, size_t size)
{
    int64_t line = json_get_i64(r->entry, "@line", 0);
    struct str file = str_from(r->place);
    ptrdiff_t colon = str_rfind_char(file, ':');

    if (line > 0 && colon > 0)
        snprintf(where, size, "%.*s:%lld", (int)MIN(colon, 200), file.ptr, (long long)line);
    else
        snprintf(where, size, "%s", r->place);
}

int definition_wrong(const struct definition_reader *r, const char *member, const char *fmt, ...)
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

/* Texts of the tree live as long as the set; they end with a NUL, and so does what is trimmed. */
static struct str trimmed(const struct definition_reader *r, struct str text)
{
    struct str rest = str_trim(text);

    return rest.len == text.len ? text : str_dup(&r->set->arena, rest);
}

static int read_text(
    const struct definition_reader *r, const struct json *node, struct str *ret_text)
{
    if (!json_is(node, JSON_STRING))
        return definition_wrong(r, json_key(node).ptr, "must be text");
    if (json_str(node).len > TEXT_MAX)
        return definition_wrong(r, json_key(node).ptr, "may have at most %d bytes", TEXT_MAX);
    *ret_text = trimmed(r, json_str(node));
    return 0;
}

static int read_names(const struct definition_reader *r, const struct json *list,
    const struct str **ret_names, size_t *ret_count)
{
    const char *member = json_key(list).ptr;
    struct str *names;
    size_t count = 0;

    if (!json_is(list, JSON_ARRAY))
        return definition_wrong(r, member, "must be a list of names");
    names = arena_array(&r->set->arena, struct str, json_len(list) + 1);
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        if (!json_is(one, JSON_STRING) || str_empty(json_str(one)))
            return definition_wrong(r, member, "must be a list of names");
        names[count++] = json_str(one);
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int read_number(
    const struct definition_reader *r, const struct json *node, int64_t max, int64_t *ret_value)
{
    int64_t value = json_i64(node, -1);

    if (value < 1 || value > max)
        return definition_wrong(
            r, json_key(node).ptr, "must be a whole number from 1 to %lld", (long long)max);
    *ret_value = value;
    return 0;
}

static int check_tools(const struct definition_reader *r)
{
    for (size_t i = 0; i < r->def->tool_count; i++) {
        struct str name = r->def->tools[i];
        struct str_near near = STR_NEAR(name);
        bool known = str_find(name, STR("__"), 0) > 0; /* of a source, which may be down now */

        for (size_t j = 0; j < r->tool_count && !known; j++) {
            known = str_is(name, r->tools[j]->name);
            str_near_try(&near, str_from(r->tools[j]->name));
        }
        if (!known)
            return definition_wrong(r, "tools", "names %.*s, and there is no such tool%s%.*s%s",
                (int)MIN(name.len, (size_t)60), name.ptr, near.best.len ? "; did you mean " : "",
                STR_ARG(near.best), near.best.len ? "?" : "");
    }
    return 0;
}

/* The schema as text, checked by building what it would be used for. */
static int read_schema(
    const struct definition_reader *r, const struct json *node, struct str *ret_schema)
{
    const char *member = json_key(node).ptr;
    struct str text = json_is(node, JSON_STRING) ? json_str(node) : STR("");
    const struct json *schema = node;

    if (json_is(node, JSON_STRING) && json_parse(&r->set->arena, text, &schema) < 0)
        return definition_wrong(
            r, member, "must be a JSON Schema: a mapping, or its JSON as text (%s)", err_message());
    if (!json_is(schema, JSON_OBJECT) || !str_is(json_get_str(schema, "type"), "object") ||
        !json_is(json_get(schema, "properties"), JSON_OBJECT))
        return definition_wrong(r, member, "must be a JSON Schema of type object, with properties");
    if (str_empty(text))
        text = agent_schema_text(&r->set->arena, schema);
    *ret_schema = str_dup(&r->set->arena, text);
    return 0;
}

/* Beside the file that declares it. */
static struct str resolve(const struct definition_reader *r, struct str path)
{
    struct str file = str_from(r->place);
    ptrdiff_t slash = str_rfind_char(file, '/');

    if (str_starts(path, STR("/")) || slash < 0)
        return str_dup(&r->set->arena, path);
    return str_printf(&r->set->arena, "%.*s/%.*s", (int)slash, file.ptr, STR_ARG(path));
}

static int read_source(
    const struct definition_reader *r, const struct json *node, struct knowledge_source *ret_source)
{
    bool mapping = json_is(node, JSON_OBJECT);
    struct str path = str_trim(mapping ? json_get_str(node, "path") : json_str(node));
    const struct json *untrusted = json_get(node, "untrusted");

    if (str_empty(path) || (untrusted && !json_is(untrusted, JSON_BOOL)))
        return definition_wrong(r, "knowledge",
            "must be a list of files and folders, each a path or {path: PATH, untrusted: true}");
    for (const struct json *one = mapping ? json_first(node) : NULL; one; one = json_next(one))
        if (!str_is(json_key(one), "path") && !str_is(json_key(one), "untrusted") &&
            !str_is(json_key(one), "@line"))
            return definition_wrong(r, "knowledge",
                "has no member %.*s; known are path and untrusted",
                (int)MIN(json_key(one).len, (size_t)60), json_key(one).ptr);
    *ret_source = (struct knowledge_source){
        resolve(r, path), str_dup(&r->set->arena, path), json_bool(untrusted, false)};
    return 0;
}

static int read_knowledge(struct definition_reader *r, const struct json *list)
{
    struct knowledge_source *sources;

    if (!json_is(list, JSON_ARRAY) || json_len(list) == 0)
        return definition_wrong(r, "knowledge", "must be a list of files and folders");
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
static int at_place(
    struct definition_reader *r, int rc, const char *member, const struct json *place)
{
    const struct json *entry = r->entry;

    if (rc == 0)
        return 0;
    r->entry = place;
    rc = definition_wrong(r, member, "%s", err_message());
    r->entry = entry;
    return rc;
}

static int read_guards(struct definition_reader *r, const struct json *node)
{
    const struct json *place = r->entry;
    int rc = guard_set_read(&r->set->arena, node, &r->def->guards, &place);

    return at_place(r, rc, "guards", place);
}

static int read_evaluations(struct definition_reader *r, const struct json *node)
{
    struct agent_def *def = r->def;
    const struct json *place = r->entry;
    int rc = evaluations_read(&r->set->arena, node, &def->evaluations, &place);

    return at_place(r, rc, "evaluations", place);
}

static int read_mode(struct definition_reader *r, const struct json *node)
{
    r->def->mode = TEAM_NONE;
    for (size_t i = TEAM_COORDINATE; i < ARRAY_LEN(modes); i++)
        if (str_is(json_str(node), modes[i]))
            r->def->mode = (enum team_mode)i;
    if (r->def->mode == TEAM_NONE)
        return definition_wrong(r, "mode", "must be coordinate, route, broadcast or tasks");
    return 0;
}

static int read_role(struct definition_reader *r, const struct json *node)
{
    return read_text(r, node, &r->def->role);
}

static int read_instructions(struct definition_reader *r, const struct json *node)
{
    return read_text(r, node, &r->def->instructions);
}

static int read_model(struct definition_reader *r, const struct json *node)
{
    return read_text(r, node, &r->def->model);
}

static int read_fallbacks(struct definition_reader *r, const struct json *node)
{
    return read_names(r, node, &r->def->fallbacks, &r->def->fallback_count);
}

static int read_on_rate_limit(struct definition_reader *r, const struct json *node)
{
    return read_names(r, node, &r->def->on_rate_limit, &r->def->on_rate_limit_count);
}

static int read_on_context_overflow(struct definition_reader *r, const struct json *node)
{
    return read_names(r, node, &r->def->on_context_overflow, &r->def->on_context_overflow_count);
}

static int read_tools(struct definition_reader *r, const struct json *node)
{
    int rc = read_names(r, node, &r->def->tools, &r->def->tool_count);

    return rc < 0 ? rc : check_tools(r);
}

static int read_memory(struct definition_reader *r, const struct json *node)
{
    if (!json_is(node, JSON_BOOL))
        return definition_wrong(r, "memory", "must be true or false");
    r->def->memory = json_bool(node, true);
    return 0;
}

static int read_output_schema(struct definition_reader *r, const struct json *node)
{
    return read_schema(r, node, &r->def->output_schema);
}

static int read_input_schema(struct definition_reader *r, const struct json *node)
{
    return read_schema(r, node, &r->def->input_schema);
}

static int read_max_model_calls(struct definition_reader *r, const struct json *node)
{
    return read_number(r, node, 1000, &r->def->max_model_calls);
}

static int read_max_tool_calls(struct definition_reader *r, const struct json *node)
{
    return read_number(r, node, 10000, &r->def->max_tool_calls);
}

static int read_max_tokens(struct definition_reader *r, const struct json *node)
{
    return read_number(r, node, 1000000000, &r->def->max_tokens);
}

static int read_timeout(struct definition_reader *r, const struct json *node)
{
    return read_number(r, node, HOUR_MS, &r->def->timeout_ms);
}

/* What an entry may have, and what becomes of it. Without a reader: it is read elsewhere, when all
 * entries are known. */
static const struct member {
    struct str name;
    unsigned of; /* kinds */
    int (*read)(struct definition_reader *r, const struct json *node);
} members[] = {
    {{"role", sizeof("role") - 1}, AGENTS | TEAMS | WORKFLOWS, read_role},
    {{"tools", sizeof("tools") - 1}, AGENTS | TEAMS, read_tools},
    {{"instructions", sizeof("instructions") - 1}, AGENTS | TEAMS, read_instructions},
    {{"model", sizeof("model") - 1}, AGENTS | TEAMS, read_model},
    {{"@line", sizeof("@line") - 1}, AGENTS | TEAMS | WORKFLOWS, NULL},
    {{"fallbacks", sizeof("fallbacks") - 1}, AGENTS | TEAMS, read_fallbacks},
    {{"on-rate-limit", sizeof("on-rate-limit") - 1}, AGENTS | TEAMS, read_on_rate_limit},
    {{"on-context-overflow", sizeof("on-context-overflow") - 1}, AGENTS | TEAMS,
        read_on_context_overflow},
    {{"memory", sizeof("memory") - 1}, AGENTS | TEAMS, read_memory},
    {{"output-schema", sizeof("output-schema") - 1}, AGENTS | TEAMS, read_output_schema},
    {{"input-schema", sizeof("input-schema") - 1}, AGENTS | TEAMS, read_input_schema},
    {{"knowledge", sizeof("knowledge") - 1}, AGENTS | TEAMS, read_knowledge},
    {{"max-model-calls", sizeof("max-model-calls") - 1}, AGENTS | TEAMS, read_max_model_calls},
    {{"max-tool-calls", sizeof("max-tool-calls") - 1}, AGENTS | TEAMS, read_max_tool_calls},
    {{"max-tokens", sizeof("max-tokens") - 1}, AGENTS | TEAMS, read_max_tokens},
    {{"timeout-ms", sizeof("timeout-ms") - 1}, AGENTS | TEAMS, read_timeout},
    {{"guards", sizeof("guards") - 1}, AGENTS | TEAMS | WORKFLOWS, read_guards},
    {{"evaluations", sizeof("evaluations") - 1}, AGENTS | TEAMS, read_evaluations},
    {{"mode", sizeof("mode") - 1}, TEAMS, read_mode},
    {{"members", sizeof("members") - 1}, TEAMS, NULL},
    {{"steps", sizeof("steps") - 1}, WORKFLOWS, NULL},
    {{"answer", sizeof("answer") - 1}, WORKFLOWS, NULL},
};

static const struct member *find_member(enum definition_kind kind, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if ((members[i].of & (unsigned)kind) && str_eq(members[i].name, name))
            return &members[i];
    return NULL;
}

static int unknown_member(const struct definition_reader *r, struct str name)
{
    struct str_near near = STR_NEAR(name);

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (members[i].of & (unsigned)r->kind)
            str_near_try(&near, members[i].name);
    return definition_wrong(r, NULL, "has no member %.*s; %s%.*s%s", (int)MIN(name.len, (size_t)60),
        name.ptr, near.best.len ? "did you mean " : "docs/agents.md lists all", STR_ARG(near.best),
        near.best.len ? "?" : "");
}

static int read_members(struct definition_reader *r)
{
    const struct member *member;
    int rc = 0;

    for (const struct json *m = json_first(r->entry); m && rc == 0; m = json_next(m)) {
        member = find_member(r->kind, json_key(m));
        if (!member)
            return unknown_member(r, json_key(m));
        if (member->read)
            rc = member->read(r, m);
    }
    return rc;
}

/* Whether name is new; it is remembered then. */
static bool take_name(struct definition_reader *r, struct str name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    uint16_t *slot;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)char_lower(name.ptr[i])) * 16777619u;
    for (;; hash++) {
        slot = &r->names[(hash ^ hash >> 16) % DEFINITION_SLOTS];
        if (*slot == 0)
            break;
        if (str_eq_nocase(r->set->defs[*slot - 1].name, name))
            return false;
    }
    *slot = (uint16_t)(r->def - r->set->defs + 1);
    return true;
}

static struct str place_of_entry(const struct definition_reader *r)
{
    char where[300];

    if (json_get_i64(r->entry, "@line", 0) <= 0)
        return r->whole;
    find_place(r, where, sizeof(where));
    return str_dup(&r->set->arena, str_from(where));
}

int definition_entry(struct definition_reader *r, struct str name)
{
    struct agent_def *def = r->def;

    def->name = name;
    def->place = place_of_entry(r);
    if (!good_name(name))
        return definition_wrong(r, NULL, "must have a name of 1 to 40 letters, digits, - and _");
    if (!json_is(r->entry, JSON_OBJECT))
        return definition_wrong(r, NULL, "must be a mapping");
    if (!take_name(r, name))
        return definition_wrong(r, NULL, "has a name that another agent or team has");
    def->memory = true;
    def->mode = r->kind == TEAMS ? TEAM_COORDINATE : TEAM_NONE;
    return read_members(r);
}
