#include "api/schedule_body.h"

#define ATTENDEES_MAX 100

static const struct body_field event_fields[] = {
    {"summary", JSON_STRING, 0},
    {"attendees", JSON_ARRAY, ATTENDEES_MAX},
    {"start", JSON_STRING, 64},
    {"when", JSON_STRING, 500},
    {"end", JSON_STRING, 64},
    {"duration_minutes", JSON_NUMBER, 0},
    {"time_zone", JSON_STRING, 64},
    {"provider", JSON_STRING, 32},
    {"description", JSON_STRING, 8 * KIB},
    {"location", JSON_STRING, KIB},
    {"conference", JSON_BOOL, 0},
    {"version", JSON_NUMBER, 0},
};

int event_check(const struct json *body)
{
    return body_check(body, event_fields, ARRAY_LEN(event_fields));
}

static int wrong_attendee(size_t index, const char *what)
{
    char field[64];

    snprintf(field, sizeof(field), "attendees[%zu]", index);
    return err_field(ERR_INVALID, field, "%s %s.", field, what);
}

/* A string is an address or a name; an object has either or both. */
static int read_attendee(const struct json *node, size_t index, struct attendee *ret_attendee)
{
    struct attendee attendee = {STR(""), STR("")};
    struct str text = str_trim(json_str(node));

    if (json_is(node, JSON_STRING) && str_find_char(text, '@', 0) > 0)
        attendee.email = text;
    else if (json_is(node, JSON_STRING))
        attendee.name = text;
    else if (json_is(node, JSON_OBJECT))
        attendee = (struct attendee){
            str_trim(json_get_str(node, "email")), str_trim(json_get_str(node, "name"))};
    else
        return wrong_attendee(index, "must be an address, a name, or {\"email\", \"name\"}");
    if (str_empty(attendee.email) && str_empty(attendee.name))
        return wrong_attendee(index, "is empty");
    *ret_attendee = attendee;
    return 0;
}

int event_attendees(struct exchange *x, const struct attendee **ret_list, size_t *ret_count)
{
    const struct json *array = json_get(x->body, "attendees");
    struct attendee *list = arena_array(x->arena, struct attendee, json_len(array) + 1);
    size_t count = 0;

    for (const struct json *node = json_first(array); node; node = json_next(node)) {
        int rc = read_attendee(node, count, &list[count]);

        if (rc < 0)
            return rc;
        count++;
    }
    *ret_list = list;
    *ret_count = count;
    return 0;
}

int event_zone(const struct json *body, struct str otherwise, const struct zone **ret_zone)
{
    struct str name = json_get_str(body, "time_zone");
    const struct zone *zone = zone_get(str_empty(name) ? otherwise : name);

    if (!zone)
        return err_field(
            ERR_INVALID, "time_zone", "time_zone must be an IANA name such as Europe/Madrid.");
    *ret_zone = zone;
    return 0;
}

/* "when" in words: sets start, and end when it was said. */
static int read_when(struct exchange *x, const struct zone *zone, struct calendar_event *event,
    int64_t *duration_min)
{
    struct when when;
    int rc = when_resolve(json_get_str(x->body, "when"), env_wall_ms(x->env), zone, &when);

    if (rc == ERR_NOT_FOUND)
        return err_field(ERR_INVALID, "when",
            "There is no time in \"when\"; say for example "
            "\"next Tuesday 3pm\".");
    if (rc < 0)
        return rc;
    if (when.kind == WHEN_DATE || when.kind == WHEN_DURATION)
        return err_field(ERR_INVALID, "when",
            "\"when\" needs a day and a time of day, for example \"next Tuesday 3pm\".");
    event->start_ms = when.start_ms;
    if (when.end_ms > when.start_ms)
        event->end_ms = when.end_ms;
    if (when.duration_min > 0)
        *duration_min = when.duration_min;
    if (when.zone && !body_has(x->body, "time_zone"))
        event->time_zone = zone_name(when.zone);
    return 0;
}

/* start | when, end | duration_minutes; what is not given keeps the event's length (an update) or
 * takes the default. */
int event_times(
    struct exchange *x, const struct zone *zone, int64_t default_min, struct calendar_event *event)
{
    int64_t duration = 0, said = 0;
    int rc = 0;

    event->end_ms = 0;
    if (body_has(x->body, "start") && body_has(x->body, "when"))
        return err_field(ERR_INVALID, "when", "Give start or when, not both.");
    if (body_has(x->body, "end") && body_has(x->body, "duration_minutes"))
        return err_field(ERR_INVALID, "end", "Give end or duration_minutes, not both.");
    if (body_has(x->body, "start"))
        rc = body_time(x->body, "start", &event->start_ms);
    else if (body_has(x->body, "when"))
        rc = read_when(x, zone, event, &said);
    if (rc == 0 && body_has(x->body, "end"))
        rc = body_time(x->body, "end", &event->end_ms);
    if (rc == 0)
        rc = body_i64(x->body, "duration_minutes", 1, 14 * 24 * 60, 0, &duration);
    if (rc < 0)
        return rc;
    if (duration > 0)
        event->end_ms = 0;
    else if (event->end_ms == 0)
        duration = said > 0 ? said : default_min;
    if (event->end_ms == 0)
        event->end_ms = event->start_ms + duration * MINUTE_MS;
    return 0;
}

bool event_has_times(const struct json *body)
{
    return body_has(body, "start") || body_has(body, "when") || body_has(body, "end") ||
           body_has(body, "duration_minutes");
}

void event_texts(const struct json *body, struct calendar_event *event)
{
    if (body_has(body, "summary"))
        event->summary = str_trim(json_get_str(body, "summary"));
    if (body_has(body, "description"))
        event->description = json_get_str(body, "description");
    if (body_has(body, "location"))
        event->location = json_get_str(body, "location");
    event->conference = json_get_bool(body, "conference", event->conference);
}
