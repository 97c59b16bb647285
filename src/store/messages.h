/* The messages of a chat. Those that are stored together, of one request and often its answer, lie
 * in one row: a turn of seven messages is one row and not seven, and each row costs its share of
 * every commit. The row
 * has the number of its first message, and the others follow in its column `more`; so a row of one
 * message is that message.
 *
 * Whoever reads messages reads them here, one by one, whatever the rows are.
 */
#ifndef STORE_MESSAGES_H
#define STORE_MESSAGES_H

#include "store/store.h"

/* Put count messages into the batch as rows. They are consecutive (seq) and agree in all but
 * author, body, channel_ids, direction (in, out) and at; they are borrowed until the commit. */
void messages_insert(struct store_batch *batch, const struct message_row *messages, size_t count);

/* As store_list() of STORE_MESSAGES by STORE_CHILDREN, with a message in each of the page's rows;
 * from and to are not looked at. ERR_CORRUPT when a row cannot be read. Yields. */
MUST_CHECK int messages_list(struct store *store, const struct store_query *query,
    struct arena *arena, struct store_page *ret_page);

/* A chat's rows as they are stored, newest first, of messages before a number (0: of all), for who
 * reads the end of a chat with every turn. `more` says whether there are older ones; the number of
 * the last row is where to go on. Yields. */
struct message_place {
    struct str workspace_id, session_id;
    int64_t before;
};
MUST_CHECK int messages_rows_before(struct store *store, const struct message_place *place,
    size_t limit, struct arena *arena, struct store_page *ret_page);

/* The messages of one row, in their order: 1 while there is another, which is in reader->message
 * until the next call, 0 at the end, or ERR_CORRUPT. Nothing is copied. */
struct message_reader {
    struct message_row message;
    const struct message_row *row;
    struct str rest;
    bool begun;
};
void message_reader_init(struct message_reader *reader, const struct message_row *row);
MUST_CHECK int message_next(struct message_reader *reader);

/* The messages of one row as it is stored, for who rewrites rows: 0 or ERR_CORRUPT. */
MUST_CHECK int messages_unpack(const struct message_row *row, struct arena *arena,
    struct message_row **ret_messages, size_t *ret_count);
/* The row that holds these messages, whatever their number. */
struct message_row messages_pack(
    const struct message_row *messages, size_t count, struct arena *arena);

#endif
