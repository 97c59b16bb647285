#include "api/exchange.h"
#include "api/openapi.h"
#include "house.h"

#define CHAT "{\"chat_context\":\"Ana: hi\\nBen: Theo, well?\"}"

TEST(paths_and_methods)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_GET, "/api/nothing", NULL, NULL);

    expect_problem(t, &asked, 404);
    asked = ask(&h, HTTP_GET, "/api/chat/", NULL, NULL);
    expect_problem(t, &asked, 404);
    asked = ask(&h, HTTP_PUT, "/api/schedule/x", "{}", NULL);
    expect_problem(t, &asked, 405);
    EXPECT_STR(http_header(&asked.headers, "allow"), "GET, HEAD, PATCH, DELETE");
    asked = ask(&h, HTTP_GET, "/api/runs/x", NULL, NULL);
    expect_problem(t, &asked, 404);
    END;
}

TEST(who_may_what)
{
    BEGIN(NULL);
    const char *reader = house_key(&h, "read");
    struct asked asked = ask_as(&h, NULL, HTTP_POST, "/api/chat", CHAT, NULL);

    expect_problem(t, &asked, 401);
    EXPECT(http_header(&asked.headers, "www-authenticate").len > 0);
    asked = ask_as(&h, "theo_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", HTTP_POST,
        "/api/chat", CHAT, NULL);
    expect_problem(t, &asked, 401);
    asked = ask_as(&h, reader, HTTP_POST, "/api/chat", CHAT, NULL);
    expect_problem(t, &asked, 403);
    EXPECT(str_find(json_get_str(asked.json, "detail"), STR("chat"), 0) >= 0);
    EXPECT_EQ(ask_as(&h, reader, HTTP_GET, "/api/sessions", NULL, NULL).status, 200);
    asked = ask_as(&h, NULL, HTTP_GET, "/api/sessions", NULL,
        str_printf(t->arena, "X-API-Key: %s", reader).ptr);
    EXPECT_EQ(asked.status, 200);
    END;
}

TEST(open_and_local_routes)
{
    BEGIN(NULL);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/healthz", NULL, NULL).status, 200);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/readyz", NULL, NULL).status, 200);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/docs", NULL, NULL).status, 200);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/problems/invalid", NULL, NULL).status, 200);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/metrics", NULL, NULL).status, 200);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/metrics", NULL, "X-Forwarded-For: 1.2.3.4").status, 401);
    __atomic_store_n(&h.api.draining, true, __ATOMIC_RELAXED);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_GET, "/readyz", NULL, NULL).status, 503);
    END;
}

TEST(answers_are_not_cached_or_sniffed)
{
    BEGIN(NULL);
    struct asked asked = ask(&h, HTTP_GET, "/api/config", NULL, NULL);

    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(http_header(&asked.headers, "cache-control"), "no-store");
    EXPECT_STR(http_header(&asked.headers, "x-content-type-options"), "nosniff");
    EXPECT_STR(json_get_str(asked.json, "model"), "scripted");
    EXPECT_STR(json_get_str(json_get(asked.json, "health"), "store"), "ok");
    EXPECT(str_find(asked.body, str_from(h.key), 0) < 0);
    END;
}

static const struct json *operation(
    const struct json *contract, const struct route *route, struct arena *arena)
{
    const struct json *item = json_get(json_get(contract, "paths"), route->pattern);
    struct str method = str_lower(arena, str_from(http_method_name(route->method)));

    return json_get(item, method.ptr);
}

static size_t count_operations(const struct json *contract)
{
    static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
    const struct json *paths = json_get(contract, "paths");
    size_t count = 0;

    for (const struct json *item = json_first(paths); item; item = json_next(item))
        for (size_t i = 0; i < ARRAY_LEN(methods); i++)
            count += json_get(item, methods[i]) != NULL;
    return count;
}

TEST(contract_lists_exactly_the_routes)
{
    const struct json *contract;
    size_t count = 0;

    REQUIRE_OK(json_parse(t->arena, (struct str){openapi_json, openapi_json_len}, &contract));
    for (const struct route *route = api_routes; route->pattern; route++, count++) {
        const struct json *op = operation(contract, route, t->arena);
        bool open = json_is(json_get(op, "security"), JSON_ARRAY);

        if (!EXPECT(op))
            printf("# %s %s\n", http_method_name(route->method), route->pattern);
        EXPECT_EQ(open, (route->flags & ROUTE_OPEN) != 0);
    }
    EXPECT_EQ(count_operations(contract), count);
}

TEST(a_call_from_inside_needs_no_key)
{
    BEGIN(NULL);
    struct api_answer answer;

    api_local(&h.api, HTTP_GET, STR("/api/sessions"), STR("limit=2"), STR(""), STR("default"),
        t->arena, &answer);
    EXPECT_EQ(answer.status, 200);
    api_local(
        &h.api, HTTP_POST, STR("/api/chat"), STR(""), STR("{}"), STR("default"), t->arena, &answer);
    EXPECT_EQ(answer.status, 422);
    api_local(&h.api, HTTP_GET, STR("/none"), STR(""), STR(""), STR("default"), t->arena, &answer);
    EXPECT_EQ(answer.status, 404);
    END;
}
