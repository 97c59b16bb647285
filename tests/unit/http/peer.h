/* A client for server tests that can misbehave: a raw socket whose every byte the test chooses.
 * It polls, so that server and client share one loop.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include "http/server.h"
#include "test.h"

struct peer {
    int fd;
    struct buf got;
    bool ended; /* end of stream or reset */
};

struct peer peer_connect(struct test *t, int port);
void peer_close(struct peer *peer);
/* False when the server does not take it all. Yields. */
bool peer_send(struct peer *peer, struct str bytes);
/* Wait until text has come count times. False at the end of the stream. Yields. */
bool peer_await(struct peer *peer, const char *text, int count);
/* Read to the end of the stream and give everything that came. Yields. */
struct str peer_rest(struct peer *peer);

#endif
