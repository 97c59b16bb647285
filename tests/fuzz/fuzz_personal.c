#include "text/personal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What is found lies in the text, in order, and is not empty. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text = {(const char *)bytes, len};
    struct personal_span span;
    size_t before = 0;

    for (size_t pos = 0; personal_next(text, ~0u, &pos, &span);) {
        if (span.from < before || span.to <= span.from || span.to > len || pos != span.to)
            abort();
        before = span.to;
    }
    return 0;
}
