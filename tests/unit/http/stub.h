/* A scripted HTTP peer on threads, for answers that a proper server does not give: cut off, slow,
 * garbage. Each request, on whatever connection, takes the next step.
 */
#ifndef TEST_HTTP_STUB_H
#define TEST_HTTP_STUB_H

#include "base/buf.h"

struct stub;

struct stub_step {
    const char *answer; /* raw bytes; NULL ends the script */
    size_t len;         /* of answer; 0: strlen */
    size_t piece;       /* bytes per write, a moment between them; 0: all at once */
    int delay_ms;       /* before the answer */
    bool hang;          /* afterwards: nothing more, until the client closes */
    bool close;         /* afterwards: close */
};

/* The steps must live until stub_stop(). Requests beyond them are answered 599. */
struct stub *stub_start(const struct stub_step *steps);
int stub_port(const struct stub *stub);
int stub_requests(struct stub *stub);
int stub_connections(struct stub *stub);
int stub_hung_up(struct stub *stub); /* connections that the client closed during a hang */
int stub_ended(struct stub *stub);   /* connections that the stub closed, for whatever reason */
/* End the threads; the bytes of all requests in order, in arena. */
struct str stub_stop(struct stub *stub, struct arena *arena);

#endif
