#include "text/zone_data.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"
#define ZONE_FILE_MAX (64 * KIB)

/* The cache is a list that only grows, at its head, and whose entries never change: readers need
 * no lock. Its size is bounded by the database, since unknown names are not remembered. */
static _Atomic(struct zone *) cache;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct zone utc = {
    .name = "UTC",
    .name_len = 3,
    .types = {{0, "UTC"}},
    .type_count = 1,
};

const struct zone *zone_utc(void)
{
    return &utc;
}

struct str zone_name(const struct zone *zone)
{
    return (struct str){zone->name, zone->name_len};
}

/* The characters of IANA names; what is left cannot leave the folder. */
static bool name_is_safe(struct str name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX || !char_is_alpha(name.ptr[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!char_is_alnum(c) && c != '_' && c != '-' && c != '+' && c != '/')
            return false;
        if (c == '/' && (i + 1 == name.len || name.ptr[i + 1] == '/'))
            return false;
    }
    return true;
}

static const struct zone *cache_find(struct str name)
{
    const struct zone *zone = atomic_load_explicit(&cache, memory_order_acquire);

    for (; zone; zone = zone->next)
        if (zone->name_len == name.len && memcmp(zone->name, name.ptr, name.len) == 0)
            return zone;
    return NULL;
}

/* The whole file, at most max bytes; -1 when it is no plain readable file of that size. */
static ssize_t read_whole(int fd, char *bytes, size_t max)
{
    size_t len = 0;
    ssize_t got = -1;

    while (len < max && (got = read(fd, bytes + len, max - len)) > 0)
        len += (size_t)got;
    return got == 0 ? (ssize_t)len : -1;
}

static const struct zone *load_locked(struct str name)
{
    char path[sizeof(ZONE_FOLDER) + ZONE_NAME_MAX];
    const struct zone *known = cache_find(name);
    struct zone *zone;
    char *bytes;
    ssize_t len;
    int fd;

    if (known)
        return known; /* another thread was faster */
    snprintf(path, sizeof(path), ZONE_FOLDER "%.*s", STR_ARG(name));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    bytes = xmalloc(ZONE_FILE_MAX);
    len = read_whole(fd, bytes, ZONE_FILE_MAX);
    close(fd);
    zone = xcalloc(1, sizeof(*zone));
    if (len < 0 || !zone_parse((struct str){bytes, (size_t)len}, zone)) {
        free(bytes);
        free(zone);
        return NULL;
    }
    free(bytes);
    memcpy(zone->name, name.ptr, name.len);
    zone->name_len = name.len;
    zone->next = atomic_load_explicit(&cache, memory_order_relaxed);
    atomic_store_explicit(&cache, zone, memory_order_release);
    return zone;
}

const struct zone *zone_get(struct str name)
{
    const struct zone *zone;

    if (str_is(name, "UTC"))
        return &utc;
    zone = cache_find(name);
    if (zone || !name_is_safe(name))
        return zone;
    pthread_mutex_lock(&load_lock);
    zone = load_locked(name);
    pthread_mutex_unlock(&load_lock);
    return zone;
}

static const struct zone_type *type_at(const struct zone *zone, int64_t utc_s)
{
    size_t low = 0, high = zone->count; /* how many transitions are at or before utc_s */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->at[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->count && zone->rule.present)
        return zone_rule_at(&zone->rule, utc_s);
    /* Type 0 holds before the first transition (RFC 8536, 3.2). */
    return &zone->types[low ? zone->index[low - 1] : 0];
}

int zone_offset(const struct zone *zone, int64_t utc_s, const char **ret_abbreviation)
{
    const struct zone_type *type = type_at(zone, utc_s);

    if (ret_abbreviation)
        *ret_abbreviation = type->abbreviation;
    return type->offset_s;
}

struct civil zone_to_local(const struct zone *zone, int64_t utc_s)
{
    return civil_from_s(utc_s + type_at(zone, utc_s)->offset_s);
}

int64_t zone_to_utc(const struct zone *zone, const struct civil *local)
{
    /* The offsets a day before and after: no zone has changed its clock twice within that. */
    int64_t as_utc = civil_to_s(local);
    int before = type_at(zone, as_utc - 86400)->offset_s;
    int after = type_at(zone, as_utc + 86400)->offset_s;

    if (type_at(zone, as_utc - before)->offset_s == before)
        return as_utc - before; /* also the first of two in an overlap */
    if (type_at(zone, as_utc - after)->offset_s == after)
        return as_utc - after;
    return as_utc - before; /* in a gap: the clock shows the time moved forward by it */
}

/* "+02:00", "UTC+2", "GMT-5", "UTC+5:30": minutes east of UTC. */
static bool parse_offset(struct str name, int *ret_minutes)
{
    struct str s = str_trim(name);
    int hours = 0, minutes = 0, sign;
    size_t i = 1, digits = 0;

    if (str_starts_nocase(s, STR("UTC")) || str_starts_nocase(s, STR("GMT")))
        s = str_trim(str_slice(s, 3, s.len));
    if (s.len < 2 || s.len > 6 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return false;
    sign = s.ptr[0] == '-' ? -1 : 1;
    for (; i < s.len && char_is_digit(s.ptr[i]) && digits < 2; i++, digits++)
        hours = hours * 10 + (s.ptr[i] - '0');
    if (digits == 0)
        return false;
    if (i < s.len && s.ptr[i] == ':')
        i++;
    if (i < s.len) {
        if (s.len - i != 2 || !char_is_digit(s.ptr[i]) || !char_is_digit(s.ptr[i + 1]))
            return false;
        minutes = (s.ptr[i] - '0') * 10 + (s.ptr[i + 1] - '0');
    }
    *ret_minutes = sign * (hours * 60 + minutes);
    return minutes < 60;
}

/* The IANA zone that stands for a fixed offset, so that every zone has a name others know. */
static const struct zone *zone_of_offset(int minutes)
{
    static const struct {
        int minutes;
        const char *name;
    } odd[] = {
        {-570, "Pacific/Marquesas"},
        {210, "Asia/Tehran"},
        {270, "Asia/Kabul"},
        {330, "Asia/Kolkata"},
        {345, "Asia/Kathmandu"},
        {390, "Asia/Yangon"},
        {525, "Australia/Eucla"},
        {570, "Australia/Darwin"},
    };
    char name[16];

    if (minutes == 0)
        return &utc;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        if (odd[i].minutes == minutes)
            return zone_get(str_from(odd[i].name));
    if (minutes % 60 != 0 || minutes < -12 * 60 || minutes > 14 * 60)
        return NULL;
    /* The sign of these names is that of POSIX: hours west. */
    snprintf(name, sizeof(name), "Etc/GMT%+d", -minutes / 60);
    return zone_get(str_from(name));
}

const struct zone *zone_guess(struct str name)
{
    struct str common;
    int minutes;

    name = str_trim(name);
    if (name.len == 0 || name.len > ZONE_NAME_MAX)
        return NULL;
    if (parse_offset(name, &minutes))
        return zone_of_offset(minutes);
    common = zone_common_name(name);
    if (!str_empty(common))
        return zone_get(common);
    /* Any other word is no zone: only what has the form of a name is looked for on disk. */
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/' || char_is_digit(name.ptr[i]))
            return zone_get(name);
    return NULL;
}
