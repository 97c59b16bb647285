/* The REST interface: one table of routes (api/routes.c), authentication, limits, idempotency,
 * problem+json. openapi.yaml is its contract.
 */
#ifndef API_API_H
#define API_API_H

#include "agent/run.h"
#include "calendar/calendar.h"
#include "http/server.h"

/* Shared by all loops; counters inside are atomic. */
struct api {
    const struct agent_house *house;
    struct calendar *calendar;
    const char *version;
    int64_t started_ms;
    bool draining;                  /* /readyz says 503; atomic access */
    const char *openapi_json;       /* the contract, built in */
    size_t openapi_json_len;
    char process_id[ULID_LEN + 1];  /* owner of idempotency records */
};

/* The http_handler; ctx is struct api *. Yields. */
void api_handle(struct http_request *req, void *ctx);

#endif
