#include "agent/event.h"

#include "base/json.h"
#include "store/store.h"

void event_log_init(struct event_log *log, const struct env *env, struct arena *arena,
    run_sink *sink, void *sink_ctx)
{
    *log = (struct event_log){
        .env = env,
        .arena = arena,
        .sink = sink,
        .sink_ctx = sink_ctx,
        .pending = BUF_IN(arena),
    };
}

static void write_event(struct buf *out, const struct run_event *event)
{
    char at[RFC3339_LEN + 1];
    struct json_writer w;

    rfc3339_format(event->at_ms, at);
    json_init(&w, out);
    json_object_begin(&w);
    json_i64_member(&w, "seq", event->seq);
    json_cstr_member(&w, "type", event->type);
    json_cstr_member(&w, "at", at);
    json_raw_member(&w, "data", event->data);
    json_object_end(&w);
}

static void append(struct event_log *log, const struct run_event *event)
{
    bool first = !log->pending_first;

    buf_add_char(&log->pending, first ? '[' : ',');
    write_event(&log->pending, event);
    if (first) {
        log->pending_first = event->seq;
        log->first = *event;
        log->first_end = log->pending.len;
    }
}

static void hold(struct event_log *log, const struct run_event *event)
{
    if (log->held_count == log->held_capacity) {
        size_t capacity = log->held_capacity ? log->held_capacity * 2 : 8;

        log->held = arena_grow(log->arena, log->held, log->held_capacity * sizeof(*log->held),
            capacity * sizeof(*log->held));
        log->held_capacity = capacity;
    }
    log->held[log->held_count++] = *event;
}

int event_record(struct event_log *log, const char *type, struct str data)
{
    return event_record_as(log, type, data, data);
}

int event_record_as(struct event_log *log, const char *type, struct str data, struct str stored)
{
    struct run_event event = {
        .seq = ++log->last_seq,
        .type = type,
        .at_ms = env_wall_ms(log->env),
        .data = stored,
    };

    append(log, &event);
    event.data = data;
    if (!log->sink)
        return 0;
    if (log->holding) {
        hold(log, &event);
        return 0;
    }
    return log->sink(&event, log->sink_ctx);
}

int event_stream(struct event_log *log, const char *type, struct str data)
{
    struct run_event event = {.type = type, .at_ms = env_wall_ms(log->env), .data = data};

    return log->sink ? log->sink(&event, log->sink_ctx) : 0;
}

void event_log_hold(struct event_log *log)
{
    log->holding = true;
}

int event_log_release(struct event_log *log)
{
    int rc = 0;

    log->holding = false;
    for (size_t i = 0; i < log->held_count && rc == 0; i++)
        rc = log->sink(&log->held[i], log->sink_ctx);
    log->held_count = 0;
    return rc;
}

void event_log_restart(struct event_log *log)
{
    if (log->pending_first)
        log->last_seq = log->pending_first - 1;
    log->held_count = 0;
    event_log_stored(log);
}

struct event_mark event_log_mark(const struct event_log *log)
{
    return (struct event_mark){log->pending.len, log->held_count, log->last_seq};
}

void event_log_back(struct event_log *log, struct event_mark mark)
{
    log->pending.len = mark.len;
    log->held_count = mark.held_count;
    log->last_seq = mark.last_seq;
    if (mark.len == 0)
        event_log_stored(log);
}

void event_log_amend(struct event_log *log, struct str data)
{
    struct run_event first = log->first;
    struct str rest;

    if (!log->pending_first)
        return;
    rest = str_dup(log->arena, str_slice(buf_str(&log->pending), log->first_end, log->pending.len));
    first.data = data;
    event_log_stored(log);
    append(log, &first);
    buf_add_str(&log->pending, rest);
}

bool event_log_row(struct event_log *log, struct str workspace_id, struct str run_id,
    struct agent_action_row *ret_row)
{
    if (!log->pending_first)
        return false;
    /* The array's end is written behind the text but not counted: the next event overwrites it. */
    buf_add_char(&log->pending, ']');
    *ret_row = (struct agent_action_row){
        .workspace_id = workspace_id,
        .run_id = run_id,
        .seq = log->pending_first,
        .events = buf_str(&log->pending),
        .created_at = env_wall_ms(log->env),
    };
    log->pending.len--;
    return true;
}

void event_log_stored(struct event_log *log)
{
    buf_clear(&log->pending);
    log->pending_first = 0;
}

int64_t event_seq_of(struct str events, bool last, struct arena *arena)
{
    const struct json *root;

    if (str_empty(events) || json_parse(arena, events, &root) < 0)
        return 0;
    return json_get_i64(last ? json_at(root, json_len(root) - 1) : json_first(root), "seq", 0);
}

struct str event_append(struct arena *arena, struct str events, const struct run_event *event)
{
    struct buf out = BUF_IN(arena);

    events = str_trim(events);
    if (events.len > 2)
        buf_add_str(&out, str_slice(events, 0, events.len - 1));
    buf_add_char(&out, events.len > 2 ? ',' : '[');
    write_event(&out, event);
    buf_add_char(&out, ']');
    return buf_str(&out);
}
