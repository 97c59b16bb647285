#include "agent/definition.h"
#include "fixture.h"

static bool declare(struct fixture *f, const char *yaml, struct agent_set **ret_set)
{
    config_deinit(&f->config);
    if (config_load_text(&f->config, str_from(yaml), "theo.yaml") < 0 ||
        agent_set_read(&f->config, f->house.tools, f->house.tool_count, ret_set) < 0)
        return false;
    f->config.memory_every_messages = 0;
    f->house.agents = *ret_set;
    return true;
}

static bool is_member(const struct model_request *request)
{
    return task_of(request).ptr != NULL;
}

static int leader_asks_once(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f;
    if (is_member(request))
        return model_fails(error, MODEL_BAD_REQUEST);
    if (call == 0)
        return reply_calls(arena, reply, "ask_a", "{\"task\":\"look\"}", 1);
    return reply_text(reply, str_cstr(arena, last_content(request)));
}

TEST(team_leader_is_told_that_a_member_failed)
{
    struct agent_set *set;
    struct run_result result;
    struct fixture f;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, leader_asks_once, NULL));
    REQUIRE(declare(&f, "agents: {a: {}}\nteams: {t: {members: [a]}}\n", &set));
    request = fixture_request(&f, "Ana: Theo, look");
    request.agent = STR("t");
    EXPECT_OK(fixture_run(&f, &request, &result));
    EXPECT(str_find(result.reply, STR("\"error\""), 0) >= 0);
    EXPECT_EQ(fixture_count_events(fixture_events(&f, result.run_id), "member.completed"), 1);
    agent_set_free(set);
    fixture_close(&f);
}

static int asks_for_ever(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)error;
    if (is_member(request))
        return reply_text(reply, "again");
    return reply_calls(arena, reply, "ask_a", "{\"task\":\"look\"}", 1);
}

TEST(team_shares_one_budget_with_its_members)
{
    struct agent_set *set;
    struct run_result result;
    struct fixture f;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, asks_for_ever, NULL));
    REQUIRE(declare(
        &f, "agents: {a: {}}\nteams: {t: {members: [a]}}\nrun: {max-model-calls: 7}\n", &set));
    request = fixture_request(&f, "Ana: Theo, look");
    request.agent = STR("t");
    EXPECT_EQ(fixture_run(&f, &request, &result), ERR_BUDGET);
    EXPECT_EQ(result.model_calls, 7);
    EXPECT_EQ(f.calls[0], 7);
    agent_set_free(set);
    fixture_close(&f);
}

static int member_loops(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)error;
    if (is_member(request))
        return reply_calls(arena, reply, "slow", "{}", 1); /* 15 tokens */
    if (call == 0)
        return reply_calls(arena, reply, "ask_a", "{\"task\":\"look\"}", 1);
    return reply_text(reply, str_cstr(arena, last_content(request)));
}

TEST(a_member_has_budgets_of_its_own)
{
    static const struct {
        const char *yaml, *says;
        int calls;
    } cases[] = {{"agents: {a: {max-tokens: 40}}\nteams: {t: {members: [a]}}\n",
                     "its 40 tokens (max-tokens)", 3},
        {"agents: {a: {max-model-calls: 2}}\nteams: {t: {members: [a]}}\n",
            "its 2 model-calls (max-model-calls)", 2}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct agent_set *set;
        struct run_result result;
        struct fixture f;
        struct run_request request;

        REQUIRE(fixture_open(t, &f, member_loops, NULL));
        REQUIRE(declare(&f, cases[i].yaml, &set));
        f.slow_most = 3;
        request = fixture_request(&f, "Ana: Theo, look");
        request.agent = STR("t");
        EXPECT_OK(fixture_run(&f, &request, &result));
        EXPECT(str_find(result.reply, str_from(cases[i].says), 0) >= 0);
        EXPECT_EQ(f.calls[0], cases[i].calls + 2);
        EXPECT_EQ(fixture_count_events(fixture_events(&f, result.run_id), "budget.exceeded"), 1);
        agent_set_free(set);
        fixture_close(&f);
    }
}

static int member_books(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)error;
    if (request->messages[request->message_count - 1].role == MODEL_TOOL)
        return is_member(request) ? reply_text(reply, "booked") : reply_text(reply, "done");
    if (is_member(request))
        return reply_calls(arena, reply, "book", "{\"what\":\"lunch\"}", 1);
    return reply_calls(arena, reply, "ask_a", "{\"task\":\"book\"}", 3);
}

TEST(team_members_at_the_same_time_have_one_effect_of_one_kind)
{
    struct agent_set *set;
    struct run_result result;
    struct fixture f;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, member_books, NULL));
    REQUIRE(declare(&f, "agents: {a: {tools: [book]}}\nteams: {t: {members: [a]}}\n", &set));
    request = fixture_request(&f, "Ana: Theo, book");
    request.agent = STR("t");
    request.idempotency_key = STR("once");
    EXPECT_OK(fixture_run(&f, &request, &result));
    EXPECT_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(f.booked, 1);
    agent_set_free(set);
    fixture_close(&f);
}

static int is_limited(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)reply;
    return model_fails(error, MODEL_RATE_LIMITED);
}

static int is_bad(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)reply;
    return model_fails(error, MODEL_BAD_REQUEST);
}

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    return reply_text(reply, "from the spare");
}

static int run_alone(struct test *t, script *first, const char *yaml, struct run_result *result)
{
    struct agent_set *set;
    struct fixture f;
    struct run_request request;
    int rc;

    if (!fixture_open(t, &f, first, answers) || !declare(&f, yaml, &set))
        return ERR_IO;
    f.house.configured_count = 1; /* the spare is the agent's own */
    request = fixture_request(&f, "Ana: Theo, are you there?");
    request.agent = STR("a");
    rc = fixture_run(&f, &request, result);
    agent_set_free(set);
    fixture_close(&f);
    return rc;
}

TEST(agent_falls_back_by_the_kind_of_failure)
{
    struct run_result result;

    EXPECT_OK(run_alone(t, is_limited, "agents: {a: {on-rate-limit: [spare]}}\n", &result));
    EXPECT_STR(result.reply, "from the spare");
    EXPECT(run_alone(t, is_limited, "agents: {a: {on-context-overflow: [spare]}}\n", &result) < 0);
    EXPECT_OK(run_alone(t, is_limited, "agents: {a: {fallbacks: [spare]}}\n", &result));
}

TEST(agent_never_hides_a_mistake_of_ours_behind_a_fallback)
{
    struct run_result result;

    EXPECT(run_alone(t, is_bad,
               "agents: {a: {fallbacks: [spare], on-rate-limit: [spare], on-context-overflow: "
               "[spare]}}\n",
               &result) < 0);
    EXPECT_EQ(result.model_calls, 1);
}
