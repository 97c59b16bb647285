#include "http/stub.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX 256

struct stub {
    int fd, port;
    const struct stub_step *steps;
    pthread_t accepter;
    pthread_mutex_t lock;
    pthread_t threads[PEERS_MAX];
    int peers[PEERS_MAX];
    int peer_count, request_count, hung_up, ended;
    struct buf log;
};

struct peer {
    struct stub *stub;
    int fd;
};

static size_t content_length(struct str head)
{
    ptrdiff_t at = str_find_nocase(head, STR("\r\ncontent-length:"), 0);
    int64_t length = 0;
    if (at < 0)
        return 0;
    size_t from = (size_t)at + strlen("\r\ncontent-length:");
    ptrdiff_t end = str_find(head, STR("\r\n"), from);
    if (!str_to_i64(str_trim(str_slice(head, from, (size_t)end)), &length))
        abort();
    return (size_t)length;
}

/* One whole request into the log; false when the client is gone. */
static bool read_request(struct peer *peer)
{
    struct buf in = BUF_HEAP;
    size_t want = SIZE_MAX;
    while (in.len < want) {
        ssize_t got = recv(peer->fd, buf_reserve(&in, 65536), 65536, 0);
        if (got <= 0)
            break;
        in.len += (size_t)got;
        ptrdiff_t end = str_find(buf_str(&in), STR("\r\n\r\n"), 0);
        if (end >= 0)
            want = (size_t)end + 4 + content_length(str_slice(buf_str(&in), 0, (size_t)end + 2));
    }
    bool whole = in.len >= want;
    pthread_mutex_lock(&peer->stub->lock);
    if (whole)
        buf_add_str(&peer->stub->log, buf_str(&in));
    pthread_mutex_unlock(&peer->stub->lock);
    buf_deinit(&in);
    return whole;
}

static struct stub_step next_step(struct stub *stub)
{
    static const char unexpected[] = "HTTP/1.1 599 Unexpected\r\nContent-Length: 0\r\n\r\n";
    pthread_mutex_lock(&stub->lock);
    struct stub_step step = *stub->steps;
    if (step.answer != NULL)
        stub->steps++;
    else
        step = (struct stub_step){.answer = unexpected};
    stub->request_count++;
    pthread_mutex_unlock(&stub->lock);
    return step;
}

static bool write_all(int fd, const char *bytes, size_t len, size_t piece)
{
    for (size_t pos = 0; pos < len;) {
        size_t part = MIN(piece > 0 ? piece : len, len - pos);
        ssize_t sent = send(fd, bytes + pos, part, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        pos += (size_t)sent;
        if (piece > 0)
            poll(NULL, 0, 1);
    }
    return true;
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    char byte;
    bool open = true;
    while (open && read_request(peer)) {
        struct stub_step step = next_step(peer->stub);
        if (step.delay_ms > 0)
            poll(NULL, 0, step.delay_ms);
        open = write_all(
            peer->fd, step.answer, step.len > 0 ? step.len : strlen(step.answer), step.piece);
        if (step.hang && recv(peer->fd, &byte, 1, 0) <= 0) {
            pthread_mutex_lock(&peer->stub->lock);
            peer->stub->hung_up++;
            pthread_mutex_unlock(&peer->stub->lock);
            open = false;
        }
        open = open && !step.close;
    }
    shutdown(peer->fd, SHUT_RDWR);
    pthread_mutex_lock(&peer->stub->lock);
    peer->stub->ended++;
    pthread_mutex_unlock(&peer->stub->lock);
    free(peer);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct stub *stub = arg;
    int fd;
    while ((fd = accept(stub->fd, NULL, NULL)) >= 0) {
        struct peer *peer = xcalloc(1, sizeof(*peer));
        *peer = (struct peer){stub, fd};
        pthread_mutex_lock(&stub->lock);
        if (stub->peer_count == PEERS_MAX)
            abort();
        stub->peers[stub->peer_count] = fd;
        pthread_create(&stub->threads[stub->peer_count++], NULL, serve, peer);
        pthread_mutex_unlock(&stub->lock);
    }
    return NULL;
}

struct stub *stub_start(const struct stub_step *steps)
{
    struct stub *stub = xcalloc(1, sizeof(*stub));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001)};
    socklen_t len = sizeof(address);
    stub->steps = steps;
    pthread_mutex_init(&stub->lock, NULL);
    stub->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(stub->fd, (struct sockaddr *)&address, len) != 0 || listen(stub->fd, 128) != 0 ||
        getsockname(stub->fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    stub->port = ntohs(address.sin_port);
    pthread_create(&stub->accepter, NULL, accept_all, stub);
    return stub;
}

int stub_port(const struct stub *stub)
{
    return stub->port;
}

static int read_locked(struct stub *stub, const int *value)
{
    pthread_mutex_lock(&stub->lock);
    int copy = *value;
    pthread_mutex_unlock(&stub->lock);
    return copy;
}

int stub_requests(struct stub *stub)
{
    return read_locked(stub, &stub->request_count);
}

int stub_connections(struct stub *stub)
{
    return read_locked(stub, &stub->peer_count);
}

int stub_hung_up(struct stub *stub)
{
    return read_locked(stub, &stub->hung_up);
}

int stub_ended(struct stub *stub)
{
    return read_locked(stub, &stub->ended);
}

struct str stub_stop(struct stub *stub, struct arena *arena)
{
    shutdown(stub->fd, SHUT_RDWR);
    pthread_join(stub->accepter, NULL);
    for (int i = 0; i < stub->peer_count; i++) {
        shutdown(stub->peers[i], SHUT_RDWR);
        pthread_join(stub->threads[i], NULL);
        close(stub->peers[i]);
    }
    close(stub->fd);
    pthread_mutex_destroy(&stub->lock);
    struct str log = str_dup(arena, buf_str(&stub->log));
    buf_deinit(&stub->log);
    free(stub);
    return log;
}
