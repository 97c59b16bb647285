/* Markdown to formatted text: CommonMark with GitHub's tables, strike-through and task lists, read
 * by md4c (https://github.com/mity/md4c), forgiving as chat needs it.
 *
 * Differences to CommonMark, so that nothing a model wrote is lost: link reference definitions and
 * raw HTML stay visible (<br> breaks the line), indented text is no code, "2*3*4", "10~20" and
 * addresses are not taken for markup, a row's surplus cells stay. Unknown entities and stray
 * markers stay as written. Invalid UTF-8 becomes U+FFFD, control characters go.
 *
 * url_ok says which links the channel takes; others are left as they were written.
 */
#ifndef TEXT_MARKDOWN_H
#define TEXT_MARKDOWN_H

#include "text/rich.h"

/* Longer text is taken as it is, without a look for markup: md4c's time is not linear in all. */
#define MARKDOWN_MAX (128 * KIB)

/* Appends to rich. Pure. */
void markdown_read(struct rich *rich, struct str markdown, bool (*url_ok)(struct str url));

/* The text made ready for md4c: what must not be taken for markup is replaced by noncharacters
 * (U+FDD0 to U+FDD4), which markdown_unguard() turns back. */
struct str markdown_guard(struct arena *arena, struct str markdown);
struct str markdown_unguard(struct arena *arena, struct str text);

#endif
