/* Spans: "two hours", "an hour and a half", "2 years 1 month 21 days". */
#include "text/when_data.h"

/* How many of a unit, in hundredths: "3", "1.5", "two and a half", "a", "half an". */
static size_t quantity(const struct scan *s, size_t i, int64_t *ret_hundredths)
{
    const struct token *t = token_at(s, i);
    size_t used;
    int value;

    if (t->class == W_A) {
        if (str_eq_nocase(token_text(s, i + 1), STR("couple"))) {
            *ret_hundredths = 200;
            return 2 + token_is(s, i + 2, W_OF);
        }
        if (token_is(s, i + 1, W_HALF)) {
            *ret_hundredths = 50;
            return 2;
        }
        *ret_hundredths = 100;
        return 1;
    }
    if (t->class == W_HALF) {
        *ret_hundredths = 50;
        return 1 + token_is(s, i + 1, W_A);
    }
    if (t->class == W_NUM && t->digits <= 4 && token_punct(s, i + 1, '.') &&
        token_is(s, i + 2, W_NUM) && !token_at(s, i + 2)->gap && token_at(s, i + 2)->digits == 1) {
        *ret_hundredths = t->value * 100 + token_at(s, i + 2)->value * 10;
        return 3;
    }
    if (t->class == W_NUM && t->digits <= 4) {
        *ret_hundredths = (int64_t)t->value * 100;
        return 1;
    }
    used = when_cardinal(s, i, &value);
    if (used == 0)
        return 0;
    *ret_hundredths = (int64_t)value * 100;
    if (token_is(s, i + used, W_AND) && token_is(s, i + used + 1, W_A) &&
        token_is(s, i + used + 2, W_HALF)) {
        *ret_hundredths += 50;
        used += 3;
    }
    return used;
}

static bool span_add(struct when_span *span, int unit, int64_t hundredths)
{
    switch (unit) {
    case UNIT_SECOND:
        span->ms += hundredths * 10;
        return true;
    case UNIT_MINUTE:
        span->ms += hundredths * 600;
        return true;
    case UNIT_HOUR:
        span->ms += hundredths * 36000;
        return true;
    case UNIT_DAY:
        span->days += hundredths / 100;
        break;
    case UNIT_WEEK:
        span->days += 7 * hundredths / 100;
        break;
    case UNIT_FORTNIGHT:
        span->days += 14 * hundredths / 100;
        break;
    case UNIT_MONTH:
        span->months += hundredths / 100;
        break;
    default:
        span->months += 12 * hundredths / 100;
        break;
    }
    return hundredths >= 100;
}

/* "m" for minutes only when it sticks to its number ("30m"). */
static bool unit_at(const struct scan *s, size_t i, int *ret_unit)
{
    const struct token *t = token_at(s, i);

    if (t->class == W_UNIT) {
        *ret_unit = t->value;
        return true;
    }
    *ret_unit = UNIT_MINUTE;
    return t->class == W_OTHER && !t->gap && str_eq_nocase(token_text(s, i), STR("m"));
}

size_t when_span_parse(const struct scan *s, size_t i, struct when_span *ret_span)
{
    struct when_span span = {0};
    size_t at = i, done = i;

    while (done - i < 12) {
        int64_t hundredths;
        int unit;
        size_t used = quantity(s, at, &hundredths);

        if (used == 0)
            break;
        if (token_punct(s, at + used, '-'))
            used++;
        if (!unit_at(s, at + used, &unit) || !span_add(&span, unit, hundredths))
            break;
        done = at + used + 1;
        if (token_is(s, done, W_AND) && token_is(s, done + 1, W_A) &&
            token_is(s, done + 2, W_HALF)) {
            span_add(&span, unit, 50); /* "an hour and a half" */
            done += 3;
        }
        at = done + (token_punct(s, done, ',') || token_is(s, done, W_AND));
        if (!token_is(s, at, W_NUM) && !token_is(s, at, W_CARDINAL))
            break;
    }
    if (done > i)
        *ret_span = span;
    return done - i;
}

static int64_t day_add(int64_t day, const struct when_span *span, int sign)
{
    struct civil c = civil_from_s(day * 86400);
    int64_t month = (int64_t)c.year * 12 + c.month - 1 + sign * span->months;

    c.year = (int)(month / 12);
    c.month = (int)(month % 12) + 1;
    c.day = MIN(c.day, civil_days_in_month(c.year, c.month));
    return civil_to_days(c.year, c.month, c.day) + sign * span->days;
}

/* What the span counts from: "from now", "after Christmas", "ago", "later". */
static size_t anchor(const struct scan *s, size_t i, struct when_day *ret_from, int *ret_sign)
{
    size_t at = i + 1, used;

    *ret_from = (struct when_day){.day = s->today};
    *ret_sign = 1;
    if (token_is(s, i, W_AGO) || token_is(s, i, W_LATER)) {
        *ret_sign = token_is(s, i, W_AGO) ? -1 : 1;
        return 1;
    }
    if (!token_is(s, i, W_FROM) && !token_is(s, i, W_AFTER) && !token_is(s, i, W_BEFORE))
        return 0;
    *ret_sign = token_is(s, i, W_BEFORE) ? -1 : 1;
    if (token_is(s, at, W_NOW))
        return 2;
    at += token_is(s, at, W_THE);
    used = when_day_parse(s, at, ret_from);
    return used && !ret_from->weak ? at + used - i : 0;
}

size_t when_shift_parse(
    const struct scan *s, size_t i, struct when_day *ret_day, int64_t *ret_ms, bool *ret_is_day)
{
    struct when_span span = {0};
    struct when_day from = {.day = s->today};
    bool in = token_is(s, i, W_IN);
    size_t at = i + in, used = when_span_parse(s, at, &span), more;
    int sign = 1;

    if (used == 0)
        return 0;
    at += used;
    more = anchor(s, at, &from, &sign);
    if (more == 0 && !in)
        return 0;
    at += more;
    if (more == 0 && token_is(s, at, W_TIME))
        at++; /* "in a fortnight's time" */
    *ret_is_day = span.ms == 0;
    if (span.ms != 0 && (span.days || span.months || from.day != s->today))
        return 0;
    *ret_ms = sign * span.ms;
    *ret_day = (struct when_day){.day = day_add(from.day, &span, sign),
        .shifted = true,
        .month_said = true,
        .past = more && token_is(s, at - 1, W_AGO)};
    return at - i;
}
