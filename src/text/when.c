#include "base/buf.h"
#include "text/when_data.h"

#define HALF_DAY_S (12 * 3600)
#define HOUR_S 3600

static int64_t local_ms(const struct zone *zone, int64_t day, int second)
{
    struct civil local = civil_from_s(day * 86400 + second);

    return zone_to_utc(zone, &local) * 1000;
}

/* "7 in the evening" is 19:00, "8 at night" 20:00, but "3 at night" 03:00 and "12" 00:00. */
static int by_part(int second, int part)
{
    int hour = second / HOUR_S;

    if (hour >= 13)
        return second;
    if (part == PART_AFTERNOON || part == PART_EVENING)
        return hour < 12 ? second + HALF_DAY_S : second;
    if (part == PART_NIGHT) {
        if (hour == 12)
            return second - HALF_DAY_S;
        return hour >= 5 ? second + HALF_DAY_S : second;
    }
    return second;
}

static void settle_clock(const struct when_phrase *p, struct when_clock *clock)
{
    *clock = p->clock;
    if (!clock->open || !p->part)
        return;
    clock->second = by_part(clock->second, p->part);
    if (clock->end >= 0 && clock->end_open)
        clock->end = by_part(clock->end, p->part);
    if (clock->end >= 0 && clock->end <= clock->second)
        clock->end += HALF_DAY_S;
    clock->open = false;
}

void when_settle(const struct when_phrase *p, int64_t reference_ms, const struct zone *zone,
    struct when *ret_when)
{
    const struct zone *at = p->zone ? p->zone : zone;
    struct civil now = zone_to_local(at, reference_ms / 1000);
    struct when_clock clock;
    int64_t day = p->has_day ? p->day.day : civil_to_days(now.year, now.month, now.day);
    struct when w = {.from = p->from,
        .to = p->to,
        .duration_min = p->duration_min,
        .zone = p->zone,
        .past = p->has_day && p->day.past};

    settle_clock(p, &clock);
    if (p->has_instant) {
        w.kind = WHEN_DATETIME;
        w.start_ms = reference_ms + p->instant_ms;
        w.past = p->instant_ms < 0;
    } else if (p->has_clock) {
        w.kind = p->has_day ? WHEN_DATETIME : WHEN_TIME;
        w.open_hour = clock.open;
        w.start_ms = local_ms(at, day, clock.second);
        if (!p->has_day && w.start_ms < reference_ms)
            day++;
        else if (p->tonight && w.start_ms < reference_ms && clock.second < HALF_DAY_S)
            day++; /* "tonight at 1am" said in the evening */
        else if (p->has_day && p->day.weekday_only && !p->day.relative && w.start_ms < reference_ms)
            day += 7; /* today's weekday, but the hour is over */
        w.start_ms = local_ms(at, day, clock.second);
        if (clock.end >= 0)
            w.end_ms = local_ms(at, day, clock.end);
    } else if (p->has_day) {
        w.kind = p->day.end_of_day ? WHEN_DATETIME : WHEN_DATE;
        w.start_ms = local_ms(at, day, p->day.end_of_day ? 86399 : 0);
    } else {
        w.kind = WHEN_DURATION;
    }
    *ret_when = w;
}

#define PHRASES_MAX 64

size_t when_find(
    struct str text, int64_t reference_ms, const struct zone *zone, struct when *found, size_t max)
{
    struct when_phrase phrases[PHRASES_MAX];
    size_t count = when_scan(text, reference_ms, zone, phrases, PHRASES_MAX), kept = 0;

    for (size_t i = 0; i < count && kept < max; i++) {
        if (phrases[i].weak || phrases[i].day.impossible || phrases[i].clock.impossible)
            continue;
        when_settle(&phrases[i], reference_ms, zone, &found[kept++]);
    }
    return kept;
}

struct str when_format(
    struct arena *arena, int64_t start_ms, int64_t end_ms, const struct zone *zone)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil from = zone_to_local(zone, start_ms / 1000), to;
    const char *abbreviation;
    struct buf out = BUF_IN(arena);
    int offset = zone_offset(zone, start_ms / 1000, &abbreviation);

    buf_printf(&out, "%s %d %s %d, %02d:%02d", days[civil_weekday(from.year, from.month, from.day)],
        from.day, months[from.month - 1], from.year, from.hour, from.minute);
    if (end_ms) {
        to = zone_to_local(zone, end_ms / 1000);
        buf_add_cstr(&out, "\xe2\x80\x93");
        if (to.year != from.year || to.month != from.month || to.day != from.day)
            buf_printf(&out, "%s %d %s ", days[civil_weekday(to.year, to.month, to.day)], to.day,
                months[to.month - 1]);
        buf_printf(&out, "%02d:%02d", to.hour, to.minute);
    }
    /* Zones without a name of their own are abbreviated as "+04" in the database. */
    if (char_is_alpha(abbreviation[0]))
        buf_printf(&out, " %s", abbreviation);
    else
        buf_printf(&out, " UTC%c%02d:%02d", offset < 0 ? '-' : '+', abs(offset) / HOUR_S,
            abs(offset) / 60 % 60);
    return buf_str(&out);
}
