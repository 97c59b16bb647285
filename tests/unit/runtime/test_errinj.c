#include "runtime/errinj.h"
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int hits(const char *name, int times)
{
    int bits = 0;

    for (int i = 0; i < times; i++)
        bits |= errinj(name) << i;
    return bits;
}

TEST(faults_fire_as_their_spec_says)
{
    (void)t;
    EXPECT_OK(errinj_set("a,b=3,c=3+"));
    EXPECT_EQ(hits("a", 5), 0x1f);
    EXPECT_EQ(hits("b", 5), 0x04);
    EXPECT_EQ(hits("c", 5), 0x1c);
    EXPECT_EQ(hits("d", 5), 0);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_EQ(hits("a", 5), 0);
}

TEST(wrong_specs_are_refused_and_clear_the_set)
{
    static const char *const wrong[] = {"a=0", "a=x", "=3", "a,,b", "a=-1", "a=+"};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        EXPECT_EQ(errinj_set(wrong[i]), ERR_INVALID);
        EXPECT_EQ(hits("a", 1), 0);
    }
    EXPECT(strstr(err_message(), "NAME=3"));
}

TEST(kill_ends_the_process)
{
    int status = 0;
    pid_t child = fork();

    (void)t;
    if (child == 0) {
        if (errinj_set("x=2!kill") != 0 || errinj("x"))
            _exit(1);
        errinj("x");
        _exit(2);
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
