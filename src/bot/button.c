#include "bot/button.h"

#include "base/buf.h"
#include "secure/keys.h"

#include <sodium.h>

#define KEY_BYTES 32
#define MAC_BYTES 12
#define MAC_LEN 16 /* base64url */
#define DATA_MAX 64

struct str button_key(const struct env *env, struct arena *arena)
{
    unsigned char bytes[KEY_BYTES];
    struct buf out = BUF_IN(arena);

    env->random(env->ctx, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        buf_printf(&out, "%02x", bytes[i]);
    return buf_str(&out);
}

static void sign(struct str key, struct str session_id, struct str said, char out[MAC_LEN + 1])
{
    unsigned char mac[crypto_generichash_BYTES];
    crypto_generichash_state state;

    crypto_generichash_init(&state, (const unsigned char *)key.ptr, key.len, sizeof(mac));
    crypto_generichash_update(
        &state, (const unsigned char *)session_id.ptr, (unsigned long long)session_id.len);
    crypto_generichash_update(&state, (const unsigned char *)"\n", 1);
    crypto_generichash_update(
        &state, (const unsigned char *)said.ptr, (unsigned long long)said.len);
    crypto_generichash_final(&state, mac, sizeof(mac));
    sodium_bin2base64(out, MAC_LEN + 1, mac, MAC_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool is_key(struct str key)
{
    return key.len == (size_t)2 * KEY_BYTES;
}

struct str button_data(
    struct str key, struct str session_id, const struct bot_button *button, struct arena *arena)
{
    struct str said, data;
    char mac[MAC_LEN + 1];

    if (!is_key(key) || button->id.len != ULID_LEN)
        return STR("");
    said = str_printf(arena, "%c%.*s%llx.%llx.", (char)button->op, STR_ARG(button->id),
        (unsigned long long)button->a, (unsigned long long)button->b);
    sign(key, session_id, said, mac);
    data = str_printf(arena, "%.*s%s", STR_ARG(said), mac);
    return data.len <= DATA_MAX ? data : STR("");
}

static bool read_hex(struct str text, int64_t *ret)
{
    int64_t value = 0;

    if (text.len == 0 || text.len > 12)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret = value;
    return true;
}

bool button_read(
    struct str key, struct str session_id, struct str data, struct bot_button *ret_button)
{
    struct bot_button button;
    struct str said, rest, a, b;
    char mac[MAC_LEN + 1];

    if (!is_key(key) || data.len > DATA_MAX || data.len < 1 + ULID_LEN + MAC_LEN)
        return false;
    said = str_slice(data, 0, data.len - MAC_LEN);
    sign(key, session_id, said, mac);
    if (!secret_equal(str_from(mac), str_slice(data, said.len, data.len)))
        return false;
    button.op = (enum bot_button_op)said.ptr[0];
    button.id = str_slice(said, 1, 1 + ULID_LEN);
    rest = str_slice(said, 1 + ULID_LEN, said.len);
    if (!str_next(&rest, '.', &a) || !str_next(&rest, '.', &b) || !read_hex(a, &button.a) ||
        !read_hex(b, &button.b))
        return false;
    *ret_button = button;
    return true;
}
