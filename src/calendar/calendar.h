/* The calendar port: book, move, cancel, list, free/busy; each idempotent.
 *
 * Times are UTC ms plus the IANA zone they were meant in. A struct calendar is shared by all loops.
 * Every call yields.
 */
#ifndef CALENDAR_CALENDAR_H
#define CALENDAR_CALENDAR_H

#include "base/config.h"
#include "base/env.h"
#include "base/err.h"

struct calendar;
struct store;

struct attendee {
    struct str email; /* may be empty when only a name is known */
    struct str name;
};

struct calendar_event {
    struct str id; /* Theo's own ULID */
    struct str provider, provider_event_id;
    struct str summary, description, location;
    int64_t start_ms, end_ms;
    struct str time_zone;
    const struct attendee *attendees;
    size_t attendee_count;
    bool conference;
    struct str conference_url;
    struct str state; /* "confirmed", "cancelled" */
    int64_t sequence; /* raised at each change of time or cancel (iCalendar SEQUENCE) */
    int64_t version;  /* for optimistic updates */
    struct str session_id, run_id; /* where it came from; may be empty */
    int64_t created_ms, updated_ms;
};

MUST_CHECK int calendar_open(const struct config *config, const struct env *env,
    struct store *store, struct calendar **ret_calendar);
void calendar_free(struct calendar *calendar);

/* The provider named, or the configured default for "". ERR_INVALID (field "provider"). */
/* Book. The same idempotency_key gives the same event again (never a second one). Fields are
 * checked: ERR_INVALID names "summary" (empty, over 512 bytes), "start" (years 1970 to 9999), "end"
 * (not after start, over 14 days), "time_zone", "attendees[3].email" (malformed; at most 100). */
MUST_CHECK int calendar_book(struct calendar *calendar, struct str workspace_id,
    struct str idempotency_key, const struct calendar_event *event, struct arena *arena,
    struct calendar_event *ret_event);
/* 0 or ERR_NOT_FOUND. */
MUST_CHECK int calendar_get(struct calendar *calendar, struct str workspace_id, struct str id,
    struct arena *arena, struct calendar_event *ret_event);
/* Events that overlap [from_ms, to_ms), by start; cancelled ones only if asked. cursor as
 * store_query's. */
struct calendar_page {
    struct calendar_event *events;
    size_t count;
    struct str cursor;
};
MUST_CHECK int calendar_list(struct calendar *calendar, struct str workspace_id, int64_t from_ms,
    int64_t to_ms, bool with_cancelled, size_t limit, struct str cursor, struct arena *arena,
    struct calendar_page *ret_page);
/* Replace the changeable fields of event->id; event->version as read (0: whatever it is).
 * ERR_CONFLICT, ERR_NOT_FOUND, ERR_INVALID (a cancelled event cannot be moved). */
MUST_CHECK int calendar_update(struct calendar *calendar, struct str workspace_id,
    const struct calendar_event *event, struct arena *arena, struct calendar_event *ret_event);
/* Idempotent: cancelling a cancelled event gives it back. ERR_NOT_FOUND. */
MUST_CHECK int calendar_cancel(struct calendar *calendar, struct str workspace_id, struct str id,
    struct arena *arena, struct calendar_event *ret_event);

/* Free slots of that length inside [from_ms, to_ms), on whole quarter hours, within day_from_min
 * and day_to_min (minutes after local midnight in time_zone) on weekdays (bit 0 = Sunday), not
 * overlapping any confirmed event whose attendees include one of the given (all events when none
 * are given). At most max. */
struct calendar_slot_query {
    int64_t from_ms, to_ms, duration_min;
    struct str time_zone;
    int day_from_min, day_to_min;
    unsigned weekdays;
    const struct attendee *attendees;
    size_t attendee_count;
};
struct calendar_slot {
    int64_t start_ms, end_ms;
};
MUST_CHECK int calendar_free_slots(struct calendar *calendar, struct str workspace_id,
    const struct calendar_slot_query *query, size_t max, struct arena *arena,
    struct calendar_slot *ret_slots, size_t *ret_count);

/* JSON as the API shows an event; used by api/, tools/ and events alike. */
void calendar_event_write(struct json_writer *w, const struct calendar_event *event);

#endif
