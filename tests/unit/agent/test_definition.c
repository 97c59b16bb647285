#include "agent/definition.h"
#include "fixture.h"

#define AGENTS "agents:\n  a: {role: one}\n  b: {tools: [book]}\n"

static int read_set(struct fixture *f, const char *yaml, struct agent_set **ret_set)
{
    config_deinit(&f->config);
    if (config_load_text(&f->config, str_from(yaml), "theo.yaml") < 0)
        return ERR_IO;
    return agent_set_read(&f->config, f->house.tools, f->house.tool_count, ret_set);
}

TEST(agent_set_is_empty_when_nothing_is_declared)
{
    struct agent_set *set = NULL;
    struct fixture f;

    REQUIRE(fixture_open(t, &f, NULL, NULL));
    EXPECT_OK(read_set(&f, "", &set));
    REQUIRE(set);
    EXPECT_EQ(set->count, 0);
    EXPECT(agent_set_find(set, STR("a")) == NULL);
    agent_set_free(set);
    fixture_close(&f);
}

TEST(agent_set_holds_agents_teams_and_workflows)
{
    struct agent_set *set = NULL;
    const struct agent_def *def;
    struct fixture f;

    REQUIRE(fixture_open(t, &f, NULL, NULL));
    EXPECT_OK(read_set(&f,
        AGENTS "teams:\n  t: {mode: tasks, members: [a, w]}\n"
               "workflows:\n  w: {steps: [{name: x, agent: b}, {name: y, tool: book}]}\n",
        &set));
    REQUIRE(set);
    EXPECT_EQ(set->count, 4);
    def = agent_set_find(set, STR("B"));
    REQUIRE(def);
    EXPECT_EQ(def->tool_count, 1);
    EXPECT(def->memory);
    def = agent_set_find(set, STR("t"));
    REQUIRE(def && def->member_count == 2);
    EXPECT_EQ(def->mode, TEAM_TASKS);
    EXPECT_EQ(def->member_tool_count, 1);
    EXPECT(def->members[1]->workflow != NULL);
    agent_set_free(set);
    fixture_close(&f);
}

TEST(agent_set_names_file_line_and_field_of_mistakes)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"agents:\n  a: {tools: [fly]}\n", "theo.yaml:2: agents.a.tools names fly"},
        {"agents:\n  a:\n    modle: x\n", "theo.yaml:3: agents.a has no member modle"},
        {AGENTS "teams:\n  t: {members: [u]}\n  u: {members: [t]}\n", "lead back to the team"},
        {AGENTS "teams:\n  t: {members: []}\n", "theo.yaml:5: teams.t.members"},
        {AGENTS "teams:\n  t: {members: [ghost]}\n", "ghost"},
        {AGENTS "teams:\n  A: {members: [b]}\n", "another agent or team"},
        {AGENTS "workflows:\n  w: {steps: [{name: x, agent: w}]}\n", "lead back to the workflow"},
        {AGENTS "teams:\n  t: {members: [w]}\nworkflows:\n  w: {steps: [{name: x, agent: t}]}\n",
            "lead back"},
        {"agents:\n  a: {output-schema: {type: string}}\n", "agents.a.output-schema"},
        {"agents:\n  a: {max-model-calls: -1}\n", "agents.a.max-model-calls"},
        {"agents: [a]\n", "must be a mapping"},
    };
    struct fixture f;

    REQUIRE(fixture_open(t, &f, NULL, NULL));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct agent_set *set = NULL;

        EXPECT_EQ(read_set(&f, cases[i].yaml, &set), ERR_INVALID);
        EXPECT(set == NULL);
        if (!strstr(err_message(), cases[i].message))
            EXPECT_STR(str_from(err_message()), cases[i].message);
    }
    fixture_close(&f);
}
