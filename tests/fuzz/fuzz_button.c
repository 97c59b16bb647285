#include "bot/button.h"
#include "channel/telegram_send.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* Nobody who lacks the key makes a button's data; what is ours is read as it was written. The same
 * bytes as the key of a chat lead to numbers, or nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text = {(const char *)bytes, len}, data;
    struct telegram_place place;
    struct bot_button made = {0}, got;
    struct arena arena;

    arena_init(&arena);
    if (button_read(STR(KEY), STR("session"), text, &got))
        abort();
    if (len >= ULID_LEN + 4 && ulid_valid(str_slice(text, 1, 1 + ULID_LEN))) {
        made = (struct bot_button){(enum bot_button_op)bytes[0], str_slice(text, 1, 1 + ULID_LEN),
            bytes[ULID_LEN + 1] << 8 | bytes[ULID_LEN + 2], bytes[ULID_LEN + 3]};
        data = button_data(STR(KEY), STR("session"), &made, &arena);
        if (!str_empty(data) && button_read(STR(KEY), STR("other"), data, &got))
            abort();
        if (!str_empty(data) && button_read(STR(KEY), STR("session"), data, &got) &&
            (!str_eq(got.id, made.id) || got.a != made.a || got.b != made.b))
            abort();
    }
    if (telegram_place_of(text, &place) == 0 &&
        (str_empty(place.chat_id) || str_find_char(place.chat_id, '"', 0) >= 0))
        abort();
    arena_deinit(&arena);
    return 0;
}
