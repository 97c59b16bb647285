/* schedule: book, move, cancel and list events in the calendar, from times said in words. */
#include "calendar/calendar.h"
#include "store/store.h"
#include "text/when.h"
#include "tools/services.h"

#define LIST_MAX 50
#define LIST_DAYS 14
#define SEARCH_MAX 200
#define MINUTES_DEFAULT 30

static const char parameters[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"action\":{\"type\":\"string\",\"enum\":[\"book\",\"move\",\"cancel\",\"list\"],"
    "\"description\":\"default: book\"},"
    "\"summary\":{\"type\":\"string\",\"maxLength\":200,"
    "\"description\":\"what the meeting is about\"},"
    "\"start\":{\"type\":\"string\",\"maxLength\":64,"
    "\"description\":\"RFC 3339, e.g. 2026-03-03T15:00:00+01:00; or use when\"},"
    "\"when\":{\"type\":\"string\",\"maxLength\":300,"
    "\"description\":\"the time as said in the chat, e.g. next Tuesday 3pm\"},"
    "\"end\":{\"type\":\"string\",\"maxLength\":64,\"description\":\"RFC 3339\"},"
    "\"duration_minutes\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20160},"
    "\"attendees\":{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"string\","
    "\"maxLength\":254},\"description\":\"e-mail addresses or names\"},"
    "\"time_zone\":{\"type\":\"string\",\"maxLength\":64,\"description\":\"IANA name\"},"
    "\"description\":{\"type\":\"string\",\"maxLength\":4000},"
    "\"location\":{\"type\":\"string\",\"maxLength\":500},"
    "\"event_id\":{\"type\":\"string\",\"maxLength\":64,"
    "\"description\":\"of the event to move or cancel; may be left out when this chat has only "
    "one\"}}}";

struct times {
    int64_t start_ms, end_ms; /* end 0: not said */
    int64_t duration_min;     /* 0: not said */
    const struct zone *zone;
    bool day_only;
};

static int read_zone(const struct tool_call *call, const struct zone **ret_zone)
{
    struct str name = json_get_str(call->args, "time_zone");
    const struct zone *zone = zone_get(str_empty(name) ? call->time_zone : name);

    if (!zone && !str_empty(name))
        zone = zone_guess(name);
    if (!zone)
        return err_field(
            ERR_INVALID, "time_zone", "time_zone must be an IANA name such as Europe/Madrid.");
    *ret_zone = zone;
    return 0;
}

static int no_time(void)
{
    return err_field(ERR_INVALID, "when",
        "No time was given: say the day and the time of day in start or when, or ask for them.");
}

static int read_when(const struct tool_call *call, struct str text, struct times *times)
{
    struct when when;
    int rc = when_resolve(text, call->now_ms, times->zone, &when);

    if (rc == ERR_NOT_FOUND)
        return no_time();
    if (rc < 0)
        return rc;
    if (when.kind == WHEN_DURATION)
        return no_time();
    times->start_ms = when.start_ms;
    times->end_ms = when.end_ms;
    times->duration_min = when.duration_min;
    times->day_only = when.kind == WHEN_DATE;
    if (when.zone && str_empty(json_get_str(call->args, "time_zone")))
        times->zone = when.zone;
    return 0;
}

static int read_moment(const struct tool_call *call, const char *name, int64_t *ret_ms)
{
    if (rfc3339_parse(json_get_str(call->args, name), ret_ms, NULL))
        return 0;
    return err_field(ERR_INVALID, name,
        "%s must be RFC 3339 with an offset, e.g. 2026-03-03T15:00:00+01:00.", name);
}

/* start as RFC 3339 or, as models do, in words; else when. 0 with start_ms 0 when neither is given.
 */
static int read_times(const struct tool_call *call, struct times *ret_times)
{
    struct str start = json_get_str(call->args, "start"), when = json_get_str(call->args, "when");
    int64_t minutes = json_get_i64(call->args, "duration_minutes", 0);
    struct times times = {0};
    int rc = read_zone(call, &times.zone);

    if (rc < 0)
        return rc;
    if (!str_empty(start) && !rfc3339_parse(start, &times.start_ms, NULL))
        rc = read_when(call, start, &times);
    else if (str_empty(start) && !str_empty(when))
        rc = read_when(call, when, &times);
    if (rc == 0 && !str_empty(json_get_str(call->args, "end")))
        rc = read_moment(call, "end", &times.end_ms);
    if (rc < 0)
        return rc;
    if (minutes > 0)
        times.duration_min = minutes;
    *ret_times = times;
    return 0;
}

/* The moment of an event: a day and a time of day, not in the past. */
static int check_start(const struct tool_call *call, const struct times *times)
{
    if (times->start_ms == 0)
        return no_time();
    if (times->day_only)
        return err_field(
            ERR_INVALID, "when", "Only a day was given: say the time of day too, or ask for it.");
    if (times->start_ms < call->now_ms - DAY_MS)
        return err_field(ERR_INVALID, "when", "That time is in the past; ask which one is meant.");
    return 0;
}

static void set_times(const struct times *times, int64_t default_min, struct calendar_event *event)
{
    int64_t minutes = times->duration_min > 0 ? times->duration_min : default_min;

    event->start_ms = times->start_ms;
    event->end_ms = times->end_ms > 0 ? times->end_ms : times->start_ms + minutes * MINUTE_MS;
    event->time_zone = zone_name(times->zone);
}

static const struct attendee *read_attendees(const struct tool_call *call, size_t *ret_count)
{
    const struct json *list = json_get(call->args, "attendees");
    struct attendee *attendees = arena_array(call->arena, struct attendee, json_len(list));
    size_t count = 0;

    for (const struct json *node = json_first(list); node; node = json_next(node)) {
        struct str text = str_trim(json_str(node));
        bool email = str_find_char(text, '@', 0) > 0 && str_find_char(text, ' ', 0) < 0;

        if (!str_empty(text))
            attendees[count++] =
                email ? (struct attendee){text, STR("")} : (struct attendee){STR(""), text};
    }
    *ret_count = count;
    return attendees;
}

static struct str event_json(const struct calendar_event *event, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    calendar_event_write(&w, event);
    return buf_str(&out);
}

static struct str event_line(const struct calendar_event *event, struct arena *arena)
{
    const struct zone *zone = zone_get(event->time_zone);
    struct str when = when_format(arena, event->start_ms, event->end_ms, zone ? zone : zone_utc());

    return str_printf(arena, "\"%.*s\", %.*s", STR_ARG(event->summary), STR_ARG(when));
}

static void give(const struct tool_call *call, const char *status, const char *verb,
    const struct calendar_event *event, struct tool_result *ret_result)
{
    struct str json = event_json(event, call->arena), line = event_line(event, call->arena);
    struct buf out = BUF_IN(call->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "status", status);
    json_raw_member(&w, "event", json);
    json_str_member(&w, "text", str_printf(call->arena, "%s %.*s.", verb, STR_ARG(line)));
    json_object_end(&w);
    *ret_result = (struct tool_result){
        .content = buf_str(&out),
        .summary = str_printf(call->arena, "%s %.*s", verb, STR_ARG(line)),
        .event = json,
    };
}

static int64_t default_minutes(const struct tool_call *call)
{
    int64_t minutes = call->services->duration_minutes;

    return minutes > 0 ? minutes : MINUTES_DEFAULT;
}

/* The same meeting of the same chat: a message that was corrected, or said again, asks for it a
 * second time. 0 with *ret_found, or what the calendar says. */
static int find_same(const struct tool_call *call, const struct calendar_event *wanted,
    struct calendar_event *ret_same, bool *ret_found)
{
    struct calendar_page page;
    int rc;

    *ret_found = false;
    if (str_empty(call->session_id))
        return 0;
    rc = calendar_list(call->services->calendar, call->workspace_id, wanted->start_ms,
        wanted->start_ms + 1, false, SEARCH_MAX, STR(""), call->arena, &page);
    for (size_t i = 0; rc == 0 && i < page.count && !*ret_found; i++) {
        const struct calendar_event *event = &page.events[i];

        *ret_found = str_eq(event->session_id, call->session_id) &&
                     event->start_ms == wanted->start_ms && event->end_ms == wanted->end_ms &&
                     str_eq_nocase(event->summary, wanted->summary);
        if (*ret_found)
            *ret_same = *event;
    }
    return rc;
}

static int book(const struct tool_call *call, struct tool_result *ret_result)
{
    struct calendar_event event = {0}, made;
    struct times times;
    bool found;
    int rc = read_times(call, &times);

    if (rc == 0)
        rc = check_start(call, &times);
    if (rc < 0)
        return rc;
    set_times(&times, default_minutes(call), &event);
    event.summary = str_trim(json_get_str(call->args, "summary"));
    if (str_empty(event.summary))
        event.summary = STR("Meeting");
    event.description = json_get_str(call->args, "description");
    event.location = json_get_str(call->args, "location");
    event.attendees = read_attendees(call, &event.attendee_count);
    event.session_id = call->session_id;
    event.run_id = call->run_id;
    rc = find_same(call, &event, &made, &found);
    if (rc == 0 && found)
        give(call, "booked", "Booked already:", &made, ret_result);
    if (rc < 0 || found)
        return rc;
    rc = calendar_book(call->services->calendar, call->workspace_id, call->idempotency_key, &event,
        call->arena, &made);
    if (rc == 0)
        give(call, "booked", "Booked", &made, ret_result);
    return rc;
}

static int ambiguous(
    const struct tool_call *call, const struct calendar_event *events, size_t count)
{
    struct buf list = BUF_IN(call->arena);

    for (size_t i = 0; i < count && i < 5; i++) {
        struct str line = event_line(&events[i], call->arena);

        buf_printf(&list, "%s%.*s (%.*s)", i ? "; " : "", STR_ARG(events[i].id), STR_ARG(line));
    }
    return err_field(ERR_INVALID, "event_id",
        "Several events could be meant; give the event_id of one: %.*s.", (int)MIN(list.len, 380UL),
        list.ptr);
}

static bool words_agree(struct str summary, struct str said)
{
    return str_empty(said) || str_find_nocase(summary, said, 0) >= 0 ||
           str_find_nocase(said, summary, 0) >= 0;
}

/* The one coming event of this chat that the summary fits; all of the chat's when none fits. */
static int find_event(const struct tool_call *call, struct calendar_event *ret_event)
{
    struct str said = str_trim(json_get_str(call->args, "summary"));
    struct calendar_event *own = arena_array(call->arena, struct calendar_event, SEARCH_MAX);
    size_t count = 0, fitting = 0;
    struct calendar_page page;
    int rc = calendar_list(call->services->calendar, call->workspace_id, call->now_ms,
        call->now_ms + 366 * DAY_MS, false, SEARCH_MAX, STR(""), call->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        if (!str_eq(page.events[i].session_id, call->session_id))
            continue;
        own[count] = page.events[i];
        if (words_agree(own[count].summary, said)) {
            struct calendar_event first = own[fitting];

            own[fitting++] = own[count];
            if (count >= fitting)
                own[count] = first;
        }
        count++;
    }
    if (rc < 0)
        return rc;
    if (count == 0)
        return err_field(ERR_INVALID, "event_id",
            "This chat has no coming event; give the event_id of the one that is meant.");
    if (fitting != 1 && count != 1)
        return ambiguous(call, own, fitting > 0 ? fitting : count);
    *ret_event = own[0];
    return 0;
}

/* In a chat of a messaging service people see and change what was booked there: those of another
 * chat are others, and what they plan is not for these. 1, 0 or ERR_*. */
static int is_bound(const struct tool_call *call)
{
    struct chat_session_row session;
    int rc = STORE_MISSING;

    if (!str_empty(call->session_id))
        rc = store_get(call->store, STORE_CHAT_SESSIONS, call->workspace_id, call->session_id,
            call->arena, &session);
    return rc == 0 ? !str_is(session.channel, "api") : MIN(rc, 0);
}

static int which_event(const struct tool_call *call, struct calendar_event *ret_event)
{
    struct str id = str_trim(json_get_str(call->args, "event_id"));
    struct calendar_event event;
    int bound, rc;

    if (str_empty(id))
        return find_event(call, ret_event);
    bound = is_bound(call);
    if (bound < 0)
        return bound;
    rc = calendar_get(call->services->calendar, call->workspace_id, id, call->arena, &event);
    if (rc == ERR_NOT_FOUND || (rc == 0 && bound && !str_eq(event.session_id, call->session_id)))
        return err_field(ERR_INVALID, "event_id", "There is no event with that event_id.");
    if (rc == 0)
        *ret_event = event;
    return rc;
}

static int move(const struct tool_call *call, struct tool_result *ret_result)
{
    struct calendar_event event, made;
    struct times times;
    int rc = read_times(call, &times);

    if (rc == 0)
        rc = check_start(call, &times);
    if (rc == 0)
        rc = which_event(call, &event);
    if (rc < 0)
        return rc;
    set_times(&times, (event.end_ms - event.start_ms) / MINUTE_MS, &event);
    event.version = 0;
    rc = calendar_update(call->services->calendar, call->workspace_id, &event, call->arena, &made);
    if (rc == 0)
        give(call, "moved", "Moved", &made, ret_result);
    return rc;
}

static int cancel(const struct tool_call *call, struct tool_result *ret_result)
{
    struct calendar_event event, made;
    int rc = which_event(call, &event);

    if (rc == 0)
        rc = calendar_cancel(
            call->services->calendar, call->workspace_id, event.id, call->arena, &made);
    if (rc == 0)
        give(call, "cancelled", "Cancelled", &made, ret_result);
    return rc;
}

/* The first LIST_MAX, of this chat alone if bound. */
static int read_list(const struct tool_call *call, int64_t from, int64_t to, bool bound,
    struct calendar_page *ret_page)
{
    struct calendar_event *own = arena_array(call->arena, struct calendar_event, LIST_MAX);
    struct calendar_page page = {.cursor = STR("")};
    size_t count = 0;

    do {
        int rc = calendar_list(call->services->calendar, call->workspace_id, from, to, false,
            LIST_MAX, page.cursor, call->arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count && count < LIST_MAX; i++)
            if (!bound || str_eq(page.events[i].session_id, call->session_id))
                own[count++] = page.events[i];
    } while (bound && count < LIST_MAX && !str_empty(page.cursor));
    *ret_page = (struct calendar_page){.events = own, .count = count, .cursor = STR("")};
    return 0;
}

static void give_list(
    const struct tool_call *call, const struct calendar_page *page, struct tool_result *ret_result)
{
    struct buf out = BUF_IN(call->arena), text = BUF_IN(call->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "status", "listed");
    json_name(&w, "events");
    json_array_begin(&w);
    for (size_t i = 0; i < page->count; i++) {
        struct str line = event_line(&page->events[i], call->arena);

        calendar_event_write(&w, &page->events[i]);
        buf_printf(&text, "%s%.*s", i ? "\n" : "", STR_ARG(line));
    }
    json_array_end(&w);
    json_str_member(&w, "text", page->count > 0 ? buf_str(&text) : STR("No events."));
    json_object_end(&w);
    *ret_result = (struct tool_result){
        .content = buf_str(&out),
        .summary =
            str_printf(call->arena, "Listed %zu event%s", page->count, page->count == 1 ? "" : "s"),
        .event = STR(""),
    };
}

static int list(const struct tool_call *call, struct tool_result *ret_result)
{
    struct calendar_page page;
    struct times times;
    int64_t from = call->now_ms, to;
    int bound = is_bound(call), rc = bound < 0 ? bound : read_times(call, &times);

    if (rc < 0)
        return rc;
    if (times.start_ms > 0)
        from = times.start_ms;
    to = from + (times.start_ms > 0 ? 1 : LIST_DAYS) * DAY_MS;
    if (times.end_ms > from)
        to = times.end_ms;
    rc = read_list(call, from, to, bound, &page);
    if (rc == 0)
        give_list(call, &page, ret_result);
    return rc;
}

static bool reads_only(const struct json *args)
{
    return str_is(json_get_str(args, "action"), "list");
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    struct str action = json_get_str(call->args, "action");

    if (str_is(action, "move"))
        return move(call, ret_result);
    if (str_is(action, "cancel"))
        return cancel(call, ret_result);
    if (str_is(action, "list"))
        return list(call, ret_result);
    return book(call, ret_result);
}

const struct tool tool_schedule = {
    .name = "schedule",
    .description = "Book, move, cancel or list meetings in the calendar. Use it when people in the "
                   "chat agreed on or asked for a meeting with a day and a time of day.",
    .parameters = parameters,
    .effect = TOOL_WRITE,
    .keyed = true,
    .timeout_ms = 0,
    .run = run,
    .reads_only = reads_only,
};
