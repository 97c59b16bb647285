/* One request on its way through the interface, and the answer being made for it.
 *
 * A route's handler returns 0 with its answer filled, or a negative ERR_* whose cause becomes a
 * problem (api/problem.c). It never writes to the connection itself, except a streaming one, which
 * sets answer.sent. That keeps idempotency, headers and errors in one place. Everything lives in
 * the request's arena.
 */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "api/api.h"
#include "store/api_keys.h"

#define ANSWER_HEADERS_MAX 8

struct answer {
    int status;
    const char *content_type;
    struct str body;
    struct http_header headers[ANSWER_HEADERS_MAX];
    size_t header_count;
    struct str run_id;    /* of a chat: a replay reads the answer from that run */
    struct str keep_body; /* stored for replays instead of body, when body holds a secret */
    bool sent;            /* it was streamed already */
    int failure; /* told inside an answer of status 200 (JSON-RPC): ERR_*, for a repeat; 0: none */
};

struct exchange {
    struct http_request *req;
    struct api *api;
    struct arena *arena;
    const struct env *env;
    struct store *store;
    const struct route *route;
    struct api_identity who;
    bool known;           /* who is valid */
    bool local;           /* a call from inside the process */
    struct str workspace; /* of who */
    struct str params[2]; /* {…} parts of the path */
    const struct json *body;
    bool malformed;                      /* ERR_INVALID means 400 rather than 422 */
    struct idempotency_row *idempotency; /* what api/idempotency.c holds; NULL: nothing */
    struct str seed;                     /* the same over repeats; empty without Idempotency-Key */
    struct answer answer;
};

typedef int route_handler(struct exchange *x);

enum route_flags {
    ROUTE_OPEN = 1,       /* needs no key */
    ROUTE_BODY = 2,       /* has a JSON object as body */
    ROUTE_EMPTY_BODY = 8, /* an empty body means {} */
    ROUTE_TOKEN = 16,     /* without a key the handler looks for a token in the body */
    ROUTE_LOOPBACK = 4,   /* needs no key from a loopback peer that is no proxy */
};

struct route {
    enum http_method method;
    const char *pattern; /* "/api/runs/{id}" */
    const char *scopes;  /* any of these; NULL: any valid key */
    route_handler *handler;
    unsigned flags;
};

/* The table, ended by a row without pattern; the contract test compares it with openapi.yaml. */
extern const struct route api_routes[];

void answer_header(struct answer *answer, const char *name, struct str value);
/* A JSON answer from what was written into out. */
void answer_json(struct answer *answer, int status, const struct buf *out);

/* api/access.c: who is it, may he, how often. 0 or ERR_UNAUTHORIZED, ERR_DENIED, ERR_BUSY. */
MUST_CHECK int access_check(struct exchange *x);
/* The connection is from this machine: of somebody on it, or of a proxy. */
bool access_is_loopback(const struct http_request *req);
/* From this machine, and not by a proxy on it. */
bool access_is_local(const struct http_request *req);

/* api/failures.c: wrong keys and tokens by the client's address. Asked before a secret is looked up
 * in the store: 0, or ERR_BUSY after too many wrong ones. A key that is right by what this process
 * remembers passes always; key is empty for other secrets. */
MUST_CHECK int failures_check(const struct exchange *x, struct str key);
/* One more wrong secret. */
void failures_note(const struct exchange *x);

/* api/rate.c: one bounded table of buckets, shared by the loops. A key is any number but 0. */
struct rate_state {
    int64_t limit, remaining, reset_s, retry_after_ms;
    bool allowed;
};
struct rate_table *rate_table_new(void);
void rate_table_free(struct rate_table *table);
/* Count one more if it may be. */
struct rate_state rate_take(
    struct rate_table *table, uint64_t key, int64_t per_minute, int64_t now_ms);
/* For what is counted when it has happened: how many ms until one more may be (0: it may be now),
 * and counting it. What happened beyond the limit is waited for too, up to an hour. */
int64_t rate_wait(struct rate_table *table, uint64_t key, int64_t per_minute, int64_t now_ms);
void rate_charge(struct rate_table *table, uint64_t key, int64_t per_minute, int64_t now_ms);

/* api/body.c: reading what the caller sent. All set field and return ERR_INVALID. */
struct body_field {
    const char *name;
    enum json_type type;
    size_t max; /* bytes of a string, members of an array; 0: no limit of its own */
};
MUST_CHECK int body_parse(struct exchange *x);
MUST_CHECK int body_check(const struct json *body, const struct body_field *fields, size_t count);
bool body_has(const struct json *body, const char *name); /* present and not null */
/* A whole number within bounds, or otherwise when absent. */
MUST_CHECK int body_i64(const struct json *body, const char *name, int64_t min, int64_t max,
    int64_t otherwise, int64_t *ret_value);
MUST_CHECK int body_time(const struct json *body, const char *name, int64_t *ret_ms);
MUST_CHECK int query_i64(struct exchange *x, const char *name, int64_t min, int64_t max,
    int64_t otherwise, int64_t *ret_value);
MUST_CHECK int query_time(struct exchange *x, const char *name, int64_t otherwise, int64_t *ret_ms);
struct str query_str(struct exchange *x, const char *name); /* ptr NULL and "" if absent */
/* Which of the choices it is (NULL ends them); *ret_index stays as it was when it is absent. */
MUST_CHECK int query_choice(
    struct exchange *x, const char *name, const char *const *choices, int *ret_index);
/* The media type stands in Accept. */
bool accepts(const struct exchange *x, const char *media_type);

/* api/problem.c */
/* Make the answer a problem for code and the current error. */
void problem_answer(struct exchange *x, int code);
/* The same object as text, for a stream that began already. */
struct str problem_json(struct exchange *x, int code);
void problem_write(struct exchange *x, int status, const char *name, struct str detail);
int problem_page(struct exchange *x); /* GET /problems/{name} */

/* api/idempotency.c */
enum { IDEMPOTENCY_REPLAYED = 16 /* the answer is filled from the first time */ };
MUST_CHECK int idempotency_begin(struct exchange *x);
/* Is the process that holds the row at its end, or past the time that any work takes? */
bool idempotency_is_left(const struct exchange *x, const struct idempotency_row *row);
/* Keep the answer, or give the key free when code or the status says that nothing was done. A
 * streaming handler calls it itself before its last event; the second call does nothing. */
void idempotency_end(struct exchange *x, int code);

/* Write helpers. */
void write_time(struct json_writer *w, const char *name, int64_t ms); /* 0 writes null */

/* A page of a list: {NAME: [rows], "next_cursor": …}. Between the two the caller writes the rows of
 * the page that it wants shown. limit: when the request has none. listing_open() begins the text
 * alone, for who reads the rows himself and sets page.cursor. listing_end() returns 0. Begin
 * yields. */
struct listing {
    struct store_page page;
    struct buf out;
    struct json_writer w;
};
void listing_open(struct exchange *x, const char *name, struct listing *listing);
MUST_CHECK int listing_begin(struct exchange *x, struct store_query *query, const char *name,
    int64_t limit, struct listing *listing);
int listing_end(struct exchange *x, struct listing *listing);
void write_opt(struct json_writer *w, const char *name, struct str value); /* "" writes null */

int chat_post(struct exchange *x);
/* One more run at once, if that may be: 0 or ERR_UNAVAILABLE. After 0 comes chat_leave(). */
MUST_CHECK int chat_enter(struct exchange *x);
void chat_leave(struct exchange *x);
/* A chat that was answered before, in the form (JSON or stream) that is asked for now. */
void chat_replay(struct exchange *x);
int schedule_post(struct exchange *x);
int schedule_list(struct exchange *x);
int schedule_get(struct exchange *x);
int schedule_patch(struct exchange *x);
int schedule_delete(struct exchange *x);
int availability_post(struct exchange *x);
int config_get(struct exchange *x);
int health_get(struct exchange *x);
int ready_get(struct exchange *x);
int metrics_get(struct exchange *x);
int openapi_get(struct exchange *x);
int docs_get(struct exchange *x);
int keys_create(struct exchange *x);
int keys_list(struct exchange *x);
int keys_rotate(struct exchange *x);
int keys_revoke(struct exchange *x);
int whoami_get(struct exchange *x);
int sessions_list(struct exchange *x);
int sessions_get(struct exchange *x);
int sessions_messages(struct exchange *x);
int sessions_delete(struct exchange *x);
int runs_get(struct exchange *x);
/* The members of a run without its events, into an object that the caller opened. */
void run_write(struct json_writer *w, const struct run_row *run);
int runs_list(struct exchange *x);
int runs_events(struct exchange *x);
int runs_cancel(struct exchange *x);
int runs_continue(struct exchange *x);
int runs_fork(struct exchange *x);
int agents_list(struct exchange *x);
int agents_get(struct exchange *x);
int teams_list(struct exchange *x);
int teams_get(struct exchange *x);
int workflows_list(struct exchange *x);
int workflows_get(struct exchange *x);
int approvals_list(struct exchange *x);
int approvals_get(struct exchange *x);
int approvals_decide(struct exchange *x);
int memories_post(struct exchange *x);
int memories_list(struct exchange *x);
int memories_get(struct exchange *x);
int memories_patch(struct exchange *x);
int memories_delete(struct exchange *x);
int telegram_post(struct exchange *x);

#endif
