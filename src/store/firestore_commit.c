/* Committing a plan: one documents:commit with a precondition for each document.
 *
 * A commit that is refused met somebody else's: the plan is made again from what is there now, and
 * either finds the batch's outcome or is committed again. A commit whose answer was lost is known
 * again by the name of the write that its rows bear. */
#include "base/log.h"
#include "store/firestore.h"
#include "store/sorted.h"

/* Requests that are built up to their limits. */
struct request {
    struct buf body;
    struct json_writer w;
    size_t writes;
};

static void request_begin(struct request *request, struct arena *arena)
{
    *request = (struct request){.body = BUF_IN(arena)};
    json_init(&request->w, &request->body);
    json_object_begin(&request->w);
    json_name(&request->w, "writes");
    json_array_begin(&request->w);
}

static int request_send(struct fs_plan *plan, struct request *request, bool *ret_unsure)
{
    struct fs_reply reply = {0};
    int r;

    json_array_end(&request->w);
    json_object_end(&request->w);
    if (request->writes == 0)
        return 0;
    if (request->body.len > FS_BYTES_MAX)
        return err_set(ERR_TOO_LARGE,
            "The batch is too large for Firestore (%zu bytes, %d at most): commit it in pieces.",
            request->body.len, FS_BYTES_MAX);
    r = fs_call(plan->fs, plan->arena, "commit", buf_str(&request->body), &reply);
    if (r == FS_REFUSED)
        *ret_unsure = reply.unsure;
    return r;
}

static void write_delete(struct request *request, struct str name)
{
    json_object_begin(&request->w);
    json_str_member(&request->w, "delete", name);
    json_object_end(&request->w);
    request->writes++;
}

/* A part names its row, so that one whose row never came can be told from the others. */
static void write_part(struct fs_plan *plan, struct request *request, const struct fs_split *split,
    struct str row, int64_t number)
{
    size_t from = (size_t)number * FS_PART;

    json_object_begin(&request->w);
    json_name(&request->w, "update");
    json_object_begin(&request->w);
    json_str_member(
        &request->w, "name", fs_part_name(plan->fs, split->part_id, number, plan->arena));
    json_name(&request->w, "fields");
    json_object_begin(&request->w);
    fs_write_text(&request->w, "row", row);
    fs_write_text(&request->w, "part_id", split->part_id);
    fs_write_bytes(&request->w, "bytes", str_slice(split->bytes, from, from + FS_PART));
    json_object_end(&request->w);
    json_object_end(&request->w);
    json_object_end(&request->w);
    request->writes++;
}

static void write_marker(struct request *request, const struct fs_entry *entry)
{
    json_object_begin(&request->w);
    json_str_member(&request->w, "name", entry->name);
    json_name(&request->w, "fields");
    json_object_begin(&request->w);
    fs_write_text(&request->w, "workspace_id", entry->workspace_id);
    fs_write_text(&request->w, "id", entry->id);
    json_object_end(&request->w);
    json_object_end(&request->w);
}

static void write_precondition(struct request *request, const struct fs_entry *entry)
{
    if (entry->was && str_empty(entry->update_time))
        return; /* a marker, guarded by its row */
    json_name(&request->w, "currentDocument");
    json_object_begin(&request->w);
    if (entry->was)
        json_str_member(&request->w, "updateTime", entry->update_time);
    else
        json_bool_member(&request->w, "exists", false);
    json_object_end(&request->w);
}

static void write_entry(struct fs_plan *plan, struct request *request, const struct fs_entry *entry,
    const struct fs_split *split)
{
    if (!entry->touched || (!entry->was && !entry->is))
        return;
    for (int64_t i = 0; i < entry->was_parts; i++)
        write_delete(request, fs_part_name(plan->fs, entry->was_part_id, i, plan->arena));
    json_object_begin(&request->w);
    if (!entry->is) {
        json_str_member(&request->w, "delete", entry->name);
    } else {
        json_name(&request->w, "update");
        if (entry->schema)
            fs_write_row(&request->w, entry->name, entry->schema, entry->row, split, plan->write);
        else
            write_marker(request, entry);
    }
    write_precondition(request, entry);
    json_object_end(&request->w);
    request->writes++;
}

/* Which rows are split, and whether their parts go ahead in commits of their own. */
static struct fs_split *split_rows(struct fs_plan *plan, bool *ret_ahead)
{
    struct fs_split *splits = arena_array(plan->arena, struct fs_split, plan->count + 1);
    size_t total = 0, limit;

    for (size_t i = 0; i < plan->count; i++) {
        const struct fs_entry *entry = plan->entries[i];
        if (entry->schema && entry->touched && entry->is)
            total += fs_row_bytes(entry->schema, entry->row) * 3 / 2;
    }
    *ret_ahead = total > FS_BYTES_GOOD;
    limit = *ret_ahead ? FS_INLINE_SMALL : FS_INLINE_MAX;
    for (size_t i = 0; i < plan->count; i++) {
        const struct fs_entry *entry = plan->entries[i];
        if (!entry->schema || !entry->touched || !entry->is ||
            fs_row_bytes(entry->schema, entry->row) <= limit)
            continue;
        splits[i] = fs_split_row(entry->schema, entry->row, plan->arena);
        splits[i].part_id =
            str_printf(plan->arena, "%.*s-%d-%zu", STR_ARG(plan->write), plan->attempt, i);
    }
    return splits;
}

/* Nobody reads the parts before their row is there: they may come earlier, and go if it fails. */
static int send_parts(struct fs_plan *plan, const struct fs_split *splits)
{
    struct request request;
    bool unsure;
    int r = 0;

    request_begin(&request, plan->arena);
    for (size_t i = 0; r == 0 && i < plan->count; i++) {
        for (int64_t part = 0; r == 0 && part < splits[i].parts; part++) {
            if (request.body.len > FS_BYTES_GOOD / 2) {
                r = request_send(plan, &request, &unsure);
                request_begin(&request, plan->arena);
            }
            write_part(plan, &request, &splits[i], plan->entries[i]->name, part);
        }
    }
    return r == 0 ? request_send(plan, &request, &unsure) : r;
}

static void drop_parts(struct fs_plan *plan, const struct fs_split *splits)
{
    struct request request;
    bool unsure;

    request_begin(&request, plan->arena);
    for (size_t i = 0; i < plan->count; i++)
        for (int64_t part = 0; part < splits[i].parts; part++)
            write_delete(&request, fs_part_name(plan->fs, splits[i].part_id, part, plan->arena));
    if (request_send(plan, &request, &unsure) != 0)
        log_warn("firestore.parts_left", LOG_STR("part_id", plan->write), LOG_ERR);
}

/* A large delete_all goes ahead in commits of its own, until the rest fits into one. The values
 * that its rows held go with them. */
static int send_bulk(struct fs_plan *plan, bool *ret_unsure)
{
    static const struct fs_split none;
    struct request request;
    size_t left = 0;
    int r = 0;

    for (size_t i = 0; i < plan->count; i++)
        left += plan->entries[i]->touched;
    request_begin(&request, plan->arena);
    for (size_t i = 0; r == 0 && i < plan->count; i++) {
        struct fs_entry *entry = plan->entries[i];
        if (!entry->bulk || entry->is || !entry->was || left <= FS_WRITES_MAX)
            continue;
        write_entry(plan, &request, entry, &none);
        entry->touched = false;
        left--;
        if (request.writes + 100 > FS_WRITES_MAX) {
            r = request_send(plan, &request, ret_unsure);
            request_begin(&request, plan->arena);
        }
    }
    return r == 0 ? request_send(plan, &request, ret_unsure) : r;
}

static int send_plan(struct fs_plan *plan, bool *ret_unsure)
{
    struct request request;
    bool ahead;
    struct fs_split *splits = split_rows(plan, &ahead);
    int r = send_bulk(plan, ret_unsure);

    if (r == 0 && ahead)
        r = send_parts(plan, splits);
    if (r != 0)
        return r;
    request_begin(&request, plan->arena);
    for (size_t i = 0; i < plan->count; i++) {
        for (int64_t part = 0; !ahead && part < splits[i].parts; part++)
            write_part(plan, &request, &splits[i], plan->entries[i]->name, part);
        write_entry(plan, &request, plan->entries[i], &splits[i]);
    }
    r = request_send(plan, &request, ret_unsure);
    if (ahead && r != 0 && r != ERR_TIMEOUT && !(r == FS_REFUSED && *ret_unsure))
        drop_parts(plan, splits);
    return r;
}

/* Did a commit whose answer was lost write what is there now? Asked after every refusal, not only
 * when an attempt is known to have failed: the HTTP client may have sent a request again by itself
 * when a kept-alive connection broke. */
static bool is_ours(const struct fs_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i]->was && str_eq(plan->entries[i]->write, plan->write))
            return true;
    return false;
}

/* One plan and its commit: 0, AGAIN, an outcome, or ERR_*. */
#define AGAIN 100
static int try_once(struct fs_plan *plan, bool *unsure)
{
    bool lost = false;
    int r = fs_plan_make(plan);

    if (plan->careful && r >= 0 && is_ours(plan))
        return 0;
    if (*unsure && r == STORE_CONFLICT)
        return err_set(ERR_TIMEOUT, "Firestore did not say whether it wrote, and the row was "
                                    "changed since: read it again.");
    if (r != 0)
        return r;
    r = send_plan(plan, &lost);
    *unsure = *unsure || lost;
    return r == FS_REFUSED ? AGAIN : r;
}

int fs_commit(struct store_backend *fs, struct store_batch *batch)
{
    struct arena arena;
    char write[ULID_LEN + 1];
    bool unsure = false;
    int r = AGAIN;

    ulid_make(fs->env, write);
    for (int i = 0; r == AGAIN && i < FS_COMMIT_TRIES; i++) {
        struct fs_plan plan = {.fs = fs,
            .arena = &arena,
            .batch = batch,
            .write = str_from(write),
            .attempt = i,
            .careful = i > 0};
        struct sorted map;
        int slept = i > 1 ? fs_back_off(fs, MIN(i - 2, 4)) : 0;
        if (slept < 0)
            return slept;
        arena_init(&arena);
        sorted_init(&map);
        plan.map = &map;
        r = try_once(&plan, &unsure);
        sorted_deinit(&map, NULL);
        arena_deinit(&arena);
    }
    if (r == AGAIN)
        return err_set(unsure ? ERR_TIMEOUT : ERR_UNAVAILABLE,
            "Firestore goes on refusing a write for contention: too many writers at one row.");
    return r;
}
