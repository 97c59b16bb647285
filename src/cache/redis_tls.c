#include "cache/redis_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define STEP_BYTES 4096

struct redis_tls_context {
    SSL_CTX *ctx;
};

struct redis_tls {
    SSL *ssl;
    BIO *in, *out; /* the session's */
    char *host;
    bool ready;
};

int redis_tls_context_new(const char *ca_file, struct redis_tls_context **ret_context)
{
    struct redis_tls_context *context;
    SSL_CTX *ctx;
    int rc;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return err_set(ERR_FAILED, "OpenSSL cannot make a TLS context");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    rc = ca_file[0] ? SSL_CTX_load_verify_locations(ctx, ca_file, NULL)
                    : SSL_CTX_set_default_verify_paths(ctx);
    if (rc != 1) {
        SSL_CTX_free(ctx);
        return err_field(ERR_INVALID, "tls.ca-file",
            "tls.ca-file: %s holds no certificates that can be read", ca_file);
    }
    context = xcalloc(1, sizeof(*context));
    context->ctx = ctx;
    *ret_context = context;
    return 0;
}

void redis_tls_context_free(struct redis_tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ctx);
    free(context);
}

static bool name_host(SSL *ssl, const char *host)
{
    unsigned char address[16];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static void collect(struct redis_tls *tls, struct buf *out)
{
    int count;

    do {
        count = BIO_read(tls->out, buf_reserve(out, STEP_BYTES), STEP_BYTES);
        if (count > 0)
            out->len += (size_t)count;
    } while (count > 0);
}

static int broken(struct redis_tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);

    if (!tls->ready && verdict != X509_V_OK)
        return err_set(ERR_UNAVAILABLE,
            "the certificate of Redis at %s is not accepted (%s): put its authority into "
            "tls.ca-file, or name the host in redis.url as the certificate does",
            tls->host, X509_verify_cert_error_string(verdict));
    if (!tls->ready)
        return err_set(ERR_UNAVAILABLE,
            "Redis at %s does not agree on TLS: is it a TLS port (otherwise use redis://), and "
            "does it want no client certificate (tls-auth-clients no)?",
            tls->host);
    return err_set(ERR_UNAVAILABLE, "Redis at %s ended TLS", tls->host);
}

/* 0 when more bytes are needed or it is done. */
static int handshake(struct redis_tls *tls)
{
    int rc, why;

    ERR_clear_error();
    rc = SSL_do_handshake(tls->ssl);
    if (rc == 1) {
        tls->ready = true;
        return 0;
    }
    why = SSL_get_error(tls->ssl, rc);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : broken(tls);
}

int redis_tls_new(struct redis_tls_context *context, const char *host, struct buf *out,
    struct redis_tls **ret_tls)
{
    struct redis_tls *tls = xcalloc(1, sizeof(*tls));
    int rc;

    ERR_clear_error();
    tls->host = xstrdup(host);
    tls->ssl = SSL_new(context->ctx);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        fputs("theo: out of memory for TLS\n", stderr);
        abort();
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    rc = name_host(tls->ssl, host) ? handshake(tls) : broken(tls);
    if (rc < 0) {
        redis_tls_free(tls);
        return rc;
    }
    collect(tls, out);
    *ret_tls = tls;
    return 0;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls->host);
    free(tls);
}

bool redis_tls_ready(const struct redis_tls *tls)
{
    return tls->ready;
}

static int read_plain(struct redis_tls *tls, struct buf *plain)
{
    int count, why;

    for (;;) {
        ERR_clear_error();
        count = SSL_read(tls->ssl, buf_reserve(plain, STEP_BYTES), STEP_BYTES);
        if (count <= 0)
            break;
        plain->len += (size_t)count;
    }
    why = SSL_get_error(tls->ssl, count);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : broken(tls);
}

int redis_tls_receive(struct redis_tls *tls, struct str bytes, struct buf *plain, struct buf *out)
{
    int rc = 0;

    if (BIO_write(tls->in, bytes.ptr, (int)bytes.len) != (int)bytes.len)
        return broken(tls);
    if (!tls->ready)
        rc = handshake(tls);
    if (rc == 0 && tls->ready)
        rc = read_plain(tls, plain);
    collect(tls, out);
    return rc;
}

int redis_tls_send(struct redis_tls *tls, struct str plain, struct buf *out)
{
    ERR_clear_error();
    if (plain.len > 0 && SSL_write(tls->ssl, plain.ptr, (int)plain.len) != (int)plain.len)
        return broken(tls);
    collect(tls, out);
    return 0;
}
