#include "text/transcript.h"

#include "base/env.h"
#include "base/err.h"
#include "text/party.h"
#include "text/stamp.h"

/* Which lines start a message is decided in two passes. The first collects every line that has the
 * form `something: text`, the second cuts the text with the verdict on each of those somethings.
 * A verdict depends on the shape of the name (text/party.h) and on how the whole text uses it, and
 * only grows surer when rejected lines are indented: therefore what transcript_write() prints
 * parses to the same messages. Work and memory are linear in the text, but for sorting the names.
 */

#define INDENT 4

/* A line that may start a message. */
struct head {
    struct str party, body;
    enum party_shape shape;
    bool soft;      /* the form alone is doubtful: counts only for a party known from other lines */
    int64_t day;    /* of the time stamp, days since 1970; -1 unknown */
    int64_t second; /* of the day, UTC; -1 unknown */
};

struct key {
    struct str party;
    enum party_shape shape;
    size_t count;
    bool accepted;
};

struct keys {
    struct key *items;
    size_t count, cap;
};

/* One walk over the lines of the text. */
struct lines {
    struct str rest;
    size_t indent; /* white space common to all lines */
};

static size_t leading_space(struct str line)
{
    size_t n = 0;

    while (n < line.len && char_is_space(line.ptr[n]))
        n++;
    return n;
}

static struct str right_trim(struct str line)
{
    while (line.len > 0 && char_is_space(line.ptr[line.len - 1]))
        line.len--;
    return line;
}

static struct lines lines_of(struct str text)
{
    struct lines lines = {text, 0};
    struct str rest = text, line;
    bool any = false;

    while (str_next(&rest, '\n', &line)) {
        line = right_trim(line);
        if (line.len == 0)
            continue;
        size_t space = leading_space(line);
        if (!any || space < lines.indent)
            lines.indent = space;
        any = true;
        if (space == 0)
            break;
    }
    return lines;
}

static bool lines_next(struct lines *lines, struct str *ret_line)
{
    struct str line;

    if (!str_next(&lines->rest, '\n', &line))
        return false;
    line = right_trim(line);
    *ret_line = line.len == 0 ? line : str_slice(line, lines->indent, line.len);
    return true;
}

/* Take a time stamp off the front of line. A bare time of day is doubtful: "14:30 works: fine". */
static struct str cut_stamp(struct str line, struct head *head)
{
    struct stamp stamp;
    size_t len = stamp_read(line, &stamp);

    if (len == 0)
        return line;
    head->soft = stamp.bare_time;
    head->day = stamp.day;
    head->second = stamp.second;
    return str_slice(line, len, line.len);
}

/* The first colon, ASCII or full-width; ret_after is where the text begins. */
static bool find_colon(struct str line, size_t *ret_at, size_t *ret_after)
{
    size_t end = MIN(line.len, (size_t)TRANSCRIPT_PARTY_MAX + 3);

    for (size_t i = 0; i < end; i++) {
        if (line.ptr[i] == ':') {
            *ret_at = i;
            *ret_after = i + 1;
            return true;
        }
        if (line.ptr[i] == '\xef' &&
            str_starts(str_slice(line, i, line.len), STR("\xef\xbc\x9a"))) {
            *ret_at = i;
            *ret_after = i + 3;
            return true;
        }
    }
    return false;
}

/* A chat has few parties and many lines: their shapes are looked up among the last ones. */
struct shapes {
    struct {
        struct str party;
        enum party_shape shape;
    } recent[8];
    size_t next;
};

static enum party_shape shape_of(struct shapes *shapes, struct str party)
{
    enum party_shape shape;

    for (size_t i = 0; i < ARRAY_LEN(shapes->recent); i++)
        if (shapes->recent[i].party.ptr != NULL && str_eq(shapes->recent[i].party, party))
            return shapes->recent[i].shape;
    shape = party_shape(party);
    shapes->recent[shapes->next].party = party;
    shapes->recent[shapes->next].shape = shape;
    shapes->next = (shapes->next + 1) % ARRAY_LEN(shapes->recent);
    return shape;
}

/* Split `party: text`. No space behind the colon is sure only after a capital ("Ana:hi"), since
 * "key:value" and "host:80" look the same. */
static bool split_line(struct str line, struct shapes *shapes, struct head *head)
{
    size_t colon, after;

    if (!find_colon(line, &colon, &after))
        return false;
    head->party = str_trim(str_slice(line, 0, colon));
    head->body = str_trim(str_slice(line, after, line.len));
    if (after < line.len && after == colon + 1 && !char_is_space(line.ptr[after])) {
        char next = line.ptr[after], first = line.ptr[0];
        if (strchr("/\\:=", next) != NULL && next != '\0')
            return false;
        if (char_is_digit(next) || !(first >= 'A' && first <= 'Z'))
            head->soft = true;
    }
    head->shape = shape_of(shapes, head->party);
    return head->shape != PARTY_NEVER;
}

/* Does the line have the form of a message's first line? */
static bool read_head(struct str line, struct shapes *shapes, struct head *ret_head)
{
    struct head head = {.day = -1, .second = -1};
    struct head plain = head;

    if (line.len == 0 || char_is_space(line.ptr[0]))
        return false;
    struct str rest = cut_stamp(line, &head);
    if (rest.len < line.len && split_line(rest, shapes, &head)) {
        *ret_head = head;
        return true;
    }
    if (!split_line(line, shapes, &plain))
        return false;
    *ret_head = plain;
    return true;
}

static void keys_add(struct arena *arena, struct keys *keys, const struct head *head)
{
    if (keys->count == keys->cap) {
        size_t cap = keys->cap == 0 ? 64 : keys->cap * 2;
        keys->items = arena_grow(
            arena, keys->items, keys->cap * sizeof(struct key), cap * sizeof(struct key));
        keys->cap = cap;
    }
    keys->items[keys->count++] = (struct key){head->party, head->shape, 1, false};
}

static int key_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct key *)a)->party, ((const struct key *)b)->party);
}

static struct key *keys_find(const struct keys *keys, struct str party)
{
    struct key want = {.party = party};

    if (keys->count == 0)
        return NULL;
    return bsearch(&want, keys->items, keys->count, sizeof(want), key_cmp);
}

/* Sort, and count equal names. */
static void keys_unite(struct keys *keys)
{
    size_t out = 0;

    if (keys->count == 0)
        return;
    qsort(keys->items, keys->count, sizeof(struct key), key_cmp);
    for (size_t i = 1; i < keys->count; i++) {
        if (str_eq(keys->items[i].party, keys->items[out].party))
            keys->items[out].count++;
        else
            keys->items[++out] = keys->items[i];
    }
    keys->count = out + 1;
}

/* Lower case, as nicks are: "home" may well be one, "Home" heads a line. */
static bool nick_like(struct str party)
{
    return party.ptr[0] >= 'a' && party.ptr[0] <= 'z' && str_find_char(party, ' ', 0) < 0;
}

/* Which names speak in this text. first is the name that the first line of any such form has;
 * loose: some lines go on with a message, so that labels may stand in front of such lines. */
static void keys_judge(struct keys *keys, struct str first, bool loose)
{
    bool strong = false, weak = false;
    size_t labels = 0;
    const struct key *head = keys_find(keys, first);
    enum party_shape opening = head == NULL ? PARTY_NEVER : head->shape;

    for (size_t i = 0; i < keys->count; i++) {
        strong = strong || keys->items[i].shape == PARTY_STRONG;
        labels += keys->items[i].shape == PARTY_LABEL;
    }
    for (size_t i = 0; i < keys->count; i++) {
        struct key *key = &keys->items[i];
        if (key->shape == PARTY_STRONG)
            key->accepted = true;
        else if (key->shape == PARTY_WEAK)
            key->accepted = key->count >= 2 || (!strong && opening == PARTY_WEAK);
        weak = weak || (key->shape == PARTY_WEAK && key->accepted);
    }
    for (size_t i = 0; i < keys->count; i++) {
        struct key *key = &keys->items[i];
        if (key->shape == PARTY_LABEL)
            key->accepted =
                (key->count >= 2 && (key == head || (!loose && nick_like(key->party)))) ||
                (!strong && !weak && labels >= 2 && opening == PARTY_LABEL);
    }
}

static int too_many(void)
{
    return err_field(ERR_INVALID, "chat_context",
        "the chat has more than %d messages; send only the newest ones", TRANSCRIPT_MESSAGES_MAX);
}

/* The first pass. Where no line is sure, the doubtful ones have to do. */
static int collect_keys(
    struct arena *arena, struct str text, struct shapes *shapes, struct keys *keys)
{
    for (int soft = 0; soft <= 1 && keys->count == 0; soft++) {
        struct lines lines = lines_of(text);
        struct str line, first = {0};
        struct head head;
        size_t strong = 0;
        bool loose = false;
        while (lines_next(&lines, &line)) {
            if (!read_head(line, shapes, &head)) {
                loose = loose || (line.len > 0 && !char_is_space(line.ptr[0]) && first.ptr != NULL);
                continue;
            }
            if (first.ptr == NULL)
                first = head.party;
            if (head.soft && !soft)
                continue;
            if (head.shape == PARTY_STRONG && ++strong > TRANSCRIPT_MESSAGES_MAX)
                return too_many();
            keys_add(arena, keys, &head);
        }
        keys_unite(keys);
        keys_judge(keys, first, loose);
    }
    return 0;
}

/* The second pass and its output. */
struct cutter {
    struct arena *arena;
    struct transcript out;
    size_t cap;
    struct buf joined; /* text of the newest message once it has several lines */
    bool several;
    int64_t day, second; /* of the newest stamp with a date; -1 none yet */
};

/* A stamp without a date belongs to the day of the stamp before it, or to the next day when the
 * clock has gone back. */
static int64_t moment_of(struct cutter *cutter, const struct head *head)
{
    if (head->second < 0)
        return 0;
    if (head->day >= 0)
        cutter->day = head->day;
    else if (cutter->day >= 0 && head->second < cutter->second)
        cutter->day++;
    cutter->second = head->second;
    return cutter->day < 0 ? 0 : (cutter->day * 86400 + head->second) * SECOND_MS;
}

static void finish_message(struct cutter *cutter)
{
    if (cutter->out.count == 0 || !cutter->several)
        return;
    cutter->out.messages[cutter->out.count - 1].text = str_trim(buf_str(&cutter->joined));
    cutter->several = false;
}

static int start_message(struct cutter *cutter, const struct head *head)
{
    struct transcript *out = &cutter->out;

    finish_message(cutter);
    if (out->count == TRANSCRIPT_MESSAGES_MAX)
        return too_many();
    if (out->count == cutter->cap) {
        size_t cap = cutter->cap == 0 ? 32 : cutter->cap * 2;
        out->messages = arena_grow(cutter->arena, out->messages,
            cutter->cap * sizeof(struct chat_message), cap * sizeof(struct chat_message));
        cutter->cap = cap;
    }
    out->messages[out->count++] =
        (struct chat_message){head->party, head->body, moment_of(cutter, head)};
    return 0;
}

static void continue_message(struct cutter *cutter, struct str line)
{
    size_t indent = 0;

    if (cutter->out.count == 0)
        return;
    if (!cutter->several) {
        cutter->joined = BUF_IN(cutter->arena);
        buf_add_str(&cutter->joined, cutter->out.messages[cutter->out.count - 1].text);
        cutter->several = true;
    }
    while (indent < INDENT && indent < line.len && line.ptr[indent] == ' ')
        indent++;
    buf_add_char(&cutter->joined, '\n');
    buf_add_str(&cutter->joined, str_slice(line, indent, line.len));
}

static int cut(
    struct cutter *cutter, struct str text, struct shapes *shapes, const struct keys *keys)
{
    struct lines lines = lines_of(text);
    struct str line;
    struct head head;

    while (lines_next(&lines, &line)) {
        const struct key *key = read_head(line, shapes, &head) ? keys_find(keys, head.party) : NULL;
        if (key != NULL && key->accepted) {
            int rc = start_message(cutter, &head);
            if (rc < 0)
                return rc;
        } else {
            continue_message(cutter, line);
        }
    }
    finish_message(cutter);
    return 0;
}

int transcript_parse(struct arena *arena, struct str text, struct transcript *ret_transcript)
{
    struct cutter cutter = {.arena = arena, .day = -1, .second = -1};
    struct shapes shapes = {0};
    struct keys keys = {0};

    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_slice(text, 3, text.len);
    if (str_empty(str_trim(text)))
        return err_field(ERR_INVALID, "chat_context",
            "the chat is empty; send lines of the form \"Name: message\"");
    if (!utf8_valid(text))
        return err_field(ERR_INVALID, "chat_context", "the chat is not valid UTF-8");
    int rc = collect_keys(arena, text, &shapes, &keys);
    if (rc == 0)
        rc = cut(&cutter, text, &shapes, &keys);
    if (rc < 0)
        return rc;
    if (cutter.out.count == 0)
        return err_field(ERR_INVALID, "chat_context",
            "no line of the chat starts with a name; send lines of the form \"Name: message\"");
    *ret_transcript = cutter.out;
    return 0;
}

/* A string member that must be there and not blank. */
static int json_member(
    const struct json *item, size_t index, const char *name, struct str *ret_value)
{
    const struct json *node = json_get(item, name);
    char field[64];

    snprintf(field, sizeof(field), "chat_context[%zu].%s", index, name);
    if (!json_is(node, JSON_STRING))
        return err_field(ERR_INVALID, field, "\"%s\" must be a string", name);
    struct str value = str_trim(json_str(node));
    if (value.len == 0)
        return err_field(ERR_INVALID, field, "\"%s\" must not be empty", name);
    *ret_value = value;
    return 0;
}

static int party_check(struct str party, size_t index)
{
    char field[64];

    snprintf(field, sizeof(field), "chat_context[%zu].party", index);
    if (party.len > TRANSCRIPT_PARTY_MAX)
        return err_field(ERR_INVALID, field, "\"party\" is longer than %d bytes; shorten the name",
            TRANSCRIPT_PARTY_MAX);
    for (size_t pos = 0; pos < party.len;) {
        uint32_t cp = utf8_next(party, &pos);
        if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029)
            return err_field(
                ERR_INVALID, field, "\"party\" must not hold line breaks or control characters");
    }
    return 0;
}

static int message_from_json(const struct json *item, size_t index, struct chat_message *out)
{
    char field[64];
    int rc;

    snprintf(field, sizeof(field), "chat_context[%zu]", index);
    if (!json_is(item, JSON_OBJECT))
        return err_field(ERR_INVALID, field,
            "a message must be an object like {\"party\": \"Ana\", \"message\": \"hi\"}");
    rc = json_member(item, index, "party", &out->party);
    if (rc == 0)
        rc = party_check(out->party, index);
    if (rc == 0)
        rc = json_member(item, index, "message", &out->text);
    if (rc < 0)
        return rc;
    const struct json *at = json_get(item, "at");
    if (at == NULL || json_is(at, JSON_NULL))
        return 0;
    snprintf(field, sizeof(field), "chat_context[%zu].at", index);
    if (!json_is(at, JSON_STRING) || !rfc3339_parse(json_str(at), &out->at_ms, NULL))
        return err_field(ERR_INVALID, field,
            "\"at\" must be an RFC 3339 date-time like \"2026-03-01T14:02:00Z\"");
    return 0;
}

int transcript_from_json(
    struct arena *arena, const struct json *array, struct transcript *ret_transcript)
{
    struct transcript out = {0};

    if (!json_is(array, JSON_ARRAY) || json_len(array) == 0)
        return err_field(
            ERR_INVALID, "chat_context", "\"chat_context\" must hold at least one message");
    if (json_len(array) > TRANSCRIPT_MESSAGES_MAX)
        return too_many();
    out.messages = arena_array(arena, struct chat_message, json_len(array));
    for (const struct json *item = json_first(array); item != NULL; item = json_next(item)) {
        int rc = message_from_json(item, out.count, &out.messages[out.count]);
        if (rc < 0)
            return rc;
        out.count++;
    }
    *ret_transcript = out;
    return 0;
}

void transcript_write(struct buf *out, const struct chat_message *message)
{
    struct str rest = message->text, line;
    bool first = true;

    buf_add_str(out, message->party);
    buf_add_cstr(out, ": ");
    while (str_next(&rest, '\n', &line)) {
        if (!first)
            buf_add_char(out, '\n');
        if (!first && line.len > 0)
            buf_add(out, "    ", INDENT);
        buf_add_str(out, line);
        first = false;
    }
    buf_add_char(out, '\n');
}
