/* Members of teams and steps of workflows that wait for people: the whole run pauses, anybody goes
 * on with it from what is stored, and the tool runs once. */
#include "agent/approval.h"
#include "agent/definition.h"
#include "agent/policy.h"
#include "fixture.h"

struct scene {
    struct fixture f;
    struct policy *policy;
    struct agent_set *set;
    struct run_result result;
    bool failed;
};

static bool has_tool(const struct model_request *request, const char *name)
{
    for (size_t i = 0; i < request->tool_count; i++)
        if (str_is(request->tools[i].name, name))
            return true;
    return false;
}

/* Calls the one tool it has, and says what it was told. Without tools it says what it heard. */
static int works(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    const struct model_message *last = &request->messages[request->message_count - 1];

    (void)f, (void)call, (void)error;
    if (last->role == MODEL_TOOL)
        return reply_text(reply, str_cstr(arena, last->content));
    if (has_tool(request, "book"))
        return reply_calls(arena, reply, "book", "{\"what\":\"lunch\"}", 1);
    if (has_tool(request, "ask_a"))
        return reply_calls(arena, reply, "ask_a", "{\"task\":\"book it\"}", 1);
    if (has_tool(request, "ask_t"))
        return reply_calls(arena, reply, "ask_t", "{\"task\":\"see to it\"}", 1);
    if (has_tool(request, "do_tasks"))
        return reply_calls(arena, reply, "do_tasks",
            "{\"tasks\":[{\"id\":\"1\",\"member\":\"a\",\"task\":\"book\"},"
            "{\"id\":\"2\",\"member\":\"c\",\"task\":\"tell\",\"after\":[\"1\"]}]}",
            1);
    return reply_text(
        reply, str_cstr(arena, str_printf(arena, "heard %.*s", STR_ARG(last_content(request)))));
}

#define YAML                                                                                       \
    "policy: {tools: {book: {approval: required}}}\n"                                              \
    "agents: {a: {tools: [book]}, c: {tools: []}}\n"

static bool open_scene(struct test *t, struct scene *s, const char *more)
{
    struct fixture *f = &s->f;

    memset(s, 0, sizeof(*s));
    if (!fixture_open(t, f, works, NULL))
        return false;
    config_deinit(&f->config);
    if (config_load_text(&f->config, str_printf(t->arena, YAML "%s", more), "theo.yaml") < 0 ||
        agent_set_read(&f->config, f->house.tools, f->house.tool_count, &s->set) < 0 ||
        policy_open(&f->config, &s->policy) < 0) {
        printf("# %s\n", err_message());
        return false;
    }
    f->config.memory_every_messages = 0;
    f->house.agents = s->set;
    f->house.policy = s->policy;
    return true;
}

static void finish(struct scene *s)
{
    agent_set_free(s->set);
    fixture_close(&s->f);
    policy_free(s->policy);
}

static int ask(struct scene *s, const char *agent)
{
    struct run_request request = fixture_request(&s->f, "Ana: Theo, book lunch");

    request.agent = str_from(agent);
    return fixture_run(&s->f, &request, &s->result);
}

/* Each decision is made by another process. */
static int decide(struct scene *s, size_t which, bool approve, const char *arguments)
{
    struct test *t = s->f.t;
    struct approval_owner owner = {.id = ulid_new(&t->fake->env, t->arena)};
    struct approval_decision decision = {.workspace_id = STR("main"),
        .id = s->result.approvals[which].id,
        .approve = approve,
        .arguments = str_from(arguments),
        .reason = approve ? STR("") : STR("too early"),
        .by = STR("key1")};
    struct run_result result = s->result;
    struct approval_row row;
    int rc = approval_decide(&s->f.house, &decision, &owner, t->arena, &row, &result, &s->failed);

    if (rc == 0)
        s->result = result;
    return rc;
}

static struct str run_state(struct scene *s)
{
    struct run_row row;

    if (store_get(s->f.store, STORE_RUNS, STR("main"), s->result.run_id, s->f.t->arena, &row) != 0)
        return STR("missing");
    return row.state;
}

static size_t events(struct scene *s, const char *type)
{
    return fixture_count_events(fixture_events(&s->f, s->result.run_id), type);
}

static void expire_now(struct scene *s, int64_t hours)
{
    struct test *t = s->f.t;
    struct approval_owner owner = {.id = ulid_new(&t->fake->env, t->arena)};
    size_t count = 0;

    t->fake->wall_ms += hours * HOUR_MS;
    EXPECT_OK(approval_sweep(&s->f.house, STR("main"), &owner, &count));
    EXPECT_EQ(count, 1);
}

static struct str answer_of(struct scene *s)
{
    const struct json *root;
    struct run_row row;

    if (store_get(s->f.store, STORE_RUNS, STR("main"), s->result.run_id, s->f.t->arena, &row) !=
            0 ||
        str_empty(row.result) || json_parse(s->f.t->arena, row.result, &root) < 0)
        return STR("");
    return json_get_str(root, "reply");
}

/* Every mode of a team, a team in a team, and a workflow as a member. */
TEST(resume_a_member_waits_and_its_leader_goes_on_with_its_result)
{
    static const char *const teams[] = {
        "teams: {l: {members: [a], tools: []}}\n",
        "teams: {l: {mode: route, members: [a], tools: []}}\n",
        "teams: {l: {mode: broadcast, members: [c, a], tools: []}}\n",
        "teams: {l: {mode: tasks, members: [a, c], tools: []}}\n",
        "teams: {t: {members: [a], tools: []}, l: {members: [t], tools: []}}\n",
        "workflows: {t: {steps: [{name: x, agent: a}]}}\n"
        "teams: {l: {members: [t], tools: []}}\n",
        "workflows: {l: {steps: [{name: w, agent: c, input: first}, {name: x, agent: a}, "
        "{name: y, agent: c}]}}\n",
        "workflows: {l: {steps: [{name: x, tool: book, arguments: {what: lunch}}]}}\n",
        "workflows: {l: {steps: [{name: p, parallel: [{name: x, agent: a}, {name: y, agent: c, "
        "input: fine}]}]}}\n",
        "workflows: {l: {steps: [{name: o, loop: [{name: x, agent: a}], max: 2}]}}\n",
        "workflows: {i: {steps: [{name: x, agent: a}]}, l: {steps: [{name: x, agent: i}]}}\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(teams); i++) {
        size_t before = (size_t)t->failures;
        struct scene s;

        REQUIRE(open_scene(t, &s, teams[i]));
        REQUIRE_OK(ask(&s, "l"));
        EXPECT_EQ(s.result.approval_count, 1);
        EXPECT_EQ(s.f.book_calls, 0);
        EXPECT_STR(run_state(&s), "paused");
        if (s.result.approval_count == 1)
            EXPECT_OK(decide(&s, 0, true, ""));
        if (i == 9 && s.result.approval_count == 1) { /* the second round asks again */
            EXPECT_EQ(s.f.book_calls, 1);
            EXPECT_OK(decide(&s, 0, true, ""));
        }
        EXPECT_EQ(s.f.booked, 1);
        EXPECT_STR(run_state(&s), "completed");
        EXPECT(str_find(s.result.reply, STR("Not done"), 0) < 0);
        EXPECT_EQ(events(&s, "member.started"), events(&s, "member.completed"));
        EXPECT_EQ(events(&s, "step.started"), events(&s, "step.completed"));
        EXPECT(s.result.action_count >= 1);
        if ((size_t)t->failures > before)
            printf("# %s# %.*s\n", teams[i], STR_ARG(s.result.reply));
        finish(&s);
    }
}

TEST(resume_a_member_is_told_that_people_refused)
{
    struct scene s;

    REQUIRE(open_scene(t, &s, "teams: {l: {members: [a], tools: []}}\n"));
    REQUIRE_OK(ask(&s, "l"));
    REQUIRE_OK(decide(&s, 0, false, ""));
    EXPECT_EQ(s.f.book_calls, 0);
    EXPECT_STR(run_state(&s), "completed");
    EXPECT(str_starts(s.result.reply, STR("Not done: book: what lunch")));
    EXPECT(str_find(s.result.reply, STR("A person refused this: too early"), 0) > 0);
    finish(&s);
}

TEST(resume_several_members_wait_for_all_decisions)
{
    struct scene s;

    REQUIRE(open_scene(t, &s,
        "workflows: {l: {steps: [{name: p, parallel: [{name: x, tool: book, arguments: {what: "
        "lunch}}, {name: y, tool: book, arguments: {what: dinner}}]}]}}\n"));
    REQUIRE_OK(ask(&s, "l"));
    REQUIRE(s.result.approval_count == 2);
    EXPECT_EQ(decide(&s, 1, true, ""), APPROVAL_WAITS);
    EXPECT_EQ(s.f.book_calls, 0);
    REQUIRE_OK(decide(&s, 0, true, "{\"what\":\"breakfast\"}"));
    EXPECT_EQ(s.f.booked, 2);
    EXPECT_STR(run_state(&s), "completed");
    finish(&s);
}

#define REVIEW                                                                                     \
    "workflows: {l: {steps: [{name: draft, agent: c, input: offer}, {name: ok, human: 'Send "      \
    "this?'%s}, {name: sent, agent: c, input: 'sending {{ok}}|{{previous}}'}]}}\n"

static bool open_review(struct test *t, struct scene *s, const char *more)
{
    char text[500];

    snprintf(text, sizeof(text), REVIEW, more);
    return open_scene(t, s, text) && EXPECT_OK(ask(s, "l")) &&
           EXPECT_EQ(s->result.approval_count, 1);
}

TEST(resume_a_person_reviews_a_text)
{
    struct scene s;

    REQUIRE(open_review(t, &s, ""));
    EXPECT_STR(s.result.approvals[0].tool, "review");
    EXPECT_STR(s.result.approvals[0].summary, "Send this?");
    EXPECT(str_find(s.result.approvals[0].arguments, STR("heard "), 0) > 0);
    EXPECT_EQ(decide(&s, 0, true, "{\"words\":\"x\"}"), ERR_INVALID);
    REQUIRE_OK(decide(&s, 0, true, "{\"text\":\"a better offer\"}"));
    EXPECT(str_find(s.result.reply, STR("sending a better offer|a better offer"), 0) >= 0);
    EXPECT_EQ(s.f.calls[0], 2);
    finish(&s);
}

TEST(resume_a_review_that_is_refused_does_what_on_error_says)
{
    struct scene s;

    REQUIRE(open_review(t, &s, ""));
    REQUIRE_OK(decide(&s, 0, false, ""));
    EXPECT(s.failed);
    EXPECT_STR(run_state(&s), "failed");
    EXPECT(str_find(s.result.reason, STR("refused the step ok: too early"), 0) > 0);
    finish(&s);
    REQUIRE(open_review(t, &s, ", on-error: skip"));
    REQUIRE_OK(decide(&s, 0, false, ""));
    EXPECT(str_find(s.result.reply, STR("sending |heard"), 0) > 0);
    finish(&s);
    REQUIRE(open_review(t, &s, ", fallback: [{name: other, agent: c, input: again}]"));
    REQUIRE_OK(decide(&s, 0, false, ""));
    EXPECT(str_find(s.result.reply, STR("sending heard"), 0) > 0);
    finish(&s);
}

TEST(resume_a_review_in_time_or_what_on_timeout_says)
{
    struct scene s;

    REQUIRE(open_review(t, &s, ", hours: 2"));
    expire_now(&s, 2);
    EXPECT_STR(run_state(&s), "failed");
    finish(&s);
    REQUIRE(open_review(t, &s, ", on-timeout: skip"));
    expire_now(&s, 24);
    EXPECT_STR(run_state(&s), "completed");
    EXPECT(str_find(answer_of(&s), STR("sending |heard"), 0) > 0);
    finish(&s);
    REQUIRE(open_review(t, &s, ", on-timeout: go-on"));
    expire_now(&s, 24);
    EXPECT_STR(run_state(&s), "completed");
    EXPECT(str_find(answer_of(&s), STR("sending heard"), 0) > 0);
    finish(&s);
}

TEST(resume_a_tool_that_nobody_agreed_to_in_time_is_never_called)
{
    static const char *const steps[] = {
        "{name: x, tool: book, arguments: {what: lunch}, on-timeout: skip}",
        "{name: x, agent: a, on-timeout: skip}",
        "{name: x, agent: a, on-timeout: go-on}",
    };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct scene s;

        REQUIRE(open_scene(t, &s,
            str_printf(t->arena,
                "workflows: {l: {steps: [%s, {name: y, agent: c, input: over}]}}\n", steps[i])
                .ptr));
        REQUIRE_OK(ask(&s, "l"));
        expire_now(&s, 24);
        EXPECT_EQ(s.f.book_calls, 0);
        EXPECT_STR(run_state(&s), "completed");
        EXPECT(str_starts(answer_of(&s), STR("Not done: book: what lunch")));
        EXPECT(str_ends(answer_of(&s), STR("heard over")) ||
               str_find(answer_of(&s), STR("over"), 0) > 0);
        finish(&s);
    }
}

/* The whole of a paused run is in its row: what is not stored is not missed. */
TEST(resume_keeps_what_steps_and_budgets_came_to)
{
    struct scene s;

    REQUIRE(open_scene(t, &s,
        "workflows: {l: {answer: '{{w}}/{{y}}', steps: [{name: w, agent: c, input: one}, {name: b, "
        "on-error: skip, tool: hang}, {name: x, agent: a}, {name: y, agent: c, input: two}]}}\n"));
    REQUIRE_OK(ask(&s, "l"));
    EXPECT_EQ(s.f.calls[0], 2);
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_EQ(s.f.calls[0], 4);
    EXPECT_EQ(s.result.model_calls, 4);
    EXPECT(str_find(s.result.reply, STR("one"), 0) > 0);
    EXPECT(str_find(s.result.reply, STR("two"), 0) > 0);
    EXPECT_EQ(events(&s, "step.started"), 4);
    EXPECT_EQ(events(&s, "step.completed"), 4);
    finish(&s);
}
