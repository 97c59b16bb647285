/* What comes from outside the program: time and randomness. Tests replace it.
 *
 * Nothing reads the clock or makes randomness except through an env.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/str.h"

struct env {
    int64_t (*wall_ms)(void *ctx);                    /* UTC milliseconds since 1970 */
    int64_t (*mono_ns)(void *ctx);                    /* monotonic nanoseconds */
    void (*random)(void *ctx, void *out, size_t len); /* cryptographic */
    void *ctx;
};

const struct env *env_system(void); /* the real ones */

/* A clock that stands still until moved and a generator that repeats. */
struct env_fake {
    struct env env;
    int64_t wall_ms;
    int64_t mono_ns;
    uint64_t seed;
};
void env_fake_init(struct env_fake *fake, int64_t wall_ms, uint64_t seed);

static inline int64_t env_wall_ms(const struct env *env)
{
    return env->wall_ms(env->ctx);
}
static inline int64_t env_mono_ms(const struct env *env)
{
    return env->mono_ns(env->ctx) / 1000000;
}
uint64_t env_random_u64(const struct env *env);

/* ULID (github.com/ulid/spec): 26 characters of Crockford base32, 48 bits of ms and 80 random;
 * sortable by time. */
#define ULID_LEN 26
void ulid_make(const struct env *env, char out[ULID_LEN + 1]);
struct str ulid_new(const struct env *env, struct arena *arena);
bool ulid_valid(struct str s);

/* RFC 3339 with milliseconds, UTC: "2026-03-01T09:30:00.000Z". */
#define RFC3339_LEN 24
void rfc3339_format(int64_t wall_ms, char out[RFC3339_LEN + 1]);
struct str rfc3339(struct arena *arena, int64_t wall_ms);
/* Any RFC 3339 date-time with offset; false otherwise. ret_offset_min may be NULL. */
MUST_CHECK bool rfc3339_parse(struct str s, int64_t *ret_wall_ms, int *ret_offset_min);

/* Civil time (proleptic Gregorian), Howard Hinnant's days algorithms. */
struct civil {
    int year, month, day, hour, minute, second; /* month 1 to 12, day 1 to 31 */
};
int64_t civil_to_days(int year, int month, int day); /* days since 1970-01-01 */
int64_t civil_to_s(const struct civil *c);           /* as if UTC */
struct civil civil_from_s(int64_t seconds);
int civil_weekday(int year, int month, int day); /* 0 = Sunday */
int civil_days_in_month(int year, int month);

#endif
