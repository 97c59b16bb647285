#include "secure/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A bot's token is gone, whatever stands around it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char token[] = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake0";
    struct str text = {(const char *)bytes, len}, out;
    struct arena arena;

    if (str_find(text, STR("Fake"), 0) >= 0)
        return 0; /* a part of the token that stands alone is not known as one */
    arena_init(&arena);
    (void)redact(&arena, text);
    out =
        redact(&arena, str_printf(&arena, "%.*s /bot%s/%.*s", STR_ARG(str_slice(text, 0, len / 2)),
                           token, STR_ARG(str_slice(text, len / 2, len))));
    if (str_find(out, STR("AAFakeFake"), 0) >= 0)
        abort();
    arena_deinit(&arena);
    return 0;
}
