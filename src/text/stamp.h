/* The time stamp in front of a chat line, as people paste it from their programs.
 *
 * "[14:02]", "[2026-03-01 14:02]", "2026-03-01T14:02Z", "01/03/2026, 14:02 -",
 * "[1/3/26, 2:02:33 PM]". Without an offset the time is taken for UTC. Pure, does not yield.
 */
#ifndef TEXT_STAMP_H
#define TEXT_STAMP_H

#include "base/str.h"

struct stamp {
    int64_t day;    /* days since 1970, UTC; -1 when not said */
    int64_t second; /* of that day; -1 when day and month of the date may be swapped */
    bool bare_time; /* neither brackets nor a date: may as well belong to the text */
};

/* Bytes of the stamp and the space behind it; 0 when line does not start with one. */
size_t stamp_read(struct str line, struct stamp *ret_stamp);

#endif
