/* A local calendar on a memory store. */
#ifndef CALENDAR_FIXTURE_H
#define CALENDAR_FIXTURE_H

#include "calendar/calendar.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "test.h"

struct fixture {
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
};

bool fixture_open(struct test *t, struct fixture *f);
void fixture_close(struct fixture *f);

/* One hour from that hour of 2026-03-03 (UTC) on, in zone UTC. */
struct calendar_event event_at(const char *summary, int hour);
int64_t ms_of(const char *rfc3339_text);

#endif
