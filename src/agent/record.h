/* What a run keeps of itself so that it can be replayed (agent/replay.h): what models answered and
 * tools gave, as far as the log does not tell it anyway.
 *
 * Setting run.record. It stands in stored events as their member "record", sealed like them, and is
 * not shown to who watches the run. The answer that became the run's result is not kept again, nor
 * are a tool call's arguments (tool.started), nor the messages of the chat; of what was sent to a
 * model a hash is kept (member "prompt" of model.started), by which a replay notices that
 * instructions, history or memory are not what they were. Only the run's own fiber, or its
 * members'.
 */
#ifndef AGENT_RECORD_H
#define AGENT_RECORD_H

#include "agent/private.h"

/* 16 hex digits; for equality alone, no protection against anybody. */
#define RECORD_HASH_LEN 16
void record_hash(const struct model_message *messages, size_t count, char out[RECORD_HASH_LEN + 1]);

/* As run_event(); record is a JSON object that is stored with it, or empty. Yields. */
MUST_CHECK int record_event(struct run *run, const char *type, struct str data, struct str record);

/* The data of model.started. */
struct str record_started(struct run *run, const struct model *model);
/* The records of model.completed, model.failed and tool.completed; "" when nothing is kept. */
struct str record_reply(struct run *run, const struct model_reply *reply);
struct str record_failure(struct run *run, int rc, const struct model_reply *reply);
/* kept: bytes of the content that the model sees; cause: of a failure. After result_add(). */
struct str record_result(struct run *run, int rc, const struct err *cause,
    const struct tool_result *result, size_t kept);

/* Members of a run's stored request: how much of what is stored it repeated, and whether Theo's own
 * answers were among it; the last message that it saw when it brought nothing new. */
void record_repeated(struct json_writer *w, const struct run *run);

#endif
