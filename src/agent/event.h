/* The event log of a run: the one truth. What is streamed to a client, stored, counted, exported
 * and replayed are the same events.
 *
 * Types: run.started, speak.decided, model.started, model.delta (streamed, not stored),
 * model.completed, model.failed, tool.started, tool.completed, effect.intended, effect.done,
 * budget.exceeded, guard.applied, guard.flagged, guard.blocked, member.started, member.completed
 * (of a team or workflow), step.started, step.completed (of a workflow), run.completed, run.failed,
 * run.cancelled, run.interrupted (by who found the run after a crash), evaluation.completed (behind
 * the run's end). Payloads are JSON objects; seq counts from 1 within the run, and is 0 for what is
 * not stored. After model.failed the deltas of that model call are void.
 *
 * Stored form: JSON arrays of consecutive events, as
 * [{"seq":1,"type":"run.started","at":"2026-03-02T09:00:00.000Z","data":{…}}, …]: those up to each
 * effect in an agent_actions row, under the seq of its first one, and the last in the run's own
 * row, where run.completed has null for data: it is the row's result. Only the run's own fiber uses
 * its log. Everything lives in the run's arena.
 */
#ifndef AGENT_EVENT_H
#define AGENT_EVENT_H

#include "base/buf.h"
#include "base/env.h"

struct agent_action_row;

struct run_event {
    int64_t seq;
    const char *type;
    int64_t at_ms;
    struct str data; /* JSON object */
};

/* Receives events as they happen, on the run's fiber; may yield. Non-zero cancels the run. */
typedef int run_sink(const struct run_event *event, void *ctx);

struct event_log {
    const struct env *env;
    struct arena *arena;
    run_sink *sink;
    void *sink_ctx;
    int64_t last_seq;
    struct buf pending;     /* JSON array without its end: events that are not stored yet */
    int64_t pending_first;  /* seq of the first of them; 0: none */
    struct run_event first; /* that event, and where its text ends in pending */
    size_t first_end;
    struct run_event *held;
    size_t held_count, held_capacity;
    bool holding;
};

void event_log_init(struct event_log *log, const struct env *env, struct arena *arena,
    run_sink *sink, void *sink_ctx);

/* Record an event. data must stay until it is stored and delivered. 0, or what the sink returned.
 * Yields when the sink does. */
MUST_CHECK int event_record(struct event_log *log, const char *type, struct str data);
/* The same, stored with other data: the reader of the rows has what stands there elsewhere. */
int event_record_as(struct event_log *log, const char *type, struct str data, struct str stored);
/* Deliver an event that is not kept. */
MUST_CHECK int event_stream(struct event_log *log, const char *type, struct str data);

/* Between hold and release events are recorded but not shown, until what they tell of is stored:
 * the run and its input, or its answer. */
void event_log_hold(struct event_log *log);
MUST_CHECK int event_log_release(struct event_log *log);
/* Forget events recorded since event_log_hold() that were never stored. */
void event_log_restart(struct event_log *log);
/* Forget those recorded since the mark, none of which was stored or shown. */
struct event_mark {
    size_t len, held_count;
    int64_t last_seq;
};
struct event_mark event_log_mark(const struct event_log *log);
void event_log_back(struct event_log *log, struct event_mark mark);
/* Give the first event that is not stored other data; nobody was shown it. Marks are void. */
void event_log_amend(struct event_log *log, struct str data);

/* The row that stores what is pending; false when nothing is. It borrows the log's memory until
 * the next event. event_log_stored() after its commit. */
bool event_log_row(struct event_log *log, struct str workspace_id, struct str run_id,
    struct agent_action_row *ret_row);
void event_log_stored(struct event_log *log);

/* The number of the first event of a stored array, or of its last. 0: none. */
int64_t event_seq_of(struct str events, bool last, struct arena *arena);
/* A stored array ("": none) with one more event. */
struct str event_append(struct arena *arena, struct str events, const struct run_event *event);

#endif
