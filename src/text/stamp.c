#include "text/stamp.h"

#include "base/env.h"

/* Exactly min to max digits at *at. */
static bool read_number(struct str s, size_t *at, size_t min, size_t max, int *ret_value)
{
    size_t i = *at;
    int value = 0;

    while (i < s.len && i - *at < max && char_is_digit(s.ptr[i]))
        value = value * 10 + (s.ptr[i++] - '0');
    if (i - *at < min || (i < s.len && char_is_digit(s.ptr[i])))
        return false;
    *at = i;
    *ret_value = value;
    return true;
}

static bool read_char(struct str s, size_t *at, const char *any)
{
    if (*at >= s.len || s.ptr[*at] == '\0' || strchr(any, s.ptr[*at]) == NULL)
        return false;
    (*at)++;
    return true;
}

/* "2026-03-01", "1.3.2026", "03/01/26". An order of day and month that cannot be told gives a day
 * of -1. */
static bool read_date(struct str s, size_t *at, int64_t *ret_day)
{
    size_t i = *at;
    int a, b, c;
    bool known = true;

    if (!read_number(s, &i, 1, 4, &a) || i >= s.len)
        return false;
    char sep = s.ptr[i];
    if (!read_char(s, &i, "-/.") || !read_number(s, &i, 1, 2, &b) || i >= s.len ||
        s.ptr[i] != sep || !read_char(s, &i, "-/.") || !read_number(s, &i, 1, 4, &c))
        return false;
    if (a < 1000) {
        int year = c < 100 ? 2000 + c : c, day = a, month = b;
        if (sep != '.' && day <= 12 && month <= 12 && day != month)
            known = false;
        if (sep != '.' && month > 12) {
            day = b;
            month = a;
        }
        a = year;
        b = month;
        c = day;
    }
    if (b < 1 || b > 12 || c < 1 || a < 1970 || a > 9999 || c > civil_days_in_month(a, b))
        return false;
    *at = i;
    *ret_day = known ? civil_to_days(a, b, c) : -1;
    return true;
}

/* "Z", "+02:00", nothing. */
static void read_offset(struct str s, size_t *at, int64_t *ret_minutes)
{
    size_t i = *at;
    int hour, minute;

    *ret_minutes = 0;
    if (read_char(s, at, "Zz") || !read_char(s, &i, "+-"))
        return;
    bool west = s.ptr[i - 1] == '-';
    if (!read_number(s, &i, 2, 2, &hour) || !read_char(s, &i, ":") ||
        !read_number(s, &i, 2, 2, &minute) || hour > 14 || minute > 59)
        return;
    *ret_minutes = (west ? -1 : 1) * (hour * 60 + minute);
    *at = i;
}

/* "14:02", "14:02:33.120", "2:02 PM"; seconds since midnight. */
static bool read_time(struct str s, size_t *at, int64_t *ret_second)
{
    size_t i = *at, half;
    int hour, minute, second = 0, fraction;

    if (!read_number(s, &i, 1, 2, &hour) || !read_char(s, &i, ":") ||
        !read_number(s, &i, 2, 2, &minute))
        return false;
    if (read_char(s, &i, ":") && !read_number(s, &i, 2, 2, &second))
        return false;
    if (i + 1 < s.len && s.ptr[i] == '.' && char_is_digit(s.ptr[i + 1])) {
        i++;
        if (!read_number(s, &i, 1, 9, &fraction))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    half = i;
    if (str_starts(str_slice(s, half, s.len), STR("\xe2\x80\xaf")))
        half += 3;
    else
        read_char(s, &half, " ");
    bool pm = read_char(s, &half, "Pp");
    if ((pm || read_char(s, &half, "Aa")) && read_char(s, &half, "Mm")) {
        if (hour < 1 || hour > 12)
            return false;
        hour = hour % 12 + (pm ? 12 : 0);
        i = half;
    }
    *at = i;
    *ret_second = hour * 3600 + minute * 60 + second;
    return true;
}

size_t stamp_read(struct str line, struct stamp *ret_stamp)
{
    size_t at = 0;
    int64_t day = -1, second = 0, offset = 0;

    if (str_starts(line, STR("\xe2\x80\x8e"))) /* WhatsApp's left-to-right mark */
        at = 3;
    bool bracket = read_char(line, &at, "[");
    bool dated = read_date(line, &at, &day);
    if (dated) {
        read_char(line, &at, ",");
        read_char(line, &at, "Tt ");
    }
    bool timed = read_time(line, &at, &second);
    if (timed)
        read_offset(line, &at, &offset);
    if (!(timed || (dated && bracket)) || (bracket && !read_char(line, &at, "]")))
        return 0;
    bool gap = read_char(line, &at, " ");
    if (gap && at + 1 < line.len && line.ptr[at] == '-' && line.ptr[at + 1] == ' ')
        at += 2;
    if (!gap && !bracket)
        return 0;
    if (day >= 0) {
        int64_t moment = day * 86400 + second - offset * 60;
        day = moment / 86400;
        second = moment % 86400;
    }
    if (dated && day < 0)
        second = -1;
    *ret_stamp = (struct stamp){day, second, !bracket && !dated};
    return at;
}
