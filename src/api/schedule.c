/* /api/schedule: book, list, read, change and cancel events. */
#include "api/schedule_body.h"
#include "calendar/ics.h"

static void answer_event(struct exchange *x, int status, const struct calendar_event *event)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    calendar_event_write(&w, event);
    answer_json(&x->answer, status, &out);
}

static void answer_ics(struct exchange *x, const struct calendar_event *events, size_t count)
{
    struct buf out = BUF_IN(x->arena);

    ics_write(&out, events, count, "PUBLISH", env_wall_ms(x->env));
    x->answer.status = 200;
    x->answer.content_type = "text/calendar; charset=utf-8";
    x->answer.body = buf_str(&out);
}

static int wants_ics(struct exchange *x, int *ret_ics)
{
    static const char *const formats[] = {"json", "ics", NULL};

    *ret_ics = accepts(x, "text/calendar");
    return query_choice(x, "format", formats, ret_ics);
}

int schedule_post(struct exchange *x)
{
    const struct config *config = x->api->house->config;
    struct calendar_event event = {0}, made;
    const struct zone *zone;
    char key[ULID_LEN + 1];
    int rc = event_check(x->body);

    if (rc == 0)
        rc = event_zone(x->body, str_from(config->time_zone), &zone);
    if (rc < 0)
        return rc;
    event.summary = event.description = event.location = STR("");
    event.time_zone = zone_name(zone);
    event.provider = json_get_str(x->body, "provider");
    if (!body_has(x->body, "start") && !body_has(x->body, "when"))
        return err_field(
            ERR_INVALID, "start", "Say when: start (RFC 3339) or when (\"next Tue 3pm\").");
    event_texts(x->body, &event);
    rc = event_attendees(x, &event.attendees, &event.attendee_count);
    if (rc == 0)
        rc = event_times(x, zone, config->calendar_duration_minutes, &event);
    if (rc < 0)
        return rc;
    ulid_make(x->env, key);
    rc = calendar_book(x->api->calendar, x->workspace, str_empty(x->seed) ? str_from(key) : x->seed,
        &event, x->arena, &made);
    if (rc < 0)
        return rc;
    answer_event(x, 201, &made);
    answer_header(
        &x->answer, "Location", str_printf(x->arena, "/api/schedule/%.*s", STR_ARG(made.id)));
    return 0;
}

int schedule_list(struct exchange *x)
{
    static const char *const no_yes[] = {"false", "true", NULL};
    struct calendar_page page;
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;
    int64_t from = 0, to = 0, limit = 0;
    int cancelled = 0, ics = 0;
    int rc = query_time(x, "from", 0, &from);

    if (rc == 0)
        rc = query_time(x, "to", INT64_MAX / 2, &to);
    if (rc == 0)
        rc = query_i64(x, "limit", 1, 1000, 100, &limit);
    if (rc == 0)
        rc = query_choice(x, "include_cancelled", no_yes, &cancelled);
    if (rc == 0)
        rc = wants_ics(x, &ics);
    if (rc == 0)
        rc = calendar_list(x->api->calendar, x->workspace, from, to, cancelled, (size_t)limit,
            query_str(x, "cursor"), x->arena, &page);
    if (rc < 0)
        return rc;
    if (ics) {
        answer_ics(x, page.events, page.count);
        return 0;
    }
    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "events");
    json_array_begin(&w);
    for (size_t i = 0; i < page.count; i++)
        calendar_event_write(&w, &page.events[i]);
    json_array_end(&w);
    write_opt(&w, "next_cursor", page.cursor);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}

int schedule_get(struct exchange *x)
{
    struct calendar_event event;
    int ics = 0, rc = wants_ics(x, &ics);

    if (rc == 0)
        rc = calendar_get(x->api->calendar, x->workspace, x->params[0], x->arena, &event);
    if (rc < 0)
        return rc;
    if (ics)
        answer_ics(x, &event, 1);
    else
        answer_event(x, 200, &event);
    return 0;
}

int schedule_patch(struct exchange *x)
{
    struct calendar_event event, made;
    const struct zone *zone;
    int64_t minutes;
    int rc = event_check(x->body);

    if (rc == 0)
        rc = calendar_get(x->api->calendar, x->workspace, x->params[0], x->arena, &event);
    if (rc == 0)
        rc = event_zone(x->body, event.time_zone, &zone);
    if (rc == 0)
        rc = body_i64(x->body, "version", 1, INT64_MAX / 2, event.version, &event.version);
    if (rc < 0)
        return rc;
    if (body_has(x->body, "time_zone"))
        event.time_zone = zone_name(zone);
    event_texts(x->body, &event);
    if (body_has(x->body, "attendees"))
        rc = event_attendees(x, &event.attendees, &event.attendee_count);
    minutes = (event.end_ms - event.start_ms) / MINUTE_MS;
    if (rc == 0 && event_has_times(x->body))
        rc = event_times(x, zone, minutes, &event);
    if (rc == 0)
        rc = calendar_update(x->api->calendar, x->workspace, &event, x->arena, &made);
    if (rc < 0)
        return rc;
    answer_event(x, 200, &made);
    return 0;
}

int schedule_delete(struct exchange *x)
{
    struct calendar_event event;
    int rc = calendar_cancel(x->api->calendar, x->workspace, x->params[0], x->arena, &event);

    if (rc < 0)
        return rc;
    answer_event(x, 200, &event);
    return 0;
}
