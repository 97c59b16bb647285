/* /api/memories: what Theo noted of a chat: list, add, read, correct, delete. */
#include "agent/memory.h"
#include "api/exchange.h"

static const struct body_field fields[] = {
    {"session_id", JSON_STRING, 64},
    {"kind", JSON_STRING, 32},
    {"state", JSON_STRING, 16},
    {"subject_kind", JSON_STRING, 16},
    {"subject", JSON_STRING, MEMORY_SUBJECT_MAX},
    {"text", JSON_STRING, MEMORY_BODY_MAX},
};

static void write_memory(struct json_writer *w, const struct memory_row *row)
{
    json_object_begin(w);
    json_str_member(w, "id", row->id);
    json_str_member(w, "session_id", row->session_id);
    json_str_member(w, "kind", row->kind);
    json_str_member(w, "state", row->state);
    json_str_member(w, "subject_kind", row->subject_kind);
    write_opt(w, "subject", row->subject);
    json_str_member(w, "text", row->body);
    json_str_member(w, "source", row->source);
    if (row->message_seq > 0)
        json_i64_member(w, "message_seq", row->message_seq);
    write_opt(w, "run_id", row->run_id);
    json_i64_member(w, "version", row->version);
    write_time(w, "created_at", row->created_at);
    write_time(w, "updated_at", row->updated_at);
    json_object_end(w);
}

static void answer_memory(struct exchange *x, int status, const struct memory_row *row)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    write_memory(&w, row);
    answer_json(&x->answer, status, &out);
}

static int find_memory(struct exchange *x, struct memory_row *ret_row)
{
    int rc = store_get(x->store, STORE_MEMORIES, x->workspace, x->params[0], x->arena, ret_row);

    return rc == STORE_MISSING ? err_set(ERR_NOT_FOUND, "There is no memory with this id.") : rc;
}

/* Take over what the body gives. A summary is corrected, not made. */
static int read_memory(struct exchange *x, struct memory_row *row)
{
    int rc = body_check(x->body, fields, ARRAY_LEN(fields));

    if (rc < 0)
        return rc;
    if (body_has(x->body, "kind"))
        row->kind = json_get_str(x->body, "kind");
    if (body_has(x->body, "state"))
        row->state = json_get_str(x->body, "state");
    if (body_has(x->body, "subject_kind"))
        row->subject_kind = json_get_str(x->body, "subject_kind");
    if (body_has(x->body, "subject"))
        row->subject = str_trim(json_get_str(x->body, "subject"));
    if (body_has(x->body, "text"))
        row->body = str_trim(json_get_str(x->body, "text"));
    if (!memory_kind_known(row->kind) && body_has(x->body, "kind"))
        return err_field(
            ERR_INVALID, "kind", "kind must be fact, preference, decision or open_point.");
    if (!memory_subject_kind_known(row->subject_kind))
        return err_field(
            ERR_INVALID, "subject_kind", "subject_kind must be person, company or chat.");
    if (!str_is(row->state, "active") && !str_is(row->state, "closed"))
        return err_field(ERR_INVALID, "state", "state must be active or closed.");
    if (str_empty(row->body))
        return err_field(ERR_INVALID, "text", "text says what to remember; it may not be empty.");
    return 0;
}

int memories_post(struct exchange *x)
{
    struct memory_row row = {.workspace_id = x->workspace,
        .id = STR(""),
        .kind = STR("fact"),
        .state = STR("active"),
        .subject_kind = STR("chat"),
        .subject = STR(""),
        .body = STR(""),
        .source = STR("api"),
        .run_id = STR("")};
    int rc = read_memory(x, &row);

    if (rc < 0)
        return rc;
    row.session_id = json_get_str(x->body, "session_id");
    if (str_empty(row.session_id))
        return err_field(ERR_INVALID, "session_id",
            "session_id says which chat this is about; a memory is recalled in its chat alone.");
    rc = memory_add(x->store, x->env, x->arena, &row);
    if (rc < 0)
        return rc;
    answer_memory(x, 201, &row);
    answer_header(
        &x->answer, "Location", str_printf(x->arena, "/api/memories/%.*s", STR_ARG(row.id)));
    return 0;
}

/* Of one chat, or of the workspace; the newest first. */
int memories_list(struct exchange *x)
{
    static const char *const states[] = {"active", "closed", NULL};
    struct str session_id = query_str(x, "session_id");
    struct store_query query = {.entity = STORE_MEMORIES, .descending = true};
    struct listing listing;
    int state = 0, rc = query_choice(x, "state", states, &state);

    query.index = str_empty(session_id) ? 1 : 0;
    query.value = str_empty(session_id) ? str_from(states[state]) : session_id;
    if (rc == 0)
        rc = listing_begin(x, &query, "memories", 50, &listing);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < listing.page.count; i++) {
        const struct memory_row *row = (const struct memory_row *)listing.page.rows + i;

        if (str_is(row->state, states[state]))
            write_memory(&listing.w, row);
    }
    return listing_end(x, &listing);
}

int memories_get(struct exchange *x)
{
    struct memory_row row;
    int rc = find_memory(x, &row);

    if (rc == 0)
        answer_memory(x, 200, &row);
    return rc;
}

int memories_patch(struct exchange *x)
{
    struct store_batch batch;
    struct memory_row row;
    int rc = find_memory(x, &row);

    if (rc == 0)
        rc = read_memory(x, &row);
    if (rc == 0)
        rc = body_i64(x->body, "version", 1, INT64_MAX / 2, row.version, &row.version);
    if (rc < 0)
        return rc;
    row.updated_at = env_wall_ms(x->env);
    store_batch_init(&batch, x->arena);
    store_update(&batch, STORE_MEMORIES, &row);
    rc = store_commit(x->store, &batch);
    if (rc == STORE_CONFLICT)
        return err_field(ERR_CONFLICT, "version",
            "The memory was changed meanwhile: read it again and repeat the change.");
    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "There is no memory with this id.");
    if (rc < 0)
        return rc;
    row.version++;
    answer_memory(x, 200, &row);
    return 0;
}

int memories_delete(struct exchange *x)
{
    struct store_batch batch;
    struct memory_row row;
    int rc = find_memory(x, &row);

    if (rc < 0)
        return rc;
    store_batch_init(&batch, x->arena);
    store_delete(&batch, STORE_MEMORIES, &row);
    rc = store_commit(x->store, &batch);
    if (rc == 0)
        x->answer.status = 204;
    return rc;
}
