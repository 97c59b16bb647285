#include "host/first_start.h"

#include "secure/keys.h"
#include "store/api_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The key in the file, or "" when there is no such file or it holds something else. */
static struct str read_key_file(const char *path, struct arena *arena)
{
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    struct str key = len > 0 ? str_trim((struct str){text, (size_t)len}) : STR("");

    if (fd >= 0)
        close(fd);
    return str_dup(arena, key);
}

static int write_key_file(const char *path, const char *key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = fd >= 0 && fchmod(fd, 0600) == 0 && dprintf(fd, "%s\n", key) > 0 && fsync(fd) == 0;
    int cause = errno;

    if (fd >= 0)
        close(fd);
    if (!done)
        return err_set(
            ERR_IO, "the first API key cannot be written to %s: %s", path, strerror(cause));
    return 0;
}

static int adopt_key(
    struct boot *boot, const char *id, const unsigned char *hash, struct arena *arena)
{
    struct buf hex = BUF_IN(arena);
    struct store_batch batch;
    struct api_key_row row = {.workspace_id = BOOT_WORKSPACE,
        .id = str_from(id),
        .name = STR("admin"),
        .scopes = STR("admin"),
        .user_id = STR(""),
        .rotated_to = STR(""),
        .kind = STR("key"),
        .created_at = env_wall_ms(boot->env)};
    int rc;

    for (size_t i = 0; i < API_KEY_HASH_LEN; i++)
        buf_printf(&hex, "%02x", hash[i]);
    row.hash = buf_str(&hex);
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_API_KEYS, &row);
    rc = store_commit(boot->store, &batch);
    return rc == STORE_EXISTS ? 0 : rc;
}

static int make_key(struct boot *boot, struct arena *arena, struct first_start *result)
{
    struct api_key_request request = {
        .workspace_id = BOOT_WORKSPACE, .name = STR("admin"), .scopes = STR("admin")};
    const char *path = boot_path(boot, "admin.key", arena).ptr;
    unsigned char hash[API_KEY_HASH_LEN];
    char key[API_KEY_LEN + 1], id[API_KEY_ID_LEN + 1];
    struct api_key_row row;
    int rc;

    if (api_key_parse(read_key_file(path, arena), id, hash))
        return adopt_key(boot, id, hash, arena);
    rc = api_key_create(boot->store, boot->env, &request, arena, key, &row);
    if (rc == 0)
        rc = write_key_file(path, key);
    result->key_written = rc == 0;
    memset(key, 0, sizeof(key));
    return rc;
}

static int ensure_key(struct boot *boot, struct arena *arena, struct first_start *result)
{
    struct store_query query = {.entity = STORE_API_KEYS,
        .workspace_id = BOOT_WORKSPACE,
        .index = 1,
        .value = STR("key"),
        .limit = 1,
        .cursor = STR("")};
    struct store_page page;
    int rc = store_list(boot->store, &query, arena, &page);

    if (rc != 0 || page.count > 0)
        return rc;
    return make_key(boot, arena, result);
}

struct recovering {
    const struct agent_house *house;
    size_t count;
};

static int recover(void *ctx, const struct workspace_row *row)
{
    struct recovering *recovering = ctx;
    size_t count = 0;
    int rc = run_recover(recovering->house, row->id, &count);

    recovering->count += count;
    return rc;
}

static int recover_all(struct boot *boot, size_t *ret_count)
{
    struct recovering recovering = {.house = &boot->house};
    int rc = store_each_workspace(boot->store, recover, &recovering);

    *ret_count = recovering.count;
    return rc;
}

int first_start(struct boot *boot, void *arg)
{
    struct first_start *result = arg;
    struct arena arena;
    int rc = store_workspace(boot->store, BOOT_WORKSPACE);

    arena_init(&arena);
    if (rc == 0)
        rc = ensure_key(boot, &arena, result);
    if (rc == 0 && boot->api.sole_at_start)
        rc = recover_all(boot, &result->recovered);
    arena_deinit(&arena);
    return rc;
}
