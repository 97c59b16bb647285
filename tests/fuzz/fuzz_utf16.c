#include "text/utf16.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Positions go both ways, and an entity that is taken has the length it says. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text, slice;
    int64_t offset, length;
    size_t at;

    if (len < 2)
        return 0;
    offset = (int8_t)bytes[0];
    length = (int8_t)bytes[1];
    text = (struct str){(const char *)bytes + 2, len - 2};
    at = utf16_to_byte(text, bytes[0]);
    if (at > text.len || utf16_from_byte(text, at) > bytes[0] ||
        utf16_from_byte(text, text.len) != utf16_len(text))
        abort();
    if (utf16_slice(text, offset, length, &slice) &&
        (slice.ptr < text.ptr || slice.ptr + slice.len > text.ptr + text.len ||
            utf16_len(slice) != (size_t)length))
        abort();
    return 0;
}
