#include "base/env.h"

/* The days algorithms are Howard Hinnant's, howardhinnant.github.io/date_algorithms.html. */

int64_t civil_to_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

int64_t civil_to_s(const struct civil *c)
{
    return civil_to_days(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 +
           c->second;
}

struct civil civil_from_s(int64_t seconds)
{
    int64_t days = seconds / 86400, second = seconds % 86400;

    if (second < 0) {
        second += 86400;
        days--;
    }
    days += 719468;

    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    return (struct civil){
        .year = (int)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .hour = (int)(second / 3600),
        .minute = (int)(second / 60 % 60),
        .second = (int)(second % 60),
    };
}

int civil_weekday(int year, int month, int day)
{
    int64_t days = civil_to_days(year, month, day);

    return (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

int civil_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && leap);
}

#define YEAR_0_MS (-62167219200000)
#define YEAR_9999_END_MS 253402300799999

static void put_digits(char *to, int value, int count)
{
    while (count--) {
        to[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void rfc3339_format(int64_t wall_ms, char out[RFC3339_LEN + 1])
{
    /* The format has four digits for the year. */
    wall_ms = MIN(MAX(wall_ms, YEAR_0_MS), YEAR_9999_END_MS);

    int64_t ms = (wall_ms % 1000 + 1000) % 1000;
    struct civil c = civil_from_s((wall_ms - ms) / 1000);

    memcpy(out, "0000-00-00T00:00:00.000Z", RFC3339_LEN + 1);
    put_digits(out, c.year, 4);
    put_digits(out + 5, c.month, 2);
    put_digits(out + 8, c.day, 2);
    put_digits(out + 11, c.hour, 2);
    put_digits(out + 14, c.minute, 2);
    put_digits(out + 17, c.second, 2);
    put_digits(out + 20, (int)ms, 3);
}

struct str rfc3339(struct arena *arena, int64_t wall_ms)
{
    char *out = arena_alloc(arena, RFC3339_LEN + 1);

    rfc3339_format(wall_ms, out);
    return (struct str){out, RFC3339_LEN};
}

/* Exactly count digits at *at, as a number within low to high. */
static bool take_number(struct str s, size_t *at, int count, int low, int high, int *ret)
{
    int value = 0;

    if (s.len - *at < (size_t)count)
        return false;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!char_is_digit(s.ptr[*at]))
            return false;
        value = value * 10 + s.ptr[*at] - '0';
    }
    if (value < low || value > high)
        return false;
    *ret = value;
    return true;
}

static bool take_char(struct str s, size_t *at, char c)
{
    if (*at >= s.len || s.ptr[*at] != c)
        return false;
    (*at)++;
    return true;
}

static bool take_date(struct str s, size_t *at, struct civil *c)
{
    return take_number(s, at, 4, 0, 9999, &c->year) && take_char(s, at, '-') &&
           take_number(s, at, 2, 1, 12, &c->month) && take_char(s, at, '-') &&
           take_number(s, at, 2, 1, civil_days_in_month(c->year, c->month), &c->day);
}

static bool take_time(struct str s, size_t *at, struct civil *c, int *ret_ms)
{
    int scale = 100;

    *ret_ms = 0;
    if (!take_number(s, at, 2, 0, 23, &c->hour) || !take_char(s, at, ':') ||
        !take_number(s, at, 2, 0, 59, &c->minute) || !take_char(s, at, ':') ||
        !take_number(s, at, 2, 0, 60, &c->second))
        return false;
    if (!take_char(s, at, '.'))
        return true;

    size_t start = *at;

    for (; *at < s.len && char_is_digit(s.ptr[*at]); (*at)++, scale /= 10)
        *ret_ms += (s.ptr[*at] - '0') * scale;
    return *at > start;
}

static bool take_offset(struct str s, size_t *at, int *ret_minutes)
{
    int sign, hours, minutes;

    if (take_char(s, at, 'Z') || take_char(s, at, 'z')) {
        *ret_minutes = 0;
        return true;
    }
    if (take_char(s, at, '+'))
        sign = 1;
    else if (take_char(s, at, '-'))
        sign = -1;
    else
        return false;
    if (!take_number(s, at, 2, 0, 23, &hours) || !take_char(s, at, ':') ||
        !take_number(s, at, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool rfc3339_parse(struct str s, int64_t *ret_wall_ms, int *ret_offset_min)
{
    struct civil c = {0};
    int ms, offset;
    size_t at = 0;

    if (!take_date(s, &at, &c))
        return false;
    /* Section 5.6 allows lower case, and a space for readability. */
    if (!take_char(s, &at, 'T') && !take_char(s, &at, 't') && !take_char(s, &at, ' '))
        return false;
    if (!take_time(s, &at, &c, &ms) || !take_offset(s, &at, &offset) || at != s.len)
        return false;

    int64_t seconds = civil_to_s(&c) - (int64_t)offset * 60;

    /* A leap second stands at the end of a UTC day, and is the first second of the next here. */
    if (c.second == 60 && seconds % 86400 != 0)
        return false;
    *ret_wall_ms = seconds * 1000 + (c.second == 60 ? 0 : ms);
    if (ret_offset_min)
        *ret_offset_min = offset;
    return true;
}
