#include "http/tls.h"

#include "base/err.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

/* Both names are only for the reader: the objects are OpenSSL's. */
static SSL_CTX *ctx_of(struct tls_context *context)
{
    return (SSL_CTX *)context;
}

static SSL *ssl_of(struct tls_session *session)
{
    return (SSL *)session;
}

/* Clients that offer ALPN without http/1.1 are refused: they would speak HTTP/2 at us. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
    const unsigned char *offered, unsigned offered_len, void *arg)
{
    static const unsigned char http11[] = "\x08http/1.1";
    unsigned char *name;

    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&name, ret_len, http11, sizeof(http11) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

/* A file that cannot be opened is the first of several errors; the later ones only say that. */
static const char *reason(void)
{
    unsigned long first = ERR_peek_error();
    const char *text = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                               : ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "unknown error";
}

static int load(SSL_CTX *ctx, const char *cert_file, const char *key_file)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return err_set(ERR_INVALID,
            "cannot read the certificate chain %s (%s); tls.cert must "
            "name a PEM file",
            cert_file, reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return err_set(ERR_INVALID,
            "cannot use the private key %s (%s); tls.key must name the "
            "PEM file that belongs to tls.cert",
            key_file, reason());
    return 0;
}

int tls_context_new(const char *cert_file, const char *key_file, struct tls_context **ret_context)
{
    SSL_CTX *ctx;
    int rc;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return err_set(ERR_FAILED, "cannot start TLS: %s", reason());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(
        ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    rc = load(ctx, cert_file, key_file);
    if (rc != 0) {
        SSL_CTX_free(ctx);
        return rc;
    }
    /* OpenSSL writes to sockets by write(2), which has no MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    *ret_context = (struct tls_context *)ctx;
    return 0;
}

void tls_context_free(struct tls_context *context)
{
    SSL_CTX_free(ctx_of(context));
}

int tls_session_new(struct tls_context *context, int fd, struct tls_session **ret_session)
{
    SSL *ssl;

    ERR_clear_error();
    ssl = SSL_new(ctx_of(context));
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return err_set(ERR_FAILED, "cannot start a TLS session: %s", reason());
    }
    SSL_set_accept_state(ssl);
    *ret_session = (struct tls_session *)ssl;
    return 0;
}

void tls_session_free(struct tls_session *session)
{
    ERR_clear_error();
    SSL_free(ssl_of(session));
}

static int outcome(SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_NONE:
        return 0;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return err_set(ERR_IO, "TLS failed: %s", reason());
    }
}

int tls_handshake(struct tls_session *session)
{
    ERR_clear_error();
    return outcome(ssl_of(session), SSL_do_handshake(ssl_of(session)));
}

int tls_read(struct tls_session *session, char *bytes, size_t cap, size_t *ret_len)
{
    ERR_clear_error();
    return outcome(ssl_of(session), SSL_read_ex(ssl_of(session), bytes, cap, ret_len));
}

int tls_write(struct tls_session *session, const char *bytes, size_t len, size_t *ret_len)
{
    ERR_clear_error();
    return outcome(ssl_of(session), SSL_write_ex(ssl_of(session), bytes, len, ret_len));
}

bool tls_pending(struct tls_session *session)
{
    return SSL_has_pending(ssl_of(session)) == 1;
}

void tls_shutdown(struct tls_session *session)
{
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_of(session)))
        SSL_shutdown(ssl_of(session));
}
