#include "text/split.h"

/* Telegram drops formatting beyond so many entities of a message. */
#define ENTITIES_MAX 100

bool split_shows_url(const struct rich *rich, const struct rich_link *link)
{
    return !str_eq(str_trim(str_slice(rich_text(rich), link->from, link->to)), link->url);
}

static unsigned entities_of(struct rich_style style)
{
    return (unsigned)__builtin_popcount(style.marks) + (style.link != 0);
}

/* Units that the addresses of links which end with this run add to the plain form. */
static size_t address_units(const struct rich *rich, const struct rich_run *run)
{
    const struct rich_link *link = run->style.link ? &rich->links[run->style.link - 1] : NULL;

    if (!link || link->to != run->to || !split_shows_url(rich, link))
        return 0;
    return utf16_len(link->url) + 3;
}

/* How far a part that begins at from may go: a border of a code point behind from. */
static size_t reach(const struct rich *rich, size_t from, size_t limit)
{
    struct str text = rich_text(rich);
    size_t at = from, units = 0, entities = 0;

    for (size_t i = rich_run_at(rich, from); i < rich->run_count; i++) {
        const struct rich_run *run = &rich->runs[i];
        size_t extra = address_units(rich, run);

        entities += entities_of(run->style);
        if (entities > ENTITIES_MAX && at > from)
            return at;
        while (at < run->to) {
            size_t next = at, more = utf8_next(text, &next) > 0xffff ? 2 : 1;

            if (next == run->to)
                more += extra;
            if (units + more > limit)
                return at > from ? at : next;
            units += more;
            at = next;
        }
    }
    return at;
}

static const struct rich_cut *last_cut(
    const struct rich *rich, size_t after, size_t until, enum rich_rank rank)
{
    size_t low = 0, high = rich->cut_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rich->cuts[middle].at <= until)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && rich->cuts[low - 1].at > after) {
        if (rich->cuts[low - 1].rank >= rank)
            return &rich->cuts[low - 1];
        low--;
    }
    return NULL;
}

/* Where what begins with this cut ends: at the next one of that rank. */
static size_t end_of(const struct rich *rich, const struct rich_cut *cut, enum rich_rank rank)
{
    const struct rich_cut *end = rich->cuts + rich->cut_count;

    for (cut++; cut < end; cut++)
        if (cut->rank >= rank)
            return cut->at;
    return rich->text.len;
}

/* Is the place within a link or a piece of code, which are better left whole? */
static bool is_inside(const struct rich *rich, size_t at)
{
    const struct rich_run *run = &rich->runs[rich_run_at(rich, at)];

    if (run->style.link)
        return rich->links[run->style.link - 1].from < at;
    return (run->style.marks & RICH_CODE) && run->from < at;
}

/* Does a sentence end before this place? spaced: a blank stands before it. */
static bool ends_sentence(struct str text, size_t at, bool spaced)
{
    static const struct str wide[] = {{"。", 3}, {"！", 3}, {"？", 3}, {"…", 3}};
    int closing = 4; /* quotation marks and brackets that may follow its stop */

    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (str_ends(str_slice(text, 0, at), wide[i]))
            return true;
    if (!spaced)
        return false;
    while (at > 0 && char_is_space(text.ptr[at - 1]))
        at--;
    while (at > 0 && closing-- && strchr("\"')]", text.ptr[at - 1]))
        at--;
    return at > 0 && strchr(".!?", text.ptr[at - 1]);
}

static bool may_end(const struct rich *rich, size_t at, enum rich_rank rank)
{
    struct str text = rich_text(rich);
    bool spaced = char_is_space(text.ptr[at - 1]) && !char_is_space(text.ptr[at]);

    if (((unsigned char)text.ptr[at] & 0xc0) == 0x80)
        return false;
    if (rank == RICH_CUT_SENTENCE ? !ends_sentence(text, at, spaced) : !spaced)
        return false;
    return !is_inside(rich, at);
}

/* Does the code point at this place belong to the sign before it (accents, joined emoji)? */
static bool joins(struct str text, size_t at)
{
    size_t pos = at;
    uint32_t cp = utf8_next(text, &pos);

    if (at >= 3 && memcmp(text.ptr + at - 3, "\xe2\x80\x8d", 3) == 0)
        return true;
    return cp == 0x200d || cp == 0x20e3 || (cp >= 0xfe00 && cp <= 0xfe0f) ||
           (cp >= 0x300 && cp <= 0x36f) || (cp >= 0x1f3fb && cp <= 0x1f3ff);
}

/* The last place where letters may be parted: in front of a link or a piece of code rather than in
 * it, if it is not all there is. */
static size_t letter_cut(const struct rich *rich, size_t from, size_t until, size_t limit)
{
    struct str text = rich_text(rich);
    size_t at = until;

    if (is_inside(rich, at)) {
        const struct rich_run *run = &rich->runs[rich_run_at(rich, at)];
        size_t begin = run->style.link ? rich->links[run->style.link - 1].from : run->from;
        size_t end = run->style.link ? rich->links[run->style.link - 1].to : run->to;

        if (begin > from && reach(rich, begin, limit) >= end)
            return begin;
    }
    while (at > from && until - at < 32 &&
           (((unsigned char)text.ptr[at] & 0xc0) == 0x80 || joins(text, at)))
        at--;
    return at > from && until - at < 32 ? at : until;
}

/* The best place in (from, until] to end a part. */
static size_t choose(const struct rich *rich, size_t from, size_t until, size_t limit)
{
    size_t half = from + (until - from) / 2;

    for (int rank = RICH_CUT_BLOCK; rank >= RICH_CUT_LINE; rank--) {
        const struct rich_cut *cut = last_cut(rich, from, until, (enum rich_rank)rank);

        if (cut && (cut->at >= half ||
                       reach(rich, cut->at, limit) >= end_of(rich, cut, (enum rich_rank)rank)))
            return cut->at;
    }
    for (int rank = RICH_CUT_SENTENCE; rank >= RICH_CUT_WORD; rank--)
        for (size_t at = until; at > from && (rank == RICH_CUT_WORD || at >= half); at--)
            if (may_end(rich, at, (enum rich_rank)rank))
                return at;
    return letter_cut(rich, from, until, limit);
}

static bool in_link(const struct rich *rich, size_t at)
{
    size_t run = rich_run_at(rich, at);

    return run < rich->run_count && rich->runs[run].style.link;
}

/* White space at a part's ends is dropped, as Telegram does; the indent of a line of code is not,
 * nor the text of a link. */
static struct split_part trim(const struct rich *rich, size_t from, size_t to)
{
    const char *text = buf_str(&rich->text).ptr;
    bool code = from < to && (rich->runs[rich_run_at(rich, from)].style.marks & RICH_PRE);

    while (from < to && (text[from] == '\n' || (!code && char_is_space(text[from]))) &&
           !in_link(rich, from))
        from++;
    while (to > from && char_is_space(text[to - 1]) && !in_link(rich, to - 1))
        to--;
    return (struct split_part){from, to};
}

/* Nothing to be seen: Telegram takes such a message for empty. */
static bool is_blank(struct str text)
{
    size_t pos = 0;

    while (pos < text.len) {
        uint32_t cp = utf8_next(text, &pos);
        bool blank = cp <= ' ' || cp == 0xa0 || cp == 0xad || cp == 0x115f || cp == 0x1160 ||
                     cp == 0x180e || (cp >= 0x2000 && cp <= 0x200f) ||
                     (cp >= 0x2028 && cp <= 0x202f) || (cp >= 0x205f && cp <= 0x206f) ||
                     cp == 0x2800 || cp == 0x3000 || cp == 0x3164 || cp == 0xfeff;

        if (!blank)
            return false;
    }
    return true;
}

void split_rich(
    const struct rich *rich, size_t limit, struct split_part **ret_parts, size_t *ret_count)
{
    struct split_part *parts = NULL;
    size_t count = 0, from = 0;

    while (from < rich->text.len) {
        size_t until = reach(rich, from, limit);
        size_t to = until < rich->text.len ? choose(rich, from, until, limit) : until;
        struct split_part part = trim(rich, from, to);

        from = to;
        if (is_blank(str_slice(rich_text(rich), part.from, part.to)))
            continue;
        parts =
            arena_grow(rich->arena, parts, count * sizeof(*parts), (count + 1) * sizeof(*parts));
        parts[count++] = part;
    }
    *ret_parts = parts;
    *ret_count = count;
}
