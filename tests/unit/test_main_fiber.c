#include "runtime/loop.h"
#include "test.h"

static void on_fiber(void *arg)
{
    test_run_plain(arg);
}

static void run_one(struct test *t)
{
    if (loop_run_fiber(env_system(), on_fiber, t) != 0) {
        t->failures++;
        printf("# no event loop: %s\n", err_message());
    }
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, run_one);
}
