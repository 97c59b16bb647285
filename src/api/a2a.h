/* Theo as an A2A agent (Agent2Agent protocol 1.0, JSON-RPC binding): its card, and POST /a2a.
 *
 * A message becomes a run, the run is the task: the task's id is the run's, the context's id the
 * session's. a2a.c is the door and knows the methods, a2a_task.c writes tasks in the form of 1.0 or
 * of 0.3, a2a_run.c runs and streams. docs/a2a.md describes it for users.
 */
#ifndef API_A2A_H
#define API_A2A_H

#include "api/exchange.h"
#include "api/mcp.h"

#define A2A_TASK_NOT_FOUND (-32001)
#define A2A_NOT_CANCELABLE (-32002)
#define A2A_NO_PUSH (-32003)
#define A2A_UNSUPPORTED (-32004)
#define A2A_NO_EXTENDED_CARD (-32007)
#define A2A_VERSION (-32009)

enum a2a_state {
    A2A_WORKING,
    A2A_COMPLETED,
    A2A_FAILED,
    A2A_CANCELED,
    A2A_REJECTED,
    A2A_INPUT /* it waits for people */
};

/* What is known of a task when it is written. */
struct a2a_task {
    struct str id, context_id;
    enum a2a_state state;
    struct str text; /* the reply, or what went wrong */
    struct str data; /* the run's result, JSON; may be empty */
    int64_t at_ms;
};

int a2a_card(struct exchange *x);
int a2a_post(struct exchange *x);

/* a2a_task.c: as text in arena. old: the form of 0.3. */
struct str a2a_task_json(struct exchange *x, const struct a2a_task *task, bool old);
struct str a2a_status_json(struct exchange *x, const struct a2a_task *task, bool old);
struct str a2a_artifact_json(struct exchange *x, const struct a2a_task *task, bool old);
void a2a_task_of_result(struct exchange *x, struct str result, struct a2a_task *ret_task);

/* a2a_run.c: answer message/send or message/stream, or fail with ERR_*. Yields. */
MUST_CHECK int a2a_run(
    struct exchange *x, const struct rpc_message *message, bool old, bool stream);

#endif
