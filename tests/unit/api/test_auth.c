#include "house.h"

static struct asked make(struct house *h, const char *key, const char *scopes)
{
    return ask_as(h, key, HTTP_POST, "/api/auth/keys",
        str_printf(h->t->arena, "{\"name\":\"made\",\"scopes\":%s}", scopes).ptr, NULL);
}

static const char *copy(struct house *h, const struct json *node, const char *name)
{
    return str_cstr(h->t->arena, json_get_str(node, name));
}

TEST(a_key_lives_and_dies)
{
    BEGIN(NULL);
    struct asked made = make(&h, h.key, "[\"read\"]"), list;
    const char *key = copy(&h, made.json, "key"), *id = copy(&h, made.json, "id");
    int64_t end;

    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(ask_as(&h, key, HTTP_GET, "/api/sessions", NULL, NULL).status, 200);
    list = ask(&h, HTTP_GET, "/api/auth/keys", NULL, NULL);
    EXPECT(str_find(list.body, str_from(id), 0) > 0);
    EXPECT(str_find(list.body, str_from(key), 0) < 0);
    EXPECT(str_find(list.body, STR("hash"), 0) < 0);
    EXPECT_EQ(
        ask(&h, HTTP_DELETE, str_printf(t->arena, "/api/auth/keys/%s", id).ptr, NULL, NULL).status,
        204);
    end = env_mono_ms(env_system()) + 5000;
    while (ask_as(&h, key, HTTP_GET, "/api/sessions", NULL, NULL).status != 401)
        if (!EXPECT(env_mono_ms(env_system()) < end) || fiber_sleep(50) < 0)
            break;
    END;
}

TEST(rotation_gives_a_new_key)
{
    BEGIN(NULL);
    struct asked made = make(&h, h.key, "\"chat read\"");
    struct asked turned =
        post(&h, str_printf(t->arena, "/api/auth/keys/%s/rotate", copy(&h, made.json, "id")).ptr,
            "{\"grace_seconds\":60}");
    const char *fresh = copy(&h, turned.json, "key"), *old = copy(&h, made.json, "key");

    EXPECT_EQ(turned.status, 201);
    EXPECT(strcmp(fresh, old) != 0);
    EXPECT_EQ(json_len(json_get(turned.json, "scopes")), 2);
    EXPECT_EQ(ask_as(&h, fresh, HTTP_GET, "/api/sessions", NULL, NULL).status, 200);
    EXPECT_EQ(ask_as(&h, old, HTTP_GET, "/api/sessions", NULL, NULL).status, 200);
    turned = post(&h, "/api/auth/keys/00000000/rotate", "");
    expect_problem(t, &turned, 404);
    END;
}

TEST(nobody_gives_more_than_he_has)
{
    BEGIN(NULL);
    const char *manager = house_key(&h, "keys read");
    struct asked asked = make(&h, manager, "[\"admin\"]");

    expect_problem(t, &asked, 403);
    /* Commas part scopes too: what is granted is what was checked. */
    asked = make(&h, manager, "\"read,admin\"");
    expect_problem(t, &asked, 403);
    asked = make(&h, manager, "[\"keys,admin\"]");
    expect_problem(t, &asked, 403);
    asked = make(&h, manager, "[\"read\"]");
    EXPECT_EQ(asked.status, 201);
    asked = ask_as(&h, manager, HTTP_POST,
        str_printf(t->arena, "/api/auth/keys/%.8s/rotate", h.key + 5).ptr, "{}", NULL);
    expect_problem(t, &asked, 403);
    asked = ask_as(&h, manager, HTTP_DELETE,
        str_printf(t->arena, "/api/auth/keys/%.8s", h.key + 5).ptr, NULL, NULL);
    expect_problem(t, &asked, 403);
    END;
}

TEST(wrong_key_requests)
{
    BEGIN(NULL);
    struct asked asked = make(&h, h.key, "[\"emperor\"]");

    EXPECT_STR(expect_problem(t, &asked, 422), "scopes");
    asked = make(&h, h.key, "7");
    EXPECT_STR(expect_problem(t, &asked, 422), "scopes");
    asked = post(&h, "/api/auth/keys",
        "{\"name\":\"x\",\"scopes\":[\"chat\"],\"expires_at\":\"2001-01-01T00:00:00Z\"}");
    EXPECT_STR(expect_problem(t, &asked, 422), "expires_at");
    asked = post(&h, "/api/auth/keys", "{\"scopes\":[\"chat\"]}");
    EXPECT_STR(expect_problem(t, &asked, 422), "name");
    END;
}

TEST(a_replayed_creation_does_not_show_the_key_again)
{
    BEGIN(NULL);
    const char *body = "{\"name\":\"n\",\"scopes\":[\"chat\"]}";
    struct asked first = ask(&h, HTTP_POST, "/api/auth/keys", body, "Idempotency-Key: a");
    struct asked second = ask(&h, HTTP_POST, "/api/auth/keys", body, "Idempotency-Key: a");

    EXPECT_EQ(second.status, 201);
    EXPECT(str_eq(json_get_str(first.json, "id"), json_get_str(second.json, "id")));
    EXPECT_EQ(json_get_str(first.json, "key").len, API_KEY_LEN);
    EXPECT(json_type(json_get(second.json, "key")) == JSON_NULL);
    END;
}

TEST(whoami)
{
    BEGIN(NULL);
    struct asked asked =
        ask_as(&h, house_key(&h, "chat read"), HTTP_GET, "/api/auth/whoami", NULL, NULL);

    EXPECT_EQ(asked.status, 200);
    EXPECT_STR(json_get_str(asked.json, "workspace_id"), "default");
    EXPECT_STR(json_text(t->arena, json_get(asked.json, "scopes")), "[\"chat\",\"read\"]");
    END;
}
