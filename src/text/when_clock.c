/* Times of day, ranges of them, and the zone said behind.
 *
 * An hour of 1 to 12 without am, pm or a leading zero is open: when_find() takes it as said
 * ("at 5" is 05:00, as Recognizers-Text does), when_resolve() reads it as business hours. */
#include "text/when_data.h"
#include "text/zone_data.h"

#define HOUR_S 3600

/* am, pm, "a.m.", "p . m .", "p m", and "9a": 0 or 12 through ret_add. */
static size_t meridiem(const struct scan *s, size_t i, int *ret_pm)
{
    const struct token *t = token_at(s, i);
    size_t at = i + 1;
    char letter = t->to - t->from == 1 ? char_lower(s->text.ptr[t->from]) : '\0';

    if (t->class == W_PUNCT && t->value == '.' && !t->gap && token_is(s, at, W_MERIDIEM)) {
        *ret_pm = token_at(s, at)->value; /* "9.am" */
        return 2;
    }
    if (t->class == W_MERIDIEM) {
        /* "~3am3ioY" is a code. */
        if (token_is(s, at, W_NUM) && !token_at(s, at)->gap)
            return 0;
        *ret_pm = t->value;
        return 1 + (token_punct(s, at, '.') && !token_at(s, at)->gap &&
                       token_is(s, at + 1, W_MERIDIEM));
    }
    if (letter != 'a' && letter != 'p')
        return 0;
    *ret_pm = letter == 'p';
    at += token_punct(s, at, '.');
    if (token_at(s, at)->to - token_at(s, at)->from == 1 &&
        char_lower(s->text.ptr[token_at(s, at)->from]) == 'm') {
        at++;
        return at + token_punct(s, at, '.') - i;
    }
    /* One letter alone counts only when it sticks to the figure: "9p". */
    return !t->gap && (token_at(s, i + 1)->gap || token_is(s, i + 1, W_PUNCT)) ? 1 : 0;
}

static int with_meridiem(int hour, int pm)
{
    return hour % 12 + (pm ? 12 : 0);
}

/* hour and minute into seconds; a meridiem behind closes an open hour. */
static size_t finish(
    const struct scan *s, size_t i, int hour, int minute, int second, struct when_clock *clock)
{
    int pm;
    size_t used = meridiem(s, i, &pm);

    clock->end = -1;
    clock->open = false;
    if (used && hour >= 1 && hour <= 12)
        hour = with_meridiem(hour, pm);
    else if (!used)
        clock->open = hour >= 1 && hour <= 12;
    if (token_is(s, i + used, W_OCLOCK))
        used++;
    clock->impossible = hour > 24 || minute > 59 || second > 60 || (hour == 24 && minute > 0);
    clock->second = hour * HOUR_S + minute * 60 + second;
    return used;
}

/* "15:04:05", "8.30pm", "at 2.30", "15h30". */
static size_t figures(const struct scan *s, size_t i, bool bare, struct when_clock *clock)
{
    const struct token *h = token_at(s, i), *sep = token_at(s, i + 1), *m = token_at(s, i + 2);
    int second = 0, pm;
    size_t at = i + 3, used;
    bool dot = token_punct(s, i + 1, '.');
    bool letter = sep->class == W_UNIT && sep->value == UNIT_HOUR && sep->to - sep->from == 1;

    if (h->digits > 2 || sep->gap || m->gap || m->class != W_NUM || m->digits != 2)
        return 0;
    if (!dot && !letter && !token_punct(s, i + 1, ':'))
        return 0;
    if (dot && !meridiem(s, at, &pm) &&
        (!bare || token_punct(s, at, '%') || token_is(s, at, W_OTHER) ||
            (token_punct(s, at, '.') && token_is(s, at + 1, W_NUM))))
        return 0;
    if (!dot && token_punct(s, at, ':') && !token_at(s, at)->gap && token_is(s, at + 1, W_NUM) &&
        token_at(s, at + 1)->digits == 2) {
        second = token_at(s, at + 1)->value;
        at += 2;
        if (token_punct(s, at, '.') && !token_at(s, at)->gap && token_is(s, at + 1, W_NUM) &&
            !token_at(s, at + 1)->gap)
            at += 2; /* fractions of a second */
    }
    used = finish(s, at, h->value, m->value, second, clock);
    if (h->digits == 2 && h->value < 10)
        clock->open = false; /* "08:15" is a 24-hour clock */
    return at + used - i;
}

static bool all_capitals(struct str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] < 'A' || word.ptr[i] > 'Z')
            return false;
    return word.len >= 2 && word.len <= 4;
}

/* "CET", "Madrid time"; a city alone may be a street ("at 5 Boston Road"). */
static bool zone_behind(const struct scan *s, size_t i)
{
    const struct zone *zone;
    size_t used = when_zone_parse(s, i, &zone);

    return used && (all_capitals(token_text(s, i)) || token_is(s, i + used - 1, W_TIME));
}

/* The word behind a bare hour must be one that can follow it, or the number counts something. */
static bool may_follow(const struct scan *s, size_t i)
{
    const struct token *t = token_at(s, i);

    if (t->class == W_OTHER)
        return t->gap && zone_behind(s, i);
    if (t->class == W_UNIT || t->class == W_MONTH || t->class == W_SUFFIX || t->class == W_NUM ||
        t->class == W_CARDINAL || t->class == W_HALF)
        return false;
    if (t->class == W_PUNCT)
        return t->value == ',' || t->value == ';' || t->value == '?' || t->value == '!' ||
               t->value == ')' || t->value == '(' || t->value == '"' || t->value == '-' ||
               (t->value == '.' && (token_at(s, i + 1)->gap || !token_is(s, i + 1, W_NUM)));
    return true;
}

/* An hour in figures or words: "3pm", "1140 a.m.", "three pm", "seven twenty-seven", "11ish". */
static size_t hour_only(const struct scan *s, size_t i, bool bare, struct when_clock *clock)
{
    const struct token *t = token_at(s, i);
    int hour, minute = 0, pm;
    size_t used, more = 0;
    bool spelled = t->class == W_CARDINAL;

    if (t->class == W_NUM && (t->digits == 3 || t->digits == 4) && meridiem(s, i + 1, &pm)) {
        hour = t->value / 100;
        minute = t->value % 100;
        used = 1;
        if (hour < 1 || hour > 12 || minute > 59)
            return 0;
        return used + finish(s, i + used, hour, minute, 0, clock);
    }
    used = spelled && t->value < 20 ? 1 : when_cardinal(s, i, &hour);
    if (used == 1 && spelled)
        hour = t->value;
    if (used == 0 || hour > 24)
        return 0;
    if (token_is(s, i + used, W_ISH) && !token_at(s, i + used)->gap)
        return used + 1 + finish(s, i + used + 1, hour, 0, 0, clock);
    if (spelled && token_at(s, i)->value <= 12) {
        size_t at = i + used + token_punct(s, i + used, '-');

        if (token_is(s, at, W_CARDINAL) && (more = when_cardinal(s, at, &minute)) > 0) {
            if (minute < 10)
                return 0;
            more += at - (i + used);
        }
    }
    if (meridiem(s, i + used + more, &pm)) {
        if (hour < 1 || hour > 12)
            return 0;
        return used + more + finish(s, i + used + more, hour, minute, 0, clock);
    }
    if (token_is(s, i + used, W_OCLOCK))
        return used + finish(s, i + used, hour, 0, 0, clock);
    if (t->class == W_NUM && i > 0 && token_is(s, i - 1, W_AT) && token_is(s, i + 1, W_UNIT) &&
        !token_at(s, i + 1)->gap && str_eq_nocase(token_text(s, i + 1), STR("h"))) {
        finish(s, i + 2, hour, 0, 0, clock); /* "at 14h" */
        clock->open = false;
        return 2;
    }
    if (!bare)
        return 0;
    if (more && token_is(s, i + used + more, W_UNIT) &&
        token_at(s, i + used + more)->value == UNIT_MINUTE)
        more++;
    else if (!may_follow(s, i + used + more))
        return 0;
    finish(s, i + used + more, hour, minute, 0, clock);
    return hour >= 1 ? used + more : 0;
}

/* "half past two", "quarter to 3", "20 min past eight", "ten to three". */
static size_t past_hour(const struct scan *s, size_t i, bool bare, struct when_clock *clock)
{
    size_t at = i + token_is(s, i, W_A), used;
    int minute, hour, pm;
    bool minutes_said = false, to, figure = token_is(s, at, W_NUM);

    if (token_is(s, at, W_HALF) || token_is(s, at, W_QUARTER)) {
        minute = token_is(s, at, W_HALF) ? 30 : 15;
        minutes_said = true;
        at++;
    } else if ((used = when_cardinal(s, at, &minute)) > 0 && minute >= 1 && minute < 60) {
        at += used;
        if (token_is(s, at, W_UNIT) && token_at(s, at)->value == UNIT_MINUTE) {
            minutes_said = true;
            at++;
        }
    } else {
        return 0;
    }
    to = token_is(s, at, W_TO) || token_is(s, at, W_BEFORE);
    if (!to && !token_is(s, at, W_PAST) && !token_is(s, at, W_AFTER))
        return 0;
    /* "10 to 11" is a range; "ten to three" said as a time has words on the left. */
    if ((to || token_is(s, at, W_AFTER)) && !minutes_said && (figure || !bare || minute % 5 != 0))
        return 0;
    at++;
    used = token_is(s, at, W_NOON) ? 1 : when_cardinal(s, at, &hour);
    if (token_is(s, at, W_NOON))
        hour = token_at(s, at)->value == 0 ? 24 : 12;
    if (used == 0 || hour < 1 || hour > 24)
        return 0;
    at += used;
    if (token_is(s, at, W_UNIT))
        return 0; /* "five minutes past two days" */
    used = meridiem(s, at, &pm);
    if (used && hour <= 12)
        hour = with_meridiem(hour, pm);
    used += token_is(s, at + used, W_OCLOCK);
    clock->open =
        !used || !meridiem(s, at, &pm) ? hour <= 12 && !token_is(s, at - 1, W_NOON) : false;
    clock->second = hour * HOUR_S + (to ? -minute : minute) * 60;
    clock->end = -1;
    return at + used - i;
}

/* noon, midnight, "12 noon", "mid night". */
static size_t noon(const struct scan *s, size_t i, struct when_clock *clock)
{
    size_t at = i;

    if (token_is(s, at, W_NUM) && token_at(s, at)->value == 12 && token_is(s, at + 1, W_NOON))
        at++;
    if (token_is(s, at, W_NOON)) {
        clock->second = token_at(s, at)->value * HOUR_S;
        at++;
        at += token_punct(s, at, '-') && token_is(s, at + 1, W_ISH) ? 2 : 0;
    } else if (str_eq_nocase(token_text(s, at), STR("mid")) && token_is(s, at + 1, W_PART) &&
               token_at(s, at + 1)->value == PART_NIGHT) {
        clock->second = 0;
        at += 2;
    } else {
        return 0;
    }
    clock->end = -1;
    return at - i;
}

static size_t one_clock(const struct scan *s, size_t i, bool bare, struct when_clock *ret_clock)
{
    const struct token *t = token_at(s, i);
    struct when_clock clock = {.end = -1};
    size_t used;

    if (t->class == W_NUM && i > 0 && !t->gap && !token_is(s, i - 1, W_PUNCT) &&
        !(token_at(s, i - 1)->to - token_at(s, i - 1)->from == 1))
        return 0; /* inside a code */
    used = noon(s, i, &clock);
    if (used == 0)
        used = past_hour(s, i, bare, &clock);
    if (used == 0 && t->class == W_NUM)
        used = figures(s, i, bare, &clock);
    if (used == 0)
        used = hour_only(s, i, bare, &clock);
    if (used)
        *ret_clock = clock;
    return used;
}

/* "3-4pm", "11-1pm", "9am to 5": the side without am or pm follows the other. */
static void join_range(struct when_clock *first, const struct when_clock *second)
{
    int from = first->second, to = second->second;

    if (first->open && !second->open) {
        int late = from % (12 * HOUR_S) + 12 * HOUR_S;

        from = late < to ? late : from % (12 * HOUR_S);
        first->open = false;
    } else if (!first->open && second->open) {
        if (to <= from && to + 12 * HOUR_S > from)
            to += 12 * HOUR_S;
    } else if (first->open && second->open && to <= from) {
        to += 12 * HOUR_S;
    }
    if (to <= from)
        to += 24 * HOUR_S;
    first->second = from;
    first->end = to;
    first->end_open = second->open;
}

size_t when_clock_parse(const struct scan *s, size_t i, bool bare, struct when_clock *ret_clock)
{
    struct when_clock first, second;
    bool led = i > 0 && (token_is(s, i - 1, W_FROM) || token_is(s, i - 1, W_BETWEEN));
    size_t used, at, more, dash;
    bool first_bare = false;

    used = one_clock(s, i, bare || led, &first);
    at = i + used;
    if (used == 0 && token_is(s, i, W_NUM) && token_at(s, i)->digits <= 2 &&
        token_at(s, i)->value >= 1 && token_at(s, i)->value <= 12 &&
        (i == 0 || token_at(s, i)->gap || token_punct(s, i - 1, '('))) {
        /* "3-4pm": the first figure is an hour because the second is one. */
        first =
            (struct when_clock){.second = token_at(s, i)->value * HOUR_S, .end = -1, .open = true};
        first_bare = true;
        at = i + 1;
    }
    if (used == 0 && !first_bare)
        return 0;
    dash = token_punct(s, at, '-') || token_is(s, at, W_TO) || token_is(s, at, W_UNTIL) ||
           (led && token_is(s, at, W_AND) && token_is(s, i - 1, W_BETWEEN));
    if (dash) {
        more = one_clock(s, at + 1, !first_bare, &second);
        if (more) {
            join_range(&first, &second);
            *ret_clock = first;
            return at + 1 + more - i;
        }
    }
    /* "at 25:00" is a mistake to be told; "25:00" alone is a ratio or a score. */
    if (first_bare || (first.impossible && !(i > 0 && token_is(s, i - 1, W_AT))))
        return 0;
    *ret_clock = first;
    return used;
}

/* "+02:00", "+2", "-5:30" right behind "UTC", or behind a clock in ISO form. */
static size_t offset_tokens(const struct scan *s, size_t i)
{
    if (!token_punct(s, i, '+') && !token_punct(s, i, '-'))
        return 0;
    if (!token_is(s, i + 1, W_NUM) || token_at(s, i + 1)->gap)
        return 0;
    if (token_punct(s, i + 2, ':') && token_is(s, i + 3, W_NUM) && !token_at(s, i + 3)->gap &&
        token_at(s, i + 3)->digits == 2)
        return 4;
    return token_at(s, i + 1)->digits <= 2 || token_at(s, i + 1)->digits == 4 ? 2 : 0;
}

static struct str tokens_text(const struct scan *s, size_t i, size_t count)
{
    return str_slice(s->text, token_at(s, i)->from, token_at(s, i + count - 1)->to);
}

/* "Europe/Madrid", "America/Argentina/Buenos_Aires". */
static size_t iana_tokens(const struct scan *s, size_t i)
{
    size_t at = i;

    while (at - i < 9 && (at == i || !token_at(s, at)->gap) && !token_is(s, at, W_END)) {
        char c = s->text.ptr[token_at(s, at)->from];

        if (!char_is_alpha(c) && c != '/' && c != '_')
            break;
        at++;
    }
    return at - i >= 3 ? at - i : 0;
}

/* Words that are zones only with "time" behind, or in capitals. */
static bool needs_time(struct str name)
{
    static const char *const words[] = {"west", "central", "eastern", "pacific", "mountain", "et",
        "la", "mt", "pt", "ct", "china", "turkey", "panama", "z", "sf", "ny"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(name, str_from(words[i])))
            return true;
    return false;
}

/* "3pm Eastern", but not "3pm Central Park". */
static bool is_us_zone(const struct scan *s, size_t i, size_t count)
{
    static const char *const names[] = {"Eastern", "Central", "Mountain", "Pacific"};
    const struct token *next = token_at(s, i + count);

    for (size_t k = 0; k < ARRAY_LEN(names); k++)
        if (count == 1 && str_is(token_text(s, i), names[k]))
            return !(next->class == W_OTHER && next->capital);
    return false;
}

static size_t named_zone(const struct scan *s, size_t i, const struct zone **ret_zone)
{
    for (size_t count = 3; count >= 1; count--) {
        struct str name;
        const struct zone *zone;
        size_t next = i + count;
        bool time;

        if (next > s->count || token_is(s, next - 1, W_PUNCT))
            continue;
        name = tokens_text(s, i, count);
        if (str_empty(zone_common_name(name)))
            continue;
        if (str_eq_nocase(token_text(s, next), STR("standard")) ||
            str_eq_nocase(token_text(s, next), STR("daylight")))
            next++;
        time = token_is(s, next, W_TIME);
        if (!time && needs_time(name) && !all_capitals(name) && !str_is(name, "Z") &&
            !is_us_zone(s, i, count))
            continue;
        zone = zone_guess(name);
        if (!zone)
            continue;
        *ret_zone = zone;
        return (time ? next + 1 : i + count) - i;
    }
    return 0;
}

size_t when_zone_parse(const struct scan *s, size_t i, const struct zone **ret_zone)
{
    const struct token *t = token_at(s, i);
    struct str word = token_text(s, i);
    const struct zone *zone = NULL;
    size_t used;

    if (t->class == W_PUNCT && t->value == '(') {
        used = when_zone_parse(s, i + 1, &zone);
        if (used == 0 || !token_punct(s, i + 1 + used, ')'))
            return 0;
        *ret_zone = zone;
        return used + 2;
    }
    used = !t->gap ? offset_tokens(s, i) : 0;
    if (used == 0 && (str_eq_nocase(word, STR("UTC")) || str_eq_nocase(word, STR("GMT"))))
        used = offset_tokens(s, i + 1) ? 1 + offset_tokens(s, i + 1) : 0;
    if (used == 0 && token_punct(s, i + 1, '/'))
        used = iana_tokens(s, i);
    if (used) {
        zone = zone_guess(tokens_text(s, i, used));
        if (zone)
            *ret_zone = zone;
        return zone ? used : 0;
    }
    if (t->class == W_PUNCT || t->class == W_END || t->class == W_NUM)
        return 0;
    return named_zone(s, i, ret_zone);
}
