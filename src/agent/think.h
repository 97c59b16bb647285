/* What the files that ask models share: think.c drives, think_models.c chooses, think_ask.c asks.
 */
#ifndef AGENT_THINK_H
#define AGENT_THINK_H

#include "agent/private.h"
#include "agent/prompt.h"

/* Ask the current model, and on its failure those after it. 0, or what ends the run. Yields. */
MUST_CHECK int think_ask(struct run *run, struct model_reply *ret_reply);
/* Show a part of the answer to the reader of the run's events. Yields. */
MUST_CHECK int think_delta(struct run *run, struct str text);
/* Is that an answer of nobody who has something to say? */
bool think_is_silence(struct str content);
/* The models that an agent names for this kind of failure follow instead of the others, once. */
void think_models_for(struct run *run, enum model_error error);

#endif
