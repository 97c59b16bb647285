#include "house.h"
#include "text/sse.h"

#define ASK "{\"chat_context\":\"Ana: hi\\nBen: Theo, well?\"}"
#define ASK_STREAM "{\"chat_context\":\"Ana: hi\\nBen: Theo, well?\",\"stream\":true}"

TEST(a_chat_is_answered)
{
    BEGIN(NULL);
    struct asked asked = post(&h, "/api/chat", ASK);

    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(json_get_str(asked.json, "reply"), "Done.");
    EXPECT(json_get_bool(asked.json, "spoke", false));
    EXPECT_EQ(json_get_str(asked.json, "session_id").len, ULID_LEN);
    EXPECT_EQ(json_get_i64(json_get(asked.json, "usage"), "model_calls", 0), 1);
    END;
}

TEST(silence_costs_no_model_call)
{
    BEGIN(NULL);
    struct asked asked =
        post(&h, "/api/chat", "{\"chat_context\":\"Ana: morning\\nBen: morning\"}");

    EXPECT_EQ(asked.status, 200);
    EXPECT(!json_get_bool(asked.json, "spoke", true));
    EXPECT(json_type(json_get(asked.json, "reply")) == JSON_NULL);
    EXPECT_EQ(script.calls, 0);
    END;
}

struct seen {
    struct arena *arena;
    struct str events[64], data[64];
    int64_t ids[64];
    size_t count;
};

static int note(const struct sse_event *event, void *ctx)
{
    struct seen *seen = ctx;

    seen->events[seen->count] = str_dup(seen->arena, event->event);
    seen->data[seen->count] = str_dup(seen->arena, event->data);
    seen->ids[seen->count] = -1;
    if (!str_empty(event->id) && !str_to_i64(event->id, &seen->ids[seen->count]))
        return ERR_PROTOCOL;
    seen->count++;
    return 0;
}

static struct seen read_events(struct test *t, struct str body)
{
    struct seen seen = {.arena = t->arena};
    struct sse_parser parser;

    sse_parser_init(&parser, MIB);
    EXPECT_OK(sse_parser_feed(&parser, body, note, &seen));
    sse_parser_deinit(&parser);
    return seen;
}

TEST(a_stream_ends_with_the_whole_answer)
{
    BEGIN(NULL);
    struct asked asked = post(&h, "/api/chat", ASK_STREAM);
    struct seen seen = read_events(t, asked.body);
    const struct json *last;
    int64_t id = 0;

    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(http_header(&asked.headers, "content-type"), "text/event-stream");
    REQUIRE(seen.count >= 4);
    EXPECT_STR(seen.events[0], "run.started");
    EXPECT_STR(seen.events[seen.count - 1], "run.completed");
    for (size_t i = 0; i < seen.count; i++) {
        EXPECT(json_check(seen.data[i]) == 0);
        if (str_is(seen.events[i], "model.delta"))
            continue; /* not stored, so not numbered */
        EXPECT_EQ(seen.ids[i], ++id);
    }
    REQUIRE_OK(json_parse(t->arena, seen.data[seen.count - 1], &last));
    EXPECT_STR(json_get_str(last, "reply"), "Done.");
    asked = ask(&h, HTTP_GET,
        str_printf(t->arena, "/api/runs/%.*s", STR_ARG(json_get_str(last, "run_id"))).ptr, NULL,
        NULL);
    EXPECT_EQ(asked.status, 200);
    EXPECT_EQ(json_len(json_get(asked.json, "events")), id);
    EXPECT_STR(json_get_str(json_get(asked.json, "result"), "reply"), "Done.");
    END;
}

TEST(accept_asks_for_a_stream_too)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat", ASK, "Accept: text/event-stream");

    EXPECT_STR(http_header(&asked.headers, "content-type"), "text/event-stream");
    EXPECT(str_find(asked.body, STR("event: run.completed"), 0) > 0);
    END;
}

TEST(a_refusal_before_the_run_is_no_stream)
{
    BEGIN(NULL);
    struct asked asked = post(&h, "/api/chat",
        "{\"chat_context\":\"Ana: hi\",\"stream\":true,"
        "\"session_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}");

    expect_problem(t, &asked, 404);
    END;
}

TEST(a_run_that_fails_ends_its_stream_with_a_problem)
{
    BEGIN(NULL);
    struct asked asked;
    struct seen seen;
    const struct json *last;

    script.fail = true;
    asked = post(&h, "/api/chat", ASK_STREAM);
    seen = read_events(t, asked.body);
    REQUIRE(seen.count >= 2);
    EXPECT_STR(seen.events[seen.count - 1], "run.failed");
    REQUIRE_OK(json_parse(t->arena, seen.data[seen.count - 1], &last));
    EXPECT_EQ(json_get_i64(last, "status", 0), 503);
    asked = post(&h, "/api/chat", ASK);
    expect_problem(t, &asked, 503);
    EXPECT(http_header(&asked.headers, "retry-after").len > 0);
    END;
}

TEST(runs_at_once_are_limited)
{
    BEGIN("run.max-in-flight: 1\n");
    struct asked asked;

    __atomic_store_n(&h.api.runs_in_flight, 1, __ATOMIC_RELAXED);
    asked = post(&h, "/api/chat", ASK);
    expect_problem(t, &asked, 503);
    EXPECT_STR(http_header(&asked.headers, "retry-after"), "1");
    __atomic_store_n(&h.api.runs_in_flight, 0, __ATOMIC_RELAXED);
    EXPECT_EQ(post(&h, "/api/chat", ASK).status, 200);
    EXPECT_EQ(h.api.runs_in_flight, 0);
    END;
}
