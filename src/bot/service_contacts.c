/* Cards of people and companies, from what was said in this chat and nowhere else: authors, people
 * named with an e-mail address, a telephone number or a company. Nothing is kept for them: a card
 * is made from the messages as they are now, so what was corrected or erased is in none. */
#include "bot/service.h"
#include "text/name.h"
#include "text/personal.h"
#include "text/words.h"

#define MESSAGES_MAX 3000
#define CARDS_MAX 200
#define SHOWN_MAX 30
#define DETAILS_MAX 4
#define OPEN_MAX 5
#define PAGE 100
#define LINE_MAX_BYTES 200
#define NAME_BACK 200 /* bytes */

struct card {
    struct str name, company;
    struct str details[DETAILS_MAX]; /* addresses and numbers */
    size_t detail_count;
    int64_t last_ms;
    bool author, shared; /* shared: a first name that several have */
};

struct cards {
    struct card *items;
    size_t count;
};

/* "ben" is "Ben Ortiz" */
static bool same_person(struct str full, struct str name)
{
    return str_eq_nocase(full, name) ||
           (full.len > name.len && str_starts_nocase(full, name) && full.ptr[name.len] == ' ');
}

/* Who of the cards a name means: whoever has it, or the only one that it is a part of, or that is a
 * part of it. People in the chat are known by the name they have there: "Ben Ortiz" need not be the
 * Ben who speaks. */
static struct card *find(struct cards *cards, struct str name, bool *ret_shared)
{
    struct card *part = NULL;
    size_t count = 0;

    for (size_t i = 0; i < cards->count; i++) {
        struct card *card = &cards->items[i];

        if (str_eq_nocase(card->name, name))
            return card;
        if (same_person(card->name, name) ||
            (!card->author && !card->shared && same_person(name, card->name))) {
            part = card;
            count++;
        }
    }
    *ret_shared = count > 1;
    return count == 1 ? part : NULL;
}

static struct card *card_of(struct cards *cards, struct str name, int64_t at_ms)
{
    bool shared = false;
    struct card *card = find(cards, name, &shared);

    if (!card) {
        if (cards->count == CARDS_MAX || str_empty(name))
            return NULL;
        card = &cards->items[cards->count++];
        *card = (struct card){.name = name, .shared = shared};
    }
    if (name.len > card->name.len)
        card->name = name;
    card->last_ms = MAX(card->last_ms, at_ms);
    return card;
}

static void add_detail(struct card *card, struct str detail)
{
    for (size_t i = 0; i < card->detail_count; i++)
        if (str_eq_nocase(card->details[i], detail))
            return;
    if (card->detail_count < DETAILS_MAX)
        card->details[card->detail_count++] = detail;
}

/* A capital letter of the Latin, Greek or Cyrillic script, or one of a script without capitals. */
static bool is_capital(struct str word)
{
    size_t pos = 0;
    uint32_t cp = utf8_next(word, &pos);
    bool odd_is_capital = (cp >= 0x139 && cp <= 0x148) || cp >= 0x179;

    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z';
    if (cp < 0x100)
        return cp >= 0xC0 && cp <= 0xDE && cp != 0xD7;
    if (cp < 0x180)
        return cp == 0x178 || (cp & 1) == odd_is_capital;
    if (cp >= 0x370 && cp < 0x400)
        return cp < 0x3AC && cp != 0x390;
    return cp < 0x430 || cp >= 0x530;
}

static bool is_name(struct str word)
{
    static const char *const no_names[] = {"I", "The", "We", "You", "My", "Mail", "Email", "Call",
        "Write", "Please", "And", "At", "Contact", "Reach", "This", "It", "Hi", "Hello", "Thanks",
        "Phone", "Tel", "His", "Her", "Our", "Your", "Is", "Monday", "Tuesday", "Wednesday",
        "Thursday", "Friday", "Saturday", "Sunday"};

    if (word.len < 2 || (word.ptr[0] == 'I' && !char_is_alnum(word.ptr[1]))) /* "I'm" */
        return false;
    for (size_t i = 0; i < ARRAY_LEN(no_names); i++)
        if (str_eq_nocase(word, str_from(no_names[i])))
            return false;
    return is_capital(word);
}

/* The name that ends at this byte of the text: one or two words that are written as one. Not looked
 * for farther back than a name is long: a text may have thousands of such places. */
static struct str name_before(struct str text, size_t end)
{
    struct str word, run = {"", 0};
    size_t pos = end > NAME_BACK ? end - NAME_BACK : 0;
    struct str part = str_slice(text, 0, end);

    while (pos > 0 && pos < end && !char_is_space(text.ptr[pos]))
        pos++;

    while (words_next(part, &pos, &word)) {
        bool joins = run.len > 0 && word.ptr == run.ptr + run.len + 1 && word.ptr[-1] == ' ';

        if (!is_name(word))
            run = (struct str){"", 0};
        else if (joins)
            run.len += 1 + word.len;
        else
            run = word;
    }
    if (run.len > 0) /* nothing but marks in between */
        for (const char *at = run.ptr + run.len; at < text.ptr + end; at++)
            if (!strchr(" ,:(<'\"", *at))
                return (struct str){"", 0};
    return run;
}

/* "ana.ruiz@acme.com" names Ana Ruiz, and Ana when there is one only. */
static struct card *named_by_address(struct cards *cards, struct str address)
{
    struct str local = str_slice(address, 0, (size_t)str_find_char(address, '@', 0)), first, rest;
    struct card *best = NULL;
    int most = 0;

    for (size_t i = 0; i < cards->count; i++) {
        int fit;

        rest = cards->items[i].name;
        if (!str_next(&rest, ' ', &first) || first.len < 2 || !str_starts_nocase(local, first))
            continue;
        fit = rest.len > 1 && str_find_nocase(local, rest, first.len) >= 0 ? 2 : 1;
        if (fit >= most)
            best = fit > most ? &cards->items[i] : NULL;
        most = MAX(most, fit);
    }
    return best;
}

static void read_details(struct cards *cards, const struct chat_message *message)
{
    static const char *const own[] = {"my", "me", "mine", "mi", "mein", "meine", "mon", "ma", "meu",
        "minha", "мой", "Мой", "моя", "Моя"};
    unsigned kinds = 1u << PERSONAL_EMAIL | 1u << PERSONAL_PHONE;
    struct personal_span span;
    size_t pos = 0, from = 0;

    while (personal_next(message->text, kinds, &pos, &span)) {
        struct str detail = str_slice(message->text, span.from, span.to);
        struct str before = str_slice(message->text, from, span.from);
        struct str name = name_before(before, before.len);
        struct card *card = NULL;

        if (!str_empty(name))
            card = card_of(cards, name, message->at_ms);
        else if (WORDS_ANY(before, own))
            card = card_of(cards, message->party, message->at_ms);
        if (!card && span.kind == PERSONAL_EMAIL)
            card = named_by_address(cards, detail);
        if (!card && span.kind == PERSONAL_EMAIL)
            card = card_of(cards, detail, message->at_ms);
        if (card && !str_eq(card->name, detail))
            add_detail(card, detail);
        from = span.to;
    }
}

/* May word go on the company's name that ends before it? "Acme Labs", "Acme & Sons", "Acme, Inc".
 */
static bool joins_company(struct str company, struct str word)
{
    static const char *const forms[] = {
        "inc", "ltd", "llc", "corp", "gmbh", "ag", "kg", "sa", "sl", "sas", "bv"};
    const char *end = company.ptr + company.len;

    if (word.ptr == end + 1)
        return *end == ' ';
    if (word.ptr == end + 2)
        return memcmp(end, ", ", 2) == 0 && WORDS_HAVE(forms, word);
    return word.ptr == end + 3 && memcmp(end, " & ", 3) == 0;
}

/* The words behind "from": up to four that are written as a name. */
static struct str company_at(struct str text, size_t from)
{
    struct str word, company = {"", 0};
    size_t pos = from;

    for (int i = 0; i < 4 && words_next(text, &pos, &word); i++) {
        bool next = company.len == 0 ? str_empty(str_trim((struct str){
                                           text.ptr + from, (size_t)(word.ptr - text.ptr) - from}))
                                     : joins_company(company, word);

        if (!next || !is_name(word))
            break;
        company = company.len == 0
                      ? word
                      : (struct str){company.ptr, (size_t)(word.ptr + word.len - company.ptr)};
    }
    return company;
}

/* "Ben Ortiz from Acme", "I'm from Acme", "I work at Acme". */
static void read_companies(struct cards *cards, const struct chat_message *message)
{
    static const char *const links[] = {"from", "of", "at", "for"};
    static const char *const own[] = {"i", "i'm"};
    struct str text = message->text, word, former = {"", 0}, second = {"", 0};
    size_t pos = 0;

    for (; words_next(text, &pos, &word); second = former, former = word) {
        struct str company, name;
        struct card *card = NULL;
        bool from = str_eq_nocase(word, STR("from"));
        bool works = str_eq_nocase(former, STR("work")) || str_eq_nocase(former, STR("am"));

        if (!WORDS_HAVE(links, word))
            continue;
        company = company_at(text, pos);
        if (str_empty(company))
            continue;
        name = name_before(text, (size_t)(word.ptr - text.ptr));
        if (from && !str_empty(name))
            card = card_of(cards, name, message->at_ms);
        else if ((from && WORDS_HAVE(own, former)) || (works && WORDS_HAVE(own, second)))
            card = card_of(cards, message->party, message->at_ms);
        if (card)
            card->company = company;
    }
}

static void read_talk(struct cards *cards, const struct transcript *talk)
{
    for (size_t i = 0; i < talk->count; i++) {
        struct card *card = card_of(cards, talk->messages[i].party, talk->messages[i].at_ms);

        if (card)
            card->author = true;
    }
    for (size_t i = 0; i < talk->count; i++) {
        read_companies(cards, &talk->messages[i]);
        read_details(cards, &talk->messages[i]);
    }
}

static void write_card(struct bot_job *job, struct buf *out, const struct card *card)
{
    struct str day = service_day(job->arena, card->last_ms, chat_zone(job->chat));

    buf_printf(out, "**%.*s**", STR_ARG(card->name));
    if (!str_empty(card->company))
        buf_printf(out, ", %.*s", STR_ARG(card->company));
    for (size_t i = 0; i < card->detail_count; i++)
        buf_printf(out, ", %.*s", STR_ARG(card->details[i]));
    buf_printf(out, " – %.*s", STR_ARG(say_with(job->arena, job->language, SAY_CONTACT_LAST, day)));
}

/* What the notes say is open, by or about somebody: or about anybody of a company. */
static int write_open(struct bot_job *job, struct str name, struct buf *out)
{
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = job->bot->options.workspace_id,
        .index = 0,
        .value = job->work->row.session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct str rest = name, first;
    struct store_page page;
    size_t count = 0;
    int rc = store_list(job->bot->options.store, &query, job->arena, &page);

    (void)str_next(&rest, ' ', &first);
    for (size_t i = 0; rc == 0 && i < page.count && count < OPEN_MAX; i++) {
        const struct memory_row *note = (const struct memory_row *)page.rows + i;

        if (!str_is(note->kind, "open_point") || !str_is(note->state, "active") ||
            (name_find(note->body, first, 0) < 0 && name_find(note->subject, first, 0) < 0))
            continue;
        if (count++ == 0)
            buf_printf(out, "\n\n**%.*s**", STR_ARG(say(job->language, SAY_DIGEST_OPEN)));
        buf_printf(out, "\n- %.*s: %.*s", STR_ARG(note->subject),
            STR_ARG(utf8_truncate(note->body, LINE_MAX_BYTES)));
    }
    return rc;
}

/* A person's card, or those of a company's people. */
static int show_one(struct bot_job *job, const struct cards *cards, struct str name)
{
    struct buf out = BUF_IN(job->arena);
    int rc;

    for (size_t i = 0; i < cards->count; i++)
        if (same_person(cards->items[i].name, name) || same_person(cards->items[i].company, name)) {
            buf_add_cstr(&out, out.len > 0 ? "\n- " : "- ");
            write_card(job, &out, &cards->items[i]);
        }
    if (out.len == 0)
        return job_say(
            job, say_with(job->arena, job->language, SAY_CONTACT_UNKNOWN, utf8_truncate(name, 80)));
    rc = write_open(job, name, &out);
    return rc < 0 ? rc : job_say(job, buf_str(&out));
}

static int show_all(struct bot_job *job, const struct cards *cards)
{
    struct buf out = BUF_IN(job->arena);

    if (cards->count == 0)
        return job_say(job, say(job->language, SAY_CONTACTS_NONE));
    for (size_t i = 0; i < cards->count && i < SHOWN_MAX; i++) {
        buf_add_cstr(&out, "\n- ");
        write_card(job, &out, &cards->items[i]);
    }
    if (cards->count > SHOWN_MAX)
        buf_printf(&out, "\n… %zu", cards->count - SHOWN_MAX);
    return job_say(job, say_with(job->arena, job->language, SAY_CONTACTS, buf_str(&out)));
}

int contacts_command(struct bot_job *job)
{
    struct cards cards = {arena_array(job->arena, struct card, CARDS_MAX), 0};
    struct str name = str_trim(job->update.arguments);
    struct message_row *rows;
    struct transcript talk;
    size_t count;
    int rc = service_messages(
        job->bot, job->work->row.session_id, 0, MESSAGES_MAX, job->arena, &rows, &count);

    if (rc < 0)
        return rc;
    talk = service_talk(rows, count, job->arena);
    read_talk(&cards, &talk);
    return str_empty(name) ? show_all(job, &cards) : show_one(job, &cards, name);
}
