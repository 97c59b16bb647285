#include "agent/ledger.h"

#include "secure/keys.h"

/* A commit whose outcome is unknown (ERR_TIMEOUT) is repeated: keys make that harmless. */
#define COMMIT_TRIES 3

static struct str effect_key(
    const struct ledger_intent *intent, struct str args, struct arena *arena)
{
    char hash[65];

    hash_hex(
        str_printf(arena, "%.*s\n%s\n%.*s", STR_ARG(intent->seed), intent->tool, STR_ARG(args)),
        hash);
    return str_dup(arena, str_from(hash));
}

static struct str write_result(const struct tool_result *result, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "content", result->content);
    json_str_member(&w, "summary", result->summary);
    json_str_member(&w, "event", result->event);
    if (result->untrusted)
        json_bool_member(&w, "untrusted", true);
    json_name(&w, "citations");
    json_array_begin(&w);
    for (size_t i = 0; i < result->citation_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "url", result->citations[i].url);
        json_str_member(&w, "title", result->citations[i].title);
        json_str_member(&w, "quote", result->citations[i].quote);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static int read_result(struct str text, struct arena *arena, struct tool_result *ret_result)
{
    const struct json *root, *list;
    struct tool_citation *citations;
    size_t count = 0;

    if (json_parse(arena, text, &root) < 0)
        return err_set(ERR_CORRUPT, "The recorded result of an effect is not readable.");
    list = json_get(root, "citations");
    citations = arena_array(arena, struct tool_citation, json_len(list));
    for (const struct json *node = json_first(list); node; node = json_next(node))
        citations[count++] = (struct tool_citation){
            json_get_str(node, "url"), json_get_str(node, "title"), json_get_str(node, "quote")};
    *ret_result = (struct tool_result){
        .content = json_get_str(root, "content"),
        .summary = json_get_str(root, "summary"),
        .event = json_get_str(root, "event"),
        .citations = citations,
        .citation_count = count,
        .untrusted = json_get_bool(root, "untrusted", false),
    };
    return 0;
}

static int commit(struct store *store, struct store_batch *batch)
{
    int rc = ERR_TIMEOUT;

    for (int i = 0; i < COMMIT_TRIES && rc == ERR_TIMEOUT; i++)
        rc = store_commit(store, batch);
    return rc;
}

/* The effect was recorded before: by this run, by one that died, or by one that was answered. */
static int meet(struct store *store, struct ledger_entry *entry, bool keyed, struct arena *arena,
    struct tool_result *ret_result)
{
    struct effect_row row;
    int rc = store_get(store, STORE_EFFECTS, entry->row.workspace_id, entry->row.id, arena, &row);

    if (rc == STORE_MISSING)
        return err_set(
            ERR_CONFLICT, "A recorded effect was deleted meanwhile; repeat the request.");
    if (rc < 0)
        return rc;
    entry->row = row;
    if (!str_is(row.state, "done"))
        return keyed || str_is(row.state, "failed") ? 0 : LEDGER_OPEN;
    rc = read_result(row.result, arena, ret_result);
    return rc < 0 ? rc : LEDGER_REUSED;
}

int ledger_begin(struct store *store, const struct env *env, const struct ledger_intent *intent,
    struct arena *arena, struct ledger_entry *ret_entry, struct tool_result *ret_result,
    bool *ret_events_stored)
{
    struct str args = json_canonical(arena, intent->args);
    int64_t now = env_wall_ms(env);
    struct ledger_entry entry = {.row = {
                                     .workspace_id = intent->workspace_id,
                                     .id = effect_key(intent, args, arena),
                                     .run_id = intent->run_id,
                                     .tool = str_from(intent->tool),
                                     .state = STR("intended"),
                                     .arguments = args,
                                     .result = STR(""),
                                     .created_at = now,
                                     .updated_at = now,
                                 }};
    struct store_batch batch;
    bool events_stored;
    int rc;

    store_batch_init(&batch, arena);
    if (intent->events)
        store_insert(&batch, STORE_AGENT_ACTIONS, intent->events);
    store_insert(&batch, STORE_EFFECTS, &entry.row);
    rc = commit(store, &batch);
    /* When it is the events that exist, an earlier try was written after all. */
    events_stored = intent->events && (rc == 0 || (rc == STORE_EXISTS && batch.failed == 0));
    if (rc == STORE_EXISTS)
        rc = meet(store, &entry, intent->keyed, arena, ret_result);
    if (rc < 0)
        return rc;
    *ret_entry = entry;
    *ret_events_stored = events_stored;
    return rc;
}

bool ledger_is_unknown(int outcome)
{
    return outcome == ERR_TIMEOUT || outcome == ERR_CANCELLED || outcome == ERR_IO;
}

static const char *state_after(int outcome)
{
    if (outcome == 0)
        return "done";
    if (ledger_is_unknown(outcome))
        return "unknown";
    return "failed";
}

int ledger_end(struct store *store, const struct env *env, struct ledger_entry *entry, int outcome,
    const struct tool_result *result, struct arena *arena)
{
    struct store_batch batch;

    entry->row.state = str_from(state_after(outcome));
    entry->row.result = outcome == 0 ? write_result(result, arena) : STR("");
    entry->row.updated_at = env_wall_ms(env);
    entry->row.version = 0;
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_EFFECTS, &entry->row);
    return commit(store, &batch);
}
