/* Host names to addresses, for the HTTP client: getaddrinfo on a worker thread, one look-up at a
 * time per name (others wait for it), answers kept for 60 s.
 *
 * A waiting caller can be cancelled at once: the look-up runs on a fiber of its own. Belongs to one
 * loop. Private to src/http.
 */
#ifndef HTTP_RESOLVE_H
#define HTTP_RESOLVE_H

#include "base/buf.h"
#include "runtime/loop.h"

struct resolver;

struct resolver *resolver_new(struct loop *loop);
void resolver_free(struct resolver *resolver); /* no look-up may be under way */

/* Numeric addresses of host, comma-separated, IPv6 in brackets (the form of CURLOPT_RESOLVE); in
 * arena. 0, ERR_IO (no such name, resolver down), ERR_DENIED when public_only and one of them is
 * private, ERR_TIMEOUT or ERR_CANCELLED. Yields. */
MUST_CHECK int resolver_lookup(struct resolver *resolver, struct str host, bool public_only,
    int64_t deadline_ms, struct arena *arena, struct str *ret_addresses);

/* What "getaddrinfo" is; tests replace it. Runs on a worker thread: 0, or ERR_IO with a message. */
typedef int resolve_fn(const char *host, struct buf *ret_addresses);
void resolver_set_source(struct resolver *resolver, resolve_fn *source);

/* The one that http_send() on this loop uses. */
struct resolver *http_client_resolver(struct loop *loop);

#endif
