#include "text/address.h"

#include "text/address_words.h"
#include "text/digest.h"
#include "text/name.h"
#include "text/words.h"

/* Each place where the name stands is judged by its surroundings in the sentence: what comes before
 * it (nothing, a greeting, another name, a preposition …) and what follows (a comma, the end, "can
 * you", "said" …). The surest place decides. Only a message without the name is judged by the
 * course of the dialogue.
 */

#define PLACES_MAX 32    /* of each name; who repeats it more often is understood by then */
#define HABIT_WINDOW 12  /* messages that show how people address each other */
#define SHORT_REQUEST 40 /* bytes: "and on Friday?" */
#define OPENERS_MAX 12   /* words before a name that may still count as a greeting */

/* What the judging of one message knows. */
struct scene {
    const struct transcript *chat;
    const struct chat_message *last;
    struct str name;
    const struct str *aliases;
    size_t alias_count;
    bool other_first; /* the message opens by addressing somebody else */
};

/* One place where the name stands. */
struct place {
    struct str clause; /* from the start of the clause up to the name */
    struct str before; /* from the start of the sentence up to the name */
    struct str after;  /* behind the name up to the end of the text */
    struct str rest;   /* the same up to the end of the sentence, with its mark */
};

static const struct address_verdict nobody = {false, 0.1, "not addressed"};

static struct address_verdict verdict(double score, const char *reason)
{
    return (struct address_verdict){score >= 0.5, score, reason};
}

bool address_names(struct str text, struct str name)
{
    return name_find(text, name, 0) >= 0;
}

/* Is this party that name, allowing for "@" and a description in brackets? */
static bool party_is(struct str party, struct str name)
{
    if (party.len > 0 && party.ptr[0] == '@')
        party = str_slice(party, 1, party.len);
    ptrdiff_t open = str_find_char(party, '(', 0);
    if (open > 0)
        party = str_trim(str_slice(party, 0, (size_t)open));
    return name.len > 0 && str_eq_nocase(party, name);
}

static bool is_agent(const struct scene *scene, struct str party)
{
    if (party_is(party, scene->name))
        return true;
    for (size_t i = 0; i < scene->alias_count; i++) {
        if (party_is(party, scene->aliases[i]))
            return true;
    }
    return false;
}

/* Is word the name, or the first name, of somebody else in the chat? */
static bool is_other(const struct scene *scene, struct str word)
{
    if (word.len < 2)
        return false;
    for (size_t i = 0; i < scene->chat->count; i++) {
        struct str party = scene->chat->messages[i].party;
        if (!str_starts_nocase(party, word) || is_agent(scene, party))
            continue;
        if (party.len == word.len || party.ptr[word.len] == ' ')
            return true;
    }
    return false;
}

static bool capitalised(struct str word)
{
    return word.len > 1 && word.ptr[0] >= 'A' && word.ptr[0] <= 'Z';
}

static struct str first_word(struct str text)
{
    struct str word = {"", 0};
    size_t pos = 0;

    if (!words_next(text, &pos, &word))
        return (struct str){"", 0};
    return word;
}

/* The count-th word of text, counted from 0; empty when there are fewer. */
static struct str nth_word(struct str text, size_t n)
{
    struct str word = {"", 0};
    size_t pos = 0;

    for (size_t i = 0; i <= n; i++) {
        if (!words_next(text, &pos, &word))
            return (struct str){"", 0};
    }
    return word;
}

static struct str last_word(struct str text, size_t *ret_count)
{
    struct str word, last = {"", 0};
    size_t pos = 0, count = 0;

    while (words_next(text, &pos, &word)) {
        last = word;
        count++;
    }
    *ret_count = count;
    return last;
}

static bool ends_sentence(struct str text, size_t at)
{
    char c = text.ptr[at];

    if (c == '\n')
        return true;
    if (c != '.' && c != '!' && c != '?' && c != ';')
        return false;
    return at + 1 >= text.len || !char_is_word(text.ptr[at + 1]);
}

static bool dash_at(struct str text, size_t at)
{
    struct str rest = str_slice(text, at, text.len);

    return str_starts(rest, STR("\xe2\x80\x94")) || str_starts(rest, STR("\xe2\x80\x93")) ||
           (str_starts(rest, STR("- ")) && (at == 0 || text.ptr[at - 1] == ' '));
}

static struct place place_at(struct str text, size_t from, size_t to)
{
    size_t sentence = 0, clause = 0, end = to;

    for (size_t i = 0; i < from; i++) {
        if (ends_sentence(text, i))
            sentence = clause = i + 1;
        else if (text.ptr[i] == ',')
            clause = i + 1;
        else if (dash_at(text, i))
            clause = i + (text.ptr[i] == '-' ? 1 : 3);
    }
    while (end < text.len && !ends_sentence(text, end))
        end++;
    if (end < text.len)
        end++;
    return (struct place){str_slice(text, MIN(clause, from), from), str_slice(text, sentence, from),
        str_slice(text, to, text.len), str_slice(text, to, end)};
}

static bool ends_with_comma(struct str before)
{
    before = str_trim(before);
    return str_ends(before, STR(",")) || str_ends(before, STR("-")) ||
           str_ends(before, STR("\xe2\x80\x94")) || str_ends(before, STR("\xe2\x80\x93"));
}

/* Only greetings, and names of others when those belong to the same vocative ("Ana and Theo,"). */
static bool only_openers(const struct scene *scene, struct str words, bool *ret_others)
{
    struct str word = {"", 0};
    size_t pos = 0, count = 0;

    *ret_others = false;
    while (words_next(words, &pos, &word)) {
        if (++count > OPENERS_MAX)
            return false;
        if (is_other(scene, word))
            *ret_others = true;
        else if (!WORDS_HAVE(openers, word))
            return false;
    }
    /* "Over to Theo", "Thanks to Theo": a greeting does not end so. */
    return !str_eq_nocase(word, STR("to")) && !str_eq_nocase(word, STR("a"));
}

static bool greeted(struct str before)
{
    size_t count;
    struct str last = last_word(before, &count);

    if (ends_with_comma(before))
        return false;
    if (WORDS_HAVE(greetings, last))
        return true;
    return str_ends(str_trim(before), STR("hank you"));
}

static bool second_person_in(struct str text)
{
    return WORDS_ANY(text, second_person);
}

/* "Theo, Ana and I met": a list that opens a sentence. */
static bool opens_list(const struct scene *scene, struct str rest)
{
    struct str next = first_word(rest), then = nth_word(rest, 1);

    if (second_person_in(rest) || str_ends(str_trim(rest), STR("?")))
        return false;
    bool name = is_other(scene, next) || capitalised(next);
    return name && (str_eq_nocase(then, STR("and")) || str_eq_nocase(then, STR("or")));
}

/* "Theo and Ana, can you": a vocative of several. */
static bool opens_group(const struct scene *scene, struct str after)
{
    size_t pos = 0;
    struct str word;

    if (!words_next(after, &pos, &word) ||
        !(str_eq_nocase(word, STR("and")) || is_other(scene, word)))
        return false;
    while (is_other(scene, word) || str_eq_nocase(word, STR("and"))) {
        if (pos < after.len && (after.ptr[pos] == ':' || after.ptr[pos] == ','))
            return is_other(scene, word) && second_person_in(after);
        if (!words_next(after, &pos, &word))
            return false;
    }
    return false;
}

static bool possessive(struct str after)
{
    return str_starts_nocase(after, STR("'s")) || str_starts_nocase(after, STR("\xe2\x80\x99s")) ||
           str_starts_nocase(after, STR("'ll")) ||
           str_starts_nocase(after, STR("\xe2\x80\x99ll")) || str_starts_nocase(after, STR("'d "));
}

/* The name is set off by what follows: ",", ":", "!", "?", "…", a dash or the end. */
static bool set_off(struct str after)
{
    if (after.len == 0)
        return true;
    if (strchr(",:;!?>.\n)", after.ptr[0]) != NULL && after.ptr[0] != '\0')
        return true;
    struct str trimmed = str_trim(after);
    if (trimmed.len == 0 || dash_at(trimmed, 0) || str_starts(trimmed, STR("\xe2\x80\xa6")))
        return true;
    /* "bob2 : yes", "ogra| any ideas", "Theo > look" */
    return strchr(":|>,", trimmed.ptr[0]) != NULL && trimmed.ptr[0] != '\0';
}

static bool past_tense(struct str word)
{
    return word.len > 4 && str_ends(word, STR("ed")) && !WORDS_HAVE(not_past, word);
}

/* What the words after a name without punctuation say: otherwise when they do not tell. */
static double judge_predicate(struct str rest, double otherwise)
{
    struct str one = first_word(rest), two = nth_word(rest, 1);
    bool asks = str_ends(str_trim(rest), STR("?"));

    if (WORDS_HAVE(auxiliaries, one)) {
        if (WORDS_HAVE(subjects, two))
            return 0.9;
        return asks && WORDS_HAVE(determiners, two) ? 0.75 : 0.2;
    }
    if (WORDS_HAVE(relatives, one))
        return asks || WORDS_HAVE(auxiliaries, two) ? 0.75 : 0.2;
    if (WORDS_HAVE(adverbs, one)) {
        bool told = WORDS_HAVE(about_after, two) || WORDS_HAVE(auxiliaries, two) || past_tense(two);
        return told ? 0.2 : otherwise;
    }
    if (WORDS_HAVE(about_after, one) || past_tense(one))
        return second_person_in(rest) && asks && !past_tense(one) ? MIN(otherwise, 0.5) : 0.2;
    return otherwise;
}

/* The name opens its sentence or clause, perhaps behind greetings. */
static struct address_verdict judge_head(
    const struct scene *scene, const struct place *place, bool others, bool clause_only)
{
    if (greeted(place->clause) && !others)
        return verdict(0.93, "greeted");
    if (set_off(place->after)) {
        if (others && str_find_char(place->before, ':', 0) >= 0)
            return verdict(0.25, "talked about");
        if (opens_list(scene, place->rest))
            return verdict(0.3, "talked about");
        return verdict(clause_only ? 0.85 : 0.97, "named first");
    }
    if (opens_group(scene, place->after))
        return verdict(0.85, "named first");
    if (others)
        return verdict(0.25, "talked about");
    bool absent = str_eq_nocase(str_trim(place->clause), STR("no"));
    double score = judge_predicate(place->rest, clause_only || absent ? 0.4 : 0.75);
    return verdict(score, score >= 0.5 ? "named first" : "talked about");
}

/* Nothing but closing words, marks and smileys follows in the sentence. */
static bool at_end(struct str rest)
{
    struct str word;
    size_t pos = 0, count = 0;

    while (words_next(rest, &pos, &word)) {
        bool smiley = word.len == 1 && strchr("DPpOox", word.ptr[0]) != NULL;
        if (++count > 2 || !(smiley || WORDS_HAVE(closers, word)))
            return false;
    }
    return true;
}

/* The comma before the name parts a list ("with Ana, Ben, Theo"). */
static bool comma_of_list(const struct scene *scene, struct str before)
{
    size_t count;
    struct str trimmed = str_trim(before);

    while (trimmed.len > 0 && !char_is_word(trimmed.ptr[trimmed.len - 1]))
        trimmed.len--;
    struct str word = last_word(trimmed, &count);
    return is_other(scene, word) || (count > 1 && capitalised(word));
}

/* "Our assistant, Theo, will …": the name explains the words before it. */
static bool apposition(struct str before)
{
    size_t count;

    last_word(before, &count);
    return count == 2 && WORDS_HAVE(determiners, first_word(before));
}

static struct address_verdict judge_tail(const struct scene *scene, const struct place *place)
{
    size_t count;
    struct str word = last_word(place->before, &count);

    if (ends_with_comma(place->before)) {
        bool list = comma_of_list(scene, place->before) && !second_person_in(place->before);
        return verdict(list ? 0.35 : 0.92, list ? "talked about" : "named last");
    }
    if (WORDS_HAVE(about_before, word) || scene->other_first)
        return verdict(0.2, "talked about");
    if (second_person_in(place->before) || text_is_question(place->before) || count <= 4 ||
        str_ends(str_trim(place->rest), STR("?")))
        return verdict(0.75, "named last");
    return verdict(0.4, "talked about");
}

static struct address_verdict judge_middle(const struct scene *scene, const struct place *place)
{
    size_t count;
    struct str word = last_word(place->before, &count);
    struct str one = first_word(place->rest), two = nth_word(place->rest, 1);

    if (ends_with_comma(place->before) && set_off(place->after)) {
        bool list = comma_of_list(scene, place->before) || apposition(place->before) ||
                    opens_list(scene, place->rest);
        return verdict(list ? 0.3 : 0.85, list ? "talked about" : "named inside");
    }
    if (!WORDS_HAVE(about_before, word) && !scene->other_first && WORDS_HAVE(auxiliaries, one) &&
        (str_eq_nocase(two, STR("you")) || str_is(two, "u")))
        return verdict(0.8, "named inside");
    return verdict(0.15, "talked about");
}

/* A quoted line ("> Theo, can you …") or word (the name "Theo"). */
static bool quoted(struct str text, size_t from, size_t to)
{
    size_t line = from;

    if (from > 0 && to < text.len && text.ptr[from - 1] == '"' && text.ptr[to] == '"')
        return true;
    while (line > 0 && text.ptr[line - 1] != '\n')
        line--;
    return text.ptr[line] == '>' && line < from;
}

static struct address_verdict judge_place(
    const struct scene *scene, struct str text, size_t from, size_t to)
{
    if (quoted(text, from, to))
        return verdict(0.15, "talked about");
    if (from > 0 && text.ptr[from - 1] == '@')
        return verdict(0.98, "mention");

    struct place place = place_at(text, from, to);
    struct str start = str_trim(place.before);
    struct str lead = str_slice(place.before, 0, place.before.len - place.clause.len);
    bool others;
    if (str_eq_nocase(start, STR("for")) && str_starts(place.after, STR(":")))
        return verdict(0.85, "named first");
    if (str_is(start, "@"))
        return verdict(0.95, "mention");
    if (possessive(place.after))
        return verdict(0.1, "talked about");
    if (only_openers(scene, place.before, &others))
        return judge_head(scene, &place, others, false);
    if (only_openers(scene, place.clause, &others) && !others && !at_end(place.rest) &&
        !comma_of_list(scene, lead) && !apposition(lead))
        return judge_head(scene, &place, false, true);
    if (at_end(place.rest))
        return judge_tail(scene, &place);
    return judge_middle(scene, &place);
}

/* The surest of all places where one of the names stands. False when there is none. */
static bool judge_names(
    const struct scene *scene, struct str text, struct address_verdict *ret_verdict)
{
    bool found = false;

    for (size_t n = 0; n <= scene->alias_count; n++) {
        struct str name = n == 0 ? scene->name : scene->aliases[n - 1];
        ptrdiff_t at = name_find(text, name, 0);
        for (size_t i = 0; at >= 0 && i < PLACES_MAX; i++) {
            struct address_verdict one =
                judge_place(scene, text, (size_t)at, (size_t)at + name.len);
            if (!found || one.score > ret_verdict->score)
                *ret_verdict = one;
            found = true;
            if (one.score > 0.9)
                return true;
            at = name_find(text, name, (size_t)at + name.len);
        }
    }
    return found;
}

/* Does text open by addressing somebody of the chat other than Theo: "ana: …", "Ben, …", "@li …"?
 */
static bool addresses_other(const struct scene *scene, struct str text)
{
    size_t end = 0;

    text = str_trim(text);
    if (text.len > 1 && text.ptr[0] == '@')
        return !is_agent(scene, first_word(text));
    while (end < text.len && !char_is_space(text.ptr[end]) && strchr(":,>", text.ptr[end]) == NULL)
        end++;
    struct str word = str_slice(text, 0, end);
    struct str rest = str_trim(str_slice(text, end, text.len));
    bool mark = rest.len > 0 && strchr(":,>", rest.ptr[0]) != NULL;
    if (is_agent(scene, word))
        return false;
    if (is_other(scene, word))
        return mark || second_person_in(rest);
    return mark && rest.ptr[0] == ':' && !str_starts(rest, STR("://"));
}

/* The message says nothing but the name: what the same person says next is meant for Theo. */
static bool bare_summons(const struct scene *scene, struct str text)
{
    struct str word;
    size_t pos = 0;
    bool named = false;

    while (words_next(text, &pos, &word)) {
        if (is_agent(scene, word))
            named = true;
        else if (!WORDS_HAVE(openers, word))
            return false;
    }
    return named;
}

static bool only_two_parties(const struct scene *scene)
{
    for (size_t i = 0; i < scene->chat->count; i++) {
        struct str party = scene->chat->messages[i].party;
        if (!is_agent(scene, party) && !str_eq(party, scene->last->party))
            return false;
    }
    return true;
}

/* In chats where people open by naming whom they mean, a message without a name means nobody. */
static bool names_are_habit(const struct scene *scene)
{
    size_t end = scene->chat->count - 1, start = end > HABIT_WINDOW ? end - HABIT_WINDOW : 0;
    size_t named = 0, total = 0;

    for (size_t i = start; i < end; i++) {
        const struct chat_message *said = &scene->chat->messages[i];
        if (is_agent(scene, said->party))
            continue;
        total++;
        named += addresses_other(scene, said->text);
    }
    return named >= 2 && named * 4 >= total;
}

/* Whom does Theo's message answer or name? 2 names the author of the last message, 1 answers him,
 * -1 names another, 0 all. */
static int directed_at(const struct scene *scene, size_t index)
{
    const struct chat_message *said = &scene->chat->messages[index];

    if (address_names(said->text, first_word(scene->last->party)))
        return 2;
    if (addresses_other(scene, said->text))
        return -1;
    for (size_t i = index; i-- > 0;) {
        struct str party = scene->chat->messages[i].party;
        if (!is_agent(scene, party))
            return str_eq(party, scene->last->party) ? 1 : 0;
    }
    return 0;
}

/* Without a name the course of the dialogue decides: an answer to Theo's question, a further
 * request to him, a chat of two. */
static struct address_verdict judge_course(const struct scene *scene)
{
    size_t index = scene->chat->count - 1;
    struct str text = scene->last->text;

    if (index == 0 || scene->other_first)
        return nobody;
    const struct chat_message *previous = &scene->chat->messages[index - 1];
    if (str_eq(previous->party, scene->last->party))
        return bare_summons(scene, previous->text) ? verdict(0.8, "follow-up") : nobody;
    if (!is_agent(scene, previous->party))
        return nobody;
    if (only_two_parties(scene))
        return verdict(0.7, "dialogue");
    int at = directed_at(scene, index - 1);
    if (at < 0 || (at < 2 && names_are_habit(scene)))
        return nobody;
    bool asked = str_find_char(previous->text, '?', 0) >= 0, asks = text_is_question(text);
    if (asked && (at == 2 || !asks))
        return verdict(at == 0 ? 0.6 : 0.75, "follow-up");
    bool request = WORDS_HAVE(requests, first_word(text)) &&
                   (second_person_in(text) || !asks || text.len < SHORT_REQUEST);
    if (at > 0 && request)
        return verdict(0.6, "follow-up");
    return nobody;
}

struct address_verdict address_judge(
    const struct transcript *chat, struct str name, const struct str *aliases, size_t alias_count)
{
    struct scene scene = {chat, NULL, name, aliases, aliases == NULL ? 0 : alias_count, false};
    struct address_verdict found;

    if (chat->count == 0)
        return nobody;
    scene.last = &chat->messages[chat->count - 1];
    if (is_agent(&scene, scene.last->party))
        return verdict(0.0, "own message");
    scene.other_first = addresses_other(&scene, scene.last->text);
    if (judge_names(&scene, scene.last->text, &found))
        return found;
    return judge_course(&scene);
}

static bool begins_with_bot(struct str text)
{
    size_t end = 1;

    if (text.len == 0 || text.ptr[0] != '@')
        return false;
    while (end < text.len && char_is_word(text.ptr[end]))
        end++;
    return end > 4 && str_eq_nocase(str_slice(text, end - 3, end), STR("bot"));
}

bool address_is_to(struct str text, struct str party, struct str agent)
{
    struct chat_message said = {.party = party, .text = text};
    struct transcript chat = {&said, 1};

    return begins_with_bot(text) || address_judge(&chat, agent, NULL, 0).addressed;
}
