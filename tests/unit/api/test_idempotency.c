#include "house.h"
#include "secure/keys.h"

#define ASK "{\"chat_context\":\"Ana: hi\\nBen: Theo, well?\"}"
#define KEY "Idempotency-Key: \"k-1\""

TEST(a_repeat_gets_the_first_answer)
{
    BEGIN(NULL);
    struct asked first = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    struct asked second = ask(&h, HTTP_POST, "/api/chat", ASK, "Idempotency-Key: k-1");

    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(second.status, 200);
    EXPECT(str_eq(first.body, second.body));
    EXPECT(!http_header(&first.headers, "idempotency-replayed").ptr);
    EXPECT_STR(http_header(&second.headers, "idempotency-replayed"), "true");
    EXPECT_EQ(script.calls, 1);
    second = ask(&h, HTTP_POST, "/api/chat", ASK, "Idempotency-Key: k-2");
    EXPECT(!str_eq(first.body, second.body));
    END;
}

TEST(a_repeat_may_ask_for_the_stream)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat",
        "{\"chat_context\":\"Ana: hi\\nBen: Theo, well?\",\"stream\":true}", KEY);
    struct asked again = ask(&h, HTTP_POST, "/api/chat",
        "{\"chat_context\":\"Ana: hi\\nBen: Theo, well?\",\"stream\":true}", KEY);

    EXPECT_EQ(asked.status, 200);
    EXPECT(str_starts(again.body, STR("event: run.completed\n")));
    EXPECT_EQ(script.calls, 1);
    END;
}

TEST(another_body_under_the_same_key_is_refused)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);

    EXPECT_EQ(asked.status, 200);
    asked = ask(&h, HTTP_POST, "/api/chat", "{\"chat_context\":\"Ana: other\"}", KEY);
    expect_problem(t, &asked, 422);
    EXPECT_STR(json_get_str(asked.json, "type"), "/problems/key_reused");
    END;
}

TEST(keys_belong_to_their_caller_and_route)
{
    BEGIN(NULL);
    const char *other = house_key(&h, "chat");
    struct asked mine = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    struct asked theirs = ask_as(&h, other, HTTP_POST, "/api/chat", ASK, KEY);

    EXPECT_EQ(theirs.status, 200);
    EXPECT(!str_eq(mine.body, theirs.body));
    EXPECT_EQ(ask(&h, HTTP_POST, "/api/schedule/availability", "{}", KEY).status, 200);
    END;
}

struct late {
    struct house *house;
    struct asked asked;
};

static void ask_late(void *arg)
{
    struct late *late = arg;

    late->asked = ask(late->house, HTTP_POST, "/api/chat", ASK, KEY);
}

static bool may_answer;

static int answers_when_it_may(
    const struct model_request *request, struct arena *arena, struct model_reply *ret_reply)
{
    (void)request, (void)arena;
    while (!may_answer)
        if (fiber_sleep(1) < 0)
            return ERR_CANCELLED;
    *ret_reply =
        (struct model_reply){.content = STR("Done."), .model = STR("scripted"), .attempts = 1};
    return 0;
}

TEST(while_the_first_is_running_a_repeat_waits)
{
    BEGIN(NULL);
    struct late late = {.house = &h};
    struct fiber *fiber;
    struct asked asked;

    may_answer = false;
    script.answer = answers_when_it_may;
    fiber = fiber_spawn_joinable(fiber_loop(), "late", ask_late, &late);
    while (__atomic_load_n(&h.api.runs_in_flight, __ATOMIC_RELAXED) == 0)
        REQUIRE_OK(fiber_sleep(1));
    asked = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    expect_problem(t, &asked, 409);
    may_answer = true;
    EXPECT_OK(fiber_join(fiber));
    EXPECT_EQ(late.asked.status, 200);
    END;
}

TEST(a_refused_request_leaves_the_key_free)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat", "{}", KEY);

    expect_problem(t, &asked, 422);
    EXPECT_EQ(ask(&h, HTTP_POST, "/api/chat", ASK, KEY).status, 200);
    END;
}

TEST(a_failed_run_is_tried_again_without_repeating_its_effects)
{
    BEGIN(NULL);
    struct asked asked, list;
    const char *body = "{\"chat_context\":\"Ana: hi\\nBen: Theo, book it\"}";

    script.tool = "schedule";
    script.arguments =
        "{\"action\":\"book\",\"summary\":\"Call\",\"when\":\"2 March 2038 at 15:00\"}";
    script.fail_after_tool = true;
    asked = ask(&h, HTTP_POST, "/api/chat", body, KEY);
    expect_problem(t, &asked, 503);
    script.fail_after_tool = false;
    asked = ask(&h, HTTP_POST, "/api/chat", body, KEY);
    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(json_get_str(json_at(json_get(asked.json, "actions"), 0), "status"), "reused");
    list = ask(&h, HTTP_GET, "/api/schedule", NULL, NULL);
    EXPECT_EQ(json_len(json_get(list.json, "events")), 1);
    END;
}

/* What a process that was killed leaves behind. */
static struct idempotency_row left_behind(struct house *h, const char *owner, int64_t created_at)
{
    struct test *t = h->t;
    struct idempotency_row row = {.workspace_id = STR("default"),
        .state = STR("running"),
        .content_type = STR(""),
        .body = STR(""),
        .run_id = STR(""),
        .owner = str_from(owner),
        .created_at = created_at,
        .expires_at = created_at + DAY_MS};
    struct store_batch batch;
    char hash[65];

    hash_hex(STR(ASK), hash);
    row.request_hash = str_dup(t->arena, str_from(hash));
    hash_hex(str_printf(t->arena, "%.8s\nPOST /api/chat\nk-1", h->key + 5), hash);
    row.id = str_dup(t->arena, str_from(hash));
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_IDEMPOTENCY, &row);
    EXPECT_OK(store_commit(h->store, &batch));
    return row;
}

TEST(work_of_a_process_that_died_is_taken_over)
{
    BEGIN(NULL);
    left_behind(&h, "00000000000000000000000000", env_wall_ms(env_system()));
    EXPECT_EQ(ask(&h, HTTP_POST, "/api/chat", ASK, KEY).status, 200);
    EXPECT_EQ(script.calls, 1);
    END;
}

TEST(work_of_another_living_process_is_not)
{
    BEGIN(NULL);
    struct asked asked;

    h.api.sole_at_start = false;
    left_behind(&h, "00000000000000000000000000", env_wall_ms(env_system()));
    asked = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    expect_problem(t, &asked, 409);
    END;
}

TEST(even_there_it_is_given_up_after_the_longest_run)
{
    BEGIN(NULL);
    h.api.sole_at_start = false;
    left_behind(&h, "00000000000000000000000000", env_wall_ms(env_system()) - HOUR_MS);
    EXPECT_EQ(ask(&h, HTTP_POST, "/api/chat", ASK, KEY).status, 200);
    END;
}

TEST(what_this_process_does_not_end_is_left_alone)
{
    BEGIN(NULL);
    struct asked asked;

    left_behind(&h, h.api.process_id, env_wall_ms(env_system()));
    asked = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    expect_problem(t, &asked, 409);
    END;
}

/* The store was away when this process wanted to say how it ended. */
TEST(what_this_process_could_not_end_is_given_up_too)
{
    BEGIN(NULL);
    left_behind(&h, h.api.process_id, env_wall_ms(env_system()) - HOUR_MS);
    EXPECT_EQ(ask(&h, HTTP_POST, "/api/chat", ASK, KEY).status, 200);
    END;
}

TEST(wrong_keys)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat", ASK, "Idempotency-Key: \"\"");

    EXPECT_STR(expect_problem(t, &asked, 422), "Idempotency-Key");
    END;
}

TEST(old_records_are_purged)
{
    BEGIN(NULL);
    size_t count = 99;

    left_behind(&h, "00000000000000000000000000", env_wall_ms(env_system()) - 2 * DAY_MS);
    EXPECT_OK(api_purge(&h.api, STR("default"), &count));
    EXPECT_EQ(count, 1);
    EXPECT_OK(api_purge(&h.api, STR("default"), &count));
    EXPECT_EQ(count, 0);
    END;
}

TEST(a_deleted_run_is_not_replayed)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    struct str session = json_get_str(asked.json, "session_id");

    EXPECT_EQ(ask(&h, HTTP_DELETE, str_printf(t->arena, "/api/sessions/%.*s", STR_ARG(session)).ptr,
                  NULL, NULL)
                  .status,
        204);
    asked = ask(&h, HTTP_POST, "/api/chat", ASK, KEY);
    expect_problem(t, &asked, 410);
    END;
}
