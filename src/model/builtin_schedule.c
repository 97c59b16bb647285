/* Meetings: the time the chat has settled on, as a call of the schedule tool. */
#include "model/builtin.h"

#define DEFAULT_MINUTES 30

static bool is_booking(const struct model_message *m)
{
    return m->role == MODEL_ASSISTANT &&
           (str_starts(m->content, STR("Booked: ")) || str_starts(m->content, STR("Moved: ")));
}

/* Where the talk about this meeting starts: behind the last one that was booked. */
static size_t talk_start(const struct builtin_turn *turn, size_t *ret_booked)
{
    for (size_t i = turn->last; i-- > turn->window;) {
        if (!is_booking(&turn->request->messages[i]))
            continue;
        *ret_booked = i;
        return i + 1;
    }
    *ret_booked = SIZE_MAX;
    return turn->window;
}

/* Returns how many phrases of time people said. */
static size_t read_talk(const struct builtin_turn *turn, size_t from, struct when_plan *plan)
{
    size_t counted = 0;

    for (size_t i = from; i <= turn->last; i++) {
        const struct model_message *m = &turn->request->messages[i];

        if (m->role == MODEL_USER)
            counted += when_plan_add(
                plan, m->content, m->at_ms ? m->at_ms : turn->request->scene.now_ms, turn->zone);
    }
    return counted;
}

/* The id of the event of the last schedule result in the request; empty when there is none. */
static struct str last_event_id(const struct builtin_turn *turn)
{
    for (size_t i = turn->last; i-- > 0;) {
        const struct model_message *m = &turn->request->messages[i];
        const struct json *root;

        if (m->role == MODEL_TOOL && str_is(m->tool_name, "schedule") &&
            json_parse(turn->arena, m->content, &root) == 0)
            return json_str(json_path(root, "event.id"));
    }
    return STR("");
}

static void ask(
    struct builtin_turn *turn, const struct when_plan *plan, const struct when *when, bool move)
{
    struct arena *arena = turn->arena;
    const struct zone *zone = plan->zone ? plan->zone : turn->zone;

    if (plan->ambiguous) {
        buf_add_cstr(&turn->answer, "Which time should I take? Two are named.");
    } else if (plan->impossible) {
        buf_add_cstr(
            &turn->answer, "That date or time does not exist. Which day and time is meant?");
    } else if (when && when->kind == WHEN_DATE) {
        struct str day = when_format(arena, when->start_ms, 0, zone);
        ptrdiff_t comma = str_find_char(day, ',', 0);

        buf_printf(&turn->answer, "What time on %.*s suits you?",
            STR_ARG(str_slice(day, 0, comma > 0 ? (size_t)comma : day.len)));
    } else if (when) {
        struct str day = when_format(arena, when->start_ms, 0, zone);
        ptrdiff_t comma = str_find_char(day, ',', 0);

        buf_printf(&turn->answer, "Which day should it be at%.*s?",
            STR_ARG(str_slice(day, (size_t)(comma + 1), day.len)));
    } else {
        buf_printf(&turn->answer, "What day and time should I %s, and for how long?",
            move ? "move it to" : "book");
    }
}

static void write_attendees(struct builtin_turn *turn, struct json_writer *w)
{
    const struct builtin_names *people = builtin_attendees(turn);

    json_name(w, "attendees");
    json_array_begin(w);
    for (size_t i = 0; i < people->count; i++)
        json_put_str(w, people->names[i]);
    json_array_end(w);
}

static void call_without_time(struct builtin_turn *turn, const char *action)
{
    struct buf out = BUF_IN(turn->arena);
    struct json_writer w;
    struct str id = last_event_id(turn);

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "action", action);
    if (id.len > 0)
        json_str_member(&w, "event_id", id);
    json_object_end(&w);
    builtin_call(turn, "schedule", buf_str(&out));
}

static void call_with_time(struct builtin_turn *turn, bool move, const struct when *when,
    const struct zone *zone, int64_t minutes)
{
    struct buf out = BUF_IN(turn->arena);
    struct json_writer w;
    struct str id = move ? last_event_id(turn) : STR("");

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "action", move ? "move" : "book");
    if (id.len > 0)
        json_str_member(&w, "event_id", id);
    if (!move)
        json_str_member(&w, "summary", builtin_title(turn));
    json_str_member(&w, "start", rfc3339(turn->arena, when->start_ms));
    if (minutes > 0)
        json_i64_member(&w, "duration_minutes", minutes);
    json_str_member(&w, "time_zone", zone_name(zone));
    if (!move)
        write_attendees(turn, &w);
    json_object_end(&w);
    builtin_call(turn, "schedule", buf_str(&out));
}

static void no_calendar(struct builtin_turn *turn, const struct when *when, const struct zone *zone)
{
    struct str at = when_format(turn->arena, when->start_ms, when->end_ms, zone);

    buf_printf(&turn->answer,
        "I understand %.*s, but no calendar is offered to me here, so nothing is booked.",
        STR_ARG(at));
}

static void book_or_move(struct builtin_turn *turn, bool move)
{
    struct when_plan plan = {.end = -1};
    size_t booked, from = talk_start(turn, &booked), counted;
    const struct zone *zone;
    struct when when;
    int64_t minutes = 0;
    int rc;

    if (move && booked != SIZE_MAX) { /* what is not said anew stays as it was booked */
        when_plan_add(&plan, turn->request->messages[booked].content, turn->request->scene.now_ms,
            turn->zone);
        if (plan.end > plan.second)
            plan.duration_min = (plan.end - plan.second) / 60;
        minutes = plan.duration_min;
        plan.end = -1;
    }
    counted = read_talk(turn, from, &plan);
    rc = when_plan_settle(&plan, turn->request->scene.now_ms, turn->zone, &when);
    zone = plan.zone ? plan.zone : turn->zone;
    if (move && counted == 0)
        rc = ERR_NOT_FOUND; /* no new time was said */
    if (rc != 0 || when.kind == WHEN_DATE || when.kind == WHEN_TIME) {
        ask(turn, &plan, rc == 0 ? &when : NULL, move);
        return;
    }
    if (when.end_ms > when.start_ms)
        minutes = (when.end_ms - when.start_ms) / MINUTE_MS;
    else if (plan.duration_min > 0)
        minutes = plan.duration_min;
    if (!builtin_offers(turn, "schedule")) {
        no_calendar(turn, &when, zone);
        return;
    }
    call_with_time(turn, move, &when, zone, minutes ? minutes : move ? 0 : DEFAULT_MINUTES);
}

void builtin_schedule(struct builtin_turn *turn, enum builtin_intent intent)
{
    if (intent == INTENT_BOOK || intent == INTENT_MOVE)
        book_or_move(turn, intent == INTENT_MOVE);
    else if (!builtin_offers(turn, "schedule"))
        buf_add_cstr(
            &turn->answer, "No calendar is offered to me here, so I cannot look or change.");
    else
        call_without_time(turn, intent == INTENT_CANCEL ? "cancel" : "list");
}
