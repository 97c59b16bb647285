/* Markdown as models write it, as messages that Telegram takes
 * (https://core.telegram.org/bots/api#html-style).
 *
 * The HTML is never broken: tags are balanced, known to Telegram and nested only as it allows; text
 * is escaped. Links are http, https and tg://user?id=N; every other stays as it was written. What
 * Telegram has no form for becomes text: lists get bullets and numbers, tables are lined up in a
 * fixed-width block (their links follow it), a rule is a line. No letter of the text is lost; lines
 * break where they did.
 *
 * Long text becomes several parts. Each part's text, after Telegram parsed its entities, is at most
 * limit UTF-16 code units, and so is its plain form. Blocks of code, lists, links and paragraphs
 * stay whole where that is possible; a block of code that has to be cut goes on in the next part
 * as the same language. Only white space is dropped at a cut.
 */
#ifndef TEXT_TELEGRAM_HTML_H
#define TEXT_TELEGRAM_HTML_H

#include "text/rich.h"

#define TELEGRAM_TEXT_MAX 4096
#define TELEGRAM_CAPTION_MAX 1024

struct telegram_part {
    struct str html;  /* for parse_mode HTML */
    struct str plain; /* the same without markup, for when Telegram cannot parse the HTML; a link's
                         address follows its text in brackets */
};

/* ret_parts has ret_count parts, none of them blank; none at all when markdown shows nothing. limit
 * is TELEGRAM_TEXT_MAX or TELEGRAM_CAPTION_MAX; with less than that a long address may not fit.
 * Pure; 64 KiB take 3 ms, and not over 20 ms when made to be slow. */
void telegram_render(struct arena *arena, struct str markdown, size_t limit,
    struct telegram_part **ret_parts, size_t *ret_count);

/* The bytes from..to of a text. */
struct str telegram_html(const struct rich *rich, size_t from, size_t to);

#endif
