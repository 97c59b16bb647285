/* Anthropic's Messages API. Private to src/model; the port is model/model.h.
 *
 * Sources: docs.anthropic.com "Messages", "Streaming", "Errors", "Prompt caching"; the
 * @anthropic-ai/sdk package's types.
 */
#ifndef MODEL_ANTHROPIC_H
#define MODEL_ANTHROPIC_H

#include "model/provider.h"

extern const struct provider_protocol anthropic_protocol;

/* Pure. */
void anthropic_write_request(
    struct buf *out, const struct provider *provider, const struct model_request *request);
/* Merge a message or one event of its stream: see struct provider_protocol. */
MUST_CHECK int anthropic_answer_take(struct provider_answer *answer, const struct json *root);

#endif
