/* Google's Gemini API, generateContent. Private to src/model; the port is model/model.h.
 *
 * Sources: ai.google.dev/api/generate-content, "Function calling", "Thought signatures"; the
 * @google/genai package's types.
 */
#ifndef MODEL_GEMINI_H
#define MODEL_GEMINI_H

#include "model/provider.h"

extern const struct provider_protocol gemini_protocol;

/* Pure. */
void gemini_write_request(
    struct buf *out, const struct provider *provider, const struct model_request *request);
/* Merge an answer or a piece of one, which look alike: see struct provider_protocol. */
MUST_CHECK int gemini_answer_take(struct provider_answer *answer, const struct json *root);

#endif
