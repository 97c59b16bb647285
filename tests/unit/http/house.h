/* A server with a handler that does what its path says, for the tests of the HTTP server. */
#ifndef TEST_HOUSE_H
#define TEST_HOUSE_H

#include "http/server.h"
#include "peer.h"

/* What the handler saw and did, for the tests to look at. */
struct house {
    struct http_server *server;
    int entered;     /* handlers begun */
    int waited;      /* what the wait of /wait gave */
    bool cancelled;  /* and whether it was cancelled */
    int sent;        /* outcome of the last write of /flood */
    uint64_t flood;  /* bytes that /flood got rid of */
    bool go;         /* /gate waits for it */
    struct buf seen; /* paths in the order of handling */
};

void house_handler(struct http_request *req, void *ctx); /* ctx is the house */
struct http_server_options quick(void);                  /* the defaults, on a free port */
bool open_house(struct test *t, struct house *house, const struct http_server_options *o);
/* Send text on a fresh connection and give all that comes until the server closes. Yields. */
struct str exchange(struct test *t, struct house *house, struct str text);
bool contains(struct str text, const char *needle);

#define EXPECT_HAS(text, needle)                                                                   \
    do {                                                                                           \
        if (!EXPECT(contains((text), (needle))))                                                   \
            printf("# \"%s\" is not in: %.*s\n", (needle), STR_ARG(text));                         \
    } while (0)

#endif
