/* The runs that this process works on now, by id, so that somebody else can end one. */
#ifndef AGENT_LIVE_H
#define AGENT_LIVE_H

#include "base/str.h"

struct live_runs;

struct live_runs *live_runs_new(void);
void live_runs_free(struct live_runs *live); /* NULL is allowed */
/* The current fiber works on the run until live_run_end(), on the same fiber. live may be NULL. */
void live_run_begin(struct live_runs *live, struct str workspace_id, struct str run_id);
void live_run_end(struct live_runs *live, struct str run_id);
/* Cancel the fiber of a run: it unwinds, and stores its end as cancelled. false: it is not worked
 * on here. Any loop. Does not yield. */
bool live_run_cancel(struct live_runs *live, struct str run_id);
/* The workspaces that have some, each once, in arena. Returns how many. */
size_t live_run_workspaces(struct live_runs *live, struct arena *arena, struct str **ret_ids);

#endif
