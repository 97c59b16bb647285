#include "http/client.h"
#include "http/tls.h"
#include "peer.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct files {
    char *cert, *key;
};

/* A self-signed P-256 certificate for name, written to the test's folder. */
static struct files make_cert(struct test *t, const char *name)
{
    struct files files = {
        str_cstr(t->arena, str_printf(t->arena, "%s/%s.crt", test_dir(t), name)),
        str_cstr(t->arena, str_printf(t->arena, "%s/%s.key", test_dir(t), name)),
    };
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    FILE *file;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    file = fopen(files.cert, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(files.key, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return files;
}

/* A TLS client on a raw socket. */
struct client {
    struct peer peer;
    SSL_CTX *ctx;
    SSL *ssl;
};

static bool again(struct client *client, int result)
{
    int error = SSL_get_error(client->ssl, result);

    return result <= 0 && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) &&
           fiber_sleep(1) == 0;
}

static bool connect_client(
    struct test *t, struct client *client, int port, int version, const char *alpn)
{
    int rc;

    client->peer = peer_connect(t, port);
    fcntl(client->peer.fd, F_SETFL, O_NONBLOCK);
    client->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(client->ctx, version);
    SSL_CTX_set_min_proto_version(client->ctx, 0);
    SSL_CTX_set_security_level(client->ctx, 0);
    client->ssl = SSL_new(client->ctx);
    SSL_set_fd(client->ssl, client->peer.fd);
    SSL_set_connect_state(client->ssl);
    if (alpn)
        SSL_set_alpn_protos(client->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    do {
        ERR_clear_error();
        rc = SSL_do_handshake(client->ssl);
    } while (again(client, rc));
    return rc == 1;
}

static void close_client(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    peer_close(&client->peer);
}

static bool send_tls(struct client *client, struct str bytes)
{
    int rc;

    do {
        ERR_clear_error();
        rc = SSL_write(client->ssl, bytes.ptr, (int)bytes.len);
    } while (again(client, rc));
    return rc == (int)bytes.len;
}

static bool await_tls(struct client *client, const char *text)
{
    struct buf *got = &client->peer.got;

    while (str_find(buf_str(got), str_from(text), 0) < 0) {
        int rc;
        ERR_clear_error();
        rc = SSL_read(client->ssl, buf_reserve(got, 16 * KIB), 16 * KIB);
        if (rc > 0)
            got->len += (size_t)rc;
        else if (!again(client, rc))
            return false;
    }
    return true;
}

static void echo(struct http_request *req, void *ctx)
{
    bool *tls = ctx;

    *tls = req->tls;
    if (str_is(req->path, "/wait")) {
        *tls = fiber_park(FIBER_NO_DEADLINE) == ERR_CANCELLED;
        return;
    }
    http_respond(req, 200, "text/plain", NULL, 0, req->body.len ? req->body : STR("hello"));
}

static bool start(
    struct test *t, const struct files *files, bool *tls, struct http_server **ret_server)
{
    struct http_server_options options;

    http_server_options_init(&options);
    options.port = 0;
    options.tls_cert = files->cert;
    options.tls_key = files->key;
    return EXPECT_OK(http_server_start(fiber_loop(), &options, echo, tls, ret_server));
}

TEST(requests_over_tls)
{
    struct files files = make_cert(t, "one");
    struct http_server *server;
    struct client client;
    struct buf request = BUF_IN(t->arena);
    const unsigned char *protocol;
    unsigned len;
    bool tls = false;

    REQUIRE(start(t, &files, &tls, &server));
    REQUIRE(
        connect_client(t, &client, http_server_port(server), TLS1_3_VERSION, "\x02h2\x08http/1.1"));
    SSL_get0_alpn_selected(client.ssl, &protocol, &len);
    EXPECT_STR(((struct str){(const char *)protocol, len}), "http/1.1");
    EXPECT(send_tls(&client, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT(await_tls(&client, "\r\n\r\nhello"));
    EXPECT(tls);
    /* Larger than several records, and pipelined in one write. */
    buf_add_cstr(&request, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
    memset(buf_reserve(&request, 100000), 'y', 100000);
    request.len += 100000;
    buf_add_cstr(&request, "!GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    buf_clear(&client.peer.got);
    EXPECT(send_tls(&client, buf_str(&request)));
    EXPECT(await_tls(&client, "yyyyy!"));
    EXPECT(await_tls(&client, "\r\n\r\nhello"));
    close_client(&client);
    http_server_stop(server);
}

/* libcurl sends such a body by a callback: it arrives whole. */
TEST(a_request_that_is_sent_once_over_tls)
{
    struct files files = make_cert(t, "localhost");
    struct http_client_options options = {.ca_file = files.cert};
    struct buf body = BUF_IN(t->arena);
    struct http_server *server;
    struct http_reply reply;
    struct http_call call = {.method = HTTP_POST, .flags = HTTP_ONCE};
    bool tls = false;

    REQUIRE(start(t, &files, &tls, &server));
    http_client_configure(fiber_loop(), &options);
    for (int i = 0; i < 20000; i++)
        buf_printf(&body, "%05d", i);
    call.body = buf_str(&body);
    call.url = str_printf(t->arena, "https://localhost:%d/", http_server_port(server));
    for (int i = 0; i < 2; i++) {
        REQUIRE_OK(http_send(t->arena, &call, &reply));
        EXPECT(reply.sent && tls);
        EXPECT(str_eq(reply.body, call.body));
    }
    http_server_stop(server);
    /* The first may find out on the kept connection, the second has none. */
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT_EQ(http_send(t->arena, &call, &reply), ERR_IO);
    EXPECT(!reply.sent);
}

TEST(a_tls_client_that_leaves_cancels_its_handler)
{
    struct files files = make_cert(t, "one");
    struct http_server *server;
    struct client client;
    bool cancelled = false;

    REQUIRE(start(t, &files, &cancelled, &server));
    REQUIRE(connect_client(t, &client, http_server_port(server), TLS1_2_VERSION, NULL));
    EXPECT(send_tls(&client, STR("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (http_server_active(server) == 0)
        REQUIRE_OK(fiber_sleep(1));
    SSL_shutdown(client.ssl);
    close_client(&client);
    while (http_server_connections(server) > 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT(cancelled);
    http_server_stop(server);
}

TEST(old_versions_other_protocols_and_plain_text_are_refused)
{
    struct files files = make_cert(t, "one");
    struct http_server *server;
    struct client client;
    struct peer plain;
    bool tls = false;

    REQUIRE(start(t, &files, &tls, &server));
    EXPECT(!connect_client(t, &client, http_server_port(server), TLS1_1_VERSION, NULL));
    close_client(&client);
    EXPECT(!connect_client(t, &client, http_server_port(server), TLS1_3_VERSION, "\x02h2"));
    close_client(&client);
    plain = peer_connect(t, http_server_port(server));
    EXPECT(peer_send(&plain, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT(!str_starts(peer_rest(&plain), STR("HTTP/")));
    peer_close(&plain);
    EXPECT(!tls);
    http_server_stop(server);
}

static void expect_name(struct test *t, struct http_server *server, const char *name)
{
    struct client client;
    char common[64] = "";

    REQUIRE(connect_client(t, &client, http_server_port(server), TLS1_3_VERSION, NULL));
    X509 *cert = SSL_get1_peer_certificate(client.ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, common, sizeof(common));
    X509_free(cert);
    EXPECT_CSTR(common, name);
    close_client(&client);
}

TEST(reload_takes_the_new_certificate_or_keeps_the_old)
{
    struct files files = make_cert(t, "one"), other = make_cert(t, "two");
    struct http_server *server;
    bool tls = false;

    REQUIRE(start(t, &files, &tls, &server));
    expect_name(t, server, "one");
    EXPECT_EQ(rename(other.cert, files.cert), 0);
    EXPECT_EQ(http_server_reload_tls(server), ERR_INVALID); /* the key is still the old one's */
    expect_name(t, server, "one");
    EXPECT_EQ(rename(other.key, files.key), 0);
    EXPECT_OK(http_server_reload_tls(server));
    expect_name(t, server, "two");
    http_server_stop(server);
}

TEST(files_that_are_wrong_are_named)
{
    struct files files = make_cert(t, "one");
    struct tls_context *context;

    EXPECT_EQ(tls_context_new("/nowhere/x.crt", files.key, &context), ERR_INVALID);
    EXPECT(strstr(err_message(), "/nowhere/x.crt"));
    EXPECT_EQ(tls_context_new(files.cert, files.cert, &context), ERR_INVALID);
    EXPECT(strstr(err_message(), "one.crt"));
}
