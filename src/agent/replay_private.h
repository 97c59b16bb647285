/* What the files of a replay share: replay_log.c reads and compares logs, replay_tape.c plays
 * models and tools back, replay_scene.c sets the scene, replay.c drives. */
#ifndef AGENT_REPLAY_PRIVATE_H
#define AGENT_REPLAY_PRIVATE_H

#include "agent/private.h"
#include "agent/replay.h"

struct log_event {
    int64_t seq;
    struct str type;
    const struct json *data;
};

struct log_events {
    struct log_event *events;
    size_t count;
};

/* replay_log.c */
/* All stored events of a run, in order. 0, ERR_CORRUPT, store errors. Yields. */
MUST_CHECK int replay_read_log(struct store *store, const struct run_row *run, struct arena *arena,
    struct log_events *ret_log);
/* Fill the report from the recorded events and those of the replay. */
void replay_compare(const struct log_events *recorded, const struct log_events *got,
    struct arena *arena, struct replay_report *report);

/* replay_tape.c */
/* One call of a model, as recorded. */
struct tape_answer {
    struct str spec, prompt;
    const struct json *data;   /* of model.completed or model.failed; NULL: cut off */
    const struct json *record; /* may be NULL */
    bool failed, used;
    struct str content;
    struct model_tool_call *calls;
    size_t call_count;
};

/* One call of a tool, as recorded. */
struct tape_result {
    struct str tool, args, status, summary; /* args: canonical */
    const struct json *record;
    bool used;
};

struct tape {
    struct arena *arena;
    const struct log_events *log;
    struct tape_answer *answers;
    size_t answer_count;
    struct tape_result *results;
    size_t result_count;
    bool recorded; /* there is what a replay needs */
};

/* result: of the run, JSON or empty. */
void tape_read(
    struct tape *tape, const struct log_events *log, struct str result, struct arena *arena);
/* A model that plays back. Owned by the caller. */
struct model *tape_model(struct tape *tape, const struct env *env, struct str spec);
/* The tools of the house and those of sources that the log names, all playing back. */
void tape_tools(struct tape *tape, const struct agent_house *house,
    const struct tool *const **ret_tools, size_t *ret_count);
/* The recorded result as the tool gave it. */
struct tool_result tape_made(const struct tape_result *result, struct arena *arena);

/* replay_scene.c */
/* What the replayed run finds: its store, clock, house and request. */
struct scene {
    struct env env;
    int64_t now_ms;
    struct config config;
    struct sealer *sealer;
    struct agent_house house;
    struct tape tape;
    struct run_request request;
    struct speak_verdict verdict;
    struct model **models; /* own ones */
    size_t model_count;
};

/* Zeroed before; scene_close() also after a failure. Yields. */
MUST_CHECK int scene_open(struct scene *scene, const struct agent_house *house,
    const struct run_row *run, const struct log_events *log, bool live, struct arena *arena);
void scene_close(struct scene *scene);

#endif
