/* Offload: run a blocking function on a worker thread while the fiber waits.
 *
 * For getaddrinfo, file sync, big parses. The pool is libuv's (4 threads by default). fn must not
 * touch the loop or fibers; it may set err_*, whose content is copied to the calling fiber. The
 * wait cannot be cancelled (fn uses the caller's memory): a cancel is noticed afterwards.
 */
#ifndef RUNTIME_OFFLOAD_H
#define RUNTIME_OFFLOAD_H

#include "runtime/fiber.h"

/* fn's return value. Yields. */
int offload(int (*fn)(void *arg), void *arg);

#endif
