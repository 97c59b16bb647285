/* From settings to a working house: configuration, data folder, master key, store, models, tools.
 *
 * Used by every command. Opening blocks and happens outside fibers.
 */
#ifndef HOST_BOOT_H
#define HOST_BOOT_H

#include "agent/policy.h"
#include "agent/tool_cache.h"
#include "api/api.h"
#include "host/channels.h"
#include "host/cli.h"
#include "http/client.h"
#include "tools/a2a.h"
#include "tools/knowledge.h"
#include "tools/mcp.h"
#include "tools/services.h"

#define BOOT_MODELS_MAX 16
#define BOOT_SOURCES_MAX 4
#define BOOT_WORKSPACE STR("default")

struct boot {
    const struct env *env;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct cache *cache;
    struct calendar *calendar;
    struct model *models[BOOT_MODELS_MAX];
    size_t model_count;
    size_t configured_count; /* of the models: those of the settings, not of agents */
    struct agent_set *agents;
    struct tool_services services;
    struct mcp *mcp; /* NULL: no servers */
    struct a2a *a2a; /* NULL: no remote agents */
    struct tool_source sources[BOOT_SOURCES_MAX];
    size_t source_count;
    struct policy *policy;
    struct tool_cache *tool_cache;
    struct agent_house house;
    struct api api;
    struct channels channels;
    bool master_key_created;
    char master_key_path[4096];
};

/* Settings from file, environment and the flags in argv (taken out), then the command's own
 * options; logging is set up. quiet: a command for people logs warnings only, unless asked. 0 or
 * ERR_INVALID. */
MUST_CHECK int boot_config(struct boot *boot, const struct cli_option *options, size_t count,
    bool quiet, int *argc, char **argv);
/* Everything behind it. 0 or ERR_* with a message for the operator. */
MUST_CHECK int boot_open(struct boot *boot);
/* The models alone: enough to talk to them. 0 or ERR_INVALID. */
MUST_CHECK int boot_models(struct boot *boot);
/* Undo both, however far they came. */
void boot_close(struct boot *boot);

/* Run fn(boot, arg) on a fiber of a loop of its own; its result, its error kept. */
MUST_CHECK int boot_on_fiber(struct boot *boot, int (*fn)(struct boot *boot, void *arg), void *arg);

/* PATH in the data folder. */
struct str boot_path(const struct boot *boot, const char *name, struct arena *arena);
/* Is the store a file of the data folder? */
bool boot_in_folder(const struct boot *boot);
bool boot_in_memory(const struct boot *boot);
/* For commands that look at what is stored: 0, or ERR_INVALID when the folder is not there, which
 * would be made otherwise, and be empty. */
MUST_CHECK int boot_need_data(const struct boot *boot);
bool boot_key_in_file(const struct boot *boot); /* the master key is DATA_DIR/master.key */
const char *boot_version(void);

#endif
