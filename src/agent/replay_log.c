/* Logs: reading what is stored of a run, and finding where two of them differ. */
#include "agent/replay_private.h"

#define PAGE 1000
#define SHOWN 400 /* bytes of a value in a report */

static int add_events(struct log_events *log, size_t *capacity, struct str text, struct str result,
    struct arena *arena)
{
    const struct json *root;

    if (str_empty(text))
        return 0;
    if (json_parse(arena, text, &root) < 0 || !json_is(root, JSON_ARRAY))
        return err_set(ERR_CORRUPT, "The events of this run are not readable.");
    for (const struct json *one = json_first(root); one; one = json_next(one)) {
        struct log_event event = {
            json_get_i64(one, "seq", 0), json_get_str(one, "type"), json_get(one, "data")};

        if (str_is(event.type, "evaluation.completed"))
            continue; /* made of the run, not by it */
        if (log->count == *capacity) {
            log->events = arena_grow(arena, log->events, *capacity * sizeof(event),
                (*capacity * 2 + 16) * sizeof(event));
            *capacity = *capacity * 2 + 16;
        }
        /* The result stands in the run's row once. */
        if (str_is(event.type, "run.completed") && !json_is(event.data, JSON_OBJECT) &&
            json_parse(arena, result, &event.data) < 0)
            return err_set(ERR_CORRUPT, "The result of this run is not readable.");
        log->events[log->count++] = event;
    }
    return 0;
}

int replay_read_log(
    struct store *store, const struct run_row *run, struct arena *arena, struct log_events *ret_log)
{
    struct store_query query = {.entity = STORE_AGENT_ACTIONS,
        .workspace_id = run->workspace_id,
        .index = STORE_CHILDREN,
        .value = run->id,
        .limit = PAGE,
        .cursor = STR("")};
    struct log_events log = {0};
    struct store_page page;
    size_t capacity = 0;
    int rc;

    do {
        rc = store_list(store, &query, arena, &page);
        for (size_t i = 0; rc == 0 && i < page.count; i++)
            rc = add_events(&log, &capacity, ((const struct agent_action_row *)page.rows)[i].events,
                run->result, arena);
        query.cursor = page.cursor;
    } while (rc == 0 && !str_empty(page.cursor));
    if (rc == 0)
        rc = add_events(&log, &capacity, run->events, run->result, arena);
    if (rc == 0)
        *ret_log = log;
    return rc;
}

/* Times and prices are not the run's doing, and what is recorded is not told to anybody. */
static bool is_left_out(struct str name)
{
    return str_is(name, "latency_ms") || str_is(name, "expires_at") || str_is(name, "cost_usd") ||
           str_is(name, "record");
}

struct comparison {
    struct arena *arena;
    struct str field, expected, got; /* the first difference */
};

static struct str shown(struct comparison *c, const struct json *node)
{
    struct str text;

    if (!node)
        return STR("nothing");
    text = json_text(c->arena, node);
    if (text.len <= SHOWN)
        return text;
    return str_printf(c->arena, "%.*s…", STR_ARG(utf8_truncate(text, SHOWN)));
}

static bool differ(
    struct comparison *c, struct str path, const struct json *expected, const struct json *got)
{
    c->field = path;
    c->expected = shown(c, expected);
    c->got = shown(c, got);
    return false;
}

static const struct json *member(const struct json *object, struct str key)
{
    for (const struct json *one = json_first(object); one; one = json_next(one))
        if (str_eq(json_key(one), key))
            return one;
    return NULL;
}

static bool same(
    struct comparison *c, struct str path, const struct json *expected, const struct json *got);

static bool same_objects(
    struct comparison *c, struct str path, const struct json *expected, const struct json *got)
{
    for (const struct json *one = json_first(expected); one; one = json_next(one)) {
        struct str key = json_key(one);

        if (!is_left_out(key) &&
            !same(c, str_printf(c->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(key)), one,
                member(got, key)))
            return false;
    }
    for (const struct json *one = json_first(got); one; one = json_next(one)) {
        struct str key = json_key(one);

        if (!is_left_out(key) && !member(expected, key))
            return differ(
                c, str_printf(c->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(key)), NULL, one);
    }
    return true;
}

static bool same_arrays(
    struct comparison *c, struct str path, const struct json *expected, const struct json *got)
{
    const struct json *other = json_first(got);
    size_t i = 0;

    for (const struct json *one = json_first(expected); one || other; i++) {
        struct str place = str_printf(c->arena, "%.*s[%zu]", STR_ARG(path), i);

        if (!one || !other)
            return differ(c, place, one, other);
        if (!same(c, place, one, other))
            return false;
        one = json_next(one);
        other = json_next(other);
    }
    return true;
}

/* Ids are made anew: where one is recorded any will do. */
static bool same_strings(const struct json *expected, const struct json *got)
{
    struct str a = json_str(expected), b = json_str(got);

    return str_eq(a, b) || (ulid_valid(a) && ulid_valid(b));
}

static bool same(
    struct comparison *c, struct str path, const struct json *expected, const struct json *got)
{
    bool equal = true;

    if (!expected || !got || json_type(expected) != json_type(got))
        return expected == got || differ(c, path, expected, got);
    switch (json_type(expected)) {
    case JSON_OBJECT:
        return same_objects(c, path, expected, got);
    case JSON_ARRAY:
        return same_arrays(c, path, expected, got);
    case JSON_STRING:
        equal = same_strings(expected, got);
        break;
    case JSON_NUMBER:
        equal = json_double(expected, 0) == json_double(got, 0);
        break;
    case JSON_BOOL:
        equal = json_bool(expected, false) == json_bool(got, false);
        break;
    case JSON_NULL:
        break;
    }
    return equal || differ(c, path, expected, got);
}

static bool same_events(
    struct comparison *c, const struct log_event *expected, const struct log_event *got)
{
    if (!str_eq(expected->type, got->type)) {
        c->field = STR("type");
        c->expected = expected->type;
        c->got = got->type;
        return false;
    }
    return same(c, STR("data"), expected->data, got->data);
}

static struct str reason_for(struct str field)
{
    if (str_is(field, "data.prompt"))
        return STR("what was sent to the model is not what it was: instructions, the chat's "
                   "history or memory, or the words of a tool's result changed");
    if (str_is(field, "data.model"))
        return STR("the configured models are others than then");
    if (str_is(field, "data.rule") || str_is(field, "data.outcome"))
        return STR("the policy is another than then");
    return STR("");
}

static void note(struct replay_report *report, struct replay_difference difference)
{
    if (report->differences++ == 0)
        report->difference = difference;
}

/* What is missing or too many, without looking at the order. */
static void compare_unordered(const struct log_events *recorded, const struct log_events *got,
    struct arena *arena, struct replay_report *report)
{
    struct comparison c = {.arena = arena};
    bool *taken = arena_array(arena, bool, got->count);

    for (size_t i = 0; i < recorded->count; i++) {
        size_t k = 0;

        while (
            k < got->count && (taken[k] || !same_events(&c, &recorded->events[i], &got->events[k])))
            k++;
        if (k < got->count)
            taken[k] = true;
        else
            note(report, (struct replay_difference){.seq = recorded->events[i].seq,
                             .type = recorded->events[i].type,
                             .expected = shown(&c, recorded->events[i].data),
                             .got = STR("no such event")});
    }
    for (size_t k = 0; k < got->count; k++)
        if (!taken[k])
            note(report, (struct replay_difference){.type = got->events[k].type,
                             .expected = STR("no such event"),
                             .got = shown(&c, got->events[k].data)});
}

static void compare_in_order(const struct log_events *recorded, const struct log_events *got,
    struct arena *arena, struct replay_report *report)
{
    struct comparison c = {.arena = arena};

    for (size_t i = 0; i < MAX(recorded->count, got->count); i++) {
        if (i >= recorded->count)
            note(report, (struct replay_difference){.type = got->events[i].type,
                             .expected = STR("the end of the log"),
                             .got = shown(&c, got->events[i].data)});
        else if (i >= got->count)
            note(report, (struct replay_difference){.seq = recorded->events[i].seq,
                             .type = recorded->events[i].type,
                             .expected = shown(&c, recorded->events[i].data),
                             .got = STR("the end of the replay")});
        else if (!same_events(&c, &recorded->events[i], &got->events[i]))
            note(report, (struct replay_difference){.seq = recorded->events[i].seq,
                             .type = recorded->events[i].type,
                             .field = c.field,
                             .expected = c.expected,
                             .got = c.got,
                             .why = reason_for(c.field)});
    }
}

static bool has_members(const struct log_events *log)
{
    for (size_t i = 0; i < log->count; i++)
        if (str_is(log->events[i].type, "member.started"))
            return true;
    return false;
}

void replay_compare(const struct log_events *recorded, const struct log_events *got,
    struct arena *arena, struct replay_report *report)
{
    struct log_events log = *got;
    struct replay_report unordered;

    if (report->cut)
        log.count = MIN(log.count, recorded->count);
    report->events = recorded->count;
    unordered = *report;
    compare_in_order(recorded, &log, arena, report);
    if (report->differences > 0 && !report->cut && has_members(recorded)) {
        compare_unordered(recorded, &log, arena, &unordered);
        if (unordered.differences == 0) {
            *report = unordered;
            report->reordered = true;
        }
    }
    report->identical = report->differences == 0;
}
