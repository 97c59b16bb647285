#include "test.h"

#include <errno.h>
#include <ftw.h>
#include <unistd.h>

static struct test *tests;
static char scratch[64];

void test_register(struct test *test)
{
    test->next = tests;
    tests = test;
}

bool test_expect_true(struct test *t, const char *file, int line, const char *expr, bool value)
{
    if (!value) {
        t->failures++;
        printf("# %s:%d: expected %s (last error: %s)\n", file, line, expr, err_message());
    }
    return value;
}

bool test_expect_i64(
    struct test *t, const char *file, int line, const char *expr, int64_t got, int64_t want)
{
    if (got == want)
        return true;
    t->failures++;
    printf("# %s:%d: %s is %lld, want %lld", file, line, expr, (long long)got, (long long)want);
    if (got < 0)
        printf(" (last error: %s)", err_message());
    printf("\n");
    return false;
}

bool test_expect_str(
    struct test *t, const char *file, int line, const char *expr, struct str got, struct str want)
{
    if (str_eq(got, want))
        return true;
    t->failures++;
    printf("# %s:%d: %s is\n#   \"%.*s\"\n# want\n#   \"%.*s\"\n", file, line, expr, STR_ARG(got),
        STR_ARG(want));
    return false;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_scratch(void)
{
    if (scratch[0])
        nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    scratch[0] = '\0';
}

const char *test_dir(struct test *t)
{
    (void)t;
    if (!scratch[0]) {
        snprintf(scratch, sizeof(scratch), "/tmp/theo-test-XXXXXX");
        if (!mkdtemp(scratch)) {
            printf("# mkdtemp: %s\n", strerror(errno));
            abort();
        }
    }
    return scratch;
}

const char *test_quick_dir(struct test *t)
{
    if (scratch[0])
        return scratch;
    snprintf(scratch, sizeof(scratch), "/dev/shm/theo-test-XXXXXX");
    if (!mkdtemp(scratch))
        scratch[0] = '\0';
    return test_dir(t);
}

void test_run_plain(struct test *t)
{
    struct arena arena;
    struct env_fake fake;

    arena_init(&arena);
    env_fake_init(&fake, 1772442000000, 42); /* 2026-03-02T09:00:00Z */
    t->arena = &arena;
    t->fake = &fake;
    t->fn(t);
    arena_deinit(&arena);
}

static bool wanted(const struct test *t, int argc, char **argv)
{
    if (argc < 2)
        return true;
    for (int i = 1; i < argc; i++)
        if (strstr(t->name, argv[i]))
            return true;
    return false;
}

int test_main(int argc, char **argv, void (*run_one)(struct test *t))
{
    int number = 0, failed = 0;
    struct test *ordered = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (tests) { /* registration order */
        struct test *t = tests;
        tests = t->next;
        t->next = ordered;
        ordered = t;
    }
    for (struct test *t = ordered; t; t = t->next) {
        if (!wanted(t, argc, argv))
            continue;
        run_one(t);
        remove_scratch();
        failed += t->failures > 0;
        printf("%s %d - %s%s%s\n", t->failures ? "not ok" : "ok", ++number, t->name,
            t->skipped ? " # SKIP " : "", t->skipped ? t->skipped : "");
    }
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
