#include "extract/extract.h"
#include "extract/sandbox.h"
#include "extract_call.h"

TEST(sandbox_no_network_no_processes_no_files)
{
    struct extracted got = {0};

    REQUIRE_OK(extract_file(t, STR("%PDF-PROBE"), "a.pdf", NULL, &got));
    EXPECT_STR(got.text, "tcp: refused\ntcp6: refused\nunix: refused\nnetlink: refused\n"
                         "fork: refused\ntrace: refused\nnamespaces: refused\nwrite: refused");
}

TEST(sandbox_memory_ends)
{
    struct extracted got = {.text = STR("untouched")};

    if (extract_is_sanitized())
        SKIP("AddressSanitizer needs the address space itself");
    EXPECT_EQ(extract_file(t, STR("%PDF-EAT"), "a.pdf", NULL, &got), EXTRACT_BROKEN);
    EXPECT_STR(got.text, "untouched");
}
