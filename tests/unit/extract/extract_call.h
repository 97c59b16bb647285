/* extract_text() with the tests' own child. */
#ifndef EXTRACT_CALL_H
#define EXTRACT_CALL_H

#include "extract/extract.h"
#include "runtime/sanitizer.h"
#include "test.h"

#include <unistd.h>

static inline bool extract_is_sanitized(void)
{
    return SANITIZER_STACK_FACTOR != 1;
}

/* Beside this program: extract/extract-child. */
static inline const char *extract_program(struct test *t)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path));
    struct str self = {path, len > 0 ? (size_t)len : 0};
    ptrdiff_t slash = str_rfind_char(self, '/');

    return str_cstr(t->arena,
        str_printf(t->arena, "%.*s/extract/extract-child", (int)(slash > 0 ? slash : 0), path));
}

static inline struct extract_limits extract_usual(struct test *t)
{
    return (struct extract_limits){.file_max = 20 * MIB,
        .text_max = MIB,
        .timeout_ms = 60 * SECOND_MS,
        .memory_max = 512 * (size_t)MIB,
        .program = extract_program(t)};
}

/* limits NULL: the usual ones. */
static inline int extract_file(struct test *t, struct str bytes, const char *name,
    const struct extract_limits *limits, struct extracted *ret_extracted)
{
    struct extract_limits usual = extract_usual(t);

    return extract_text(
        limits ? limits : &usual, bytes, STR(""), str_from(name), t->arena, ret_extracted);
}

#endif
