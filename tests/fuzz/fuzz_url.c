#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What is accepted is an http(s) URL with a clean host, and means the same when written again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena arena;
    struct url url, again;
    arena_init(&arena);
    struct str text = {(const char *)bytes, len};
    if (url_parse(&arena, text, &url) == 0) {
        bool v6 = str_find_char(url.host, ':', 0) >= 0;
        struct str rebuilt = str_printf(&arena, v6 ? "%.*s://[%.*s]:%d/" : "%.*s://%.*s:%d/",
            STR_ARG(url.scheme), STR_ARG(url.host), url.port);
        if (url.port < 1 || url.port > 65535 || url_parse(&arena, rebuilt, &again) != 0 ||
            !str_eq(again.host, url.host) || again.port != url.port)
            abort();
    }
    (void)address_is_private(str_cstr(&arena, text));
    arena_deinit(&arena);
    return 0;
}
