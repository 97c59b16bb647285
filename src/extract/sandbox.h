/* A process that can only read what it was given and say what it found.
 *
 * In this order, each for itself and none undoing the others:
 * - limits on memory, CPU time, open files; files cannot grow; no core file;
 * - it dies with the thread that started it; no new privileges, ever;
 * - a network namespace of its own where the system lets an unprivileged process have one;
 * - Landlock, where the kernel has it (5.13): files can be opened below the system's folders of
 *   programs and libraries alone, for reading;
 * - a seccomp filter, always: no sockets, no new processes, no tracing of others, no signals to
 *   them, no mounts, no io_uring, no keys, no BPF. Without it nothing is read.
 * All of it outlives exec, works in a container without privileges, and cannot be taken back.
 */
#ifndef EXTRACT_SANDBOX_H
#define EXTRACT_SANDBOX_H

#include "base/base.h"

struct sandbox_limits {
    size_t memory_max; /* bytes of address space; not set under AddressSanitizer */
    int cpu_s;
};

/* Enter. False when the seccomp filter, the one part that must hold, cannot be had. */
MUST_CHECK bool sandbox_enter(const struct sandbox_limits *limits);

#endif
