/* Where to cut a formatted text that is too long for one message.
 *
 * A part is never longer than the limit, never cuts a code point, and ends at the best border there
 * is: before a block if that keeps the block whole, or else before an item, at a line, behind a
 * sentence, between words. Links are kept whole unless one alone is too long.
 */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H

#include "text/rich.h"

struct split_part {
    size_t from, to; /* without white space at the ends, but with a code line's indent */
};

/* units: the UTF-16 code units a link's address adds to the plain form, by rich_link. */
void split_rich(
    const struct rich *rich, size_t limit, struct split_part **ret_parts, size_t *ret_count);

/* What the address of a link adds to the plain form: " (url)", nothing if the text says it. */
bool split_shows_url(const struct rich *rich, const struct rich_link *link);

#endif
