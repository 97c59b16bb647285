/* From atoms to phrases: adjacent parts that belong together ("tomorrow" "at" "3pm" "CET"). */
#include "text/when_data.h"

#define GLUE_MAX 3

struct join {
    struct scan *s;
    struct when_phrase open; /* being built */
    bool has_open;
    struct when_phrase *phrases;
    size_t count, max;
};

static bool is_glue(const struct token *t)
{
    switch (t->class) {
    case W_AT:
    case W_ON:
    case W_IN:
    case W_THE:
    case W_FOR:
    case W_FROM:
    case W_OF:
    case W_BETWEEN:
    case W_AROUND:
    case W_LINK:
        return true;
    case W_PUNCT:
        return t->value == ',' || t->value == '-' || t->value == '@' || t->value == '(' ||
               t->value == ')';
    default:
        return false;
    }
}

static bool word_in(struct str word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(word, str_from(list[i])))
            return true;
    return false;
}

/* "not Tuesday", "can't do Tuesday", "instead of Tuesday"; but "why not Tuesday?" proposes it. */
static bool negated_before(const struct scan *s, size_t first)
{
    static const char *const negations[] = {"can't", "cannot", "cant", "don't", "won't",
        "can\xe2\x80\x99t", "don\xe2\x80\x99t", "couldn't", "unavailable", "busy"};

    for (size_t k = 1; k <= 4 && k <= first; k++) {
        const struct token *t = token_at(s, first - k);

        if (t->class == W_PUNCT || t->class == W_UNTIL || t->class == W_BEFORE)
            return false; /* "can't go until Friday" names Friday */
        if (t->class == W_NOT)
            return !(first - k > 0 && str_eq_nocase(token_text(s, first - k - 1), STR("why")));
        if (t->class == W_TAIL && (t->value == 1 || t->value == 2) && k <= 3 &&
            (token_is(s, first - k + 1, W_OF) ||
                str_eq_nocase(token_text(s, first - k + 1), STR("than"))))
            return true;
        if (word_in(token_text(s, first - k), negations, ARRAY_LEN(negations)))
            return true;
    }
    return false;
}

/* "Tuesday doesn't work", "3pm is not possible". */
static bool negated_after(const struct scan *s, size_t last)
{
    static const char *const negations[] = {
        "doesn't", "isn't", "won't", "doesnt", "doesn\xe2\x80\x99t", "isn\xe2\x80\x99t"};

    if (word_in(token_text(s, last), negations, ARRAY_LEN(negations)))
        return true;
    return token_is(s, last, W_TAIL) && token_is(s, last + 1, W_NOT);
}

static void flush(struct join *j)
{
    struct when_phrase *p = &j->open;
    struct scan *s = j->s;

    if (!j->has_open)
        return;
    j->has_open = false;
    if (!p->has_day && !p->has_clock && !p->has_instant && !p->duration_min)
        return; /* a part of the day alone: "good morning" */
    if (p->has_day && !p->has_clock && p->day.weak)
        p->weak = true;
    p->from = token_at(s, p->first)->from;
    p->to = token_at(s, p->last - 1)->to;
    p->negated = negated_before(s, p->first) || negated_after(s, p->last);
    p->alternative =
        p->first > 0 && j->count > 0 &&
        (token_is(s, p->first - 1, W_OR) || (p->first > 1 && is_glue(token_at(s, p->first - 1)) &&
                                                token_is(s, p->first - 2, W_OR)));
    if (j->count < j->max)
        j->phrases[j->count++] = *p;
}

static int64_t nearest_weekday(int64_t day, int64_t like)
{
    int64_t ahead = ((like - day) % 7 + 7) % 7;

    return day + (ahead > 3 ? ahead - 7 : ahead);
}

/* Two days side by side that mean one: "Friday 7/6", "tomorrow, 3 March", "Monday two weeks from
 * now". False when they are two. */
static bool merge_days(const struct scan *s, struct when_day *a, const struct when_day *b)
{
    struct civil now = civil_from_s(s->today * 86400);
    struct when_day merged;

    if (a->shifted != b->shifted && (a->weekday_only || b->weekday_only)) {
        merged = a->shifted ? *a : *b;
        merged.day = nearest_weekday(merged.day, a->shifted ? b->day : a->day);
    } else if (b->month_said && !a->month_said && (a->weekday_only || a->relative)) {
        merged = *b;
        /* "this Friday (Jun 15)" is this year's even when it is over. */
        if (a->this_week && !b->year_said && !b->shifted)
            when_day_fix(&merged, now.year, b->month, b->date);
    } else if (a->month_said && !b->month_said && (b->weekday_only || b->relative)) {
        merged = *a;
    } else {
        return false;
    }
    *a = merged;
    return true;
}

static bool merge(const struct scan *s, struct when_phrase *open, const struct when_phrase *atom)
{
    if ((open->has_clock && atom->has_clock) || open->has_instant || atom->has_instant ||
        (open->duration_min && atom->duration_min) || (open->part && atom->part))
        return false;
    if (open->has_day && atom->has_day && !merge_days(s, &open->day, &atom->day))
        return false;
    if (atom->has_day && !open->has_day)
        open->day = atom->day;
    open->has_day = open->has_day || atom->has_day;
    if (atom->has_clock) {
        open->clock = atom->clock;
        open->has_clock = true;
    }
    if (atom->part)
        open->part = atom->part;
    if (atom->zone)
        open->zone = atom->zone;
    if (atom->duration_min)
        open->duration_min = atom->duration_min;
    open->tonight = open->tonight || atom->tonight;
    open->weak = open->weak && atom->weak;
    open->last = atom->last;
    return true;
}

static void push(struct join *j, const struct when_phrase *atom)
{
    if (j->has_open) {
        bool close = atom->first - j->open.last <= GLUE_MAX;

        for (size_t i = j->open.last; close && i < atom->first; i++)
            close = is_glue(token_at(j->s, i));
        if (close && merge(j->s, &j->open, atom))
            return;
        flush(j);
    }
    j->open = *atom;
    j->has_open = true;
}

/* "now", "at the moment", "at present", "at this time". */
static size_t now_words(const struct scan *s, size_t i)
{
    size_t at = i + 1;

    if (token_is(s, i, W_NOW))
        return 1;
    if (!token_is(s, i, W_AT))
        return 0;
    if (token_is(s, at, W_THIS))
        return token_is(s, at + 1, W_TIME) || token_is(s, at + 1, W_MOMENT) ? 3 : 0;
    at += token_is(s, at, W_THE);
    if (token_is(s, at, W_MOMENT))
        return at + 1 + token_is(s, at + 1, W_TIME) - i;
    return at > i + 1 && token_is(s, at, W_UNIT) && token_at(s, at)->value == UNIT_MINUTE
               ? at + 1 - i
               : 0;
}

/* "end of [the|this] day", "end of tomorrow", "eod". */
static size_t end_of_day(const struct scan *s, size_t i, struct when_day *day)
{
    size_t at = i + 1, used;

    if (token_is(s, i, W_EOD)) {
        *day = (struct when_day){.day = s->today, .relative = true, .end_of_day = true};
        return 1;
    }
    if (!token_is(s, i, W_END_OF) || !token_is(s, at, W_OF))
        return 0;
    at++;
    at += token_is(s, at, W_THE);
    if (token_is(s, at, W_UNIT) && token_at(s, at)->value == UNIT_DAY) {
        *day = (struct when_day){.day = s->today, .relative = true};
        used = 1;
    } else {
        used = when_day_parse(s, at, day);
    }
    day->end_of_day = true;
    return used ? at + used - i : 0;
}

static bool is_at(const struct scan *s, size_t i)
{
    return token_is(s, i, W_AT) || token_punct(s, i, '@');
}

/* Whether a number alone at i may be an hour: after "at", beside a day or a part of the day. */
static bool bare_hour(const struct join *j, size_t i)
{
    const struct scan *s = j->s;
    const struct when_phrase *open = j->has_open ? &j->open : NULL;
    size_t next = i + 1 + token_punct(s, i + 1, ',');
    bool beside =
        open && (open->has_day || open->part) && !open->has_clock && i - open->last <= GLUE_MAX;

    if (i > 0 && is_at(s, i - 1))
        return true;
    if (i > 1 && is_at(s, i - 2) && token_is(s, i - 1, W_AROUND))
        return true;
    if (token_is(s, next, W_TONIGHT))
        return true;
    if (token_is(s, next, W_IN) && token_is(s, next + 1, W_THE) && token_is(s, next + 2, W_PART))
        return true;
    for (size_t k = beside ? open->last : i; k < i; k++)
        beside = beside && is_glue(token_at(s, k)) && !token_is(s, k, W_FOR);
    return beside;
}

/* "10 works", "make it 4", or nothing but a number: an hour where one was asked for. */
static bool weak_hour(const struct scan *s, size_t i)
{
    const struct token *t = token_at(s, i), *next = token_at(s, i + 1);

    if ((t->class != W_NUM && t->class != W_CARDINAL) || t->value < 1 || t->value > 12)
        return false;
    if (next->class == W_TAIL && next->value == 3 && i == 0)
        return true;
    if (i > 1 && str_eq_nocase(token_text(s, i - 1), STR("it")) &&
        str_eq_nocase(token_text(s, i - 2), STR("make")))
        return true;
    return i == 0 && (next->class == W_END || (next->class == W_PUNCT && s->count == 2));
}

/* A part of the day with the words that lead it: "in the evening", "morning", "tonight". */
static size_t part_words(const struct scan *s, size_t i, struct when_phrase *atom)
{
    const struct token *t = token_at(s, i);

    if (t->class == W_TONIGHT) {
        atom->has_day = atom->tonight = true;
        atom->day = (struct when_day){.day = s->today, .relative = true};
        atom->part = PART_NIGHT;
        return 1;
    }
    if (t->class != W_PART)
        return 0;
    atom->part = (enum part)t->value;
    return 1;
}

static size_t clock_atom(const struct join *j, size_t i, struct when_phrase *atom)
{
    size_t used = when_clock_parse(j->s, i, bare_hour(j, i), &atom->clock);

    if (used == 0 && weak_hour(j->s, i)) {
        used = when_clock_parse(j->s, i, true, &atom->clock);
        atom->weak = used > 0;
    }
    atom->has_clock = used > 0;
    if (used)
        used += when_zone_parse(j->s, i + used, &atom->zone);
    return used;
}

static size_t duration_atom(const struct scan *s, size_t i, struct when_phrase *atom)
{
    struct when_span span = {0};
    size_t used = when_span_parse(s, i, &span);

    if (used == 0 || span.ms < MINUTE_MS || span.days || span.months)
        return 0;
    atom->duration_min = span.ms / MINUTE_MS;
    return used;
}

static size_t shift_atom(const struct scan *s, size_t i, struct when_phrase *atom)
{
    bool is_day = false;
    size_t used = when_shift_parse(s, i, &atom->day, &atom->instant_ms, &is_day);

    atom->has_day = used && is_day;
    atom->has_instant = used && !is_day;
    return used;
}

static size_t atom_at(const struct join *j, size_t i, struct when_phrase *atom)
{
    const struct scan *s = j->s;
    size_t used;

    *atom = (struct when_phrase){.first = i, .clock.end = -1};
    used = now_words(s, i);
    if (used) {
        atom->now = atom->has_instant = true;
        return used;
    }
    used = end_of_day(s, i, &atom->day);
    if (used) {
        atom->has_day = true;
        return used;
    }
    used = shift_atom(s, i, atom);
    if (used)
        return used;
    used = when_day_parse(s, i, &atom->day);
    if (used) {
        atom->has_day = true;
        atom->part = atom->day.part;
        /* "2026-03-01T14:00": the letter joins. */
        if (str_is(token_text(s, i + used), "T") && !token_at(s, i + used)->gap)
            used++;
        return used;
    }
    used = part_words(s, i, atom);
    if (used == 0)
        used = clock_atom(j, i, atom);
    return used ? used : duration_atom(s, i, atom);
}

/* Where the custom is month first: the Americas, and where nothing is known (English text). */
static bool day_comes_first(const struct zone *zone)
{
    static const char *const month_first[] = {
        "America/", "US/", "UTC", "Etc/", "Pacific/Honolulu", "Asia/Manila"};
    struct str name = zone_name(zone);

    for (size_t i = 0; i < ARRAY_LEN(month_first); i++)
        if (str_starts(name, str_from(month_first[i])))
            return false;
    return true;
}

/* Whether an atom can start with the token: most words are dismissed here. */
static bool may_start(const struct scan *s, size_t i)
{
    const struct token *t = token_at(s, i);

    switch (t->class) {
    case W_OTHER: /* "mid night" */
        return t->to - t->from == 3 && token_is(s, i + 1, W_PART);
    case W_UNIT: /* "day after tomorrow" */
        return t->value == UNIT_DAY;
    case W_AT:
        return token_is(s, i + 1, W_THE) || token_is(s, i + 1, W_THIS) ||
               token_is(s, i + 1, W_MOMENT);
    case W_NUM:
    case W_MONTH:
    case W_WEEKDAY:
    case W_CARDINAL:
    case W_ORDINAL:
    case W_RELATIVE:
    case W_TONIGHT:
    case W_PART:
    case W_NOON:
    case W_THIS:
    case W_NEXT:
    case W_COMING:
    case W_LAST:
    case W_PAST:
    case W_A:
    case W_IN:
    case W_NOW:
    case W_HALF:
    case W_QUARTER:
    case W_END_OF:
    case W_EOD:
    case W_HOLIDAY:
        return true;
    default:
        return false;
    }
}

static void scan_tokens(struct join *j)
{
    for (size_t i = 0; i < j->s->count;) {
        struct when_phrase atom;
        size_t used = may_start(j->s, i) ? atom_at(j, i, &atom) : 0;

        if (used) {
            atom.last = i + used;
            push(j, &atom);
        }
        i += used ? used : 1;
    }
    flush(j);
}

size_t when_scan(struct str text, int64_t reference_ms, const struct zone *zone,
    struct when_phrase *phrases, size_t max)
{
    struct str read = utf8_truncate(text, WHEN_TEXT_MAX);
    struct token *tokens = xmalloc((read.len + 1) * sizeof(*tokens));
    struct civil now;
    struct scan s = {.text = read, .tokens = tokens, .day_first = day_comes_first(zone)};
    struct join j = {.s = &s, .phrases = phrases, .max = max};

    now = zone_to_local(zone, reference_ms / 1000);
    s.today = civil_to_days(now.year, now.month, now.day);
    s.count = when_tokens(read, tokens);
    scan_tokens(&j);
    free(tokens);
    return j.count;
}
