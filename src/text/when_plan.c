/* What a text, or a whole chat, settles on.
 *
 * Later words win, slot by slot: a new day keeps the hour, a new hour keeps the day; and a bare
 * weekday that the chat has settled on already ("next Tuesday", then "Tuesday is fine") is that
 * same day. Phrases that
 * are denied ("not Tuesday", "Tuesday doesn't work") or past do not count. Two alternatives
 * ("3pm or 4pm") are ambiguous until one of them is said again alone. An hour without am or pm is
 * read as business hours: 1 to 6 after noon, 7 to 11 before it, 12 as noon, since that is when
 * people meet. */
#include "base/err.h"
#include "text/when_data.h"

#define HALF_DAY_S (12 * 3600)
#define PHRASES_MAX 64

static bool repeats_weekday(const struct when_plan *plan, const struct when_day *day)
{
    return plan->has_day && day->weekday_only && !day->relative && plan->day > day->day &&
           (plan->day - day->day) % 7 == 0;
}

static void add_phrase(struct when_plan *plan, const struct when_phrase *p, int64_t reference_ms)
{
    if (p->day.impossible || p->clock.impossible) {
        plan->impossible = true;
        return;
    }
    plan->impossible = false;
    if (p->has_day || p->has_clock || p->has_instant)
        plan->ambiguous = p->alternative;
    if (p->has_instant) {
        plan->has_instant = true;
        plan->has_day = plan->has_clock = false;
        plan->instant_ms = reference_ms + p->instant_ms;
    }
    if (p->has_day) {
        if (!repeats_weekday(plan, &p->day)) {
            plan->day = p->day.day;
            plan->weekday_only = p->day.weekday_only && !p->day.relative;
        }
        plan->has_day = true;
        plan->has_instant = false;
        plan->tonight = p->tonight;
        if (p->day.end_of_day) {
            plan->has_clock = true;
            plan->second = 86399;
            plan->end = -1;
            plan->open = false;
        }
        plan->part = p->part;
    }
    if (p->has_clock) {
        plan->has_clock = true;
        plan->has_instant = false;
        plan->second = p->clock.second;
        plan->end = p->clock.end;
        plan->open = p->clock.open;
        plan->end_open = p->clock.end_open;
        if (p->part || !p->has_day)
            plan->part = p->part ? (int)p->part : plan->part;
    }
    if (p->duration_min)
        plan->duration_min = p->duration_min;
    if (p->zone)
        plan->zone = p->zone;
    plan->from = p->from;
    plan->to = p->to;
}

size_t when_plan_add(
    struct when_plan *plan, struct str text, int64_t reference_ms, const struct zone *zone)
{
    struct when_phrase phrases[PHRASES_MAX];
    size_t count = when_scan(text, reference_ms, zone, phrases, PHRASES_MAX), counted = 0;

    for (size_t i = 0; i < count; i++) {
        const struct when_phrase *p = &phrases[i];

        if (p->negated || (p->has_day && p->day.past) || p->instant_ms < 0)
            continue;
        if (p->now && (count > 1 || plan->has_day || plan->has_clock))
            continue; /* "can we now move it to 3pm" */
        add_phrase(plan, p, reference_ms);
        counted++;
    }
    return counted;
}

/* Hours 1 to 6 without am or pm are after noon, unless a part of the day says otherwise. */
static void business_hours(struct when_phrase *p)
{
    struct when_clock *clock = &p->clock;

    if (!clock->open || p->part != PART_NONE)
        return;
    if (clock->second < 7 * 3600) {
        clock->second += HALF_DAY_S;
        if (clock->end >= 0 && clock->end <= clock->second)
            clock->end += HALF_DAY_S;
    }
    clock->open = false;
}

int when_plan_settle(const struct when_plan *plan, int64_t reference_ms, const struct zone *zone,
    struct when *ret_when)
{
    struct when_phrase p = {
        .has_day = plan->has_day,
        .has_clock = plan->has_clock,
        .has_instant = plan->has_instant,
        .tonight = plan->tonight,
        .part = (enum part)plan->part,
        .day = {.day = plan->day, .weekday_only = plan->weekday_only},
        .clock = {.second = plan->second,
            .end = plan->end,
            .open = plan->open,
            .end_open = plan->end_open},
        .instant_ms = plan->instant_ms - reference_ms,
        .duration_min = plan->duration_min,
        .zone = plan->zone,
        .from = plan->from,
        .to = plan->to,
    };
    struct when w;

    if (plan->impossible)
        return err_field(ERR_INVALID, "when",
            "That date or time does not exist; say it with a day and an hour that do");
    if (plan->ambiguous)
        return err_field(
            ERR_INVALID, "when", "Two different times are named; say which one is meant");
    if (!p.has_day && !p.has_clock && !p.has_instant)
        return err_set(ERR_NOT_FOUND, "No date or time is named; say for example 'Tuesday 3pm'");
    business_hours(&p);
    when_settle(&p, reference_ms, zone, &w);
    /* "today at 9" said in the afternoon means the evening. */
    if (plan->open && plan->part == PART_NONE && p.has_day && !plan->weekday_only &&
        w.start_ms < reference_ms && w.start_ms + HALF_DAY_S * 1000LL > reference_ms &&
        p.clock.second < 10 * 3600 && p.clock.end < 0)
        w.start_ms += HALF_DAY_S * 1000LL;
    w.past = w.kind != WHEN_DATE && w.start_ms < reference_ms;
    *ret_when = w;
    return 0;
}

int when_resolve(
    struct str text, int64_t reference_ms, const struct zone *zone, struct when *ret_when)
{
    struct when_plan plan = {.end = -1};

    when_plan_add(&plan, text, reference_ms, zone);
    return when_plan_settle(&plan, reference_ms, zone, ret_when);
}
