/* A real redis-server for a test, on a free loopback port, without persistence. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include "test.h"

#include <sys/types.h>

struct redis_server {
    pid_t pid;
    int port;
    char dir[256];
    const char *options[24]; /* more words of its command line, ended by NULL */
};

bool redis_server_installed(void);
/* Start it (again, on the same port) and wait until it accepts connections. */
bool redis_server_start(struct redis_server *server, struct test *t);
void redis_server_signal(struct redis_server *server, int number);
void redis_server_kill(struct redis_server *server); /* and wait for its end; twice is fine */

int redis_free_port(void);

#define NEEDS_REDIS()                                                                              \
    do {                                                                                           \
        if (!redis_server_installed())                                                             \
            SKIP("redis-server is not installed");                                                 \
    } while (0)

#endif
