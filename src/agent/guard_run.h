/* The guards of a run at work. Which they are is decided at the first call: those of its agent, or
 * of the setting guards, and before a model those of its leaders too. Only the run's own fiber
 * calls these; they yield where the reader of the run's events does. */
#ifndef AGENT_GUARD_RUN_H
#define AGENT_GUARD_RUN_H

#include "agent/private.h"
#include "agent/prompt.h"

enum {
    GUARDS_BLOCKED = 1, /* the run's result says so: it is over */
    GUARDS_AGAIN = 16,  /* the model is to answer again */
};

/* Judge the new messages of the chat. 0, GUARDS_BLOCKED or what ends the run. */
MUST_CHECK int guards_chat(struct run *run);
/* Before a model is asked: judge what tools gave, and make what it will be shown. The same. */
MUST_CHECK int guards_before(struct run *run);
/* run->message_count messages. */
const struct model_message *guards_shown(const struct run *run);
/* Undo in a model's answer what was changed for it. */
void guards_restore(struct run *run, struct model_reply *reply);
/* Text as a model would be shown it. */
struct str guards_hide(struct run *run, struct str text);
/* May nothing be shown before guards_after()? */
bool guards_hold(const struct run *run);
/* The answer, which may be changed. 0, GUARDS_AGAIN with what to tell the model in *text (never
 * when last), GUARDS_BLOCKED, or what ends the run. */
MUST_CHECK int guards_after(struct run *run, bool last, struct str *text);
/* The same with an answer that stands in run->result and no model gave. 0 or what ends the run. */
MUST_CHECK int guards_result(struct run *run);

#endif
