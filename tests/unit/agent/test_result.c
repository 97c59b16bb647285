#include "agent/run.h"
#include "test.h"

static struct str text_of(struct test *t, const struct run_result *result)
{
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    run_result_write(&w, result);
    return buf_str(&out);
}

TEST(run_result_write_of_an_answer)
{
    struct tool_citation citation = {STR("http://a"), STR("A"), STR("q")};
    struct run_action action = {STR("schedule"), STR("done"), STR("Booked")};
    struct str event = STR("{\"id\":\"E\"}");
    struct run_result result = {
        .session_id = STR("S"),
        .run_id = STR("R"),
        .spoke = true,
        .reply = STR("Hi \"you\""),
        .reason = STR(""),
        .agent = STR("Theo"),
        .model = STR("builtin"),
        .citations = &citation,
        .citation_count = 1,
        .actions = &action,
        .action_count = 1,
        .events = &event,
        .event_count = 1,
        .usage = {3, 4, 0},
        .model_calls = 1,
        .tool_calls = 2,
        .latency_ms = 5,
    };

    EXPECT_STR(text_of(t, &result),
        "{\"session_id\":\"S\",\"run_id\":\"R\",\"reply\":\"Hi \\\"you\\\"\",\"spoke\":true,"
        "\"agent\":\"Theo\",\"model\":\"builtin\","
        "\"citations\":[{\"url\":\"http://a\",\"title\":\"A\",\"quote\":\"q\"}],"
        "\"actions\":[{\"tool\":\"schedule\",\"status\":\"done\",\"summary\":\"Booked\"}],"
        "\"approvals\":[],\"events\":[{\"id\":\"E\"}],"
        "\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"model_calls\":1,\"tool_calls\":2},"
        "\"latency_ms\":5}");
}

TEST(run_result_write_of_silence)
{
    struct run_result result = {.reason = STR("not addressed"), .agent = STR("Theo")};

    EXPECT_STR(text_of(t, &result),
        "{\"session_id\":\"\",\"run_id\":\"\",\"reply\":null,\"spoke\":false,"
        "\"reason\":\"not addressed\",\"agent\":\"Theo\",\"model\":\"\",\"citations\":[],"
        "\"actions\":[],\"approvals\":[],\"events\":[],"
        "\"usage\":{\"input_tokens\":0,\"output_tokens\":0,\"model_calls\":0,\"tool_calls\":0},"
        "\"latency_ms\":0}");
}
