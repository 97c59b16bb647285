#include "agent/run.h"
#include "fixture.h"
#include "model/model.h"

/* What the model says, and what it was asked. */
static struct {
    const char *reply;
    bool fail;
    int calls;
    char asked[4096];
} writer;

static int writer_open(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    (void)config, (void)env, (void)name;
    *ret_state = &writer;
    return 0;
}

static void writer_close(void *state)
{
    (void)state;
}

static int writer_chat(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    (void)state, (void)arena;
    writer.calls++;
    snprintf(writer.asked, sizeof(writer.asked), "%.*s",
        STR_ARG(request->messages[request->message_count - 1].content));
    if (writer.fail) {
        *ret_error = MODEL_UNAVAILABLE;
        return err_set(ERR_UNAVAILABLE, "The model is down.");
    }
    *ret_reply = (struct model_reply){
        .content = str_from(writer.reply), .model = STR("writer"), .attempts = 1};
    return 0;
}

static const struct model_ops model_writer = {"writer", writer_open, writer_close, writer_chat};

struct written {
    struct fixture f;
    struct model *model;
    struct agent_house house;
};

static bool open_written(struct test *t, struct written *w, const char *reply)
{
    static const struct model_ops *const models[] = {&model_writer, NULL};

    model_register(models);
    memset(&writer, 0, sizeof(writer));
    writer.reply = reply;
    if (!fixture_open(t, &w->f) ||
        model_open(&w->f.config, &t->fake->env, STR("writer:w"), &w->model) < 0)
        return false;
    w->house = (struct agent_house){.env = &t->fake->env,
        .config = &w->f.config,
        .store = w->f.store,
        .models = &w->model,
        .model_count = 1,
        .configured_count = 1};
    w->f.bot->options.house = &w->house;
    return true;
}

static void close_written(struct written *w)
{
    fixture_close(&w->f);
    model_free(w->model);
}

static void talk(struct written *w)
{
    fixture_hear(&w->f, "a", "Ana", "/settings digest 18:00");
    fixture_hear(&w->f, "a", "Ana", "We agreed on 40 seats for Acme at 12,500 euros.");
    fixture_hear(&w->f, "a", "Ben", "I'll send the contract to legal@acme.example by Friday.");
    fixture_hear(&w->f, "a", "Ben", "The plan is at https://acme.example/plan now.");
    (void)fixture_said(&w->f);
}

TEST(a_digest_is_written_by_the_model_once)
{
    struct written w;
    struct str said;

    REQUIRE(open_written(t, &w, "**Agreed**\n- 40 seats for Acme at 12.500 euros\n"));
    talk(&w);
    fixture_pass(&w.f, 9 * HOUR_MS);
    said = fixture_said(&w.f);
    EXPECT(str_starts(said, STR("a: **What was said since Mon 2 Mar 2026, 09:00 UTC**\n\n**Agreed**"
                                "\n- 40 seats for Acme at 12.500 euros\n")));
    EXPECT_EQ(writer.calls, 1);
    EXPECT(strstr(writer.asked, "\"language\":\"en\"") != NULL);
    EXPECT(strstr(writer.asked, "We agreed on 40 seats") != NULL);
    EXPECT(strstr(writer.asked, "/settings") == NULL);
    fixture_pass(&w.f, DAY_MS);
    EXPECT_STR(fixture_said(&w.f), "");
    EXPECT_EQ(writer.calls, 1); /* nothing was said: nobody is asked */
    close_written(&w);
}

/* Then comes what the rules make of it. */
TEST(a_digest_says_only_what_was_said)
{
    static const struct {
        const char *reply;
        bool fail, used;
    } cases[] = {{"Acme takes 40 seats.", false, true},
        {"Write to legal@acme.example, see https://acme.example/plan.", false, true},
        {"At 3 p.m. or so, i.e. soon...", false, true}, {"See evil.com now", false, false},
        {"See acme.example/plan.", false, true}, {"Acme takes 41 seats.", false, false},
        {"It costs 1,250 euros.", false, false}, {"Write to eve@evil.example.", false, false},
        {"See [it](https://evil.example)", false, false}, {"See www.evil.example", false, false},
        {" ", false, false}, {"", true, false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct written w;
        struct str said;

        REQUIRE(open_written(t, &w, cases[i].reply));
        writer.fail = cases[i].fail;
        talk(&w);
        fixture_pass(&w.f, DAY_MS);
        said = fixture_said(&w.f);
        EXPECT_EQ(writer.calls, 1);
        if (cases[i].used)
            EXPECT(str_find(said, str_from(cases[i].reply), 0) > 0);
        else
            EXPECT(str_find(said, STR("**Agreed**\n- Ana: We agreed on 40 seats"), 0) > 0);
        EXPECT(str_find(said, STR("evil"), 0) < 0);
        close_written(&w);
    }
}

TEST(a_brief_is_written_by_the_model_below_its_head)
{
    struct written w;
    struct str said;
    int64_t start;

    REQUIRE(open_written(t, &w, "**In mind**\n- Acme wants 40 seats"));
    talk(&w);
    start = t->fake->wall_ms + 3 * HOUR_MS;
    (void)fixture_book(&w.f, "a", start, start + 30 * MINUTE_MS, "Acme review");
    fixture_pass(&w.f, 3 * HOUR_MS - 14 * MINUTE_MS);
    said = fixture_said(&w.f);
    EXPECT(str_find(said, STR("Acme review"), 0) > 0);
    EXPECT(str_find(said, STR("**In mind**\n- Acme wants 40 seats"), 0) > 0);
    EXPECT_EQ(writer.calls, 1);
    EXPECT(strstr(writer.asked, "Acme review") != NULL);
    close_written(&w);
}
