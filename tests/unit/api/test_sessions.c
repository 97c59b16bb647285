#include "house.h"

static const char *path_of(struct house *h, const struct asked *chat, const char *suffix)
{
    return str_printf(h->t->arena, "/api/sessions/%.*s%s",
        STR_ARG(json_get_str(chat->json, "session_id")), suffix)
        .ptr;
}

TEST(a_session_is_listed_and_read)
{
    BEGIN(NULL);
    struct asked chat = post(&h, "/api/chat", "{\"chat_context\":\"Ana: one\\nBen: Theo, two?\"}");
    struct asked asked = ask(&h, HTTP_GET, path_of(&h, &chat, "/messages"), NULL, NULL);
    const struct json *messages = json_get(asked.json, "messages");

    EXPECT_EQ(asked.status, 200);
    REQUIRE(json_len(messages) == 3);
    EXPECT_STR(json_get_str(json_at(messages, 0), "party"), "Ana");
    EXPECT_STR(json_get_str(json_at(messages, 1), "message"), "Theo, two?");
    EXPECT_STR(json_get_str(json_at(messages, 2), "direction"), "out");
    EXPECT_STR(json_get_str(json_at(messages, 2), "message"), "Done.");
    asked = ask(&h, HTTP_GET, path_of(&h, &chat, "/messages?limit=2"), NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "messages")), 2);
    asked = ask(&h, HTTP_GET,
        path_of(&h, &chat,
            str_printf(t->arena, "/messages?limit=2&cursor=%.*s",
                STR_ARG(json_get_str(asked.json, "next_cursor")))
                .ptr),
        NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "messages")), 1);
    asked = ask(&h, HTTP_GET, "/api/sessions", NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "sessions")), 1);
    asked = ask(&h, HTTP_GET, path_of(&h, &chat, ""), NULL, NULL);
    EXPECT_EQ(json_get_i64(asked.json, "message_count", 0), 3);
    END;
}

static size_t left(struct house *h, enum store_entity entity, int index, struct str value)
{
    struct test *t = h->t;
    struct store_query query = {.entity = entity,
        .workspace_id = STR("default"),
        .index = index,
        .value = value,
        .limit = 1000,
        .cursor = STR("")};
    struct store_page page = {0};

    EXPECT_OK(store_list(h->store, &query, t->arena, &page));
    return page.count;
}

TEST(deleting_leaves_nothing_behind)
{
    BEGIN(NULL);
    struct asked chat, asked;
    struct str session, run;

    script.tool = "schedule";
    script.arguments =
        "{\"action\":\"book\",\"summary\":\"Call\",\"when\":\"2 March 2038 at 15:00\"}";
    chat = post(&h, "/api/chat", "{\"chat_context\":\"Ana: one\\nBen: Theo, book it\"}");
    session = json_get_str(chat.json, "session_id");
    run = json_get_str(chat.json, "run_id");
    EXPECT_EQ(left(&h, STORE_MESSAGES, STORE_CHILDREN, session), 2);
    EXPECT_EQ(left(&h, STORE_RUNS, 0, session), 1);
    EXPECT(left(&h, STORE_AGENT_ACTIONS, STORE_CHILDREN, run) > 0);
    EXPECT(left(&h, STORE_EFFECTS, 0, run) > 0);

    EXPECT_EQ(ask(&h, HTTP_DELETE, path_of(&h, &chat, ""), NULL, NULL).status, 204);
    asked = ask(&h, HTTP_GET, path_of(&h, &chat, ""), NULL, NULL);
    expect_problem(t, &asked, 404);
    asked = ask(&h, HTTP_GET, path_of(&h, &chat, "/messages"), NULL, NULL);
    expect_problem(t, &asked, 404);
    EXPECT_EQ(left(&h, STORE_MESSAGES, STORE_CHILDREN, session), 0);
    EXPECT_EQ(left(&h, STORE_RUNS, 0, session), 0);
    EXPECT_EQ(left(&h, STORE_AGENT_ACTIONS, STORE_CHILDREN, run), 0);
    EXPECT_EQ(left(&h, STORE_EFFECTS, 0, run), 0);
    asked = ask(&h, HTTP_DELETE, path_of(&h, &chat, ""), NULL, NULL);
    expect_problem(t, &asked, 404);
    END;
}

TEST(only_admins_delete)
{
    BEGIN(NULL);
    struct asked chat = post(&h, "/api/chat", "{\"chat_context\":\"Ana: one\"}");
    struct asked asked =
        ask_as(&h, house_key(&h, "chat read"), HTTP_DELETE, path_of(&h, &chat, ""), NULL, NULL);

    expect_problem(t, &asked, 403);
    END;
}
