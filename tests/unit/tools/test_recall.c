#include "fixture.h"

extern const struct tool tool_recall;

static int add(
    struct fixture *f, const char *session, int seq, const char *author, const char *body)
{
    struct message_row row = {.workspace_id = STR("main"),
        .session_id = str_from(session),
        .seq = seq,
        .direction = STR("in"),
        .author = str_from(author),
        .body = str_from(body),
        .at = 1772442000000 + seq};
    struct store_batch batch;

    store_batch_init(&batch, f->t->arena);
    store_insert(&batch, STORE_MESSAGES, &row);
    return store_commit(f->store, &batch);
}

static bool open_history(struct test *t, struct fixture *f)
{
    return fixture_open(t, f) && add(f, "S", 1, "Ana", "The price is 12 euro a box") == 0 &&
           add(f, "S", 2, "Ben", "prices rise in May") == 0 &&
           add(f, "S", 3, "Ana", "The box weighs 3 kg") == 0 &&
           add(f, "S", 4, "Cy", "unpriced goods") == 0 &&
           add(f, "S2", 1, "Eve", "The price is a secret of another chat") == 0;
}

TEST(recall_ranks_by_terms)
{
    struct fixture f;

    REQUIRE(open_history(t, &f));
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"what is the price of a box?\"}"));
    REQUIRE(json_len(json_get(f.content, "matches")) == 4);
    EXPECT_STR(fixture_get(&f, "matches.0.text"), "The price is 12 euro a box");
    EXPECT_STR(fixture_get(&f, "matches.0.party"), "Ana");
    EXPECT_STR(fixture_get(&f, "matches.0.at"), "2026-03-02T09:00:00.001Z");
    EXPECT_STR(fixture_get(&f, "matches.1.text"), "The box weighs 3 kg");
    EXPECT_STR(fixture_get(&f, "matches.2.text"), "prices rise in May");
    EXPECT_STR(fixture_get(&f, "matches.3.text"), "unpriced goods");
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"price\",\"limit\":1}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 1);
    fixture_close(&f);
}

TEST(recall_does_not_find_the_questions_themselves)
{
    struct chat_message asked = {STR("Eve"), STR("and the volume of the box again"), 0};
    struct fixture f;

    REQUIRE(open_history(t, &f));
    REQUIRE_OK(add(&f, "S", 5, "Ben", "Theo, what did we say about the volume?"));
    REQUIRE_OK(add(&f, "S", 6, "Ben", "@acme_bot the volume please"));
    REQUIRE_OK(add(&f, "S", 7, "Ben", "/ask volume"));
    REQUIRE_OK(add(&f, "S", 8, "Eve", "and the volume of the box again"));
    f.call.chat = &(struct transcript){&asked, 1};
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"volume\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 0);
    REQUIRE_OK(add(&f, "S", 9, "Ana", "The volume is 8 litres, Theo wrote it down"));
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"volume\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 1);
    fixture_close(&f);
}

TEST(recall_knows_this_chat_only)
{
    struct fixture f;

    REQUIRE(open_history(t, &f));
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"secret\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 0);
    f.call.workspace_id = STR("other");
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"price\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 0);
    fixture_close(&f);
}

TEST(recall_finds_by_speaker_and_in_long_histories)
{
    struct fixture f;

    REQUIRE(open_history(t, &f));
    for (int i = 5; i < 1200; i++)
        REQUIRE_OK(add(&f, "S", i, "Dan", "filling"));
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"Ben\"}"));
    EXPECT_STR(fixture_get(&f, "matches.0.text"), "prices rise in May");
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"What did Ana say about weights?\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 2);
    REQUIRE_OK(fixture_call(&f, &tool_recall, "{\"query\":\"What did Ana say about kg?\"}"));
    EXPECT_EQ(json_len(json_get(f.content, "matches")), 1);
    EXPECT_STR(fixture_get(&f, "matches.0.text"), "The box weighs 3 kg");
    EXPECT_EQ(fixture_call(&f, &tool_recall, "{}"), ERR_INVALID);
    fixture_close(&f);
}

/* The agent's own answers up to the last tainted one may say what others wanted. */
TEST(recall_says_that_an_answer_may_be_tainted)
{
    static const struct {
        const char *query, *state;
        bool untrusted;
    } cases[] = {{"price", "{\"taint\":{\"seq\":6,\"sources\":[\"tool:read_page\"]}}", false},
        {"address", "{\"taint\":{\"seq\":6,\"sources\":[\"tool:read_page\"]}}", true},
        {"address", "{\"taint\":{\"seq\":5,\"sources\":[\"tool:read_page\"]}}", true},
        {"address", "{\"taint\":{\"seq\":4,\"sources\":[\"tool:read_page\"]}}", false},
        {"address", "{}", false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct chat_session_row session = {.workspace_id = STR("main"),
            .id = STR("S"),
            .kind = STR("chat"),
            .state = str_from(cases[i].state)};
        struct message_row answer = {.workspace_id = STR("main"),
            .session_id = STR("S"),
            .seq = 5,
            .direction = STR("out"),
            .author = STR("Theo"),
            .body = STR("The address is eve@evil.example")};
        struct store_batch batch;
        struct fixture f;

        REQUIRE(open_history(t, &f));
        store_batch_init(&batch, t->arena);
        store_insert(&batch, STORE_CHAT_SESSIONS, &session);
        store_insert(&batch, STORE_MESSAGES, &answer);
        REQUIRE_OK(store_commit(f.store, &batch));
        REQUIRE_OK(fixture_call(
            &f, &tool_recall, str_printf(t->arena, "{\"query\":\"%s\"}", cases[i].query).ptr));
        EXPECT(json_len(json_get(f.content, "matches")) > 0);
        EXPECT_EQ(f.result.untrusted, cases[i].untrusted);
        fixture_close(&f);
    }
}
