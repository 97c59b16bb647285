/* Names in the chat: who takes part, for which companies, what the meeting is called. */
#include "model/builtin.h"
#include "text/zone.h"

static bool has_name(const struct builtin_names *names, struct str name)
{
    for (size_t i = 0; i < names->count; i++)
        if (str_eq_nocase(names->names[i], name))
            return true;
    return false;
}

static void add_name(struct builtin_names *names, struct str name)
{
    if (name.len >= 1 && name.len <= 64 && names->count < BUILTIN_NAMES_MAX &&
        !has_name(names, name))
        names->names[names->count++] = name;
}

/* "Ana" of "Ana (Acme)", "Ana from Acme", "Ana @ Acme"; the rest through ret_company. */
static struct str split_author(struct str author, struct str *ret_company)
{
    static const struct {
        struct str mark;
        bool closed;
    } marks[] = {{{" (", 2}, true}, {{" from ", 6}, false}, {{" @ ", 3}, false},
        {{" at ", 4}, false}, {{", ", 2}, false}};

    *ret_company = STR("");
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        ptrdiff_t at = str_find(author, marks[i].mark, 0);
        size_t end = author.len;

        if (at <= 0)
            continue;
        if (marks[i].closed) {
            ptrdiff_t close = str_find_char(author, ')', (size_t)at);

            if (close < 0)
                continue;
            end = (size_t)close;
        }
        *ret_company = str_trim(str_slice(author, (size_t)at + marks[i].mark.len, end));
        return str_trim(str_slice(author, 0, (size_t)at));
    }
    return author;
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool name_char(char c)
{
    return char_is_alnum(c) || (unsigned char)c >= 0x80 || c == '-' || c == '&';
}

/* One or more capitalised words at from. */
static struct str capitalised(struct str text, size_t from)
{
    size_t end = from, i = from;

    while (i < text.len && is_capital(text.ptr[i])) {
        while (i < text.len && name_char(text.ptr[i]))
            i++;
        end = i;
        if (i + 1 < text.len && text.ptr[i] == ' ')
            i++;
    }
    return str_slice(text, from, end);
}

/* Days, months, places and clocks are capitalised too. */
static bool is_no_name(struct str name)
{
    static const char *const starts[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan",
        "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    ptrdiff_t space = str_find_char(name, ' ', 0);
    struct str first = space > 0 ? str_slice(name, 0, (size_t)space) : name;
    struct when found;

    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (str_starts(first, str_from(starts[i])) &&
            when_find(first, 0, zone_utc(), &found, 1) > 0)
            return true;
    return str_is(first, "I") || str_is(first, "PM") || str_is(first, "AM") ||
           zone_guess(name) != NULL || zone_guess(first) != NULL;
}

/* Names behind any of the marks (" from ", " with ") in text. */
static void names_behind(struct str text, struct str mark, struct builtin_names *names)
{
    ptrdiff_t at = 0;

    while ((at = str_find(text, mark, (size_t)at)) >= 0) {
        struct str name = capitalised(text, (size_t)at + mark.len);

        at += (ptrdiff_t)mark.len;
        if (name.len > 1 && !is_no_name(name))
            add_name(names, name);
    }
}

/* Behind a name: where the next one of "Ben, Carla and Dirk" begins, or 0. */
static size_t next_in_list(struct str text, size_t from)
{
    static const struct str links[] = {{", and ", 6}, {" and ", 5}, {" & ", 3}, {", ", 2}};

    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (str_starts(str_slice(text, from, text.len), links[i]))
            return from + links[i].len;
    return 0;
}

/* The same for lists of people. */
static void people_behind(struct str text, struct str mark, struct builtin_names *names)
{
    ptrdiff_t at = 0;

    while ((at = str_find(text, mark, (size_t)at)) >= 0) {
        size_t from = (size_t)at + mark.len;

        at += (ptrdiff_t)mark.len;
        do {
            struct str name = capitalised(text, from);

            if (name.len <= 1 || is_no_name(name))
                break;
            add_name(names, name);
            from = next_in_list(text, from + name.len);
        } while (from > 0);
    }
}

static void add_emails(struct str text, struct builtin_names *names)
{
    ptrdiff_t at = -1;

    while ((at = str_find_char(text, '@', (size_t)(at + 1))) >= 0) {
        size_t from = (size_t)at, to = (size_t)at + 1;
        struct str email;

        while (from > 0 && (char_is_alnum(text.ptr[from - 1]) || text.ptr[from - 1] == '.' ||
                               text.ptr[from - 1] == '_' || text.ptr[from - 1] == '+' ||
                               text.ptr[from - 1] == '-'))
            from--;
        while (to < text.len &&
               (char_is_alnum(text.ptr[to]) || text.ptr[to] == '.' || text.ptr[to] == '-'))
            to++;
        while (to > from && text.ptr[to - 1] == '.')
            to--;
        email = str_slice(text, from, to);
        if (from < (size_t)at && str_find_char(str_slice(text, (size_t)at, to), '.', 0) > 1)
            add_name(names, email);
    }
}

/* Who is to be there besides those who talk, as said in the requests to the agent. */
static void add_invited(const struct builtin_turn *turn, struct builtin_names *names)
{
    struct str agent = turn->request->scene.agent_name;

    for (size_t i = turn->window; i <= turn->last; i++) {
        const struct model_message *m = &turn->request->messages[i];

        if (m->role != MODEL_USER || (i != turn->last && str_find_nocase(m->content, agent, 0) < 0))
            continue;
        people_behind(m->content, STR(" with "), names);
        people_behind(m->content, STR(" w/ "), names);
        people_behind(m->content, STR(" invite "), names);
        add_emails(m->content, names);
    }
}

const struct builtin_names *builtin_attendees(struct builtin_turn *turn)
{
    struct builtin_names *people = &turn->people;
    struct builtin_names extra = {.count = 0};
    struct str company;

    if (turn->people_known)
        return people;
    turn->people_known = true;
    for (size_t i = turn->window; i <= turn->last; i++) {
        const struct model_message *m = &turn->request->messages[i];

        if (m->role == MODEL_USER && !str_is(m->author, "User") && /* who has no name */
            !str_eq_nocase(m->author, turn->request->scene.agent_name))
            add_name(people, split_author(m->author, &company));
    }
    add_invited(turn, &extra);
    for (size_t i = 0; i < extra.count; i++)
        if (!str_eq_nocase(extra.names[i], turn->request->scene.agent_name))
            add_name(people, extra.names[i]);
    return people;
}

void builtin_companies(struct builtin_turn *turn, struct builtin_names *ret_names)
{
    const struct builtin_names *people = builtin_attendees(turn);
    struct builtin_names names = {.count = 0};
    struct builtin_names said = {.count = 0};
    struct str company;

    for (size_t i = turn->window; i <= turn->last; i++) {
        const struct model_message *m = &turn->request->messages[i];

        if (m->role != MODEL_USER)
            continue;
        split_author(m->author, &company);
        add_name(&names, company);
        names_behind(m->content, STR(" from "), &said);
        names_behind(m->content, STR(" at "), &said);
        names_behind(m->content, STR(" ("), &said);
    }
    for (size_t i = 0; i < said.count; i++)
        if (!has_name(people, said.names[i]) &&
            !str_eq_nocase(said.names[i], turn->request->scene.agent_name))
            add_name(&names, said.names[i]);
    *ret_names = names;
}

/* "… called X", "titled X", or X in quotes. */
static struct str said_title(struct str text)
{
    static const struct str marks[] = {
        {" called ", 8}, {" titled ", 8}, {" title it ", 10}, {" call it ", 9}, {" named ", 7}};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        ptrdiff_t at = str_find_nocase(text, marks[i], 0);
        struct str rest;
        size_t end = 0;

        if (at < 0)
            continue;
        rest = str_slice(text, (size_t)at + marks[i].len, text.len);
        if (str_starts_nocase(rest, STR("as ")))
            rest = str_slice(rest, 3, rest.len);
        if (rest.len > 1 && (rest.ptr[0] == '"' || rest.ptr[0] == '\'')) {
            ptrdiff_t close = str_find_char(rest, rest.ptr[0], 1);

            if (close > 1)
                return str_slice(rest, 1, (size_t)close);
        }
        while (end < rest.len && end < 60 && !strchr(".,;!?\n\"", rest.ptr[end]))
            end++;
        return str_trim(str_slice(rest, 0, end));
    }
    return STR("");
}

/* What kind of meeting the chat speaks of. The latest message that names one counts. */
static const char *kind_of(const struct builtin_turn *turn)
{
    static const char *const kinds[][2] = {{" intro", "intro"}, {" demo", "demo"},
        {" kickoff", "kickoff"}, {" kick off", "kickoff"}, {" review ", "review"},
        {" interview ", "interview"}, {" workshop", "workshop"}, {" lunch ", "lunch"},
        {" coffee ", "coffee"}, {" sync ", "sync"}, {" follow up", "follow-up"},
        {" meeting ", "meeting"}, {" call ", "call"}};

    for (size_t i = turn->last + 1; i-- > turn->window;) {
        const struct model_message *m = &turn->request->messages[i];
        const char *words;

        if (m->role != MODEL_USER)
            continue;
        words = i == turn->last ? turn->words : builtin_words(turn->arena, m->content);
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            if (strstr(words, kinds[k][0]))
                return kinds[k][1];
    }
    return "meeting";
}

static struct str capital_first(struct arena *arena, const char *word)
{
    return str_printf(arena, "%c%s", word[0] - 'a' + 'A', word + 1);
}

struct str builtin_title(struct builtin_turn *turn)
{
    struct builtin_names companies;
    const struct builtin_names *people;
    struct str title = said_title(turn->text);
    const char *kind;

    if (title.len > 0)
        return title;
    kind = kind_of(turn);
    builtin_companies(turn, &companies);
    if (companies.count >= 2)
        return str_printf(turn->arena, "%.*s \xc3\x97 %.*s %s", STR_ARG(companies.names[0]),
            STR_ARG(companies.names[1]), kind);
    if (companies.count == 1)
        return str_printf(turn->arena, "%.*s with %.*s", STR_ARG(capital_first(turn->arena, kind)),
            STR_ARG(companies.names[0]));
    people = builtin_attendees(turn);
    if (people->count >= 2)
        return str_printf(turn->arena, "%.*s: %.*s and %.*s%s",
            STR_ARG(capital_first(turn->arena, kind)), STR_ARG(people->names[0]),
            STR_ARG(people->names[1]), people->count > 2 ? " and others" : "");
    return capital_first(turn->arena, kind);
}
