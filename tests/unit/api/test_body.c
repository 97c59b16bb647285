#include "house.h"

static struct str refused(struct house *h, const char *body, int status)
{
    struct asked asked = post(h, "/api/chat", body);

    return expect_problem(h->t, &asked, status);
}

TEST(bodies_that_cannot_be_read)
{
    BEGIN(NULL);
    struct asked asked;

    refused(&h, "{\"chat_context\": ", 400);
    refused(&h, "{\"chat_context\":\"Ana: \xff\xfe\"}", 400);
    refused(&h, "{\"chat_context\":\"Ana: \x01\"}", 400);
    asked = post(&h, "/api/chat", "");
    expect_problem(t, &asked, 400);
    asked = ask(&h, HTTP_POST, "/api/chat", "{}", "Content-Type: text/plain");
    expect_problem(t, &asked, 415);
    END;
}

TEST(a_body_without_content_type_is_read)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_POST, "/api/chat", "{\"chat_context\":\"Ana: hi\"}",
        "Content-Type: application/vnd.theo+json; charset=utf-8");

    EXPECT_EQ(asked.status, 200);
    END;
}

TEST(wrong_members_are_named)
{
    BEGIN(NULL);
    EXPECT_STR(refused(&h, "[]", 422), "");
    EXPECT_STR(refused(&h, "{}", 422), "chat_context");
    EXPECT_STR(refused(&h, "{\"chat_context\":7}", 422), "chat_context");
    EXPECT_STR(refused(&h, "{\"chat_context\":\"\"}", 422), "chat_context");
    EXPECT_STR(refused(&h, "{\"chat_context\":\"Ana: hi\",\"stream\":\"yes\"}", 422), "stream");
    EXPECT_STR(refused(&h, "{\"chat_context\":\"Ana: hi\",\"metadata\":[]}", 422), "metadata");
    EXPECT_STR(
        refused(&h, "{\"chat_context\":\"Ana: hi\",\"time_zone\":\"Mars/X\"}", 422), "time_zone");
    EXPECT_STR(
        refused(&h, "{\"chat_context\":[{\"party\":\"A\",\"message\":\"x\"},{\"party\":3}]}", 422),
        "chat_context[1].party");
    END;
}

TEST(unknown_members_and_nulls_are_ignored)
{
    BEGIN(NULL);
    EXPECT_EQ(
        post(&h, "/api/chat", "{\"chat_context\":\"Ana: hi\",\"later\":{\"a\":1},\"stream\":null}")
            .status,
        200);
    END;
}

TEST(too_large_a_body)
{
    BEGIN("server.max-body-bytes: 1024\n");
    char *body = arena_zalloc(t->arena, 1, 4096);
    struct asked asked;

    memset(body, ' ', 4000);
    body[0] = '{';
    body[3999] = '}';
    asked = post(&h, "/api/chat", body);
    EXPECT_EQ(asked.status, 413);
    END;
}

TEST(query_parameters_are_checked)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_GET, "/api/sessions?limit=0", NULL, NULL);

    EXPECT_STR(expect_problem(t, &asked, 422), "limit");
    asked = ask(&h, HTTP_GET, "/api/sessions?cursor=%21%21", NULL, NULL);
    EXPECT_STR(expect_problem(t, &asked, 422), "cursor");
    asked = ask(&h, HTTP_GET, "/api/schedule?from=yesterday", NULL, NULL);
    EXPECT_STR(expect_problem(t, &asked, 422), "from");
    asked = ask(&h, HTTP_GET, "/api/schedule?from=2027-03-01T00:00:00+01:00", NULL, NULL);
    EXPECT_EQ(asked.status, 200);
    END;
}
