#include "secure/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_LEN ((size_t)2 * SEAL_KEY_LEN)

static int open_failed(const char *path)
{
    if (errno == ENOENT)
        return err_set(ERR_NOT_FOUND,
            "the master key file %s does not exist: put the key there, or correct the setting",
            path);
    if (errno == EACCES)
        return err_set(ERR_DENIED,
            "the master key file %s may not be read by this user; run as its owner", path);
    return err_set(ERR_IO, "the master key file %s cannot be opened: %s", path, strerror(errno));
}

static int check_file(int fd, const char *path, bool secret)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_set(ERR_IO, "the master key file %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(ERR_CORRUPT, "the master key file %s is not a file", path);
    if (secret && st.st_mode & 077)
        return err_set(ERR_DENIED,
            "the master key file %s can be read by other users; run: chmod 600 %s", path, path);
    return 0;
}

static int decode(
    const char *text, size_t len, const char *path, unsigned char ret_key[SEAL_KEY_LEN])
{
    unsigned char key[SEAL_KEY_LEN];
    size_t key_len = 0;

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (len != HEX_LEN || sodium_hex2bin(key, sizeof(key), text, len, NULL, &key_len, NULL) != 0 ||
        key_len != sizeof(key))
        return err_set(ERR_CORRUPT,
            "the master key file %s does not hold 64 hex digits; restore it from its backup", path);
    memcpy(ret_key, key, sizeof(key));
    sodium_memzero(key, sizeof(key));
    return 0;
}

static int read_key(const char *path, bool secret, unsigned char ret_key[SEAL_KEY_LEN])
{
    char text[HEX_LEN + 8];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return open_failed(path);

    int r = check_file(fd, path, secret);

    if (r == 0) {
        ssize_t len = read(fd, text, sizeof(text));

        r = len < 0 ? err_set(ERR_IO, "the master key file %s cannot be read: %s", path,
                          strerror(errno))
                    : decode(text, (size_t)len, path, ret_key);
    }
    close(fd);
    sodium_memzero(text, sizeof(text));
    return r;
}

int key_file_read(const char *path, unsigned char ret_key[SEAL_KEY_LEN])
{
    return read_key(path, true, ret_key);
}

int key_file_read_mounted(const char *path, unsigned char ret_key[SEAL_KEY_LEN])
{
    return read_key(path, false, ret_key);
}

/* A file's name is durable only when its folder is synced too. */
static int sync_folder(const char *path)
{
    char *copy = xstrdup(path), *slash = strrchr(copy, '/');
    const char *folder = ".";

    if (slash == copy)
        folder = "/";
    else if (slash)
        *slash = '\0', folder = copy;

    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd >= 0 && fsync(fd) == 0 ? 0 : -1;

    if (fd >= 0)
        close(fd);
    free(copy);
    return r;
}

static int write_key(const struct env *env, int fd)
{
    unsigned char key[SEAL_KEY_LEN];
    char text[HEX_LEN + 1];
    bool done;

    env->random(env->ctx, key, sizeof(key));
    sodium_bin2hex(text, sizeof(text), key, sizeof(key));
    text[HEX_LEN] = '\n';
    done = fchmod(fd, 0600) == 0 && write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) &&
           fsync(fd) == 0;
    sodium_memzero(key, sizeof(key));
    sodium_memzero(text, sizeof(text));
    return done ? 0 : -1;
}

/* Written under another name and then linked: nobody ever sees half a key, and of two processes
 * that start at once one makes the key and the other reads it. */
int key_file_create(const struct env *env, const char *path)
{
    struct buf temporary = BUF_HEAP;
    int r = 0;

    buf_printf(&temporary, "%s.%016llx", path, (unsigned long long)env_random_u64(env));

    int fd = open(temporary.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || write_key(env, fd) != 0)
        r = err_set(errno == EACCES   ? ERR_DENIED
                    : errno == ENOSPC ? ERR_FULL
                                      : ERR_IO,
            "the master key file %s cannot be written: %s", path, strerror(errno));
    else if (link(temporary.ptr, path) != 0)
        r = err_set(errno == EEXIST ? ERR_EXISTS : ERR_IO,
            "the master key file %s cannot be made: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(temporary.ptr);
    }
    if (r == 0 && sync_folder(path) != 0)
        r = err_set(ERR_IO, "the folder of %s cannot be synced: %s", path, strerror(errno));
    buf_deinit(&temporary);
    return r;
}

int key_file_promote(const char *path)
{
    struct buf old = BUF_HEAP, next = BUF_HEAP;
    int r = 0;

    buf_printf(&old, "%s.old", path);
    buf_printf(&next, "%s.next", path);
    if ((unlink(old.ptr) != 0 && errno != ENOENT) || link(path, old.ptr) != 0 ||
        rename(next.ptr, path) != 0 || sync_folder(path) != 0)
        r = err_set(ERR_IO, "the master key file %s cannot be replaced: %s", path, strerror(errno));
    buf_deinit(&old);
    buf_deinit(&next);
    return r;
}
