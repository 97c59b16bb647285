#include "extract/extract.h"
#include "extract/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Any bytes sent as a text file: refused, or text within its bound. The first byte says the bound.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena arena;
    struct str text, file;
    bool cut;

    if (len == 0)
        return 0;
    arena_init(&arena);
    file = (struct str){(const char *)bytes + 1, len - 1};
    if (plain_decode(file, bytes[0], &arena, &text, &cut) &&
        (text.len > bytes[0] || !utf8_valid(text)))
        abort();
    (void)extract_kind_of(file, STR("text/plain"), file);
    (void)extract_kind_of(file, file, STR("a.txt"));
    arena_deinit(&arena);
    return 0;
}
