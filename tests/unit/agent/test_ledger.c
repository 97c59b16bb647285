#include "agent/ledger.h"
#include "fixture.h"
#include "runtime/errinj.h"

static int books(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)error;
    if (request->messages[request->message_count - 1].role == MODEL_TOOL)
        return reply_text(reply, "Done.");
    return reply_calls(arena, reply, "book", "{\"what\":\"lunch\"}", 1);
}

static int fails_after_tool(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    if (request->messages[request->message_count - 1].role == MODEL_TOOL)
        return model_fails(error, MODEL_UNAVAILABLE);
    return books(f, call, request, arena, reply, error);
}

/* Does not look at what was done before. */
static int books_first(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    if (call == 0)
        return reply_calls(arena, reply, "book", "{ \"what\": \"lunch\" }", 1);
    return books(f, call, request, arena, reply, error);
}

static struct run_request keyed(struct fixture *f, const char *key)
{
    struct run_request request = fixture_request(f, "Ana: Theo, book lunch");

    request.idempotency_key = str_from(key);
    return request;
}

TEST(ledger_survives_a_model_that_fails_after_the_tool)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, fails_after_tool, books_first));
    request = fixture_request(&f, "Ana: Theo, book lunch");
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(f.booked, 1);
    EXPECT_STR(result.model, "spare");
    EXPECT_EQ(result.action_count, 2);
    EXPECT_STR(result.actions[0].status, "done");
    EXPECT_STR(result.actions[1].status, "reused");
    fixture_close(&f);
}

TEST(ledger_reuses_for_the_same_request_only)
{
    struct fixture f;
    struct run_result first, again, other;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, books, NULL));
    request = keyed(&f, "k1");
    REQUIRE_OK(fixture_run(&f, &request, &first));
    REQUIRE_OK(fixture_run(&f, &request, &again));
    EXPECT_EQ(f.booked, 1);
    EXPECT_STR(again.actions[0].status, "reused");
    EXPECT_STR(again.actions[0].summary, "Booked it");
    EXPECT_EQ(again.event_count, 1);
    EXPECT(str_eq(first.session_id, again.session_id));
    EXPECT_STR(fixture_messages(&f, first.session_id),
        "Ana: Theo, book lunch\nTheo: Done.\nTheo: Done.\n");
    request = keyed(&f, "k2");
    REQUIRE_OK(fixture_run(&f, &request, &other));
    EXPECT_EQ(f.booked, 2);
    EXPECT(!str_eq(first.session_id, other.session_id));
    fixture_close(&f);
}

/* Whatever commit fails, before or after it was written, a repeated request ends with one effect.
 */
TEST(ledger_makes_one_effect_at_every_crash_point)
{
    static const char *const faults[] = {"store.commit.before", "store.commit.after"};

    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        for (int at = 1; at <= 6; at++) {
            struct fixture f;
            struct run_result result;
            struct run_request request;
            char spec[64];
            int rc = -1, tries = 0;

            REQUIRE(fixture_open(t, &f, books, NULL));
            request = keyed(&f, "k1");
            snprintf(spec, sizeof(spec), "%s=%d", faults[i], at);
            REQUIRE_OK(errinj_set(spec));
            for (; tries < 3 && rc < 0; tries++)
                rc = fixture_run(&f, &request, &result);
            EXPECT_OK(rc);
            /* Of a commit that was done, and whose answer was lost, the run itself gets over. */
            EXPECT(i == 0 || tries == 1);
            EXPECT_EQ(f.booked, 1);
            EXPECT(result.spoke);
            EXPECT(str_starts(fixture_messages(&f, result.session_id),
                STR("Ana: Theo, book lunch\nTheo: Done.\n")));
            fixture_close(&f);
        }
}

/* The process dies between the effect and its record: the store goes away for good in this run. */
TEST(ledger_runs_an_interrupted_effect_again_with_its_key)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, books, NULL));
    request = keyed(&f, "k1");
    f.tool_fault = "store.commit.before";
    EXPECT(fixture_run(&f, &request, &result) < 0);
    EXPECT_EQ(f.booked, 1);
    REQUIRE_OK(errinj_set(NULL));
    f.tool_fault = NULL;
    REQUIRE_OK(fixture_run(&f, &request, &result));
    EXPECT_EQ(f.booked, 1);
    EXPECT_STR(result.actions[0].status, "done");
    fixture_close(&f);
}

static int wires(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)error;
    if (request->messages[request->message_count - 1].role == MODEL_TOOL)
        return reply_text(reply, str_cstr(arena, last_content(request)));
    return reply_calls(arena, reply, "wire", "{}", 1);
}

/* The same with a tool that has no use for a key: nobody knows whether it happened. */
TEST(ledger_does_not_repeat_an_interrupted_effect_without_a_key)
{
    struct fixture f;
    struct run_result result;
    struct run_request request;

    REQUIRE(fixture_open(t, &f, wires, NULL));
    request = keyed(&f, "k1");
    f.tool_fault = "store.commit.before";
    EXPECT(fixture_run(&f, &request, &result) < 0);
    EXPECT_EQ(f.wired, 1);
    REQUIRE_OK(errinj_set(NULL));
    f.tool_fault = NULL;
    for (int i = 0; i < 2; i++) {
        REQUIRE_OK(fixture_run(&f, &request, &result));
        EXPECT_EQ(f.wired, 1);
        EXPECT_STR(result.actions[0].status, "failed");
        EXPECT(str_find(result.reply, STR("it must be checked"), 0) > 0);
    }
    fixture_close(&f);
}

TEST(ledger_does_not_repeat_an_unknown_outcome_without_a_key)
{
    static const int outcomes[] = {ERR_TIMEOUT, ERR_IO};

    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        struct fixture f;
        struct run_result result;
        struct run_request request;

        REQUIRE(fixture_open(t, &f, wires, NULL));
        f.wire_rc = outcomes[i];
        request = keyed(&f, "k1");
        for (int k = 0; k < 2; k++) { /* nor when it is asked for again */
            REQUIRE_OK(fixture_run(&f, &request, &result));
            EXPECT_EQ(f.wired, 1);
            EXPECT_STR(result.actions[0].status, "failed");
        }
        fixture_close(&f);
    }
}

TEST(ledger_keys_by_seed_tool_and_arguments)
{
    static const char *const texts[] = {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "{\"a\":1}"};
    struct ledger_entry entries[3];
    struct fixture f;

    REQUIRE(fixture_open(t, &f, books, NULL));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct ledger_intent intent = {.keyed = true,
            .workspace_id = STR("main"),
            .run_id = STR("r"),
            .seed = STR("s"),
            .tool = "x"};
        struct tool_result result;
        bool stored;

        REQUIRE_OK(json_parse(t->arena, str_from(texts[i]), &intent.args));
        REQUIRE_OK(
            ledger_begin(f.store, &t->fake->env, &intent, t->arena, &entries[i], &result, &stored));
        EXPECT(!stored);
    }
    EXPECT(str_eq(entries[0].row.id, entries[1].row.id));
    EXPECT(!str_eq(entries[0].row.id, entries[2].row.id));
    fixture_close(&f);
}

TEST(ledger_keeps_the_outcome)
{
    static const struct {
        int outcome;
        const char *state;
    } cases[] = {{0, "done"}, {ERR_INVALID, "failed"}, {ERR_TIMEOUT, "unknown"}};
    struct fixture f;

    REQUIRE(fixture_open(t, &f, books, NULL));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tool_result result = {.content = STR("c"), .summary = STR("s"), .event = STR("")};
        struct ledger_intent intent = {
            .keyed = true, .workspace_id = STR("main"), .run_id = STR("r"), .tool = "x"};
        struct ledger_entry entry;
        struct effect_row row;
        bool stored;

        intent.seed = str_from(cases[i].state);
        REQUIRE_OK(json_parse(t->arena, STR("{}"), &intent.args));
        REQUIRE_OK(
            ledger_begin(f.store, &t->fake->env, &intent, t->arena, &entry, &result, &stored));
        REQUIRE_OK(ledger_end(f.store, &t->fake->env, &entry, cases[i].outcome, &result, t->arena));
        REQUIRE_OK(store_get(f.store, STORE_EFFECTS, STR("main"), entry.row.id, t->arena, &row));
        EXPECT_STR(row.state, cases[i].state);
    }
    fixture_close(&f);
}
