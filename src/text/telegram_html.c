#include "text/telegram_html.h"

#include "text/markdown.h"
#include "text/split.h"

/* Tags in the order they are nested in, outermost first. */
enum level { LEVEL_BLOCK, LEVEL_LINK, LEVEL_BOLD, LEVEL_ITALIC, LEVEL_STRIKE, LEVEL_CODE, LEVELS };

static const struct {
    unsigned mark;
    const char *open, *close;
} tags[LEVELS] = {
    [LEVEL_BOLD] = {RICH_BOLD, "<b>", "</b>"},
    [LEVEL_ITALIC] = {RICH_ITALIC, "<i>", "</i>"},
    [LEVEL_STRIKE] = {RICH_STRIKE, "<s>", "</s>"},
    [LEVEL_CODE] = {RICH_CODE, "<code>", "</code>"},
};

/* Text of ours between tags of ours: & < > " escaped. */
static void escape(struct buf *out, struct str text)
{
    size_t done = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *name;

        switch (text.ptr[i]) {
        case '&':
            name = "&amp;";
            break;
        case '<':
            name = "&lt;";
            break;
        case '>':
            name = "&gt;";
            break;
        case '"':
            name = "&quot;";
            break;
        default:
            continue;
        }
        buf_add(out, text.ptr + done, i - done);
        buf_add_cstr(out, name);
        done = i + 1;
    }
    buf_add(out, text.ptr + done, text.len - done);
}

static bool has(struct rich_style style, enum level level)
{
    switch (level) {
    case LEVEL_BLOCK:
        return style.block != 0;
    case LEVEL_LINK:
        return style.link != 0;
    default:
        return style.marks & tags[level].mark;
    }
}

static bool level_same(struct rich_style a, struct rich_style b, enum level level)
{
    switch (level) {
    case LEVEL_BLOCK:
        return a.block == b.block;
    case LEVEL_LINK:
        return a.link == b.link;
    default:
        return has(a, level) == has(b, level);
    }
}

static void open_level(
    const struct rich *rich, struct buf *out, struct rich_style style, enum level level)
{
    struct str language;

    switch (level) {
    case LEVEL_BLOCK:
        if (style.marks & RICH_QUOTE) {
            buf_add_cstr(out, "<blockquote>");
            break;
        }
        buf_add_cstr(out, "<pre>");
        language = rich->blocks[style.block - 1];
        if (language.len) {
            buf_add_cstr(out, "<code class=\"language-");
            escape(out, language);
            buf_add_cstr(out, "\">");
        }
        break;
    case LEVEL_LINK:
        buf_add_cstr(out, "<a href=\"");
        escape(out, rich->links[style.link - 1].url);
        buf_add_cstr(out, "\">");
        break;
    default:
        buf_add_cstr(out, tags[level].open);
    }
}

static void close_level(
    const struct rich *rich, struct buf *out, struct rich_style style, enum level level)
{
    switch (level) {
    case LEVEL_BLOCK:
        if (style.marks & RICH_QUOTE)
            buf_add_cstr(out, "</blockquote>");
        else if (rich->blocks[style.block - 1].len)
            buf_add_cstr(out, "</code></pre>");
        else
            buf_add_cstr(out, "</pre>");
        break;
    case LEVEL_LINK:
        buf_add_cstr(out, "</a>");
        break;
    default:
        buf_add_cstr(out, tags[level].close);
    }
}

/* Close what ends and open what begins between two runs. What lies within a level that changes is
 * closed and opened again with it. */
static void change(
    const struct rich *rich, struct buf *out, struct rich_style before, struct rich_style after)
{
    int first = 0;

    while (first < LEVELS && level_same(before, after, (enum level)first))
        first++;
    for (int level = LEVELS - 1; level >= first; level--)
        if (has(before, (enum level)level))
            close_level(rich, out, before, (enum level)level);
    for (int level = first; level < LEVELS; level++)
        if (has(after, (enum level)level))
            open_level(rich, out, after, (enum level)level);
}

struct str telegram_html(const struct rich *rich, size_t from, size_t to)
{
    struct buf out = BUF_IN(rich->arena);
    struct rich_style style = {0};

    for (size_t i = rich_run_at(rich, from); i < rich->run_count; i++) {
        const struct rich_run *run = &rich->runs[i];

        if (run->from >= to)
            break;
        change(rich, &out, style, run->style);
        style = run->style;
        escape(&out, str_slice(rich_text(rich), MAX(run->from, from), MIN(run->to, to)));
    }
    change(rich, &out, style, (struct rich_style){0});
    return buf_str(&out);
}

static struct str plain_text(const struct rich *rich, size_t from, size_t to)
{
    struct buf out = BUF_IN(rich->arena);

    for (size_t i = rich_run_at(rich, from); i < rich->run_count; i++) {
        const struct rich_run *run = &rich->runs[i];
        const struct rich_link *link = run->style.link ? &rich->links[run->style.link - 1] : NULL;

        if (run->from >= to)
            break;
        buf_add_str(&out, str_slice(rich_text(rich), MAX(run->from, from), MIN(run->to, to)));
        if (link && link->to == run->to && run->to <= to && split_shows_url(rich, link)) {
            buf_add_cstr(&out, " (");
            buf_add_str(&out, link->url);
            buf_add_char(&out, ')');
        }
    }
    return buf_str(&out);
}

/* What Telegram takes as the target of a text link. An address longer than half a caption would
 * not leave room for its text in the plain form. */
static bool url_ok(struct str url)
{
    static const struct str user = {"tg://user?id=", 13};
    size_t host;

    if (url.len > TELEGRAM_CAPTION_MAX / 2)
        return false;
    if (str_starts(url, user)) {
        for (size_t i = user.len; i < url.len; i++)
            if (!char_is_digit(url.ptr[i]))
                return false;
        return url.len > user.len && url.len < user.len + 17;
    }
    if (str_starts_nocase(url, STR("https://")))
        host = 8;
    else if (str_starts_nocase(url, STR("http://")))
        host = 7;
    else
        return false;
    return host < url.len && (char_is_alnum(url.ptr[host]) || url.ptr[host] == '[' ||
                                 (unsigned char)url.ptr[host] >= 0x80);
}

void telegram_render(struct arena *arena, struct str markdown, size_t limit,
    struct telegram_part **ret_parts, size_t *ret_count)
{
    struct rich rich;
    struct split_part *cuts;
    struct telegram_part *parts;
    size_t count;

    rich_init(&rich, arena);
    markdown_read(&rich, markdown, url_ok);
    split_rich(&rich, limit, &cuts, &count);
    parts = arena_array(arena, struct telegram_part, count);
    for (size_t i = 0; i < count; i++) {
        parts[i].html = telegram_html(&rich, cuts[i].from, cuts[i].to);
        parts[i].plain = plain_text(&rich, cuts[i].from, cuts[i].to);
    }
    *ret_parts = parts;
    *ret_count = count;
}
