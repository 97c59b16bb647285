/* iCalendar text (RFC 5545; protocols.md section 4.4): CRLF, folding at 75 octets, UTC times. */
#ifndef CALENDAR_ICS_H
#define CALENDAR_ICS_H

#include "calendar/calendar.h"

/* One VCALENDAR with the events; method NULL for stored data ("REQUEST", "CANCEL", "PUBLISH").
 * now_ms is DTSTAMP. */
void ics_write(struct buf *out, const struct calendar_event *events, size_t count,
    const char *method, int64_t now_ms);

#endif
