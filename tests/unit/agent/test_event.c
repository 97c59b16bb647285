#include "agent/event.h"
#include "base/json.h"
#include "store/store.h"
#include "test.h"

static struct buf heard;

static int listen(const struct run_event *event, void *ctx)
{
    (void)ctx;
    buf_printf(&heard, "%lld %s %.*s\n", (long long)event->seq, event->type, STR_ARG(event->data));
    return 0;
}

TEST(event_log_row_holds_what_is_pending)
{
    struct agent_action_row row;
    const struct json *root;
    struct event_log log;

    event_log_init(&log, &t->fake->env, t->arena, NULL, NULL);
    EXPECT(!event_log_row(&log, STR("w"), STR("r"), &row));
    REQUIRE_OK(event_record(&log, "run.started", STR("{\"a\":1}")));
    REQUIRE_OK(event_record(&log, "speak.decided", STR("{}")));
    REQUIRE(event_log_row(&log, STR("w"), STR("r"), &row));
    EXPECT_EQ(row.seq, 1);
    EXPECT_STR(row.events,
        "[{\"seq\":1,\"type\":\"run.started\",\"at\":\"2026-03-02T09:00:00.000Z\",\"data\":{\"a\":"
        "1}},"
        "{\"seq\":2,\"type\":\"speak.decided\",\"at\":\"2026-03-02T09:00:00.000Z\",\"data\":{}}]");
    /* A failed commit loses nothing. */
    REQUIRE_OK(event_record(&log, "model.started", STR("{}")));
    REQUIRE(event_log_row(&log, STR("w"), STR("r"), &row));
    REQUIRE_OK(json_parse(t->arena, row.events, &root));
    EXPECT_EQ(json_len(root), 3);
    event_log_stored(&log);
    EXPECT(!event_log_row(&log, STR("w"), STR("r"), &row));
    REQUIRE_OK(event_record(&log, "run.completed", STR("{}")));
    REQUIRE(event_log_row(&log, STR("w"), STR("r"), &row));
    EXPECT_EQ(row.seq, 4);
}

TEST(event_log_amends_its_first_event_and_takes_the_last_back)
{
    struct agent_action_row row;
    const struct json *root;
    struct event_mark mark;
    struct event_log log;

    event_log_init(&log, &t->fake->env, t->arena, NULL, NULL);
    event_log_amend(&log, STR("{\"a\":0}")); /* there is none */
    EXPECT(!event_log_row(&log, STR("w"), STR("r"), &row));
    REQUIRE_OK(event_record(&log, "run.started", STR("{\"a\":1}")));
    REQUIRE_OK(event_record(&log, "speak.decided", STR("{\"b\":1}")));
    mark = event_log_mark(&log);
    REQUIRE_OK(event_record(&log, "run.completed", STR("{\"c\":1}")));
    event_log_back(&log, mark);
    event_log_amend(&log, STR("{\"a\":\"another one\"}"));
    REQUIRE_OK(event_record(&log, "run.completed", STR("{\"c\":2}")));
    REQUIRE(event_log_row(&log, STR("w"), STR("r"), &row));
    REQUIRE_OK(json_parse(t->arena, row.events, &root));
    EXPECT_EQ(json_len(root), 3);
    EXPECT_EQ(row.seq, 1);
    EXPECT_STR(json_get_str(json_get(json_first(root), "data"), "a"), "another one");
    EXPECT_STR(json_get_str(json_first(root), "type"), "run.started");
    EXPECT(str_find(row.events, STR("\"seq\":3,\"type\":\"run.completed\""), 0) > 0);
    EXPECT(str_find(row.events, STR("{\"b\":1}"), 0) > 0);
    EXPECT(str_find(row.events, STR("{\"c\":1}"), 0) < 0);
}

TEST(event_log_holds_back_until_stored)
{
    struct event_log log;

    heard = BUF_IN(t->arena);
    event_log_init(&log, &t->fake->env, t->arena, listen, NULL);
    event_log_hold(&log);
    REQUIRE_OK(event_record(&log, "a", STR("{}")));
    event_log_restart(&log);
    for (int i = 0; i < 20; i++)
        REQUIRE_OK(event_record(&log, "b", STR("{}")));
    EXPECT_STR(buf_str(&heard), "");
    REQUIRE_OK(event_log_release(&log));
    EXPECT(str_starts(buf_str(&heard), STR("1 b {}\n2 b {}\n")));
    buf_clear(&heard);
    REQUIRE_OK(event_record(&log, "c", STR("{}")));
    REQUIRE_OK(event_stream(&log, "model.delta", STR("{}")));
    REQUIRE_OK(event_record_as(&log, "d", STR("{\"shown\":1}"), STR("null")));
    EXPECT_STR(buf_str(&heard), "21 c {}\n0 model.delta {}\n22 d {\"shown\":1}\n");
}
