#include "extract/extract.h"
#include "extract/sandbox.h"
#include "extract_call.h"

#include <linux/landlock.h>
#include <sys/syscall.h>

TEST(sandbox_no_network_no_processes_no_files)
{
    struct extracted got = {0};

    REQUIRE_OK(extract_file(t, STR("%PDF-PROBE"), "a.pdf", NULL, &got));
    EXPECT_STR(got.text, "tcp: refused\ntcp6: refused\nunix: refused\nnetlink: refused\n"
                         "fork: refused\ntrace: refused\nnamespaces: refused\nwrite: refused\n"
                         "a signal to another: refused\na signal to itself: worked\n"
                         "a limit of another: refused");
}

TEST(sandbox_files_are_out_of_reach)
{
    struct extracted got = {0};

    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
        SKIP("this kernel has no Landlock");
    REQUIRE_OK(extract_file(t, STR("%PDF-FILES"), "a.pdf", NULL, &got));
    EXPECT_STR(got.text, "a program: worked\n/etc/passwd: refused\n"
                         "the command line of others: refused");
}

TEST(sandbox_memory_ends)
{
    struct extracted got = {.text = STR("untouched")};

    if (extract_is_sanitized())
        SKIP("AddressSanitizer needs the address space itself");
    EXPECT_EQ(extract_file(t, STR("%PDF-EAT"), "a.pdf", NULL, &got), EXTRACT_BROKEN);
    EXPECT_STR(got.text, "untouched");
}
