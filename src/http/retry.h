/* Attempts at a call that may be repeated, with a pause before each but the first: exponential with
 * full jitter, so that callers who failed together do not come back together (AWS Architecture
 * Blog, "Exponential Backoff And Jitter").
 *
 *     struct retry retry = retry_begin(env, &policy);
 *     while (retry_next(&retry, &rc)) { rc = …; if (done or final) break; }
 */
#ifndef HTTP_RETRY_H
#define HTTP_RETRY_H

#include "base/env.h"

struct retry_policy {
    int attempts;
    int64_t first_ms, most_ms; /* longest pause before the second attempt, and before any */
    int64_t deadline_ms;       /* no attempt begins later than this after the first */
};

struct retry {
    const struct env *env;
    struct retry_policy policy;
    int made;
    bool stopped; /* a pause was ended from outside */
    int64_t until_ms;
};

struct retry retry_begin(const struct env *env, const struct retry_policy *policy);
/* Pause if need be. False when there is to be no further attempt: *rc is then as it was, or
 * ERR_CANCELLED and the like when the pause was ended. On a fiber. Yields. */
MUST_CHECK bool retry_next(struct retry *retry, int *rc);
/* One pause, as before attempt number `made` (from 1). Yields. */
MUST_CHECK int retry_pause(const struct env *env, const struct retry_policy *policy, int made);

#endif
