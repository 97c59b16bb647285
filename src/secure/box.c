#include "secure/box.h"

#include <sodium.h>

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(BOX_HEADER_LEN + NONCE_LEN + TAG_LEN == SEAL_OVERHEAD, "the format in seal.h");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SEAL_KEY_LEN, "the key length");

unsigned char *key_memory(void)
{
    unsigned char *key = sodium_malloc(SEAL_KEY_LEN);

    if (!key) {
        fputs("theo: out of memory for a key; raise the limit of locked memory\n", stderr);
        abort();
    }
    return key;
}

static void put_header(unsigned char *out, uint32_t number)
{
    out[0] = BOX_VERSION;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (unsigned char)(number >> (24 - 8 * i));
}

/* What is authenticated besides the plain text: header, kind and place. The kind keeps a data key
 * and a value apart. */
static struct str associated(
    struct arena *arena, const unsigned char *header, const char *kind, struct str place)
{
    struct buf out = BUF_IN(arena);

    buf_reserve(&out, BOX_HEADER_LEN + 16 + place.len);
    buf_add(&out, header, BOX_HEADER_LEN);
    buf_add_cstr(&out, kind);
    buf_add_str(&out, place);
    return buf_str(&out);
}

struct str box_seal(const struct env *env, const unsigned char *key, uint32_t number,
    const char *kind, struct str place, struct str plain, struct arena *arena)
{
    unsigned char *out = arena_alloc(arena, plain.len + SEAL_OVERHEAD);

    put_header(out, number);
    env->random(env->ctx, out + BOX_HEADER_LEN, NONCE_LEN);

    struct str ad = associated(arena, out, kind, place);

    crypto_aead_xchacha20poly1305_ietf_encrypt(out + BOX_HEADER_LEN + NONCE_LEN, NULL,
        (const unsigned char *)plain.ptr, plain.len, (const unsigned char *)ad.ptr, ad.len, NULL,
        out + BOX_HEADER_LEN, key);
    return (struct str){(char *)out, plain.len + SEAL_OVERHEAD};
}

uint32_t seal_key_number(struct str sealed)
{
    const unsigned char *p = (const unsigned char *)sealed.ptr;

    if (sealed.len < SEAL_OVERHEAD || p[0] != BOX_VERSION)
        return 0;
    return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

bool box_open(const unsigned char *key, const char *kind, struct str place, struct str sealed,
    struct arena *arena, unsigned char *out)
{
    const unsigned char *p = (const unsigned char *)sealed.ptr;
    struct str ad = associated(arena, p, kind, place);

    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL,
               p + BOX_HEADER_LEN + NONCE_LEN, sealed.len - BOX_HEADER_LEN - NONCE_LEN,
               (const unsigned char *)ad.ptr, ad.len, p + BOX_HEADER_LEN, key) == 0;
}
