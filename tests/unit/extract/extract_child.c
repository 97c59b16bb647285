/* The child process as the tests start it: the real one, and for files that say so one that
 * misbehaves within the same sandbox. */
#include "extract/extract.h"
#include "extract/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, bool worked)
{
    char line[80];
    int len = snprintf(line, sizeof(line), "%s: %s\n", what, worked ? "worked" : "refused");

    if (write(STDOUT_FILENO, line, (size_t)len) < 0)
        _exit(9);
}

static bool can_connect(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return false;
    /* Nobody listens there: a refused connection is one that was tried. */
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == ECONNREFUSED;
}

static bool can_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0;
}

/* By any of the calls that there are for it; 0 only asks whether it would be let. */
static bool can_signal(pid_t pid)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    return kill(pid, 0) == 0 || syscall(SYS_tkill, pid, 0) == 0 ||
           syscall(SYS_tgkill, pid, pid, 0) == 0 ||
           syscall(SYS_rt_sigqueueinfo, pid, 0, &info) == 0 ||
           syscall(SYS_rt_tgsigqueueinfo, pid, pid, 0, &info) == 0;
}

static bool can_limit(pid_t pid)
{
    struct rlimit limit;

    return prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0;
}

static bool can_write_file(void)
{
    int fd = open("/tmp/theo-extract-test", O_WRONLY | O_CREAT, 0600);
    bool wrote = fd >= 0 && write(fd, "x", 1) == 1;

    if (fd >= 0)
        unlink("/tmp/theo-extract-test");
    return wrote;
}

static bool can_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void probe_files(void)
{
    say("a program", can_read("/usr/bin/env"));
    say("/etc/passwd", can_read("/etc/passwd"));
    say("the command line of others", can_read("/proc/1/cmdline"));
}

static void probe(void)
{
    say("tcp", can_connect(AF_INET));
    say("tcp6", can_connect(AF_INET6));
    say("unix", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    say("netlink", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
    say("fork", can_fork());
    say("trace", ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    say("namespaces", unshare(CLONE_NEWUSER) == 0);
    say("write", can_write_file());
    say("a signal to another", can_signal(getppid()));
    say("a signal to itself", syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
    say("a limit of another", can_limit(getppid()));
}

static void flood(void)
{
    char bytes[4096];

    memset(bytes, 'x', sizeof(bytes));
    while (write(STDOUT_FILENO, bytes, sizeof(bytes)) > 0)
        continue;
    for (;;)
        pause();
}

static void eat(void)
{
    for (int i = 0; i < 4096; i++) {
        char *bytes = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (bytes == MAP_FAILED)
            abort();
        bytes[0] = 1;
    }
    say("four gigabytes", true);
}

static void misbehave(const char *how)
{
    volatile unsigned long turns = 0;

    if (strncmp(how, "%PDF-PROBE", 10) == 0)
        probe();
    else if (strncmp(how, "%PDF-FILES", 10) == 0)
        probe_files();
    else if (strncmp(how, "%PDF-FLOOD", 10) == 0)
        flood();
    else if (strncmp(how, "%PDF-EAT", 8) == 0)
        eat();
    else if (strncmp(how, "%PDF-SLEEP", 10) == 0)
        for (;;)
            pause();
    else if (strncmp(how, "%PDF-SPIN", 9) == 0)
        for (;;)
            turns++;
    else
        return;
    _exit(0);
}

int main(int argc, char **argv)
{
    char how[16] = "";
    int64_t memory = 0, seconds = 0;

    if (pread(STDIN_FILENO, how, sizeof(how) - 1, 0) > 0 && strncmp(how, "%PDF-", 5) == 0 &&
        strchr("PFES", how[5]) && argc == 5 && str_to_i64(str_from(argv[3]), &memory) &&
        str_to_i64(str_from(argv[4]), &seconds)) {
        struct sandbox_limits limits = {(size_t)memory, (int)seconds};

        if (!sandbox_enter(&limits))
            return 44;
        misbehave(how);
    }
    return extract_child(argc - 1, argv + 1);
}
