/* Reading an event, or a question for free slots, out of a request body. */
#ifndef API_SCHEDULE_BODY_H
#define API_SCHEDULE_BODY_H

#include "api/exchange.h"
#include "text/when.h"

/* Types and sizes of all members. */
MUST_CHECK int event_check(const struct json *body);
/* "time_zone", or otherwise. */
MUST_CHECK int event_zone(
    const struct json *body, struct str otherwise, const struct zone **ret_zone);
MUST_CHECK int event_attendees(
    struct exchange *x, const struct attendee **ret_list, size_t *ret_count);
/* start | when, end | duration_minutes. A length that is not given is default_min. Changes event
 * only. */
MUST_CHECK int event_times(
    struct exchange *x, const struct zone *zone, int64_t default_min, struct calendar_event *event);
bool event_has_times(const struct json *body);
/* summary, description, location, conference, as far as given. */
void event_texts(const struct json *body, struct calendar_event *event);

#endif
