/* Tables of Markdown, lined up for a fixed-width font. For text/markdown.c alone. */
#ifndef TEXT_MARKDOWN_TABLE_H
#define TEXT_MARKDOWN_TABLE_H

#include "base/buf.h"

enum table_align { TABLE_LEFT, TABLE_CENTER, TABLE_RIGHT };

struct table_link {
    struct str text, url;
};

struct table {
    struct arena *arena;
    struct buf cell; /* the one being read */
    struct str *cells;
    size_t cell_count, cell_cap;
    size_t columns;
    enum table_align *aligns; /* of each column */
    struct table_link *links; /* in the order they stand in */
    size_t link_count;
};

struct table *table_new(struct arena *arena, size_t columns);
void table_add(struct table *table, struct str text); /* to the cell being read */
void table_end_cell(struct table *table, enum table_align align);
void table_add_link(struct table *table, struct str text, struct str url);
/* The table's rows, the first one underlined; no line break at the end. */
struct str table_text(const struct table *table);

#endif
