/* Inside of the zone files: what a loaded zone holds. Not for other rooms.
 *
 * A struct zone is written once by zone_parse() and never changes after it is published.
 */
#ifndef TEXT_ZONE_DATA_H
#define TEXT_ZONE_DATA_H

#include "text/zone.h"

#define ZONE_ABBREVIATION_MAX 10
#define ZONE_NAME_MAX 48

struct zone_type {
    int32_t offset_s; /* east of UTC */
    char abbreviation[ZONE_ABBREVIATION_MAX + 1];
};

/* When a POSIX TZ rule changes the clock: a day of the year and seconds after its midnight. */
struct zone_rule_day {
    enum { ZONE_DAY_MONTH_WEEK, ZONE_DAY_JULIAN, ZONE_DAY_ZERO } kind;
    int month, week, weekday; /* Mm.w.d */
    int day;                  /* Jn (1 to 365, without 29 February) or n (0 to 365) */
    int32_t time_s;           /* may be negative or beyond a day (RFC 8536, 3.3.1) */
};

struct zone_rule {
    bool present, has_dst;
    struct zone_type standard, daylight;
    struct zone_rule_day start, end; /* of daylight saving time */
};

struct zone {
    struct zone *next; /* of the cache's list */
    char name[ZONE_NAME_MAX + 1];
    size_t name_len;
    int64_t *at;    /* UTC seconds of each transition, rising */
    uint8_t *index; /* the type from then on */
    size_t count;
    struct zone_type types[256];
    size_t type_count;
    struct zone_rule rule; /* after the last transition */
};

/* Parse a POSIX TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3". False when it is not one. */
MUST_CHECK bool zone_rule_parse(struct str text, struct zone_rule *ret_rule);
const struct zone_type *zone_rule_at(const struct zone_rule *rule, int64_t utc_s);

/* Fill zone from the bytes of a TZif file. False when they are not one. On success at and index
 * are heap memory that belongs to the zone. */
MUST_CHECK bool zone_parse(struct str bytes, struct zone *zone);

/* IANA name for a common abbreviation, city or country; empty when not known. */
struct str zone_common_name(struct str name);

#endif
