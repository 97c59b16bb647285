/* Free slots inside working hours. The working day is a stretch of local time, so it is shorter or
 * longer where the clocks change; slots are quarter hours of UTC, which are those of every zone in
 * use. */
#include "calendar/calendar.h"
#include "text/zone.h"

#define QUARTER_MS (15 * MINUTE_MS)
#define PAGE 500
#define BUSY_MAX 20000
#define EVENTS_MAX 100000 /* looked at */
#define DAYS_MAX 370

struct busy {
    int64_t start_ms, end_ms;
};

/* In order, and apart from each other. */
struct busy_list {
    struct busy *items;
    size_t count, capacity;
    size_t next; /* those before it are over */
};

static bool concerns(const struct calendar_event *event, const struct calendar_slot_query *query)
{
    if (query->attendee_count == 0)
        return true;
    for (size_t i = 0; i < event->attendee_count; i++)
        for (size_t j = 0; j < query->attendee_count; j++) {
            const struct attendee *a = &event->attendees[i], *b = &query->attendees[j];

            if (!str_empty(a->email) && str_eq_nocase(a->email, b->email))
                return true;
            /* Where one side has no address, the name must do. */
            if ((str_empty(a->email) || str_empty(b->email)) && !str_empty(a->name) &&
                str_eq_nocase(a->name, b->name))
                return true;
        }
    return false;
}

static int too_many(void)
{
    return err_set(ERR_TOO_LARGE, "There are too many events in that time; ask for less of it.");
}

/* Events come by their start. */
static int add_busy(struct busy_list *list, const struct calendar_event *event, struct arena *arena)
{
    struct busy *last = list->count > 0 ? &list->items[list->count - 1] : NULL;

    if (last && event->start_ms <= last->end_ms) {
        last->end_ms = MAX(last->end_ms, event->end_ms);
        return 0;
    }
    if (list->count == BUSY_MAX)
        return too_many();
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;

        list->items = arena_grow(arena, list->items, list->capacity * sizeof(*list->items),
            capacity * sizeof(*list->items));
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct busy){event->start_ms, event->end_ms};
    return 0;
}

static int read_busy(struct calendar *calendar, struct str workspace_id,
    const struct calendar_slot_query *query, struct arena *arena, struct busy_list *list)
{
    struct calendar_page page = {.cursor = STR("")};
    size_t seen = 0;

    do {
        int rc = calendar_list(calendar, workspace_id, query->from_ms, query->to_ms, false, PAGE,
            page.cursor, arena, &page);

        seen += page.count;
        if (rc == 0 && seen > EVENTS_MAX)
            rc = too_many();
        for (size_t i = 0; i < page.count && rc == 0; i++)
            if (concerns(&page.events[i], query))
                rc = add_busy(list, &page.events[i], arena);
        if (rc < 0)
            return rc;
    } while (!str_empty(page.cursor));
    return 0;
}

static int64_t quarter_up(int64_t ms)
{
    return (ms + QUARTER_MS - 1) / QUARTER_MS * QUARTER_MS;
}

/* When the stretch [start, end) can be tried again: the end of what is in the way; 0 if free.
 * Stretches come in order. */
static int64_t blocked_until(struct busy_list *list, int64_t start, int64_t end)
{
    while (list->next < list->count && list->items[list->next].end_ms <= start)
        list->next++;
    if (list->next < list->count && list->items[list->next].start_ms < end)
        return list->items[list->next].end_ms;
    return 0;
}

static int64_t local_moment(const struct zone *zone, int64_t day, int minutes)
{
    struct civil civil = civil_from_s((day * 1440 + minutes) * 60);

    return zone_to_utc(zone, &civil) * 1000;
}

static size_t slots_of_day(const struct calendar_slot_query *query, struct busy_list *busy,
    int64_t from, int64_t to, size_t max, struct calendar_slot *slots)
{
    int64_t length = query->duration_min * MINUTE_MS;
    size_t count = 0;

    from = quarter_up(MAX(from, query->from_ms));
    to = MIN(to, query->to_ms);
    while (count < max && from + length <= to) {
        int64_t until = blocked_until(busy, from, from + length);

        if (until > 0) {
            from = quarter_up(until);
            continue;
        }
        slots[count++] = (struct calendar_slot){from, from + length};
        from = quarter_up(from + length);
    }
    return count;
}

static int check(const struct calendar_slot_query *query, const struct zone **ret_zone)
{
    const struct zone *zone = zone_get(query->time_zone);

    if (!zone)
        return err_field(
            ERR_INVALID, "time_zone", "time_zone must be an IANA name such as Europe/Madrid.");
    if (query->duration_min < 1 || query->duration_min > 14 * 1440)
        return err_field(
            ERR_INVALID, "duration_minutes", "duration_minutes must be between 1 and 20160.");
    if (query->from_ms < 0 || query->to_ms <= query->from_ms)
        return err_field(ERR_INVALID, "to", "to must come after from.");
    if (query->to_ms - query->from_ms > DAYS_MAX * DAY_MS)
        return err_field(ERR_INVALID, "to", "At most %d days can be searched at once.", DAYS_MAX);
    if (query->day_from_min < 0 || query->day_to_min > 1440 ||
        query->day_to_min <= query->day_from_min)
        return err_field(
            ERR_INVALID, "day_to", "The working day must end after it begins, within 24 hours.");
    *ret_zone = zone;
    return 0;
}

int calendar_free_slots(struct calendar *calendar, struct str workspace_id,
    const struct calendar_slot_query *query, size_t max, struct arena *arena,
    struct calendar_slot *ret_slots, size_t *ret_count)
{
    struct busy_list busy = {0};
    const struct zone *zone = NULL;
    struct civil local;
    size_t count = 0;
    int64_t day;
    int rc = check(query, &zone);

    if (rc == 0)
        rc = read_busy(calendar, workspace_id, query, arena, &busy);
    if (rc < 0)
        return rc;
    local = zone_to_local(zone, query->from_ms / 1000);
    for (day = civil_to_days(local.year, local.month, local.day); count < max; day++) {
        int64_t from = local_moment(zone, day, query->day_from_min);

        if (from >= query->to_ms)
            break;
        local = civil_from_s(day * 86400);
        if (query->weekdays & (1u << civil_weekday(local.year, local.month, local.day)))
            count += slots_of_day(query, &busy, from, local_moment(zone, day, query->day_to_min),
                max - count, ret_slots + count);
    }
    *ret_count = count;
    return 0;
}
