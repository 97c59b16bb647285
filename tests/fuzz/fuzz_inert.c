#include "text/inert.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Whatever comes in, what comes out is valid, bounded, and inert already. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct inert_found found;
    struct arena arena;
    struct str once, twice;

    arena_init(&arena);
    once = inert_text(&arena, (struct str){(const char *)bytes, len}, NULL);
    if (!utf8_valid(once) || once.len > len * INERT_GROWTH)
        abort();
    twice = inert_text(&arena, once, &found);
    if (!str_eq(once, twice) || found.invisible > 0 || found.lookalike > 0 || found.markup > 0)
        abort();
    arena_deinit(&arena);
    return 0;
}
