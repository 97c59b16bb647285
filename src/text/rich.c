#include "text/rich.h"

void rich_init(struct rich *rich, struct arena *arena)
{
    *rich = (struct rich){.arena = arena, .text = BUF_IN(arena)};
}

/* Room for one more in an array of the arena. */
static void *room(struct arena *arena, void *array, size_t count, size_t *cap, size_t size)
{
    size_t more;

    if (count < *cap)
        return array;
    more = *cap ? *cap * 2 : 16;
    array = arena_grow(arena, array, *cap * size, more * size);
    *cap = more;
    return array;
}

/* What no channel shows together is taken apart: code has no other style. */
static struct rich_style plainer(struct rich_style style)
{
    if (style.marks & RICH_PRE)
        return (struct rich_style){RICH_PRE, 0, style.block};
    if (style.marks & RICH_CODE) {
        if (style.link || (style.marks & RICH_QUOTE))
            style.marks &= ~(unsigned)RICH_CODE;
        else
            style.marks = RICH_CODE;
    }
    if (!(style.marks & RICH_QUOTE))
        style.block = 0;
    return style;
}

static bool same(struct rich_style a, struct rich_style b)
{
    return a.marks == b.marks && a.link == b.link && a.block == b.block;
}

void rich_add(struct rich *rich, struct str text, struct rich_style style)
{
    size_t from = rich->text.len;
    struct rich_run *last = rich->run_count ? &rich->runs[rich->run_count - 1] : NULL;

    if (str_empty(text))
        return;
    style = plainer(style);
    buf_add_str(&rich->text, text);
    if (style.link) {
        struct rich_link *link = &rich->links[style.link - 1];

        if (link->to == 0)
            link->from = from;
        link->to = rich->text.len;
    }
    if (last && same(last->style, style)) {
        last->to = rich->text.len;
        return;
    }
    rich->runs =
        room(rich->arena, rich->runs, rich->run_count, &rich->run_cap, sizeof(*rich->runs));
    rich->runs[rich->run_count++] = (struct rich_run){from, rich->text.len, style};
}

void rich_may_cut(struct rich *rich, enum rich_rank rank)
{
    struct rich_cut *last = rich->cut_count ? &rich->cuts[rich->cut_count - 1] : NULL;

    if (rich->text.len == 0)
        return;
    if (last && last->at == rich->text.len) {
        last->rank = rank;
        return;
    }
    rich->cuts =
        room(rich->arena, rich->cuts, rich->cut_count, &rich->cut_cap, sizeof(*rich->cuts));
    rich->cuts[rich->cut_count++] = (struct rich_cut){rich->text.len, rank};
}

unsigned rich_link_new(struct rich *rich, struct str url)
{
    rich->links =
        room(rich->arena, rich->links, rich->link_count, &rich->link_cap, sizeof(*rich->links));
    rich->links[rich->link_count++] = (struct rich_link){url, 0, 0};
    return (unsigned)rich->link_count;
}

unsigned rich_block_new(struct rich *rich, struct str language)
{
    rich->blocks =
        room(rich->arena, rich->blocks, rich->block_count, &rich->block_cap, sizeof(*rich->blocks));
    rich->blocks[rich->block_count++] = language;
    return (unsigned)rich->block_count;
}

size_t rich_run_at(const struct rich *rich, size_t at)
{
    size_t low = 0, high = rich->run_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rich->runs[middle].to > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
