/* Taint: where the untrusted text that a run has read came from.
 *
 * A run that has read the web, a document, an answer of an MCP server or of another agent, or a
 * message of a channel that `policy:` calls untrusted, is tainted from then on: somebody else may
 * be speaking through the model. agent/policy.h says what follows. Sources are names as
 * "tool:read_page" or "channel:telegram", at most TAINT_SOURCES_MAX of them. No I/O.
 */
#ifndef AGENT_TAINT_H
#define AGENT_TAINT_H

#include "base/json.h"

#define TAINT_SOURCES_MAX 16

struct taint {
    bool on;
    struct str sources[TAINT_SOURCES_MAX]; /* in the run's arena */
    size_t count;
};

/* kind: "tool", "channel". A source counts once. */
void taint_add(struct taint *taint, struct arena *arena, const char *kind, struct str name);
/* "tool:a, tool:b"; "" when clean. */
struct str taint_text(const struct taint *taint, struct arena *arena);
/* The sources as a JSON array, and back. */
void taint_write(struct json_writer *w, const struct taint *taint);
void taint_read(const struct json *list, struct arena *arena, struct taint *ret_taint);

#endif
