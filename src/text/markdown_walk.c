#include "text/markdown_walk.h"

#include "text/markdown.h"

static struct rich_style quote_style(const struct walk *walk)
{
    if (!walk->quotes)
        return (struct rich_style){0};
    return (struct rich_style){RICH_QUOTE, 0, walk->quote};
}

static struct rich_style style_of(const struct walk *walk)
{
    struct rich_style style = quote_style(walk);

    if (walk->pre)
        return (struct rich_style){RICH_PRE, 0, walk->pre};
    if (walk->bold)
        style.marks |= RICH_BOLD;
    if (walk->italic)
        style.marks |= RICH_ITALIC;
    if (walk->strike)
        style.marks |= RICH_STRIKE;
    if (walk->code)
        style.marks |= RICH_CODE;
    style.link = walk->link_style;
    return style;
}

static void indent(struct walk *walk, size_t depth)
{
    for (size_t i = 0; i < MIN(depth, LISTS_MAX); i++)
        rich_add(walk->rich, STR("   "), quote_style(walk));
}

/* The line breaks and the item's marker that are due. */
static void begin(struct walk *walk)
{
    bool new_line = walk->gap > 0 && walk->rich->text.len > 0;
    struct rich_style between = {0};

    if (walk->quotes && walk->said_quote == walk->quote && !walk->pre)
        between = quote_style(walk);
    for (int i = 0; new_line && i < walk->gap; i++)
        rich_add(walk->rich, STR("\n"), between);
    if (new_line)
        rich_may_cut(walk->rich, walk->rank);
    if (!walk->pre && (walk->gap || walk->marker.len))
        indent(walk, walk->depth - (walk->marker.len > 0));
    rich_add(walk->rich, walk->marker, quote_style(walk));
    walk->gap = 0;
    walk->marker = STR("");
    walk->after_heading = false;
    walk->said_quote = walk->quotes && !walk->pre ? walk->quote : 0;
}

/* The next text begins a line, after at least so many breaks. */
static void gap(struct walk *walk, int breaks, enum rich_rank rank)
{
    walk->gap = MAX(walk->gap, breaks);
    walk->rank = rank;
}

/* What follows a heading, or a line that ends in a colon, stays near. */
void walk_block(struct walk *walk)
{
    if (walk->after_heading) {
        walk->gap = 1;
        walk->rank = RICH_CUT_LINE;
    } else if (walk->depth) {
        gap(walk, 1, RICH_CUT_PART);
    } else {
        gap(walk, 2, walk->quotes || walk->ends_colon ? RICH_CUT_ITEM : RICH_CUT_BLOCK);
    }
}

/* A block begins that cannot stand beside its item's marker. */
static void own_line(struct walk *walk)
{
    if (walk->marker.len)
        begin(walk);
    walk->item_begins = false;
    walk_block(walk);
}

static void say_raw(struct walk *walk, struct str text)
{
    if (walk->table) {
        table_add(walk->table, text);
        return;
    }
    begin(walk);
    walk->item_begins = false;
    walk->ends_colon = str_ends(text, STR(":"));
    rich_add(walk->rich, text, style_of(walk));
}

/* The first text of a link. */
static void open_link(struct walk *walk, struct str text)
{
    walk->opens = false;
    if (walk->link != WALK_LINK_VERBATIM)
        return;
    /* <ftp://…> is shown without a link's brackets. */
    if (str_eq(text, walk->url))
        walk->link = WALK_LINK_NONE;
    else
        say_raw(walk, walk->image ? STR("![") : STR("["));
}

void walk_say(struct walk *walk, struct str text)
{
    if (str_empty(text))
        return;
    text = markdown_unguard(walk->rich->arena, text);
    if (walk->opens)
        open_link(walk, text);
    say_raw(walk, text);
}

void walk_line_break(struct walk *walk)
{
    if (walk->table) {
        table_add(walk->table, STR(" "));
        return;
    }
    begin(walk);
    rich_add(walk->rich, STR("\n"), style_of(walk));
    rich_may_cut(walk->rich, RICH_CUT_LINE);
    indent(walk, walk->depth);
}

/* The break at the end of a block of code is not part of it. */
void walk_say_code(struct walk *walk, struct str text)
{
    while (text.len) {
        ptrdiff_t found = str_find_char(text, '\n', 0);
        size_t end = found < 0 ? text.len : (size_t)found;

        if (end > 0) {
            for (; walk->code_breaks; walk->code_breaks--) {
                begin(walk);
                rich_add(walk->rich, STR("\n"), style_of(walk));
                rich_may_cut(walk->rich, RICH_CUT_LINE);
            }
            walk_say(walk, str_slice(text, 0, end));
        }
        walk->code_breaks += found >= 0;
        text = str_slice(text, end + 1, text.len);
    }
}

void walk_enter_quote(struct walk *walk)
{
    own_line(walk);
    if (walk->quotes++ == 0)
        walk->quote = rich_block_new(walk->rich, STR(""));
}

void walk_leave_quote(struct walk *walk)
{
    walk->quotes--;
    walk_block(walk);
}

void walk_enter_list(struct walk *walk, struct walk_list list)
{
    bool near = walk->ends_colon && walk->depth == 0;

    own_line(walk);
    if (near)
        walk->gap = 1;
    if (walk->depth < LISTS_MAX)
        walk->lists[walk->depth] = list;
    walk->depth++;
}

void walk_leave_list(struct walk *walk)
{
    walk->depth--;
    walk->ends_colon = false;
    walk_block(walk);
}

void walk_enter_item(struct walk *walk, const char *task)
{
    struct walk_list *list = &walk->lists[MIN(walk->depth, LISTS_MAX) - 1];

    if (!list->first)
        gap(walk, list->tight || walk->depth > 1 ? 1 : 2,
            walk->depth > 1 || walk->quotes ? RICH_CUT_PART : RICH_CUT_ITEM);
    list->first = false;
    if (list->ordered)
        walk->marker = str_printf(walk->rich->arena, "%u%c %s", list->next++, list->mark, task);
    else
        walk->marker = str_from(*task ? task : walk->depth > 1 ? "◦ " : "• ");
    walk->item_begins = true;
}

void walk_leave_item(struct walk *walk)
{
    if (walk->marker.len) /* an item without text */
        begin(walk);
    walk->item_begins = false;
    gap(walk, 1, RICH_CUT_PART);
}

void walk_enter_code(struct walk *walk, struct str language)
{
    own_line(walk);
    walk->pre = rich_block_new(walk->rich, language);
}

void walk_leave_code(struct walk *walk)
{
    walk->pre = 0;
    walk->code_breaks = 0;
    walk_block(walk);
}

void walk_enter_table(struct walk *walk, size_t columns)
{
    own_line(walk);
    walk->table = table_new(walk->rich->arena, columns);
}

/* The rows as a block of code, which cannot hold links: they follow it. */
void walk_leave_table(struct walk *walk)
{
    const struct table *table = walk->table;

    walk->table = NULL;
    walk->pre = rich_block_new(walk->rich, STR(""));
    walk_say_code(walk, table_text(table));
    walk->pre = 0;
    walk->code_breaks = 0;
    for (size_t i = 0; i < table->link_count; i++) {
        if (i > 0)
            say_raw(walk, STR(" · "));
        else
            gap(walk, 1, RICH_CUT_LINE);
        walk->link_style = rich_link_new(walk->rich, table->links[i].url);
        say_raw(walk, table->links[i].text);
        walk->link_style = 0;
    }
    walk_block(walk);
}

void walk_rule(struct walk *walk)
{
    own_line(walk);
    say_raw(walk, STR("———"));
    walk_block(walk);
}

/* Characters that an address may not hold as they are (RFC 3986) are written as %XX. */
static struct str escape_url(struct arena *arena, struct str url)
{
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];

        if (c <= ' ' || (c < 0x80 && strchr("<>\"\\^`{|}", c)))
            buf_printf(&out, "%%%02X", c);
        else
            buf_add_char(&out, (char)c);
    }
    return buf_str(&out);
}

void walk_enter_link(struct walk *walk, struct str url, bool image)
{
    struct str escaped = escape_url(walk->rich->arena, url);

    if (walk->links++ > 0)
        return; /* an image within a link: the link counts */
    walk->image = image;
    walk->opens = true;
    walk->url = url;
    if (!walk->table)
        begin(walk);
    walk->link_from = walk->table ? walk->table->cell.len : walk->rich->text.len;
    if (walk->url_ok(escaped)) {
        walk->link = WALK_LINK_GOOD;
        walk->url = escaped;
        if (!walk->table)
            walk->link_style = rich_link_new(walk->rich, escaped);
    } else if (str_starts_nocase(url, STR("mailto:")) && !image) {
        walk->link = WALK_LINK_MAIL;
        walk->url = str_slice(url, 7, url.len);
    } else {
        walk->link = WALK_LINK_VERBATIM;
    }
}

void walk_leave_link(struct walk *walk)
{
    struct arena *arena = walk->rich->arena;
    const struct buf *out = walk->table ? &walk->table->cell : &walk->rich->text;
    struct str text;

    if (--walk->links > 0)
        return;
    if (walk->opens) /* a link without text */
        walk_say(walk, walk->link == WALK_LINK_VERBATIM ? STR(" ") : walk->url);
    text = str_dup(arena, str_slice(buf_str(out), walk->link_from, out->len));
    if (walk->link == WALK_LINK_VERBATIM)
        say_raw(walk, str_printf(arena, "](%.*s)", STR_ARG(walk->url)));
    else if (walk->link == WALK_LINK_MAIL && !str_eq(text, walk->url))
        say_raw(walk, str_printf(arena, " (%.*s)", STR_ARG(walk->url)));
    else if (walk->link == WALK_LINK_GOOD && walk->table)
        table_add_link(walk->table, text, walk->url);
    walk->opens = false;
    walk->link = WALK_LINK_NONE;
    walk->link_style = 0;
}
