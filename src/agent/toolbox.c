/* The tools of one run: those built in and those that sources know now. */
#include "agent/private.h"
#include "base/log.h"

static bool is_taken(const struct tool *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i]->name, name) == 0)
            return true;
    return false;
}

/* A name that is taken stays with who had it first: a source cannot replace a built-in tool. */
static int add_source(struct run *run, const struct tool_source *source)
{
    const struct tool **list;
    const struct tool *const *more;
    size_t count = run->tool_count, more_count;
    int rc = source->list(source->ctx, run->arena, &more, &more_count);

    if (rc < 0)
        return rc;
    list = arena_array(run->arena, const struct tool *, count + more_count);
    if (count > 0)
        memcpy(list, run->tool_list, count * sizeof(*list));
    for (size_t i = 0; i < more_count; i++) {
        if (is_taken(list, count, more[i]->name))
            log_warn("tool.name_taken", LOG_CSTR("tool", more[i]->name));
        else
            list[count++] = more[i];
    }
    run->tool_list = list;
    run->tool_count = count;
    return 0;
}

/* Those that the agent has by itself, whatever it names: its members and what it knows. */
static const struct tool *const *own_tools(struct run *run, size_t *ret_count)
{
    const struct agent_def *agent = run->agent;
    size_t count;
    const struct tool *const *members = team_tools(run, &count);
    const struct tool **list;

    *ret_count = count;
    if (agent->own_tool_count == 0)
        return members;
    list = arena_array(run->arena, const struct tool *, count + agent->own_tool_count);
    if (count > 0)
        memcpy(list, members, count * sizeof(*list));
    memcpy(list + count, agent->own_tools, agent->own_tool_count * sizeof(*list));
    *ret_count += agent->own_tool_count;
    return list;
}

static void add_own(struct run *run)
{
    const struct tool **list;
    size_t count;
    const struct tool *const *members = own_tools(run, &count);

    if (count == 0)
        return;
    list = arena_array(run->arena, const struct tool *, run->tool_count + count);
    memcpy(list, members, count * sizeof(*list));
    if (run->tool_count > 0)
        memcpy(list + count, run->tool_list, run->tool_count * sizeof(*list));
    run->tool_list = list;
    run->tool_count += count;
}

/* "crm__*" names all tools of the source crm. */
static bool is_named(const struct agent_def *agent, const char *name)
{
    for (size_t i = 0; i < agent->tool_count; i++) {
        struct str want = agent->tools[i];

        if (str_is(want, name) || (str_ends(want, STR("*")) &&
                                      str_starts(str_from(name), str_slice(want, 0, want.len - 1))))
            return true;
    }
    return false;
}

/* Of all tools those that the agent may use, and those by which it asks its members. */
static void keep_named(struct run *run)
{
    const struct tool **list = arena_array(run->arena, const struct tool *, run->tool_count + 1);
    size_t members, count = 0;

    (void)own_tools(run, &members);
    for (size_t i = 0; i < run->tool_count; i++)
        if (i < members || is_named(run->agent, run->tool_list[i]->name))
            list[count++] = run->tool_list[i];
    run->tool_list = list;
    run->tool_count = count;
}

int toolbox_fill(struct run *run)
{
    const struct agent_house *house = run->house;
    int rc = 0;

    run->tool_list = house->tools;
    run->tool_count = house->tool_count;
    if (run->agent)
        add_own(run);
    for (size_t i = 0; i < house->source_count && rc == 0; i++)
        rc = add_source(run, &house->sources[i]);
    if (rc < 0)
        return rc;
    if (run->agent && run->agent->tools)
        keep_named(run);
    run->tools = arena_array(run->arena, struct model_tool, run->tool_count);
    run->given_back = arena_array(run->arena, bool, run->tool_count + 1);
    run->call_counts = arena_array(run->arena, int64_t, run->tool_count + 1);
    for (size_t i = 0; i < run->tool_count; i++)
        run->tools[i] = (struct model_tool){
            .name = str_from(run->tool_list[i]->name),
            .description = str_from(run->tool_list[i]->description),
            .parameters = str_from(run->tool_list[i]->parameters),
        };
    return 0;
}
