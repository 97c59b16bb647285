/* Dates in figures ("2026-03-01", "3/4", "23.04.2022", "05-Aug-2016") and feasts. */
#include "text/when_data.h"

bool when_day_fix(struct when_day *day, int year, int month, int date)
{
    day->month = month;
    day->date = date;
    day->month_said = true;
    if (month < 1 || month > 12 || date < 1 || date > 31)
        return false;
    if (date > civil_days_in_month(year, month)) {
        day->impossible = true;
        return true;
    }
    day->day = civil_to_days(year, month, date);
    return true;
}

void when_day_roll(const struct scan *s, struct when_day *day)
{
    struct civil now = civil_from_s(s->today * 86400);

    day->month_said = true;
    /* Eight years on there is a 29 February at the latest (1900 and 2100 have none). */
    for (int year = now.year; year <= now.year + 8; year++) {
        if (day->date > civil_days_in_month(year, day->month))
            continue;
        day->day = civil_to_days(year, day->month, day->date);
        if (day->day >= s->today)
            return;
    }
    day->impossible = true;
}

/* Part k of three parts separated by the same character. */
static const struct token *part_at(const struct scan *s, size_t i, size_t k)
{
    return token_at(s, i + 2 * k);
}

static bool joined(const struct scan *s, size_t i, char separator)
{
    return token_punct(s, i, separator) && !token_at(s, i)->gap && !token_at(s, i + 1)->gap;
}

/* A figure or letter that goes on without a gap: part of a code, a version, a phone number. */
static bool sticks_out(const struct scan *s, size_t next)
{
    const struct token *t = token_at(s, next), *after = token_at(s, next + 1);

    if (t->gap)
        return false;
    if (t->class != W_PUNCT)
        return t->class != W_END && !(t->to - t->from == 1 && token_is(s, next + 1, W_NUM));
    if (t->value == '%')
        return true;
    return (t->value == '-' || t->value == '/' || t->value == '.') && !after->gap &&
           (after->class == W_NUM);
}

/* A number right before, as in "133-03-03-2020" or "$12.05". */
static bool led_by_number(const struct scan *s, size_t i)
{
    if (i == 0 || token_at(s, i)->gap)
        return false;
    if (token_is(s, i - 1, W_PUNCT) && i >= 2 && !token_at(s, i - 1)->gap)
        return token_is(s, i - 2, W_NUM);
    return !token_is(s, i - 1, W_PUNCT);
}

/* Year, month name and day in any order: "23/Sep/2020", "2020-23-September". */
static size_t named_month(const struct scan *s, size_t i, char separator, struct when_day *day)
{
    int year = 0, month = 0, date = 0;

    for (size_t k = 0; k < 3; k++) {
        const struct token *t = part_at(s, i, k);

        if (t->class == W_MONTH)
            month = t->value;
        else if (t->class == W_NUM && (t->digits == 4 || (k == 2 && date)))
            year = t->digits == 4 ? t->value : when_full_year(t->value);
        else if (t->class == W_NUM && t->digits <= 2)
            date = t->value;
    }
    if (!joined(s, i + 1, separator) || !joined(s, i + 3, separator) || !month || !year || !date)
        return 0;
    day->year_said = true;
    return when_day_fix(day, year, month, date) ? 5 : 0;
}

/* Which of two figures is the month. Where it could be either, the zone's custom decides; with
 * dots and a year the day comes first everywhere. */
static bool order(int first, int second, bool day_first, struct when_day *day, int year)
{
    if (first > 12 || (day_first && second <= 12)) {
        int swap = first;

        first = second;
        second = swap;
    }
    if (first > 12 || second > 31 || first < 1 || second < 1)
        return false;
    return when_day_fix(day, year, first, second);
}

static size_t three_figures(const struct scan *s, size_t i, char separator, struct when_day *day)
{
    const struct token *a = part_at(s, i, 0), *b = part_at(s, i, 1), *c = part_at(s, i, 2);
    bool spaced = separator == ' ';
    size_t used = spaced ? 3 : 5;

    if (spaced) {
        b = token_at(s, i + 1);
        c = token_at(s, i + 2);
        if (!b->gap || !c->gap || a->digits != 4 || b->digits != 2 || c->digits != 2)
            return 0;
    } else if (!joined(s, i + 1, separator) || !joined(s, i + 3, separator)) {
        return 0;
    }
    if (b->class != W_NUM || c->class != W_NUM || b->digits > 2 || sticks_out(s, i + used))
        return 0;
    day->year_said = true;
    if (a->digits == 4 && c->digits <= 2)
        return when_day_fix(day, a->value, b->value, c->value) ? used : 0;
    if (a->digits > 2 || (c->digits != 4 && c->digits != 2))
        return 0;
    return order(a->value, b->value, s->day_first || separator == '.', day,
               c->digits == 4 ? c->value : when_full_year(c->value))
               ? used
               : 0;
}

/* "3/4": only after a word that expects a date, or alone; scores and fractions look the same. */
static size_t two_figures(const struct scan *s, size_t i, char separator, struct when_day *day)
{
    const struct token *a = part_at(s, i, 0), *b = part_at(s, i, 1), *before;
    struct civil now = civil_from_s(s->today * 86400);
    bool expected;

    if (!joined(s, i + 1, separator) || b->class != W_NUM || a->digits > 2 || b->digits > 2 ||
        sticks_out(s, i + 3))
        return 0;
    before = i > 0 ? token_at(s, i - 1) : NULL;
    expected = before && (before->class == W_ON || before->class == W_WEEKDAY ||
                             before->class == W_THIS || before->class == W_NEXT);
    if (separator == '/')
        expected = expected || !before || before->class == W_AROUND || before->class == W_FOR ||
                   before->class == W_FROM || before->class == W_UNTIL || before->class == W_TO ||
                   before->class == W_BEFORE || before->class == W_AFTER ||
                   before->class == W_PUNCT;
    else if (separator == '-')
        expected = before && before->class == W_WEEKDAY;
    if (!expected || !order(a->value, b->value, s->day_first, day, 2000))
        return 0;
    if (separator == '.' && day->impossible)
        return 0; /* "Friday 2.30" is a time */
    if (before && before->class == W_THIS)
        return when_day_fix(day, now.year, day->month, day->date) ? 3 : 0;
    when_day_roll(s, day);
    return 3;
}

static size_t eight_digits(const struct scan *s, size_t i, struct when_day *day)
{
    int value = token_at(s, i)->value, year = value / 10000;

    if (year < 1900 || year > 2100 ||
        (i > 0 && !token_at(s, i)->gap && token_is(s, i - 1, W_OTHER)))
        return 0;
    day->year_said = true;
    if (!when_day_fix(day, year, value / 100 % 100, value % 100) || day->impossible)
        return 0;
    return 1;
}

size_t when_numeric_day(const struct scan *s, size_t i, struct when_day *ret_day)
{
    static const char separators[] = {'-', '/', '.', ' '};
    const struct token *t = token_at(s, i);

    if (t->class == W_NUM && t->digits == 8) {
        struct when_day day = {0};
        size_t used = eight_digits(s, i, &day);

        if (used)
            *ret_day = day;
        return used;
    }
    if (t->class == W_NUM && (t->digits > 4 || t->digits == 3 || led_by_number(s, i)))
        return 0;
    for (size_t k = 0; k < ARRAY_LEN(separators); k++) {
        struct when_day day = {0};
        size_t used = 0;

        if (separators[k] != ' ' && !token_punct(s, i + 1, separators[k]))
            continue;
        if (separators[k] != '.' && separators[k] != ' ')
            used = named_month(s, i, separators[k], &day);
        if (used == 0 && t->class == W_NUM)
            used = three_figures(s, i, separators[k], &day);
        if (used == 0 && t->class == W_NUM && separators[k] != ' ') {
            day = (struct when_day){0};
            used = two_figures(s, i, separators[k], &day);
        }
        if (used) {
            *ret_day = day;
            return used;
        }
    }
    return 0;
}

/* Feasts by fixed date, by the nth weekday of a month, or around Easter. */
static const struct feast_rule {
    const char *words[3]; /* what follows the first word; NULL ends */
    bool optional;        /* the words may be missing */
    int month, date;      /* date 0: nth weekday */
    int nth, weekday, shift;
} feasts[] = {
    [FEAST_CHRISTMAS] = {{"day", NULL}, true, 12, 25, 0, 0, 0},
    [FEAST_NEW_YEAR] = {{"years", "day", NULL}, true, 1, 1, 0, 0, 0},
    [FEAST_VALENTINE] = {{"day", NULL}, false, 2, 14, 0, 0, 0},
    [FEAST_BOXING_DAY] = {{"day", NULL}, false, 12, 26, 0, 0, 0},
    [FEAST_INDEPENDENCE] = {{"day", NULL}, false, 7, 4, 0, 0, 0},
    [FEAST_HALLOWEEN] = {{NULL}, true, 10, 31, 0, 0, 0},
    [FEAST_EARTH_DAY] = {{"day", NULL}, false, 4, 22, 0, 0, 0},
    [FEAST_ST_PATRICK] = {{"day", NULL}, true, 3, 17, 0, 0, 0},
    [FEAST_EASTER] = {{NULL}, true, 0, 0, 0, 0, 0}, /* computed */
    [FEAST_THANKSGIVING] = {{"day", NULL}, true, 11, 0, 4, 4, 0},
    [FEAST_BLACK_FRIDAY] = {{"friday", NULL}, false, 11, 0, 4, 4, 1},
    [FEAST_WORKERS_DAY] = {{"day", NULL}, false, 5, 1, 0, 0, 0},
};
/* Gregorian Easter (Meeus, Astronomical Algorithms, chapter 8). */
static int64_t easter(int year)
{
    int a = year % 19, b = year / 100, c = year % 100;
    int h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    int m = (a + 11 * h + 22 * l) / 451;
    int n = h + l - 7 * m + 114;

    return civil_to_days(year, n / 31, n % 31 + 1);
}

static int64_t feast_day(size_t row, bool eve, int year)
{
    const struct feast_rule *feast = &feasts[row];
    int first;

    if (row == FEAST_EASTER)
        return easter(year) - eve;
    if (feast->date)
        return civil_to_days(year, feast->month, feast->date) - eve;
    first = civil_weekday(year, feast->month, 1);
    return civil_to_days(
               year, feast->month, 1 + (feast->weekday - first + 7) % 7 + (feast->nth - 1) * 7) +
           feast->shift;
}

static bool word_is(const struct scan *s, size_t i, const char *word)
{
    return str_eq_nocase(token_text(s, i), str_from(word));
}

/* "new" needs "year", "black" needs "friday": the first word alone says nothing. */
static size_t feast_words(const struct scan *s, size_t i, size_t row, bool *ret_eve)
{
    size_t used = 1;

    if (row == FEAST_NEW_YEAR) {
        if (!token_is(s, i + 1, W_UNIT) || token_at(s, i + 1)->value != UNIT_YEAR)
            return 0;
        used = 2;
        /* "a new year of growth" is no date. */
        if (i > 0 && token_is(s, i - 1, W_A))
            return 0;
    } else if (row == FEAST_WORKERS_DAY && !word_is(s, i + 1, "day")) {
        return 0;
    }
    *ret_eve = word_is(s, i + used, "eve");
    if (*ret_eve)
        return used + 1;
    if (feasts[row].words[0] && row != FEAST_NEW_YEAR && word_is(s, i + used, feasts[row].words[0]))
        return used + 1;
    if (row == FEAST_NEW_YEAR)
        return used + word_is(s, i + used, "day");
    return feasts[row].optional ? used : 0;
}

size_t when_holiday(const struct scan *s, size_t i, struct when_day *ret_day)
{
    struct when_day day = {.month_said = true};
    size_t row = (size_t)token_at(s, i)->value, used, more;
    int year = civil_from_s(s->today * 86400).year, said;
    bool eve = false, before = i > 0;

    used = feast_words(s, i, row, &eve);
    if (used == 0)
        return 0;
    more = token_is(s, i + used, W_OF) && token_is(s, i + used + 1, W_THIS) &&
                   token_is(s, i + used + 2, W_UNIT)
               ? 3
               : 0;
    if (more) {
        day.year_said = true;
    } else if ((more = when_year(s, i + used, &said)) > 0) {
        day.year_said = true;
        year = said;
    }
    day.day = feast_day(row, eve, year);
    if (!day.year_said && before && token_is(s, i - 1, W_LAST)) {
        day.past = true;
        if (day.day >= s->today)
            day.day = feast_day(row, eve, year - 1);
    } else if (!day.year_said && day.day < s->today) {
        day.day = feast_day(row, eve, year + 1);
    }
    *ret_day = day;
    return used + more;
}
