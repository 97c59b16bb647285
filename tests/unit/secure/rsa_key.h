/* RSA keys made on the spot, for tests of what signs with them. */
#ifndef TEST_RSA_KEY_H
#define TEST_RSA_KEY_H

#include "base/buf.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>

struct rsa_key {
    EVP_PKEY *key;
    struct str pem; /* PKCS#8 */
};

static inline struct str rsa_key_pem(struct arena *arena, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;
    struct str pem;

    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    len = BIO_get_mem_data(bio, &text);
    pem = str_dup(arena, (struct str){text, (size_t)len});
    BIO_free(bio);
    return pem;
}

static inline struct rsa_key rsa_key_new(struct arena *arena, unsigned bits)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);

    return (struct rsa_key){key, rsa_key_pem(arena, key)};
}

static inline void rsa_key_free(struct rsa_key *key)
{
    EVP_PKEY_free(key->key);
}

/* Up to the first byte that is no base64url. */
static inline struct str base64url_text(struct arena *arena, struct str text)
{
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    sodium_base642bin(bytes, text.len, text.ptr, text.len, NULL, &len, &(const char *){NULL},
        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return (struct str){(const char *)bytes, len};
}

static inline bool rsa_key_verifies(const struct rsa_key *key, struct str token)
{
    ptrdiff_t dot = str_rfind_char(token, '.');
    struct arena arena;
    struct str signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok;

    arena_init(&arena);
    signature = base64url_text(&arena, str_slice(token, (size_t)dot + 1, token.len));
    ok = dot > 0 && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->key) == 1 &&
         EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr, signature.len,
             (const unsigned char *)token.ptr, (size_t)dot) == 1;
    EVP_MD_CTX_free(ctx);
    arena_deinit(&arena);
    return ok;
}

#endif
