/* The master key from the environment, where secrets are injected: "env" is the setting master-key
 * (THEO_MASTER_KEY) or the file that master-key-file names; "env:NAME" is the variable NAME. */
#include "secure/box.h"
#include "secure/key_file.h"
#include "secure/key_local.h"

#include <sodium.h>
#include <stdlib.h>

static int decode(struct str text, const char *name, unsigned char *ret_key)
{
    size_t len = 0;

    text = str_trim(text);
    if (text.len == (size_t)2 * SEAL_KEY_LEN &&
        sodium_hex2bin(ret_key, SEAL_KEY_LEN, text.ptr, text.len, NULL, &len, NULL) == 0 &&
        len == SEAL_KEY_LEN)
        return 0;
    return err_field(ERR_INVALID, "master-key",
        "%s does not hold 64 hex digits: give the master key that belongs to this store; a new one "
        "is made by `openssl rand -hex 32`.",
        name);
}

static int read_key(const struct key_provider_request *request, unsigned char *ret_key)
{
    const struct config *config = request->config;
    const char *text = config->master_key, *name = "THEO_MASTER_KEY";
    char variable[128];

    if (!str_empty(request->place)) {
        snprintf(variable, sizeof(variable), "%.*s", STR_ARG(request->place));
        name = variable;
        text = getenv(variable);
    } else if (config->master_key_file[0] && config->master_key[0]) {
        return err_field(ERR_INVALID, "master-key-file",
            "THEO_MASTER_KEY and THEO_MASTER_KEY_FILE are both set: keep one of them.");
    } else if (config->master_key_file[0]) {
        return key_file_read_mounted(config->master_key_file, ret_key);
    }
    if (!text || !text[0])
        return err_field(ERR_NOT_FOUND, "master-key",
            "The key provider env finds no master key: set %s to the 64 hex digits of this "
            "store's key (a new one: openssl rand -hex 32), or THEO_MASTER_KEY_FILE to a file "
            "with them.",
            name);
    return decode(str_from(text), name, ret_key);
}

static int open_env(const struct key_provider_request *request, struct key_provider **ret_provider)
{
    unsigned char *key = key_memory();
    int r = read_key(request, key);

    if (r == 0)
        r = key_local_new(&key_provider_env, request->env, key, NULL, ret_provider);
    sodium_free(key);
    return r;
}

const struct key_provider_ops key_provider_env = {
    .name = "env",
    .open = open_env,
    .close = key_local_close,
    .wrap = key_local_wrap,
    .unwrap = key_local_unwrap,
    .holds = key_local_holds,
};
