/* How commands talk to Theo: to a running server (--url and --key), or to the local data folder in
 * this process. Both answer alike, because both go through the same routes.
 */
#ifndef HOST_CALLER_H
#define HOST_CALLER_H

#include "host/boot.h"

struct caller {
    struct boot *boot;
    const char *url; /* NULL: in this process */
    const char *key;
    const char *workspace; /* in this process; NULL: the first one */
    bool new_workspace;    /* it is made when it is missing */
};

#define CALLER_OPTIONS(caller)                                                                     \
    {"url", CLI_STR, &(caller).url, "URL", "Ask the server at URL instead of the data folder."},   \
    {                                                                                              \
        "key", CLI_STR, &(caller).key, "KEY", "API key for --url."                                 \
    }

/* Open what a call needs: the house, unless there is a server to ask; the call may need that there
 * is data (boot_need_data). 0 or ERR_*. */
MUST_CHECK int caller_open(struct caller *caller, struct boot *boot, bool needs_data);
/* 0 whenever there is an answer, whatever its status. On a fiber. Yields. */
MUST_CHECK int caller_call(const struct caller *caller, enum http_method method, struct str path,
    struct str query, struct str body, struct arena *arena, struct api_answer *ret_answer);
/* The same from outside fibers. */
MUST_CHECK int caller_call_now(const struct caller *caller, enum http_method method,
    struct str path, struct str query, struct str body, struct arena *arena,
    struct api_answer *ret_answer);
/* 0 for a 2xx; otherwise the problem on stderr and the exit status it means. */
int caller_status(const struct api_answer *answer, struct arena *arena);

#endif
