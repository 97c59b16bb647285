#include "secure/keys.h"

#include <sodium.h>

#define PREFIX "theo_"
#define SECRET_LEN 32
#define SECRET_TEXT_LEN 43

static void hash_secret(
    const unsigned char secret[SECRET_LEN], unsigned char ret_hash[API_KEY_HASH_LEN])
{
    crypto_generichash(ret_hash, API_KEY_HASH_LEN, secret, SECRET_LEN, NULL, 0);
}

void api_key_make(const struct env *env, char ret_key[API_KEY_LEN + 1],
    char ret_id[API_KEY_ID_LEN + 1], unsigned char ret_hash[API_KEY_HASH_LEN])
{
    unsigned char id[API_KEY_ID_LEN / 2], secret[SECRET_LEN];
    char text[SECRET_TEXT_LEN + 1];

    env->random(env->ctx, id, sizeof(id));
    env->random(env->ctx, secret, sizeof(secret));
    sodium_bin2hex(ret_id, API_KEY_ID_LEN + 1, id, sizeof(id));
    sodium_bin2base64(
        text, sizeof(text), secret, sizeof(secret), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(ret_key, API_KEY_LEN + 1, PREFIX "%s_%s", ret_id, text);
    hash_secret(secret, ret_hash);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
}

static bool is_hex(char c)
{
    return char_is_digit(c) || (c >= 'a' && c <= 'f');
}

bool api_key_parse(
    struct str key, char ret_id[API_KEY_ID_LEN + 1], unsigned char ret_hash[API_KEY_HASH_LEN])
{
    const size_t id_at = sizeof(PREFIX) - 1, secret_at = id_at + API_KEY_ID_LEN + 1;
    unsigned char secret[SECRET_LEN];
    size_t len;

    if (key.len != API_KEY_LEN || !str_starts(key, STR(PREFIX)) || key.ptr[secret_at - 1] != '_')
        return false;
    for (size_t i = id_at; i < id_at + API_KEY_ID_LEN; i++)
        if (!is_hex(key.ptr[i]))
            return false;
    /* Refuses other characters and unused bits at the end: one key has one spelling. */
    if (sodium_base642bin(secret, sizeof(secret), key.ptr + secret_at, SECRET_TEXT_LEN, NULL, &len,
            NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof(secret))
        return false;
    memcpy(ret_id, key.ptr + id_at, API_KEY_ID_LEN);
    ret_id[API_KEY_ID_LEN] = '\0';
    hash_secret(secret, ret_hash);
    sodium_memzero(secret, sizeof(secret));
    return true;
}

bool api_key_hash_equal(
    const unsigned char a[API_KEY_HASH_LEN], const unsigned char b[API_KEY_HASH_LEN])
{
    return sodium_memcmp(a, b, API_KEY_HASH_LEN) == 0;
}

void hash_hex(struct str data, char out[65])
{
    unsigned char hash[32];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)data.ptr, data.len, NULL, 0);
    sodium_bin2hex(out, 65, hash, sizeof(hash));
}

bool secret_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}
