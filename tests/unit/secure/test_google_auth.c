/* Google's token endpoint and metadata server are stubs here, on a free port. */
#include "base/json.h"
#include "http/server.h"
#include "rsa_key.h"
#include "secure/google_auth.h"
#include "test.h"

struct google {
    struct test *t;
    struct http_server *server;
    struct rsa_key key;
    char endpoint[64];
    char file[512];
    bool has_file, has_emulator;
    int status; /* of the token endpoint's answers */
    const char *answer;
    int asked;
    bool verified;
    struct str claims, target; /* of the last one */
    struct google_environment environment;
    struct env_fake *clock;
};

static void answer(struct http_request *req, void *ctx)
{
    static const struct http_header flavor = {STR("Metadata-Flavor"), STR("Google")};
    struct google *google = ctx;
    struct test *t = google->t;
    struct str body = req->body, assertion;
    ptrdiff_t at = str_find(body, STR("&assertion="), 0);

    google->asked++;
    google->target = str_dup(google->t->arena, req->target);
    (void)!fiber_sleep(5); /* so that others come meanwhile */
    if (req->method == HTTP_POST && at > 0) {
        assertion = str_slice(body, (size_t)at + 11, body.len);
        google->verified = rsa_key_verifies(&google->key, assertion);
        at = str_find_char(assertion, '.', 0);
        google->claims =
            base64url_text(google->t->arena, str_slice(assertion, (size_t)at + 1, assertion.len));
        EXPECT_STR(str_slice(body, 0, 73),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertio");
    } else if (!str_is(http_header(&req->headers, "Metadata-Flavor"), "Google")) {
        http_respond(req, 403, "text/plain", NULL, 0, STR("Missing Metadata-Flavor"));
        return;
    }
    http_respond(req, google->status, "application/json", &flavor, 1, str_from(google->answer));
}

static const char *variable(void *ctx, const char *name)
{
    struct google *google = ctx;

    if (strcmp(name, "GOOGLE_APPLICATION_CREDENTIALS") == 0)
        return google->has_file ? google->file : NULL;
    return strcmp(name, "FIRESTORE_EMULATOR_HOST") == 0 && google->has_emulator ? "h:1" : NULL;
}

static bool write_file(struct google *google, struct str text)
{
    FILE *file = fopen(google->file, "we");

    if (!file)
        return false;
    fwrite(text.ptr, 1, text.len, file);
    fclose(file);
    return true;
}

static struct str account_json(struct google *google, const char *type, const char *token_uri)
{
    struct buf out = BUF_IN(google->t->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "type", type);
    json_cstr_member(&w, "client_email", "theo@p.iam.gserviceaccount.com");
    json_cstr_member(&w, "private_key_id", "k1");
    json_str_member(&w, "private_key", google->key.pem);
    json_cstr_member(&w, "token_uri", token_uri);
    json_object_end(&w);
    return buf_str(&out);
}

static bool google_start(struct test *t, struct google *google)
{
    struct http_server_options options;

    *google = (struct google){.t = t,
        .status = 200,
        .answer = "{\"access_token\":\"ya29.one\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
        .has_file = true,
        .clock = t->fake};
    http_server_options_init(&options);
    options.host = "127.0.0.1";
    options.port = 0;
    if (!EXPECT_OK(http_server_start(fiber_loop(), &options, answer, google, &google->server)))
        return false;
    google->key = rsa_key_new(t->arena, 2048);
    snprintf(google->endpoint, sizeof(google->endpoint), "http://127.0.0.1:%d",
        http_server_port(google->server));
    snprintf(google->file, sizeof(google->file), "%s/account.json", test_dir(t));
    google->environment = (struct google_environment){variable, google, google->endpoint};
    return EXPECT(write_file(google, account_json(google, "service_account", google->endpoint)));
}

static void google_stop(struct google *google)
{
    http_server_stop(google->server);
    rsa_key_free(&google->key);
}

static int ask(struct google *google, const char *scopes, const char *sub, struct str *ret_token)
{
    const struct google_auth_request request = {.scopes = str_from(scopes),
        .sub = str_from(sub),
        .emulator_variable = "FIRESTORE_EMULATOR_HOST"};

    return google_auth_token(
        &google->environment, &google->clock->env, &request, google->t->arena, ret_token);
}

TEST(service_account_signs_a_grant)
{
    struct google google;
    struct str token;
    const struct json *claims;
    int64_t now_s;

    REQUIRE(google_start(t, &google));
    now_s = t->fake->wall_ms / 1000;
    REQUIRE_OK(ask(&google, "https://g/auth/datastore", "", &token));
    EXPECT_STR(token, "ya29.one");
    EXPECT(google.verified);
    REQUIRE_OK(json_parse(t->arena, google.claims, &claims));
    EXPECT_STR(json_get_str(claims, "iss"), "theo@p.iam.gserviceaccount.com");
    EXPECT_STR(json_get_str(claims, "scope"), "https://g/auth/datastore");
    EXPECT_STR(json_get_str(claims, "aud"), google.endpoint);
    EXPECT_EQ(json_get_i64(claims, "iat", 0), now_s);
    EXPECT_EQ(json_get_i64(claims, "exp", 0), now_s + 3600);
    EXPECT(json_get(claims, "sub") == NULL);
    EXPECT_OK(ask(&google, "https://g/auth/datastore", "ana@example.com", &token));
    REQUIRE_OK(json_parse(t->arena, google.claims, &claims));
    EXPECT_STR(json_get_str(claims, "sub"), "ana@example.com");
    google_stop(&google);
}

TEST(token_is_kept_until_five_minutes_before_its_end)
{
    struct google google;
    struct str token;

    REQUIRE(google_start(t, &google));
    EXPECT_OK(ask(&google, "a", "", &token));
    t->fake->wall_ms += (3599 - 301) * SECOND_MS;
    EXPECT_OK(ask(&google, "a", "", &token));
    EXPECT_EQ(google.asked, 1);
    EXPECT_OK(ask(&google, "b", "", &token)); /* other scopes, another token */
    EXPECT_EQ(google.asked, 2);
    t->fake->wall_ms += 2 * SECOND_MS;
    google.answer = "{\"access_token\":\"ya29.two\",\"expires_in\":3599}";
    EXPECT_OK(ask(&google, "a", "", &token));
    EXPECT_STR(token, "ya29.two");
    EXPECT_EQ(google.asked, 3);
    google_auth_forget();
    EXPECT_OK(ask(&google, "a", "", &token));
    EXPECT_EQ(google.asked, 4);
    google_stop(&google);
}

TEST(old_token_serves_while_renewing_fails)
{
    struct google google;
    struct str token;

    REQUIRE(google_start(t, &google));
    EXPECT_OK(ask(&google, "a", "", &token));
    t->fake->wall_ms += 3400 * SECOND_MS;
    google.status = 503;
    EXPECT_OK(ask(&google, "a", "", &token));
    EXPECT_STR(token, "ya29.one");
    EXPECT_OK(ask(&google, "a", "", &token));
    EXPECT_EQ(google.asked, 2); /* not at every call */
    t->fake->wall_ms += 200 * SECOND_MS;
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_UNAVAILABLE);
    google_stop(&google);
}

struct asker {
    struct google *google;
    int result;
};

static void ask_one(void *arg)
{
    struct asker *asker = arg;
    struct str token;

    asker->result = ask(asker->google, "a", "", &token);
}

TEST(many_fibers_make_one_request)
{
    struct google google;
    struct asker askers[20];
    struct fiber *fibers[20];

    REQUIRE(google_start(t, &google));
    for (int i = 0; i < 20; i++) {
        askers[i] = (struct asker){&google, -99};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "ask", ask_one, &askers[i]);
    }
    for (int i = 0; i < 20; i++) {
        EXPECT_OK(fiber_join(fibers[i]));
        EXPECT_OK(askers[i].result);
    }
    EXPECT_EQ(google.asked, 1);
    google_stop(&google);
}

TEST(refusals_say_what_to_do)
{
    struct google google;
    struct str token;

    REQUIRE(google_start(t, &google));
    google.status = 400;
    google.answer =
        "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be "
        "a short-lived token\"}";
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_UNAUTHORIZED);
    EXPECT(strstr(err_message(), "clock is wrong, set it by NTP") != NULL);
    google.status = 401;
    google.answer = "{\"error\":\"unauthorized_client\",\"error_description\":\"x\"}";
    EXPECT_EQ(ask(&google, "a", "ana@example.com", &token), ERR_DENIED);
    EXPECT(strstr(err_message(), "may not act for ana@example.com") != NULL);
    google.answer = "not JSON";
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_UNAUTHORIZED);
    google.status = 200;
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_PROTOCOL);
    google.answer = "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":10}";
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_PROTOCOL);
    EXPECT(strstr(err_message(), "X: y") == NULL);
    google_stop(&google);
}

TEST(wrong_files_are_named)
{
    struct google google;
    struct str token;

    REQUIRE(google_start(t, &google));
    REQUIRE(write_file(&google, account_json(&google, "authorized_user", google.endpoint)));
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_INVALID);
    EXPECT(strstr(err_message(), "authorized_user") != NULL);
    REQUIRE(write_file(&google, account_json(&google, "service_account", "http://example.com/t")));
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_DENIED);
    REQUIRE(write_file(&google, STR("{")));
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_INVALID);
    snprintf(google.file, sizeof(google.file), "%s/absent.json", test_dir(t));
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_INVALID);
    EXPECT(strstr(err_message(), "absent.json") != NULL);
    EXPECT_EQ(google.asked, 0);
    google_stop(&google);
}

TEST(metadata_server_gives_tokens_on_google_cloud)
{
    struct google google;
    struct str token;

    REQUIRE(google_start(t, &google));
    google.has_file = false;
    EXPECT_OK(ask(&google, "https://g/a https://g/b", "", &token));
    EXPECT_STR(token, "ya29.one");
    EXPECT_STR(google.target, "/computeMetadata/v1/instance/service-accounts/default/"
                              "token?scopes=https%3A%2F%2Fg%2Fa%2Chttps%3A%2F%2Fg%2Fb");
    EXPECT_EQ(ask(&google, "a", "ana@example.com", &token), ERR_UNAUTHORIZED);
    google.status = 404;
    EXPECT_EQ(ask(&google, "c", "", &token), ERR_UNAUTHORIZED);
    EXPECT(strstr(err_message(), "no service account") != NULL);
    google_stop(&google);
}

TEST(without_credentials_it_says_where_to_put_them)
{
    struct google google;
    struct str token;

    REQUIRE(google_start(t, &google));
    google.has_file = false;
    google.environment.metadata_endpoint = "http://127.0.0.1:1"; /* nobody listens */
    EXPECT_EQ(ask(&google, "a", "", &token), ERR_UNAUTHORIZED);
    EXPECT(strstr(err_message(), "GOOGLE_APPLICATION_CREDENTIALS") != NULL);
    google.has_emulator = true;
    EXPECT_OK(ask(&google, "a", "", &token));
    EXPECT_STR(token, "owner");
    EXPECT_EQ(google.asked, 0);
    google_stop(&google);
}
