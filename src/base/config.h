/* Settings: one table (base/settings.def) drives theo.yaml, THEO_* variables, flags, --help,
 * `theo config` and docs/config.md.
 *
 * Order of precedence: built-in default < theo.yaml < environment < flags. Each value remembers
 * where it came from. A setting "telegram.token" is `telegram: {token: …}` in YAML,
 * THEO_TELEGRAM_TOKEN in the environment and --telegram-token as a flag; rows may name a vendor's
 * own variable (OPENAI_API_KEY) as an alias, which counts below THEO_*.
 *
 * A section of the YAML that is a setting itself takes "name" for it: `model: {name: …, fallback:
 * …}` is the same as `model: …` and `model.fallback: …`. Anchors, aliases and tags are refused, and
 * lists but for tree settings: the value of such a row is a list or mapping in YAML and JSON text
 * elsewhere. It is kept as JSON; mappings that came from the file begin with a member "@line".
 * Variables that begin with THEO_ without being settings are left alone only when they belong to
 * tests and scripts (THEO_CONFIG, THEO_DATA, THEO_SOURCE, THEO_FAULTS, THEO_KEY, THEO_BODY,
 * THEO_BIN, THEO_BUILD…) or to Kubernetes, which sets THEO_SERVICE_… and THEO_PORT… beside a
 * service "theo".
 *
 * An unknown key, a value of the wrong type or out of bounds is ERR_INVALID with the place (file
 * and line, variable or flag) and the remedy in the message. Nothing yields.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/json.h"

enum setting_type { SETTING_STR, SETTING_I64, SETTING_BOOL };
enum setting_flags {
    SETTING_PLAIN = 0,
    SETTING_SECRET = 1,
    SETTING_TREE = 2, /* a list or mapping, kept as JSON text; see below */
};
enum setting_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV, ORIGIN_FLAG };

/* One member per row of settings.def: `char *listen`, `int64_t server_header_timeout_ms`, …
 * (dots become underscores). Strings are never NULL. */
struct config {
#define STR_SETTING(name, id, ...) char *id;
#define I64_SETTING(name, id, ...) int64_t id;
#define BOOL_SETTING(name, id, ...) bool id;
#include "base/settings.def"
#undef STR_SETTING
#undef I64_SETTING
#undef BOOL_SETTING
    struct config_place *places; /* per row, origin and place; private */
};

struct setting {
    const char *name; /* "telegram.token" */
    enum setting_type type;
    enum setting_flags flags;
    const char *default_text; /* as text, also for numbers and booleans */
    int64_t min, max;         /* I64 only */
    const char *alias;        /* vendor's variable, or NULL */
    const char *help;         /* one or two plain sentences; ends in a full stop */
};
extern const struct setting config_settings[];
extern const size_t config_settings_count;
/* The title of the group that begins with this row; NULL: it goes on with the one before. */
const char *config_heading(size_t row);

/* Defaults, then the YAML file (path NULL: ./theo.yaml or THEO_CONFIG if there is one; a named
 * file that is missing is an error), then environ-style env ("K=V", NULL-terminated). */
MUST_CHECK int config_load(struct config *config, const char *path, char *const *env);
/* Text instead of a file, for tests and fuzzing. */
MUST_CHECK int config_load_text(struct config *config, struct str yaml, const char *name);
/* Take "--name value", "--name=value" and "--no-name"/"--name" (booleans) out of argv; what is
 * left (commands, other words, after "--" everything) stays, *argc is lowered. A flag that is no
 * setting is left alone: the caller knows its own flags and complains about the rest. */
MUST_CHECK int config_flags(struct config *config, int *argc, char **argv);
/* Set one value by name as if from origin; place is shown by `theo config`. */
MUST_CHECK int config_set(struct config *config, const char *name, struct str value,
    enum setting_origin origin, const char *place);
/* A YAML file that holds no settings, as JSON in out. Each mapping begins with a member "@line",
 * and before each member stands "@NAME", the line of it. The rules of tree settings hold. 0 or
 * ERR_INVALID with name and line. */
MUST_CHECK int config_yaml_to_json(struct str yaml, const char *name, struct buf *out);
void config_deinit(struct config *config); /* secrets are wiped */

/* Current value of row index as text (secrets as "set" / "not set") and its origin. */
struct str config_value_text(const struct config *config, size_t index, struct arena *arena);
enum setting_origin config_origin(
    const struct config *config, size_t index, const char **ret_place);

/* docs/config.md, made from the table; CI fails when the committed file differs. */
void config_write_markdown(struct buf *out);

#endif
