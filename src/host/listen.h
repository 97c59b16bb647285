/* Where to listen: "127.0.0.1:8080", "[::1]:8080", "localhost:8080". */
#ifndef HOST_LISTEN_H
#define HOST_LISTEN_H

#include "base/err.h"

struct listen_address {
    char host[256]; /* without brackets */
    int port;
    bool loopback;
};

/* 0 or ERR_INVALID. */
MUST_CHECK int listen_parse(struct str text, struct listen_address *ret_address);
/* 0 when nobody listens there; the servers' own listeners share ports, so they would not notice.
 * ERR_IO naming address and remedy. */
MUST_CHECK int listen_check_free(const struct listen_address *address);

#endif
