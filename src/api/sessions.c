/* /api/sessions: list, read, and delete for good. */
#include "api/exchange.h"
#include "store/erase.h"
#include "store/messages.h"

static void write_session(struct json_writer *w, const struct chat_session_row *row)
{
    json_object_begin(w);
    json_str_member(w, "id", row->id);
    json_str_member(w, "channel", row->channel);
    write_opt(w, "title", row->title);
    json_i64_member(w, "message_count", row->message_count);
    write_time(w, "created_at", row->created_at);
    write_time(w, "updated_at", row->updated_at);
    json_object_end(w);
}

static int find_session(struct exchange *x, struct chat_session_row *ret_row)
{
    int rc =
        store_get(x->store, STORE_CHAT_SESSIONS, x->workspace, x->params[0], x->arena, ret_row);

    return rc == STORE_MISSING ? err_set(ERR_NOT_FOUND, "There is no session with this id.") : rc;
}

int sessions_list(struct exchange *x)
{
    struct store_query query = {
        .entity = STORE_CHAT_SESSIONS, .index = 1, .value = STR("chat"), .descending = true};
    struct listing listing;
    int rc = listing_begin(x, &query, "sessions", 50, &listing);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < listing.page.count; i++)
        write_session(&listing.w, (const struct chat_session_row *)listing.page.rows + i);
    return listing_end(x, &listing);
}

int sessions_get(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct chat_session_row row;
    struct json_writer w;
    int rc = find_session(x, &row);

    if (rc < 0)
        return rc;
    json_init(&w, &out);
    write_session(&w, &row);
    answer_json(&x->answer, 200, &out);
    return 0;
}

static void write_message(struct json_writer *w, const struct message_row *row)
{
    json_object_begin(w);
    json_i64_member(w, "seq", row->seq);
    json_str_member(w, "direction", row->direction);
    json_str_member(w, "party", row->author);
    json_str_member(w, "message", row->body);
    write_time(w, "at", row->at);
    write_opt(w, "run_id", row->run_id);
    write_time(w, "created_at", row->created_at);
    json_object_end(w);
}

int sessions_messages(struct exchange *x)
{
    static const char *const orders[] = {"asc", "desc", NULL};
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = x->workspace,
        .index = STORE_CHILDREN,
        .value = x->params[0],
        .cursor = query_str(x, "cursor")};
    struct buf out = BUF_IN(x->arena);
    struct chat_session_row session;
    struct store_page page;
    struct json_writer w;
    int64_t limit = 0;
    int descending = 0, rc = query_i64(x, "limit", 1, 1000, 100, &limit);

    if (rc == 0)
        rc = query_choice(x, "order", orders, &descending);
    query.limit = (size_t)limit;
    query.descending = descending;
    if (rc == 0)
        rc = find_session(x, &session);
    if (rc == 0)
        rc = messages_list(x->store, &query, x->arena, &page);
    if (rc < 0)
        return rc;
    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "messages");
    json_array_begin(&w);
    for (size_t i = 0; i < page.count; i++)
        write_message(&w, &((const struct message_row *)page.rows)[i]);
    json_array_end(&w);
    write_opt(&w, "next_cursor", page.cursor);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}

int sessions_delete(struct exchange *x)
{
    struct chat_session_row row;
    int rc = find_session(x, &row);

    if (rc == 0)
        rc = erase_session(x->store, x->workspace, row.id);
    if (rc == 0)
        x->answer.status = 204;
    return rc;
}
