#include "agent/speak.h"

#include "text/address.h"
#include "text/digest.h"
#include "text/when.h"
#include "text/words.h"

/* In doubt: silence. A group forgives an assistant that waits to be asked, not one that interrupts.
 * Unasked, Theo speaks on two occasions. Scheduling: within the last few messages a meeting, a day
 * and a time of day came together and somebody proposes or agrees. Open question: somebody asks the
 * whole group for a fact, or asked for one and the others say that they do not know.
 */

#define WINDOW 4 /* messages that belong to one exchange */
#define PHRASES_MAX 16
#define INTENT_MAX 2000 /* bytes; nobody proposes a meeting further down in a message */

static const char *const meeting_words[] = {"meet", "meeting", "call", "calls", "demo", "kick-off",
    "kickoff", "sync", "catch-up", "appointment", "interview", "workshop", "session", "talk",
    "webinar", "review", "standup", "stand-up", "zoom", "lunch", "coffee", "dinner", "breakfast",
    "conference", "presentation", "videocall", "training", "onboarding", "visit", "chat"};

static const char *const meeting_phrases[] = {
    "catch up", "get together", "sit down", "kick off", "follow up", "go through", "walk through"};

static const char *const proposals[] = {"let's", "lets", "let us", "how about", "what about",
    "shall we", "shall i", "can we", "could we", "should we", "would it work", "does it work",
    "work for you", "works for you", "work for everyone", "work for everybody", "work for all",
    "suit you", "i propose", "i suggest", "i'd suggest", "we propose", "we suggest", "are you free",
    "are you available", "is everyone free", "is everyone available", "everyone free", "can you do",
    "can you make", "could you do", "could you make", "can you meet", "could you meet",
    "can you join", "could you join", "do you have time", "would you be", "we could", "schedule",
    "set up", "put it in", "book", "i'd like to", "we'd like to", "would like to", "why don't we",
    "ok for you", "okay for you", "good for you", "up for", "free for", "available for"};

static const char *const agreements[] = {"works for me", "works for us", "work for me",
    "sounds good", "sounds great", "agreed", "perfect", "confirmed", "see you then", "talk then",
    "speak then", "that works", "it works", "works", "fine with me", "fine by me", "fine for me",
    "good for me", "good for us", "ok for me", "okay for me", "let's do that", "let's do it",
    "let's do", "i'm in", "count me in", "yes", "yep", "yeah", "sure", "great", "ok", "okay",
    "deal", "suits me", "i can make it", "i can do", "we can do", "i'm free", "i am free",
    "i'm available"};

/* The appointment is off, over, or settled already. */
static const char *const spoilers[] = {"can't", "cannot", "can not", "won't", "not available",
    "unavailable", "doesn't work", "does not work", "don't work", "not work", "busy", "booked",
    "cancel", "cancelled", "canceled", "already scheduled", "sent the invite", "sent an invite",
    "sent you an invite", "invite is out", "invite sent", "in the calendar already",
    "in your calendar", "yesterday", "last week", "met", "went", "was", "were", "had", "missed",
    "not sure", "maybe not", "unfortunately", "no longer", "if only", "never", "lol", "haha",
    "just kidding", "kidding", "let's not", "lets not", "not meet", "rather not", "don't think",
    "no time", "skip"};

static const char *const asks_all[] = {"anyone know", "anybody know", "anyone knows",
    "anybody knows", "somebody know", "someone know", "does anyone remember", "anyone remember",
    "does anybody remember", "any idea what", "any idea who", "any idea when", "any idea which",
    "any idea how many", "any idea how much", "who knows what", "who knows when", "who knows who",
    "anyone have the", "can anyone tell", "can somebody tell", "can someone tell",
    "can anybody tell", "can someone look up", "can anyone look up"};

static const char *const fact_words[] = {"who", "what", "what's", "who's", "when", "which", "where",
    "how many", "how much", "how big", "how old", "how long", "how large", "name of", "price of",
    "address of", "number of", "ceo", "founder", "revenue", "headquarters", "employees"};

/* Matters among the people themselves, which Theo cannot know. */
static const char *const personal[] = {"my", "i", "i'm", "i've", "me", "you", "your", "u", "mine",
    "lunch", "coffee", "keys", "parking", "bathroom", "wifi", "charger", "joke", "party", "weather",
    "his", "her", "he", "she", "him", "it", "this", "that", "there"};

static const char *const ignorance[] = {"no idea", "don't know", "do not know", "dunno", "no clue",
    "not sure", "good question", "can't remember", "don't remember", "beats me", "i wonder",
    "no one knows", "nobody knows", "idk"};

/* What the group wants to know without knowing: about the outside world or about this chat. */
static const char *const fact_openings[] = {"what is", "what's", "who is", "who's", "who founded",
    "who owns", "what does", "what did we", "when did we", "when is", "when was", "where is",
    "where are", "how many", "how much", "how big", "which company", "what was", "what are"};

/* Ends in "bot" as programs do ("deploy_bot", "GitBot", "Acme Bot"), not as Mr Talbot does. */
static bool is_bot(struct str party)
{
    static const char *const services[] = {"github", "gitlab", "jira", "zapier", "system"};
    struct str open = STR("(bot)"), square = STR("[bot]");

    if (str_find_nocase(party, open, 0) >= 0 || str_find_nocase(party, square, 0) >= 0 ||
        WORDS_HAVE(services, party))
        return true;
    if (party.len < 3 || !str_eq_nocase(str_slice(party, party.len - 3, party.len), STR("bot")))
        return false;
    if (party.len == 3 || party.ptr[party.len - 3] == 'B')
        return true;
    return !char_is_alpha(party.ptr[party.len - 4]) ||
           (party.ptr[0] >= 'a' && party.ptr[0] <= 'z' && !str_ends(party, STR("talbot")) &&
               !str_ends(party, STR("abbot")));
}

/* What one message says about an appointment. */
struct intent {
    bool meeting, date, time, proposal, agreement, spoiled;
};

static bool is_meeting(struct str text)
{
    return WORDS_ANY(text, meeting_words) || WORDS_PHRASE(text, meeting_phrases);
}

static size_t word_count(struct str text)
{
    struct str word;
    size_t count = 0;

    for (size_t pos = 0; words_next(text, &pos, &word);)
        count++;
    return count;
}

static struct intent read_intent(struct str text, int64_t now_ms, const struct zone *zone)
{
    struct when found[PHRASES_MAX];

    text = utf8_truncate(text, INTENT_MAX);
    size_t count = when_find(text, now_ms, zone, found, ARRAY_LEN(found));
    struct intent intent = {.meeting = is_meeting(text), .spoiled = WORDS_PHRASE(text, spoilers)};

    for (size_t i = 0; i < count; i++) {
        enum when_kind kind = found[i].kind;
        if (found[i].past)
            intent.spoiled = true;
        intent.date = intent.date || kind == WHEN_DATE || kind == WHEN_DATETIME;
        intent.time = intent.time || kind == WHEN_TIME || kind == WHEN_DATETIME;
    }
    bool timed = intent.date || intent.time;
    intent.proposal = WORDS_PHRASE(text, proposals) ||
                      (timed && str_ends(str_trim(text), STR("?")) && word_count(text) <= 12);
    intent.agreement = WORDS_PHRASE(text, agreements) && (timed || word_count(text) <= 8) &&
                       !text_is_question(text);
    return intent;
}

/* Neither proposes nor agrees, whatever days and times it names: most of what is said. */
static bool is_idle(struct str text)
{
    text = utf8_truncate(text, INTENT_MAX);
    return !WORDS_PHRASE(text, proposals) && !str_ends(str_trim(text), STR("?")) &&
           !WORDS_PHRASE(text, agreements);
}

/* Where the exchange that ends with the last message starts: behind Theo's last word, at most
 * WINDOW messages back. */
static size_t window_start(const struct transcript *chat, struct str agent)
{
    size_t start = chat->count;

    while (start > 0 && chat->count - start < WINDOW &&
           !str_eq_nocase(chat->messages[start - 1].party, agent))
        start--;
    return start;
}

static bool scheduling(
    const struct transcript *chat, struct str agent, int64_t now_ms, const struct zone *zone)
{
    const struct chat_message *last = &chat->messages[chat->count - 1];
    struct intent now, sum;

    if (is_idle(last->text))
        return false;
    now = sum = read_intent(last->text, now_ms, zone);
    if (now.spoiled || !(now.proposal || now.agreement))
        return false;
    if (now.proposal && now.meeting && now.date && now.time)
        return true;
    /* Otherwise the last message has to go on with what another person proposed. */
    if (!now.agreement)
        return false;
    bool proposed = false;
    for (size_t i = chat->count - 1; i-- > window_start(chat, agent);) {
        const struct chat_message *said = &chat->messages[i];
        struct intent before = read_intent(said->text, now_ms, zone);
        if (before.spoiled)
            return false;
        proposed = proposed || (before.proposal && !str_eq(said->party, last->party));
        sum.meeting = sum.meeting || before.meeting;
        sum.date = sum.date || before.date;
        sum.time = sum.time || before.time;
        if (proposed && sum.meeting && sum.date && sum.time)
            return true;
    }
    return false;
}

/* Does text begin by speaking to one person ("Ben, …", "@ana …")? */
static bool to_one_person(const struct transcript *chat, struct str text)
{
    for (size_t i = 0; i < chat->count; i++) {
        struct str party = chat->messages[i].party, word;
        size_t pos = 0;
        if (words_next(party, &pos, &word) && word.len > 1 && address_names(text, word))
            return true;
    }
    return text.len > 0 && text.ptr[0] == '@';
}

static bool asks_group_for_fact(const struct transcript *chat, struct str text)
{
    return text_is_question(text) && WORDS_PHRASE(text, asks_all) &&
           WORDS_PHRASE(text, fact_words) && !WORDS_ANY(text, personal) &&
           !to_one_person(chat, text);
}

static bool asks_for_fact(const struct transcript *chat, struct str text)
{
    return text_is_question(text) && WORDS_PHRASE(text, fact_openings) && word_count(text) >= 4 &&
           !WORDS_ANY(text, personal) && !to_one_person(chat, text);
}

/* A question to all for a fact, or one to which somebody else has just said "no idea". */
static bool open_question(const struct transcript *chat, struct str agent)
{
    const struct chat_message *last = &chat->messages[chat->count - 1];

    if (asks_group_for_fact(chat, last->text))
        return true;
    if (!WORDS_PHRASE(last->text, ignorance) || word_count(last->text) > 10)
        return false;
    for (size_t i = chat->count - 1; i-- > window_start(chat, agent);) {
        const struct chat_message *said = &chat->messages[i];
        if (!str_eq(said->party, last->party) &&
            (asks_for_fact(chat, said->text) || asks_group_for_fact(chat, said->text)))
            return true;
        if (!WORDS_PHRASE(said->text, ignorance))
            return false;
    }
    return false;
}

struct speak_verdict speak_decide(const struct transcript *chat, struct str agent_name,
    bool must_reply, int64_t now_ms, const struct zone *zone)
{
    struct address_verdict address = address_judge(chat, agent_name, NULL, 0);

    if (must_reply)
        return (struct speak_verdict){true, address.addressed, "must reply"};
    if (chat->count == 0)
        return (struct speak_verdict){false, false, "nothing to add"};
    struct str author = chat->messages[chat->count - 1].party;
    if (strcmp(address.reason, "own message") == 0)
        return (struct speak_verdict){false, false, "own message"};
    if (is_bot(author))
        return (struct speak_verdict){false, address.addressed, "another bot"};
    if (address.addressed)
        return (struct speak_verdict){true, true, "addressed"};
    if (scheduling(chat, agent_name, now_ms, zone))
        return (struct speak_verdict){true, false, "scheduling"};
    if (open_question(chat, agent_name))
        return (struct speak_verdict){true, false, "open question"};
    return (struct speak_verdict){false, false, "not addressed"};
}
