/* Inside of base/config.h: finding rows of the table by their various names, and the YAML reader.
 * Nobody else includes this. */
#ifndef BASE_CONFIG_ROWS_H
#define BASE_CONFIG_ROWS_H

#include "base/config.h"

#include <yaml.h>

#define CONFIG_NO_ROW SIZE_MAX
#define CONFIG_NAME_MAX 64 /* bytes of the longest name of any kind, with its NUL */

enum name_kind {
    NAME_DOTTED, /* telegram.token */
    NAME_ENV,    /* THEO_TELEGRAM_TOKEN */
    NAME_FLAG,   /* telegram-token */
};

/* The row's name of that kind. */
void config_row_name(size_t row, enum name_kind kind, char out[CONFIG_NAME_MAX]);

/* The row of that name, or CONFIG_NO_ROW. */
size_t config_find(struct str name, enum name_kind kind);

/* The row whose name differs least, for "did you mean"; CONFIG_NO_ROW when none is near. */
size_t config_nearest(struct str name, enum name_kind kind);
/* The same for the part before the first dot. */
struct str config_nearest_section(struct str name);

/* Does any row's dotted name start with section and a dot? */
bool config_is_section(struct str section);

/* Take what the YAML text sets. name: of the file, for messages and places. */
MUST_CHECK int config_read_yaml(struct config *config, struct str yaml, const char *name);

/* What may be meant by libyaml's description of a problem, in brackets, or "". */
const char *config_yaml_hint(const char *problem);

/* Append the list or mapping that begins with the event first to out, as JSON. */
MUST_CHECK int config_read_tree(
    yaml_parser_t *parser, const yaml_event_t *first, const char *file, struct buf *out);

#endif
