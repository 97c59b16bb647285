#include "house.h"

static struct asked say(struct house *h, struct str session, const char *text)
{
    struct str body = str_empty(session)
                          ? str_printf(h->t->arena, "{\"chat_context\":\"Ana: Theo, %s?\"}", text)
                          : str_printf(h->t->arena,
                                "{\"session_id\":\"%.*s\",\"chat_context\":\"Ana: Theo, %s?\"}",
                                STR_ARG(session), text);

    return post(h, "/api/chat", body.ptr);
}

/* Five chats of four runs, one of them failed, chat after chat. */
static void fill(struct house *h)
{
    struct test *t = h->t;

    for (int i = 0; i < 5; i++) {
        struct str session = STR("");

        for (int j = 0; j < 4; j++) {
            struct asked asked;

            script.fail = i == 2 && j == 3;
            asked = say(h, session, str_printf(t->arena, "question %d", j).ptr);
            EXPECT_EQ(asked.status, script.fail ? 503 : 200);
            session = script.fail ? session : json_get_str(asked.json, "session_id");
        }
    }
}

struct found {
    struct str ids[64];
    size_t count, pages;
};

/* All pages of a question. */
static struct found walk(struct house *h, const char *question, int limit)
{
    struct found found = {.count = 0};
    struct str cursor = STR("");

    do {
        struct asked asked = ask(h, HTTP_GET,
            str_printf(
                h->t->arena, "/api/runs?limit=%d%s&cursor=%.*s", limit, question, STR_ARG(cursor))
                .ptr,
            NULL, NULL);
        const struct json *runs = json_get(asked.json, "runs");

        if (asked.status != 200 || json_len(runs) > (size_t)limit || ++found.pages > 60)
            return (struct found){.count = 0};
        for (const struct json *run = json_first(runs); run; run = json_next(run))
            if (found.count < ARRAY_LEN(found.ids))
                found.ids[found.count++] = json_get_str(run, "id");
        cursor = json_get_str(asked.json, "next_cursor");
    } while (!str_empty(cursor));
    return found;
}

TEST(runs_of_all_chats_are_listed_page_by_page)
{
    BEGIN(NULL);
    struct found all;

    EXPECT_EQ(walk(&h, "", 10).count, 0);
    fill(&h);
    all = walk(&h, "", 1000);
    EXPECT_EQ(all.count, 20);
    EXPECT_EQ(all.pages, 1);
    for (size_t i = 0; i < all.count; i++)
        for (size_t j = 0; j < i; j++)
            EXPECT(!str_eq(all.ids[i], all.ids[j]));
    for (int limit = 1; limit < 23; limit += 3) {
        struct found found = walk(&h, "", limit);

        REQUIRE(found.count == all.count);
        for (size_t i = 0; i < all.count; i++)
            EXPECT_STR(found.ids[i], all.ids[i].ptr);
    }
    END;
}

/* More than the store is asked for at once. */
TEST(a_long_page_has_all_runs_of_a_chat)
{
    BEGIN(NULL);
    struct asked asked = say(&h, STR(""), "first");
    struct str session = json_get_str(asked.json, "session_id");
    const char *path =
        str_printf(t->arena, "/api/runs?limit=1000&session_id=%.*s", STR_ARG(session)).ptr;

    for (int i = 1; i < 230; i++)
        EXPECT_EQ(say(&h, session, str_printf(t->arena, "number %d", i).ptr).status, 200);
    asked = ask(&h, HTTP_GET, path, NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "runs")), 230);
    EXPECT_STR(json_get_str(asked.json, "next_cursor"), "");
    asked = ask(&h, HTTP_GET, "/api/runs?limit=229", NULL, NULL);
    EXPECT_EQ(json_len(json_get(asked.json, "runs")), 229);
    EXPECT(json_get_str(asked.json, "next_cursor").len > 0);
    END;
}

TEST(runs_are_listed_by_state_agent_and_chat)
{
    static const struct {
        const char *question;
        size_t count;
    } cases[] = {{"&state=completed", 19}, {"&state=failed", 1}, {"&state=running", 0},
        {"&state=paused", 0}, {"&state=cancelling", 0}, {"&state=interrupted", 0},
        {"&agent=Theo", 20}, {"&agent=nobody", 0}, {"&state=failed&agent=Theo", 1},
        {"&state=failed&agent=nobody", 0}, {"&session_id=nothing", 0}};
    BEGIN(NULL);
    struct asked chat;

    fill(&h);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int limit = 1; limit < 30; limit += 9)
            EXPECT_EQ(walk(&h, cases[i].question, limit).count, cases[i].count);
    chat = say(&h, STR(""), "once more");
    EXPECT_EQ(walk(&h,
                  str_printf(t->arena, "&state=completed&session_id=%.*s",
                      STR_ARG(json_get_str(chat.json, "session_id")))
                      .ptr,
                  2)
                  .count,
        1);
    END;
}

TEST(runs_list_refuses_what_it_does_not_know)
{
    static const char *const wrong[][2] = {{"state=asleep", "state"}, {"limit=0", "limit"},
        {"cursor=x", "cursor"}, {"cursor=a.b.c", "cursor"}, {"cursor=..", NULL},
        {"state=failed&cursor=x", "cursor"}};
    BEGIN(NULL);

    fill(&h);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct asked asked =
            ask(&h, HTTP_GET, str_printf(t->arena, "/api/runs?%s", wrong[i][0]).ptr, NULL, NULL);

        if (wrong[i][1])
            EXPECT_STR(expect_problem(t, &asked, 422), wrong[i][1]);
        else
            EXPECT_EQ(asked.status, 200);
    }
    END;
}
