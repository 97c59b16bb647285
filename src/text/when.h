/* Time phrases: "next Tue 3pm", "tomorrow at 10 CET", "2026-03-01 14:00", "in two hours".
 *
 * Finds dates, times of day, ranges, durations and zones in English text and resolves them against
 * a reference time in a zone. Civil times that a zone skips move forward by the gap; times that
 * occur twice take the first. Weekday names mean the next such day (today counts when a time of day
 * still to come, or none, is given); "next Tuesday" is the one of the next calendar week: see
 * text/when_date.c for the rules and their sources, text/when_plan.c for how they combine. Zones by
 * IANA name, common abbreviation, UTC offset and well-known city. Pure but for reading the zone
 * database once (text/zone.h). Does not yield.
 */
#ifndef TEXT_WHEN_H
#define TEXT_WHEN_H

#include "text/zone.h"

enum when_kind {
    WHEN_DATE,     /* start_ms is that day's 00:00 in the zone */
    WHEN_TIME,     /* only a time of day; start_ms is the next such moment */
    WHEN_DATETIME, /* both */
    WHEN_DURATION, /* only duration_min */
};

struct when {
    enum when_kind kind;
    size_t from, to;         /* bytes of the phrase in the text */
    int64_t start_ms;        /* UTC */
    int64_t end_ms;          /* UTC; 0 unless a range was said */
    int64_t duration_min;    /* "for 45 minutes"; 0 unknown */
    const struct zone *zone; /* said in the text, or NULL: the default was used */
    bool past;               /* the phrase speaks of the past ("yesterday") */
    bool open_hour;          /* an hour without am or pm ("at 5"), read as it was said */
};

/* All phrases in text, left to right, at most max. Returns how many. */
size_t when_find(
    struct str text, int64_t reference_ms, const struct zone *zone, struct when *found, size_t max);

/* One start (and end or duration) for "book it …": combines date, time, zone and duration phrases
 * of text. 0, ERR_NOT_FOUND (no time said), or ERR_INVALID (field "when": ambiguous or impossible,
 * the message says which). kind is WHEN_DATE when only a day was said. */
MUST_CHECK int when_resolve(
    struct str text, int64_t reference_ms, const struct zone *zone, struct when *ret_when);

/* What a chat has settled on so far: add its messages in order, a later day, hour, length or zone
 * replaces an earlier one and leaves the rest. Start with a zeroed plan. */
struct when_plan {
    bool has_day, has_clock, has_instant;
    bool weekday_only, tonight; /* of the day: see text/when_date.c */
    bool open, end_open;        /* an hour without am or pm */
    bool ambiguous, impossible;
    int64_t day;        /* days since 1970 */
    int second, end;    /* of the day; end -1: none */
    int part;           /* of the day, for an open hour */
    int64_t instant_ms; /* UTC */
    int64_t duration_min;
    const struct zone *zone;
    size_t from, to; /* the last phrase, in the last text */
};
/* Returns how many phrases of text counted. */
size_t when_plan_add(
    struct when_plan *plan, struct str text, int64_t reference_ms, const struct zone *zone);
/* As when_resolve(). */
MUST_CHECK int when_plan_settle(const struct when_plan *plan, int64_t reference_ms,
    const struct zone *zone, struct when *ret_when);

/* "Tue 3 Mar 2026, 15:00–15:30 CET" for people. end_ms may be 0. */
struct str when_format(
    struct arena *arena, int64_t start_ms, int64_t end_ms, const struct zone *zone);

#endif
