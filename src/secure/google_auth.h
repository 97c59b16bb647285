/* Access tokens of Google's APIs (OAuth 2), found where Google's own libraries find them:
 * the file that GOOGLE_APPLICATION_CREDENTIALS names (a service account: JWT grant, RFC 7523), then
 * the metadata server of Google Cloud.
 *
 * Tokens are cached per loop and (sub, scopes), asked for by one fiber at a time, and renewed 5
 * minutes before they expire; while renewing fails the old one serves until it expires.
 * Ownership: tokens are copied into the caller's arena.
 */
#ifndef SECURE_GOOGLE_AUTH_H
#define SECURE_GOOGLE_AUTH_H

#include "runtime/loop.h"

/* Where the variables come from: tests give their own. NULL: the process's environment. */
struct google_environment {
    const char *(*get)(void *ctx, const char *name);
    void *ctx;
    const char *metadata_endpoint; /* NULL: http://metadata.google.internal */
};

struct google_auth_request {
    struct str scopes; /* separated by spaces */
    struct str sub;    /* the user to act for (domain-wide delegation); "" for the account itself */
    /* A variable that is set when an emulator is spoken to, which takes the token "owner"; NULL. */
    const char *emulator_variable;
};

/* 0, or ERR_UNAUTHORIZED (no credentials, or refused: says why, clock skew by name), ERR_INVALID
 * (the file), ERR_DENIED (token_uri without https; sub not delegated), ERR_IO, ERR_TIMEOUT,
 * ERR_UNAVAILABLE, ERR_PROTOCOL. On a fiber. Yields. */
MUST_CHECK int google_auth_token(const struct google_environment *environment,
    const struct env *env, const struct google_auth_request *request, struct arena *arena,
    struct str *ret_token);
/* The service refused the token: the next call asks for another. On a fiber. */
void google_auth_forget(void);

#endif
