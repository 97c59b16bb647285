#include "secure/jwt.h"

#include "base/json.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

#define RSA_BITS_MIN 2048

static void add_base64url(struct buf *out, const void *bytes, size_t len)
{
    size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *place = buf_reserve(out, size);

    sodium_bin2base64(place, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->len += size - 1;
}

static int read_key(struct str pem, EVP_PKEY **ret_key)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key;

    ERR_clear_error();
    key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    BIO_free(bio);
    if (!key)
        return err_set(ERR_INVALID, "The private key is no PEM text of an unencrypted key.");
    if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
        EVP_PKEY_free(key);
        return err_set(ERR_INVALID,
            "The private key is no RSA key of %d bits or more: RS256 needs one.", RSA_BITS_MIN);
    }
    *ret_key = key;
    return 0;
}

static bool add_signature(struct buf *out, EVP_PKEY *key)
{
    struct str message = buf_str(out);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[2048]; /* RSA of 16,384 bits, the most that OpenSSL works with */
    size_t len = sizeof(signature);
    bool ok;

    ERR_clear_error();
    ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
         EVP_DigestSign(ctx, signature, &len, (const unsigned char *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return false;
    buf_add_char(out, '.');
    add_base64url(out, signature, len);
    return true;
}

int jwt_sign_rs256(struct arena *arena, struct str key_pem, struct str key_id, struct str claims,
    struct str *ret_token)
{
    struct buf header = BUF_IN(arena), token = BUF_IN(arena);
    struct json_writer w;
    EVP_PKEY *key = NULL;
    bool ok;
    int r = read_key(key_pem, &key);

    if (r < 0)
        return r;
    json_init(&w, &header);
    json_object_begin(&w);
    json_cstr_member(&w, "alg", "RS256");
    json_cstr_member(&w, "typ", "JWT");
    if (!str_empty(key_id))
        json_str_member(&w, "kid", key_id);
    json_object_end(&w);
    add_base64url(&token, header.ptr, header.len);
    buf_add_char(&token, '.');
    add_base64url(&token, claims.ptr, claims.len);
    ok = add_signature(&token, key);
    EVP_PKEY_free(key);
    if (!ok)
        return err_set(ERR_FAILED, "Signing with the private key failed.");
    *ret_token = buf_str(&token);
    return 0;
}
