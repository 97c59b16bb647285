/* theo keys rotate-master and rotate-data: the keys that everything is sealed under. */
#ifndef HOST_ROTATE_H
#define HOST_ROTATE_H

#include "host/boot.h"

struct rotation {
    const char *to;        /* a key provider; NULL: another key in the same file */
    const char *workspace; /* NULL: all */
    bool reseal, json;
};

/* verb: "rotate-master" or "rotate-data". boot is configured, not open. The exit status. */
int rotate_command(struct boot *boot, const char *verb, const struct rotation *rotation);

#endif
