/* Inside of the time phrase reader: tokens, atoms and phrases. Not for other rooms.
 *
 * Text → tokens (when_token.c) → atoms: a date, a time of day, a span (when_date.c, when_clock.c,
 * when_span.c, with numbers by when_number.c) → phrases: adjacent atoms that belong together
 * (when_scan.c) → moments (when.c) and plans (when_plan.c). Every parser looks a bounded number
 * of tokens ahead, so the whole is linear. Parsers return how many tokens they took, 0 for none.
 */
#ifndef TEXT_WHEN_DATA_H
#define TEXT_WHEN_DATA_H

#include "text/when.h"

/* Beyond this many bytes a text is not read: chat messages are far shorter. */
#define WHEN_TEXT_MAX (16 * KIB)

enum word_class {
    W_OTHER, /* any word not in the lexicon */
    W_END,   /* end of the text */
    W_NUM,
    W_PUNCT, /* value: the character; dashes of all kinds are '-' */
    W_MONTH, /* 1 to 12 */
    W_WEEKDAY,
    W_UNIT, /* enum unit */
    W_CARDINAL,
    W_ORDINAL,
    W_SUFFIX,   /* st nd rd th */
    W_RELATIVE, /* today 0, tomorrow 1, yesterday -1 */
    W_TONIGHT,
    W_MERIDIEM, /* am 0, pm 1 */
    W_PART,     /* enum part */
    W_NOON,     /* the hour */
    W_THIS,
    W_NEXT,
    W_COMING,
    W_LAST,
    W_PAST,
    W_A,
    W_THE,
    W_OF,
    W_AT,
    W_ON,
    W_IN,
    W_FOR,
    W_TO,
    W_UNTIL,
    W_FROM,
    W_BETWEEN,
    W_AND,
    W_OR,
    W_AFTER,
    W_BEFORE,
    W_AGO,
    W_LATER,
    W_NOW,
    W_HALF,
    W_QUARTER,
    W_OCLOCK,
    W_ISH,
    W_AROUND,
    W_END_OF,
    W_EOD,
    W_TIME,
    W_HOLIDAY, /* enum feast */
    W_NOT,
    W_MOMENT,
    W_LINK, /* may stand between parts of a phrase: "starting", "sharp", "early" */
    W_TAIL, /* ordinary words that may follow a bare hour: "at 10 with Ben" */
};

enum unit {
    UNIT_SECOND,
    UNIT_MINUTE,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_WEEK,
    UNIT_FORTNIGHT,
    UNIT_MONTH,
    UNIT_YEAR
};
enum feast {
    FEAST_CHRISTMAS,
    FEAST_NEW_YEAR,
    FEAST_VALENTINE,
    FEAST_BOXING_DAY,
    FEAST_INDEPENDENCE,
    FEAST_HALLOWEEN,
    FEAST_EARTH_DAY,
    FEAST_ST_PATRICK,
    FEAST_EASTER,
    FEAST_THANKSGIVING,
    FEAST_BLACK_FRIDAY,
    FEAST_WORKERS_DAY,
};
enum part { PART_NONE, PART_MORNING, PART_AFTERNOON, PART_EVENING, PART_NIGHT };

struct token {
    uint8_t class;
    uint8_t digits; /* of a number */
    bool gap;       /* white space before it */
    bool capital;   /* starts with a capital */
    int32_t value;
    uint32_t from, to;
};

struct scan {
    struct str text;
    const struct token *tokens;
    size_t count;
    int64_t today;  /* days since 1970 of the reference, in the zone */
    bool day_first; /* 3/4 is the 3rd of April */
};

struct when_day {
    int64_t day; /* days since 1970 */
    int month, date;
    bool month_said; /* month and day of the month are said: wins over a weekday beside it */
    bool year_said;
    bool weekday_only, this_week, relative, shifted;
    bool weak; /* "the 21st": a date only where one is expected */
    bool past;
    bool impossible; /* 30 February */
    bool end_of_day;
    enum part part; /* "last night" */
};

struct when_clock {
    int second; /* of the day */
    int end;    /* of a range; -1 none */
    bool open;  /* without am or pm, and an hour that could be either */
    bool end_open;
    bool impossible; /* 25:00 */
};

struct when_phrase {
    size_t first, last; /* tokens, last exclusive */
    bool has_day, has_clock, has_instant;
    bool now, tonight;
    bool negated;     /* "not Tuesday" */
    bool alternative; /* "… or Wednesday" */
    bool weak;        /* only where a time is expected */
    enum part part;
    struct when_day day;
    struct when_clock clock;
    int64_t instant_ms; /* after the reference */
    int64_t duration_min;
    const struct zone *zone;
    size_t from, to; /* bytes */
};

struct when_span {
    int64_t months, days, ms;
};

static inline const struct token *token_at(const struct scan *s, size_t i)
{
    static const struct token end = {.class = W_END, .gap = true};

    return i < s->count ? &s->tokens[i] : &end;
}
static inline bool token_is(const struct scan *s, size_t i, enum word_class class)
{
    return token_at(s, i)->class == class;
}
static inline bool token_punct(const struct scan *s, size_t i, char c)
{
    return token_at(s, i)->class == W_PUNCT && token_at(s, i)->value == c;
}
static inline struct str token_text(const struct scan *s, size_t i)
{
    return str_slice(s->text, token_at(s, i)->from, token_at(s, i)->to);
}

/* tokens has room for text.len of them. */
size_t when_tokens(struct str text, struct token *tokens);

size_t when_cardinal(const struct scan *s, size_t i, int *ret_value); /* 0 to 99 */
size_t when_ordinal(const struct scan *s, size_t i, int *ret_value);
size_t when_year(const struct scan *s, size_t i, int *ret_value);
int when_full_year(int two_digits);

size_t when_day_parse(const struct scan *s, size_t i, struct when_day *ret_day);
size_t when_numeric_day(const struct scan *s, size_t i, struct when_day *ret_day);
size_t when_holiday(const struct scan *s, size_t i, struct when_day *ret_day);
/* Set the day from month and date, in the next year in which it is not past. */
void when_day_roll(const struct scan *s, struct when_day *day);
bool when_day_fix(struct when_day *day, int year, int month, int date);

size_t when_span_parse(const struct scan *s, size_t i, struct when_span *ret_span);

/* A day or moment away from another: "in two hours", "3 days from Tuesday", "a week ago". Gives a
 * day for days and longer units, otherwise ret_ms after the reference and *ret_is_day false. */
size_t when_shift_parse(
    const struct scan *s, size_t i, struct when_day *ret_day, int64_t *ret_ms, bool *ret_is_day);

/* bare: a number alone may be an hour here. */
size_t when_clock_parse(const struct scan *s, size_t i, bool bare, struct when_clock *ret_clock);
size_t when_zone_parse(const struct scan *s, size_t i, const struct zone **ret_zone);

/* Phrases of the text, weak, past and negated ones included, at most max. */
size_t when_scan(struct str text, int64_t reference_ms, const struct zone *zone,
    struct when_phrase *phrases, size_t max);

/* The moment a phrase means. */
void when_settle(const struct when_phrase *phrase, int64_t reference_ms, const struct zone *zone,
    struct when *ret_when);

#endif
