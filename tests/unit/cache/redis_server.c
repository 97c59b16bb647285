#include "redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *find_program(void)
{
    static const char *const places[] = {
        "/usr/bin/redis-server", "/usr/local/bin/redis-server", "/bin/redis-server"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

bool redis_server_installed(void)
{
    return find_program() != NULL;
}

/* Below the ports that the system gives to outgoing connections, not where another process begins
 * to look, and none twice. */
int redis_free_port(void)
{
    static int next;
    struct sockaddr_in address = {.sin_family = AF_INET};
    int rc;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (next == 0)
        next = 10000 + getpid() % 200 * 100;
    do {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address.sin_port = htons((uint16_t)next++);
        rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
        close(fd);
    } while (rc != 0);
    return next - 1;
}

static bool accepts(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return ok;
}

bool redis_server_start(struct redis_server *server, struct test *t)
{
    posix_spawn_file_actions_t actions;
    char port[16];
    char *argv[40] = {
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", server->dir};
    size_t count = 9;

    if (!server->port)
        server->port = redis_free_port();
    snprintf(server->dir, sizeof(server->dir), "%s", test_dir(t));
    snprintf(port, sizeof(port), "%d", server->port);
    for (size_t i = 0; server->options[i]; i++)
        argv[count++] = (char *)server->options[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&server->pid, find_program(), &actions, NULL, argv, environ) != 0)
        server->pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; server->pid && i < 1000; i++) {
        if (accepts(server->port))
            return true;
        usleep(10000);
    }
    return false;
}

void redis_server_signal(struct redis_server *server, int number)
{
    kill(server->pid, number);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}
