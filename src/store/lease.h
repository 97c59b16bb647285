/* A lease: of several processes one does a thing, until it gives it back or stops renewing it.
 *
 * Expiry is by the wall clocks of those who ask: a lease should be long against their skew.
 */
#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include "store/store.h"

enum { LEASE_HELD_BY_OTHER = 1 };

/* Take the lease, or prolong one's own, for ms from now. 0, LEASE_HELD_BY_OTHER, or store errors.
 * Yields. */
MUST_CHECK int lease_take(struct store *store, const struct env *env, struct str workspace_id,
    struct str name, struct str owner, int64_t ms);
/* Give one's own back; another's stays. owner "": end it, whoever has it (and is known to be dead).
 * Yields. */
MUST_CHECK int lease_give(
    struct store *store, struct str workspace_id, struct str name, struct str owner);

#endif
