/* store "firestore://PROJECT/DATABASE": Google Cloud Firestore in native mode, by REST. */
#include "store/firestore.h"

#include "runtime/loop.h"
#include "watch/metrics.h"

#include <stdlib.h>

#define PREFIX "firestore://"
#define ENDPOINT "https://firestore.googleapis.com"
#define WRITE_PROBE_MS                                                                             \
    (10 * SECOND_MS) /* health: how long a commit proves that it can be written */

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!(name.ptr[i] >= 'a' && name.ptr[i] <= 'z') && !char_is_digit(name.ptr[i]) &&
            !strchr("-_.:", name.ptr[i]))
            return false;
    return name.len > 0 && name.len <= 128;
}

static int parse_url(struct store_backend *fs, struct str url)
{
    struct str rest = str_slice(url, sizeof(PREFIX) - 1, url.len), project;
    const char *emulator = getenv(FS_EMULATOR);
    struct str database;

    if (!str_starts(url, STR(PREFIX)) || !str_next(&rest, '/', &project) || !is_name(project))
        return err_field(ERR_INVALID, "store",
            "The setting store must be firestore://PROJECT or firestore://PROJECT/DATABASE, not "
            "%.*s.",
            STR_ARG(url));
    database = rest.ptr ? rest : STR("(default)");
    if (!str_is(database, "(default)") && !is_name(database))
        return err_field(ERR_INVALID, "store",
            "\"%.*s\" is no name of a Firestore database: most projects have (default).",
            STR_ARG(database));
    fs->database =
        str_printf(&fs->arena, "projects/%.*s/databases/%.*s", STR_ARG(project), STR_ARG(database));
    fs->url = str_printf(&fs->arena, "%s%s/v1/%.*s", emulator && *emulator ? "http://" : ENDPOINT,
        emulator && *emulator ? emulator : "", STR_ARG(fs->database));
    return 0;
}

struct meta_work {
    struct store_backend *fs;
    const char *name;
    struct str value;
    struct arena *arena;
};

static int get_meta(void *arg)
{
    struct meta_work *work = arg;
    struct str name = fs_meta_name(work->fs, work->name, work->arena);
    const struct json *doc;
    int r = fs_get_docs(work->fs, &name, 1, true, work->arena, &doc);

    if (r == 0)
        work->value = str_dup(work->arena, fs_read_text(json_get(doc, "fields"), "value"));
    return r;
}

int fs_meta_get(
    struct store_backend *fs, const char *name, struct arena *arena, struct str *ret_value)
{
    struct meta_work work = {fs, name, STR(""), arena};
    int r = loop_call(fs->env, get_meta, &work);

    if (r == 0)
        *ret_value = work.value;
    return r;
}

static int set_meta(void *arg)
{
    struct meta_work *work = arg;
    struct buf body = BUF_IN(work->arena);
    struct fs_reply reply;
    struct json_writer w;
    int r;

    json_init(&w, &body);
    json_object_begin(&w);
    json_name(&w, "writes");
    json_array_begin(&w);
    json_object_begin(&w);
    json_name(&w, "update");
    json_object_begin(&w);
    json_str_member(&w, "name", fs_meta_name(work->fs, work->name, work->arena));
    json_name(&w, "fields");
    json_object_begin(&w);
    fs_write_text(&w, "value", work->value);
    json_object_end(&w);
    json_object_end(&w);
    json_object_end(&w);
    json_array_end(&w);
    json_object_end(&w);
    for (int i = 0; i < FS_ATTEMPTS; i++) {
        r = fs_call(work->fs, work->arena, "commit", buf_str(&body), &reply);
        if (r != FS_REFUSED)
            return r;
        r = fs_back_off(work->fs, i);
        if (r < 0)
            return r;
    }
    return err_set(ERR_UNAVAILABLE, "Firestore goes on aborting a write for contention.");
}

int fs_meta_set(struct store_backend *fs, const char *name, struct str value)
{
    struct arena arena;
    int r;

    arena_init(&arena);
    r = loop_call(fs->env, set_meta, &(struct meta_work){fs, name, value, &arena});
    arena_deinit(&arena);
    return r;
}

static int check_schema(struct store_backend *fs)
{
    struct arena arena;
    struct str schema;
    int r;

    arena_init(&arena);
    r = fs_meta_get(fs, "schema", &arena, &schema);
    if (r == 0 && str_empty(schema))
        r = fs_meta_set(fs, "schema", STR(FS_SCHEMA));
    else if (r == 0 && !str_is(schema, FS_SCHEMA))
        r = err_set(ERR_CORRUPT,
            "The data in %.*s have schema %.*s, and this program knows %s: use the program that "
            "wrote them, or a newer one.",
            STR_ARG(fs->database), STR_ARG(schema), FS_SCHEMA);
    arena_deinit(&arena);
    return r;
}

static void fs_close(struct store_backend *fs)
{
    pthread_mutex_destroy(&fs->mutex);
    arena_deinit(&fs->arena);
    free(fs);
}

static int fs_open(const struct config *config, const char *url, const struct env *env,
    struct store_backend **ret_backend)
{
    struct store_backend *fs = xcalloc(1, sizeof(*fs));
    int r;

    (void)config;
    fs->env = env;
    fs->attempts = FS_ATTEMPTS_AT_OPEN;
    arena_init(&fs->arena);
    pthread_mutex_init(&fs->mutex, NULL);
    r = parse_url(fs, str_from(url));
    if (r == 0)
        r = check_schema(fs);
    if (r < 0) {
        fs_close(fs);
        return r;
    }
    fs->attempts = FS_ATTEMPTS;
    *ret_backend = fs;
    return 0;
}

/* Reads, and writes unless a commit has just shown that this works. Now and then it also removes
 * what processes that died left behind. */
static int fs_health(struct store_backend *fs)
{
    struct arena arena;
    struct str value;
    int64_t last;
    int r;

    pthread_mutex_lock(&fs->mutex);
    last = fs->last_commit_ms;
    pthread_mutex_unlock(&fs->mutex);
    arena_init(&arena);
    if (last != 0 && env_mono_ms(fs->env) - last < WRITE_PROBE_MS)
        r = fs_meta_get(fs, "schema", &arena, &value);
    else
        r = fs_meta_set(fs, "health", rfc3339(&arena, env_wall_ms(fs->env)));
    arena_deinit(&arena);
    return r < 0 ? r : fs_sweep_when_due(fs);
}

static int commit_counted(struct store_backend *fs, struct store_batch *batch)
{
    int r = fs_commit(fs, batch);

    pthread_mutex_lock(&fs->mutex);
    fs->stats.batches += r == 0;
    fs->stats.commits += r == 0;
    fs->stats.errors += r < 0;
    if (r == 0)
        fs->last_commit_ms = env_mono_ms(fs->env);
    pthread_mutex_unlock(&fs->mutex);
    if (r == 0)
        metric_add(M_STORE_COMMITS, NULL, 1);
    return r;
}

static void fs_stats(struct store_backend *fs, struct store_stats *ret_stats)
{
    pthread_mutex_lock(&fs->mutex);
    *ret_stats = fs->stats;
    pthread_mutex_unlock(&fs->mutex);
}

const struct store_ops store_firestore = {
    .name = "firestore",
    .open = fs_open,
    .close = fs_close,
    .health = fs_health,
    .commit = commit_counted,
    .get = fs_get,
    .find = fs_find,
    .list = fs_list,
    .scan = fs_scan,
    .meta_get = fs_meta_get,
    .meta_set = fs_meta_set,
    .stats = fs_stats,
};
