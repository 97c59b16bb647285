/* working_days: how many working days lie between two dates. The worked example of docs/tools.md.
 */
#include "agent/tool.h"

#define DAYS_MAX (366 * 20)

/* What the model may send. Theo checks it before run() is called: there are both dates, they are
 * texts of ten characters, and nothing else is there. */
static const char parameters[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"from\",\"to\"],"
    "\"properties\":{"
    "\"from\":{\"type\":\"string\",\"minLength\":10,\"maxLength\":10,"
    "\"description\":\"first day, as 2026-03-02\"},"
    "\"to\":{\"type\":\"string\",\"minLength\":10,\"maxLength\":10,"
    "\"description\":\"last day, counted too\"}}}";

/* What a schema cannot say the tool checks itself. ERR_INVALID with the field goes back to the
 * model, which corrects its call once. */
static int read_day(const struct json *args, const char *name, int64_t *ret_day)
{
    struct str text = json_get_str(args, name);
    int64_t year, month, day;

    if (!str_to_i64(str_slice(text, 0, 4), &year) || !str_to_i64(str_slice(text, 5, 7), &month) ||
        !str_to_i64(str_slice(text, 8, 10), &day) || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        year < 1 || month < 1 || month > 12 || day < 1 ||
        day > civil_days_in_month((int)year, (int)month))
        return err_field(ERR_INVALID, name, "%s must be a date such as 2026-03-02.", name);
    *ret_day = civil_to_days((int)year, (int)month, (int)day);
    return 0;
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    int64_t from, to, count = 0;
    int rc = read_day(call->args, "from", &from);

    if (rc == 0)
        rc = read_day(call->args, "to", &to);
    if (rc < 0)
        return rc;
    if (to < from || to - from > DAYS_MAX)
        return err_field(ERR_INVALID, "to", "to must be after from, by 20 years at most.");
    for (int64_t day = from; day <= to; day++)
        count += (day + 4) % 7 != 0 && (day + 4) % 7 != 6; /* 1970-01-01 was a Thursday */
    /* content is for the model, summary for the people who look at what was done. */
    *ret_result = (struct tool_result){
        .content = str_printf(call->arena, "{\"working_days\":%lld}", (long long)count),
        .summary = str_printf(call->arena, "Counted %lld working days", (long long)count),
        .event = STR(""),
    };
    return 0;
}

const struct tool tool_working_days = {
    .name = "working_days",
    .description = "Count the days from Monday to Friday between two dates, both included. Use it "
                   "whenever somebody asks how many working days something takes; holidays are not "
                   "known to it.",
    .parameters = parameters,
    .effect = TOOL_PURE,
    .timeout_ms = 1000,
    .run = run,
    .calls_max = 10,
    .cache_ms = 3600 * 1000,
};
