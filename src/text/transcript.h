/* Transcript: a chat as `party: message` lines (or already as messages), and back.
 *
 * A line starts a new message when it begins with a known or plausible party followed by ": " (or
 * ":" and something); any other line continues the message before it. Plausible: 1 to 64 bytes,
 * no line or control characters, does not look like a URL scheme, a clock time ("14:30"), a
 * sentence, a list item or a code line; a party seen before in this transcript is always one. Time
 * stamps in front ("[14:02] Ana: hi", "[2026-03-01 14:02] Ana: hi", "2026-03-01T14:02Z Ana: hi")
 * are read into at_ms (a bare time needs a dated stamp before it; else it is 0, unknown). CRLF and
 * LF both end a line. Indented lines (beyond what all lines share) continue a message; up to four
 * spaces are taken off. Lines before the first message are a heading and left out.
 * Pure, bounded, does not yield.
 */
#ifndef TEXT_TRANSCRIPT_H
#define TEXT_TRANSCRIPT_H

#include "base/json.h"

#define TRANSCRIPT_MESSAGES_MAX 10000
#define TRANSCRIPT_PARTY_MAX 64

struct chat_message {
    struct str party;
    struct str text; /* trimmed; inner newlines kept */
    int64_t at_ms;   /* UTC; 0 unknown */
};

struct transcript {
    struct chat_message *messages;
    size_t count;
};

/* Parse text. Strings point into text or arena. 0, or ERR_INVALID (field "chat_context") when it
 * is empty, is not valid UTF-8, holds no party at all, or has more than TRANSCRIPT_MESSAGES_MAX
 * messages; the message says what to do. */
MUST_CHECK int transcript_parse(
    struct arena *arena, struct str text, struct transcript *ret_transcript);

/* From [{"party","message","at"?}]: ERR_INVALID names the wrong place ("chat_context[3].party"). */
MUST_CHECK int transcript_from_json(
    struct arena *arena, const struct json *array, struct transcript *ret_transcript);

/* One `party: message` line (multi-line texts are indented so that they parse back). */
void transcript_write(struct buf *out, const struct chat_message *message);

#endif
