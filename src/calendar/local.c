/* The calendar that needs nobody else: events in the store. */
#include "calendar/backend.h"
#include "store/store.h"

#define PROVIDER "local"
#define EVENT_MAX_MS (14 * DAY_MS)
#define COMMIT_TRIES 3

struct local {
    struct store *store;
};

static int local_open(
    const struct config *config, const struct env *env, struct store *store, void **ret_state)
{
    struct local *local = xcalloc(1, sizeof(*local));

    (void)config, (void)env;
    local->store = store;
    *ret_state = local;
    return 0;
}

static void local_close(void *state)
{
    free(state);
}

static struct str write_details(const struct calendar_event *event, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "description", event->description);
    json_str_member(&w, "location", event->location);
    json_name(&w, "attendees");
    json_array_begin(&w);
    for (size_t i = 0; i < event->attendee_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "name", event->attendees[i].name);
        json_str_member(&w, "email", event->attendees[i].email);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_bool_member(&w, "conference", event->conference);
    json_str_member(&w, "conference_url", event->conference_url);
    json_object_end(&w);
    return buf_str(&out);
}

static struct calendar_event_row to_row(
    struct str workspace_id, const struct calendar_event *event, struct arena *arena)
{
    return (struct calendar_event_row){
        .workspace_id = workspace_id,
        .id = event->id,
        .version = event->version,
        .provider = STR(PROVIDER),
        .provider_event_id = event->id,
        .idempotency_key = STR(""),
        .start_at = event->start_ms,
        .end_at = event->end_ms,
        .time_zone = event->time_zone,
        .summary = event->summary,
        .details = write_details(event, arena),
        .state = event->state,
        .sequence = event->sequence,
        .session_id = event->session_id,
        .run_id = event->run_id,
        .created_at = event->created_ms,
        .updated_at = event->updated_ms,
    };
}

static void read_details(const struct json *root, struct arena *arena, struct calendar_event *event)
{
    const struct json *list = json_get(root, "attendees");
    struct attendee *attendees = arena_array(arena, struct attendee, json_len(list));

    for (const struct json *node = json_first(list); node; node = json_next(node))
        attendees[event->attendee_count++] =
            (struct attendee){json_get_str(node, "email"), json_get_str(node, "name")};
    event->attendees = attendees;
    event->description = json_get_str(root, "description");
    event->location = json_get_str(root, "location");
    event->conference = json_get_bool(root, "conference", false);
    event->conference_url = json_get_str(root, "conference_url");
}

static int from_row(
    const struct calendar_event_row *row, struct arena *arena, struct calendar_event *ret_event)
{
    struct calendar_event event = {
        .id = row->id,
        .provider = row->provider,
        .provider_event_id = row->provider_event_id,
        .summary = row->summary,
        .start_ms = row->start_at,
        .end_ms = row->end_at,
        .time_zone = row->time_zone,
        .state = row->state,
        .sequence = row->sequence,
        .version = row->version,
        .session_id = row->session_id,
        .run_id = row->run_id,
        .created_ms = row->created_at,
        .updated_ms = row->updated_at,
    };
    const struct json *details;

    if (json_parse(arena, row->details, &details) < 0)
        return err_set(
            ERR_CORRUPT, "The details of event %.*s are not readable.", STR_ARG(row->id));
    read_details(details, arena, &event);
    *ret_event = event;
    return 0;
}

static int missing(void)
{
    return err_set(ERR_NOT_FOUND, "There is no such event.");
}

static int read_event(struct local *local, struct str workspace_id, struct str id,
    struct arena *arena, struct calendar_event_row *ret_row)
{
    int rc = store_get(local->store, STORE_CALENDAR_EVENTS, workspace_id, id, arena, ret_row);

    if (rc == STORE_MISSING || (rc == 0 && !str_is(ret_row->provider, PROVIDER)))
        return missing();
    return rc;
}

static int local_get(void *state, struct str workspace_id, struct str id, struct arena *arena,
    struct calendar_event *ret_event)
{
    struct calendar_event_row row;
    int rc = read_event(state, workspace_id, id, arena, &row);

    return rc < 0 ? rc : from_row(&row, arena, ret_event);
}

/* A commit of unknown outcome is made again: the key allows only one event. */
static int insert(struct local *local, const struct calendar_event_row *row, struct arena *arena)
{
    struct store_batch batch;
    int rc = ERR_TIMEOUT;

    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_CALENDAR_EVENTS, row);
    for (int i = 0; i < COMMIT_TRIES && rc == ERR_TIMEOUT; i++)
        rc = store_commit(local->store, &batch);
    return rc;
}

static int local_book(void *state, struct str workspace_id, struct str idempotency_key,
    const struct calendar_event *event, struct arena *arena, struct calendar_event *ret_event)
{
    struct local *local = state;
    struct calendar_event_row row = to_row(workspace_id, event, arena), found;
    int rc;

    row.idempotency_key = idempotency_key;
    rc = insert(local, &row, arena);
    if (rc == 0) {
        row.version = 1;
        return from_row(&row, arena, ret_event);
    }
    if (rc == STORE_EXISTS && !str_empty(idempotency_key))
        rc = store_find(
            local->store, STORE_CALENDAR_EVENTS, workspace_id, 0, idempotency_key, arena, &found);
    else if (rc == STORE_EXISTS)
        rc = store_get(local->store, STORE_CALENDAR_EVENTS, workspace_id, row.id, arena, &found);
    if (rc > 0)
        return err_set(ERR_CONFLICT, "The event was deleted meanwhile; book it again.");
    return rc < 0 ? rc : from_row(&found, arena, ret_event);
}

static bool shows(const struct calendar_event_row *row, int64_t from_ms, bool with_cancelled)
{
    return row->end_at > from_ms && (with_cancelled || !str_is(row->state, "cancelled"));
}

/* Events are listed by start; one that began before from_ms may reach into it, but not longer than
 * an event may last. Rows that do not show are skipped until the page is full or all are seen. */
static int local_list(void *state, struct str workspace_id, int64_t from_ms, int64_t to_ms,
    bool with_cancelled, size_t limit, struct str cursor, struct arena *arena,
    struct calendar_page *ret_page)
{
    struct local *local = state;
    struct calendar_page page = {
        .events = arena_array(arena, struct calendar_event, limit), .cursor = cursor};
    struct store_query query = {
        .entity = STORE_CALENDAR_EVENTS,
        .workspace_id = workspace_id,
        .index = 1,
        .value = STR(PROVIDER),
        .from = MAX(from_ms - EVENT_MAX_MS, 0),
        .to = to_ms,
    };

    do {
        struct store_page rows;
        int rc;

        query.limit = limit - page.count;
        query.cursor = page.cursor;
        rc = store_list(local->store, &query, arena, &rows);
        for (size_t i = 0; i < rows.count && rc == 0; i++) {
            const struct calendar_event_row *row = (struct calendar_event_row *)rows.rows + i;

            if (shows(row, from_ms, with_cancelled))
                rc = from_row(row, arena, &page.events[page.count++]);
        }
        if (rc < 0)
            return rc;
        page.cursor = rows.cursor;
    } while (page.count < limit && !str_empty(page.cursor));
    *ret_page = page;
    return 0;
}

static int local_update(void *state, struct str workspace_id, const struct calendar_event *event,
    struct arena *arena, struct calendar_event *ret_event)
{
    struct local *local = state;
    struct calendar_event_row row, old;
    struct store_batch batch;
    int rc = read_event(local, workspace_id, event->id, arena, &old);

    if (rc < 0)
        return rc;
    row = to_row(workspace_id, event, arena);
    row.idempotency_key = old.idempotency_key;
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_CALENDAR_EVENTS, &row);
    rc = store_commit(local->store, &batch);
    if (rc == STORE_MISSING)
        return missing();
    if (rc == STORE_CONFLICT)
        return err_set(ERR_CONFLICT, "The event was changed meanwhile; read it again.");
    return rc < 0 ? rc : local_get(local, workspace_id, event->id, arena, ret_event);
}

const struct calendar_ops calendar_local = {
    .name = PROVIDER,
    .open = local_open,
    .close = local_close,
    .book = local_book,
    .get = local_get,
    .list = local_list,
    .update = local_update,
};
