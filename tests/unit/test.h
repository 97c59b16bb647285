/* Unit tests: TEST(name) { EXPECT_… }. Each test has a fresh arena (t->arena), a fake clock that
 * starts at 2026-03-02T09:00:00Z, a Monday (t->fake), and its own scratch folder (test_dir()).
 * Rooms at or above runtime run each test on a fiber (with the real clock in the loop: t->env). An
 * expectation that fails prints both values and where, and the test goes on; REQUIRE ends it.
 * Output is TAP. `test-room NAME…` runs only tests whose name contains one of the words.
 */
#ifndef TEST_H
#define TEST_H

#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"

struct test {
    const char *name;
    void (*fn)(struct test *t);
    struct test *next;
    struct arena *arena;
    struct env_fake *fake;
    int failures;
    const char *skipped; /* reason */
};

void test_register(struct test *test);
int test_main(int argc, char **argv, void (*run_one)(struct test *t));
void test_run_plain(struct test *t);
const char *test_dir(struct test *t); /* a fresh folder, removed after the test */
/* The same in memory where the machine has such a place, for tests of many small writes. */
const char *test_quick_dir(struct test *t);

#define TEST(name)                                                                                 \
    static void test_##name(struct test *t);                                                       \
    static struct test test_reg_##name = {#name, test_##name, NULL, NULL, NULL, 0, NULL};          \
    __attribute__((constructor)) static void test_init_##name(void)                                \
    {                                                                                              \
        test_register(&test_reg_##name);                                                           \
    }                                                                                              \
    static void test_##name(struct test *t)

bool test_expect_true(struct test *t, const char *file, int line, const char *expr, bool value);
bool test_expect_i64(
    struct test *t, const char *file, int line, const char *expr, int64_t got, int64_t want);
bool test_expect_str(
    struct test *t, const char *file, int line, const char *expr, struct str got, struct str want);

#define EXPECT(cond) test_expect_true(t, __FILE__, __LINE__, #cond, (cond))
#define EXPECT_EQ(got, want)                                                                       \
    test_expect_i64(t, __FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
/* got: struct str; want: C string. */
#define EXPECT_STR(got, want) test_expect_str(t, __FILE__, __LINE__, #got, (got), str_from(want))
#define EXPECT_CSTR(got, want)                                                                     \
    test_expect_str(t, __FILE__, __LINE__, #got, str_from(got), str_from(want))
/* 0, printing the error's message otherwise. */
#define EXPECT_OK(call) EXPECT_EQ((call), 0)
#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!EXPECT(cond))                                                                         \
            return;                                                                                \
    } while (0)
#define REQUIRE_OK(call)                                                                           \
    do {                                                                                           \
        if (!EXPECT_OK(call))                                                                      \
            return;                                                                                \
    } while (0)
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        t->skipped = (reason);                                                                     \
        return;                                                                                    \
    } while (0)

#endif
