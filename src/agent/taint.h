/* Taint: where the untrusted text that a run has read came from.
 *
 * A run that has read the web, a document, an answer of an MCP server or of another agent, or a
 * message of a channel that `policy:` calls untrusted, is tainted from then on: somebody else may
 * be speaking through the model. agent/policy.h says what follows. Sources are names as
 * "tool:read_page" or "channel:telegram", at most TAINT_SOURCES_MAX of them. No I/O.
 *
 * What such a run answers stands in the chat, and may say what somebody else wanted it to: it is
 * noted in the session's state, as {"taint":{"seq":12,"sources":["tool:read_page"]}}, and taints
 * later runs ("earlier:tool:read_page") as long as they see that answer. A fork takes the note
 * along. What is kept beyond the window is free of it: no notes are made of such answers
 * (memory.c), and tool_recall says that what it found is untrusted when one may be among it.
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

/* Taint from the answer that a session's state names, when message number first or one behind it
 * is that answer. */
void taint_inherit(struct taint *taint, struct str state, int64_t first, struct arena *arena);
/* The number of that answer, the last one that was given by a tainted run; 0: there is none. */
int64_t taint_last(struct str state, struct arena *arena);
/* The member of a session's state in which that answer has number seq instead; "{}" without one. */
struct str taint_moved(struct str state, int64_t seq, struct arena *arena);
/* The sources that were inherited, without "earlier:", as a member "taint"; nothing when there are
 * none. */
void taint_write_inherited(struct json_writer *w, const struct taint *taint);
/* Is there taint of the run's own, not inherited? */
bool taint_is_fresh(const struct taint *taint);
/* The state of a session in which message number seq is the answer of a run with this taint: what
 * it named before goes, what was inherited is not named. */
struct str taint_state(
    struct str state, const struct taint *taint, int64_t seq, struct arena *arena);

#endif
