/* AWS credentials, found where AWS puts them, in this order: the environment (AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), web identity (AWS_WEB_IDENTITY_TOKEN_FILE with
 * AWS_ROLE_ARN, exchanged at STS), the container's agent (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or
 * _FULL_URI), and the instance metadata service, version 2.
 *
 * Temporary credentials are cached per loop, asked for by one fiber at a time, and renewed 15
 * minutes before they expire; while renewing fails the old ones serve until they expire.
 */
#ifndef SECURE_AWS_CREDENTIALS_H
#define SECURE_AWS_CREDENTIALS_H

#include "runtime/loop.h"
#include "secure/sigv4.h"

/* Where the variables come from: tests give their own. NULL: the process's environment. */
struct aws_environment {
    const char *(*get)(void *ctx, const char *name);
    void *ctx;
    const char *imds_endpoint;      /* NULL: http://169.254.169.254 */
    const char *container_endpoint; /* NULL: http://169.254.170.2 */
};

/* 0, or ERR_UNAUTHORIZED (none found), ERR_INVALID (a variable), ERR_DENIED (a host that may not be
 * asked, or STS refused), ERR_IO and ERR_TIMEOUT with what was asked. The strings are copied into
 * arena. On a fiber. Yields. */
MUST_CHECK int aws_credentials_get(const struct aws_environment *environment, const struct env *env,
    struct arena *arena, struct aws_credentials *ret_credentials);
/* The service said that they expired: the next call asks again. On a fiber. */
void aws_credentials_forget(void);

#endif
