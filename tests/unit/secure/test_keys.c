#include "secure/keys.h"
#include "secure/seal.h"
#include "test.h"

TEST(api_key_round_trip)
{
    char key[API_KEY_LEN + 1], id[API_KEY_ID_LEN + 1], id2[API_KEY_ID_LEN + 1];
    unsigned char hash[API_KEY_HASH_LEN], hash2[API_KEY_HASH_LEN];

    REQUIRE_OK(secure_init());
    for (int i = 0; i < 200; i++) {
        api_key_make(&t->fake->env, key, id, hash);
        REQUIRE(strlen(key) == API_KEY_LEN);
        REQUIRE(strncmp(key, "theo_", 5) == 0 && strncmp(key + 5, id, 8) == 0);
        REQUIRE(api_key_parse(str_from(key), id2, hash2));
        REQUIRE(strcmp(id, id2) == 0);
        REQUIRE(api_key_hash_equal(hash, hash2));
    }
}

TEST(api_keys_differ)
{
    char a[API_KEY_LEN + 1], b[API_KEY_LEN + 1], id[API_KEY_ID_LEN + 1];
    unsigned char hash_a[API_KEY_HASH_LEN], hash_b[API_KEY_HASH_LEN];

    REQUIRE_OK(secure_init());
    api_key_make(&t->fake->env, a, id, hash_a);
    api_key_make(&t->fake->env, b, id, hash_b);
    EXPECT(strcmp(a, b) != 0);
    EXPECT(!api_key_hash_equal(hash_a, hash_b));
}

TEST(api_key_parse_refuses_any_change)
{
    char key[API_KEY_LEN + 1], id[API_KEY_ID_LEN + 1], id2[API_KEY_ID_LEN + 1];
    unsigned char hash[API_KEY_HASH_LEN], hash2[API_KEY_HASH_LEN];

    REQUIRE_OK(secure_init());
    api_key_make(&t->fake->env, key, id, hash);
    for (size_t i = 0; i < API_KEY_LEN; i++) {
        char good = key[i];

        key[i] = good == 'b' ? 'c' : 'b';
        if (api_key_parse(str_from(key), id2, hash2))
            EXPECT(strcmp(id, id2) != 0 || !api_key_hash_equal(hash, hash2));
        key[i] = '*';
        EXPECT(!api_key_parse(str_from(key), id2, hash2));
        key[i] = '\0';
        EXPECT(!api_key_parse((struct str){key, API_KEY_LEN}, id2, hash2));
        key[i] = good;
    }
    EXPECT(!api_key_parse(str_slice(str_from(key), 0, API_KEY_LEN - 1), id2, hash2));
    EXPECT(!api_key_parse(str_printf(t->arena, "%sA", key), id2, hash2));
    EXPECT(!api_key_parse(STR(""), id2, hash2));
    EXPECT(api_key_parse(str_from(key), id2, hash2));
}

TEST(api_key_has_one_spelling)
{
    char id[API_KEY_ID_LEN + 1];
    unsigned char hash[API_KEY_HASH_LEN];

    REQUIRE_OK(secure_init());
    EXPECT(
        api_key_parse(STR("theo_0123abcd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), id, hash));
    /* the last character carries two bits that mean nothing */
    EXPECT(
        !api_key_parse(STR("theo_0123abcd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"), id, hash));
    EXPECT(
        !api_key_parse(STR("theo_0123ABCD_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), id, hash));
}

TEST(hash_hex_is_blake2b_256)
{
    char out[65];

    REQUIRE_OK(secure_init());
    hash_hex(STR(""), out);
    EXPECT_CSTR(out, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    hash_hex(STR("abc"), out);
    EXPECT_CSTR(out, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(secret_equality)
{
    EXPECT(secret_equal(STR("abc"), STR("abc")));
    EXPECT(!secret_equal(STR("abc"), STR("abd")));
    EXPECT(!secret_equal(STR("abc"), STR("abcd")));
    EXPECT(secret_equal(STR(""), STR("")));
}
