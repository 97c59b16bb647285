/* A child process that is fed a descriptor and read to its end. For extract/extract.c alone. */
#ifndef EXTRACT_PROCESS_H
#define EXTRACT_PROCESS_H

#include "base/buf.h"
#include "runtime/fiber.h"

struct process_call {
    const char *program;
    char **argv, **envp;
    int in;              /* becomes its standard input; the caller's to close */
    size_t out_max;      /* bytes it may say: more end it */
    int64_t deadline_ms; /* monotonic; then it is killed */
};

struct process_end {
    int exit_code; /* 0 when it was ended for having said enough */
    int signal;    /* 0 unless one ended it */
    bool cut;      /* it had more to say than out_max */
};

/* Run it; what it says goes to out, at most out_max bytes. 0 when it ended, ERR_TIMEOUT or
 * ERR_CANCELLED when it was killed, ERR_IO when it could not be started. It is gone afterwards in
 * every case. Its standard error is dropped. Yields. */
MUST_CHECK int process_run(
    const struct process_call *call, struct buf *out, struct process_end *ret_end);

#endif
