/* Days: month names, weekdays, relative days, days of the month.
 *
 * Rules, with what they follow:
 * - A date without a year is the next one that is not past (Recognizers-Text, future value).
 * - "Friday" and "this Friday" look ahead from today, today included when it still can be;
 *   "next Friday" is the Friday of the next calendar week (Monday first, ISO 8601), so that on a
 *   Thursday it is not tomorrow; on a Friday "next Tuesday" is four days away either way.
 * - "last Friday" is the one of last week, "past Friday" the latest that is over.
 * - "Monday 21" is the next Monday that falls on a 21st.
 * - "the 21st" alone may be a rank ("the 21st round"): it is weak unless "on" leads it. */
#include "text/when_data.h"

static int weekday_of(int64_t day)
{
    return (int)((day % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
}

static int64_t week_start(int64_t day)
{
    return day - (weekday_of(day) + 6) % 7;
}

static int64_t in_week(int64_t monday, int weekday)
{
    return monday + (weekday + 6) % 7;
}

/* Any of "2019", ", 2019", "of 2019", "in 2020", "of 87", "'26" behind a day and month. */
static size_t year_behind(const struct scan *s, size_t i, bool spelled, int *ret_year)
{
    size_t at = i, used;
    const struct token *t;
    bool of;

    if (token_punct(s, at, ',') || (token_punct(s, at, '.') && token_at(s, at + 1)->gap))
        at++;
    of = token_is(s, at, W_OF) || token_is(s, at, W_IN);
    if (of || token_punct(s, at, '\'') || token_punct(s, at, '-'))
        at++;
    used = when_year(s, at, ret_year);
    if (used && !token_punct(s, at + used, ':'))
        return at + used - i;
    t = token_at(s, at);
    if (t->class != W_NUM || t->digits != 2)
        return 0;
    if (token_punct(s, at + 1, ':') || token_is(s, at + 1, W_MERIDIEM) ||
        token_is(s, at + 1, W_OCLOCK) || token_is(s, at + 1, W_SUFFIX))
        return 0;
    /* Two figures only where nothing else fits: "of 87", "'26", "January first 12". */
    if (!(of && token_is(s, at - 1, W_OF)) && !(at > i && token_punct(s, at - 1, '\'')) &&
        !(spelled && at == i))
        return 0;
    *ret_year = when_full_year(t->value);
    return at + 1 - i;
}

static void set_year(const struct scan *s, struct when_day *day, size_t used, int year)
{
    if (used == 0) {
        if (day->date > 31 || day->date > civil_days_in_month(2000, day->month))
            day->impossible = true;
        else
            when_day_roll(s, day);
        return;
    }
    day->year_said = true;
    when_day_fix(day, year, day->month, day->date);
}

/* What follows a number makes it something else than a day: a clock, a share, a year. */
static bool number_goes_on(const struct scan *s, size_t next)
{
    const struct token *t = token_at(s, next);

    if (t->class == W_MERIDIEM || t->class == W_OCLOCK)
        return true;
    if (t->class != W_PUNCT || t->gap)
        return t->class == W_OTHER && !t->gap;
    if (t->value == ':' || t->value == '.')
        return token_is(s, next + 1, W_NUM) && !token_at(s, next + 1)->gap;
    return t->value == '%';
}

/* "May 29th, 2027", "Dec. 31, 1994", "march eighteenth", "Oct/2". */
static size_t month_first(const struct scan *s, size_t i, struct when_day *day)
{
    size_t at = i + 1, used, more;
    bool ordinal = true, spelled;
    int year = 0;

    if (token_punct(s, at, '.') && !token_at(s, at)->gap)
        at++;
    if (token_punct(s, at, ',') || token_punct(s, at, '/') || token_punct(s, at, '-'))
        at++;
    at += token_is(s, at, W_THE);
    used = when_ordinal(s, at, &day->date);
    if (used == 0) {
        ordinal = false;
        used = when_cardinal(s, at, &day->date);
    }
    if (used == 0 || day->date < 1 || (!ordinal && number_goes_on(s, at + used)))
        return 0;
    if (day->date > 31 && !token_is(s, at, W_NUM))
        return 0;
    spelled = ordinal && !token_is(s, at, W_NUM);
    at += used;
    day->month = token_at(s, i)->value;
    more = year_behind(s, at, spelled, &year);
    set_year(s, day, more, year);
    return at + more - i;
}

/* "22nd of April", "30 December", "15 April of 87", "the twenty third day of September". */
static size_t day_first(const struct scan *s, size_t i, struct when_day *day)
{
    size_t at = i, used, more;
    bool ordinal = true;
    int year = 0;

    used = when_ordinal(s, at, &day->date);
    if (used == 0) {
        ordinal = false;
        used = when_cardinal(s, at, &day->date);
    }
    if (used == 0 || day->date < 1 || day->date > 31)
        return 0;
    if (i > 0 && token_is(s, i - 1, W_PUNCT) &&
        (token_punct(s, i - 1, '$') || (token_punct(s, i - 1, '.') && !token_at(s, i)->gap)))
        return 0;
    at += used;
    if (ordinal && token_is(s, at, W_UNIT) && token_at(s, at)->value == UNIT_DAY)
        at++;
    if (token_is(s, at, W_OF) || token_punct(s, at, '-'))
        at++;
    if (!token_is(s, at, W_MONTH))
        return 0;
    /* "One may ask": the verb, not the month. */
    if (!ordinal && !token_is(s, i, W_NUM) && token_at(s, at)->value == 5 &&
        !token_at(s, at)->capital)
        return 0;
    day->month = token_at(s, at)->value;
    at++;
    if (token_punct(s, at, '.') && !token_at(s, at)->gap && token_is(s, at + 1, W_NUM))
        at++;
    more = year_behind(s, at, false, &year);
    set_year(s, day, more, year);
    return at + more - i;
}

/* "the 11th of this month", "15th day of next month"; "on the 18th", weak without "on". */
static size_t month_day(const struct scan *s, size_t i, struct when_day *day)
{
    struct civil now = civil_from_s(s->today * 86400);
    size_t used = when_ordinal(s, i, &day->date), at = i + used;
    bool the = i > 0 && token_is(s, i - 1, W_THE);
    size_t before = the ? i - 1 : i;

    if (used == 0 || day->date < 1 || day->date > 31)
        return 0;
    at += token_is(s, at, W_UNIT) && token_at(s, at)->value == UNIT_DAY;
    if (token_is(s, at, W_OF) && token_is(s, at + 2, W_UNIT) &&
        token_at(s, at + 2)->value == UNIT_MONTH &&
        (token_is(s, at + 1, W_THIS) || token_is(s, at + 1, W_NEXT) ||
            token_is(s, at + 1, W_THE))) {
        int month = now.month + token_is(s, at + 1, W_NEXT);

        day->year_said = true;
        when_day_fix(day, now.year + month / 13, month > 12 ? 1 : month, day->date);
        return at + 3 - i;
    }
    if (!token_is(s, i, W_NUM) && day->date < 4)
        return 0; /* "the first", "a second" are hardly ever days */
    day->weak = !(before > 0 && token_is(s, before - 1, W_ON) && the);
    if (token_is(s, i + used, W_OTHER) || token_is(s, i + used, W_UNIT))
        return 0; /* "the 21st century" */
    for (int k = 0; k < 12; k++) {
        int month = (now.month - 1 + k) % 12 + 1, year = now.year + (now.month - 1 + k) / 12;

        if (day->date > civil_days_in_month(year, month))
            continue;
        day->day = civil_to_days(year, month, day->date);
        if (day->day >= s->today)
            break;
    }
    return used;
}

/* "Monday 21", "tues the 4th": the next such weekday on that day of the month. */
static size_t weekday_number(const struct scan *s, size_t i, int weekday, struct when_day *day)
{
    size_t at = i + token_is(s, i, W_THE), used;
    int date;

    used = when_ordinal(s, at, &date);
    if (used == 0 && token_is(s, at, W_NUM) && !number_goes_on(s, at + 1) &&
        !token_punct(s, at + 1, '/') && !token_punct(s, at + 1, '-') &&
        !token_is(s, at + 1, W_MONTH) && !token_is(s, at + 1, W_UNIT) &&
        token_at(s, at)->value > 12)
        used = when_cardinal(s, at, &date);
    if (used == 0 || date < 1 || date > 31 || token_is(s, at + used, W_OF) ||
        token_is(s, at + used, W_MONTH))
        return 0;
    for (int64_t d = s->today; d < s->today + 366 * 7; d++) {
        if (weekday_of(d) == weekday && civil_from_s(d * 86400).day == date) {
            day->day = d;
            day->weekday_only = false;
            return at + used - i;
        }
    }
    return 0;
}

/* "[of] next week" behind a weekday, or in front of it: weeks from now. */
static size_t week_words(const struct scan *s, size_t i, int *ret_weeks)
{
    size_t at = i + token_is(s, i, W_OF);

    at += token_is(s, at, W_THE);
    if (!token_is(s, at + 1, W_UNIT) || token_at(s, at + 1)->value != UNIT_WEEK)
        return 0;
    if (token_is(s, at, W_NEXT))
        *ret_weeks = 1;
    else if (token_is(s, at, W_THIS))
        *ret_weeks = 0;
    else if (token_is(s, at, W_LAST))
        *ret_weeks = -1;
    else
        return 0;
    return at + 2 - i;
}

/* Short names are also words ("the sun", "I sat"): they need a capital or company. */
static bool weekday_here(const struct scan *s, size_t i)
{
    const struct token *t = token_at(s, i), *next = token_at(s, i + 1);

    if (t->class != W_WEEKDAY)
        return false;
    if (t->to - t->from > 3 || (t->value != 0 && t->value != 6 && t->value != 3))
        return true;
    if (next->class == W_NUM || next->class == W_AT || next->class == W_ORDINAL)
        return true;
    if (i > 0 &&
        (token_is(s, i - 1, W_ON) || token_is(s, i - 1, W_NEXT) || token_is(s, i - 1, W_THIS) ||
            token_is(s, i - 1, W_AND) || token_is(s, i - 1, W_OR)))
        return true;
    return t->capital && !(i > 0 && token_is(s, i - 1, W_THE));
}

static void weekday_day(
    const struct scan *s, struct when_day *day, int weekday, enum word_class modifier)
{
    int64_t monday = week_start(s->today);
    int64_t ahead = s->today + (weekday - weekday_of(s->today) + 7) % 7;

    day->day = ahead;
    day->weekday_only = true;
    if (modifier == W_NEXT)
        day->day = in_week(monday + 7, weekday);
    else if (modifier == W_COMING)
        day->day = ahead + (ahead == s->today ? 7 : 0);
    else if (modifier == W_THIS)
        day->day = in_week(monday, weekday);
    else if (modifier == W_LAST)
        day->day = in_week(monday - 7, weekday);
    else if (modifier == W_PAST)
        day->day = ahead - 7;
    /* "this Monday" said on a Friday looks ahead all the same. */
    if (modifier == W_THIS && day->day < s->today)
        day->day = ahead;
    day->this_week = modifier == W_THIS;
    day->past = modifier == W_LAST || modifier == W_PAST;
    if (modifier != W_OTHER)
        day->relative = true;
}

/* [this|next|last …] Friday [the 26th | next week]; "next week [on] Wednesday". */
static size_t weekday_parse(const struct scan *s, size_t i, struct when_day *day)
{
    enum word_class modifier = W_OTHER;
    size_t at = i, used;
    int weeks, weekday;

    used = week_words(s, at, &weeks);
    if (used && !token_is(s, at, W_OF)) {
        at += used;
        at += token_punct(s, at, '-') || token_punct(s, at, ',');
        at += token_is(s, at, W_ON);
        if (!token_is(s, at, W_WEEKDAY))
            return 0;
        day->day = in_week(week_start(s->today) + 7 * weeks, token_at(s, at)->value);
        day->past = weeks < 0;
        day->relative = true;
        return at + 1 - i;
    }
    for (; at - i < 3; at++) {
        enum word_class class = token_at(s, at)->class;

        if (class != W_THIS && class != W_NEXT && class != W_COMING && class != W_LAST &&
            class != W_PAST)
            break;
        modifier = class; /* the last one counts: "this past Friday" */
    }
    if (!weekday_here(s, at))
        return 0;
    weekday = token_at(s, at)->value;
    weekday_day(s, day, weekday, modifier);
    at++;
    if (modifier != W_OTHER)
        return at - i;
    used = week_words(s, at, &weeks);
    if (used) {
        day->day = in_week(week_start(s->today) + 7 * weeks, weekday);
        day->past = weeks < 0;
        day->relative = true;
    } else {
        used = weekday_number(s, at, weekday, day);
    }
    return at + used - i;
}

static bool unit_is(const struct scan *s, size_t i, int unit)
{
    return token_is(s, i, W_UNIT) && token_at(s, i)->value == unit;
}

/* today, tomorrow, "the day after tomorrow", tonight, "this morning", "last night". */
static size_t relative_parse(const struct scan *s, size_t i, struct when_day *day)
{
    const struct token *t = token_at(s, i);

    day->relative = true;
    if (t->class == W_RELATIVE) {
        day->day = s->today + t->value;
        day->past = t->value < 0;
        return 1;
    }
    if (unit_is(s, i, UNIT_DAY) && (token_is(s, i + 1, W_AFTER) || token_is(s, i + 1, W_BEFORE))) {
        int sign = token_is(s, i + 1, W_AFTER) ? 1 : -1;

        if (i > 0 && token_is(s, i - 1, W_A))
            return 0;
        if (token_is(s, i + 2, W_RELATIVE)) {
            day->day = s->today + token_at(s, i + 2)->value + sign;
            day->past = day->day < s->today;
            return 3;
        }
        /* "the day after" at the end of a sentence, said of today. */
        if (i == 0 || !token_is(s, i - 1, W_THE) ||
            (!token_is(s, i + 2, W_END) && !token_is(s, i + 2, W_PUNCT)))
            return 0;
        day->day = s->today + sign;
        day->past = sign < 0;
        return 2;
    }
    if ((t->class == W_THIS || t->class == W_LAST) && token_is(s, i + 1, W_PART)) {
        day->part = (enum part)token_at(s, i + 1)->value;
        if (t->class == W_LAST && day->part != PART_NIGHT)
            return 0;
        day->day = s->today - (t->class == W_LAST);
        day->past = t->class == W_LAST;
        return 2;
    }
    return 0;
}

size_t when_day_parse(const struct scan *s, size_t i, struct when_day *ret_day)
{
    size_t (*const parsers[])(const struct scan *, size_t, struct when_day *) = {
        when_numeric_day, day_first, month_day, weekday_parse, relative_parse};
    const struct token *t = token_at(s, i);
    struct when_day day = {0};
    size_t used = 0;

    if (t->class == W_OTHER || t->class == W_TAIL || t->class == W_PUNCT || t->class == W_END)
        return 0;
    if (t->class == W_MONTH && (used = when_numeric_day(s, i, &day)) == 0)
        used = month_first(s, i, &day);
    if (t->class == W_HOLIDAY)
        used = when_holiday(s, i, &day);
    for (size_t k = 0; used == 0 && k < ARRAY_LEN(parsers); k++) {
        day = (struct when_day){0};
        used = parsers[k](s, i, &day);
    }
    if (used == 0)
        return 0;
    *ret_day = day;
    return used;
}
