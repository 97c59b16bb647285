/* The published request cases of llhttp (nodejs/llhttp, test/request), read from its Markdown:
 * accept or reject, in strict mode. A file holds cases of the form
 *
 *     ## name
 *     <!-- meta={"type": "request"} -->
 *     ```http … ```  the bytes: line ends mean CRLF, \r \n \t \f \xNN are escapes
 *     ```log … ```   the events; a rejection ends in "error code=N"
 */
#include "base/json.h"
#include "http/parser.h"
#include "test.h"

#include <dirent.h>

/* Why we differ, and where. */
#define HTTP_09 "HTTP/0.9 has no status line, so it could not even be refused in its own terms"
#define NO_PROXY "CONNECT is for proxies: 501"
#define ASTERISK "the target * belongs to OPTIONS alone (RFC 9112 section 3.2.4)"
#define OTHER_PROTOCOL "ICE and RTSP are not HTTP"
#define FRAGMENT "a request target has no fragment (RFC 9112 section 3.2)"
#define ANY_METHOD                                                                                 \
    "an unknown method is well-formed: the handler answers 405 or 501, not the parser"
#define NO_UPGRADE "Upgrade is not offered, so what follows must be the next request"

static const struct {
    const char *name;
    const char *reason;
} deviations[] = {
    {"sample.md: No HTTP version", HTTP_09},
    {"method.md: CONNECT request", NO_PROXY},
    {"method.md: CONNECT request with CAPS", NO_PROXY},
    {"method.md: CONNECT with body", NO_PROXY},
    {"uri.md: Underscore in hostname", NO_PROXY},
    {"method.md: M-SEARCH request", ASTERISK},
    {"method.md: PRI request HTTP2", ASTERISK},
    {"method.md: SOURCE request with ICE", OTHER_PROTOCOL},
    {"method.md: OPTIONS request with RTSP", OTHER_PROTOCOL},
    {"method.md: ANNOUNCE request with RTSP", OTHER_PROTOCOL},
    {"transfer-encoding.md: POST with `chunked` as last transfer-encoding", FRAGMENT},
    {"transfer-encoding.md: POST with `chunked` as last transfer-encoding (multiple headers)",
        FRAGMENT},
    {"uri.md: Fragment in URI", FRAGMENT},
    {"invalid.md: HTTP protocol and ANNOUNCE method", ANY_METHOD},
    {"invalid.md: Invalid method", ANY_METHOD},
    {"connection.md: Multiple tokens with folding and LWS", NO_UPGRADE},
    {"connection.md: Emitting part of body and pausing", NO_UPGRADE},
    {"connection.md: Upgrade GET request", NO_UPGRADE},
    {"connection.md: Upgrade POST request", NO_UPGRADE},
};

struct tally {
    int same, deviating;
};

static struct str data_folder(struct test *t)
{
    const char *data = getenv("THEO_DATA");
    const char *source = getenv("THEO_SOURCE");

    if (data)
        return str_printf(t->arena, "%s/http/llhttp/request", data);
    return str_printf(t->arena, "%s/../shared/data/http/llhttp/request", source ? source : ".");
}

static struct str read_file(struct test *t, const char *path)
{
    struct buf out = BUF_IN(t->arena);
    FILE *file = fopen(path, "r");
    size_t n;

    if (!file)
        return STR("");
    while ((n = fread(buf_reserve(&out, 64 * KIB), 1, 64 * KIB, file)) > 0)
        out.len += n;
    fclose(file);
    return buf_str(&out);
}

/* The text of the next fenced block of that kind, after *pos, which moves behind it. */
static bool next_block(struct str text, struct str fence, size_t *pos, struct str *ret_block)
{
    ptrdiff_t begin = str_find(text, fence, *pos);
    ptrdiff_t end = begin < 0 ? -1 : str_find(text, STR("\n```"), (size_t)begin + fence.len - 1);

    if (end < 0)
        return false;
    *ret_block = str_slice(text, (size_t)begin + fence.len, (size_t)end);
    *pos = (size_t)end + 4;
    return true;
}

static size_t unescape(struct str raw, size_t i, struct buf *out)
{
    static const char names[] = "rntf", bytes[] = "\r\n\t\f";
    const char *name = memchr(names, raw.ptr[i + 1], sizeof(names) - 1);
    unsigned value;

    if (name) {
        buf_add_char(out, bytes[name - names]);
        return 2;
    }
    if (raw.ptr[i + 1] == '\n') /* a line that goes on */
        return 2;
    if (raw.ptr[i + 1] == 'x' && i + 3 < raw.len && sscanf(raw.ptr + i + 2, "%2x", &value) == 1) {
        buf_add_char(out, (char)value);
        return 4;
    }
    buf_add_char(out, '\\');
    return 1;
}

static struct str message_bytes(struct test *t, struct str raw)
{
    struct buf out = BUF_IN(t->arena);

    for (size_t i = 0; i < raw.len;) {
        if (raw.ptr[i] == '\\' && i + 1 < raw.len) {
            i += unescape(raw, i, &out);
        } else if (raw.ptr[i] == '\n') {
            buf_add_str(&out, STR("\r\n"));
            i++;
        } else {
            buf_add_char(&out, raw.ptr[i++]);
        }
    }
    return buf_str(&out);
}

/* llhttp leaves Host to its users, so most cases have none; we insist on it (RFC 9112 section 3.2).
 * To see our verdict on the rest of such a case it gets one. */
static struct str with_host(struct test *t, struct str bytes)
{
    size_t start = bytes.len - str_trim(bytes).len;
    ptrdiff_t line_end = str_find(bytes, STR("\r\n"), start);
    struct buf out = BUF_IN(t->arena);

    buf_add_str(&out, str_slice(bytes, 0, (size_t)line_end + 2));
    buf_add_str(&out, STR("Host: x\r\n"));
    buf_add_str(&out, str_slice(bytes, (size_t)line_end + 2, bytes.len));
    return buf_str(&out);
}

/* A case that ends within a head is judged as if an empty line followed: the server would wait for
 * it until the deadline. */
static int parse_head(struct test *t, struct str *bytes, struct http_head *ret_head)
{
    int status = 0;
    int rc = http_parse_head(*bytes, 0, 64 * KIB, 200, t->arena, ret_head, &status);

    if (rc == HTTP_PARSE_MORE) {
        *bytes = str_printf(t->arena, "%.*s\r\n\r\n", STR_ARG(*bytes));
        rc = http_parse_head(*bytes, 0, 64 * KIB, 200, t->arena, ret_head, &status);
    }
    if (rc == ERR_PROTOCOL && strcmp(err_message(), "Host is missing") == 0) {
        *bytes = with_host(t, *bytes);
        rc = http_parse_head(*bytes, 0, 64 * KIB, 200, t->arena, ret_head, &status);
    }
    return rc;
}

/* One message after another, as the server reads them. False at the first that is refused, and for
 * bytes after the last message of a connection. */
static bool accepts(struct test *t, struct str bytes)
{
    bool more = true;

    while (str_trim(bytes).len > 0) {
        struct http_head head;
        struct buf body = BUF_IN(t->arena);
        size_t used = 0;
        int rc;
        if (!more || parse_head(t, &bytes, &head) != 0)
            return false;
        bytes = str_slice(bytes, head.head_len, bytes.len);
        if (head.chunked) {
            struct http_chunked decoder;
            http_chunked_init(&decoder);
            rc = http_chunked_feed(&decoder, bytes, 1 << 30, &body, &used);
            if (rc != 0)
                return rc == HTTP_PARSE_MORE;
        } else {
            used = (size_t)MIN(head.content_length, bytes.len);
        }
        bytes = str_slice(bytes, used, bytes.len);
        more = head.keep_alive;
    }
    return true;
}

/* Codes 21 to 23 pause the parser (upgrade, test hooks); they are no rejection. */
static bool llhttp_accepts(struct str log)
{
    ptrdiff_t at = str_find(log, STR("error code="), 0);
    struct str code = at < 0 ? STR("") : str_slice(log, (size_t)at + 11, (size_t)at + 13);

    return at < 0 || str_is(code, "21") || str_is(code, "22") || str_is(code, "23");
}

static const char *deviation(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(deviations); i++)
        if (str_is(name, deviations[i].name))
            return deviations[i].reason;
    return NULL;
}

static void judge(struct test *t, struct str file, struct str title, struct str raw, struct str log,
    struct tally *tally)
{
    struct str name = str_printf(t->arena, "%.*s: %.*s", STR_ARG(file), STR_ARG(title));
    bool ours = accepts(t, message_bytes(t, raw));
    bool theirs = llhttp_accepts(log);

    if (ours == theirs) {
        tally->same++;
        return;
    }
    tally->deviating++;
    if (!EXPECT(deviation(name) != NULL))
        printf("# %.*s: llhttp %s, we %s\n", STR_ARG(name), theirs ? "accepts" : "rejects",
            ours ? "accept" : "reject");
}

static bool is_request(struct str meta)
{
    struct arena arena;
    const struct json *root;
    bool yes = false;

    arena_init(&arena);
    if (json_parse(&arena, meta, &root) == 0)
        yes = str_is(json_get_str(root, "type"), "request");
    arena_deinit(&arena);
    return yes;
}

static void judge_file(struct test *t, const char *path, struct str file, struct tally *tally)
{
    struct str text = read_file(t, path), title = STR(""), raw, log;
    size_t pos = 0;

    for (;;) {
        ptrdiff_t meta = str_find(text, STR("<!-- meta="), pos);
        ptrdiff_t end = meta < 0 ? -1 : str_find(text, STR("-->"), (size_t)meta);
        if (end < 0)
            return;
        struct str before = str_slice(text, pos, (size_t)meta);
        for (struct str line; str_next(&before, '\n', &line);)
            if (str_starts(line, STR("##")))
                title = str_trim(str_slice(line, (size_t)str_find_char(line, ' ', 0), line.len));
        pos = (size_t)end;
        if (!next_block(text, STR("```http\n"), &pos, &raw) ||
            !next_block(text, STR("```log\n"), &pos, &log))
            return;
        if (is_request(str_trim(str_slice(text, (size_t)meta + 10, (size_t)end))))
            judge(t, file, title, raw, log, tally);
    }
}

TEST(llhttp_published_request_cases)
{
    struct str folder = data_folder(t);
    DIR *dir = opendir(str_cstr(t->arena, folder));
    struct tally tally = {0};
    struct dirent *entry;

    if (!dir)
        SKIP("the data folder with http/llhttp is not there; set THEO_DATA");
    while ((entry = readdir(dir)) != NULL) {
        struct str file = str_dup(t->arena, str_from(entry->d_name));
        if (str_ends(file, STR(".md")))
            judge_file(t, str_printf(t->arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(file)).ptr,
                file, &tally);
    }
    closedir(dir);
    printf("# llhttp: %d cases as llhttp, %d deliberate deviations\n", tally.same, tally.deviating);
    EXPECT(tally.same + tally.deviating > 100);
}
