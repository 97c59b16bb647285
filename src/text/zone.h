/* Time zones from the system's TZif database (RFC 8536), by IANA name.
 *
 * Zones are loaded once, cached for the life of the process and shared by threads (read-only after
 * loading). The footer's POSIX TZ rule gives times after the last transition. zone_get() reads a
 * small file the first time: call it at start-up or accept a page-cache read. Does not yield.
 */
#ifndef TEXT_ZONE_H
#define TEXT_ZONE_H

#include "base/env.h"

struct zone;

const struct zone *zone_utc(void);
/* By IANA name ("Europe/Madrid"); NULL when there is none. Names are checked before use as path. */
const struct zone *zone_get(struct str name);
/* IANA name, abbreviation (CET, PST: the most common meaning), "UTC+2", "GMT-5", "+02:00", or a
 * well-known city or country ("Madrid", "New York", "Tokyo"). NULL when not known. */
const struct zone *zone_guess(struct str name);
struct str zone_name(const struct zone *zone);
/* Offset east of UTC in seconds at that moment; ret_abbreviation may be NULL ("CEST"). */
int zone_offset(const struct zone *zone, int64_t utc_s, const char **ret_abbreviation);
/* Local civil time to UTC seconds. Skipped times move forward by the gap, repeated ones take the
 * first. */
int64_t zone_to_utc(const struct zone *zone, const struct civil *local);
struct civil zone_to_local(const struct zone *zone, int64_t utc_s);

#endif
