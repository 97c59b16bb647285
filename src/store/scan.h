/* All rows of a store, as they are stored: for backups, and for proving that something is gone.
 * Inside of store/; outsiders use store/archive.h. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/front.h"

/* Show every row to visitor, still sealed, workspaces first. SQL stores, Firestore and memory show
 * one moment; DynamoDB every row that was there before and is not deleted meanwhile, and some of
 * what is written meanwhile. Yields. */
MUST_CHECK int store_scan(struct store *store, const struct store_visitor *visitor);
/* Delete every row of every workspace. Yields. */
MUST_CHECK int store_clear(struct store *store);
/* Does it hold anything at all? Yields. */
MUST_CHECK int store_has_rows(struct store *store, bool *ret_has);

#endif
