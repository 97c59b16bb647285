/* SQLite among processes: killed ones, and several at once. */
#include "runtime/fiber.h"
#include "suite.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIBERS 16

/* Start store-worker; *ret_fd is its standard output. -1 when it cannot be started. */
static pid_t start_worker(const char *dir, const char *name, const char *count, int *ret_fd)
{
    const char *program = getenv("THEO_STORE_WORKER");
    int fds[2];
    pid_t pid;

    if (!program || pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        execl(program, program, dir, name, count, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

/* Read lines "FIBER NUMBER" until max lines or the end; last[fiber] is the highest number. */
static void read_reports(FILE *in, int max, int64_t last[FIBERS])
{
    long long number;
    int fiber;

    for (int i = 0; i < max && fscanf(in, "%d %lld", &fiber, &number) == 2; i++)
        if (fiber >= 0 && fiber < FIBERS)
            last[fiber] = number;
}

static size_t count_rows(
    struct test *t, struct suite *s, enum store_entity entity, int index, const char *session)
{
    struct store_query query = a_query(entity, "shared", index, session);
    struct store_page page;
    size_t count = 0;

    query.limit = 1000;
    do {
        if (!EXPECT_OK(store_list(s->store, &query, t->arena, &page)))
            return count;
        count += page.count;
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor));
    return count;
}

/* Every batch reported is there, and each batch is there as a whole. */
static void expect_whole(struct test *t, struct suite *s, const char *name, const int64_t *last)
{
    char session[32];

    for (int i = 0; i < FIBERS; i++) {
        size_t messages, runs;
        snprintf(session, sizeof(session), "%s-%d", name, i);
        messages = count_rows(t, s, STORE_MESSAGES, STORE_CHILDREN, session);
        runs = count_rows(t, s, STORE_RUNS, 0, session);
        EXPECT((int64_t)messages >= last[i] + 1);
        EXPECT_EQ(messages, runs);
    }
}

TEST(kill_9_loses_nothing_that_was_reported)
{
    for (int round = 0; round < 5; round++) {
        int64_t last[FIBERS];
        struct suite s;
        char name[16];
        FILE *in;
        int fd, status;
        pid_t pid;

        memset(last, 0xff, sizeof(last)); /* -1: nothing reported */
        snprintf(name, sizeof(name), "round%d", round);
        pid = start_worker(test_dir(t), name, "0", &fd);
        if (pid < 0)
            SKIP("THEO_STORE_WORKER does not name the worker program");
        in = fdopen(fd, "r");
        read_reports(in, 200 + 170 * round, last);
        kill(pid, SIGKILL);
        REQUIRE(waitpid(pid, &status, 0) == pid);
        read_reports(in, INT_MAX, last); /* what it said until then counts too */
        fclose(in);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        EXPECT(last[0] > 0); /* fibers take turns: each has reported something */
        REQUIRE_OK(suite_open_url(t, "sqlite", &s));
        expect_whole(t, &s, name, last);
        suite_close(&s);
    }
}

/* They make the folder, the tables and the workspace at the same time, and write at the same time.
 * Reading it back opens every sealed value: so they agreed on one data key. */
TEST(processes_share_a_folder)
{
    static const char *const names[] = {"one", "two", "three"};
    int fds[ARRAY_LEN(names)], status;
    pid_t pids[ARRAY_LEN(names)];
    int64_t last[FIBERS];
    struct suite s;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        pids[i] = start_worker(test_dir(t), names[i], "20", &fds[i]);
        if (pids[i] < 0)
            SKIP("THEO_STORE_WORKER does not name the worker program");
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        FILE *in = fdopen(fds[i], "r");
        read_reports(in, INT_MAX, last);
        fclose(in);
        REQUIRE(waitpid(pids[i], &status, 0) == pids[i]);
        EXPECT_EQ(status, 0);
        for (int j = 0; j < FIBERS; j++)
            EXPECT_EQ(last[j], 19);
    }
    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        expect_whole(t, &s, names[i], last);
    suite_close(&s);
}

/* What `theo keys create` does beside a server: write while another process keeps writing. */
TEST(write_beside_a_busy_process)
{
    int64_t last[FIBERS];
    struct suite s;
    struct str ids;
    pid_t pid;
    FILE *in;
    int fd, status;

    pid = start_worker(test_dir(t), "busy", "0", &fd);
    if (pid < 0)
        SKIP("THEO_STORE_WORKER does not name the worker program");
    in = fdopen(fd, "r");
    read_reports(in, 50, last); /* it is under way */
    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 20; i++) {
        struct message_row row = a_message("shared", "mine", i, "beside");
        char drop[65536];
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
        while (read(fd, drop, sizeof(drop)) > 0)
            continue; /* so that the worker never waits for us */
    }
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status));
    fclose(in);
    EXPECT_OK(list_rows(&s, a_query(STORE_MESSAGES, "shared", STORE_CHILDREN, "mine"), 50, &ids));
    EXPECT_STR(ids, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19|");
    suite_close(&s);
}
