/* Errors: a negative code that a caller can act on, and a cause for people.
 *
 * Every function that can fail returns 0 = done, a negative ERR_*, or a positive documented
 * outcome. The cause (file, line, message, and what it wrapped) is kept in the current struct err,
 * which belongs to the fiber (or to the thread outside fibers): the runtime swaps the pointer at
 * each switch. It stays until the next err_set() and is only meaningful right after a failure.
 *
 * Messages are shown to operators and, for ERR_INVALID and its kind, to API callers: they are
 * plain, say the remedy, and hold no secret.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/str.h"

enum {
    ERR_FAILED = -1,        /* anything without a better name; see the message */
    ERR_INVALID = -2,       /* the caller's input is wrong; err field names the place */
    ERR_NOT_FOUND = -3,     /* no such thing */
    ERR_EXISTS = -4,        /* it exists already */
    ERR_CONFLICT = -5,      /* changed by somebody else meanwhile; read again and retry */
    ERR_CANCELLED = -6,     /* the fiber was cancelled: unwind */
    ERR_TIMEOUT = -7,       /* a deadline passed */
    ERR_IO = -8,            /* network, file or peer failure; a retry may help */
    ERR_TOO_LARGE = -9,     /* a limit on size or count was met */
    ERR_DENIED = -10,       /* known, but not allowed */
    ERR_UNAUTHORIZED = -11, /* not known: no, wrong, expired or revoked credential */
    ERR_BUSY = -12,         /* a limit on rate or concurrency; see retry_after_ms */
    ERR_UNAVAILABLE = -13,  /* a dependency is down; a retry later may help */
    ERR_CORRUPT = -14,      /* stored data fails its check; do not retry */
    ERR_FULL = -15,         /* disk or quota full */
    ERR_PROTOCOL = -16,     /* the peer sent something its protocol does not allow */
    ERR_BUDGET = -17,       /* a budget (tokens, money, calls, time) is used up */
};

struct err {
    int code;
    const char *file;
    int line;
    int64_t retry_after_ms; /* for ERR_BUSY and ERR_UNAVAILABLE; 0 unknown */
    char field[64];         /* JSON path or setting that is wrong; "" unknown */
    char message[512];      /* one plain sentence, UTF-8, cut at a code point */
};

/* The current fiber's error. Never NULL. */
struct err *err_get(void);
const char *err_message(void);
const char *err_name(int code); /* "invalid", "not_found", … for logs and problem types */

/* Record the cause and return code. */
#define err_set(code, ...) err_set_at(__FILE__, __LINE__, (code), NULL, __VA_ARGS__)
/* The same for a wrong field of an input. */
#define err_field(code, field, ...) err_set_at(__FILE__, __LINE__, (code), (field), __VA_ARGS__)
/* Put "what: " before the message of the current error; keeps and returns its code. */
#define err_wrap(...) err_wrap_at(__FILE__, __LINE__, __VA_ARGS__)

int err_set_at(const char *file, int line, int code, const char *field, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
int err_wrap_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* For the runtime: make err the current one of this thread, return the former. NULL = the
 * thread's own. */
struct err *err_swap(struct err *err);

#endif
