#include "text/markdown.h"

/* Noncharacters (U+FDD0 …, "EF B7 90 …") that stand in for what md4c must not see. They are taken
 * out of the text before, so that each one in the result is ours. */
#define GUARD_LEN 3
#define COLUMNS_MAX 32
static const char guarded[] = {'\0', '*', '~', '_', '|'};
enum guard { GUARD_NOTHING, GUARD_STAR, GUARD_TILDE, GUARD_LOW, GUARD_PIPE };

static void put(struct buf *out, enum guard guard)
{
    char bytes[GUARD_LEN] = {'\xef', '\xb7', (char)(0x90 + guard)};

    buf_add(out, bytes, sizeof(bytes));
}

static bool is_nonchar(struct str text, size_t at)
{
    return at + 2 < text.len && text.ptr[at] == '\xef' && text.ptr[at + 1] == '\xb7' &&
           (unsigned char)text.ptr[at + 2] >= 0x90 && (unsigned char)text.ptr[at + 2] <= 0xaf;
}

struct str markdown_unguard(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);
    size_t done = 0;

    for (size_t i = 0; i + GUARD_LEN <= text.len; i++) {
        size_t which;

        if (!is_nonchar(text, i))
            continue;
        which = (unsigned char)text.ptr[i + 2] - 0x90u;
        buf_add(&out, text.ptr + done, i - done);
        if (which > 0 && which < ARRAY_LEN(guarded))
            buf_add_char(&out, guarded[which]);
        i += GUARD_LEN - 1;
        done = i + 1;
    }
    if (done == 0)
        return text;
    buf_add(&out, text.ptr + done, text.len - done);
    return buf_str(&out);
}

/* Valid UTF-8, lines ended by \n, no control characters, no noncharacters of ours. */
static struct str clean(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);

    text = utf8_clean(arena, text);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '\r') {
            if (i + 1 == text.len || text.ptr[i + 1] != '\n')
                buf_add_char(&out, '\n');
        } else if (is_nonchar(text, i)) {
            buf_add_cstr(&out, "\xef\xbf\xbd");
            i += GUARD_LEN - 1;
        } else if ((unsigned char)c >= ' ' ? c != 0x7f : c == '\n' || c == '\t') {
            buf_add_char(&out, c);
        }
    }
    return buf_str(&out);
}

/* Bytes of the address that begins at this place; 0 when none does. It ends at white space or at
 * what closes a link; punctuation and markers at its end are not part of it. */
static size_t address_len(struct str text, size_t at)
{
    struct str rest = str_slice(text, at, text.len);
    size_t len = 0;
    bool brackets = false;

    if (!str_starts(rest, STR("https://")) && !str_starts(rest, STR("http://")))
        return 0;
    for (; len < rest.len && !char_is_space(rest.ptr[len]) && !strchr("<>`\"]", rest.ptr[len]);
         len++) {
        if (rest.ptr[len] == '(')
            brackets = true;
        if (rest.ptr[len] == ')' && !brackets)
            break;
    }
    while (len > 0 && strchr("*_~.,;:!?'|", rest.ptr[len - 1]))
        len--;
    return len;
}

static void put_address(struct buf *out, struct str address)
{
    for (size_t i = 0; i < address.len; i++) {
        switch (address.ptr[i]) {
        case '*':
            put(out, GUARD_STAR);
            break;
        case '~':
            put(out, GUARD_TILDE);
            break;
        case '_':
            put(out, GUARD_LOW);
            break;
        default:
            buf_add_char(out, address.ptr[i]);
        }
    }
}

/* A run of one marker between two digits, as in "2*3" and "2**8". */
static size_t between_digits(struct str text, size_t at)
{
    size_t end = at;

    if (at == 0 || !char_is_digit(text.ptr[at - 1]))
        return 0;
    while (end < text.len && text.ptr[end] == text.ptr[at])
        end++;
    return end < text.len && char_is_digit(text.ptr[end]) ? end - at : 0;
}

static bool is_single(struct str text, size_t at)
{
    return (at == 0 || text.ptr[at - 1] != text.ptr[at]) &&
           (at + 1 == text.len || text.ptr[at + 1] != text.ptr[at]);
}

/* Is the bar at this place a border of cells? Not when it is escaped or within code; *at is then
 * moved to where that ends. */
static bool is_border(struct str line, size_t *at)
{
    char c = line.ptr[*at];
    size_t ticks = *at, end;

    if (c == '\\') {
        *at += *at + 1 < line.len;
        return false;
    }
    if (c != '`')
        return c == '|';
    while (ticks < line.len && line.ptr[ticks] == '`')
        ticks++;
    for (end = ticks; end < line.len; end++) {
        size_t close = end;

        while (close < line.len && line.ptr[close] == '`')
            close++;
        if (close - end == ticks - *at) {
            *at = close - 1;
            return false;
        }
        end = MAX(close, end + 1) - 1;
    }
    *at = ticks - 1;
    return false;
}

/* A line without the white space and the marks of quotes around it. */
static struct str content(struct str line)
{
    while (line.len && (char_is_space(line.ptr[0]) || line.ptr[0] == '>'))
        line = str_slice(line, 1, line.len);
    return str_trim(line);
}

/* Columns of a table whose second line this is; 0 when it is no such line. */
static size_t columns_of(struct str line)
{
    size_t bars = 0, dashes = 0;

    line = content(line);
    for (size_t i = 0; i < line.len; i++) {
        bars += line.ptr[i] == '|';
        dashes += line.ptr[i] == '-';
        if (!strchr("|-: \t", line.ptr[i]))
            return 0;
    }
    if (bars == 0 || dashes == 0)
        return 0;
    return bars + 1 - (line.ptr[0] == '|') - (bars > 1 && line.ptr[line.len - 1] == '|');
}

/* Bars of a row beyond its last column are text, or md4c would drop what follows them. */
static void put_row(struct buf *out, struct str line, size_t columns)
{
    struct str cells = content(line);
    size_t begin = (size_t)(cells.ptr - line.ptr), borders = 0;

    for (size_t i = 0, from = 0; i < line.len; i++, from = i) {
        bool border = is_border(line, &i) && i > begin && i + 1 < begin + cells.len;

        borders += border;
        if (border && borders >= columns)
            put(out, GUARD_PIPE);
        else
            buf_add(out, line.ptr + from, i + 1 - from);
    }
}

/* Tables as md4c reads them without a loss. One with very many columns is no table: md4c makes up
 * every cell that a short row lacks. */
static struct str guard_tables(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);
    struct str rest = text, line;
    size_t columns = 0;

    while (str_next(&rest, '\n', &line)) {
        size_t now = columns_of(line);

        if (out.len)
            buf_add_char(&out, '\n');
        if (str_empty(content(line)))
            columns = 0;
        if (now > 0 && columns == 0) {
            columns = now;
            put_row(&out, line, now > COLUMNS_MAX ? 0 : now);
        } else if (columns > 0) {
            put_row(&out, line, columns);
        } else {
            buf_add_str(&out, line);
        }
    }
    return buf_str(&out);
}

struct str markdown_guard(struct arena *arena, struct str markdown)
{
    struct str text = clean(arena, markdown);
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        size_t len;

        if (c == 'h' && (len = address_len(text, i)) > 0) {
            put_address(&out, str_slice(text, i, i + len));
            i += len - 1;
        } else if (c == '*' && (len = between_digits(text, i)) > 0) {
            for (size_t n = 0; n < len; n++)
                put(&out, GUARD_STAR);
            i += len - 1;
        } else if (c == '~' && is_single(text, i)) {
            put(&out, GUARD_TILDE);
        } else {
            buf_add_char(&out, c);
            /* "[name]: address" would be a definition, which is not shown. */
            if (c == ']' && i + 1 < text.len && text.ptr[i + 1] == ':')
                put(&out, GUARD_NOTHING);
        }
    }
    return guard_tables(arena, buf_str(&out));
}
