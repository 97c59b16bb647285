#include "fixture.h"
#include "store/messages.h"

/* What the session of a chat has, a line for each message: "Ana: text". */
static struct str kept(struct fixture *f, const char *chat)
{
    struct test *t = f->t;
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = STR("main"),
        .index = STORE_CHILDREN,
        .value = fixture_session(f, chat),
        .limit = 50,
        .cursor = STR("")};
    struct buf out = BUF_IN(t->arena);
    struct store_page page = {0};

    EXPECT_OK(messages_list(f->store, &query, t->arena, &page));
    for (size_t i = 0; i < page.count; i++) {
        const struct message_row *row = (const struct message_row *)page.rows + i;

        buf_printf(&out, "%.*s: %.*s\n", STR_ARG(row->author), STR_ARG(row->body));
    }
    return buf_str(&out);
}

TEST(edited_captions_keep_their_file)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "doc:deck.pdf|The deck");
    fixture_hear(&f, "a", "Ana", "doc:plan.pdf|");
    fixture_hear(&f, "a", "Ben", "fine");
    EXPECT_STR(kept(&f, "a"),
        "Ana: [document: deck.pdf] The deck\nAna: [document: plan.pdf]\nBen: fine\n");
    fixture_hear(&f, "a", "Ana", "edit:1:doc:deck.pdf|The deck, version 3");
    fixture_hear(&f, "a", "Ana", "edit:2:doc:plan-b.pdf|The other plan");
    fixture_hear(&f, "a", "Ben", "edit:3:great");
    EXPECT_STR(kept(&f, "a"), "Ana: [document: deck.pdf] The deck, version 3\n"
                              "Ana: [document: plan-b.pdf] The other plan\nBen: great\n");
    fixture_hear(&f, "a", "Ana", "edit:1:doc:deck.pdf|");
    EXPECT_STR(kept(&f, "a"), "Ana: [document: deck.pdf]\n"
                              "Ana: [document: plan-b.pdf] The other plan\nBen: great\n");
    fixture_close(&f);
}

TEST(chats_that_move_keep_what_was_said)
{
    struct fixture f;
    struct str session;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "We need 77 seats.");
    session = fixture_session(&f, "a");
    fixture_hear(&f, "c", "Ben", "nobody knows this chat yet");
    fixture_hear(&f, "a", "Ana", "moved:c");
    fixture_hear(&f, "c", "Ben", "And 12 more.");
    EXPECT_STR(fixture_session(&f, "c"), session.ptr);
    EXPECT_STR(kept(&f, "c"), "Ana: We need 77 seats.\nBen: And 12 more.\n");
    fixture_hear(&f, "a", "Ana", "moved:c"); /* the other chat tells it too */
    EXPECT_STR(kept(&f, "c"), "Ana: We need 77 seats.\nBen: And 12 more.\n");
    fixture_close(&f);
}

TEST(messages_before_the_news_of_a_move_begin_no_second_session)
{
    struct fixture f;
    struct str session;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "Ana", "We need 77 seats.");
    session = fixture_session(&f, "a");
    fixture_hear(&f, "b", "Ben", "Or 80?"); /* "b" is let in: it has a session */
    EXPECT(!str_eq(fixture_session(&f, "b"), session));
    fixture_hear(&f, "b", "Ana", "80 is fine.");
    fixture_hear(&f, "a", "Ana", "moved:b");
    EXPECT_STR(fixture_session(&f, "b"), session.ptr);
    fixture_hear(&f, "b", "Ben", "Good.");
    fixture_hear(&f, "a", "Ana", "moved:b");
    EXPECT_STR(
        kept(&f, "b"), "Ana: We need 77 seats.\nBen: Or 80?\nAna: 80 is fine.\nBen: Good.\n");
    fixture_close(&f);
}
