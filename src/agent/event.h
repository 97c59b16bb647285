/* The event log of a run: the one truth. What is streamed to a client, stored, counted, exported
 * and replayed are the same events.
 *
 * Types: run.started, speak.decided, model.started, model.delta (streamed, not stored),
 * model.completed, model.failed, tool.started, tool.completed, effect.intended, effect.done,
 * budget.exceeded, run.completed, run.failed, run.cancelled. Payloads are JSON objects; seq counts
 * from 1 within the run.
 */
#ifndef AGENT_EVENT_H
#define AGENT_EVENT_H

#include "base/buf.h"

struct run_event {
    int64_t seq;
    const char *type;
    int64_t at_ms;
    struct str data; /* JSON object */
};

/* Receives events as they happen, on the run's fiber; may yield. Non-zero cancels the run. */
typedef int run_sink(const struct run_event *event, void *ctx);

#endif
