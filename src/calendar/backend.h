/* What a calendar provider implements; only calendar/ sees this.
 *
 * One file with one const struct calendar_ops per provider (local.c; later google.c, calcom.c,
 * calendly.c, caldav.c) and one line in the table of calendar.c. The front has checked all fields
 * and filled the defaults before an operation is called. Every operation but open and close yields.
 */
#ifndef CALENDAR_BACKEND_H
#define CALENDAR_BACKEND_H

#include "calendar/calendar.h"

struct calendar_ops {
    const char *name; /* value of the setting calendar, and of an event's provider */
    int (*open)(
        const struct config *config, const struct env *env, struct store *store, void **ret_state);
    void (*close)(void *state);
    /* Make the event, or give back the one that this key made before. */
    int (*book)(void *state, struct str workspace_id, struct str idempotency_key,
        const struct calendar_event *event, struct arena *arena, struct calendar_event *ret_event);
    int (*get)(void *state, struct str workspace_id, struct str id, struct arena *arena,
        struct calendar_event *ret_event);
    int (*list)(void *state, struct str workspace_id, int64_t from_ms, int64_t to_ms,
        bool with_cancelled, size_t limit, struct str cursor, struct arena *arena,
        struct calendar_page *ret_page);
    /* event->version is the one expected, 0 for any; event->sequence is already raised. */
    int (*update)(void *state, struct str workspace_id, const struct calendar_event *event,
        struct arena *arena, struct calendar_event *ret_event);
};

extern const struct calendar_ops calendar_local;

#endif
