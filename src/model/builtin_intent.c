/* What the last message asks for, by its words. */
#include "model/builtin.h"

#define WORDS_MAX 2000

const char *builtin_words(struct arena *arena, struct str text)
{
    size_t len = MIN(text.len, (size_t)WORDS_MAX), out = 1;
    char *words = arena_alloc(arena, len + 3);

    words[0] = ' ';
    for (size_t i = 0; i < len; i++) {
        char c = char_lower(text.ptr[i]);

        if (c == '\'')
            continue;
        if ((unsigned char)c == 0xe2 && i + 2 < len && (unsigned char)text.ptr[i + 2] == 0x99) {
            i += 2; /* the curly apostrophe */
            continue;
        }
        if (!char_is_alnum(c) && (unsigned char)c < 0x80)
            c = ' ';
        if (c != ' ' || words[out - 1] != ' ')
            words[out++] = c;
    }
    if (words[out - 1] != ' ')
        words[out++] = ' ';
    words[out] = '\0';
    return words;
}

/* A bit for each letter that a word starts with: most phrases need not be looked for. */
static uint32_t initials_of(const char *words)
{
    uint32_t initials = 0;

    for (; *words; words++)
        if (words[0] == ' ' && words[1] >= 'a' && words[1] <= 'z')
            initials |= 1u << (words[1] - 'a');
    return initials;
}

struct heard {
    const char *words;
    uint32_t initials;
};

static bool any(const struct heard *heard, const char *const *phrases)
{
    for (; *phrases; phrases++)
        if ((heard->initials & 1u << ((*phrases)[1] - 'a')) && strstr(heard->words, *phrases))
            return true;
    return false;
}

static size_t count_words(const char *words)
{
    size_t count = 0;

    for (const char *p = words + 1; *p; p++)
        count += *p == ' ';
    return count;
}

static const char *const event_words[] = {" meeting ", " meetings ", " call ", " calls ", " event ",
    " events ", " appointment ", " it ", " invite ", " session ", " demo ", " slot ", " that ",
    " calendar ", " sync ", " intro ", " interview ", " kickoff ", " booking ", " lunch ",
    " coffee ", " agenda ", NULL};
static const char *const cancel_words[] = {" cancel ", " call off ", " cancel it ", " unbook ",
    " delete the ", " drop the ", " scrap the ", NULL};
static const char *const move_words[] = {" reschedule ", " postpone ", " push it ", " move it ",
    " move the ", " move our ", " push the ", " push our ", " shift it ", " shift the ",
    " bring it forward ", " move that ", " move my ", NULL};
static const char *const list_words[] = {" whats on ", " what is on ", " what meetings ",
    " which meetings ", " list ", " upcoming ", " what is scheduled ", " whats scheduled ",
    " whats booked ", " what is booked ", " when is our ", " when is the ", " when are we ",
    " next meeting ", " show the calendar ", " show me the calendar ", " do we have anything ",
    " do i have anything ", " on my agenda ", " on our agenda ", " on my calendar ",
    " on our calendar ", " my agenda ", " our agenda ", " when do we meet ", NULL};
static const char *const book_words[] = {" book ", " schedule ", " set up ", " arrange ",
    " put it in ", " put in the calendar ", " on the calendar ", " in the calendar ",
    " find a time ", " find a slot ", " send an invite ", " send the invite ", " send invites ",
    " calendar invite ", " lock it in ", " pencil ", " set a meeting ", " make an appointment ",
    " add an event ", " add a meeting ", " create a meeting ", " create an event ", NULL};
static const char *const meet_words[] = {" lets meet ", " lets talk ", " meet ", " meeting ",
    " call ", " lets do ", " appointment ", " catch up ", " demo ", " sync ", NULL};
static const char *const summary_words[] = {" summarise ", " summarize ", " summary ", " recap ",
    " what did we agree ", " what have we agreed ", " what was agreed ", " what did we decide ",
    " what was decided ", " action items ", " next steps ", " tldr ", " tl dr ", " sum up ",
    " catch me up ", " where do we stand ", " what are the open ", " digest ", NULL};
static const char *const recall_words[] = {" say about ", " said about ", " say on ", " mention ",
    " mentioned ", " who said ", " remind me ", " what did ", " when did ", " told us about ",
    " remember what ", NULL};
static const char *const proposal_words[] = {" proposal ", " draft an offer ", " term sheet ",
    " draft a ", " write up ", " draft the ", " one pager ", NULL};
static const char *const research_words[] = {" who is ", " what is ", " tell me about ",
    " look up ", " research ", " search for ", " find out ", " google ", " what does ", " whats ",
    " news about ", " how big is ", " where is ", " who are ", " who runs ", " who founded ", NULL};
static const char *const help_words[] = {" what can you do ", " help ", " who are you ",
    " how do you work ", " what are you ", " how can you help ", NULL};
static const char *const thanks_words[] = {" thanks ", " thank you ", " thx ", " cheers ", NULL};
static const char *const greeting_words[] = {" hi ", " hello ", " hey ", " good morning ",
    " good afternoon ", " good evening ", " welcome ", NULL};

/* The last thing the model said was a question about a time. */
static bool asked_for_time(const struct builtin_turn *turn)
{
    for (size_t i = turn->last; i-- > turn->window;) {
        const struct model_message *m = &turn->request->messages[i];

        if (m->role != MODEL_ASSISTANT)
            continue;
        return str_find(m->content, STR("What day"), 0) >= 0 ||
               str_find(m->content, STR("What time"), 0) >= 0 ||
               str_find(m->content, STR("Which day"), 0) >= 0 ||
               str_find(m->content, STR("Which time"), 0) >= 0;
    }
    return false;
}

static bool says_time(const struct builtin_turn *turn)
{
    struct when found;

    return when_find(turn->text, turn->request->scene.now_ms, turn->zone, &found, 1) > 0;
}

enum builtin_intent builtin_intent(const struct builtin_turn *turn)
{
    const struct heard heard = {turn->words, initials_of(turn->words)}, *w = &heard;
    bool book = any(w, book_words);
    size_t count = count_words(turn->words);

    if (any(w, cancel_words) && any(w, event_words))
        return INTENT_CANCEL;
    if (any(w, move_words))
        return INTENT_MOVE;
    if (any(w, summary_words) && !(book && says_time(turn)))
        return INTENT_SUMMARY;
    if (any(w, recall_words))
        return INTENT_RECALL;
    if (any(w, proposal_words) && !(book && says_time(turn)))
        return INTENT_PROPOSAL;
    if (any(w, list_words) && any(w, event_words) && !book)
        return INTENT_LIST;
    if (any(w, help_words))
        return INTENT_HELP;
    if (book || (any(w, meet_words) && says_time(turn)))
        return INTENT_BOOK;
    if (any(w, research_words))
        return INTENT_RESEARCH;
    if (asked_for_time(turn) && (says_time(turn) || count <= 6))
        return INTENT_BOOK;
    if (any(w, thanks_words) && count <= 8)
        return INTENT_THANKS;
    if (any(w, greeting_words) && count <= 8)
        return INTENT_GREETING;
    return says_time(turn) ? INTENT_BOOK : INTENT_NONE;
}
