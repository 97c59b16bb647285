/* POSIX TZ rules: the footer of a TZif file, which governs times after its last transition. */
#include "text/zone_data.h"

struct cursor {
    const char *p, *end;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool take_number(struct cursor *c, int max, int *ret_value)
{
    int value = 0;
    const char *from = c->p;

    while (c->p < c->end && char_is_digit(*c->p)) {
        value = value * 10 + (*c->p++ - '0');
        if (value > max)
            return false;
    }
    if (c->p == from)
        return false;
    *ret_value = value;
    return true;
}

/* "CET", or in angle brackets anything like "<+0530>". */
static bool take_name(struct cursor *c, char out[ZONE_ABBREVIATION_MAX + 1])
{
    bool quoted = take(c, '<');
    const char *from = c->p;
    size_t len;

    while (c->p < c->end && (quoted ? *c->p != '>' : char_is_alpha(*c->p)))
        c->p++;
    len = (size_t)(c->p - from);
    if (len < 3 || len > ZONE_ABBREVIATION_MAX || (quoted && !take(c, '>')))
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

/* [+-]hh[:mm[:ss]], in seconds. */
static bool take_time(struct cursor *c, int32_t *ret_seconds)
{
    bool negative = take(c, '-');
    int hour, minute = 0, second = 0;
    int32_t seconds;

    if (!negative)
        take(c, '+');
    if (!take_number(c, 167, &hour))
        return false;
    if (take(c, ':')) {
        if (!take_number(c, 59, &minute))
            return false;
        if (take(c, ':') && !take_number(c, 59, &second))
            return false;
    }
    seconds = hour * 3600 + minute * 60 + second;
    *ret_seconds = negative ? -seconds : seconds;
    return true;
}

static bool take_day(struct cursor *c, struct zone_rule_day *day)
{
    if (!take(c, ','))
        return false;
    if (take(c, 'M')) {
        day->kind = ZONE_DAY_MONTH_WEEK;
        if (!take_number(c, 12, &day->month) || day->month < 1 || !take(c, '.') ||
            !take_number(c, 5, &day->week) || day->week < 1 || !take(c, '.') ||
            !take_number(c, 6, &day->weekday))
            return false;
    } else {
        day->kind = take(c, 'J') ? ZONE_DAY_JULIAN : ZONE_DAY_ZERO;
        if (!take_number(c, 365, &day->day))
            return false;
    }
    day->time_s = 2 * 3600;
    return !take(c, '/') || take_time(c, &day->time_s);
}

bool zone_rule_parse(struct str text, struct zone_rule *ret_rule)
{
    struct cursor c = {text.ptr, text.ptr + text.len};
    struct zone_rule rule = {.present = true};
    int32_t west;

    if (!take_name(&c, rule.standard.abbreviation) || !take_time(&c, &west))
        return false;
    rule.standard.offset_s = -west;
    if (c.p < c.end) {
        rule.has_dst = true;
        if (!take_name(&c, rule.daylight.abbreviation))
            return false;
        rule.daylight.offset_s = rule.standard.offset_s + 3600;
        if (c.p < c.end && *c.p != ',') {
            if (!take_time(&c, &west))
                return false;
            rule.daylight.offset_s = -west;
        }
        if (!take_day(&c, &rule.start) || !take_day(&c, &rule.end))
            return false;
    }
    if (c.p != c.end)
        return false;
    *ret_rule = rule;
    return true;
}

/* Local seconds since 1970 at which the day's change happens in that year. */
static int64_t change_at(const struct zone_rule_day *day, int year)
{
    int64_t days = civil_to_days(year, 1, 1);
    bool leap = civil_days_in_month(year, 2) == 29;
    int first, date;

    switch (day->kind) {
    case ZONE_DAY_MONTH_WEEK:
        first = civil_weekday(year, day->month, 1);
        date = 1 + (day->weekday - first + 7) % 7 + (day->week - 1) * 7;
        while (date > civil_days_in_month(year, day->month))
            date -= 7; /* week 5 means the last one */
        days = civil_to_days(year, day->month, date);
        break;
    case ZONE_DAY_JULIAN:
        days += day->day - 1 + (leap && day->day >= 60);
        break;
    case ZONE_DAY_ZERO:
        days += day->day;
        break;
    }
    return days * 86400 + day->time_s;
}

const struct zone_type *zone_rule_at(const struct zone_rule *rule, int64_t utc_s)
{
    int64_t start, end;
    int year;

    if (!rule->has_dst)
        return &rule->standard;
    year = civil_from_s(utc_s + rule->standard.offset_s).year;
    start = change_at(&rule->start, year) - rule->standard.offset_s;
    end = change_at(&rule->end, year) - rule->daylight.offset_s;
    if (start < end)
        return utc_s >= start && utc_s < end ? &rule->daylight : &rule->standard;
    /* In the south, summer spans the new year. */
    return utc_s >= start || utc_s < end ? &rule->daylight : &rule->standard;
}
