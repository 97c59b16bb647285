#include "base/json.h"
#include "http/server.h"
#include "secure/aws_credentials.h"
#include "test.h"

#include <unistd.h>

/* One stub plays STS, the container's agent and the metadata service. */
struct stub {
    struct http_server *server;
    char url[64];
    int requests;
    int failures; /* so many are answered 500 */
    int status;   /* 0: 200 */
    int64_t expires_ms;
    char path[256], authorization[64], token[64], body[512];
};

static void copy(char *out, size_t size, struct str text)
{
    snprintf(out, size, "%.*s", STR_ARG(text));
}

static void answer(struct http_request *req, void *ctx)
{
    struct stub *stub = ctx;
    char at[RFC3339_LEN + 1];
    struct str body;

    stub->requests++;
    copy(stub->path, sizeof(stub->path), req->path);
    copy(stub->body, sizeof(stub->body), req->body);
    copy(stub->authorization, sizeof(stub->authorization),
        http_header(&req->headers, "authorization"));
    copy(stub->token, sizeof(stub->token), http_header(&req->headers, "x-aws-ec2-metadata-token"));
    rfc3339_format(stub->expires_ms, at);
    if (stub->failures > 0 || stub->status != 0) {
        int status = stub->failures > 0 ? 500 : stub->status;
        stub->failures--;
        (void)http_respond(req, status, "text/xml", NULL, 0,
            STR("<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"));
        return;
    }
    if (req->method == HTTP_PUT)
        body = STR("imds-token");
    else if (str_is(req->path, "/latest/meta-data/iam/security-credentials/"))
        body = STR("theo-role\n");
    else if (req->method == HTTP_POST)
        body = str_printf(req->arena,
            "<R><Credentials><AccessKeyId>ASIASTS</AccessKeyId><SecretAccessKey>s3</"
            "SecretAccessKey>"
            "<SessionToken>t3</SessionToken><Expiration>%s</Expiration></Credentials></R>",
            at);
    else
        body = str_printf(req->arena,
            "{\"AccessKeyId\":\"ASIA%d\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":"
            "\"%s\"}",
            stub->requests, at);
    if (fiber_sleep(5) == 0) /* long enough for others to ask meanwhile */
        (void)http_respond(req, 200, "application/json", NULL, 0, body);
}

static int start(struct test *t, struct stub *stub)
{
    struct http_server_options options;
    int r;

    *stub = (struct stub){.expires_ms = t->fake->wall_ms + 6 * HOUR_MS};
    http_server_options_init(&options);
    options.host = "127.0.0.1";
    options.port = 0;
    r = http_server_start(fiber_loop(), &options, answer, stub, &stub->server);
    if (r == 0)
        snprintf(
            stub->url, sizeof(stub->url), "http://127.0.0.1:%d", http_server_port(stub->server));
    return r;
}

struct variables {
    const char *names[8], *values[8];
};

static const char *get(void *ctx, const char *name)
{
    const struct variables *variables = ctx;

    for (size_t i = 0; i < ARRAY_LEN(variables->names) && variables->names[i]; i++)
        if (strcmp(variables->names[i], name) == 0)
            return variables->values[i];
    return NULL;
}

static struct aws_environment environment(struct variables *variables, const struct stub *stub)
{
    return (struct aws_environment){get, variables, stub->url, stub->url};
}

TEST(environment_comes_first)
{
    struct variables v = {{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                              "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"},
        {"AKIA", "secret", "token", "/creds"}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got;

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_STR(got.access_key_id, "AKIA");
    EXPECT_STR(got.secret_access_key, "secret");
    EXPECT_STR(got.session_token, "token");
    EXPECT_EQ(stub.requests, 0);
    http_server_stop(stub.server);
}

TEST(half_a_key_is_refused)
{
    struct variables v = {{"AWS_ACCESS_KEY_ID"}, {"AKIA"}};
    struct aws_environment e = {get, &v, NULL, NULL};
    struct aws_credentials got;

    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_INVALID);
    EXPECT(strstr(err_message(), "AWS_SECRET_ACCESS_KEY") != NULL);
}

static const char *write_file(struct test *t, const char *text)
{
    const char *path = str_printf(t->arena, "%s/token", test_dir(t)).ptr;
    FILE *file = fopen(path, "we");

    if (!EXPECT(file != NULL))
        return path;
    fputs(text, file);
    fclose(file);
    return path;
}

TEST(web_identity_is_exchanged_at_sts)
{
    struct variables v = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL_STS"},
        {write_file(t, "jwt+of/me\n"), "arn:aws:iam::1:role/theo", NULL}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got;

    REQUIRE_OK(start(t, &stub));
    v.values[2] = stub.url;
    e = environment(&v, &stub);
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_STR(got.access_key_id, "ASIASTS");
    EXPECT_STR(got.session_token, "t3");
    EXPECT_EQ(got.expires_at_ms, stub.expires_ms);
    EXPECT_CSTR(stub.body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole"
        "%2Ftheo&RoleSessionName=theo&WebIdentityToken=jwt%2Bof%2Fme");
    stub.status = 403;
    aws_credentials_forget();
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_DENIED);
    EXPECT(strstr(err_message(), "AccessDenied") != NULL);
    EXPECT(strstr(err_message(), "jwt") == NULL);
    v.names[1] = "OTHER";
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_INVALID);
    v.names[1] = "AWS_ROLE_ARN", v.values[0] = "/nowhere/token";
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_INVALID);
    EXPECT(strstr(err_message(), "/nowhere/token") != NULL);
    http_server_stop(stub.server);
}

TEST(container_agent_is_asked_with_its_token)
{
    struct variables v = {
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"},
        {"/v2/creds", "from-variable", write_file(t, "from-file\n")}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got;

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    stub.failures = 2; /* it is tried three times */
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_STR(got.access_key_id, "ASIA3");
    EXPECT_CSTR(stub.path, "/v2/creds");
    EXPECT_CSTR(stub.authorization, "from-file");
    v.values[0] = "no-slash";
    aws_credentials_forget();
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_INVALID);
    http_server_stop(stub.server);
}

TEST(full_uri_may_name_only_trusted_hosts)
{
    static const struct {
        const char *uri;
        int result;
    } uris[] = {{"http://example.com/creds", ERR_DENIED}, {"http://10.0.0.1/creds", ERR_DENIED},
        {"http://169.254.169.254/creds", ERR_DENIED}, {"http://127.0.0.1.evil.test/", ERR_DENIED},
        {"http://user@127.0.0.1/", ERR_INVALID}, {"ftp://127.0.0.1/", ERR_INVALID}};
    struct variables v = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, {NULL}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got;

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        v.values[0] = uris[i].uri;
        EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), uris[i].result);
    }
    v.values[0] = str_printf(t->arena, "%s/full", stub.url).ptr;
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_CSTR(stub.path, "/full");
    EXPECT_CSTR(stub.authorization, "");
    http_server_stop(stub.server);
}

TEST(instance_metadata_is_asked_last)
{
    struct variables v = {{NULL}, {NULL}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got;

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_STR(got.access_key_id, "ASIA3");
    EXPECT_CSTR(stub.path, "/latest/meta-data/iam/security-credentials/theo-role");
    EXPECT_CSTR(stub.token, "imds-token");
    http_server_stop(stub.server);
    aws_credentials_forget();
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_UNAUTHORIZED);
    EXPECT(strstr(err_message(), "No AWS credentials were found") != NULL);
}

TEST(renewed_ahead_of_time_and_kept_while_that_fails)
{
    struct variables v = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}, {"/creds"}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got;

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    stub.expires_ms = t->fake->wall_ms + HOUR_MS;
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    t->fake->wall_ms += 44 * MINUTE_MS;
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_EQ(stub.requests, 1);
    t->fake->wall_ms += 2 * MINUTE_MS; /* 14 minutes are left */
    stub.status = 403;
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_STR(got.access_key_id, "ASIA1");
    EXPECT_EQ(stub.requests, 2);
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got)); /* not at each call */
    EXPECT_EQ(stub.requests, 2);
    t->fake->wall_ms += 15 * MINUTE_MS; /* expired */
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_DENIED);
    stub.status = 0;
    stub.expires_ms = t->fake->wall_ms + HOUR_MS;
    EXPECT_OK(aws_credentials_get(&e, &t->fake->env, t->arena, &got));
    EXPECT_STR(got.access_key_id, "ASIA4");
    http_server_stop(stub.server);
}

struct asker {
    struct test *t;
    const struct aws_environment *environment;
    int result;
};

static void ask(void *arg)
{
    struct asker *asker = arg;
    struct aws_credentials got;

    asker->result =
        aws_credentials_get(asker->environment, &asker->t->fake->env, asker->t->arena, &got);
}

TEST(many_askers_make_one_request)
{
    struct variables v = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}, {"/creds"}};
    struct asker askers[10];
    struct fiber *fibers[10];
    struct stub stub;
    struct aws_environment e;

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    for (int i = 0; i < 10; i++) {
        askers[i] = (struct asker){t, &e, -1};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "asker", ask, &askers[i]);
    }
    for (int i = 0; i < 10; i++) {
        EXPECT_OK(fiber_join(fibers[i]));
        EXPECT_EQ(askers[i].result, 0);
    }
    EXPECT_EQ(stub.requests, 1);
    http_server_stop(stub.server);
}

TEST(odd_answers_are_refused)
{
    struct variables v = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}, {"/creds"}};
    struct stub stub;
    struct aws_environment e;
    struct aws_credentials got = {.expires_at_ms = 77};

    REQUIRE_OK(start(t, &stub));
    e = environment(&v, &stub);
    stub.status = 404;
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_DENIED);
    EXPECT_EQ(stub.requests, 1); /* a refusal is not repeated */
    stub.status = 0;
    stub.failures = 9;
    EXPECT_EQ(aws_credentials_get(&e, &t->fake->env, t->arena, &got), ERR_UNAVAILABLE);
    EXPECT_EQ(got.expires_at_ms, 77);
    http_server_stop(stub.server);
}
