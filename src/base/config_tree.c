/* Settings whose value is a list or a mapping in theo.yaml: kept as JSON text.
 *
 * Each mapping gets a first member "@line", the line of the file it began at, so that whoever reads
 * the tree later can name the place of what is wrong.
 */
#include "base/config_rows.h"
#include "base/err.h"

#define DEPTH_MAX 16

struct tree {
    yaml_parser_t *parser;
    const char *file;
    struct json_writer w;
    bool lines; /* of each member too */
};

static int fail(const struct tree *tree, yaml_mark_t mark, const char *what)
{
    return err_set(ERR_INVALID, "%s:%zu: %s", tree->file, mark.line + 1, what);
}

static void put_scalar(struct tree *tree, const yaml_event_t *event)
{
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    int64_t number;

    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        json_put_str(&tree->w, text);
    else if (str_empty(text) || str_is(text, "~") || str_is(text, "null"))
        json_put_null(&tree->w);
    else if (str_is(text, "true") || str_is(text, "false"))
        json_put_bool(&tree->w, str_is(text, "true"));
    else if (str_to_i64(text, &number))
        json_put_i64(&tree->w, number);
    else
        json_put_str(&tree->w, text);
}

static int put_value(struct tree *tree, const yaml_event_t *event, int depth);

static int next_value(struct tree *tree, yaml_event_t *event)
{
    if (yaml_parser_parse(tree->parser, event))
        return 0;

    const char *problem = tree->parser->problem ? tree->parser->problem : "it cannot be read";

    return err_set(ERR_INVALID, "%s:%zu: not valid YAML: %s%s", tree->file,
        tree->parser->problem_mark.line + 1, problem, config_yaml_hint(problem));
}

static int put_list(struct tree *tree, int depth)
{
    bool end = false;
    int rc = 0;

    json_array_begin(&tree->w);
    while (rc == 0 && !end) {
        yaml_event_t event;

        rc = next_value(tree, &event);
        if (rc < 0)
            break;
        end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end)
            rc = put_value(tree, &event, depth);
        yaml_event_delete(&event);
    }
    if (rc == 0)
        json_array_end(&tree->w);
    return rc;
}

static void put_line(struct tree *tree, const yaml_event_t *key)
{
    struct buf name = BUF_HEAP;

    buf_printf(&name, "@%.*s", (int)key->data.scalar.length, (const char *)key->data.scalar.value);
    json_name_str(&tree->w, buf_str(&name));
    json_put_i64(&tree->w, (int64_t)key->start_mark.line + 1);
    buf_deinit(&name);
}

static int put_member(struct tree *tree, const yaml_event_t *key, int depth)
{
    yaml_event_t value;
    int rc;

    if (key->type != YAML_SCALAR_EVENT || key->data.scalar.length == 0 ||
        key->data.scalar.value[0] == '@')
        return fail(tree, key->start_mark, "a name must be plain text");
    if (tree->lines)
        put_line(tree, key);
    json_name_str(
        &tree->w, (struct str){(const char *)key->data.scalar.value, key->data.scalar.length});
    rc = next_value(tree, &value);
    if (rc < 0)
        return rc;
    rc = put_value(tree, &value, depth);
    yaml_event_delete(&value);
    return rc;
}

static int put_mapping(struct tree *tree, yaml_mark_t mark, int depth)
{
    bool end = false;
    int rc = 0;

    json_object_begin(&tree->w);
    json_i64_member(&tree->w, "@line", (int64_t)mark.line + 1);
    while (rc == 0 && !end) {
        yaml_event_t event;

        rc = next_value(tree, &event);
        if (rc < 0)
            break;
        end = event.type == YAML_MAPPING_END_EVENT;
        if (!end)
            rc = put_member(tree, &event, depth);
        yaml_event_delete(&event);
    }
    if (rc == 0)
        json_object_end(&tree->w);
    return rc;
}

static bool is_plain(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return !event->data.scalar.anchor && !event->data.scalar.tag;
    case YAML_MAPPING_START_EVENT:
        return !event->data.mapping_start.anchor && !event->data.mapping_start.tag;
    case YAML_SEQUENCE_START_EVENT:
        return !event->data.sequence_start.anchor && !event->data.sequence_start.tag;
    default:
        return false;
    }
}

static int put_value(struct tree *tree, const yaml_event_t *event, int depth)
{
    if (!is_plain(event))
        return fail(tree, event->start_mark, "anchors, aliases and tags have no meaning here");
    if (event->type == YAML_SCALAR_EVENT) {
        put_scalar(tree, event);
        return 0;
    }
    if (depth == DEPTH_MAX)
        return fail(tree, event->start_mark, "the nesting is too deep");
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return put_list(tree, depth + 1);
    return put_mapping(tree, event->start_mark, depth + 1);
}

int config_read_tree(
    yaml_parser_t *parser, const yaml_event_t *first, const char *file, struct buf *out)
{
    struct tree tree = {.parser = parser, .file = file};

    json_init(&tree.w, out);
    return put_value(&tree, first, 0);
}

static int read_document(struct tree *tree)
{
    bool end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        yaml_event_t event;

        rc = next_value(tree, &event);
        if (rc < 0)
            break;
        end = event.type == YAML_DOCUMENT_END_EVENT || event.type == YAML_STREAM_END_EVENT;
        if (!end && event.type != YAML_STREAM_START_EVENT &&
            event.type != YAML_DOCUMENT_START_EVENT)
            rc = put_value(tree, &event, 0);
        yaml_event_delete(&event);
    }
    return rc;
}

int config_yaml_to_json(struct str yaml, const char *name, struct buf *out)
{
    struct tree tree = {.file = name, .lines = true};
    yaml_parser_t parser;
    size_t before = out->len;
    int rc;

    if (!yaml_parser_initialize(&parser))
        return err_set(ERR_FAILED, "%s: there is no memory to read it", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.ptr, yaml.len);
    tree.parser = &parser;
    json_init(&tree.w, out);
    rc = read_document(&tree);
    yaml_parser_delete(&parser);
    if (rc == 0 && out->len == before)
        buf_add_cstr(out, "null");
    return rc;
}
