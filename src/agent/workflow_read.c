#include "agent/workflow.h"

#define TEXT_MAX (16 * KIB)
#define NAME_MAX_LEN 40

struct reader {
    const struct workflow_source *source;
    struct arena *arena;
    struct agent_def *def;
    struct workflow *workflow;
    int depth;
    bool hidden[WORKFLOW_STEPS_MAX]; /* outputs of steps that run at the same time */
};

static int PRINTF_LIKE(3, 4)
    wrong(const struct reader *r, const struct json *entry, const char *fmt, ...)
{
    struct str place = str_from(r->source->place);
    ptrdiff_t colon = str_rfind_char(place, ':');
    int64_t line = json_get_i64(entry, "@line", 0);
    struct str step = json_get_str(entry, "name");
    char field[160], what[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    snprintf(field, sizeof(field), "workflows.%.*s%s%.*s", STR_ARG(r->def->name),
        step.len ? "." : "", (int)MIN(step.len, (size_t)NAME_MAX_LEN), step.len ? step.ptr : "");
    if (line > 0 && colon > 0)
        return err_field(ERR_INVALID, field, "%.*s:%lld: %s %s", (int)MIN(colon, 200), place.ptr,
            (long long)line, field, what);
    return err_field(ERR_INVALID, field, "%s: %s %s", r->source->place, field, what);
}

int workflow_slot(const struct workflow *workflow, struct str name)
{
    if (str_is(name, "input"))
        return SLOT_INPUT;
    if (str_is(name, "previous"))
        return SLOT_PREVIOUS;
    for (int i = 0; i < workflow->slot_count; i++)
        if (str_eq(workflow->names[i], name))
            return i;
    return SLOT_NONE;
}

static bool is_visible(const struct reader *r, int slot)
{
    return slot != SLOT_NONE && (slot < 0 || !r->hidden[slot]);
}

/* Steps are read in the order they are written: what a template names must stand above it. */
static int check_template(const struct reader *r, const struct json *entry, struct str text)
{
    for (ptrdiff_t at = str_find(text, STR("{{"), 0); at >= 0;
         at = str_find(text, STR("{{"), (size_t)at + 2)) {
        ptrdiff_t end = str_find(text, STR("}}"), (size_t)at);
        struct str name;

        if (end < 0)
            return wrong(r, entry, "has a {{ without }}");
        name = str_trim(str_slice(text, (size_t)at + 2, (size_t)end));
        if (!is_visible(r, workflow_slot(r->workflow, name)))
            return wrong(r, entry,
                "uses {{%.*s}}, and no step above has that name (others: input, previous)",
                (int)MIN(name.len, (size_t)NAME_MAX_LEN), name.ptr);
    }
    return 0;
}

static int check_templates(
    const struct reader *r, const struct json *entry, const struct json *node)
{
    int rc = json_is(node, JSON_STRING) ? check_template(r, entry, json_str(node)) : 0;

    for (const struct json *inner = json_first(node); inner && rc == 0; inner = json_next(inner))
        rc = check_templates(r, entry, inner);
    return rc;
}

static struct str unquoted(struct str text)
{
    if (text.len >= 2 && (text.ptr[0] == '"' || text.ptr[0] == '\'') &&
        text.ptr[text.len - 1] == text.ptr[0])
        return str_slice(text, 1, text.len - 1);
    return text;
}

static bool take_word(struct str *text, struct str *ret_word)
{
    size_t end = 0;

    *text = str_trim(*text);
    while (end < text->len && !char_is_space(text->ptr[end]))
        end++;
    *ret_word = str_slice(*text, 0, end);
    *text = str_trim(str_slice(*text, end, text->len));
    return end > 0;
}

bool condition_parse(
    const struct workflow *workflow, struct str text, struct condition *ret_condition)
{
    struct condition condition = {.kind = CONDITION_NONE};
    struct str word;

    if (!take_word(&text, &word))
        return false;
    if (str_is(word, "not")) {
        condition.negated = true;
        if (!take_word(&text, &word))
            return false;
    }
    condition.slot = workflow_slot(workflow, word);
    if (condition.slot == SLOT_NONE || !take_word(&text, &word))
        return false;
    condition.value = unquoted(text);
    if (str_is(word, "contains") && !str_empty(condition.value))
        condition.kind = CONDITION_CONTAINS;
    else if (str_is(word, "equals") && !str_empty(condition.value))
        condition.kind = CONDITION_EQUALS;
    else if (str_is(word, "empty") && str_empty(text))
        condition.kind = CONDITION_EMPTY;
    else
        return false;
    *ret_condition = condition;
    return true;
}

bool condition_holds(const struct condition *condition, struct str output)
{
    bool holds = false;

    output = str_trim(output);
    if (condition->kind == CONDITION_CONTAINS)
        holds = str_find_nocase(output, condition->value, 0) >= 0;
    else if (condition->kind == CONDITION_EQUALS)
        holds = str_eq_nocase(output, condition->value);
    else if (condition->kind == CONDITION_EMPTY)
        holds = str_empty(output);
    return holds != condition->negated;
}

static int read_condition(
    const struct reader *r, const struct json *entry, const char *member, struct step *step)
{
    struct str text = str_dup(r->arena, json_get_str(entry, member));

    if (condition_parse(r->workflow, text, &step->condition) && is_visible(r, step->condition.slot))
        return 0;
    return wrong(r, entry,
        "%s must be like: facts contains \"x\", facts equals \"x\", facts empty, or not before it, "
        "with the name of a step above",
        member);
}

static int read_number(const struct reader *r, const struct json *entry, const char *member,
    int64_t max, int64_t *ret_value)
{
    const struct json *node = json_get(entry, member);
    int64_t value = json_i64(node, -1);

    if (!node)
        return 0;
    if (value < 1 || value > max)
        return wrong(r, entry, "%s must be a whole number from 1 to %lld", member, (long long)max);
    *ret_value = value;
    return 0;
}

static int read_steps(struct reader *r, const struct json *entry, const struct json *list,
    struct step_list *ret_list);

static int read_inner(
    struct reader *r, const struct json *entry, const char *member, struct step_list *ret_list)
{
    return read_steps(r, entry, json_get(entry, member), ret_list);
}

static void add_member(const struct reader *r, const struct agent_def *agent)
{
    for (size_t i = 0; i < r->def->member_count; i++)
        if (r->def->members[i] == agent)
            return;
    r->def->members[r->def->member_count++] = agent;
}

static int read_input(const struct reader *r, const struct json *entry, struct step *step)
{
    const struct json *input = json_get(entry, "input");

    if (!input)
        return 0;
    if (!json_is(input, JSON_STRING) || json_str(input).len > TEXT_MAX)
        return wrong(r, entry, "input must be text of at most %d bytes", TEXT_MAX);
    step->input = str_dup(r->arena, json_str(input));
    return check_template(r, entry, step->input);
}

static int read_agent(const struct reader *r, const struct json *entry, struct step *step)
{
    struct str name = json_get_str(entry, "agent");

    step->agent = agent_set_find(r->source->set, name);
    if (!step->agent)
        return wrong(r, entry, "names %.*s, and there is no such agent, team or workflow",
            (int)MIN(name.len, (size_t)60), name.ptr);
    add_member(r, step->agent);
    return read_input(r, entry, step);
}

static int read_human(const struct reader *r, const struct json *entry, struct step *step)
{
    struct str question = json_get_str(entry, "human");
    int rc;

    if (str_empty(str_trim(question)) || question.len > TEXT_MAX)
        return wrong(r, entry, "human must be a question of at most %d bytes", TEXT_MAX);
    step->question = str_dup(r->arena, question);
    rc = check_template(r, entry, step->question);
    return rc < 0 ? rc : read_input(r, entry, step);
}

static int read_tool(const struct reader *r, const struct json *entry, struct step *step)
{
    struct str name = json_get_str(entry, "tool");
    const struct json *arguments = json_get(entry, "arguments");
    bool known = str_find(name, STR("__"), 0) > 0; /* of a source, which may be down now */
    int rc;

    for (size_t i = 0; i < r->source->tool_count && !known; i++)
        known = str_is(name, r->source->tools[i]->name);
    if (!known)
        return wrong(r, entry, "names %.*s, and there is no such tool",
            (int)MIN(name.len, (size_t)60), name.ptr);
    step->tool = str_dup(r->arena, name);
    if (!arguments)
        return 0;
    if (!json_is(arguments, JSON_OBJECT))
        return wrong(r, entry, "arguments must be a mapping");
    rc = json_parse(r->arena, agent_schema_text(r->arena, arguments), &step->arguments);
    return rc < 0 ? rc : check_templates(r, entry, step->arguments);
}

static int read_loop(struct reader *r, const struct json *entry, struct step *step)
{
    int rc = read_inner(r, entry, "loop", &step->steps);

    step->rounds = 3;
    if (rc == 0)
        rc = read_number(r, entry, "max", WORKFLOW_ROUNDS_MAX, &step->rounds);
    if (rc == 0 && json_get(entry, "until"))
        rc = read_condition(r, entry, "until", step);
    return rc;
}

static int read_branches(struct reader *r, const struct json *entry, struct step *step)
{
    int rc = read_condition(r, entry, "if", step);

    if (rc == 0)
        rc = read_inner(r, entry, "then", &step->steps);
    if (rc == 0 && json_get(entry, "else"))
        rc = read_inner(r, entry, "else", &step->otherwise);
    return rc;
}

static int read_router(struct reader *r, const struct json *entry, struct step *step)
{
    struct str decides = json_get_str(entry, "router");
    const struct json *cases = json_get(entry, "cases");
    int rc = 0;

    step->decides = workflow_slot(r->workflow, decides);
    if (!is_visible(r, step->decides))
        return wrong(r, entry, "router must be the name of a step above, or input");
    if (!json_is(cases, JSON_OBJECT) || json_len(cases) < 2)
        return wrong(r, entry, "cases must be a mapping of words to lists of steps");
    step->cases = arena_array(r->arena, struct step_list, json_len(cases));
    for (const struct json *one = json_first(cases); one && rc == 0; one = json_next(one)) {
        struct step_list *list = &step->cases[step->case_count];

        if (str_is(json_key(one), "@line"))
            continue;
        rc = read_steps(r, entry, one, list);
        list->name = str_dup(r->arena, json_key(one));
        step->case_count++;
    }
    if (rc == 0 && json_get(entry, "else"))
        rc = read_inner(r, entry, "else", &step->otherwise);
    return rc;
}

static const struct kind {
    const char *member;
    enum step_kind kind;
    const char *const *members; /* what else it may have */
} kinds[] = {
    {"agent", STEP_AGENT, (const char *const[]){"input", NULL}},
    {"tool", STEP_TOOL, (const char *const[]){"arguments", NULL}},
    {"human", STEP_HUMAN, (const char *const[]){"input", NULL}},
    {"parallel", STEP_PARALLEL, (const char *const[]){NULL}},
    {"loop", STEP_LOOP, (const char *const[]){"until", "max", NULL}},
    {"if", STEP_CONDITION, (const char *const[]){"then", "else", NULL}},
    {"router", STEP_ROUTER, (const char *const[]){"cases", "else", NULL}},
};

static int find_kind(const struct reader *r, const struct json *entry, const struct kind **ret_kind)
{
    *ret_kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!json_get(entry, kinds[i].member))
            continue;
        if (*ret_kind)
            return wrong(r, entry, "is both %s and %s", (*ret_kind)->member, kinds[i].member);
        *ret_kind = &kinds[i];
    }
    if (*ret_kind)
        return 0;
    return wrong(r, entry, "must have one of agent, tool, human, parallel, loop, if, router");
}

static bool has_word(const char *const *words, struct str word)
{
    for (; *words; words++)
        if (str_is(word, *words))
            return true;
    return false;
}

static int check_members(const struct reader *r, const struct json *entry, const struct kind *kind)
{
    static const char *const all[] = {
        "name", "on-error", "retries", "fallback", "timeout-ms", "@line", NULL};
    static const char *const people[] = {"on-timeout", "hours", NULL};
    bool asks = kind->kind == STEP_AGENT || kind->kind == STEP_TOOL || kind->kind == STEP_HUMAN;

    for (const struct json *m = json_first(entry); m; m = json_next(m)) {
        struct str key = json_key(m);

        if (asks && has_word(people, key))
            continue;
        if (!has_word(all, key) && !str_is(key, kind->member) && !has_word(kind->members, key))
            return wrong(r, entry, "has no member %.*s beside %s", (int)MIN(key.len, (size_t)60),
                key.ptr, kind->member);
    }
    return 0;
}

static int read_kind(
    struct reader *r, const struct json *entry, enum step_kind kind, struct step *step)
{
    step->kind = kind;
    switch (kind) {
    case STEP_AGENT:
        return read_agent(r, entry, step);
    case STEP_TOOL:
        return read_tool(r, entry, step);
    case STEP_HUMAN:
        return read_human(r, entry, step);
    case STEP_PARALLEL:
        return read_inner(r, entry, "parallel", &step->steps);
    case STEP_LOOP:
        return read_loop(r, entry, step);
    case STEP_CONDITION:
        return read_branches(r, entry, step);
    default:
        return read_router(r, entry, step);
    }
}

static int read_on_error(struct reader *r, const struct json *entry, struct step *step)
{
    struct str on_error = json_get_str(entry, "on-error");
    bool fallback = json_get(entry, "fallback") != NULL;

    if (json_get(entry, "on-error") && !str_is(on_error, "fail") && !str_is(on_error, "skip"))
        return wrong(r, entry, "on-error must be fail or skip");
    if (fallback && json_get(entry, "on-error"))
        return wrong(r, entry, "has both on-error and fallback; one says what happens");
    if (str_is(on_error, "skip"))
        step->on_error = STEP_SKIPS;
    if (!fallback)
        return 0;
    step->on_error = STEP_FALLS_BACK;
    return read_inner(r, entry, "fallback", &step->fallback);
}

/* What happens when people do not decide in time. */
static int read_on_timeout(const struct reader *r, const struct json *entry, struct step *step)
{
    static const char *const words[] = {"", "stop", "skip", "go-on"};
    struct str word = json_get_str(entry, "on-timeout");

    for (size_t i = 1; i < ARRAY_LEN(words); i++)
        if (str_is(word, words[i]))
            step->on_timeout = (enum step_on_timeout)i;
    if (json_get(entry, "on-timeout") && step->on_timeout == STEP_TIMEOUT_UNSAID)
        return wrong(r, entry, "on-timeout must be stop, skip or go-on");
    if (step->kind == STEP_TOOL && step->on_timeout == STEP_TIMEOUT_GO_ON)
        return wrong(r, entry,
            "on-timeout cannot be go-on for a tool: it is not called when nobody agreed; say stop "
            "or skip");
    return read_number(r, entry, "hours", WORKFLOW_HOURS_MAX, &step->hours);
}

static int read_name(struct reader *r, const struct json *entry, struct step *step)
{
    struct str name = json_get_str(entry, "name");
    struct workflow *workflow = r->workflow;

    for (size_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.ptr[i]) && (i == 0 || !strchr("-_", name.ptr[i])))
            name.len = 0;
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return wrong(r, entry, "has a step whose name is not 1 to 40 letters, digits, - and _");
    if (workflow_slot(workflow, name) != SLOT_NONE || str_is(name, "not"))
        return wrong(r, entry, "has a name that another step has, or that means something else");
    if (workflow->slot_count == WORKFLOW_STEPS_MAX)
        return wrong(r, entry, "is one step too many; %d are allowed", WORKFLOW_STEPS_MAX);
    step->name = str_dup(r->arena, name);
    return 0;
}

static int read_step(struct reader *r, const struct json *entry, struct step *step)
{
    const struct kind *kind;
    int rc = read_name(r, entry, step);

    if (rc == 0)
        rc = find_kind(r, entry, &kind);
    if (rc == 0)
        rc = check_members(r, entry, kind);
    if (rc == 0)
        rc = read_kind(r, entry, kind->kind, step);
    if (rc == 0)
        rc = read_number(r, entry, "retries", WORKFLOW_RETRIES_MAX, &step->retries);
    if (rc == 0)
        rc = read_number(r, entry, "timeout-ms", HOUR_MS, &step->timeout_ms);
    if (rc == 0)
        rc = read_on_error(r, entry, step);
    if (rc == 0)
        rc = read_on_timeout(r, entry, step);
    if (rc < 0)
        return rc;
    if (workflow_slot(r->workflow, step->name) != SLOT_NONE)
        return wrong(r, entry, "has a step inside of the same name");
    step->slot = r->workflow->slot_count++;
    r->workflow->names[step->slot] = step->name;
    return 0;
}

static int read_steps(
    struct reader *r, const struct json *entry, const struct json *list, struct step_list *ret_list)
{
    bool parallel = list && list == json_get(entry, "parallel");
    int first = r->workflow->slot_count;
    int rc = 0;

    if (!json_is(list, JSON_ARRAY) || json_len(list) == 0)
        return wrong(r, entry, "needs a list of steps");
    if (r->depth == WORKFLOW_DEPTH_MAX)
        return wrong(r, entry, "nests steps more than %d deep", WORKFLOW_DEPTH_MAX);
    r->depth++;
    ret_list->steps = arena_array(r->arena, struct step, json_len(list));
    for (const struct json *one = json_first(list); one && rc == 0; one = json_next(one)) {
        if (!json_is(one, JSON_OBJECT))
            rc = wrong(r, entry, "has a step that is no mapping");
        else if (r->workflow->slot_count == WORKFLOW_STEPS_MAX)
            rc = wrong(r, entry, "has more than %d steps", WORKFLOW_STEPS_MAX);
        else
            rc = read_step(r, one, &ret_list->steps[ret_list->count++]);
        for (int i = first; parallel && i < r->workflow->slot_count; i++)
            r->hidden[i] = true;
    }
    for (int i = first; parallel && i < r->workflow->slot_count; i++)
        r->hidden[i] = false;
    r->depth--;
    return rc;
}

int workflow_read(
    const struct workflow_source *source, const struct json *entry, struct agent_def *def)
{
    struct arena *arena = &source->set->arena;
    struct workflow *workflow = arena_new(arena, struct workflow);
    struct reader r = {.source = source, .arena = arena, .def = def, .workflow = workflow};
    const struct json *answer = json_get(entry, "answer");
    int rc;

    def->members = arena_array(arena, const struct agent_def *, WORKFLOW_STEPS_MAX);
    def->member_count = 0;
    rc = read_steps(&r, entry, json_get(entry, "steps"), &workflow->steps);
    if (rc == 0 && answer && !json_is(answer, JSON_STRING))
        rc = wrong(&r, entry, "answer must be text");
    if (rc == 0)
        rc = check_template(&r, entry, json_str(answer));
    if (rc < 0)
        return rc;
    workflow->answer = str_dup(arena, json_str(answer));
    def->workflow = workflow;
    return 0;
}
