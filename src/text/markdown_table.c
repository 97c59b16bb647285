#include "text/markdown_table.h"

/* A cell wider than this is not waited for by the rows around it. */
#define PAD_MAX 32

struct table *table_new(struct arena *arena, size_t columns)
{
    struct table *table = arena_new(arena, struct table);

    table->arena = arena;
    table->cell = BUF_IN(arena);
    table->columns = MAX(columns, 1);
    table->aligns = arena_array(arena, enum table_align, table->columns);
    return table;
}

void table_add(struct table *table, struct str text)
{
    buf_add_str(&table->cell, text);
}

void table_end_cell(struct table *table, enum table_align align)
{
    if (table->cell_count == table->cell_cap) {
        size_t cap = table->cell_cap ? table->cell_cap * 2 : 64;

        table->cells = arena_grow(table->arena, table->cells,
            table->cell_cap * sizeof(*table->cells), cap * sizeof(*table->cells));
        table->cell_cap = cap;
    }
    if (table->cell_count < table->columns)
        table->aligns[table->cell_count] = align;
    table->cells[table->cell_count++] = str_trim(buf_str(&table->cell));
    table->cell = BUF_IN(table->arena);
}

void table_add_link(struct table *table, struct str text, struct str url)
{
    table->links = arena_grow(table->arena, table->links, table->link_count * sizeof(*table->links),
        (table->link_count + 1) * sizeof(*table->links));
    table->links[table->link_count++] = (struct table_link){text, url};
}

/* Columns that a code point takes in a fixed-width font: East Asian wide forms and emoji take two
 * (Unicode TR 11), combining marks none. */
static size_t width_of(uint32_t cp)
{
    if (cp < 0x300)
        return 1;
    if (cp <= 0x36f || cp == 0x200b || cp == 0x200d || (cp >= 0xfe00 && cp <= 0xfe0f))
        return 0;
    if ((cp >= 0x1100 && cp <= 0x115f) || (cp >= 0x2e80 && cp <= 0xa4cf) ||
        (cp >= 0xac00 && cp <= 0xd7a3) || (cp >= 0xf900 && cp <= 0xfaff) ||
        (cp >= 0xfe30 && cp <= 0xfe6f) || (cp >= 0xff00 && cp <= 0xff60) ||
        (cp >= 0xffe0 && cp <= 0xffe6) || (cp >= 0x1f300 && cp <= 0x1faff) ||
        (cp >= 0x20000 && cp <= 0x3fffd))
        return 2;
    return 1;
}

static size_t width(struct str text)
{
    size_t columns = 0, pos = 0;

    while (pos < text.len)
        columns += width_of(utf8_next(text, &pos));
    return columns;
}

static void repeat(struct buf *out, const char *what, size_t times)
{
    while (times--)
        buf_add_cstr(out, what);
}

static void put_cell(
    struct buf *out, struct str cell, size_t column_width, enum table_align align, bool last)
{
    size_t own = width(cell), space = own < column_width ? column_width - own : 0;
    size_t before = align == TABLE_RIGHT ? space : align == TABLE_CENTER ? space / 2 : 0;

    repeat(out, " ", before);
    buf_add_str(out, cell);
    if (!last)
        repeat(out, " ", space - before);
}

static void put_row(
    const struct table *table, const struct str *row, const size_t *widths, struct buf *out)
{
    size_t last = table->columns;

    /* Empty cells at the end of a row take no room. */
    while (last > 1 && str_empty(row[last - 1]))
        last--;
    for (size_t i = 0; i < last; i++) {
        if (i > 0)
            buf_add_cstr(out, " | ");
        put_cell(out, row[i], widths[i], table->aligns[i], i + 1 == last);
    }
}

struct str table_text(const struct table *table)
{
    struct buf out = BUF_IN(table->arena);
    size_t *widths = arena_array(table->arena, size_t, table->columns);
    size_t rows = table->cell_count / table->columns;

    for (size_t i = 0; i < rows * table->columns; i++) {
        size_t own = width(table->cells[i]);

        widths[i % table->columns] = MAX(widths[i % table->columns], MIN(own, PAD_MAX));
    }
    for (size_t row = 0; row < rows; row++) {
        if (row > 0)
            buf_add_char(&out, '\n');
        put_row(table, table->cells + row * table->columns, widths, &out);
        if (row > 0)
            continue;
        buf_add_char(&out, '\n');
        for (size_t i = 0; i < table->columns; i++) {
            repeat(&out, "-", widths[i] + (i > 0) + (i + 1 < table->columns));
            if (i + 1 < table->columns)
                buf_add_char(&out, '+');
        }
    }
    return buf_str(&out);
}
