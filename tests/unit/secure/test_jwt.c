#include "base/json.h"
#include "rsa_key.h"
#include "secure/jwt.h"
#include "test.h"

#include <openssl/evp.h>
#include <sodium.h>

TEST(a_token_has_header_claims_and_a_signature_that_verifies)
{
    struct rsa_key key = rsa_key_new(t->arena, 2048);
    struct str token, parts[3], text;
    const struct json *header;

    REQUIRE_OK(jwt_sign_rs256(
        t->arena, key.pem, STR("key-7"), STR("{\"iss\":\"a@b\",\"exp\":12}"), &token));
    EXPECT(rsa_key_verifies(&key, token));
    for (int i = 0; i < 3; i++)
        REQUIRE(str_next(&token, '.', &parts[i]));
    EXPECT(token.ptr == NULL);
    text = base64url_text(t->arena, parts[0]);
    REQUIRE_OK(json_parse(t->arena, text, &header));
    EXPECT_STR(
        json_canonical(t->arena, header), "{\"alg\":\"RS256\",\"kid\":\"key-7\",\"typ\":\"JWT\"}");
    EXPECT_STR(base64url_text(t->arena, parts[1]), "{\"iss\":\"a@b\",\"exp\":12}");
    rsa_key_free(&key);
}

TEST(another_key_or_other_claims_do_not_verify)
{
    struct rsa_key key = rsa_key_new(t->arena, 2048), other = rsa_key_new(t->arena, 2048);
    struct str token;
    char *forged;

    REQUIRE_OK(jwt_sign_rs256(t->arena, key.pem, STR(""), STR("{}"), &token));
    EXPECT(str_find(base64url_text(t->arena, token), STR("kid"), 0) < 0);
    EXPECT(rsa_key_verifies(&key, token));
    EXPECT(!rsa_key_verifies(&other, token));
    forged = str_cstr(t->arena, token);
    forged[5] = forged[5] == 'A' ? 'B' : 'A';
    EXPECT(!rsa_key_verifies(&key, str_from(forged)));
    rsa_key_free(&key);
    rsa_key_free(&other);
}

TEST(what_is_no_rsa_key_is_refused)
{
    struct rsa_key small = rsa_key_new(t->arena, 1024);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    struct str token;

    EXPECT_EQ(jwt_sign_rs256(t->arena, STR("no PEM"), STR(""), STR("{}"), &token), ERR_INVALID);
    EXPECT_EQ(jwt_sign_rs256(t->arena, STR(""), STR(""), STR("{}"), &token), ERR_INVALID);
    EXPECT_EQ(jwt_sign_rs256(t->arena, small.pem, STR(""), STR("{}"), &token), ERR_INVALID);
    EXPECT_EQ(jwt_sign_rs256(t->arena, rsa_key_pem(t->arena, curve), STR(""), STR("{}"), &token),
        ERR_INVALID);
    EVP_PKEY_free(curve);
    rsa_key_free(&small);
}
