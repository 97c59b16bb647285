/* API key format: `theo_<8 hex id>_<secret>`, secret 32 random bytes in base64url (43 characters).
 *
 * Only a hash of the secret is stored: BLAKE2b-256 keyed by nothing, over 256 random bits (a slow
 * password hash would add nothing to that entropy). Comparison is constant-time. No I/O.
 */
#ifndef SECURE_KEYS_H
#define SECURE_KEYS_H

#include "base/env.h"

#define API_KEY_ID_LEN 8
#define API_KEY_LEN (5 + 8 + 1 + 43)
#define API_KEY_HASH_LEN 32

void api_key_make(const struct env *env, char ret_key[API_KEY_LEN + 1],
    char ret_id[API_KEY_ID_LEN + 1], unsigned char ret_hash[API_KEY_HASH_LEN]);
/* False unless well-formed. */
bool api_key_parse(
    struct str key, char ret_id[API_KEY_ID_LEN + 1], unsigned char ret_hash[API_KEY_HASH_LEN]);
bool api_key_hash_equal(
    const unsigned char a[API_KEY_HASH_LEN], const unsigned char b[API_KEY_HASH_LEN]);

/* hex of BLAKE2b-256, for request and argument hashes. out: 65 bytes. */
void hash_hex(struct str data, char out[65]);
/* Constant-time equality of secrets. */
bool secret_equal(struct str a, struct str b);

#endif
