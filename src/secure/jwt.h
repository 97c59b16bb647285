/* JSON Web Tokens (RFC 7519), signed RS256: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
 *
 * Only signing, for the service-account grant of Google. Nothing here yields; a signature takes
 * about a millisecond.
 */
#ifndef SECURE_JWT_H
#define SECURE_JWT_H

#include "base/err.h"

/* key_pem: an RSA private key, PKCS#8 or PKCS#1, 2,048 bits or more. key_id becomes "kid"; empty:
 * none. claims: a JSON object. 0, or ERR_INVALID when the key cannot be read or is no RSA key. */
MUST_CHECK int jwt_sign_rs256(struct arena *arena, struct str key_pem, struct str key_id,
    struct str claims, struct str *ret_token);

#endif
