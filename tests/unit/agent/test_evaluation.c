#include "agent/definition.h"
#include "agent/evaluation.h"
#include "fixture.h"

extern const struct evaluator evaluation_grounded, evaluation_language, evaluation_judge;
static const struct evaluator *const all[] = {
    &evaluation_grounded, &evaluation_language, &evaluation_judge, NULL};

static int score(struct test *t, const struct evaluator *evaluator, const char *asked,
    const char *reply, const char *read, struct evaluation_score *ret_score)
{
    struct str texts[] = {str_from(asked), str_from(read)};
    struct evaluation_call call = {.arena = t->arena,
        .asked = texts[0],
        .reply = str_from(reply),
        .read = texts,
        .read_count = ARRAY_LEN(texts)};

    return evaluator->run(&call, ret_score);
}

TEST(evaluation_grounded_counts_figures_that_stand_in_what_was_read)
{
    static const struct {
        const char *reply, *read;
        int percent; /* -1: nothing to score */
    } cases[] = {
        {"It costs 12,500 euro.", "{\"price\":12500}", 100},
        {"It costs 12,600 euro.", "{\"price\":12500}", 0},
        {"120 units at 45 euro", "45 euro each", 50},
        {"In 2026 we sold 12.5 million", "2026: 12.5", 100},
        {"At 3pm, point 4 of 5, 15:00", "", -1},
        {"Nothing known.", "12", -1},
        {"Order 77", "order 1177", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct evaluation_score made = {.score = -1};
        int rc = score(t, &evaluation_grounded, "How much?", cases[i].reply, cases[i].read, &made);

        EXPECT_EQ(rc, cases[i].percent < 0 ? EVALUATION_VOID : 0);
        EXPECT_EQ(rc == 0 ? (int)(made.score * 100) : -1, cases[i].percent);
        EXPECT_EQ(made.passed, cases[i].percent == 100);
    }
}

TEST(evaluation_language_compares_question_and_answer)
{
    static const struct {
        const char *asked, *reply;
        int passed; /* -1: in doubt */
    } cases[] = {
        {"¿Cuándo es la reunión y quién está?", "La reunión es el lunes y están los dos.", 1},
        {"¿Cuándo es la reunión y quién está?", "The meeting is on Monday for the two of you.", 0},
        {"Wann ist der Termin mit der Firma?", "Der Termin ist am Montag und nicht am Dienstag.",
            1},
        {"When is the call with the team?", "Le rendez-vous est pour vous et nous.", 0},
        {"Когда встреча?", "Встреча в понедельник.", 1},
        {"Когда встреча?", "会议在星期一", 0},
        {"会議はいつですか", "月曜日です", 1},
        {"ok", "Done.", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct evaluation_score made = {.passed = false};
        int rc = score(t, &evaluation_language, cases[i].asked, cases[i].reply, "", &made);

        EXPECT_EQ(rc, cases[i].passed < 0 ? EVALUATION_VOID : 0);
        EXPECT_EQ(made.passed, cases[i].passed == 1);
    }
}

static bool declare(struct fixture *f, const char *yaml, struct agent_set **ret_set)
{
    evaluation_register(all);
    config_deinit(&f->config);
    if (config_load_text(&f->config, str_from(yaml), "theo.yaml") < 0 ||
        agent_set_read(&f->config, f->house.tools, f->house.tool_count, ret_set) < 0)
        return false;
    f->config.memory_every_messages = 0;
    f->house.agents = *ret_set;
    return true;
}

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    return reply_text(reply, "It costs 4711 euro.");
}

static int judges(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)call, (void)arena, (void)error;
    f->book_calls += str_find(request->messages[0].content, STR("Says the price."), 0) > 0 &&
                     str_find(last_content(request), STR("4711"), 0) > 0;
    return reply_text(reply, "{\"points\":9,\"reason\":\"It says it.\"}");
}

TEST(evaluations_are_stored_behind_the_run)
{
    struct agent_set *set;
    struct run_result result;
    struct run_request request;
    struct fixture f;
    struct str seen = STR("");
    const struct json *events = NULL;

    REQUIRE(fixture_open(t, &f, answers, judges));
    REQUIRE(declare(&f,
        "agents:\n  a:\n    evaluations:\n      - grounded\n      - language\n"
        "      - judge: {model: spare, criteria: Says the price.}\n",
        &set));
    request = fixture_request(&f, "Ana: Theo, how much is it?");
    request.agent = STR("a");
    EXPECT_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(f.calls[1], 0); /* nothing of it was in the way of the answer */
    for (int i = 0; i < 200 && fixture_count_events(events, "evaluation.completed") == 0; i++) {
        EXPECT_OK(fiber_sleep(1));
        events = fixture_events(&f, result.run_id);
    }
    for (const struct json *one = json_first(events); one; one = json_next(one))
        if (str_is(json_get_str(one, "type"), "evaluation.completed"))
            seen = str_printf(t->arena, "%.*s%lld %.*s\n", STR_ARG(seen),
                (long long)json_get_i64(one, "seq", 0),
                STR_ARG(json_text(t->arena, json_get(one, "data"))));
    EXPECT_STR(seen,
        "6 {\"evaluation\":\"grounded\",\"score\":0,\"passed\":false,\"reason\":\"0 of 1 figures "
        "stand in what was read\"}\n"
        "7 {\"evaluation\":\"judge\",\"score\":0.9,\"passed\":true,\"reason\":\"It says it.\"}\n");
    EXPECT_EQ(f.book_calls, 1);
    f.house.agents = NULL;
    agent_set_free(set);
    fixture_close(&f);
}

TEST(evaluation_mistakes_name_file_line_and_field)
{
    static const char *const cases[][2] = {
        {"agents:\n  a:\n    evaluations: [truth]\n",
            "theo.yaml:3: agents.a.evaluations names truth, and there is no such evaluation; there "
            "are: grounded, language, judge"},
        {"agents:\n  a:\n    evaluations:\n      - judge: {criteria: x}\n",
            "theo.yaml:4: agents.a.evaluations has wrong options of judge: model"},
        {"agents:\n  a:\n    evaluations: grounded\n", "must be a list"},
        {"agents:\n  a:\n    evaluations: [{grounded: {x: 1}}]\n", "gives grounded options"},
    };
    struct fixture f;

    REQUIRE(fixture_open(t, &f, NULL, NULL));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct agent_set *set = NULL;

        EXPECT(!declare(&f, cases[i][0], &set));
        if (!strstr(err_message(), cases[i][1]))
            EXPECT_CSTR(err_message(), cases[i][1]);
        agent_set_free(set);
    }
    fixture_close(&f);
}
