/* Formatted text: one plain text, runs of one style in it, and the places where it may be cut well.
 * What Markdown is turned into before it is written in a channel's own markup; cutting it by range
 * can never break a tag.
 *
 * Runs are in order, do not overlap and cover the text. Styles are kept such that every channel
 * can show them: code has no other style, a block of code stands alone, quotes do not nest.
 *
 * Ownership: everything lives in the arena. Pure; nothing yields.
 */
#ifndef TEXT_RICH_H
#define TEXT_RICH_H

#include "base/buf.h"

enum rich_mark {
    RICH_BOLD = 1,
    RICH_ITALIC = 2,
    RICH_STRIKE = 4,
    RICH_CODE = 8,
    RICH_PRE = 16, /* lines of code; block says which */
    RICH_QUOTE = 32,
};

struct rich_style {
    unsigned marks; /* enum rich_mark */
    unsigned link;  /* 1 + index into links; 0 none */
    unsigned block; /* 1 + index into blocks, of RICH_PRE and RICH_QUOTE; 0 none */
};

struct rich_run {
    size_t from, to; /* bytes of text */
    struct rich_style style;
};

struct rich_link {
    struct str url;
    size_t from, to;
};

/* How good a place is for a cut: the higher, the better. Sentences, words and letters are found
 * when the text is cut. */
enum rich_rank {
    RICH_CUT_LETTER,
    RICH_CUT_WORD,
    RICH_CUT_SENTENCE,
    RICH_CUT_LINE,
    RICH_CUT_PART, /* a block within an item, an item within an item */
    RICH_CUT_ITEM, /* of a list, or a paragraph that belongs to the one before it */
    RICH_CUT_BLOCK,
};

struct rich_cut {
    size_t at; /* the byte a next part would begin with */
    enum rich_rank rank;
};

struct rich {
    struct arena *arena;
    struct buf text;
    struct rich_run *runs;
    size_t run_count, run_cap;
    struct rich_link *links;
    size_t link_count, link_cap;
    struct str *blocks; /* the language of each; "" none */
    size_t block_count, block_cap;
    struct rich_cut *cuts; /* in order */
    size_t cut_count, cut_cap;
};

void rich_init(struct rich *rich, struct arena *arena);
/* Append valid UTF-8 in that style. */
void rich_add(struct rich *rich, struct str text, struct rich_style style);
/* The next text may begin a part. Ignored at the very beginning. */
void rich_may_cut(struct rich *rich, enum rich_rank rank);
/* What to put into a style's link and block. */
unsigned rich_link_new(struct rich *rich, struct str url);
unsigned rich_block_new(struct rich *rich, struct str language);

static inline struct str rich_text(const struct rich *rich)
{
    return buf_str(&rich->text);
}

/* The first run that ends after the byte; run_count if none. */
size_t rich_run_at(const struct rich *rich, size_t at);

#endif
