#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer peer_connect(struct test *t, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer peer = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .got = BUF_HEAP};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(peer.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return peer;
}

void peer_close(struct peer *peer)
{
    close(peer->fd);
    buf_deinit(&peer->got);
}

bool peer_send(struct peer *peer, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(peer->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n > 0)
            bytes = str_slice(bytes, (size_t)n, bytes.len);
        else if (fiber_sleep(1) != 0)
            return false;
    }
    return true;
}

static bool receive(struct peer *peer)
{
    char *room = buf_reserve(&peer->got, 64 * KIB);
    ssize_t n = recv(peer->fd, room, 64 * KIB, MSG_DONTWAIT);

    if (n > 0)
        peer->got.len += (size_t)n;
    else if (n == 0 || errno != EAGAIN)
        peer->ended = true;
    else if (fiber_sleep(1) != 0)
        peer->ended = true;
    return !peer->ended;
}

static int occurrences(struct str text, struct str needle)
{
    ptrdiff_t at = -(ptrdiff_t)needle.len;
    int count = 0;

    while ((at = str_find(text, needle, (size_t)(at + (ptrdiff_t)needle.len))) >= 0)
        count++;
    return count;
}

bool peer_await(struct peer *peer, const char *text, int count)
{
    while (occurrences(buf_str(&peer->got), str_from(text)) < count)
        if (!receive(peer))
            return false;
    return true;
}

struct str peer_rest(struct peer *peer)
{
    while (receive(peer))
        ;
    return buf_str(&peer->got);
}
