/* Text that others wrote, made inert before a model reads it: what a person would not see is taken
 * out, what only looks like a letter becomes that letter, and what a model, a chat template or a
 * renderer would take for markup stays readable but loses its meaning.
 *
 * - Invisible: zero-width and bidirectional controls, soft hyphens, tag characters, variation
 *   selectors, fillers and control characters go. Joiners stay where a script or an emoji needs
 *   them. The ways of attack: https://trojansource.codes, Unicode TR 36 and 39.
 * - Look-alike: full-width and mathematical letters become plain ones; Cyrillic and Greek letters
 *   within a word that has Latin ones too become the Latin letter they look like.
 * - Markup: "<" before a tag or a template's mark becomes U+2039, "[INST]" loses its brackets, the
 *   parts of a link or an image stand apart, and a line that poses
 *   as another speaker ("System: …") is marked as quoted.
 * - Phrases: text that reads like an order to the model is counted, not changed; see inert_frame().
 *
 * The result is valid UTF-8 and at most INERT_GROWTH times as long, and making it inert again
 * changes nothing. Pure.
 */
#ifndef TEXT_INERT_H
#define TEXT_INERT_H

#include "base/arena.h"
#include "base/str.h"

#define INERT_GROWTH 4

/* What was found, in places. */
struct inert_found {
    size_t invisible, lookalike, markup, phrases;
};

/* ret_found may be NULL. The result is in arena. */
struct str inert_text(struct arena *arena, struct str text, struct inert_found *ret_found);

/* Only what is not seen taken out, all else as it was: for values that are compared or looked up,
 * as those of a schema. Valid UTF-8 of at most max bytes. */
struct str inert_visible(struct arena *arena, struct str text, size_t max);

/* The same as inert_text() on one line: white space becomes a space. */
struct str inert_line(struct arena *arena, struct str text);

/* inert_text() with a line before it that says whose words they are: "source" is a tool's name. */
struct str inert_frame(
    struct arena *arena, struct str source, struct str text, struct inert_found *ret_found);

#endif
