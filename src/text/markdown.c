#include "text/markdown.h"

#include "text/markdown_walk.h"

#include <md4c.h>

static struct str entity(struct arena *arena, struct str name)
{
    static const struct {
        const char *name, *text;
    } known[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"},
        {"&nbsp;", "\xc2\xa0"}, {"&ndash;", "–"}, {"&mdash;", "—"}, {"&hellip;", "…"},
        {"&bull;", "•"}, {"&middot;", "·"}, {"&copy;", "©"}, {"&reg;", "®"}, {"&trade;", "™"},
        {"&euro;", "€"}, {"&pound;", "£"}, {"&rarr;", "→"}, {"&larr;", "←"}, {"&times;", "×"},
        {"&deg;", "°"}, {"&laquo;", "«"}, {"&raquo;", "»"}};
    uint32_t cp = 0;
    char bytes[4];

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(name, known[i].name))
            return str_from(known[i].text);
    if (name.len < 4 || name.ptr[1] != '#' || name.len > 10)
        return name;

    bool hex = char_lower(name.ptr[2]) == 'x';

    for (size_t i = hex ? 3 : 2; i + 1 < name.len; i++) {
        char c = char_lower(name.ptr[i]);

        cp = cp * (hex ? 16 : 10) + (uint32_t)(char_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    if (cp < ' ' || (cp >= 0x7f && cp < 0xa0) || (cp >= 0xfdd0 && cp <= 0xfdef))
        return name;
    return str_dup(arena, (struct str){bytes, utf8_encode(cp, bytes)});
}

static struct str attribute(struct arena *arena, const MD_ATTRIBUTE *attribute)
{
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; attribute->text && attribute->substr_offsets[i] < attribute->size; i++) {
        struct str part = {attribute->text + attribute->substr_offsets[i],
            attribute->substr_offsets[i + 1] - attribute->substr_offsets[i]};

        buf_add_str(
            &out, attribute->substr_types[i] == MD_TEXT_ENTITY ? entity(arena, part) : part);
    }
    return markdown_unguard(arena, buf_str(&out));
}

/* May the word stand in an attribute as a language? */
static bool is_language(struct str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!char_is_alnum(word.ptr[i]) && !strchr("_+#.-", word.ptr[i]))
            return false;
    return word.len <= 32;
}

/* What stands behind the fence is the language; more than that becomes the first line of code. */
static void enter_code(struct walk *walk, const MD_BLOCK_CODE_DETAIL *code)
{
    struct arena *arena = walk->rich->arena;
    struct str info = str_trim(attribute(arena, &code->info));
    struct str language = attribute(arena, &code->lang);

    if (!is_language(language) || !str_starts(info, language))
        language = STR("");
    walk_enter_code(walk, language);
    info = str_trim(str_slice(info, language.len, info.len));
    if (info.len) {
        walk_say_code(walk, info);
        walk_say_code(walk, STR("\n"));
    }
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct walk *walk = ctx;
    const MD_BLOCK_OL_DETAIL *ordered = detail;
    const MD_BLOCK_LI_DETAIL *item = detail;

    switch (type) {
    case MD_BLOCK_QUOTE:
        walk_enter_quote(walk);
        break;
    case MD_BLOCK_UL:
        walk_enter_list(walk,
            (struct walk_list){.tight = ((MD_BLOCK_UL_DETAIL *)detail)->is_tight, .first = true});
        break;
    case MD_BLOCK_OL:
        walk_enter_list(walk, (struct walk_list){true, ordered->is_tight, true, ordered->start,
                                  ordered->mark_delimiter});
        break;
    case MD_BLOCK_LI:
        walk_enter_item(walk, !item->is_task ? "" : item->task_mark == ' ' ? "☐ " : "☑ ");
        break;
    case MD_BLOCK_HR:
        walk_rule(walk);
        break;
    case MD_BLOCK_H:
        walk->bold++;
        /* fall through */
    case MD_BLOCK_P:
        if (!walk->item_begins)
            walk_block(walk);
        break;
    case MD_BLOCK_CODE:
        enter_code(walk, detail);
        break;
    case MD_BLOCK_TABLE:
        walk_enter_table(walk, ((MD_BLOCK_TABLE_DETAIL *)detail)->col_count);
        break;
    default:
        break;
    }
    return 0;
}

static enum table_align align_of(const MD_BLOCK_TD_DETAIL *cell)
{
    switch (cell->align) {
    case MD_ALIGN_CENTER:
        return TABLE_CENTER;
    case MD_ALIGN_RIGHT:
        return TABLE_RIGHT;
    default:
        return TABLE_LEFT;
    }
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct walk *walk = ctx;

    switch (type) {
    case MD_BLOCK_QUOTE:
        walk_leave_quote(walk);
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        walk_leave_list(walk);
        break;
    case MD_BLOCK_LI:
        walk_leave_item(walk);
        break;
    case MD_BLOCK_H:
        walk->bold--;
        walk->after_heading = walk->gap == 0;
        walk_block(walk);
        break;
    case MD_BLOCK_P:
        walk_block(walk);
        break;
    case MD_BLOCK_CODE:
        walk_leave_code(walk);
        break;
    case MD_BLOCK_TABLE:
        walk_leave_table(walk);
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        table_end_cell(walk->table, align_of(detail));
        break;
    default:
        break;
    }
    return 0;
}

/* Enter or leave a style or a link. */
static void span(struct walk *walk, MD_SPANTYPE type, const void *detail, int step)
{
    struct arena *arena = walk->rich->arena;

    switch (type) {
    case MD_SPAN_STRONG:
        walk->bold += step;
        break;
    case MD_SPAN_EM:
        walk->italic += step;
        break;
    case MD_SPAN_DEL:
        walk->strike += step;
        break;
    case MD_SPAN_CODE:
        walk->code += step;
        break;
    case MD_SPAN_A:
    case MD_SPAN_IMG:
        if (step < 0)
            walk_leave_link(walk);
        else if (type == MD_SPAN_A)
            walk_enter_link(
                walk, attribute(arena, &((const MD_SPAN_A_DETAIL *)detail)->href), false);
        else
            walk_enter_link(
                walk, attribute(arena, &((const MD_SPAN_IMG_DETAIL *)detail)->src), true);
        break;
    default:
        break;
    }
}

static int enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    span(ctx, type, detail, 1);
    return 0;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    span(ctx, type, detail, -1);
    return 0;
}

static bool is_break(struct str html)
{
    return str_eq_nocase(html, STR("<br>")) || str_eq_nocase(html, STR("<br/>")) ||
           str_eq_nocase(html, STR("<br />"));
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *bytes, MD_SIZE size, void *ctx)
{
    struct walk *walk = ctx;
    struct str text = {bytes, size};

    if (type == MD_TEXT_ENTITY)
        text = entity(walk->rich->arena, text);
    if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR || (type == MD_TEXT_HTML && is_break(text)))
        walk_line_break(walk);
    else if (type == MD_TEXT_CODE && walk->pre)
        walk_say_code(walk, text);
    else
        walk_say(walk, text);
    return 0;
}

/* Text without a look for markup. */
static void read_lines(struct rich *rich, struct str text)
{
    struct str rest = markdown_unguard(rich->arena, text), line;

    while (str_next(&rest, '\n', &line)) {
        rich_add(rich, line, (struct rich_style){0});
        if (rest.ptr)
            rich_add(rich, STR("\n"), (struct rich_style){0});
        rich_may_cut(rich, RICH_CUT_LINE);
    }
}

void markdown_read(struct rich *rich, struct str markdown, bool (*url_ok)(struct str url))
{
    static const MD_PARSER parser = {
        .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTMLBLOCKS |
                 MD_FLAG_NOINDENTEDCODEBLOCKS,
        .enter_block = enter_block,
        .leave_block = leave_block,
        .enter_span = enter_span,
        .leave_span = leave_span,
        .text = on_text,
    };
    struct walk walk = {.rich = rich, .url_ok = url_ok, .marker = STR("")};
    struct str text = markdown_guard(rich->arena, markdown);
    size_t before = rich->text.len;

    if (text.len <= MARKDOWN_MAX && md_parse(text.ptr, (MD_SIZE)text.len, &parser, &walk) == 0)
        return;
    /* Too long, or md4c was out of memory before it began. */
    if (rich->text.len == before)
        read_lines(rich, text);
}
