/* One connection to a server: opened by racing its addresses, written and read by one fiber at a
 * time, watched while idle. Private to src/http.
 *
 * The socket stays registered with the loop for reading as long as it lives, so that a call on a
 * kept-alive connection costs one sendmsg and one recv and nothing else.
 */
#ifndef HTTP_OUTBOUND_H
#define HTTP_OUTBOUND_H

#include "base/buf.h"
#include "runtime/loop.h"

#include <sys/socket.h>
#include <sys/uio.h>

enum {
    OUTBOUND_CLOSED = 1,   /* the server ended the stream */
    OUTBOUND_ANSWERED = 1, /* it answered before it had read the whole request */
    OUTBOUND_ADDRESSES_MAX = 8,
};

struct outbound {
    uv_poll_t poll;
    struct fiber *waiting; /* parked for this socket; NULL: none */
    int fd;
    int polled;
    bool readable, writable;
    /* Called on the loop when something happens to a socket that nobody uses. */
    void (*on_idle)(struct outbound *conn, void *arg);
    void *idle_arg;
};

struct outbound_addresses {
    struct sockaddr_storage items[OUTBOUND_ADDRESSES_MAX];
    size_t count;
};

/* Connect to the first address that answers; the next one is tried when one fails or says nothing
 * for a quarter of a second (RFC 8305 section 5). 0, ERR_IO, ERR_TIMEOUT, ERR_CANCELLED. Yields. */
MUST_CHECK int outbound_open(struct loop *loop, const struct outbound_addresses *addresses,
    int64_t deadline_ms, struct outbound **ret_conn);
void outbound_close(struct outbound *conn);

/* Send all pieces (they are changed). *ret_sent: how many bytes went out, also on failure. 0,
 * OUTBOUND_ANSWERED or ERR_*. Yields. */
MUST_CHECK int outbound_send(struct outbound *conn, struct iovec *pieces, size_t count,
    int64_t deadline_ms, size_t *ret_sent);
/* Append what comes, at most `most` bytes; memory is reserved once there is something. 0,
 * OUTBOUND_CLOSED or ERR_*. Yields. */
MUST_CHECK int outbound_receive(
    struct outbound *conn, struct buf *into, size_t most, int64_t deadline_ms);

/* Leave the connection to itself, and take it back. */
void outbound_rest(
    struct outbound *conn, void (*on_idle)(struct outbound *conn, void *arg), void *arg);
void outbound_resume(struct outbound *conn);

#endif
