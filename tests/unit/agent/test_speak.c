#include "agent/speak.h"
#include "test.h"

static struct speak_verdict decide(struct test *t, const char *chat, bool must_reply)
{
    struct transcript parsed = {0};
    struct speak_verdict none = {0};

    if (!EXPECT_OK(transcript_parse(t->arena, str_from(chat), &parsed)))
        return none;
    return speak_decide(&parsed, STR("Theo"), must_reply, t->fake->wall_ms, zone_utc());
}

static void expect_all(
    struct test *t, const char *const *chats, size_t count, bool speak, const char *reason)
{
    for (size_t i = 0; i < count; i++) {
        struct speak_verdict got = decide(t, chats[i], false);
        bool right = got.speak == speak && (reason == NULL || strcmp(got.reason, reason) == 0);
        if (!EXPECT(right))
            printf("# %.*s\n# (%s)\n", STR_ARG(str_from(chats[i])), got.reason);
    }
}

TEST(speak_when_addressed)
{
    static const char *const chats[] = {
        "Ana: Theo, what did we agree on?",
        "Ana: hi\nBen: hello\nAna: @Theo please summarise",
        "Ana: we need a slot\nBen: can you find one, Theo?",
        "Ana: Theo, book a call\nBen: ok\nTheo: Ana, which day?\nAna: Tuesday at 3pm",
        "Ana: lol\nBen: hey Theo, who is the CEO of Acme?",
    };
    expect_all(t, chats, ARRAY_LEN(chats), true, "addressed");
}

TEST(speak_for_scheduling)
{
    static const char *const chats[] = {
        "Ana: Great progress.\nBen: Let's have a call on Tuesday at 3pm",
        "Ana: How about a kick-off call tomorrow at 10am?",
        "Ana: Can we meet on Thursday at 14:00 to go through the contract?",
        "Ana: Are you free for a demo on March 5 at 4pm?\nBen: works for me",
        "Ana: can we have a call next week?\nBen: Tuesday at 3pm?\nAna: works for me",
        "Ana: Let's meet next Tuesday at 11:00 CET\nBen: perfect, see you then",
        "Ana: shall we do a video call on Friday at 9:30?\nBen: sounds good!",
        "Ana: We should schedule a demo with your CTO for Wednesday at 2pm.",
        "Carla: I'd suggest a sync on Monday 10:00\nBen: Yes, that works",
        "Ana: could we talk tomorrow at 16:00?\nBen: sure",
        "Ana: meeting on 12 March at 15:00 work for everyone?",
        "Ana: What about a workshop?\nBen: good idea\nAna: Thursday 2pm?\nBen: Agreed",
    };
    expect_all(t, chats, ARRAY_LEN(chats), true, "scheduling");
}

TEST(speak_for_an_open_question)
{
    static const char *const chats[] = {
        "Ana: Does anyone know who the CEO of Acme is?",
        "Ana: does anybody know what the revenue of Initech was last year?",
        "Ana: What is the headcount of Globex?\nBen: no idea",
        "Ana: When was Globex founded again?\nBen: good question",
        "Ana: Can anyone tell how many employees Acme has?",
        "Ana: Anyone know when the trade fair in Berlin starts?",
        "Ana: What did we agree on for the price?\nBen: not sure\nCarla: no idea",
    };
    expect_all(t, chats, ARRAY_LEN(chats), true, "open question");
}

TEST(speak_is_silent_on_talk_among_people)
{
    static const char *const chats[] = {
        "Ana: hi\nBen: hello",
        "Ana: lol\nBen: haha yes",
        "Ana: the deck is great\nBen: thanks!",
        "Ana: Ben, can you send the deck?\nBen: sure, tomorrow",
        "Ana: what do you think?\nBen: I like it",
        "Ana: where are you?\nBen: on the train",
        "Ana: lunch?\nBen: sure",
        "Ana: I have a meeting on Tuesday at 3pm with the lawyers",
        "Ana: my flight leaves tomorrow at 7am",
        "Ana: we met on Tuesday at 3pm and it was great",
        "Ana: I can't do the call on Tuesday at 3pm",
        "Ana: Let's have a call some time",
        "Ana: let's meet next week",
        "Ana: let's meet on Friday",
        "Ana: call at 3?\nBen: can't, sorry",
        "Ana: let's ship it on Friday at 5pm",
        "Ana: The deadline is Friday at 17:00",
        "Ana: Let's have a call on Tuesday at 3pm\nBen: I already sent the invite",
        "Ana: Let's have a call Tuesday at 3pm\nTheo: I booked Tuesday 3pm.\nBen: works for me",
        "Ana: Does anyone know where my charger is?",
        "Ana: anyone up for lunch?",
        "Ana: does anyone want coffee?",
        "Ana: Ben, do you know who the CEO of Acme is?",
        "Ana: What is the headcount of Globex?\nBen: 500",
        "Ana: What is the plan?\nBen: we sign on Monday",
        "Ana: I asked Theo already\nBen: ok",
        "Ana: Theo said Tuesday at 3pm",
        "Ana: Theo's summary was good",
        "Ana: I watched the match yesterday at 8pm, what a game",
        "Ana: ok\nBen: ok",
        "Ana: works for me",
        "Ana: \xf0\x9f\x91\x8d",
        "Ana: who knows\nBen: right",
        "Ana: happy birthday Ben!\nBen: thank you all",
        "Ana: The price is 20 euros per seat.\nBen: What is the minimum?",
        "Ana: https://example.com/meeting?at=3pm",
        "Ana: let's not meet tomorrow at 3pm",
        "Ana: I'll call you tomorrow at 3pm\nBen: ok",
    };
    expect_all(t, chats, ARRAY_LEN(chats), false, "not addressed");
}

TEST(speak_never_answers_itself_or_a_bot)
{
    static const char *const own[] = {
        "Ana: Theo?\nTheo: Yes?",
        "Ana: hi\nTheo: Let's have a call on Tuesday at 3pm",
    };
    static const char *const bots[] = {
        "deploy_bot: Theo, build 7 failed",
        "Acme Bot: @Theo let's have a call on Tuesday at 3pm",
        "GitBot: does anyone know who the CEO of Acme is?",
        "Helper (bot): hi Theo",
        "github: Theo: new issue",
        "statusbot: Theo, ping",
    };
    static const char *const people[] = {"Ana Talbot: Theo, hi", "Abbot: hey Theo"};

    expect_all(t, own, ARRAY_LEN(own), false, "own message");
    expect_all(t, bots, ARRAY_LEN(bots), false, "another bot");
    expect_all(t, people, ARRAY_LEN(people), true, "addressed");
}

TEST(speak_when_it_must)
{
    struct speak_verdict got = decide(t, "Ana: hi\nBen: lol", true);

    EXPECT(got.speak);
    EXPECT(!got.addressed);
    EXPECT_CSTR(got.reason, "must reply");
    EXPECT(decide(t, "Ana: Theo, hi", true).addressed);

    struct transcript none = {0};
    EXPECT(!speak_decide(&none, STR("Theo"), false, 0, zone_utc()).speak);
}
