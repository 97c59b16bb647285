/* The TZif file format, versions 2 to 4 (RFC 8536, RFC 9636). Version 1 data is skipped: its 32-bit
 * times end in 2038, and every system of this century ships version 2. */
#include "text/zone_data.h"

#define HEADER_LEN 44

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool read_header(struct str bytes, size_t at, struct counts *counts)
{
    const char *p = bytes.ptr + at;

    if (at + HEADER_LEN > bytes.len || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    *counts = (struct counts){
        be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32), be32(p + 36), be32(p + 40)};
    return counts->time <= 10000 && counts->type >= 1 && counts->type <= 256 &&
           counts->chars >= 1 && counts->chars <= 4096 && counts->leap <= 1000 &&
           counts->isut <= 256 && counts->isstd <= 256;
}

static size_t body_len(const struct counts *c, size_t time_size)
{
    return c->time * time_size + c->time + c->type * 6 + c->chars + c->leap * (time_size + 4) +
           c->isstd + c->isut;
}

static bool read_types(const char *types, const struct counts *c, struct zone *zone)
{
    const char *names = types + c->type * 6;

    for (size_t i = 0; i < c->type; i++) {
        const char *p = types + i * 6;
        size_t from = (unsigned char)p[5], len = 0;

        if (from >= c->chars)
            return false;
        while (from + len < c->chars && names[from + len] && len < ZONE_ABBREVIATION_MAX)
            len++;
        zone->types[i].offset_s = (int32_t)be32(p);
        if (zone->types[i].offset_s < -26 * 3600 || zone->types[i].offset_s > 26 * 3600)
            return false;
        memcpy(zone->types[i].abbreviation, names + from, len);
        zone->types[i].abbreviation[len] = '\0';
    }
    zone->type_count = c->type;
    return true;
}

static bool read_transitions(const char *p, const struct counts *c, struct zone *zone)
{
    const char *index = p + c->time * 8;

    for (size_t i = 0; i < c->time; i++) {
        zone->at[i] = be64(p + i * 8);
        zone->index[i] = (uint8_t)index[i];
        if (zone->index[i] >= c->type || (i > 0 && zone->at[i] <= zone->at[i - 1]))
            return false;
    }
    zone->count = c->time;
    return true;
}

bool zone_parse(struct str bytes, struct zone *zone)
{
    struct counts c;
    size_t at;
    struct str footer;

    if (!read_header(bytes, 0, &c))
        return false;
    at = HEADER_LEN + body_len(&c, 4);
    if (!read_header(bytes, at, &c) || at + HEADER_LEN + body_len(&c, 8) > bytes.len)
        return false;
    at += HEADER_LEN;
    footer = str_slice(bytes, at + body_len(&c, 8), bytes.len);
    if (footer.len < 2 || footer.ptr[0] != '\n' || footer.ptr[footer.len - 1] != '\n')
        return false;
    footer = str_slice(footer, 1, footer.len - 1);
    if (footer.len > 0 && !zone_rule_parse(footer, &zone->rule))
        return false;
    if (!read_types(bytes.ptr + at + c.time * 9, &c, zone))
        return false;
    zone->at = xcalloc(c.time + 1, sizeof(*zone->at));
    zone->index = xcalloc(c.time + 1, sizeof(*zone->index));
    if (read_transitions(bytes.ptr + at, &c, zone))
        return true;
    free(zone->at);
    free(zone->index);
    return false;
}
