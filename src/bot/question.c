/* What a person is asked to approve, in words that a person reads: a call with its time in the
 * chat's zone, of other tools each argument on a line. */
#include "bot/private.h"
#include "text/inert.h"

#define VALUE_MAX 200
#define LINES_MAX 12
#define MINUTES_DEFAULT 30

/* Models write the arguments, of what they read: they are shown, and mean nothing. */
static struct str value_text(struct arena *arena, const struct json *value)
{
    struct str text = json_is(value, JSON_STRING) ? json_str(value) : json_text(arena, value);

    return utf8_truncate(inert_line(arena, text), VALUE_MAX);
}

static void write_arguments(
    struct buf *out, struct str tool, const struct json *arguments, struct arena *arena)
{
    size_t lines = 0;

    buf_add_str(out, tool);
    for (const struct json *one = json_first(arguments); one && lines < LINES_MAX;
         one = json_next(one), lines++)
        buf_printf(out, "\n- %.*s: %.*s", STR_ARG(inert_line(arena, json_key(one))),
            STR_ARG(value_text(arena, one)));
    if (json_len(arguments) > lines)
        buf_add_cstr(out, "\n- …");
}

static void write_people(struct buf *out, const struct json *people, struct arena *arena)
{
    const char *between = "\n👥 ";
    size_t count = 0;

    for (const struct json *one = json_first(people); one && count < LINES_MAX;
         one = json_next(one), count++) {
        buf_printf(out, "%s%.*s", between, STR_ARG(value_text(arena, one)));
        between = ", ";
    }
}

/* When the call is to be: as it will stand in the calendar, or in the words that were said. */
static void write_when(
    struct buf *out, const struct json *arguments, const struct zone *zone, struct arena *arena)
{
    struct str words = json_get_str(arguments, "start");
    const struct zone *said = zone_get(json_get_str(arguments, "time_zone"));
    int64_t minutes = json_get_i64(arguments, "duration_minutes", MINUTES_DEFAULT), start, end;

    if (str_empty(words))
        words = json_get_str(arguments, "when");
    if (str_empty(words))
        return;
    if (!rfc3339_parse(words, &start, NULL)) {
        buf_printf(out, "\n%.*s", STR_ARG(utf8_truncate(inert_line(arena, words), VALUE_MAX)));
        if (said)
            buf_printf(out, " (%.*s)", STR_ARG(zone_name(said)));
        return;
    }
    if (!rfc3339_parse(json_get_str(arguments, "end"), &end, NULL))
        end = start + minutes * MINUTE_MS;
    buf_add_char(out, '\n');
    card_time(out, start, end, said ? said : zone, zone, arena);
}

/* Of the event that is to be moved or cancelled: its name, and the time it has now. */
static bool write_event(struct bot *bot, struct buf *out, const struct json *arguments,
    const struct zone *zone, struct arena *arena)
{
    struct str id = json_get_str(arguments, "event_id");
    struct calendar_event event;

    if (str_empty(id) ||
        calendar_get(bot->options.calendar, bot->options.workspace_id, id, arena, &event) < 0)
        return false;
    buf_printf(out, "\n📅 %.*s", STR_ARG(event.summary));
    if (str_is(json_get_str(arguments, "action"), "cancel")) {
        const struct zone *own = zone_get(event.time_zone);

        buf_add_char(out, '\n');
        card_time(out, event.start_ms, event.end_ms, own ? own : zone, zone, arena);
    }
    return true;
}

static void write_call(struct bot *bot, struct buf *out, enum say_language language,
    const struct json *arguments, const struct zone *zone, struct arena *arena)
{
    struct str action = json_get_str(arguments, "action");
    struct str summary = json_get_str(arguments, "summary");

    buf_add_str(out, say(language, str_is(action, "cancel") ? SAY_MAY_CANCEL
                                   : str_is(action, "move") ? SAY_MAY_MOVE
                                                            : SAY_MAY_BOOK));
    if (!write_event(bot, out, arguments, zone, arena) && !str_empty(summary))
        buf_printf(out, "\n📅 %.*s", STR_ARG(utf8_truncate(inert_line(arena, summary), VALUE_MAX)));
    write_when(out, arguments, zone, arena);
    write_people(out, json_get(arguments, "attendees"), arena);
    if (json_get(arguments, "location"))
        buf_printf(out, "\n📍 %.*s", STR_ARG(value_text(arena, json_get(arguments, "location"))));
}

struct str question_text(struct bot *bot, const struct run_approval *approval,
    const struct zone *zone, enum say_language language, struct arena *arena)
{
    struct buf out = BUF_IN(arena), lines = BUF_IN(arena);
    const struct json *arguments = NULL;

    if (str_is(approval->tool, APPROVAL_REVIEW) ||
        json_parse(arena, approval->arguments, &arguments) < 0)
        return say_with(arena, language, SAY_MAY_I, approval->summary);
    if (str_is(approval->tool, "schedule")) {
        write_call(bot, &out, language, arguments, zone, arena);
        return buf_str(&out);
    }
    write_arguments(&lines, approval->tool, arguments, arena);
    return say_with(arena, language, SAY_MAY_I, buf_str(&lines));
}

struct str question_of(struct bot *bot, const struct approval_row *row, const struct zone *zone,
    enum say_language language, struct arena *arena)
{
    struct run_approval approval = {
        .tool = row->tool, .summary = row->summary, .arguments = row->arguments};

    return question_text(bot, &approval, zone, language, arena);
}
