/* Theo as an A2A agent (Agent2Agent protocol 1.0): its card, and its two doors, POST /a2a for
 * JSON-RPC, also in the names and forms of 0.3, and /a2a/… for the HTTP+JSON binding.
 *
 * A message becomes a run, the run is the task: the task's id is the run's, the context's id the
 * session's. a2a.c is the door for JSON-RPC and knows the methods, a2a_http.c is the other door,
 * a2a_card.c writes the card, a2a_refuse.c refusals, a2a_task.c tasks; a2a_run.c runs and streams.
 * docs/a2a.md describes it for users.
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

/* How a caller speaks, and is answered. */
enum a2a_form { A2A_RPC, A2A_RPC_OLD /* 0.3 */, A2A_HTTP };

struct a2a_call {
    enum a2a_form form;
    const struct json *id;     /* of the JSON-RPC request; NULL: none */
    const struct json *params; /* or the body of an HTTP call */
    struct str task_id;        /* of methods on a task */
};

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

/* a2a_http.c */
int a2a_http_send(struct exchange *x);
int a2a_http_stream(struct exchange *x);
int a2a_http_get(struct exchange *x);
int a2a_http_cancel(struct exchange *x);
/* The version of A2A that the caller names is spoken here, by this form. */
bool a2a_version_known(const struct exchange *x, enum a2a_form form);

/* a2a.c: the methods. 0 when the call is answered. Each yields. */
int a2a_send(struct exchange *x, const struct a2a_call *call);
int a2a_stream(struct exchange *x, const struct a2a_call *call);
int a2a_get_task(struct exchange *x, const struct a2a_call *call);
int a2a_cancel_task(struct exchange *x, const struct a2a_call *call);

/* a2a_refuse.c: answer with an error of A2A or JSON-RPC, in the form of the call; returns 0. */
int a2a_refuse(struct exchange *x, const struct a2a_call *call, int64_t code, const char *message);
/* rc as such an error, where there is one; else rc, a problem of HTTP. */
int a2a_refuse_rc(struct exchange *x, const struct a2a_call *call, int rc);
/* Answer with a message of JSON: application/json, or as HTTP+JSON calls it. */
void a2a_answer(struct exchange *x, const struct a2a_call *call, int status, const struct buf *out);

/* a2a_task.c: as text in arena. old: the form of 0.3. */
struct str a2a_task_json(struct exchange *x, const struct a2a_task *task, bool old);
struct str a2a_status_json(struct exchange *x, const struct a2a_task *task, bool old);
struct str a2a_artifact_json(struct exchange *x, const struct a2a_task *task, bool old);
void a2a_task_of_result(struct exchange *x, struct str result, struct a2a_task *ret_task);

/* a2a_run.c: answer message/send or message/stream, or fail with ERR_*. Yields. */
MUST_CHECK int a2a_run(struct exchange *x, const struct a2a_call *call, bool stream);

#endif
