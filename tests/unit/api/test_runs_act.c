#include "agent/taint.h"
#include "house.h"

static void read_session(struct house *h, struct str id, struct chat_session_row *row)
{
    struct test *t = h->t;

    EXPECT_OK(store_get(h->store, STORE_CHAT_SESSIONS, STR("default"), id, t->arena, row));
}

/* The answers have the numbers 2 and 4; which one the session notes as tainted. */
TEST(a_fork_takes_the_note_of_a_tainted_answer_along)
{
    static const struct {
        int64_t tainted;
        bool first; /* the first run is forked, not the second */
        int64_t expected;
    } cases[] = {{4, false, 2}, {2, false, 2}, {4, true, 0}, {2, true, 0}, {0, false, 0}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BEGIN(NULL);
        struct asked one = post(&h, "/api/chat", "{\"chat_context\":\"Ana: Theo, one?\"}"), two,
                     fork;
        struct str session = json_get_str(one.json, "session_id");
        struct chat_session_row row = {.state = STR("")};
        struct store_batch batch;

        two = post(&h, "/api/chat",
            str_printf(t->arena, "{\"session_id\":\"%.*s\",\"chat_context\":\"Ana: Theo, two?\"}",
                STR_ARG(session))
                .ptr);
        read_session(&h, session, &row);
        EXPECT_EQ(row.message_count, 4);
        if (cases[i].tainted > 0)
            row.state = str_printf(t->arena,
                "{\"taint\":{\"seq\":%d,\"sources\":[\"tool:read_page\"]}}", (int)cases[i].tainted);
        store_batch_init(&batch, t->arena);
        store_update(&batch, STORE_CHAT_SESSIONS, &row);
        REQUIRE_OK(store_commit(h.store, &batch));
        fork = post(&h,
            str_printf(t->arena, "/api/runs/%.*s/fork",
                STR_ARG(json_get_str((cases[i].first ? one : two).json, "run_id")))
                .ptr,
            "{}");
        EXPECT_EQ(fork.status, 200);
        read_session(&h, json_get_str(fork.json, "session_id"), &row);
        EXPECT_EQ(taint_last(row.state, t->arena), cases[i].expected);
        if (cases[i].expected > 0)
            EXPECT(str_find(row.state, STR("[\"tool:read_page\"]"), 0) > 0);
        END;
    }
}
