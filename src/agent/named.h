/* Parts of a declaration that are a name, or a name with options: "redact" or {redact: {…}}. */
#ifndef AGENT_NAMED_H
#define AGENT_NAMED_H

#include "base/err.h"
#include "base/json.h"

/* 0, or ERR_INVALID with what is wrong. ret_options: NULL when there are none. *ret_place becomes
 * the mapping, which has its "@line", when it is one. */
MUST_CHECK int named_read(const struct json *node, struct str *ret_name,
    const struct json **ret_options, const struct json **ret_place);
/* Options that fit the JSON Schema, without line numbers, in arena; untouched when node is NULL.
 * schema NULL: there may be none. */
MUST_CHECK int named_options(struct arena *arena, const char *name, const char *schema,
    const struct json *node, const struct json **ret_options);

#endif
