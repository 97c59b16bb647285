#include "base/config.h"

#include "base/config_rows.h"
#include "base/err.h"

#include <errno.h>

#define FILE_MAX ((size_t)1 * MIB)

struct config_place {
    enum setting_origin origin;
    char *place; /* heap; NULL for defaults */
};

static const size_t offsets[] = {
#define STR_SETTING(name, id, ...) offsetof(struct config, id),
#define I64_SETTING(name, id, ...) offsetof(struct config, id),
#define BOOL_SETTING(name, id, ...) offsetof(struct config, id),
#include "base/settings.def"
#undef STR_SETTING
#undef I64_SETTING
#undef BOOL_SETTING
};

static void *member(const struct config *config, size_t row)
{
    return (char *)(uintptr_t)config + offsets[row];
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static bool parse_bool(struct str text, bool *ret_value)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (int value = 0; value <= 1; value++) {
            if (str_eq_nocase(text, str_from(words[i][value]))) {
                *ret_value = value;
                return true;
            }
        }
    }
    return false;
}

static int assign_str(struct config *config, size_t row, struct str value, const char *place)
{
    char **to = member(config, row);

    if (str_find_char(value, '\0', 0) >= 0 || !utf8_valid(value))
        return err_field(ERR_INVALID, config_settings[row].name,
            "%s: %s must be valid UTF-8 without NUL", place, config_settings[row].name);
    if ((config_settings[row].flags & SETTING_TREE) && !str_empty(value) &&
        (json_check(value) < 0 || !strchr("[{", str_trim(value).ptr[0])))
        return err_field(ERR_INVALID, config_settings[row].name,
            "%s: %s must be a list or a mapping (outside theo.yaml as JSON)", place,
            config_settings[row].name);
    wipe(*to);
    *to = str_heap(value);
    return 0;
}

static int assign_i64(struct config *config, size_t row, struct str value, const char *place)
{
    const struct setting *setting = &config_settings[row];
    int64_t number;

    if (!str_to_i64(value, &number) || number < setting->min || number > setting->max)
        return err_field(ERR_INVALID, setting->name,
            "%s: %s must be a whole number from %lld to %lld, not \"%.*s\"", place, setting->name,
            (long long)setting->min, (long long)setting->max, (int)MIN(value.len, (size_t)40),
            value.ptr);
    *(int64_t *)member(config, row) = number;
    return 0;
}

static int assign_bool(struct config *config, size_t row, struct str value, const char *place)
{
    bool truth;

    if (!parse_bool(value, &truth))
        return err_field(ERR_INVALID, config_settings[row].name,
            "%s: %s must be true or false, not \"%.*s\"", place, config_settings[row].name,
            (int)MIN(value.len, (size_t)40), value.ptr);
    *(bool *)member(config, row) = truth;
    return 0;
}

static int assign(struct config *config, size_t row, struct str value, enum setting_origin origin,
    const char *place)
{
    int r = 0;

    switch (config_settings[row].type) {
    case SETTING_STR:
        r = assign_str(config, row, value, place);
        break;
    case SETTING_I64:
        r = assign_i64(config, row, value, place);
        break;
    case SETTING_BOOL:
        r = assign_bool(config, row, value, place);
        break;
    }
    if (r)
        return r;

    char *copy = origin == ORIGIN_DEFAULT ? NULL : xstrdup(place);

    free(config->places[row].place);
    config->places[row] = (struct config_place){origin, copy};
    return 0;
}

int config_set(struct config *config, const char *name, struct str value,
    enum setting_origin origin, const char *place)
{
    size_t row = config_find(str_from(name), NAME_DOTTED), near;

    if (row != CONFIG_NO_ROW)
        return assign(config, row, value, origin, place);
    near = config_nearest(str_from(name), NAME_DOTTED);
    if (near != CONFIG_NO_ROW)
        return err_field(ERR_INVALID, name, "%s: there is no setting \"%s\"; did you mean \"%s\"?",
            place, name, config_settings[near].name);
    return err_field(ERR_INVALID, name,
        "%s: there is no setting \"%s\"; `theo config` lists them all", place, name);
}

void config_deinit(struct config *config)
{
    for (size_t row = 0; row < config_settings_count; row++) {
        if (config_settings[row].type == SETTING_STR) {
            char **text = member(config, row);

            wipe(*text);
        }
        if (config->places)
            free(config->places[row].place);
    }
    free(config->places);
    *config = (struct config){0};
}

static int init_defaults(struct config *config)
{
    *config = (struct config){0};
    config->places = xcalloc(config_settings_count, sizeof(config->places[0]));
    for (size_t row = 0; row < config_settings_count; row++) {
        int r = assign(
            config, row, str_from(config_settings[row].default_text), ORIGIN_DEFAULT, "default");

        if (r) {
            config_deinit(config);
            return r;
        }
    }
    return 0;
}

/* Files. */

static int read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    size_t got;

    if (!file)
        return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
            "the configuration file %s cannot be read: %s", path, strerror(errno));
    got = fread(buf_reserve(out, FILE_MAX + 1), 1, FILE_MAX + 1, file);
    out->len += got;

    bool failed = ferror(file);

    fclose(file);
    if (failed)
        return err_set(ERR_IO, "the configuration file %s cannot be read", path);
    if (got > FILE_MAX)
        return err_set(ERR_TOO_LARGE, "the configuration file %s is larger than 1 MiB", path);
    return 0;
}

static int load_file(struct config *config, const char *path)
{
    struct buf text = BUF_HEAP;
    int r = read_file(path, &text);

    if (r == 0)
        r = config_read_yaml(config, buf_str(&text), path);
    if (text.ptr)
        explicit_bzero(text.ptr, text.len);
    buf_deinit(&text);
    return r;
}

int config_load_text(struct config *config, struct str yaml, const char *name)
{
    struct config loaded;
    int r = init_defaults(&loaded);

    if (r)
        return r;
    r = config_read_yaml(&loaded, yaml, name);
    if (r) {
        config_deinit(&loaded);
        return r;
    }
    *config = loaded;
    return 0;
}

/* The environment. */

static const char *env_get(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

/* Variables that begin with THEO_ and are no settings: those of tests, scripts and examples, and
 * what Kubernetes puts into every pod beside a service called "theo". */
static bool is_foreign(struct str name)
{
    static const char *const names[] = {"THEO_CONFIG", "THEO_DATA", "THEO_SOURCE", "THEO_FAULTS",
        "THEO_KEY", "THEO_BODY", "THEO_BIN", "THEO_PORT"};
    static const char *const prefixes[] = {"THEO_BUILD", "THEO_SERVICE_", "THEO_PORT_"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(name, str_from(prefixes[i])))
            return true;
    return false;
}

static int unknown_variable(struct str name)
{
    size_t near = config_nearest(name, NAME_ENV);
    char suggestion[CONFIG_NAME_MAX];

    if (near == CONFIG_NO_ROW)
        return err_set(ERR_INVALID,
            "the environment variable %.*s is no setting; unset it, or see `theo config`",
            (int)MIN(name.len, (size_t)80), name.ptr);
    config_row_name(near, NAME_ENV, suggestion);
    return err_set(ERR_INVALID, "the environment variable %.*s is no setting; did you mean %s?",
        STR_ARG(name), suggestion);
}

static int load_variable(struct config *config, const char *pair)
{
    struct str rest = str_from(pair), name;

    if (!str_starts(rest, STR("THEO_")) || !str_next(&rest, '=', &name) || is_foreign(name))
        return 0;

    size_t row = config_find(name, NAME_ENV);
    char place[CONFIG_NAME_MAX];

    if (row == CONFIG_NO_ROW)
        return unknown_variable(name);
    config_row_name(row, NAME_ENV, place);
    return assign(config, row, str_from(rest.ptr), ORIGIN_ENV, place);
}

static int load_env(struct config *config, char *const *env)
{
    int r = 0;

    for (size_t row = 0; row < config_settings_count && r == 0; row++) {
        const char *alias = config_settings[row].alias;
        const char *value = alias ? env_get(env, alias) : NULL;

        if (value && *value)
            r = assign(config, row, str_from(value), ORIGIN_ENV, alias);
    }
    for (; env && *env && r == 0; env++)
        r = load_variable(config, *env);
    return r;
}

int config_load(struct config *config, const char *path, char *const *env)
{
    const char *named = env_get(env, "THEO_CONFIG");
    struct config loaded;
    int r = init_defaults(&loaded);

    if (r)
        return r;
    if (!path && named && *named)
        path = named;
    r = load_file(&loaded, path ? path : "theo.yaml");
    if (r == ERR_NOT_FOUND && !path)
        r = 0; /* a file that nobody named need not exist */
    if (r == 0)
        r = load_env(&loaded, env);
    if (r) {
        config_deinit(&loaded);
        return r;
    }
    *config = loaded;
    return 0;
}

/* Flags. */

/* Take the setting that argv[at] names, and its value. ret_used: words taken, 0 if it is none. */
static int take_flag(struct config *config, int argc, char **argv, int at, int *ret_used)
{
    struct str rest = str_from(argv[at] + 2), name, value = STR("true");
    bool has_value = str_find_char(rest, '=', 0) >= 0, negated = false;
    size_t row;
    char place[CONFIG_NAME_MAX + 2] = "--";

    str_next(&rest, '=', &name);
    row = config_find(name, NAME_FLAG);
    if (row == CONFIG_NO_ROW && !has_value && str_starts(name, STR("no-"))) {
        row = config_find(str_slice(name, 3, name.len), NAME_FLAG);
        negated = row != CONFIG_NO_ROW && config_settings[row].type == SETTING_BOOL;
        value = STR("false");
        row = negated ? row : CONFIG_NO_ROW;
    }
    *ret_used = 0;
    if (row == CONFIG_NO_ROW)
        return 0;
    config_row_name(row, NAME_FLAG, place + 2);
    *ret_used = 1;
    if (has_value) {
        value = str_from(rest.ptr);
    } else if (config_settings[row].type != SETTING_BOOL) {
        if (at + 1 >= argc || strncmp(argv[at + 1], "--", 2) == 0)
            return err_field(ERR_INVALID, config_settings[row].name,
                "%s needs a value: write %s=VALUE", place, place);
        value = str_from(argv[at + 1]);
        *ret_used = 2;
    }
    return assign(config, row, value, ORIGIN_FLAG, place);
}

int config_flags(struct config *config, int *argc, char **argv)
{
    int kept = MIN(*argc, 1), at = kept;

    while (at < *argc) {
        int used = 0;

        if (strcmp(argv[at], "--") == 0) {
            while (at < *argc)
                argv[kept++] = argv[at++];
            break;
        }
        if (strncmp(argv[at], "--", 2) == 0) {
            int r = take_flag(config, *argc, argv, at, &used);

            if (r)
                return r;
        }
        at += used;
        if (!used)
            argv[kept++] = argv[at++];
    }
    *argc = kept;
    argv[kept] = NULL;
    return 0;
}

/* What `theo config` shows. */

/* SCHEME://USER:PASSWORD@HOST?password=… without the password. */
static struct str hide_password(struct str text, struct arena *arena)
{
    ptrdiff_t scheme = str_find(text, STR("://"), 0), colon, at, query;

    if (scheme < 0)
        return str_dup(arena, text);
    query = str_find_char(text, '?', (size_t)scheme);
    if (query >= 0 && str_find_nocase(text, STR("password="), (size_t)query) >= 0)
        text = str_printf(arena, "%.*s?***", (int)query, text.ptr);
    at = str_rfind_char(text, '@');
    colon = str_find_char(text, ':', (size_t)scheme + 3);
    if (at < 0 || colon < 0 || colon > at)
        return str_dup(arena, text);
    return str_printf(arena, "%.*s:***%s", (int)colon, text.ptr, text.ptr + at);
}

/* Trees may hold secrets: only their size is shown. */
static size_t tree_len(struct str text, struct arena *arena)
{
    const struct json *tree;

    if (str_empty(text) || json_parse(arena, text, &tree) < 0)
        return 0;
    return json_len(tree) - (json_get(tree, "@line") ? 1 : 0);
}

struct str config_value_text(const struct config *config, size_t index, struct arena *arena)
{
    const struct setting *setting = &config_settings[index];
    const void *value = member(config, index);

    switch (setting->type) {
    case SETTING_I64:
        return str_printf(arena, "%lld", (long long)*(const int64_t *)value);
    case SETTING_BOOL:
        return *(const bool *)value ? STR("true") : STR("false");
    case SETTING_STR:
        break;
    }

    struct str text = str_from(*(char *const *)value);

    if (setting->flags & SETTING_TREE)
        return str_printf(arena, "%zu entries", tree_len(text, arena));
    if (setting->flags & SETTING_SECRET)
        return text.len ? STR("set") : STR("not set");
    return hide_password(text, arena);
}

enum setting_origin config_origin(const struct config *config, size_t index, const char **ret_place)
{
    if (ret_place)
        *ret_place = config->places[index].place ? config->places[index].place : "default";
    return config->places[index].origin;
}
