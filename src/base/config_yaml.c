#include "base/config_rows.h"
#include "base/err.h"

#define DEPTH_MAX 8
#define KEY_MAX 128

/* Reads a stream of YAML events; nothing of the document is built. */
struct reader {
    struct config *config;
    const char *file;
    yaml_parser_t parser;
    struct buf path;            /* dotted name of the mapping that is open */
    size_t path_len[DEPTH_MAX]; /* of the mappings around it */
    int depth;                  /* open mappings */
};

static int fail(const struct reader *reader, yaml_mark_t mark, const char *what)
{
    return err_set(ERR_INVALID, "%s:%zu: %s", reader->file, mark.line + 1, what);
}

const char *config_yaml_hint(const char *problem)
{
    if (strstr(problem, "cannot start any token"))
        return " (is there a tab? YAML is indented with spaces)";
    if (strstr(problem, "mapping values are not allowed"))
        return " (is a line indented wrongly, or a text with a colon not in quotes?)";
    if (strstr(problem, "did not find expected"))
        return " (is a bracket not closed, or a text with a colon not in quotes?)";
    return "";
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return 0;

    const yaml_parser_t *p = &reader->parser;
    const char *problem = p->problem ? p->problem : "it cannot be read";

    return err_set(ERR_INVALID, "%s:%zu: not valid YAML: %s%s", reader->file,
        p->problem_mark.line + 1, problem, config_yaml_hint(problem));
}

static struct str scalar_text(const yaml_event_t *event)
{
    return (struct str){(const char *)event->data.scalar.value, event->data.scalar.length};
}

static bool is_null(const yaml_event_t *event)
{
    struct str text = scalar_text(event);

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || str_is(text, "~") || str_is(text, "null"));
}

/* Anchors, aliases, tags and lists have no meaning here; an alias could also make a small file
 * large. */
static int check_plain(const struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.anchor || event->data.scalar.tag)
            return fail(reader, event->start_mark, "anchors and tags have no meaning here");
        return 0;
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
            return fail(reader, event->start_mark, "anchors and tags have no meaning here");
        return 0;
    case YAML_ALIAS_EVENT:
        return fail(reader, event->start_mark, "aliases have no meaning here");
    case YAML_SEQUENCE_START_EVENT:
        return fail(reader, event->start_mark,
            "a list has no meaning here; write several values in one text, comma-separated");
    default:
        return 0;
    }
}

/* "model: {name: builtin}" sets "model": a section that is a setting itself takes name for it. */
static struct str resolve(struct str full)
{
    struct str section = str_slice(full, 0, full.len >= 5 ? full.len - 5 : 0);

    if (str_ends(full, STR(".name")) && config_find(full, NAME_DOTTED) == CONFIG_NO_ROW &&
        config_find(section, NAME_DOTTED) != CONFIG_NO_ROW)
        return section;
    return full;
}

static int set_value(
    struct reader *reader, struct str full, yaml_mark_t key_mark, const yaml_event_t *value)
{
    struct buf name = BUF_HEAP, place = BUF_HEAP;
    const char *former;
    size_t row;
    int r = 0;

    buf_add_str(&name, resolve(full));
    buf_printf(&place, "%s:%zu", reader->file, key_mark.line + 1);
    row = config_find(buf_str(&name), NAME_DOTTED);
    if (row != CONFIG_NO_ROW && config_origin(reader->config, row, &former) == ORIGIN_FILE)
        r = err_field(
            ERR_INVALID, name.ptr, "%s: %s is set already at %s", place.ptr, name.ptr, former);
    else if (row == CONFIG_NO_ROW && config_is_section(buf_str(&name)))
        r = is_null(value) ? 0
                           : err_field(ERR_INVALID, name.ptr,
                                 "%s: %s is a section: put its settings below it, indented",
                                 place.ptr, name.ptr);
    else if (str_starts(scalar_text(value), STR("${")))
        r = err_field(ERR_INVALID, name.ptr,
            "%s: %s: variables are not put in here; leave the line out and set the variable that "
            "docs/config.md names for it",
            place.ptr, name.ptr);
    else if (row == CONFIG_NO_ROW || !is_null(value)) /* nothing written: the default stays */
        r = config_set(reader->config, name.ptr, scalar_text(value), ORIGIN_FILE, place.ptr);
    buf_deinit(&name);
    buf_deinit(&place);
    return r;
}

static bool is_tree(struct str full)
{
    size_t row = config_find(full, NAME_DOTTED);

    return row != CONFIG_NO_ROW && (config_settings[row].flags & SETTING_TREE);
}

/* The list or mapping that begins with value is the setting named full. */
static int set_tree(
    struct reader *reader, struct str full, yaml_mark_t key_mark, const yaml_event_t *value)
{
    struct buf json = BUF_HEAP, place = BUF_HEAP;
    size_t row = config_find(full, NAME_DOTTED);
    const char *former;
    int r = config_read_tree(&reader->parser, value, reader->file, &json);

    buf_printf(&place, "%s:%zu", reader->file, key_mark.line + 1);
    if (r == 0 && config_origin(reader->config, row, &former) == ORIGIN_FILE)
        r = err_field(ERR_INVALID, config_settings[row].name, "%s: %s is set already at %s",
            place.ptr, config_settings[row].name, former);
    if (r == 0)
        r = config_set(
            reader->config, config_settings[row].name, buf_str(&json), ORIGIN_FILE, place.ptr);
    if (json.ptr)
        explicit_bzero(json.ptr, json.len);
    buf_deinit(&json);
    buf_deinit(&place);
    return r;
}

/* A mapping opens for the section named full. */
static int open_section(struct reader *reader, struct str full, yaml_mark_t mark)
{
    struct str near;

    if (config_is_section(full)) {
        if (reader->depth == DEPTH_MAX)
            return fail(reader, mark, "the nesting is too deep");
        reader->depth++;
        return 0;
    }
    if (config_find(full, NAME_DOTTED) != CONFIG_NO_ROW)
        return err_field(ERR_INVALID, reader->path.ptr, "%s:%zu: %s takes a value, not a section",
            reader->file, mark.line + 1, reader->path.ptr);
    near = config_nearest_section(full);
    return err_field(ERR_INVALID, reader->path.ptr, "%s:%zu: there is no section \"%s\"; %s%.*s%s",
        reader->file, mark.line + 1, reader->path.ptr,
        near.len ? "did you mean \"" : "`theo config` lists all settings", STR_ARG(near),
        near.len ? "\"?" : "");
}

static int add_key(struct reader *reader, const yaml_event_t *event)
{
    struct str key = scalar_text(event);

    if (key.len == 0 || key.len + reader->path.len > KEY_MAX || str_find_char(key, '\0', 0) >= 0)
        return fail(reader, event->start_mark, "a name is empty or too long");
    if (reader->path.len)
        buf_add_char(&reader->path, '.');
    buf_add_str(&reader->path, key);
    return 0;
}

static void cut_path(struct reader *reader, size_t len)
{
    reader->path.len = len;
    if (reader->path.ptr)
        reader->path.ptr[len] = '\0';
}

/* One member of the open mapping: its key is event. */
static int read_member(struct reader *reader, const yaml_event_t *event)
{
    size_t outer = reader->path.len;
    yaml_mark_t mark = event->start_mark;
    yaml_event_t value;
    int r;

    if (event->type != YAML_SCALAR_EVENT)
        return fail(reader, mark, "a name must be plain text");
    r = add_key(reader, event);
    if (r)
        return r;
    r = next_event(reader, &value);
    if (r)
        return r;
    if (value.type != YAML_SCALAR_EVENT && is_tree(buf_str(&reader->path))) {
        r = set_tree(reader, buf_str(&reader->path), mark, &value);
        cut_path(reader, outer);
        yaml_event_delete(&value);
        return r;
    }
    r = check_plain(reader, &value);
    if (r == 0 && value.type == YAML_SCALAR_EVENT) {
        r = set_value(reader, buf_str(&reader->path), mark, &value);
        cut_path(reader, outer);
    } else if (r == 0) {
        r = open_section(reader, buf_str(&reader->path), mark);
        if (r == 0)
            reader->path_len[reader->depth - 1] = outer;
    }
    yaml_event_delete(&value);
    return r;
}

/* What may stand outside of any mapping: one document that is a mapping or empty. */
static int read_outside(struct reader *reader, const yaml_event_t *event, int *documents)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return fail(reader, event->start_mark, "only one document is read");
        return 0;
    case YAML_MAPPING_START_EVENT:
        reader->depth = 1;
        reader->path_len[0] = 0;
        return 0;
    case YAML_SCALAR_EVENT:
        if (is_null(event))
            return 0;
        return fail(reader, event->start_mark, "settings are written as \"name: value\"");
    default:
        return 0; /* start and end of the stream, end of the document */
    }
}

static int read_event(struct reader *reader, const yaml_event_t *event, int *documents)
{
    int r = check_plain(reader, event);

    if (r)
        return r;
    if (reader->depth == 0)
        return read_outside(reader, event, documents);
    if (event->type == YAML_MAPPING_END_EVENT) {
        cut_path(reader, reader->path_len[--reader->depth]);
        return 0;
    }
    return read_member(reader, event);
}

static int read_all(struct reader *reader)
{
    int r = 0, documents = 0;
    bool end = false;

    while (r == 0 && !end) {
        yaml_event_t event;

        r = next_event(reader, &event);
        if (r)
            break;
        r = read_event(reader, &event, &documents);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return r;
}

int config_read_yaml(struct config *config, struct str yaml, const char *name)
{
    struct reader reader = {.config = config, .file = name, .path = BUF_HEAP};
    size_t good = utf8_valid_len(yaml);
    int r;

    if (good < yaml.len)
        return err_set(ERR_INVALID, "%s: invalid UTF-8 at byte %zu", name, good);
    if (!yaml_parser_initialize(&reader.parser))
        return err_set(ERR_FAILED, "%s: the YAML reader cannot be started", name);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)yaml.ptr, yaml.len);
    r = read_all(&reader);
    yaml_parser_delete(&reader.parser);
    buf_deinit(&reader.path);
    return r;
}
