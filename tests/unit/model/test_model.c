#include "model/model.h"
#include "test.h"
#include "watch/metrics.h"

/* A model that answers with its own name, or fails as told by it. */
static int echo_open(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    (void)config;
    (void)env;
    if (str_is(name, "bad"))
        return err_field(ERR_INVALID, "model", "bad name");
    *ret_state = str_heap(name);
    return 0;
}

static void echo_close(void *state)
{
    free(state);
}

static int echo_chat(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    (void)request;
    if (str_is(STR("busy"), state)) {
        *ret_error = MODEL_RATE_LIMITED;
        return err_set(ERR_BUSY, "too many requests");
    }
    *ret_reply = (struct model_reply){.content = str_dup(arena, str_from(state)),
        .usage = {.input_tokens = 7, .output_tokens = 3}};
    return 0;
}

static const struct model_ops echo = {"echo", echo_open, echo_close, echo_chat};
static const struct model_ops builtin = {"builtin", echo_open, echo_close, echo_chat};
static const struct model_ops *const models[] = {&builtin, &echo, NULL};

TEST(model_open_by_prefix)
{
    struct config config = {0};
    struct model *model = NULL;
    model_register(models);
    REQUIRE_OK(model_open(&config, env_system(), STR(" echo:a:b "), &model));
    EXPECT_STR(model_spec(model), "echo:a:b");
    EXPECT(!model_is_builtin(model));
    struct model_reply reply;
    enum model_error error = MODEL_CANCELLED;
    struct model_request request = {0};
    EXPECT_OK(model_chat(model, &request, t->arena, &reply, &error));
    EXPECT_EQ(error, MODEL_OK);
    EXPECT_STR(reply.content, "a:b");
    model_free(model);

    REQUIRE_OK(model_open(&config, env_system(), STR("builtin"), &model));
    EXPECT(model_is_builtin(model));
    model_free(model);
    model_free(NULL);
}

TEST(model_open_refuses)
{
    static const char *const bad[] = {"", "gpt-5", "echoes:x", "echo2", ":x", "echo:bad"};
    struct config config = {0};
    struct model *model = NULL;
    model_register(models);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        EXPECT_EQ(model_open(&config, env_system(), str_from(bad[i]), &model), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "model");
    }
    EXPECT(model == NULL);
    EXPECT_EQ(model_open(&config, env_system(), STR("gpt-5"), &model), ERR_INVALID);
    EXPECT(str_find(str_from(err_message()), STR("builtin, echo"), 0) > 0);
}

TEST(model_chat_counts)
{
    struct config config = {0};
    struct model *good, *busy;
    struct model_request request = {0};
    struct model_reply reply = {.attempts = 99};
    enum model_error error;
    int64_t ok = metric_read(M_MODEL_CALLS, "ok");
    int64_t limited = metric_read(M_MODEL_CALLS, "rate_limited");
    int64_t tokens = metric_read(M_MODEL_TOKENS, "input");
    model_register(models);
    REQUIRE_OK(model_open(&config, env_system(), STR("echo:x"), &good));
    REQUIRE_OK(model_open(&config, env_system(), STR("echo:busy"), &busy));
    EXPECT_EQ(model_chat(busy, &request, t->arena, &reply, &error), ERR_BUSY);
    EXPECT_EQ(error, MODEL_RATE_LIMITED);
    EXPECT_EQ(reply.attempts, 99); /* untouched on failure */
    EXPECT_OK(model_chat(good, &request, t->arena, &reply, &error));
    EXPECT_EQ(metric_read(M_MODEL_CALLS, "ok") - ok, 1);
    EXPECT_EQ(metric_read(M_MODEL_CALLS, "rate_limited") - limited, 1);
    EXPECT_EQ(metric_read(M_MODEL_TOKENS, "input") - tokens, 7);
    model_free(good);
    model_free(busy);
}

TEST(model_error_names)
{
    EXPECT_CSTR(model_error_name(MODEL_OK), "ok");
    EXPECT_CSTR(model_error_name(MODEL_CONTEXT_OVERFLOW), "context_overflow");
    EXPECT_CSTR(model_error_name(MODEL_CANCELLED), "cancelled");
    EXPECT_CSTR(model_error_name((enum model_error)99), "unknown");
}
