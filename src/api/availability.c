/* POST /api/schedule/availability: slots in which all attendees are free. */
#include "api/schedule_body.h"

#define SLOTS_MAX 100

static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static int read_weekdays(const struct json *body, unsigned *ret_mask)
{
    const struct json *array = json_get(body, "weekdays");
    unsigned mask = 0;

    if (json_type(array) == JSON_NULL) {
        *ret_mask = 0x3e; /* Monday to Friday */
        return 0;
    }
    for (const struct json *node = json_first(array); node; node = json_next(node)) {
        unsigned day = 0;

        while (day < 7 && !str_eq_nocase(json_str(node), str_from(weekday_names[day])))
            day++;
        if (day == 7)
            return err_field(
                ERR_INVALID, "weekdays", "weekdays may hold sun, mon, tue, wed, thu, fri, sat.");
        mask |= 1U << day;
    }
    if (mask == 0)
        return err_field(ERR_INVALID, "weekdays", "weekdays must name at least one day.");
    *ret_mask = mask;
    return 0;
}

/* "09:30" as minutes after midnight; 24:00 is the day's end. */
static int read_clock(const struct json *body, const char *name, int otherwise, int *ret_minutes)
{
    struct str text = json_get_str(body, name);
    int64_t hour, minute;

    if (str_empty(text)) {
        *ret_minutes = otherwise;
        return 0;
    }
    if (text.len != 5 || text.ptr[2] != ':' || !str_to_i64(str_slice(text, 0, 2), &hour) ||
        !str_to_i64(str_slice(text, 3, 5), &minute) || hour < 0 || hour > 24 || minute < 0 ||
        minute > 59 || hour * 60 + minute > 24 * 60)
        return err_field(ERR_INVALID, name, "%s must be a time of day such as 09:00.", name);
    *ret_minutes = (int)(hour * 60 + minute);
    return 0;
}

static const struct body_field slot_fields[] = {
    {"attendees", JSON_ARRAY, 100},
    {"from", JSON_STRING, 64},
    {"to", JSON_STRING, 64},
    {"duration_minutes", JSON_NUMBER, 0},
    {"time_zone", JSON_STRING, 64},
    {"day_from", JSON_STRING, 5},
    {"day_to", JSON_STRING, 5},
    {"weekdays", JSON_ARRAY, 7},
    {"limit", JSON_NUMBER, 0},
};

static int read_bounds(struct exchange *x, struct calendar_slot_query *query)
{
    int rc = 0;

    query->from_ms = env_wall_ms(x->env);
    if (body_has(x->body, "from"))
        rc = body_time(x->body, "from", &query->from_ms);
    query->to_ms = query->from_ms + 14 * DAY_MS;
    if (rc == 0 && body_has(x->body, "to"))
        rc = body_time(x->body, "to", &query->to_ms);
    if (rc == 0 && (query->to_ms <= query->from_ms || query->to_ms - query->from_ms > 366 * DAY_MS))
        rc = err_field(ERR_INVALID, "to", "to must be after from, by at most 366 days.");
    if (rc == 0)
        rc = read_clock(x->body, "day_from", 9 * 60, &query->day_from_min);
    if (rc == 0)
        rc = read_clock(x->body, "day_to", 17 * 60, &query->day_to_min);
    if (rc == 0 && query->day_to_min <= query->day_from_min)
        rc = err_field(ERR_INVALID, "day_to", "day_to must be later than day_from.");
    return rc == 0 ? read_weekdays(x->body, &query->weekdays) : rc;
}

static void answer_slots(
    struct exchange *x, struct str zone, const struct calendar_slot *slots, size_t count)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "time_zone", zone);
    json_name(&w, "slots");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&w);
        write_time(&w, "start", slots[i].start_ms);
        write_time(&w, "end", slots[i].end_ms);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
}

int availability_post(struct exchange *x)
{
    const struct config *config = x->api->house->config;
    struct calendar_slot_query query = {0};
    struct calendar_slot slots[SLOTS_MAX];
    const struct zone *zone;
    int64_t limit;
    size_t count;
    int rc = body_check(x->body, slot_fields, ARRAY_LEN(slot_fields));

    if (rc == 0)
        rc = event_zone(x->body, str_from(config->time_zone), &zone);
    if (rc == 0)
        rc = event_attendees(x, &query.attendees, &query.attendee_count);
    if (rc == 0)
        rc = body_i64(x->body, "duration_minutes", 1, 24 * 60, config->calendar_duration_minutes,
            &query.duration_min);
    if (rc == 0)
        rc = body_i64(x->body, "limit", 1, SLOTS_MAX, 10, &limit);
    if (rc == 0)
        rc = read_bounds(x, &query);
    if (rc < 0)
        return rc;
    query.time_zone = zone_name(zone);
    rc = calendar_free_slots(
        x->api->calendar, x->workspace, &query, (size_t)limit, x->arena, slots, &count);
    if (rc < 0)
        return rc;
    answer_slots(x, query.time_zone, slots, count);
    return 0;
}
