#include "agent/session.h"
#include "fixture.h"

/* Stored lines; a line that starts with "Theo" is an answer. */
static struct session session_of(struct test *t, const char *lines, bool whole)
{
    struct session session = {.whole = whole};

    if (lines[0] && transcript_parse(t->arena, str_from(lines), &session.stored) < 0)
        abort();
    session.outgoing = arena_array(t->arena, bool, session.stored.count + 1);
    for (size_t i = 0; i < session.stored.count; i++)
        session.outgoing[i] = str_is(session.stored.messages[i].party, "Theo");
    return session;
}

static void merge(struct test *t, const char *stored, bool whole, const char *next,
    size_t expect_known, const char *expect_chat)
{
    struct session session = session_of(t, stored, whole);
    struct transcript incoming, chat;
    struct buf out = BUF_IN(t->arena);

    REQUIRE_OK(transcript_parse(t->arena, str_from(next), &incoming));
    EXPECT_EQ(session_merge(&session, &incoming, t->arena, &chat), expect_known);
    for (size_t i = 0; i < chat.count; i++)
        buf_printf(&out, "%s%.*s: %.*s", i ? "\n" : "", STR_ARG(chat.messages[i].party),
            STR_ARG(chat.messages[i].text));
    EXPECT_STR(buf_str(&out), expect_chat);
}

TEST(session_merge_of_a_new_session)
{
    merge(t, "", true, "Ana: a\nBen: b", 0, "Ana: a\nBen: b");
}

TEST(session_merge_with_only_what_is_new)
{
    merge(t, "Ana: a\nBen: b\nTheo: t", true, "Ana: c", 0, "Ana: a\nBen: b\nTheo: t\nAna: c");
}

TEST(session_merge_of_the_whole_chat)
{
    merge(t, "Ana: a\nBen: b\nTheo: t", true, "Ana: a\nBen: b\nTheo: t\nAna: c", 3,
        "Ana: a\nBen: b\nTheo: t\nAna: c");
}

TEST(session_merge_of_the_whole_chat_without_answers)
{
    merge(t, "Ana: a\nBen: b\nTheo: t\nAna: c\nTheo: u", true, "Ana: a\nBen: b\nAna: c\nBen: d", 3,
        "Ana: a\nBen: b\nTheo: t\nAna: c\nTheo: u\nBen: d");
}

TEST(session_merge_of_a_repeated_request)
{
    merge(t, "Ana: a\nBen: b\nTheo: t", true, "Ana: a\nBen: b", 2, "Ana: a\nBen: b");
}

TEST(session_merge_with_a_tail_of_a_long_history)
{
    merge(t, "Ana: x\nBen: y\nAna: z", false, "Ben: y\nAna: z\nBen: new", 2,
        "Ana: x\nBen: y\nAna: z\nBen: new");
}

TEST(session_merge_of_two_clients_that_went_on_apart)
{
    merge(t, "Ana: a\nBen: b\nAna: one", true, "Ana: a\nBen: b\nAna: two", 2,
        "Ana: a\nBen: b\nAna: one\nAna: two");
}

TEST(session_merge_keeps_the_same_words_said_again)
{
    merge(t, "Ana: ok\nBen: fine\nAna: good", true, "Ana: ok", 0,
        "Ana: ok\nBen: fine\nAna: good\nAna: ok");
    merge(t, "Ana: ok\nAna: ok", true, "Ana: ok\nAna: ok\nAna: ok", 2, "Ana: ok\nAna: ok\nAna: ok");
}

TEST(session_merge_tells_people_apart)
{
    merge(t, "Ana: ok", true, "Ben: ok", 0, "Ana: ok\nBen: ok");
}

static int says_yes(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    (void)f, (void)call, (void)request, (void)arena, (void)error;
    return reply_text(reply, "Yes.");
}

/* Every turn sends the whole chat again, with or without Theo's answers. */
static void grow_chat(struct test *t, bool with_answers)
{
    struct buf chat = BUF_IN(t->arena);
    struct run_result result = {.session_id = STR("")};
    struct chat_session_row row;
    struct session_need need = {0};
    struct session session;
    struct transcript merged;
    struct fixture f;

    REQUIRE(fixture_open(t, &f, says_yes, NULL));
    for (int i = 0; i < 120; i++) {
        struct run_request request;

        buf_printf(&chat, "Ana: line %d\nBen: %s\n", i, i % 10 ? "ok" : "Theo, are you there?");
        request = fixture_request(&f, chat.ptr);
        request.session_id = result.session_id;
        REQUIRE_OK(fixture_run(&f, &request, &result));
        if (result.spoke && with_answers)
            buf_add_cstr(&chat, "Theo: Yes.\n");
        if (i < 119)
            continue;
        REQUIRE_OK(store_get(
            f.store, STORE_CHAT_SESSIONS, STR("main"), result.session_id, t->arena, &row));
        EXPECT_EQ(row.message_count, 240 + 12);
        need.next = request.chat;
        REQUIRE_OK(
            session_read(f.store, STR("main"), result.session_id, &need, t->arena, &session));
        EXPECT(session.stored.count >= 32 && session.stored.count <= 34); /* whole rows */
        EXPECT_EQ(session_merge(&session, &request.chat, t->arena, &merged), request.chat.count);
        EXPECT(merged.count >= request.chat.count);
        EXPECT_STR(merged.messages[0].text, "line 0");
        EXPECT_STR(merged.messages[merged.count - 1].text, "ok");
    }
    fixture_close(&f);
}

TEST(session_of_a_long_chat_sent_whole)
{
    grow_chat(t, true);
}

TEST(session_of_a_long_chat_sent_whole_without_answers)
{
    grow_chat(t, false);
}

/* A lively group: many messages after the one that is to be answered. */
TEST(session_read_reaches_the_message_that_is_asked_for)
{
    struct run_result result = {.session_id = STR("")};
    struct session_need need = {0};
    struct transcript chat;
    struct session session;
    struct fixture f;

    REQUIRE(fixture_open(t, &f, says_yes, NULL));
    for (int i = 1; i <= 150; i++) {
        struct run_request request = fixture_request(&f, str_printf(t->arena, "Ana: %d", i).ptr);

        request.session_id = result.session_id;
        request.must_reply = false;
        REQUIRE_OK(fixture_run(&f, &request, &result));
    }
    REQUIRE_OK(session_read(f.store, STR("main"), result.session_id, &need, t->arena, &session));
    EXPECT_EQ(session.stored.count, 40);
    EXPECT(!session.whole);
    EXPECT_STR(session.stored.messages[0].text, "111");
    EXPECT_STR(session.stored.messages[39].text, "150");
    need.seq = 50;
    REQUIRE_OK(session_read(f.store, STR("main"), result.session_id, &need, t->arena, &session));
    REQUIRE_OK(session_focus(&session, 50, STR(""), t->arena, &chat));
    EXPECT_STR(chat.messages[chat.count - 1].text, "50");
    EXPECT(chat.count >= 8);
    fixture_close(&f);
}

/* Somebody says more between the read of the chat's row and that of its messages. */
TEST(session_shows_the_message_that_is_answered_whatever_came_meanwhile)
{
    struct run_result result = {.session_id = STR("")};
    struct session_need need = {.seq = 3};
    struct message_row later = {.workspace_id = STR("main"),
        .seq = 4,
        .run_id = STR(""),
        .direction = STR("in"),
        .author = STR("Ben"),
        .body = STR("4"),
        .channel_ids = STR("")};
    struct store_batch batch;
    struct transcript chat;
    struct session session;
    struct fixture f;

    REQUIRE(fixture_open(t, &f, says_yes, NULL));
    for (int i = 1; i <= 3; i++) {
        struct run_request request = fixture_request(&f, str_printf(t->arena, "Ana: %d", i).ptr);

        request.session_id = result.session_id;
        request.must_reply = false;
        REQUIRE_OK(fixture_run(&f, &request, &result));
    }
    later.session_id = result.session_id;
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_MESSAGES, &later);
    REQUIRE_OK(store_commit(f.store, &batch));
    REQUIRE_OK(session_read(f.store, STR("main"), result.session_id, &need, t->arena, &session));
    REQUIRE_OK(session_focus(&session, 3, STR(""), t->arena, &chat));
    EXPECT_EQ(chat.count, 3);
    EXPECT_STR(chat.messages[2].text, "3");
    fixture_close(&f);
}
