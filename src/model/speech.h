/* Speech to text by an OpenAI-compatible server: POST {speech.base-url}/audio/transcriptions. */
#ifndef MODEL_SPEECH_H
#define MODEL_SPEECH_H

#include "base/config.h"
#include "base/err.h"

/* Is a server configured? */
bool speech_enabled(const struct config *config);
/* What was said, in arena; valid UTF-8. language: ISO 639-1, or empty. 0, ERR_UNAVAILABLE (not
 * configured, or the server refuses), ERR_IO, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_CANCELLED. Yields. */
MUST_CHECK int speech_to_text(const struct config *config, struct str bytes, struct str file_name,
    struct str mime, struct arena *arena, struct str *ret_text);

#endif
