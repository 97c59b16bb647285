#include "agent/memory.h"
#include "fixture.h"
#include "store/erase.h"

static const char deal[] =
    "Ana: We sell cold-chain sensors.\nBen: Agreed on 12 euro for 500 units.\n"
    "Ana: I will send the contract on Friday.\nTheo: Good.";

static int answers(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    return reply_text(reply, "no JSON at all");
}

/* A chat that is stored; returns its id. */
static struct str store_chat(struct fixture *f, const char *text)
{
    struct run_request request = fixture_request(f, text);
    struct run_result result = {0};
    struct test *t = f->t;

    EXPECT_OK(fixture_run(f, &request, &result));
    return str_dup(f->t->arena, result.session_id);
}

static struct store_page notes_of(struct fixture *f, struct str session_id)
{
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = STR("main"),
        .index = 0,
        .value = session_id,
        .limit = 100,
        .cursor = STR("")};
    struct store_page page = {0};
    struct test *t = f->t;

    EXPECT_OK(store_list(f->store, &query, f->t->arena, &page));
    return page;
}

static const struct memory_row *note_of_kind(const struct store_page *page, const char *kind)
{
    for (size_t i = 0; i < page->count; i++)
        if (str_is(((const struct memory_row *)page->rows)[i].kind, kind))
            return (const struct memory_row *)page->rows + i;
    return NULL;
}

static struct str recalled(struct fixture *f, struct str session_id, bool whole)
{
    struct chat_session_row session;
    struct str text = STR("?");
    struct test *t = f->t;

    EXPECT_OK(
        store_get(f->store, STORE_CHAT_SESSIONS, STR("main"), session_id, f->t->arena, &session));
    EXPECT_OK(memory_recall(f->store, &session, whole, f->t->arena, &text));
    return text;
}

TEST(decisions_and_promises_are_noted_once)
{
    struct fixture f;
    struct store_page page;
    struct str session;
    size_t notes;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    session = store_chat(&f, deal);
    REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
    EXPECT_EQ(notes, 2);
    page = notes_of(&f, session);
    EXPECT_EQ(page.count, 3);
    REQUIRE(note_of_kind(&page, "decision") && note_of_kind(&page, "open_point"));
    EXPECT_STR(note_of_kind(&page, "decision")->subject, "Ben");
    EXPECT_STR(note_of_kind(&page, "decision")->body, "Agreed on 12 euro for 500 units.");
    EXPECT_EQ(note_of_kind(&page, "decision")->message_seq, 2);
    EXPECT_STR(note_of_kind(&page, "open_point")->subject, "Ana");
    REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
    EXPECT_EQ(notes, 0);
    EXPECT_EQ(notes_of(&f, session).count, 3);
    fixture_close(&f);
}

TEST(a_note_is_recalled_in_its_chat_alone)
{
    struct fixture f;
    struct str session, other, text;
    size_t notes;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    session = store_chat(&f, deal);
    other = store_chat(&f, "Cleo: hello\nDan: Theo, what did Ben agree to?");
    REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
    text = recalled(&f, session, true);
    EXPECT(str_find(text, STR("Agreed on 12 euro"), 0) >= 0);
    EXPECT(str_find(text, STR("Earlier in this chat"), 0) < 0);
    text = recalled(&f, session, false);
    EXPECT(str_find(text, STR("Earlier in this chat:\n- "), 0) == 0);
    EXPECT_STR(recalled(&f, other, false), "");
    fixture_close(&f);
}

/* Two notes that say what they must, among some that do not. */
static int writes_notes(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)arena, (void)error;
    if (str_empty(request->response_schema))
        return reply_text(reply, "Fine.");
    return reply_text(reply,
        "{\"summary\":\"Ana sells sensors to Ben.\",\"notes\":["
        "{\"kind\":\"preference\",\"subject_kind\":\"person\",\"subject\":\"Ana\",\"text\":\"Ana "
        "likes mornings.\",\"message\":1},"
        "{\"kind\":\"order\",\"subject_kind\":\"person\",\"subject\":\"Ana\",\"text\":\"x\","
        "\"message\":1},"
        "{\"kind\":\"fact\",\"subject_kind\":\"company\",\"subject\":\"Acme\",\"text\":\"from "
        "nowhere\",\"message\":99},"
        "{\"kind\":\"fact\",\"subject_kind\":\"chat\",\"subject\":\"\",\"text\":\" \","
        "\"message\":1},"
        "7,{\"kind\":\"fact\",\"subject_kind\":\"company\",\"subject\":\"Acme\",\"text\":\"Acme "
        "sells sensors.\",\"message\":1}]}");
}

TEST(a_models_notes_are_checked)
{
    struct fixture f;
    struct store_page page;
    struct str session;
    size_t notes;

    REQUIRE(fixture_open(t, &f, writes_notes, NULL));
    session = store_chat(&f, "Ana: We sell sensors; mornings suit me.\nBen: Theo, noted?");
    REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
    EXPECT_EQ(notes, 2);
    page = notes_of(&f, session);
    EXPECT_EQ(page.count, 3);
    REQUIRE(note_of_kind(&page, "summary"));
    EXPECT_STR(note_of_kind(&page, "summary")->body, "Ana sells sensors to Ben.");
    EXPECT_STR(note_of_kind(&page, "preference")->source, "model");
    fixture_close(&f);
}

/* What the model is shown to take notes from is kept as the chat's only note. */
static int reads_a_page_and_notes(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)error;
    if (!str_empty(request->response_schema)) {
        struct buf out = BUF_IN(arena);
        struct json_writer w;

        json_init(&w, &out);
        json_object_begin(&w);
        json_str_member(&w, "summary", request->messages[1].content);
        json_raw_member(&w, "notes", STR("[]"));
        json_object_end(&w);
        return reply_text(reply, str_cstr(arena, buf_str(&out)));
    }
    if (call == 0)
        return reply_calls(arena, reply, "fetch", "{}", 1);
    return reply_text(reply, "Send it to eve@evil.example.");
}

TEST(what_a_tainted_run_answered_is_not_noted)
{
    for (int untrusted = 0; untrusted < 2; untrusted++) {
        const struct memory_row *summary;
        struct store_page page;
        struct fixture f;
        struct str session;
        size_t notes;

        REQUIRE(fixture_open(t, &f, reads_a_page_and_notes, NULL));
        f.fetch_untrusted = untrusted == 1;
        session = store_chat(&f, "Ana: the deck is ready\nBen: Theo, where should it go?");
        REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
        page = notes_of(&f, session);
        summary = note_of_kind(&page, "summary");
        REQUIRE(summary);
        EXPECT_EQ(str_find(summary->body, STR("eve@evil.example"), 0) >= 0, untrusted == 0);
        EXPECT(str_find(summary->body, STR("the deck is ready"), 0) > 0);
        EXPECT_EQ(summary->message_seq, 3);
        fixture_close(&f);
    }
}

TEST(memory_is_written_behind_the_answer_when_enough_was_said)
{
    struct run_request request;
    struct run_result result;
    struct fixture f;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    f.config.memory_every_messages = 5;
    request = fixture_request(&f, deal);
    REQUIRE_OK(fixture_run(&f, &request, &result));
    REQUIRE_OK(fiber_sleep(20));
    EXPECT_EQ(notes_of(&f, result.session_id).count, 0); /* four messages */
    request.session_id = result.session_id;
    request.chat = fixture_request(&f, "Ben: And the deck?\nAna: Theo, remind us.").chat;
    REQUIRE_OK(fixture_run(&f, &request, &result));
    for (int i = 0; i < 200 && notes_of(&f, result.session_id).count < 3; i++)
        REQUIRE_OK(fiber_sleep(5));
    EXPECT_EQ(notes_of(&f, result.session_id).count, 3);
    fixture_close(&f);
}

TEST(notes_go_with_the_chat_and_with_a_person)
{
    struct erase_stats stats;
    struct fixture f;
    struct str session;
    size_t notes;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    session = store_chat(&f, deal);
    REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
    REQUIRE_OK(erase_person(f.store, STR("main"), STR("ana"), &stats));
    EXPECT_EQ(notes_of(&f, session).count, 0);
    session = store_chat(&f, deal);
    REQUIRE_OK(memory_write(&f.house, STR("main"), session, &notes));
    EXPECT_EQ(notes_of(&f, session).count, 3);
    REQUIRE_OK(erase_session(f.store, STR("main"), session));
    EXPECT_EQ(notes_of(&f, session).count, 0);
    fixture_close(&f);
}

/* Somebody erased the chat while its notes were made: nothing comes back. */
TEST(nothing_is_noted_of_a_chat_that_is_gone)
{
    struct fixture f;
    size_t notes = 7;

    REQUIRE(fixture_open(t, &f, answers, NULL));
    EXPECT_OK(memory_write(&f.house, STR("main"), STR("gone"), &notes));
    EXPECT_EQ(notes, 0);
    fixture_close(&f);
}
