#include "agent/memory.h"

#include "agent/definition.h"
#include "agent/taint.h"
#include "runtime/loop.h"
#include "secure/keys.h"
#include "store/messages.h"
#include "text/tokens.h"

#include <stdlib.h>

#define RECALL_NOTES 40
#define RECALL_TOKENS 1500
#define READ_MOST 400 /* messages of one writing */
#define READ_PAGE 24  /* about what is new */
#define TRIES 10
#define WRITE_TIMEOUT_MS (30 * SECOND_MS)

static const char *const kinds[] = {"fact", "preference", "decision", "open_point"};
static const char *const subject_kinds[] = {"person", "company", "chat"};

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(word, words[i]))
            return true;
    return false;
}

bool memory_kind_known(struct str kind)
{
    return is_one_of(kind, kinds, ARRAY_LEN(kinds));
}

bool memory_subject_kind_known(struct str kind)
{
    return is_one_of(kind, subject_kinds, ARRAY_LEN(subject_kinds));
}

struct memory_state memory_state_read(struct str state, struct arena *arena)
{
    const struct json *root;

    if (state.len <= 2 || json_parse(arena, state, &root) < 0)
        return (struct memory_state){0};
    return (struct memory_state){
        .covered = json_get_i64(root, "covered", 0),
        .notes = json_get_bool(root, "notes", false),
    };
}

struct str memory_state_write(
    const struct memory_state *state, struct str former, struct arena *arena)
{
    const struct json *root = NULL;
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (json_parse(arena, former, &root) < 0)
        root = NULL;
    json_init(&w, &out);
    json_object_begin(&w);
    for (const struct json *one = json_first(root); one; one = json_next(one))
        if (!str_is(json_key(one), "covered") && !str_is(json_key(one), "notes")) {
            json_name_str(&w, json_key(one));
            json_put_node(&w, one);
        }
    json_i64_member(&w, "covered", state->covered);
    json_bool_member(&w, "notes", state->notes);
    json_object_end(&w);
    return buf_str(&out);
}

static struct str summary_id(struct str session_id, struct arena *arena)
{
    char hash[65];

    hash_hex(str_printf(arena, "summary\n%.*s", STR_ARG(session_id)), hash);
    return str_dup(arena, str_from(hash));
}

/* The chat's summary row; an empty one when there is none. */
static int read_summary(struct store *store, struct str workspace_id, struct str session_id,
    struct arena *arena, struct memory_row *ret_row)
{
    struct str id = summary_id(session_id, arena);
    int rc = store_get(store, STORE_MEMORIES, workspace_id, id, arena, ret_row);

    if (rc != STORE_MISSING)
        return rc;
    *ret_row = (struct memory_row){
        .workspace_id = workspace_id,
        .id = id,
        .session_id = session_id,
        .kind = STR("summary"),
        .state = STR("active"),
        .subject_kind = STR("chat"),
        .subject = STR(""),
        .body = STR(""),
        .source = STR(""),
        .run_id = STR(""),
    };
    return 0;
}

static void add_note(struct buf *out, const struct memory_row *row)
{
    char date[RFC3339_LEN + 1];

    rfc3339_format(row->created_at, date);
    buf_printf(out, "- %.*s, %.10s", STR_ARG(row->kind), date);
    if (!str_empty(row->subject))
        buf_printf(out, ", %.*s", STR_ARG(row->subject));
    buf_printf(out, ": %.*s\n", STR_ARG(row->body));
}

static int recall_notes(struct store *store, const struct chat_session_row *session,
    struct arena *arena, struct buf *out)
{
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = session->workspace_id,
        .index = 0,
        .value = session->id,
        .descending = true,
        .limit = RECALL_NOTES,
        .cursor = STR("")};
    struct store_page page;
    int64_t tokens = 0;
    int rc = store_list(store, &query, arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        const struct memory_row *row = (const struct memory_row *)page.rows + i;

        if (!str_is(row->state, "active") || str_is(row->kind, "summary"))
            continue;
        tokens += tokens_estimate(row->body) + 16;
        if (tokens > RECALL_TOKENS)
            break;
        add_note(out, row);
    }
    return rc;
}

int memory_recall(struct store *store, const struct chat_session_row *session, bool whole,
    struct arena *arena, struct str *ret_text)
{
    struct memory_state state = memory_state_read(session->state, arena);
    struct buf out = BUF_IN(arena), notes = BUF_IN(arena);
    struct memory_row summary = {0};
    int rc = 0;

    if (!whole && state.covered > 0)
        rc = read_summary(store, session->workspace_id, session->id, arena, &summary);
    if (rc == 0 && state.notes)
        rc = recall_notes(store, session, arena, &notes);
    if (rc < 0)
        return rc;
    if (!str_empty(summary.body))
        buf_printf(&out, "Earlier in this chat:\n%.*s\n", STR_ARG(summary.body));
    if (notes.len > 0)
        buf_printf(&out, "Your notes of this chat, newest first:\n%.*s", STR_ARG(buf_str(&notes)));
    *ret_text = buf_str(&out);
    return 0;
}

/* Messages after number after, oldest first; ret_last: the number of the last one. */
static int read_messages(struct store *store, struct str workspace_id, struct str session_id,
    int64_t after, struct arena *arena, struct message_row **ret_messages, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = workspace_id,
        .index = STORE_CHILDREN,
        .value = session_id,
        .descending = true,
        .limit = READ_PAGE,
        .cursor = STR("")};
    struct message_row *messages = arena_array(arena, struct message_row, READ_MOST);
    struct store_page page;
    size_t count = 0;
    bool more = true;

    while (more) {
        int rc = messages_list(store, &query, arena, &page);

        if (rc != 0)
            return rc;
        for (size_t i = 0; more && i < page.count; i++) {
            const struct message_row *row = (const struct message_row *)page.rows + i;

            more = row->seq > after && count < READ_MOST;
            if (more)
                messages[READ_MOST - ++count] = *row;
        }
        query.cursor = page.cursor;
        more = more && !str_empty(page.cursor);
    }
    *ret_messages = messages + READ_MOST - count;
    *ret_count = count;
    return 0;
}

/* Store a row together with the session's state as change() makes it of what it is now. The two in
 * one commit: nothing of a chat that is erased at the same time comes back. Somebody who writes to
 * the session meanwhile makes it another try. 0; STORE_EXISTS when the row is there; ERR_*. */
static int store_with_state(struct store *store, struct memory_row *row, bool replace,
    struct arena *arena, void (*change)(struct memory_state *state, const struct memory_row *row))
{
    int rc = STORE_CONFLICT;

    for (int i = 0; i < TRIES && rc == STORE_CONFLICT; i++) {
        struct chat_session_row session;
        struct memory_state state;
        struct store_batch batch;

        rc = store_get(
            store, STORE_CHAT_SESSIONS, row->workspace_id, row->session_id, arena, &session);
        if (rc != 0)
            break;
        state = memory_state_read(session.state, arena);
        change(&state, row);
        session.state = memory_state_write(&state, session.state, arena);
        store_batch_init(&batch, arena);
        store_update(&batch, STORE_CHAT_SESSIONS, &session);
        if (replace)
            store_put(&batch, STORE_MEMORIES, row);
        else
            store_insert(&batch, STORE_MEMORIES, row);
        rc = store_commit(store, &batch);
    }
    if (rc == STORE_MISSING)
        return err_field(ERR_NOT_FOUND, "session_id", "There is no session with this id.");
    if (rc == STORE_CONFLICT)
        return err_set(ERR_UNAVAILABLE, "Too many write to this session at once; try again.");
    return rc;
}

static void mark_notes(struct memory_state *state, const struct memory_row *row)
{
    (void)row;
    state->notes = true;
}

int memory_add(
    struct store *store, const struct env *env, struct arena *arena, struct memory_row *row)
{
    int rc;

    if (str_empty(row->id))
        row->id = ulid_new(env, arena);
    row->version = 1;
    row->state = STR("active");
    row->created_at = row->updated_at = env_wall_ms(env);
    rc = store_with_state(store, row, false, arena, mark_notes);
    return rc == STORE_EXISTS ? 0 : rc;
}

/* The same note of the same message has the same id, however often and by whomever it is made. */
static struct str note_id(struct str session_id, const struct memory_row *row, struct arena *arena)
{
    char hash[65];

    hash_hex(str_printf(arena, "%.*s\n%lld\n%.*s\n%.*s", STR_ARG(session_id),
                 (long long)row->message_seq, STR_ARG(row->kind), STR_ARG(row->body)),
        hash);
    return str_dup(arena, str_from(hash));
}

static void advance_covered(struct memory_state *state, const struct memory_row *summary)
{
    state->covered = MAX(state->covered, summary->message_seq);
}

static int make_notes(const struct agent_house *house, const struct message_row *messages,
    size_t count, struct str summary, struct arena *arena, struct memory_notes *ret_notes)
{
    struct str name = str_from(house->config->agent_name);

    /* Where somebody hides data from models, none is shown the chat to sum it up. */
    bool hidden = house->agents && house->agents->rewrites;

    if (house->model_count > 0 && !hidden && !model_is_builtin(house->models[0])) {
        if (memory_notes_model(
                house->models[0], house, messages, count, summary, arena, ret_notes) == 0)
            return 0;
        if (fiber_is_cancelled())
            return err_set(ERR_CANCELLED, "The work was cancelled.");
        log_warn("memory.model_failed", LOG_ERR);
    }
    memory_notes_digest(messages, count, summary, name, arena, ret_notes);
    return 0;
}

/* Store the notes, then the summary with how far they reach: who repeats this after a crash makes
 * the same notes under the same ids. */
static int store_notes(const struct agent_house *house, struct memory_row *summary,
    const struct memory_notes *notes, struct arena *arena)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < notes->count; i++) {
        struct memory_row *row = &notes->rows[i];

        row->workspace_id = summary->workspace_id;
        row->session_id = summary->session_id;
        row->id = note_id(summary->session_id, row, arena);
        rc = memory_add(house->store, house->env, arena, row);
    }
    if (rc < 0)
        return rc;
    summary->body = notes->summary;
    summary->updated_at = env_wall_ms(house->env);
    if (summary->created_at == 0)
        summary->created_at = summary->updated_at;
    return store_with_state(house->store, summary, true, arena, advance_covered);
}

/* What a tainted run answered may say what somebody else wanted it to; a note of it would taint
 * nobody. So where there may be such an answer among the messages, those of people are noted alone.
 */
static size_t leave_out_tainted(
    struct message_row *messages, size_t count, struct str state, struct arena *arena)
{
    size_t kept = 0;

    if (taint_last(state, arena) < messages[0].seq)
        return count;
    for (size_t i = 0; i < count; i++)
        if (str_is(messages[i].direction, "in"))
            messages[kept++] = messages[i];
    return kept;
}

static int write_in(const struct agent_house *house, struct str workspace_id, struct str session_id,
    struct arena *arena, size_t *ret_notes)
{
    struct message_row *messages = NULL;
    struct memory_notes notes = {0};
    struct chat_session_row session;
    struct memory_row summary;
    size_t count = 0;
    int rc = read_summary(house->store, workspace_id, session_id, arena, &summary);

    if (rc == 0)
        rc = read_messages(
            house->store, workspace_id, session_id, summary.message_seq, arena, &messages, &count);
    if (rc < 0 || count == 0)
        return rc;
    /* Read behind the messages: an answer among them is in its state already. */
    rc = store_get(house->store, STORE_CHAT_SESSIONS, workspace_id, session_id, arena, &session);
    if (rc != 0)
        return MIN(rc, 0); /* deleted meanwhile */
    summary.message_seq = messages[count - 1].seq;
    count = leave_out_tainted(messages, count, session.state, arena);
    rc = make_notes(house, messages, count, summary.body, arena, &notes);
    if (rc < 0)
        return rc;
    rc = store_notes(house, &summary, &notes, arena);
    if (rc == 0)
        *ret_notes = notes.count;
    return rc == ERR_NOT_FOUND ? 0 : rc; /* deleted meanwhile */
}

int memory_write(const struct agent_house *house, struct str workspace_id, struct str session_id,
    size_t *ret_notes)
{
    struct arena arena;
    int rc;

    *ret_notes = 0;
    arena_init(&arena);
    rc = write_in(house, workspace_id, session_id, &arena, ret_notes);
    arena_deinit(&arena);
    return rc;
}

struct work {
    const struct agent_house *house;
    struct arena arena;
    struct str workspace_id, session_id;
};

static void write_later(void *arg)
{
    struct work *work = arg;
    size_t notes = 0;

    fiber_set_deadline(loop_now_ms(fiber_loop()) + WRITE_TIMEOUT_MS);
    if (memory_write(work->house, work->workspace_id, work->session_id, &notes) < 0)
        log_warn("memory.failed", LOG_STR("session_id", work->session_id), LOG_ERR);
    else
        log_debug("memory.written", LOG_STR("session_id", work->session_id),
            LOG_I64("notes", (int64_t)notes));
    arena_deinit(&work->arena);
    free(work);
}

void memory_after_run(const struct agent_house *house, const struct chat_session_row *session)
{
    int64_t every = house->config->memory_every_messages;
    struct memory_state state = {0};
    struct work *work;

    if (every == 0 || session->message_count < every)
        return;
    work = xcalloc(1, sizeof(*work));
    arena_init(&work->arena);
    state = memory_state_read(session->state, &work->arena);
    if (session->message_count - state.covered < every) {
        arena_deinit(&work->arena);
        free(work);
        return;
    }
    work->house = house;
    work->workspace_id = str_dup(&work->arena, session->workspace_id);
    work->session_id = str_dup(&work->arena, session->id);
    fiber_spawn(fiber_loop(), "memory.write", write_later, work);
}
