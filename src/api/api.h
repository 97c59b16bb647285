/* The REST interface: one table of routes (api/routes.c), authentication, limits, idempotency,
 * problem+json. openapi.yaml is its contract.
 *
 * One struct api serves every loop of the process: everything in it is immutable after api_init()
 * but for the counters, which are atomic.
 */
#ifndef API_API_H
#define API_API_H

#include "agent/run.h"
#include "calendar/calendar.h"
#include "http/server.h"

struct cache;
struct channel;
struct channel_update;
struct mcp_calls;
struct rate_table;

/* Shared by all loops; counters inside are atomic. */
struct api {
    const struct agent_house *house;
    struct calendar *calendar;
    const char *version;
    int64_t started_ms;
    bool draining;            /* /readyz says 503; atomic access */
    bool sole_at_start;       /* no other server used this store when this one started */
    const char *openapi_json; /* the contract, built in */
    size_t openapi_json_len;
    char process_id[ULID_LEN + 1]; /* owner of idempotency records */
    struct rate_table *rates;      /* requests of keys */
    struct rate_table *failures;   /* wrong keys and tokens of addresses */
    struct mcp_calls *mcp_calls;   /* that run now, to be cancelled by name */
    struct cache *cache;           /* counters shared with other processes; NULL: none */
    struct channel *channel;       /* whose webhook is here; NULL: none */
    int (*receive)(void *ctx, const struct channel_update *update, struct str payload);
    void *receive_ctx;
    int64_t runs_in_flight;            /* atomic access */
    int64_t (*connections)(void *ctx); /* open client connections; may be NULL */
    void *connections_ctx;
};

/* Fill api for a house; the caller may then set cache, sole_at_start and
 * connections. */
void api_init(struct api *api, const struct agent_house *house, struct calendar *calendar,
    const char *version);
void api_deinit(struct api *api);

/* The http_handler; ctx is struct api *. Yields. */
void api_handle(struct http_request *req, void *ctx);

/* One call from inside the process, by whoever may use the data folder (the command line): the same
 * routes, checks and answers, without a key, limits or a connection. query and body may be empty.
 * The strings of the answer live in arena. Yields. */
struct api_answer {
    int status;
    const char *content_type; /* NULL without a body */
    struct str body;
};
void api_local(struct api *api, enum http_method method, struct str path, struct str query,
    struct str body, struct str workspace_id, struct arena *arena, struct api_answer *ret_answer);

/* Forget idempotency records of a workspace that are past their time. Yields. */
MUST_CHECK int api_purge(struct api *api, struct str workspace_id, size_t *ret_count);

/* Go on with paused runs whose process died, and end those whose approvals expired. Yields. */
MUST_CHECK int api_sweep(struct api *api, struct str workspace_id, size_t *ret_count);

/* End the runs of this process that were cancelled through another one, in every workspace that has
 * any: 0, or the last failure. Yields. */
MUST_CHECK int api_cancel_noted(struct api *api);

#endif
