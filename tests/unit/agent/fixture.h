/* What the tests of this room share: a house with a memory store, models that follow a script, and
 * tools that count what they do. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "agent/run.h"
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "test.h"

struct fixture;

/* One answer of a scripted model; call counts from 0. */
typedef int script(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *ret_reply, enum model_error *ret_error);

struct fixture {
    struct test *t;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct model *models[2]; /* "fake" and "spare" */
    script *scripts[2];
    int calls[2];
    struct agent_house house;
    struct transcript chat; /* what model_text() saw last: roles and contents */
    int booked;             /* effects of the tool "book" */
    int book_calls;
    struct str keys[64]; /* their idempotency keys */
    int slow_running, slow_most;
    bool fetch_untrusted;   /* what "fetch" reads is other people's */
    int wired;              /* effects of the tool "wire", which honours no key */
    int wire_rc;            /* what it comes back with */
    const char *tool_fault; /* errinj spec set while "book" or "wire" runs */
    struct buf seen;        /* event types, one a line */
};

bool fixture_open(struct test *t, struct fixture *f, script *first, script *second);
void fixture_close(struct fixture *f);

struct run_request fixture_request(struct fixture *f, const char *chat);
int fixture_run(
    struct fixture *f, const struct run_request *request, struct run_result *ret_result);
/* Events stored for a run, as one JSON array. */
const struct json *fixture_events(struct fixture *f, struct str run_id);
size_t fixture_count_events(const struct json *events, const char *type);
/* Stored messages of a session as "author: body" lines. */
struct str fixture_messages(struct fixture *f, struct str session_id);
/* Rows of STORE_RUNS of a session in that state; NULL: any. */
size_t fixture_runs(struct fixture *f, struct str session_id, const char *state);

int reply_text(struct model_reply *reply, const char *text);
int reply_calls(struct arena *arena, struct model_reply *reply, const char *name, const char *args,
    size_t count);
int model_fails(enum model_error *ret_error, enum model_error error);
/* What a member was asked to do; ptr NULL when it is no member's request. */
struct str task_of(const struct model_request *request);
/* Content of the last message that the model was given. */
struct str last_content(const struct model_request *request);

#endif
