#include "api/exchange.h"
#include "house.h"

#define SOMEBODYS "theo_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define NOTHING "01ARZ3NDEKTSV4RRFFQ69G5FAV" /* an id of nothing */

static bool has_body(enum http_method method)
{
    return method == HTTP_POST || method == HTTP_PATCH;
}

/* The route's path with id in the place of its parameter. */
static const char *path_of(struct test *t, const struct route *route, const char *id)
{
    struct str pattern = str_from(route->pattern);
    ptrdiff_t open = str_find_char(pattern, '{', 0), close = str_find_char(pattern, '}', 0);

    if (open < 0)
        return route->pattern;
    return str_printf(t->arena, "%.*s%s%.*s", STR_ARG(str_slice(pattern, 0, (size_t)open)), id,
        STR_ARG(str_slice(pattern, (size_t)close + 1, pattern.len)))
        .ptr;
}

static int status_of(
    struct house *h, const char *key, const struct route *route, const char *id, const char *header)
{
    return ask_as(h, key, route->method, path_of(h->t, route, id),
        has_body(route->method) ? "{}" : NULL, header)
        .status;
}

static bool lists(const char *scopes, struct str scope)
{
    struct str rest = str_from(scopes ? scopes : ""), one;

    while (str_next(&rest, ' ', &one))
        if (str_eq(one, scope))
            return true;
    return false;
}

/* Each of the scopes alone opens the routes that name it, and no other. */
static void check_scopes(struct house *h, const struct route *route)
{
    struct test *t = h->t;
    struct str rest = STR(API_KEY_SCOPES), scope;

    while (str_next(&rest, ' ', &scope)) {
        const char *key = house_key(h, str_cstr(t->arena, scope));
        int status = status_of(h, key, route, NOTHING, NULL);
        bool may = str_is(scope, "admin") || !route->scopes || lists(route->scopes, scope);

        if (!EXPECT((status != 403) == may) || !EXPECT(status != 401 && status < 500))
            printf("# %s %s with %.*s: %d\n", http_method_name(route->method), route->pattern,
                STR_ARG(scope), status);
    }
}

TEST(every_route_wants_a_key_with_its_scope)
{
    BEGIN("rate:\n  failures-per-minute: 0\n");
    for (const struct route *route = api_routes; route->pattern; route++) {
        const char *header = route->flags & ROUTE_LOOPBACK ? "X-Forwarded-For: 1.2.3.4" : NULL;

        if (route->flags & ROUTE_OPEN)
            continue;
        if (!EXPECT(status_of(&h, SOMEBODYS, route, NOTHING, header) == 401) ||
            !EXPECT(status_of(&h, NULL, route, NOTHING, header) == 401))
            printf("# %s %s\n", http_method_name(route->method), route->pattern);
        if (!(route->flags & ROUTE_LOOPBACK))
            check_scopes(&h, route);
    }
    END;
}

/* An admin of another workspace. */
static const char *stranger(struct house *h)
{
    struct test *t = h->t;
    char *key = arena_alloc(t->arena, API_KEY_LEN + 1);
    struct api_key_request request = {STR("other"), STR("stranger"), STR("admin"), 0};
    struct api_key_row row;

    EXPECT_OK(api_key_create(h->store, env_system(), &request, t->arena, key, &row));
    return key;
}

/* What somebody made, by the first part of its path behind /api. */
struct thing {
    const char *path, *id;
};

static const char *made(struct house *h, const char *path, const char *body, const char *member)
{
    struct asked asked = post(h, path, body);
    struct test *t = h->t;
    struct str id = json_get_str(asked.json, member);

    if (!EXPECT(!str_empty(id)))
        printf("# %s: %.*s\n", path, STR_ARG(asked.body));
    return str_cstr(t->arena, id);
}

/* The answer without the id of the request, which is always another. */
static struct str told(struct test *t, const struct asked *asked)
{
    return str_printf(t->arena, "%d %.*s %.*s", asked->status,
        STR_ARG(json_get_str(asked->json, "type")), STR_ARG(json_get_str(asked->json, "detail")));
}

TEST(a_key_of_another_workspace_finds_nothing_and_changes_nothing)
{
    BEGIN("rate:\n  per-minute: 0\n");
    const char *other = stranger(&h);
    struct asked chat = post(&h, "/api/chat", "{\"chat_context\":\"Ana: Theo, hello?\"}");
    const char *session = str_cstr(t->arena, json_get_str(chat.json, "session_id"));
    struct thing things[] = {
        {"/api/sessions", session},
        {"/api/runs", str_cstr(t->arena, json_get_str(chat.json, "run_id"))},
        {"/api/schedule", made(&h, "/api/schedule",
                              "{\"summary\":\"Secret\",\"start\":\"2031-01-01T10:00:00Z\"}", "id")},
        {"/api/memories",
            made(&h, "/api/memories",
                str_printf(t->arena, "{\"session_id\":\"%s\",\"text\":\"Secret\"}", session).ptr,
                "id")},
        {"/api/auth/keys",
            made(&h, "/api/auth/keys", "{\"name\":\"k\",\"scopes\":[\"read\"]}", "id")},
    };

    for (const struct route *route = api_routes; route->pattern; route++)
        for (size_t i = 0; i < ARRAY_LEN(things); i++) {
            const char *body = has_body(route->method) ? "{\"text\":\"x\"}" : NULL;
            struct asked real, none;

            if (!strchr(route->pattern, '{') ||
                strncmp(route->pattern, things[i].path, strlen(things[i].path)) != 0)
                continue;
            real = ask_as(&h, other, route->method, path_of(t, route, things[i].id), body, NULL);
            none = ask_as(&h, other, route->method, path_of(t, route, NOTHING), body, NULL);
            EXPECT(real.status == 404 || real.status == 422);
            /* Not even that it is there. */
            if (!EXPECT(str_eq(told(t, &real), told(t, &none))))
                printf("# %s %s: %.*s\n", http_method_name(route->method), route->pattern,
                    STR_ARG(real.body));
        }
    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        struct asked mine = ask(&h, HTTP_GET, things[i].path, NULL, NULL);
        struct asked theirs = ask_as(&h, other, HTTP_GET, things[i].path, NULL, NULL);

        EXPECT_EQ(theirs.status, 200);
        EXPECT(str_find(theirs.body, str_from(things[i].id), 0) < 0);
        if (strcmp(things[i].path, "/api/runs") != 0) /* lists those under way */
            EXPECT(str_find(mine.body, str_from(things[i].id), 0) >= 0);
    }
    /* To go on with a chat of others. */
    chat = ask_as(&h, other, HTTP_POST, "/api/chat",
        str_printf(t->arena, "{\"chat_context\":\"Ana: Theo?\",\"session_id\":\"%s\"}", session)
            .ptr,
        NULL);
    expect_problem(t, &chat, 404);
    END;
}
