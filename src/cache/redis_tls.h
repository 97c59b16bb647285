/* TLS to Redis (rediss://) by OpenSSL, over memory: bytes of the network in and out, the socket is
 * somebody else's. 1.2 and up; the certificate must be trusted and name the host. Nothing yields.
 */
#ifndef CACHE_REDIS_TLS_H
#define CACHE_REDIS_TLS_H

#include "base/buf.h"
#include "base/err.h"

struct redis_tls_context; /* shared by all connections, of any thread */
struct redis_tls;

/* ca_file: PEM of the authorities to trust; empty: the system's. 0 or ERR_INVALID. */
MUST_CHECK int redis_tls_context_new(const char *ca_file, struct redis_tls_context **ret_context);
void redis_tls_context_free(struct redis_tls_context *context); /* NULL is allowed */

/* A session with host, whose first bytes are added to out. 0 or ERR_UNAVAILABLE. */
MUST_CHECK int redis_tls_new(struct redis_tls_context *context, const char *host, struct buf *out,
    struct redis_tls **ret_tls);
void redis_tls_free(struct redis_tls *tls);        /* NULL is allowed */
bool redis_tls_ready(const struct redis_tls *tls); /* the handshake is done */

/* Bytes came from the network: what they say is added to plain, what must be sent to out. 0, or
 * ERR_UNAVAILABLE with the cause and the remedy. */
MUST_CHECK int redis_tls_receive(
    struct redis_tls *tls, struct str bytes, struct buf *plain, struct buf *out);
/* Once ready. 0 or ERR_UNAVAILABLE. */
MUST_CHECK int redis_tls_send(struct redis_tls *tls, struct str plain, struct buf *out);

#endif
