#include "test.h"
#include "text/digest.h"

static size_t digest(
    struct test *t, const char *chat, const char *skip, struct digest_item *items, size_t max)
{
    struct transcript parsed;

    if (!EXPECT_OK(transcript_parse(t->arena, str_from(chat), &parsed)))
        return 0;
    return digest_make(&parsed, str_from(skip), t->arena, items, max);
}

static const char negotiation[] =
    "Ana: Hi all!\n"
    "Ben: Hello\n"
    "Ana: We would like to start the pilot with 50 seats at 20 euros per seat.\n"
    "Ben: How long should the pilot run?\n"
    "Ana: Three months, from April. Legal needs two weeks for the contract.\n"
    "Ben: lol ok\n"
    "Ben: How about a kick-off call on Tuesday at 3pm?\n"
    "Ana: Works for me.\n"
    "Ana: I'll send the draft contract by Friday.\n"
    "Theo: I booked the kick-off call for Tuesday 3pm.\n"
    "Ben: Agreed, we'll go with monthly billing.\n"
    "Ben: Who signs on your side?";

static const struct digest_item *find(
    const struct digest_item *items, size_t count, enum digest_kind kind, const char *part)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind == kind && str_find(items[i].text, str_from(part), 0) >= 0)
            return &items[i];
    }
    return NULL;
}

TEST(digest_finds_decisions_actions_and_open_questions)
{
    struct digest_item items[20];
    size_t count = digest(t, negotiation, "Theo", items, ARRAY_LEN(items));

    const struct digest_item *call = find(items, count, DIGEST_DECISION, "kick-off call");
    REQUIRE(call != NULL);
    EXPECT_STR(call->party, "Ben");
    EXPECT_EQ(call->message, 6);
    EXPECT(find(items, count, DIGEST_DECISION, "monthly billing") != NULL);
    const struct digest_item *draft = find(items, count, DIGEST_ACTION, "draft contract");
    REQUIRE(draft != NULL);
    EXPECT_STR(draft->party, "Ana");
    EXPECT_STR(draft->text, "I'll send the draft contract by Friday.");
    EXPECT(find(items, count, DIGEST_QUESTION, "Who signs") != NULL);
    EXPECT(find(items, count, DIGEST_QUESTION, "How long") == NULL);
    EXPECT(find(items, count, DIGEST_POINT, "50 seats") != NULL);
    for (size_t i = 0; i < count; i++) {
        EXPECT(!str_is(items[i].party, "Theo"));
        EXPECT(str_find_nocase(items[i].text, STR("lol"), 0) < 0);
        EXPECT(i == 0 || items[i - 1].message <= items[i].message);
    }
}

TEST(digest_keeps_to_the_limit_and_prefers_what_was_decided)
{
    struct digest_item items[3];
    size_t count = digest(t, negotiation, "Theo", items, ARRAY_LEN(items));

    EXPECT_EQ(count, 3);
    EXPECT(find(items, count, DIGEST_DECISION, "monthly billing") != NULL);
    EXPECT(find(items, count, DIGEST_ACTION, "draft contract") != NULL);
    EXPECT_EQ(digest(t, negotiation, "Theo", items, 0), 0);
}

TEST(digest_leaves_out_what_is_asked_of_the_agent)
{
    struct digest_item items[8];

    EXPECT_EQ(digest(t,
                  "Ana: Theo, what did we say about the deck?\n"
                  "Ben: @acme_bot can you move the call to Friday?\n"
                  "Ana: /summary since Monday\n"
                  "Ana: Theo, please summarise what was said and agreed.\n"
                  "Ana: Theo, summarise what we agreed.\n"
                  "Ben: Theo book the call with Ana we agreed on.\n",
                  "Theo", items, 8),
        0);
    EXPECT_EQ(digest(t, "Ana: Theo, we agreed on 40 seats.\n", "Theo", items, 8), 1);
    EXPECT_EQ(digest(t, "Ana: We agreed on 40 seats. Theo, can you book the kick-off?\n", "Theo",
                  items, 8),
        1);
    EXPECT_STR(items[0].text, "We agreed on 40 seats.");
}

TEST(digest_tells_what_was_agreed_to)
{
    struct digest_item items[8];
    size_t count = digest(t,
        "Ben: Hi Ana, great to meet you!\n"
        "Ana: We can offer 50 seats at 20 euros a seat.\n"
        "Ben: OK, agreed. I'll send the deck by Friday.\n",
        "Theo", items, 8);

    REQUIRE(count == 2);
    EXPECT_EQ(items[0].kind, DIGEST_DECISION);
    EXPECT_STR(items[0].text, "We can offer 50 seats at 20 euros a seat.");
    EXPECT_EQ(items[1].kind, DIGEST_ACTION);
    EXPECT_STR(items[1].text, "I'll send the deck by Friday.");
}

TEST(digest_takes_terms_that_were_agreed_to_for_a_decision)
{
    static const struct {
        const char *answer;
        enum digest_kind kind;
    } cases[] = {{"Great, agreed. Theo, summarise what we agreed.", DIGEST_DECISION},
        {"Sounds good!", DIGEST_DECISION}, {"Deal", DIGEST_DECISION}, {"Great", DIGEST_POINT},
        {"OK, agreed if it is $10.", DIGEST_POINT}, {"Yes, let me think about it", DIGEST_POINT}};
    struct digest_item items[8];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str chat = str_printf(
            t->arena, "Ana: We can ship 500 units in March at $12.\nBen: %s\n", cases[i].answer);
        size_t count = digest(t, chat.ptr, "Theo", items, 8);

        REQUIRE(count > 0);
        EXPECT_STR(items[0].text, "We can ship 500 units in March at $12.");
        EXPECT_EQ(items[0].kind, cases[i].kind);
        EXPECT(i != 0 || count == 1);
    }
}

TEST(digest_of_noise_is_empty)
{
    struct digest_item items[5];

    EXPECT_EQ(digest(t, "Ana: hi all\nBen: lol\nAna: ok thanks!\nBen: :)", "", items, 5), 0);
}

TEST(digest_names_each_sentence_once)
{
    struct digest_item items[9];
    size_t count =
        digest(t, "Ana: We launch the product in May.\nBen: ok\nAna: we launch the product in may.",
            "", items, 9);

    EXPECT_EQ(count, 1);
}

TEST(digest_text_is_question)
{
    static const char *const questions[] = {"Is it Friday?", "what time is it", "can you send it",
        "So, when is the call", "Ana, could we move it", "how much does it cost",
        "anyone know their CEO", "why not", "when? :)", "Is it Friday? I forgot.", "any news",
        "who's in", "which one", "has anyone called them", "hey, does that work"};
    static const char *const statements[] = {"It is Friday.", "When we met, it rained", "how nice",
        "see https://a.example/?q=1", "can do", "", "I know what you mean", "ok", "Let's go",
        "What a day", "have a good one tomorrow folks", "will do"};

    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        if (!EXPECT(text_is_question(str_from(questions[i]))))
            printf("# %.*s\n", STR_ARG(str_from(questions[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        if (!EXPECT(!text_is_question(str_from(statements[i]))))
            printf("# %.*s\n", STR_ARG(str_from(statements[i])));
    }
}
