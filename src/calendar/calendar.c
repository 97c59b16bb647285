/* The front of the port: checks what it is given, picks the provider, and does what is the same for
 * all of them: moving, cancelling, free slots. */
#include "calendar/backend.h"
#include "text/zone.h"

#define SUMMARY_MAX 512
#define TEXT_MAX (16 * KIB)
#define ATTENDEES_MAX 100
#define EVENT_MAX_MS (14 * DAY_MS)
#define YEAR_10000_MS 253402300800000
#define EMAIL_MAX 254
/* An update that meets somebody else's is made again on what that one left. */
#define TRIES 8

static const struct calendar_ops *const providers[] = {&calendar_local};

struct calendar {
    const struct calendar_ops *ops;
    const struct env *env;
    void *state;
};

static const struct calendar_ops *provider_named(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++)
        if (str_is(name, providers[i]->name))
            return providers[i];
    return NULL;
}

int calendar_open(const struct config *config, const struct env *env, struct store *store,
    struct calendar **ret_calendar)
{
    const struct calendar_ops *ops = provider_named(str_from(config->calendar));
    struct calendar *calendar;
    void *state;
    int rc;

    if (!ops)
        return err_field(
            ERR_INVALID, "calendar", "There is no calendar \"%s\": use local.", config->calendar);
    rc = ops->open(config, env, store, &state);
    if (rc < 0)
        return rc;
    calendar = xcalloc(1, sizeof(*calendar));
    *calendar = (struct calendar){ops, env, state};
    *ret_calendar = calendar;
    return 0;
}

void calendar_free(struct calendar *calendar)
{
    if (!calendar)
        return;
    calendar->ops->close(calendar->state);
    free(calendar);
}

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

/* One @, something on both sides, no white space or brackets: what a server would refuse anyway is
 * left to it. */
static bool email_plausible(struct str email)
{
    ptrdiff_t at = str_find_char(email, '@', 0);

    if (at <= 0 || (size_t)at + 1 >= email.len || email.len > EMAIL_MAX)
        return false;
    if (str_find_char(email, '@', (size_t)at + 1) >= 0 || email.ptr[email.len - 1] == '.')
        return false;
    for (size_t i = 0; i < email.len; i++)
        if ((unsigned char)email.ptr[i] <= ' ' || strchr("\"<>(),;:\\[]\x7f", email.ptr[i]))
            return false;
    return true;
}

static int check_attendee(const struct attendee *attendee, size_t index)
{
    char field[64];

    if (!str_empty(attendee->email) && !email_plausible(attendee->email)) {
        snprintf(field, sizeof(field), "attendees[%zu].email", index);
        return err_field(ERR_INVALID, field, "%s is not an e-mail address.", field);
    }
    snprintf(field, sizeof(field), "attendees[%zu].name", index);
    if (attendee->name.len > SUMMARY_MAX || has_control(attendee->name) ||
        !utf8_valid(attendee->name))
        return err_field(
            ERR_INVALID, field, "%s must be one line of at most %d bytes.", field, SUMMARY_MAX);
    if (str_empty(attendee->email) && str_empty(attendee->name))
        return err_field(ERR_INVALID, field, "An attendee needs an e-mail address or a name.");
    return 0;
}

static int check_texts(const struct calendar_event *event)
{
    if (str_empty(str_trim(event->summary)))
        return err_field(ERR_INVALID, "summary", "summary must say what the event is about.");
    if (event->summary.len > SUMMARY_MAX || !utf8_valid(event->summary))
        return err_field(
            ERR_INVALID, "summary", "summary may have at most %d bytes of UTF-8.", SUMMARY_MAX);
    if (event->description.len > TEXT_MAX || !utf8_valid(event->description))
        return err_field(ERR_INVALID, "description",
            "description may have at most %d bytes of UTF-8.", TEXT_MAX);
    if (event->location.len > TEXT_MAX || !utf8_valid(event->location))
        return err_field(
            ERR_INVALID, "location", "location may have at most %d bytes of UTF-8.", TEXT_MAX);
    return 0;
}

static int check_event(const struct calendar *calendar, const struct calendar_event *event)
{
    int rc = check_texts(event);

    if (rc < 0)
        return rc;
    if (!str_empty(event->provider) && !str_is(event->provider, calendar->ops->name))
        return err_field(ERR_INVALID, "provider", "There is no calendar of that name: use %s.",
            calendar->ops->name);
    if (event->start_ms < 0 || event->start_ms >= YEAR_10000_MS)
        return err_field(ERR_INVALID, "start", "start must lie in the years 1970 to 9999.");
    if (event->end_ms <= event->start_ms)
        return err_field(ERR_INVALID, "end", "end must come after start.");
    if (event->end_ms - event->start_ms > EVENT_MAX_MS || event->end_ms >= YEAR_10000_MS)
        return err_field(ERR_INVALID, "end", "An event may last at most 14 days.");
    if (!zone_get(event->time_zone))
        return err_field(
            ERR_INVALID, "time_zone", "time_zone must be an IANA name such as Europe/Madrid.");
    if (event->attendee_count > ATTENDEES_MAX)
        return err_field(
            ERR_INVALID, "attendees", "An event may have at most %d attendees.", ATTENDEES_MAX);
    for (size_t i = 0; i < event->attendee_count && rc == 0; i++)
        rc = check_attendee(&event->attendees[i], i);
    return rc;
}

int calendar_book(struct calendar *calendar, struct str workspace_id, struct str idempotency_key,
    const struct calendar_event *event, struct arena *arena, struct calendar_event *ret_event)
{
    struct calendar_event fresh = *event;
    int rc = check_event(calendar, event);

    if (rc < 0)
        return rc;
    if (str_empty(fresh.id))
        fresh.id = ulid_new(calendar->env, arena);
    fresh.provider = str_from(calendar->ops->name);
    fresh.state = STR("confirmed");
    fresh.sequence = 0;
    fresh.created_ms = fresh.updated_ms = env_wall_ms(calendar->env);
    return calendar->ops->book(
        calendar->state, workspace_id, idempotency_key, &fresh, arena, ret_event);
}

int calendar_get(struct calendar *calendar, struct str workspace_id, struct str id,
    struct arena *arena, struct calendar_event *ret_event)
{
    return calendar->ops->get(calendar->state, workspace_id, id, arena, ret_event);
}

int calendar_list(struct calendar *calendar, struct str workspace_id, int64_t from_ms,
    int64_t to_ms, bool with_cancelled, size_t limit, struct str cursor, struct arena *arena,
    struct calendar_page *ret_page)
{
    return calendar->ops->list(calendar->state, workspace_id, from_ms, to_ms, with_cancelled, limit,
        cursor, arena, ret_page);
}

static bool same_attendees(const struct calendar_event *a, const struct calendar_event *b)
{
    if (a->attendee_count != b->attendee_count)
        return false;
    for (size_t i = 0; i < a->attendee_count; i++)
        if (!str_eq(a->attendees[i].email, b->attendees[i].email) ||
            !str_eq(a->attendees[i].name, b->attendees[i].name))
            return false;
    return true;
}

static bool same_event(const struct calendar_event *a, const struct calendar_event *b)
{
    return a->start_ms == b->start_ms && a->end_ms == b->end_ms && a->conference == b->conference &&
           str_eq(a->time_zone, b->time_zone) && str_eq(a->summary, b->summary) &&
           str_eq(a->description, b->description) && str_eq(a->location, b->location) &&
           same_attendees(a, b);
}

static int update_once(struct calendar *calendar, struct str workspace_id,
    const struct calendar_event *event, struct arena *arena, struct calendar_event *ret_event)
{
    struct calendar_event old, fresh = *event;
    int rc = calendar_get(calendar, workspace_id, event->id, arena, &old);

    if (rc < 0)
        return rc;
    if (event->version > 0 && event->version != old.version)
        return err_set(ERR_CONFLICT,
            "The event was changed meanwhile (version %lld now); read it "
            "again.",
            (long long)old.version);
    if (str_is(old.state, "cancelled"))
        return err_field(
            ERR_INVALID, "status", "The event is cancelled and cannot be changed; book a new one.");
    if (same_event(&old, event)) {
        *ret_event = old;
        return 0;
    }
    fresh.provider = old.provider;
    fresh.provider_event_id = old.provider_event_id;
    fresh.state = old.state;
    fresh.version = old.version;
    fresh.conference_url = old.conference_url;
    fresh.session_id = old.session_id;
    fresh.run_id = old.run_id;
    fresh.created_ms = old.created_ms;
    fresh.updated_ms = env_wall_ms(calendar->env);
    fresh.sequence =
        old.sequence + (old.start_ms != event->start_ms || old.end_ms != event->end_ms);
    return calendar->ops->update(calendar->state, workspace_id, &fresh, arena, ret_event);
}

int calendar_update(struct calendar *calendar, struct str workspace_id,
    const struct calendar_event *event, struct arena *arena, struct calendar_event *ret_event)
{
    int rc = check_event(calendar, event);

    if (rc < 0)
        return rc;
    rc = ERR_CONFLICT;
    for (int i = 0; i < TRIES && rc == ERR_CONFLICT; i++) {
        rc = update_once(calendar, workspace_id, event, arena, ret_event);
        if (event->version > 0)
            break;
    }
    return rc;
}

int calendar_cancel(struct calendar *calendar, struct str workspace_id, struct str id,
    struct arena *arena, struct calendar_event *ret_event)
{
    int rc = ERR_CONFLICT;

    for (int i = 0; i < TRIES && rc == ERR_CONFLICT; i++) {
        struct calendar_event event;

        rc = calendar_get(calendar, workspace_id, id, arena, &event);
        if (rc < 0)
            return rc;
        if (str_is(event.state, "cancelled")) {
            *ret_event = event;
            return 0;
        }
        event.state = STR("cancelled");
        event.sequence++;
        event.updated_ms = env_wall_ms(calendar->env);
        rc = calendar->ops->update(calendar->state, workspace_id, &event, arena, ret_event);
    }
    return rc;
}

/* RFC 3339 with the offset that the zone has then. */
static void write_time(struct json_writer *w, const char *name, int64_t ms, const struct zone *zone)
{
    int64_t utc_s = ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
    int offset = zone_offset(zone, utc_s, NULL);
    struct civil local = zone_to_local(zone, utc_s);
    char text[48];

    if (offset == 0)
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", local.year, local.month,
            local.day, local.hour, local.minute, local.second);
    else
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", local.year,
            local.month, local.day, local.hour, local.minute, local.second, offset < 0 ? '-' : '+',
            abs(offset) / 3600, abs(offset) / 60 % 60);
    json_cstr_member(w, name, text);
}

static void write_attendees(struct json_writer *w, const struct calendar_event *event)
{
    json_name(w, "attendees");
    json_array_begin(w);
    for (size_t i = 0; i < event->attendee_count; i++) {
        json_object_begin(w);
        json_str_member(w, "name", event->attendees[i].name);
        json_str_member(w, "email", event->attendees[i].email);
        json_object_end(w);
    }
    json_array_end(w);
}

void calendar_event_write(struct json_writer *w, const struct calendar_event *event)
{
    const struct zone *zone = zone_get(event->time_zone);
    char url[64];

    zone = zone ? zone : zone_utc();
    snprintf(url, sizeof(url), "/api/schedule/%.*s?format=ics", (int)MIN(event->id.len, (size_t)32),
        event->id.ptr);
    json_object_begin(w);
    json_str_member(w, "id", event->id);
    json_str_member(w, "provider", event->provider);
    json_str_member(w, "summary", event->summary);
    json_str_member(w, "description", event->description);
    json_str_member(w, "location", event->location);
    write_time(w, "start", event->start_ms, zone);
    write_time(w, "end", event->end_ms, zone);
    json_str_member(w, "time_zone", event->time_zone);
    write_attendees(w, event);
    json_str_member(w, "conference_url", event->conference_url);
    json_str_member(w, "status", event->state);
    json_i64_member(w, "version", event->version);
    write_time(w, "created_at", event->created_ms, zone_utc());
    write_time(w, "updated_at", event->updated_ms, zone_utc());
    json_cstr_member(w, "ics_url", url);
    json_object_end(w);
}
