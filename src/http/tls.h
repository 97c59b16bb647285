/* Server-side TLS by OpenSSL on non-blocking sockets: 1.2 and up, ALPN http/1.1.
 *
 * Nothing here yields: a call that must wait for the socket says so by its outcome and is made
 * again. A context is one certificate and key; sessions keep the context they began with alive, so
 * a reload does not disturb them.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "base/str.h"

struct tls_context;
struct tls_session;

enum { TLS_WANT_READ = 1, TLS_WANT_WRITE = 2, TLS_CLOSED = 3 };

/* 0, or ERR_INVALID with a message that names the file. */
MUST_CHECK int tls_context_new(
    const char *cert_file, const char *key_file, struct tls_context **ret_context);
void tls_context_free(struct tls_context *context);

MUST_CHECK int tls_session_new(
    struct tls_context *context, int fd, struct tls_session **ret_session);
void tls_session_free(struct tls_session *session); /* not the socket */

/* 0, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED (the peer ended the stream) or ERR_IO. */
MUST_CHECK int tls_handshake(struct tls_session *session);
MUST_CHECK int tls_read(struct tls_session *session, char *bytes, size_t cap, size_t *ret_len);
MUST_CHECK int tls_write(
    struct tls_session *session, const char *bytes, size_t len, size_t *ret_len);
bool tls_pending(struct tls_session *session); /* bytes came that tls_read() did not give yet */
/* Send close_notify if the socket takes it. */
void tls_shutdown(struct tls_session *session);

#endif
