/* The walk over a Markdown document, as text/markdown.c makes it from md4c's calls: what line,
 * item, style and link the next text belongs to. For that file alone.
 */
#ifndef TEXT_MARKDOWN_WALK_H
#define TEXT_MARKDOWN_WALK_H

#include "text/markdown_table.h"
#include "text/rich.h"

/* Deeper lists are shown at this depth. */
#define LISTS_MAX 8

struct walk_list {
    bool ordered, tight, first;
    unsigned next; /* number */
    char mark;     /* behind it */
};

enum walk_link {
    WALK_LINK_NONE,
    WALK_LINK_GOOD,
    WALK_LINK_MAIL,     /* the address is shown: Telegram makes it a link */
    WALK_LINK_VERBATIM, /* not for the channel: shown as it was written */
};

struct walk {
    struct rich *rich;
    bool (*url_ok)(struct str url);

    int gap;             /* line breaks due before the next text */
    enum rich_rank rank; /* of the cut there */
    struct str marker;   /* of an item, due before the next text */
    bool item_begins;    /* nothing of the item was said but its marker */
    bool after_heading, ends_colon;

    int bold, italic, strike, code;
    unsigned quotes, quote, said_quote; /* depth; block; block of the last text, 0 outside */
    unsigned pre;                       /* block; 0 outside */
    size_t code_breaks;                 /* line ends of code that were not said yet */
    size_t depth;                       /* of lists */
    struct walk_list lists[LISTS_MAX];
    struct table *table;

    int links; /* depth, images count too; the outermost counts */
    enum walk_link link;
    unsigned link_style; /* 1 + index; 0 none */
    struct str url;
    bool image, opens; /* opens: its text has not begun */
    size_t link_from;  /* where its text begins, in the text or in the table's cell */
};

/* Text, a line break within a paragraph, lines of a block of code. */
void walk_say(struct walk *walk, struct str text);
void walk_line_break(struct walk *walk);
void walk_say_code(struct walk *walk, struct str text);

/* A block begins or ended. */
void walk_block(struct walk *walk);

void walk_enter_quote(struct walk *walk);
void walk_leave_quote(struct walk *walk);
void walk_enter_list(struct walk *walk, struct walk_list list);
void walk_leave_list(struct walk *walk);
void walk_enter_item(struct walk *walk, const char *task); /* "", or a box and a blank */
void walk_leave_item(struct walk *walk);
void walk_enter_code(struct walk *walk, struct str language);
void walk_leave_code(struct walk *walk);
void walk_enter_table(struct walk *walk, size_t columns);
void walk_leave_table(struct walk *walk);
void walk_rule(struct walk *walk);
/* url as it was written. */
void walk_enter_link(struct walk *walk, struct str url, bool image);
void walk_leave_link(struct walk *walk);

#endif
