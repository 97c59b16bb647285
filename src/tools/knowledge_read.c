/* Files and folders as passages of a few hundred bytes, cut where a paragraph ends. */
#include "tools/knowledge.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PASSAGE_MAX 900 /* bytes; one longer paragraph is cut at a space */
#define DEPTH_MAX 8

struct reader {
    struct passages *passages;
    struct str place;
    bool untrusted;
};

static int PRINTF_LIKE(3, 4) wrong(const struct reader *r, struct str path, const char *fmt, ...)
{
    char what[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return err_field(ERR_INVALID, "knowledge", "%.*s: knowledge %.*s %s", STR_ARG(r->place),
        (int)MIN(path.len, (size_t)200), path.ptr, what);
}

static void add(struct passages *p, const struct passage *passage)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity * 2 + 32;

        p->all =
            arena_grow(p->arena, p->all, p->capacity * sizeof(*p->all), capacity * sizeof(*p->all));
        p->capacity = capacity;
    }
    p->all[p->count] = *passage;
    p->all[p->count++].text = str_trim(passage->text);
}

/* "## Returns" gives "Returns". */
static bool read_heading(struct str line, struct str *ret_heading)
{
    size_t marks = 0;

    while (marks < line.len && line.ptr[marks] == '#')
        marks++;
    if (marks == 0 || marks > 6 || marks == line.len || line.ptr[marks] != ' ')
        return false;
    *ret_heading = str_trim(str_slice(line, marks, line.len));
    return true;
}

/* A paragraph or table that is too long by itself. */
static size_t cut_long(struct str text, size_t from)
{
    struct str part = utf8_truncate(str_slice(text, from, text.len), PASSAGE_MAX);
    size_t at = part.len;

    while (at > PASSAGE_MAX / 2 && !char_is_space(part.ptr[at - 1]))
        at--;
    return from + (at > PASSAGE_MAX / 2 ? at : part.len);
}

struct cutter {
    struct passages *passages;
    struct passage next; /* source, heading, line of what begins at from */
    struct str text;
    size_t from, line_at; /* line_at: up to where next.line was counted */
    int64_t line;
};

static void end_passage(struct cutter *c, size_t to)
{
    while (c->from < to) {
        size_t end = to - c->from > PASSAGE_MAX + PASSAGE_MAX / 2 ? cut_long(c->text, c->from) : to;
        struct str part = str_slice(c->text, c->from, end);
        size_t skipped = 0;

        while (skipped < part.len && char_is_space(part.ptr[skipped]))
            skipped++;
        for (; c->line_at < c->from + skipped; c->line_at++)
            c->line += c->text.ptr[c->line_at] == '\n';
        c->next.line = c->line;
        c->next.text = part;
        if (skipped < part.len)
            add(c->passages, &c->next);
        c->from = end;
    }
}

void knowledge_cut(struct passages *passages, struct str source, struct str text, bool untrusted)
{
    struct cutter c = {.passages = passages,
        .next = {.source = source, .heading = STR(""), .untrusted = untrusted},
        .text = text,
        .line = 1};
    struct str rest = text, line, heading;
    size_t paragraph = 0; /* where the last one ended */

    while (str_next(&rest, '\n', &line)) {
        size_t begin = (size_t)(line.ptr - text.ptr), end = begin + line.len;

        if (read_heading(line, &heading)) {
            end_passage(&c, begin);
            c.next.heading = heading;
        } else if (str_empty(str_trim(line))) {
            paragraph = begin;
        }
        if (end - c.from > PASSAGE_MAX && paragraph > c.from)
            end_passage(&c, paragraph);
    }
    end_passage(&c, text.len);
}

static int read_bytes(
    const struct reader *r, struct str path, struct str name, FILE *file, struct arena *arena)
{
    char *bytes = arena_alloc(arena, KNOWLEDGE_FILE_MAX + 1);
    size_t len = fread(bytes, 1, KNOWLEDGE_FILE_MAX + 1, file);
    struct str text = {bytes, len};

    if (ferror(file))
        return wrong(r, path, "cannot be read: %s", strerror(errno));
    if (len > KNOWLEDGE_FILE_MAX)
        return wrong(r, path, "has more than 1 MiB; cut it into several files");
    if (!utf8_valid(text) || memchr(bytes, '\0', len))
        return wrong(r, path, "is not UTF-8 text; convert it to text or Markdown first");
    r->passages->bytes += len;
    if (r->passages->bytes > KNOWLEDGE_TOTAL_MAX)
        return wrong(r, path, "makes more than 8 MiB together with what was read before");
    if (++r->passages->files > KNOWLEDGE_FILES_MAX)
        return wrong(
            r, path, "is one more than the %d files that an agent may know", KNOWLEDGE_FILES_MAX);
    knowledge_cut(r->passages, str_dup(r->passages->arena, name), str_dup(r->passages->arena, text),
        r->untrusted);
    return 0;
}

static int read_file(const struct reader *r, struct str path, struct str name)
{
    struct arena arena;
    FILE *file;
    int rc;

    arena_init(&arena);
    file = fopen(str_cstr(&arena, path), "rb");
    rc = file ? read_bytes(r, path, name, file, &arena)
              : wrong(r, path, "cannot be opened: %s", strerror(errno));
    if (file)
        fclose(file);
    arena_deinit(&arena);
    return rc;
}

static bool is_text_name(struct str name)
{
    static const char *const ends[] = {".md", ".markdown", ".txt", ".rst", ".csv"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (name.len > strlen(ends[i]) &&
            str_eq_nocase(str_slice(name, name.len - strlen(ends[i]), name.len), str_from(ends[i])))
            return true;
    return false;
}

static int read_folder(const struct reader *r, struct str path, struct str name, int depth);

static int read_entry(const struct reader *r, struct str path, struct str name, int depth)
{
    struct stat st;

    if (lstat(path.ptr, &st) < 0)
        return wrong(r, path, "cannot be read: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return depth < DEPTH_MAX ? read_folder(r, path, name, depth + 1)
                                 : wrong(r, path, "lies more than %d folders deep", DEPTH_MAX);
    return S_ISREG(st.st_mode) && is_text_name(name) ? read_file(r, path, name) : 0;
}

/* In the order of names, so that every start makes the same passages. */
static int read_folder(const struct reader *r, struct str path, struct str name, int depth)
{
    struct dirent **entries;
    struct arena arena;
    int rc = 0, count;

    arena_init(&arena);
    count = scandir(str_cstr(&arena, path), &entries, NULL, alphasort);
    if (count < 0)
        rc = wrong(r, path, "cannot be opened: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name;

        if (rc == 0 && entry[0] != '.')
            rc = read_entry(r, str_printf(&arena, "%.*s/%s", STR_ARG(path), entry),
                str_printf(
                    &arena, "%.*s%s%s", STR_ARG(name), str_ends(name, STR("/")) ? "" : "/", entry),
                depth);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    arena_deinit(&arena);
    return rc;
}

int knowledge_read(
    struct passages *passages, const struct knowledge_source *source, struct str place)
{
    struct reader r = {passages, place, source->untrusted};
    struct stat st;

    if (stat(source->path.ptr, &st) < 0)
        return wrong(&r, source->path, "cannot be opened: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return read_folder(&r, source->path, source->name, 0);
    if (!S_ISREG(st.st_mode))
        return wrong(&r, source->path, "is neither a file nor a folder");
    return read_file(&r, source->path, source->name);
}
