#include "host/boot.h"

#include "agent/definition.h"
#include "agent/live.h"
#include "cache/cache.h"
#include "host/catalog.h"
#include "secure/redact.h"
#include "secure/seal.h"
#include "store/api_keys.h"
#include "text/zone.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

const char *boot_version(void)
{
    return THEO_VERSION;
}

static int set_up_log(const struct boot *boot, bool quiet)
{
    const struct config *config = &boot->config;
    enum log_format format = LOG_AUTO;
    enum log_level level;

    if (!log_level_parse(str_from(config->log_level), &level))
        return err_field(ERR_INVALID, "log.level",
            "log.level must be debug, info, warn, error or off, not \"%s\"", config->log_level);
    if (strcmp(config->log_format, "json") == 0)
        format = LOG_JSON;
    else if (strcmp(config->log_format, "human") == 0)
        format = LOG_HUMAN;
    else if (strcmp(config->log_format, "auto") != 0)
        return err_field(ERR_INVALID, "log.format",
            "log.format must be json, human or auto, not \"%s\"", config->log_format);
    log_setup(format, STDERR_FILENO, redact);
    if (quiet && strcmp(config->log_level, "info") == 0)
        level = LOG_WARN;
    log_level_set(level);
    return 0;
}

/* --config PATH comes before the settings that it holds. */
static int take_config_path(int *argc, char **argv, const char **ret_path)
{
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        int used = 1;

        if (strncmp(argv[i], "--config=", 9) == 0) {
            *ret_path = argv[i] + 9;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 >= *argc)
                return err_set(ERR_INVALID, "--config needs a value: --config FILE");
            *ret_path = argv[i + 1];
            used = 2;
        } else {
            continue;
        }
        memmove(&argv[i], &argv[i + used], (size_t)(*argc - i - used + 1) * sizeof(*argv));
        *argc -= used;
        i--;
    }
    return 0;
}

int boot_config(struct boot *boot, const struct cli_option *options, size_t count, bool quiet,
    int *argc, char **argv)
{
    const char *path = NULL;
    int rc;

    if (*argc > 1 && strcmp(argv[1], "--help") == 0) { /* main has said the rest */
        cli_print_options(options, count);
        exit(EXIT_SUCCESS);
    }
    *boot = (struct boot){.env = env_system()};
    catalog_register();
    rc = take_config_path(argc, argv, &path);
    if (rc == 0 && config_load(&boot->config, path, environ) < 0)
        rc = ERR_INVALID; /* wrong usage, also when the file is missing */
    if (rc == 0)
        rc = config_flags(&boot->config, argc, argv);
    if (rc == 0)
        rc = cli_parse(options, count, argc, argv);
    if (rc == 0)
        rc = set_up_log(boot, quiet);
    if (rc == 0 && !zone_get(str_from(boot->config.time_zone)))
        rc = err_field(ERR_INVALID, "time-zone",
            "time-zone must be an IANA name such as Europe/Madrid, not \"%s\" (is tzdata "
            "installed?)",
            boot->config.time_zone);
    if (rc < 0)
        config_deinit(&boot->config);
    return rc;
}

struct str boot_path(const struct boot *boot, const char *name, struct arena *arena)
{
    return str_printf(arena, "%s/%s", boot->config.data_dir, name);
}

bool boot_in_folder(const struct boot *boot)
{
    return strstr(boot->config.store, "://") == NULL;
}

bool boot_in_memory(const struct boot *boot)
{
    return strcmp(boot->config.store, "memory") == 0;
}

bool boot_key_in_file(const struct boot *boot)
{
    return str_starts(str_trim(str_from(boot->config.key_provider)), STR("file"));
}

int boot_need_data(const struct boot *boot)
{
    bool memory = boot_in_memory(boot);

    if (!memory && (!boot_in_folder(boot) || access(boot->config.data_dir, F_OK) == 0))
        return 0;
    return err_set(ERR_INVALID,
        "there is no data in %s: name the data folder with --data-dir, or the store with --store",
        memory ? "a store in memory" : boot->config.data_dir);
}

/* The folder with those above it that are missing; 0700 by the umask. */
static int make_data_dir(const struct boot *boot)
{
    const char *path = boot->config.data_dir;
    char *copy = xstrdup(path);
    struct stat st;
    int cause;

    for (char *slash = strchr(copy + 1, '/'); copy[0] && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0700); /* what fails here fails below, with a message */
        *slash = '/';
    }
    free(copy);
    if (mkdir(path, 0700) == 0)
        return 0;
    cause = errno;
    if (cause == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return err_set(ERR_IO, "the data folder %s cannot be made: %s; name another with --data-dir",
        path, cause == EEXIST ? "there is a file of that name" : strerror(cause));
}

static int open_providers(struct boot *boot, void *arg)
{
    return sealer_open_providers(
        boot->env, &boot->config, *(bool *)arg, &boot->sealer, &boot->master_key_created);
}

/* A database without its master key is a loss that a fresh key would only hide. */
static int open_sealer(struct boot *boot)
{
    char database[sizeof(boot->master_key_path)];
    bool create;
    int rc = secure_init();

    if (rc < 0)
        return rc;
    if (boot_in_memory(boot))
        return sealer_new_ephemeral(boot->env, &boot->sealer);
    snprintf(boot->master_key_path, sizeof(boot->master_key_path), "%s/master.key",
        boot->config.data_dir);
    snprintf(database, sizeof(database), "%s/theo.db", boot->config.data_dir);
    create = access(database, F_OK) != 0;
    rc = boot_on_fiber(boot, open_providers, &create);
    if (rc == ERR_NOT_FOUND && boot_key_in_file(boot) && access(boot->master_key_path, F_OK) != 0)
        return err_set(ERR_NOT_FOUND,
            "the master key %s is missing, and %s cannot be read without it: restore the key from "
            "your backup",
            boot->master_key_path, database);
    return rc;
}

static int add_model(struct boot *boot, struct str spec)
{
    int rc;

    for (size_t i = 0; i < boot->model_count; i++)
        if (str_eq(model_spec(boot->models[i]), spec))
            return 0;
    if (boot->model_count == BOOT_MODELS_MAX)
        return err_field(
            ERR_INVALID, "model.fallback", "at most %d models may be configured", BOOT_MODELS_MAX);
    rc = model_open(&boot->config, boot->env, spec, &boot->models[boot->model_count]);
    if (rc == 0)
        boot->model_count++;
    return rc;
}

int boot_models(struct boot *boot)
{
    struct str rest = str_from(boot->config.model_fallback), spec;
    int rc = model_prices_check(boot->config.model_prices);

    if (rc == 0)
        rc = add_model(boot, str_trim(str_from(boot->config.model)));
    while (rc == 0 && str_next(&rest, ',', &spec))
        if (!str_empty(str_trim(spec)))
            rc = add_model(boot, str_trim(spec));
    boot->configured_count = boot->model_count;
    return rc;
}

static int add_models(struct boot *boot, const struct str *specs, size_t count)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_model(boot, specs[i]);
    return rc;
}

static int add_judges(struct boot *boot, const struct evaluation_set *evaluations)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < evaluations->count; i++)
        if (!str_empty(evaluation_model(&evaluations->uses[i])))
            rc = add_model(boot, evaluation_model(&evaluations->uses[i]));
    return rc;
}

/* Declared agents, and the models that only they name. */
static int open_agents(struct boot *boot)
{
    int rc = agent_set_read(&boot->config, catalog_tools, catalog_tool_count, &boot->agents);

    if (rc == 0)
        rc = knowledge_open(boot->agents);
    for (size_t i = 0; rc == 0 && i < boot->agents->count; i++) {
        const struct agent_def *def = &boot->agents->defs[i];

        if (!str_empty(def->model))
            rc = add_model(boot, def->model);
        if (rc == 0)
            rc = add_models(boot, def->fallbacks, def->fallback_count);
        if (rc == 0)
            rc = add_models(boot, def->on_rate_limit, def->on_rate_limit_count);
        if (rc == 0)
            rc = add_models(boot, def->on_context_overflow, def->on_context_overflow_count);
        if (rc == 0)
            rc = add_judges(boot, &def->evaluations);
        if (rc < 0)
            return err_wrap("%.*s: the agent %.*s", STR_ARG(def->place), STR_ARG(def->name));
    }
    return rc == 0 ? add_judges(boot, &boot->agents->evaluations) : rc;
}

/* What is lost here is noticed by the others within a second, when they read the key again. */
static void tell_key_change(void *ctx, struct str id)
{
    struct boot *boot = ctx;

    if (cache_shared(boot->cache) && cache_publish(boot->cache, "keys", id) < 0)
        log_warn("keys.not_broadcast", LOG_ERR);
}

static void hear_key_change(void *ctx, struct str id)
{
    struct boot *boot = ctx;

    api_key_forget(boot->store, id);
}

static int open_cache(struct boot *boot)
{
    int rc = cache_open(&boot->config, boot->env, boot->sealer, &boot->cache);

    if (rc < 0)
        return rc;
    cache_subscribe(boot->cache, "keys", hear_key_change, boot);
    api_key_on_change(boot->store, tell_key_change, boot);
    return 0;
}

static int open_sources(struct boot *boot)
{
    int rc = mcp_open(&boot->config, &boot->mcp);

    if (rc == 0 && boot->mcp)
        boot->sources[boot->source_count++] = mcp_source(boot->mcp);
    if (rc == 0)
        rc = a2a_open(&boot->config, &boot->a2a);
    if (rc == 0 && boot->a2a)
        boot->sources[boot->source_count++] = a2a_source(boot->a2a);
    return rc;
}

/* Only when every tool is known now can a name in the policy be called wrong. */
static int open_policy(struct boot *boot)
{
    bool more = boot->config.mcp[0] || boot->config.a2a[0] || boot->config.agents[0];
    int rc = policy_open(&boot->config, &boot->policy);

    boot->tool_cache = tool_cache_new();
    return rc < 0 || more ? rc
                          : policy_check_names(boot->policy, catalog_tools, catalog_tool_count);
}

static int check_url(const char *setting, const char *url)
{
    if (!url[0] || str_starts(str_from(url), STR("http://")) ||
        str_starts(str_from(url), STR("https://")))
        return 0;
    return err_field(ERR_INVALID, setting,
        "%s must be an http or https address, such as https://theo.example, not \"%.60s\"", setting,
        url);
}

static int check_urls(const struct config *config)
{
    int rc = check_url("server.public-url", config->server_public_url);

    return rc < 0 ? rc : check_url("speech.base-url", config->speech_base_url);
}

int boot_open(struct boot *boot)
{
    int rc = check_urls(&boot->config);

    if (rc == 0)
        rc = boot_models(boot);
    if (rc == 0)
        rc = open_policy(boot);
    if (rc == 0)
        rc = open_agents(boot);
    if (rc == 0)
        rc = channels_open(boot);
    if (rc == 0)
        rc = make_data_dir(boot);
    if (rc == 0)
        rc = open_sealer(boot);
    if (rc == 0)
        rc = store_open(&boot->config, boot->env, boot->sealer, &boot->store);
    if (rc == 0)
        rc = open_cache(boot);
    if (rc == 0)
        rc = calendar_open(&boot->config, boot->env, boot->store, &boot->calendar);
    if (rc == 0)
        rc = open_sources(boot);
    if (rc < 0)
        return rc;
    boot->services.calendar = boot->calendar;
    boot->services.duration_minutes = boot->config.calendar_duration_minutes;
    boot->house = (struct agent_house){.env = boot->env,
        .config = &boot->config,
        .store = boot->store,
        .models = boot->models,
        .model_count = boot->model_count,
        .configured_count = boot->configured_count,
        .agents = boot->agents,
        .tools = catalog_tools,
        .tool_count = catalog_tool_count,
        .sources = boot->sources,
        .source_count = boot->source_count,
        .services = &boot->services,
        .policy = boot->policy,
        .tool_cache = boot->tool_cache,
        .live = live_runs_new()};
    api_init(&boot->api, &boot->house, boot->calendar, boot_version());
    boot->api.cache = boot->cache;
    return 0;
}

void boot_close(struct boot *boot)
{
    channels_close(boot);
    api_deinit(&boot->api);
    agent_set_free(boot->agents);
    policy_free(boot->policy);
    tool_cache_free(boot->tool_cache);
    live_runs_free(boot->house.live);
    mcp_free(boot->mcp);
    a2a_free(boot->a2a);
    for (size_t i = 0; i < boot->model_count; i++)
        model_free(boot->models[i]);
    if (boot->calendar)
        calendar_free(boot->calendar);
    cache_close(boot->cache);
    if (boot->store)
        store_close(boot->store);
    if (boot->sealer)
        sealer_free(boot->sealer);
    config_deinit(&boot->config);
}

struct fiber_task {
    struct boot *boot;
    int (*fn)(struct boot *boot, void *arg);
    void *arg;
};

static int run_task(void *arg)
{
    struct fiber_task *task = arg;
    struct http_client_options options = {.ca_file = task->boot->config.tls_ca_file};

    http_client_configure(fiber_loop(), &options);
    return task->fn(task->boot, task->arg);
}

int boot_on_fiber(struct boot *boot, int (*fn)(struct boot *boot, void *arg), void *arg)
{
    struct fiber_task task = {boot, fn, arg};

    return loop_call(boot->env, run_task, &task);
}
