/* Replay: a run is executed again from its log, by the same code, without network and without
 * effects, and what it does is compared with the log event by event.
 *
 * The chat as it was is put into a store in memory, with a clock that stands at the run's
 * beginning. Models answer what is recorded (agent/record.h), tools give what they gave then;
 * decisions on approvals are taken again as people took them. The run that is replayed, its chat
 * and everything else in its store are only read. What differs is told: other code, instructions,
 * agents, policy or settings than then, or a log that somebody changed. Not compared are times,
 * prices and the random part of ids; events of members that were at work at the same time may come
 * in another order. A chat's memory is taken as it is now, as far as it is older than the run.
 */
#ifndef AGENT_REPLAY_H
#define AGENT_REPLAY_H

#include "agent/run.h"

struct replay_difference {
    int64_t seq;      /* of the recorded event; 0: the replay has one more */
    struct str type;  /* of the recorded event, or of the one too many */
    struct str field; /* "type", "data.reply", …; empty: the whole event */
    struct str expected, got;
    struct str why; /* what it may come from; may be empty */
};

struct replay_report {
    struct str run_id, state; /* as recorded */
    size_t events;            /* recorded ones that were compared */
    bool identical, reordered;
    bool cut; /* the run was cancelled or cut off: compared up to there */
    struct replay_difference difference; /* the first one, unless identical */
    size_t differences;
};

struct replay_options {
    bool live_model; /* ask the configured models instead of playing back what they said */
};

/* 0 with the report. ERR_NOT_FOUND (no such run, or its chat is gone), ERR_CONFLICT (it is under
 * way), ERR_DENIED (nothing was recorded), store errors. Strings live in arena. Yields. */
MUST_CHECK int replay_run(const struct agent_house *house, struct str workspace_id,
    struct str run_id, const struct replay_options *options, struct arena *arena,
    struct replay_report *ret_report);

#endif
