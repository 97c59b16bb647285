#include "store/messages.h"

#include "store/front.h"

#include <endian.h>

/* A row is closed beyond so many messages or bytes, so that reading the end of a chat stays cheap
 * after somebody sent a very long one. */
#define ROW_MESSAGES 64
#define ROW_BYTES ((size_t)32 * KIB)

static void add_str(struct buf *out, struct str text)
{
    uint32_t len = htobe32((uint32_t)text.len);

    buf_add(out, &len, sizeof(len));
    buf_add_str(out, text);
}

/* A time needs far fewer than 62 bits, so the two highest ones are the same; where they are not,
 * the message goes the other way than the row's first. */
#define OTHER_WAY ((uint64_t)1 << 62)

static uint64_t way_and_time(const struct message_row *message, const struct message_row *first)
{
    bool same = str_eq(message->direction, first->direction);

    return (uint64_t)message->at ^ (same ? 0 : OTHER_WAY);
}

static void take_way_and_time(uint64_t value, struct str first, struct message_row *message)
{
    bool same = (value >> 63) == (value >> 62 & 1);

    message->at = (int64_t)(same ? value : value ^ OTHER_WAY);
    message->direction = first;
    if (!same)
        message->direction = str_is(first, "in") ? STR("out") : STR("in");
}

struct message_row messages_pack(
    const struct message_row *messages, size_t count, struct arena *arena)
{
    struct message_row row = messages[0];
    struct buf more = BUF_IN(arena);
    size_t size = 0;

    for (size_t i = 1; i < count; i++)
        size += 20 + messages[i].author.len + messages[i].body.len + messages[i].channel_ids.len;
    if (size > 0)
        buf_reserve(&more, size);
    for (size_t i = 1; i < count; i++) {
        uint64_t way_time = htobe64(way_and_time(&messages[i], &row));

        buf_add(&more, &way_time, sizeof(way_time));
        add_str(&more, messages[i].author);
        add_str(&more, messages[i].body);
        add_str(&more, messages[i].channel_ids);
    }
    row.more = buf_str(&more);
    return row;
}

/* How many of count messages go into the next row. */
static size_t row_count(const struct message_row *messages, size_t count)
{
    size_t taken = 0, bytes = 0;

    while (taken < count && taken < ROW_MESSAGES && bytes < ROW_BYTES) {
        bytes += messages[taken].body.len;
        taken++;
    }
    return taken;
}

void messages_insert(struct store_batch *batch, const struct message_row *messages, size_t count)
{
    while (count > 0) {
        struct message_row *row = arena_new(batch->arena, struct message_row);
        size_t taken = row_count(messages, count);

        *row = messages_pack(messages, taken, batch->arena);
        store_insert(batch, STORE_MESSAGES, row);
        messages += taken;
        count -= taken;
    }
}

static bool take_bytes(struct str *rest, size_t len, void *to)
{
    if (rest->len < len)
        return false;
    memcpy(to, rest->ptr, len);
    *rest = (struct str){rest->ptr + len, rest->len - len};
    return true;
}

static bool take_str(struct str *rest, struct str *ret_text)
{
    uint32_t number;
    size_t len;

    if (!take_bytes(rest, sizeof(number), &number))
        return false;
    len = be32toh(number);
    if (len > rest->len)
        return false;
    *ret_text = (struct str){rest->ptr, len};
    *rest = (struct str){rest->ptr + len, rest->len - len};
    return true;
}

static bool take_message(struct str *rest, struct str first, struct message_row *message)
{
    uint64_t value;

    if (!take_bytes(rest, sizeof(value), &value) || !take_str(rest, &message->author) ||
        !take_str(rest, &message->body) || !take_str(rest, &message->channel_ids))
        return false;
    take_way_and_time(be64toh(value), first, message);
    return true;
}

void message_reader_init(struct message_reader *reader, const struct message_row *row)
{
    reader->row = row;
    reader->rest = row->more;
    reader->begun = false;
}

int message_next(struct message_reader *reader)
{
    struct message_row *message = &reader->message;

    if (!reader->begun) {
        *message = *reader->row;
        message->more = STR("");
        reader->begun = true;
        return 1;
    }
    if (reader->rest.len == 0)
        return 0;
    message->seq++;
    if (!take_message(&reader->rest, reader->row->direction, message))
        return err_set(ERR_CORRUPT,
            "The messages from number %lld of chat %.*s are damaged: restore the store from a "
            "backup.",
            (long long)reader->row->seq, STR_ARG(reader->row->session_id));
    return 1;
}

struct list {
    struct message_row *items;
    size_t count, capacity;
};

static struct message_row *add(struct list *list, struct arena *arena)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;

        list->items = arena_grow(arena, list->items, list->capacity * sizeof(*list->items),
            capacity * sizeof(*list->items));
        list->capacity = capacity;
    }
    return &list->items[list->count++];
}

static int unpack(const struct message_row *row, struct arena *arena, struct list *list)
{
    struct message_reader reader;
    int r;

    message_reader_init(&reader, row);
    while ((r = message_next(&reader)) > 0)
        *add(list, arena) = reader.message;
    return r;
}

int messages_unpack(const struct message_row *row, struct arena *arena,
    struct message_row **ret_messages, size_t *ret_count)
{
    struct list list = {0};
    int r = unpack(row, arena, &list);

    if (r < 0)
        return r;
    *ret_messages = list.items;
    *ret_count = list.count;
    return 0;
}

/* Where a page begins: the bound of the rows to ask for, and the last message of the page before,
 * which lies in the first of them when its row was not read to the end. */
struct place {
    int64_t bound, last;
};

static int open_place(const struct store_query *query, struct arena *arena, struct place *ret_place)
{
    struct str text;
    struct place place = {0};
    int r;

    if (str_empty(query->cursor)) {
        *ret_place = (struct place){0, 0};
        return 0;
    }
    r = cursor_open(query, arena, &place.bound, &text);
    if (r < 0)
        return r;
    if (!str_to_i64(text, &place.last))
        return err_field(ERR_INVALID, "cursor", "The cursor does not belong to this list.");
    *ret_place = place;
    return 0;
}

/* Turn the messages that a row brought and leave out what the page before had. */
static void arrange(struct list *list, size_t begin, bool descending, const struct place *place)
{
    size_t kept = place->bound == 0 ? list->count : begin;

    for (size_t i = begin; i < list->count && place->bound != 0; i++)
        if (descending ? list->items[i].seq < place->last : list->items[i].seq > place->last)
            list->items[kept++] = list->items[i];
    list->count = kept;
    for (size_t i = begin, j = kept; descending && i + 1 < j; i++) {
        struct message_row message = list->items[i];

        list->items[i] = list->items[--j];
        list->items[j] = message;
    }
}

int messages_list(struct store *store, const struct store_query *query, struct arena *arena,
    struct store_page *ret_page)
{
    struct store_query asked = *query;
    struct store_page page;
    struct list list = {0};
    struct place place = {0};
    int64_t row_seq = 0;
    size_t i = 0;
    bool more;
    int r = open_place(query, arena, &place);

    if (r < 0)
        return r;
    asked.cursor = STR("");
    asked.no_cursor = true;
    asked.from = query->descending ? 0 : place.bound;
    asked.to = query->descending ? place.bound : 0;
    r = store_list(store, &asked, arena, &page);
    for (; r == 0 && i < page.count && list.count < query->limit; i++) {
        const struct message_row *row = (const struct message_row *)page.rows + i;
        size_t begin = list.count;

        row_seq = row->seq;
        r = unpack(row, arena, &list);
        arrange(&list, begin, query->descending, &place);
    }
    if (r < 0)
        return r;
    more = list.count > query->limit || i < page.count || page.more;
    if (list.count > query->limit) {
        list.count = query->limit;
        place.bound = query->descending ? row_seq + 1 : row_seq;
    } else {
        place.bound = query->descending ? row_seq : row_seq + 1;
    }
    ret_page->rows = list.items;
    ret_page->count = list.count;
    ret_page->cursor = STR("");
    ret_page->more = more;
    if (more && list.count > 0) {
        char last[24];

        snprintf(last, sizeof(last), "%lld", (long long)list.items[list.count - 1].seq);
        ret_page->cursor = cursor_make(query, place.bound, str_from(last), arena);
    }
    return 0;
}

int messages_rows_before(struct store *store, const struct message_place *place, size_t limit,
    struct arena *arena, struct store_page *ret_page)
{
    const struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = place->workspace_id,
        .index = STORE_CHILDREN,
        .value = place->session_id,
        .to = place->before,
        .descending = true,
        .limit = limit,
        .cursor = STR(""),
        .no_cursor = true};

    return store_list(store, &query, arena, ret_page);
}
