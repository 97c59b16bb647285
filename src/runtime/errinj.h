/* Named faults: a test (or THEO_FAULTS in a build with -Dfaults=true) makes a rare path happen.
 *
 * In code: `if (errinj("sqlite.commit")) return err_set(ERR_IO, "injected fault");`
 * "NAME" fires always, "NAME=3" the third time only, "NAME=3+" from the third on; several are
 * comma-separated. "NAME!kill" ends the process with SIGKILL at that point. Without any fault set
 * the cost is one load. Modelled on Tarantool's errinj.h.
 */
#ifndef RUNTIME_ERRINJ_H
#define RUNTIME_ERRINJ_H

#include "base/str.h"

extern bool errinj_active_;
bool errinj_hit_(const char *name);

static inline bool errinj(const char *name)
{
    return __builtin_expect(errinj_active_, 0) && errinj_hit_(name);
}

/* Replace the set of faults; NULL or "" clears it. 0 or ERR_INVALID. Safe before threads start and
 * from tests. */
MUST_CHECK int errinj_set(const char *spec);

/* Count how often each point is passed, with no fault set: how a test finds out which points there
 * are on a way, to fail each of them in turn. errinj_set() ends the counting. */
struct errinj_passed {
    const char *name;
    int64_t times;
};
void errinj_count(void);
/* What was passed since, up to max points; returns how many. */
size_t errinj_passed(struct errinj_passed *ret_points, size_t max);

#endif
