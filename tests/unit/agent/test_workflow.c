#include "agent/definition.h"
#include "fixture.h"

static int echo(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    struct str task = task_of(request);

    (void)f, (void)call;
    if (str_find(task, STR("BREAK"), 0) >= 0)
        return model_fails(error, MODEL_UNAVAILABLE);
    return reply_text(reply, str_cstr(arena, str_trim(task)));
}

static int run_steps(struct test *t, const char *steps, struct run_result *result, size_t *ret_done)
{
    struct agent_set *set;
    struct fixture f;
    struct run_request request;
    int rc;

    if (!fixture_open(t, &f, echo, NULL))
        return ERR_IO;
    config_deinit(&f.config);
    if (config_load_text(&f.config,
            str_printf(
                t->arena, "agents: {a: {tools: []}}\nworkflows: {w: {steps: [%s]}}\n", steps),
            "theo.yaml") < 0 ||
        agent_set_read(&f.config, f.house.tools, f.house.tool_count, &set) < 0)
        return ERR_IO;
    f.house.agents = set;
    f.config.memory_every_messages = 0;
    request = fixture_request(&f, "Ana: Theo, start");
    request.agent = STR("w");
    rc = fixture_run(&f, &request, result);
    *ret_done = fixture_count_events(fixture_events(&f, result->run_id), "step.completed");
    agent_set_free(set);
    fixture_close(&f);
    return rc;
}

TEST(workflow_hands_outputs_on)
{
    struct run_result result;
    size_t done;

    EXPECT_OK(run_steps(t,
        "{name: x, agent: a, input: 'one'}, {name: y, agent: a, input: '{{x}} two {{previous}}'}, "
        "{name: z, agent: a}",
        &result, &done));
    EXPECT_STR(result.reply, "one two one");
    EXPECT_EQ(done, 3);
}

TEST(workflow_step_that_fails_ends_the_run_unless_it_says_otherwise)
{
    struct run_result result;
    size_t done;

    EXPECT(run_steps(t, "{name: x, agent: a, input: BREAK}, {name: y, agent: a, input: on}",
               &result, &done) < 0);
    EXPECT_EQ(done, 1);
    EXPECT_OK(run_steps(t,
        "{name: x, agent: a, input: BREAK, on-error: skip}, {name: y, agent: a, input: 'on{{x}}'}",
        &result, &done));
    EXPECT_STR(result.reply, "on");
    EXPECT_OK(run_steps(t,
        "{name: x, agent: a, input: BREAK, retries: 2, fallback: [{name: y, agent: a, input: "
        "else}]}, {name: z, agent: a, input: '{{x}}'}",
        &result, &done));
    EXPECT_STR(result.reply, "else");
    EXPECT_EQ(result.model_calls, 5);
}

TEST(workflow_branch_that_fails_fails_the_parallel_step)
{
    struct run_result result;
    size_t done;

    EXPECT_OK(run_steps(t,
        "{name: p, on-error: skip, parallel: [{name: x, agent: a, input: BREAK}, {name: y, agent: "
        "a, input: fine}]}, {name: z, agent: a, input: 'z{{x}}{{y}}'}",
        &result, &done));
    EXPECT_STR(result.reply, "zfine");
    EXPECT_EQ(done, 4);
}

TEST(workflow_tool_that_hangs_is_a_step_that_fails)
{
    struct run_result result;
    size_t done;

    EXPECT_OK(run_steps(t,
        "{name: x, tool: hang, on-error: skip}, {name: b, tool: book, arguments: {what: lunch}}, "
        "{name: y, agent: a, input: on}",
        &result, &done));
    EXPECT_STR(result.reply, "on");
    EXPECT_EQ(result.event_count, 1);
}

TEST(workflow_loop_ends)
{
    struct run_result result;
    size_t done;

    EXPECT_OK(run_steps(t,
        "{name: l, loop: [{name: x, agent: a, input: 'n'}], until: x equals never, max: 4}",
        &result, &done));
    EXPECT_EQ(result.model_calls, 4);
}
