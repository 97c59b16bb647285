/* What a server does before it listens: the workspace, a first key, runs that were interrupted. */
#ifndef HOST_FIRST_START_H
#define HOST_FIRST_START_H

#include "host/boot.h"

struct first_start {
    bool key_written;
    size_t recovered; /* runs marked interrupted */
};

/* Make sure that there is a workspace and a key to begin with. The first key goes to
 * DATA_DIR/admin.key (0600); a key that is in that file already is taken over, so that a store that
 * forgets (memory, or a new database) keeps it valid. On a fiber; the result through arg, a struct
 * first_start. Yields. */
MUST_CHECK int first_start(struct boot *boot, void *arg);

#endif
