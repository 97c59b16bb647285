#include "text/digest.h"

#include "text/address.h"
#include "text/words.h"

/* Sentences are scored by what they do (decide, promise, ask) and by how much of what the chat
 * talks about they hold; the best are given in the order in which they were said. Frequencies are
 * kept in a table of fixed size: two words in one slot only blur the score, and work stays linear.
 */

#define SLOTS 4096
#define AGREEMENT_WORDS 4 /* "OK, agreed then." says nothing more */

static const char *const noise[] = {"hi", "hey", "hello", "hiya", "yo", "morning", "good",
    "evening", "afternoon", "all", "everyone", "everybody", "team", "guys", "folks", "thanks",
    "thank", "you", "thx", "ty", "cheers", "ok", "okay", "k", "yes", "yeah", "yep", "no", "nope",
    "lol", "haha", "hehe", "hmm", "hm", "oh", "ah", "wow", "cool", "nice", "great", "perfect",
    "sure", "right", "bye", "later", "see", "soon", "welcome", "sorry", "brb", "fine", "awesome",
    "same", "here", "too", "so", "much", "very", "night", "there", "np", "indeed", "true",
    "absolutely"};

static const char *const common[] = {"the", "a", "an", "and", "or", "but", "if", "so", "then",
    "that", "this", "these", "those", "it", "its", "it's", "is", "are", "was", "were", "be", "been",
    "am", "do", "does", "did", "have", "has", "had", "will", "would", "can", "could", "should",
    "may", "might", "must", "i", "i'm", "i'll", "i've", "you", "your", "he", "she", "we", "we'll",
    "we're", "they", "them", "our", "my", "me", "us", "his", "her", "their", "to", "of", "in", "on",
    "at", "for", "from", "with", "by", "as", "about", "into", "not", "no", "yes", "just", "also",
    "very", "what", "when", "where", "who", "which", "why", "how", "there", "here", "than", "too",
    "some", "any", "all", "more", "one", "get", "got", "let's", "please", "ok", "think", "don't"};

static const char *const auxiliaries[] = {"can", "could", "would", "will", "shall", "should", "may",
    "do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "am", "can't",
    "couldn't", "wouldn't", "won't", "shouldn't", "don't", "doesn't", "didn't", "isn't", "aren't",
    "hasn't", "haven't", "must", "might"};

static const char *const subjects[] = {"you", "u", "i", "we", "it", "they", "he", "she", "there",
    "this", "that", "these", "those", "the", "anyone", "anybody", "someone", "somebody", "everyone",
    "everybody", "my", "our", "your", "his", "her", "their", "any"};

static const char *const interrogatives[] = {"what", "who", "whom", "whose", "when", "where", "why",
    "how", "which", "what's", "who's", "where's", "when's", "how's"};

/* May stand before a question word. */
static const char *const lead_ins[] = {"hey", "hi", "hello", "ok", "okay", "so", "and", "but",
    "well", "also", "btw", "guys", "all", "team", "folks", "question", "quick", "now", "then",
    "sorry", "please", "yes", "great", "thanks", "wait", "hmm", "everyone", "oh"};

static const char *const decided[] = {"agreed", "we agree", "go with", "going with", "decided",
    "we decide", "settled", "confirmed", "approved", "signed off", "let's", "lets", "it's a deal",
    "have a deal", "done deal", "accepted", "we accept", "i accept", "final decision",
    "we will use", "we'll use", "we stick to", "we'll stick", "we chose", "we choose", "we'll take",
    "we'll do", "we will go", "we're on for"};

static const char *const undecided[] = {"not agreed", "haven't", "hasn't", "didn't", "not decided",
    "not confirmed", "undecided", "if we", "until we", "unless", "let's see", "not yet", "don't"};

static const char *const promises[] = {"i'll", "i will", "i can send", "i can do", "i am going to",
    "i'm going to", "we'll send", "we will send", "can you", "could you", "would you", "will you",
    "please", "need to", "needs to", "have to", "has to", "must", "will send", "will prepare",
    "will share", "will draft", "will write", "will call", "will check", "will follow", "will get",
    "will set", "will book", "will review", "will take", "action item", "to do", "todo", "owner",
    "follow up", "is responsible", "takes care", "by tomorrow", "by monday", "by tuesday",
    "by wednesday", "by thursday", "by friday", "by eod", "by the end", "by next", "due"};

static const char *const agreements[] = {"agreed", "deal", "works for me", "sounds good", "yes",
    "ok", "okay", "perfect", "+1", "fine by me", "fine with me", "fine for me", "great",
    "sounds great", "that works", "works", "done", "sure", "yep", "let's do it", "let's do that",
    "confirmed", "i agree", "yes let's", "yes please", "good for me", "ok for me", "me too"};

/* Of these, what agrees to a thing in particular; "yes" and "great" may be mere courtesy. */
static const char *const firm[] = {"agreed", "deal", "i agree", "we agree", "works for me",
    "works for us", "sounds good", "sounds great", "that works", "confirmed", "fine by me",
    "fine with me", "fine for me", "let's do it", "let's do that", "good for me", "ok for me"};

static const char *const proposals[] = {"let's", "lets", "how about", "what about", "shall we",
    "should we", "can we", "could we", "we could", "i propose", "i suggest", "i'd suggest",
    "we offer", "we can offer", "i can offer", "our offer", "would you accept", "we propose",
    "we can do", "why don't we", "proposal", "works for you", "does that work", "ok for you",
    "i'd go", "my vote"};

static const char *const pleasantries[] = {"great to meet", "nice to meet", "good to meet",
    "pleased to meet", "pleasure to", "good to see", "great to see", "how are you",
    "thanks for having", "thanks for your", "thank you for", "looking forward to meeting"};

struct sentence {
    struct digest_item item;
    double score;
    size_t order;
    size_t words;
    bool spent; /* agrees, and what it agrees to is told */
};

struct sentences {
    struct sentence *items;
    size_t count, cap;
};

/* Marks, brackets, smileys and emoji off the end: "when? :)" ends in "?". */
static struct str without_tail(struct str text)
{
    text = str_trim(text);
    while (text.len > 0) {
        char c = text.ptr[text.len - 1];
        bool smiley = (c == 'D' || c == 'P') && text.len > 1 && text.ptr[text.len - 2] == ':';
        if (c == '?' || (char_is_word(c) && !smiley && (unsigned char)c < 0x80))
            break;
        text.len -= smiley ? 2 : 1;
    }
    return text;
}

/* Where the first word that is no greeting, name or filler starts. */
static size_t skip_lead(struct str text)
{
    struct str word;
    size_t pos = 0;

    while (words_next(text, &pos, &word)) {
        bool vocative = pos < text.len && (text.ptr[pos] == ',' || text.ptr[pos] == ':');
        if (!vocative && !WORDS_HAVE(lead_ins, word))
            return (size_t)(word.ptr - text.ptr);
    }
    return text.len;
}

/* Does the wording ask, whatever the mark? "When we met" and "how nice" do not. */
static bool opens_question(struct str text)
{
    struct str one = {"", 0}, two = {"", 0};
    size_t pos = 0;

    text = str_slice(text, skip_lead(text), text.len);
    if (!words_next(text, &pos, &one))
        return false;
    if (!words_next(text, &pos, &two))
        return WORDS_HAVE(interrogatives, one) && one.len == text.len;
    if (WORDS_HAVE(auxiliaries, one) && WORDS_HAVE(subjects, two))
        return true;
    if (str_eq_nocase(one, STR("any"))) {
        static const char *const sought[] = {"idea", "ideas", "news", "update", "updates",
            "thoughts", "suggestions", "objections", "chance", "questions"};
        return WORDS_HAVE(sought, two);
    }
    static const char *const anyone[] = {"anyone", "anybody", "someone", "somebody"};
    static const char *const knows[] = {"know", "knows", "remember", "got", "have", "tried", "seen",
        "able", "can", "free", "up", "else"};
    if (WORDS_HAVE(anyone, one))
        return str_eq_nocase(one, STR("anyone")) && WORDS_HAVE(knows, two);
    if (!WORDS_HAVE(interrogatives, one))
        return false;
    static const char *const measures[] = {"many", "much", "long", "far", "old", "often", "about",
        "come", "to", "big", "soon", "fast", "time", "day", "date", "kind", "exactly", "else"};
    bool contracted =
        one.len > 2 && str_ends(one, STR("s")) && !char_is_alpha(one.ptr[one.len - 2]);
    return contracted || WORDS_HAVE(auxiliaries, two) || WORDS_HAVE(measures, two) ||
           str_eq_nocase(one, STR("which")) || str_eq_nocase(one, STR("why"));
}

bool text_is_question(struct str text)
{
    struct str rest = without_tail(text);

    if (str_ends(rest, STR("?")))
        return true;
    /* A later sentence may ask as well: "Is it Friday? I can't find it." */
    ptrdiff_t mark = str_find_char(text, '?', 0);
    for (; mark >= 0; mark = str_find_char(text, '?', (size_t)mark + 1)) {
        size_t next = (size_t)mark + 1;
        if (next >= text.len || char_is_space(text.ptr[next]))
            return true;
    }
    return opens_question(rest);
}

static bool is_noise(struct str text)
{
    struct str word;
    size_t pos = 0, count = 0;
    bool telling = false;

    for (; words_next(text, &pos, &word); count++)
        telling = telling || !WORDS_HAVE(noise, word);
    return !telling || (count <= 10 && WORDS_PHRASE(text, pleasantries));
}

static size_t slot_of(struct str word)
{
    uint64_t hash = 1469598103934665603ULL;

    for (size_t i = 0; i < word.len; i++)
        hash = (hash ^ (unsigned char)char_lower(word.ptr[i])) * 1099511628211ULL;
    return (size_t)(hash >> 20) % SLOTS;
}

static bool telling(struct str word)
{
    return word.len > 2 && !WORDS_HAVE(common, word) && !WORDS_HAVE(noise, word);
}

/* The end of the sentence that starts at from. "3.5", "e.g. this" and "acme.com" go on. */
static size_t sentence_end(struct str text, size_t from)
{
    for (size_t i = from; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n')
            return i + 1;
        if (c != '.' && c != '!' && c != '?')
            continue;
        while (i + 1 < text.len && strchr(".!?)\"'", text.ptr[i + 1]) != NULL &&
               text.ptr[i + 1] != '\0')
            i++;
        if (i + 1 == text.len)
            return text.len;
        bool short_word = c == '.' && i >= 2 && i - from >= 2 &&
                          (text.ptr[i - 2] == ' ' || text.ptr[i - 2] == '.');
        bool title = c == '.' && i >= 2 &&
                     (str_ends(str_slice(text, from, i), STR("Dr")) ||
                         str_ends(str_slice(text, from, i), STR("Mr")) ||
                         str_ends(str_slice(text, from, i), STR("Ms")));
        if (char_is_space(text.ptr[i + 1]) && !short_word && !title)
            return i + 1;
    }
    return text.len;
}

static const char *const wishes[] = {"can you", "could you", "would you", "will you", "please"};

static enum digest_kind kind_of(struct str text)
{
    if (text_is_question(text))
        return WORDS_PHRASE(text, wishes) ? DIGEST_ACTION : DIGEST_QUESTION;
    if (WORDS_PHRASE(text, decided) && !WORDS_PHRASE(text, undecided))
        return DIGEST_DECISION;
    return WORDS_PHRASE(text, promises) ? DIGEST_ACTION : DIGEST_POINT;
}

static void add_sentence(struct arena *arena, struct sentences *all, size_t message,
    const struct chat_message *said, struct str text)
{
    if (text.len == 0 || is_noise(text))
        return;
    if (all->count == all->cap) {
        size_t cap = all->cap == 0 ? 64 : all->cap * 2;
        all->items = arena_grow(
            arena, all->items, all->cap * sizeof(struct sentence), cap * sizeof(struct sentence));
        all->cap = cap;
    }
    struct sentence *new = &all->items[all->count];
    *new =
        (struct sentence){.item = {kind_of(text), message, said->party, text}, .order = all->count};
    struct str word;
    for (size_t pos = 0; words_next(text, &pos, &word);)
        new->words++;
    all->count++;
}

static bool bare_agreement(struct str text)
{
    struct str first = str_slice(text, 0, sentence_end(text, 0));

    first = str_trim(first);
    while (first.len > 0 && strchr(".!,", first.ptr[first.len - 1]) != NULL)
        first.len--;
    ptrdiff_t comma = str_find_char(first, ',', 0);
    if (comma > 0)
        first = str_slice(first, 0, (size_t)comma);
    return WORDS_HAVE(agreements, first);
}

/* "Agreed" and the like, and no "but". */
static bool firm_agreement(struct str text)
{
    static const char *const limits[] = {"but", "not", "if", "unless", "except", "however"};

    text = str_slice(text, 0, sentence_end(text, 0));
    return WORDS_PHRASE(text, firm) && !WORDS_PHRASE(text, limits);
}

/* A statement with a number in it: an amount, a date, a time. */
static bool has_terms(const struct sentence *s)
{
    struct str word;

    if (s->item.kind == DIGEST_QUESTION)
        return false;
    for (size_t pos = 0; words_next(s->item.text, &pos, &word);)
        if (char_is_digit(word.ptr[0]))
            return true;
    return false;
}

/* "Agreed." decides what the other person has just proposed, be it by stating the terms. */
static void find_agreements(const struct transcript *chat, struct sentences *all)
{
    size_t next = 0;

    for (size_t m = 1; m < chat->count; m++) {
        if (str_eq(chat->messages[m].party, chat->messages[m - 1].party) ||
            !bare_agreement(chat->messages[m].text))
            continue;
        while (next < all->count && all->items[next].item.message < m - 1)
            next++;
        size_t i = next;
        bool told = false, is_firm = firm_agreement(chat->messages[m].text);
        for (; i < all->count && all->items[i].item.message == m - 1; i++) {
            if (!WORDS_PHRASE(all->items[i].item.text, proposals) &&
                !(is_firm && has_terms(&all->items[i])))
                continue;
            all->items[i].item.kind = DIGEST_DECISION;
            told = true;
        }
        if (told && i < all->count && all->items[i].item.message == m &&
            all->items[i].words <= AGREEMENT_WORDS)
            all->items[i].spent = bare_agreement(all->items[i].item.text);
    }
}

/* A question is open when none of the next three messages of others tells something. */
static bool answered(const struct transcript *chat, const struct digest_item *item)
{
    for (size_t m = item->message + 1; m < chat->count && m <= item->message + 3; m++) {
        const struct chat_message *said = &chat->messages[m];
        if (!str_eq(said->party, item->party) && !text_is_question(said->text))
            return true;
    }
    return false;
}

static double weight_of(
    const struct transcript *chat, const struct sentence *s, const uint32_t *frequency)
{
    static const double base[] = {
        [DIGEST_POINT] = 0, [DIGEST_DECISION] = 3, [DIGEST_ACTION] = 2.5, [DIGEST_QUESTION] = 2};
    if (s->item.kind == DIGEST_QUESTION && answered(chat, &s->item))
        return 0;
    double sum = 0, score = base[s->item.kind];
    struct str word;
    size_t count = 0;

    for (size_t pos = 0; words_next(s->item.text, &pos, &word);) {
        if (!telling(word))
            continue;
        uint32_t seen = frequency[slot_of(word)];
        sum += seen > 8 ? 8 : seen;
        count++;
        if (char_is_digit(word.ptr[0]))
            score += 0.2;
    }
    if (count > 0)
        score += MIN(sum / (double)(count + 3), 2.0);
    if (s->words < 4)
        score -= 1.0;
    if (s->words > 45)
        score -= 0.5;
    if (s->item.message == 0 || s->item.message + 1 == chat->count)
        score += 0.3;
    return score;
}

static int by_score(const void *a, const void *b)
{
    const struct sentence *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
    const struct sentence *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* "Theo, sum up …", "and theo book …": an order to the agent. */
static bool is_order(struct str text, struct str agent)
{
    static const char *const orders[] = {"summarise", "summarize", "sum", "recap", "book",
        "schedule", "reschedule", "move", "cancel", "find", "search", "look", "research", "draft",
        "write", "list", "show", "tell", "give", "check", "remind", "set", "help", "translate",
        "explain", "arrange", "plan", "create", "send"};
    struct str word;
    size_t pos = skip_lead(text);

    while (words_next(text, &pos, &word))
        if (!str_eq_nocase(word, agent) && !WORDS_HAVE(lead_ins, word))
            return WORDS_HAVE(orders, word);
    return false;
}

bool text_is_request(struct str text, struct str party, struct str agent)
{
    return agent.len > 0 &&
           (text_is_question(text) || WORDS_PHRASE(text, wishes) || is_order(text, agent)) &&
           address_is_to(text, party, agent);
}

/* "/summary", "/agenda@bot". */
static bool is_command(struct str text)
{
    return text.len > 1 && text.ptr[0] == '/' && char_is_alpha(text.ptr[1]);
}

/* Take the best ones, each text once, to the front. Returns how many. */
static size_t choose(struct sentences *all, size_t max)
{
    size_t taken = 0;

    if (all->count > 0)
        qsort(all->items, all->count, sizeof(struct sentence), by_score);
    for (size_t i = 0; i < all->count && taken < max; i++) {
        bool twice = all->items[i].score <= 0 || all->items[i].spent;
        for (size_t j = 0; j < taken && !twice; j++)
            twice = str_eq_nocase(all->items[j].item.text, all->items[i].item.text);
        if (!twice)
            all->items[taken++] = all->items[i];
    }
    if (taken > 0)
        qsort(all->items, taken, sizeof(struct sentence), by_order);
    return taken;
}

size_t digest_make(const struct transcript *chat, struct str skip_party, struct arena *arena,
    struct digest_item *items, size_t max)
{
    uint32_t *frequency = arena_array(arena, uint32_t, SLOTS);
    struct sentences all = {0};
    struct str word;

    for (size_t m = 0; m < chat->count; m++) {
        const struct chat_message *said = &chat->messages[m];
        if ((skip_party.len > 0 && str_eq_nocase(said->party, skip_party)) ||
            is_command(said->text))
            continue;
        for (size_t pos = 0; words_next(said->text, &pos, &word);)
            frequency[slot_of(word)]++;
        for (size_t from = 0; from < said->text.len;) {
            size_t end = sentence_end(said->text, from);
            struct str text = str_trim(str_slice(said->text, from, end));
            if (!text_is_request(text, said->party, skip_party))
                add_sentence(arena, &all, m, said, text);
            from = end;
        }
    }
    find_agreements(chat, &all);
    for (size_t i = 0; i < all.count; i++)
        all.items[i].score = weight_of(chat, &all.items[i], frequency);
    size_t taken = choose(&all, max);
    for (size_t i = 0; i < taken; i++)
        items[i] = all.items[i].item;
    return taken;
}
