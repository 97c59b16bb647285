/* Results of tools that say how long they stay good (struct tool, cache_ms), kept in this process.
 *
 * The key is workspace, tool and canonical arguments, and the chat, unless the tool itself says how
 * long its results last, and by that that they are the same for every chat: what the policy alone
 * wants to be kept may be of the chat. A fixed number of slots and bytes: what does
 * not fit replaces what was there. Shared by all loops under one lock that is held for a copy only.
 * Nothing yields.
 */
#ifndef AGENT_TOOL_CACHE_H
#define AGENT_TOOL_CACHE_H

#include "agent/tool.h"

struct tool_cache;

struct tool_cache *tool_cache_new(void);
void tool_cache_free(struct tool_cache *cache); /* may be NULL */

/* True with a copy of the result in arena. cache may be NULL: nothing is kept. */
bool tool_cache_get(struct tool_cache *cache, struct str workspace_id, struct str session_id,
    const struct tool *tool, const struct json *args, int64_t now_ms, struct arena *arena,
    struct tool_result *ret_result);
/* until_ms: monotonic, as now_ms. Results with events or citations, and large ones, are not kept.
 */
void tool_cache_put(struct tool_cache *cache, struct str workspace_id, struct str session_id,
    const struct tool *tool, const struct json *args, int64_t until_ms,
    const struct tool_result *result);

#endif
