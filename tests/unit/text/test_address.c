#include "test.h"
#include "text/address.h"

static struct address_verdict judge(struct test *t, const char *chat)
{
    struct transcript parsed = {0};
    struct address_verdict none = {0};

    if (!EXPECT_OK(transcript_parse(t->arena, str_from(chat), &parsed)))
        return none;
    return address_judge(&parsed, STR("Theo"), NULL, 0);
}

static void expect_all(struct test *t, const char *const *chats, size_t count, bool addressed)
{
    for (size_t i = 0; i < count; i++) {
        struct address_verdict got = judge(t, chats[i]);
        if (got.addressed != addressed || got.addressed != (got.score >= 0.5)) {
            printf("# %.*s (%s, %.2f)\n", STR_ARG(str_from(chats[i])), got.reason, got.score);
            EXPECT_EQ(got.addressed, addressed);
        }
    }
}

/* One message among Ana, Ben and Theo. */
static void expect_messages(
    struct test *t, const char *const *messages, size_t count, bool addressed)
{
    for (size_t i = 0; i < count; i++) {
        struct str chat =
            str_printf(t->arena, "Ben: morning all\nCarla: hi\nAna: hello\nAna: %s", messages[i]);
        const char *one = chat.ptr;
        expect_all(t, &one, 1, addressed);
    }
}

TEST(address_names_him)
{
    static const char *const messages[] = {
        "Theo, can you book a call for Tuesday at 3pm?",
        "Theo: summarise this please",
        "theo what did we agree on?",
        "Theo can you find a slot next week?",
        "Theo could you please check their website",
        "Theo please send the invite",
        "Theo book a room for tomorrow",
        "Theo - any news on Acme?",
        "Theo — any news on Acme?",
        "Theo? are you there",
        "Theo!",
        "THEO",
        "hey Theo",
        "Hey Theo what is the status of the contract",
        "Hi Theo, who is Acme's CEO?",
        "hello theo! when is the next call",
        "thanks Theo",
        "Thanks, Theo!",
        "Thank you Theo",
        "ok Theo, go ahead",
        "Ok great, Theo please book it",
        "Good morning Theo, what's on today?",
        "what do you think, Theo?",
        "What do you think Theo?",
        "can you summarise the discussion, Theo",
        "can you summarise the discussion theo?",
        "Could you look that up for us, Theo, please?",
        "please book it, theo",
        "I think, Theo, that you should move the call",
        "So, Theo, what is the plan?",
        "Sounds good to me. Theo, please set it up for Friday 10am.",
        "Sounds good to me! Theo can you set it up?",
        "Works for me, Theo can you send the invite?",
        "That works. Thanks Theo",
        "@Theo please summarise",
        "@theo what did we agree?",
        "can @Theo book this for us",
        "@ Theo ping",
        "Theo, Ana and I would like a call on Monday, can you book it?",
        "Ben, Theo: please join at 3",
        "Ben and Theo, can you both check the numbers?",
        "Theo and Ben, could you check the numbers?",
        "And you, Theo?",
        "sorry Theo, wrong date",
        "Yes Theo, that one",
        "no theo, not Tuesday",
        "Let's do 3pm Tuesday. Theo?",
        "Theo is there a slot on Friday?",
        "Theo do we have a contract with them?",
        "Theo is the meeting at 3?",
        "Theo\xf0\x9f\x99\x8f can you help",
        "Theo\xe4\xbd\xa0\xe5\xa5\xbd",
        "Theo> look at this",
        "Theo| any ideas",
        "Theo : which one?",
        "hola Theo, puedes reservar?",
        "I told Ben already. Theo, book it.",
        "quick question Theo: what is their revenue?",
        "Theo what's their address?",
        "Theo I need a summary",
        "Theo we agreed on Friday, book it please",
        "nice work theo",
        "right, Theo?",
        "Theo when is our next meeting",
        "Theo which companies attend?",
        "For Theo: please check the price",
        "Any news, Theo?",
        "yes please Theo",
        "Theo? can you hear me",
        "Theo,can you book?",
        "stop it Theo",
        "Theo, said nobody ever, please write the summary",
    };
    expect_messages(t, messages, ARRAY_LEN(messages), true);
}

TEST(address_talks_about_him)
{
    static const char *const messages[] = {
        "Theo said he would send it",
        "I asked Theo already",
        "as Theo wrote, the deadline is Friday",
        "Theo's deck looks great",
        "Theo\xe2\x80\x99s summary is good",
        "tell Theo to book it",
        "Ben, can you ask Theo?",
        "Ben: Theo already told him what he needs",
        "@Ben did Theo reply to you?",
        "I like Theo",
        "we met with Ben, Carla, Theo and the lawyers",
        "I'll loop in Theo",
        "did Theo answer?",
        "has anyone tried Theo",
        "Theo will send the notes",
        "Theo is out today",
        "Theo was wrong about the date",
        "Theo booked the room yesterday",
        "Theo can book it later",
        "let's ask Theo about it",
        "maybe Theo knows",
        "according to Theo it is Friday",
        "the summary from Theo was fine",
        "who is Theo?",
        "what about Theo?",
        "where's Theo?",
        "we should use Theo for that",
        "our assistant, Theo, will send the invite",
        "Theo and I talked yesterday",
        "Theo, Ben and I met yesterday",
        "I think Theo is right",
        "I hope Theo can help",
        "@theodore_bot please summarise",
        "theodore, can you help?",
        "theo_bot, status",
        "see theo.io for more",
        "mail theo@acme.com",
        "Theo|away, hi",
        "check #theo for the logs",
        "> Theo, can you book it?\nI did that already",
        "the name \"Theo\" is nice",
        "Theo also said Friday",
        "Theo just sent it",
        "Theo's",
        "it was Theo",
        "thanks to Theo we have a deal",
        "cc Theo",
        "Ben, did you see what Theo wrote?",
        "I told Theo, he knows",
        "Theology is hard",
        "let me check with Theo.",
        "Ana, Ben and Theo will attend",
        "Theo is a great tool",
        "no Theo today?",
        "does Theo know?",
        "it's on Theo",
        "Ben, Theo booked it",
        "Theo isn't answering",
        "we could use Theo for that",
        "the Theo integration works",
    };
    expect_messages(t, messages, ARRAY_LEN(messages), false);
}

TEST(address_without_a_name)
{
    static const char *const silent[] = {
        "Ana: lunch?\nBen: sure\nCarla: me too",
        "Ana: Theo, what is 2+2?\nTheo: 4.\nBen: lol\nCarla: ok so about the contract",
        "Ana: hi\nBen: hi\nTheo: I booked it.",
        "Ana: Theo, book Tuesday\nTheo: Booked for Tuesday 3pm.\nBen: Ana, is that ok for you?",
        "Ana: Theo, when?\nTheo: Ana, morning or afternoon?\nBen: by the way, the deck is out",
        "Ana: morning\nBen: hi\nAna: Ben, can you send the deck?\nBen: sure, tomorrow",
        "Ana: hello Ben\nAna: any news?",
    };
    static const char *const answered[] = {
        "Ana: Theo, book a call with Ben\nBen: fine\nTheo: Which day works for you?\nBen: Tuesday "
        "3pm",
        "Ana: Theo, book a call\nBen: fine\nTheo: Ana, which day?\nAna: Tuesday 3pm",
        "Ben: hi\nAna: Theo, book Tuesday\nTheo: Booked for Tuesday 3pm.\nAna: please move it to "
        "4pm",
        "Ben: hi\nAna: Theo, who is Acme's CEO?\nTheo: It is Jane Doe.\nAna: and the CFO?",
        "Ana: Theo, hi\nTheo: Hello Ana!\nAna: I need a room tomorrow",
        "Ben: ok\nAna: Theo?\nAna: what did we agree on?",
        "Ben: ok\nAna: hey theo\nAna: book a call on Friday",
    };
    expect_all(t, silent, ARRAY_LEN(silent), false);
    expect_all(t, answered, ARRAY_LEN(answered), true);
}

TEST(address_irc_nicks)
{
    static const char *const addressed[] = {
        "Matt|: epod, oh k\nTheo: thanks\nbob2: Theo: it does",
        "Matt|: epod, oh k\n|trey|: Theo, you have the headers?",
    };
    static const char *const silent[] = {
        "Theo: brb\nMatt|: |trey|, what did Theo say?",
        "|trey|: hm\nTheo: the_one: yes\nMatt|: |trey|: Theo is right",
        "bob2: yes\nMatt|: bob2: ask Theo",
        "ogra: a\nTheo: stuNNed: it should show up\nRuffian|JANE|: what a day",
    };
    expect_all(t, addressed, ARRAY_LEN(addressed), true);
    expect_all(t, silent, ARRAY_LEN(silent), false);
}

TEST(address_own_message_and_aliases)
{
    struct transcript chat;
    struct str aliases[] = {STR("theo_sales_bot"), STR("Theodor")};

    REQUIRE_OK(transcript_parse(t->arena, STR("Ana: hi\n@Theo: Theo, note to self"), &chat));
    struct address_verdict own = address_judge(&chat, STR("Theo"), NULL, 0);
    EXPECT(!own.addressed);
    EXPECT_CSTR(own.reason, "own message");

    REQUIRE_OK(transcript_parse(t->arena, STR("Ana: @theo_sales_bot what now?"), &chat));
    EXPECT(!address_judge(&chat, STR("Theo"), NULL, 0).addressed);
    EXPECT(address_judge(&chat, STR("Theo"), aliases, 2).addressed);

    REQUIRE_OK(transcript_parse(t->arena, STR("Ana: hi\nTheodor: I booked it"), &chat));
    EXPECT_CSTR(address_judge(&chat, STR("Theo"), aliases, 2).reason, "own message");

    struct transcript none = {0};
    EXPECT(!address_judge(&none, STR("Theo"), NULL, 0).addressed);
}

TEST(address_names_whole_words)
{
    EXPECT(address_names(STR("ask theo about it"), STR("Theo")));
    EXPECT(address_names(STR("(Theo)"), STR("Theo")));
    EXPECT(address_names(STR("Theo"), STR("Theo")));
    EXPECT(!address_names(STR("theodore"), STR("Theo")));
    EXPECT(!address_names(STR("theo_bot"), STR("Theo")));
    EXPECT(!address_names(STR("theo-like"), STR("Theo")));
    EXPECT(!address_names(STR("Th\xc3\xa9o"), STR("Theo")));
    EXPECT(!address_names(STR("x"), STR("")));
    EXPECT(!address_names(STR(""), STR("Theo")));
}
