/* libcurl's multi interface on a loop: sockets by uv_poll, one timer, transfers of many fibers.
 *
 * multi_socket_action is never called from inside one of libcurl's own callbacks: a timer of 0 ms
 * only sets a flag, and what was started is driven on afterwards. Sockets of kept-alive connections
 * stay polled between calls, which saves two system calls each. Private to src/http.
 */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include "runtime/loop.h"

#include <curl/curl.h>

struct multi;

/* How a transfer's fiber learns about it. Lives on that fiber's stack until multi_end(). */
struct multi_wait {
    struct fiber *fiber;
    bool parked;
    bool done;
    CURLcode result;
};

/* NULL when libcurl cannot be set up. The first call in the process initialises libcurl. */
struct multi *multi_new(struct loop *loop, size_t max_connections);
void multi_free(struct multi *multi); /* after every easy handle was cleaned up */

/* Options that each easy handle used here needs. */
void multi_prepare(struct multi *multi, CURL *easy);
/* To be called from the open-socket callback with each new socket. */
void multi_opened(struct multi *multi, curl_socket_t fd);
/* Start; wait->done is set, and its fiber woken, when the transfer ended. 0 or ERR_FAILED. Does not
 * yield, but may call the handle's callbacks. */
MUST_CHECK int multi_begin(struct multi *multi, CURL *easy, struct multi_wait *wait);
/* Take the handle back; a transfer under way is broken off. */
void multi_end(struct multi *multi, CURL *easy);
/* Let a paused transfer go on. May call the write callback. */
void multi_resume(struct multi *multi, CURL *easy);
/* Wake the fiber if it waits in multi_park(): for the transfer's callbacks. */
void multi_notify(struct multi_wait *wait);
/* Wait for a notification. As fiber_park(). Yields. */
MUST_CHECK int multi_park(struct multi_wait *wait, int64_t deadline_ms);

#endif
