/* Backup files: every row of a store, portable between any two back ends.
 *
 * The file is the line "theo backup 1\n", then records: 4 bytes length (big-endian), the payload,
 * 16 bytes keyed check sum over the record's number and payload (sealer_mac, so a record that was
 * changed, moved, added or left out is noticed by who holds the master key). The first byte of a
 * payload says what it is:
 *   H  JSON: the master key's id, the store, when
 *   T  a table: its name, then each column's type and name; the rows that follow are its
 *   R  rows, one after the other: the columns in the table's order, numbers as 8 bytes, text and
 *      sealed bytes as 4 bytes length and content
 *   E  the end: 8 bytes number of rows
 * Sealed values stay sealed as they are stored, and workspaces carry their wrapped data keys: the
 * file is worth nothing without the master key, and its other columns are as readable as in the
 * store. The version of a row begins anew at 1.
 *
 * Everything here yields, and reads and writes its file on the calling thread: for commands that
 * have the process to themselves.
 */
#ifndef STORE_ARCHIVE_H
#define STORE_ARCHIVE_H

#include "store/store.h"

struct archive_stats {
    int64_t rows, bytes;
};

struct archive_progress {
    void (*report)(void *ctx, const struct archive_stats *so_far); /* may be NULL */
    void *ctx;
};

/* Write all of the store to path, which must not exist: it appears complete and synced, or not at
 * all. One moment of the store where the back end can show one (sqlite, memory); otherwise parents
 * before children, in order of their making: what was there before is in it, what is written
 * meanwhile may be. ERR_EXISTS, ERR_IO, ERR_FULL. */
MUST_CHECK int archive_backup(struct store *store, const char *path,
    const struct archive_progress *progress, struct archive_stats *ret_stats);
/* Read path wholly and check it, then fill the store with it. A store that holds something is
 * ERR_EXISTS unless replace, which empties it first. ERR_CORRUPT: cut short or altered, or of
 * another master key; ERR_INVALID: no backup, or of a newer Theo. Nothing is written in these
 * cases. After any other failure repeat it with replace. */
MUST_CHECK int archive_restore(struct store *store, const char *path, bool replace,
    const struct archive_progress *progress, struct archive_stats *ret_stats);

#endif
