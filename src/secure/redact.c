#include "secure/redact.h"

#include "base/buf.h"

/* The text is taken word by word, a word being a run of letters, digits, '-' and '_'. What follows
 * a word is looked at a constant number of times, so the whole takes linear time. */

#define MARK STR("[redacted]")

struct redactor {
    struct str text;
    size_t done; /* text before it is in out, or cut */
    struct buf out;
};

static bool is_word_char(char c)
{
    return char_is_alnum(c) || c == '_' || c == '-';
}

static char char_at(struct str s, size_t at)
{
    return at < s.len ? s.ptr[at] : '\0';
}

static size_t word_end(struct str s, size_t at)
{
    while (at < s.len && is_word_char(s.ptr[at]))
        at++;
    return at;
}

static size_t skip_blanks(struct str s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t'))
        at++;
    return at;
}

static size_t line_end(struct str s, size_t at)
{
    while (at < s.len && s.ptr[at] != '\n' && s.ptr[at] != '\r' && s.ptr[at] != '"')
        at++;
    return at;
}

/* Cut text from from to to. Returns to. */
static size_t cut(struct redactor *r, size_t from, size_t to)
{
    if (from >= to)
        return to;
    buf_add_str(&r->out, str_slice(r->text, r->done, from));
    buf_add_str(&r->out, MARK);
    r->done = to;
    return to;
}

/* Words that are secrets by themselves. */

/* No key of any vendor is shorter: most words of a text need no closer look. */
#define SHORTEST_KEY 15

/* Prefixes that vendors give their keys, and how much must follow. */
static const struct {
    struct str prefix;
    size_t more;
} vendor_keys[] = {
    {{"sk-", 3}, 16},
    {{"sk_live_", 8}, 10},
    {{"rk_live_", 8}, 10},
    {{"xoxa-", 5}, 10},
    {{"xoxb-", 5}, 10},
    {{"xoxp-", 5}, 10},
    {{"xoxr-", 5}, 10},
    {{"xoxs-", 5}, 10},
    {{"xapp-", 5}, 10},
    {{"AKIA", 4}, 16},
    {{"ASIA", 4}, 16},
    {{"ghp_", 4}, 20},
    {{"gho_", 4}, 20},
    {{"ghu_", 4}, 20},
    {{"ghs_", 4}, 20},
    {{"ghr_", 4}, 20},
    {{"github_pat_", 11}, 20},
    {{"AIza", 4}, 30},
};

/* theo_<8 hex id>_<secret>: told from the names of metrics, which start alike. */
static bool is_theo_key(struct str word)
{
    if (word.len < 30 || !str_starts(word, STR("theo_")) || word.ptr[13] != '_')
        return false;
    for (size_t i = 5; i < 13; i++)
        if (!char_is_digit(word.ptr[i]) && (word.ptr[i] < 'a' || word.ptr[i] > 'f'))
            return false;
    return true;
}

static bool is_vendor_key(struct str rest)
{
    if (is_theo_key(rest))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(vendor_keys); i++)
        if (rest.ptr[0] == vendor_keys[i].prefix.ptr[0] && str_starts(rest, vendor_keys[i].prefix))
            return rest.len >= vendor_keys[i].prefix.len + vendor_keys[i].more;
    return false;
}

/* Where in the word a vendor's key starts; its length if none does. */
static size_t find_vendor_key(struct str word)
{
    if (word.len < SHORTEST_KEY)
        return word.len;
    for (size_t i = 0; i < word.len; i++) {
        bool starts = i == 0 || word.ptr[i - 1] == '-' || word.ptr[i - 1] == '_';

        if (starts && is_vendor_key(str_slice(word, i, word.len)))
            return i;
    }
    return word.len;
}

/* End of a JSON Web Token that starts with the word: three words joined by dots; 0 if none. */
static size_t jwt_end(struct str s, size_t from, size_t end)
{
    size_t second;

    if (!str_starts(str_slice(s, from, end), STR("eyJ")) || char_at(s, end) != '.')
        return 0;
    second = word_end(s, end + 1);
    if (second == end + 1 || char_at(s, second) != '.')
        return 0;
    return word_end(s, second + 1);
}

/* End of a Telegram bot token ("123456789:AA…", after "bot" in a URL) whose number ends the word;
 * 0 if none. */
static size_t telegram_end(struct str s, size_t from, size_t end)
{
    size_t digits = 0, tail;

    if (char_at(s, end) != ':')
        return 0;
    while (end - digits > from && char_is_digit(s.ptr[end - digits - 1]))
        digits++;
    tail = word_end(s, end + 1);
    return digits >= 6 && digits <= 12 && tail - end - 1 >= 30 ? tail : 0;
}

/* Secrets that stand behind a name. */

static bool ends_with_part(struct str name, struct str wanted)
{
    if (name.len < wanted.len || char_lower(name.ptr[name.len - 1]) != wanted.ptr[wanted.len - 1])
        return false;

    size_t at = name.len - wanted.len;

    if (!str_eq_nocase(str_slice(name, at, name.len), wanted))
        return false;
    /* A part starts the name, follows a separator, or is a camelCase hump. */
    return at == 0 || name.ptr[at - 1] == '_' || name.ptr[at - 1] == '-' ||
           (name.ptr[at] >= 'A' && name.ptr[at] <= 'Z' && name.ptr[at - 1] >= 'a');
}

static bool is_secret_name(struct str name)
{
    static const struct str parts[] = {{"key", 3}, {"token", 5}, {"secret", 6}, {"password", 8},
        {"passwd", 6}, {"pwd", 3}, {"passphrase", 10}, {"apikey", 6}, {"credential", 10},
        {"signature", 9}, {"authorization", 13}, {"auth", 4}, {"cookie", 6}};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (ends_with_part(name, parts[i]))
            return true;
    return false;
}

/* In prose "the key: be early" holds no secret, "x-api-key: …" and "password: …" do. */
static bool is_secret_header(struct str name)
{
    static const char *const lone[] = {"password", "passwd", "passphrase", "secret", "apikey"};

    for (size_t i = 0; i < ARRAY_LEN(lone); i++)
        if (str_eq_nocase(name, str_from(lone[i])))
            return true;
    return is_secret_name(name) &&
           (str_find_char(name, '-', 0) >= 0 || str_find_char(name, '_', 0) >= 0);
}

static bool is_line_header(struct str name)
{
    return str_eq_nocase(name, STR("authorization")) ||
           str_eq_nocase(name, STR("proxy-authorization")) || str_eq_nocase(name, STR("cookie")) ||
           str_eq_nocase(name, STR("set-cookie"));
}

/* End of a string opened at from with a quote, which was itself escaped if escaped says so (JSON
 * inside of JSON). */
static size_t string_end(struct str s, size_t from, bool escaped)
{
    for (size_t at = from; at < s.len; at++) {
        if (s.ptr[at] == '"')
            return at;
        if (s.ptr[at] != '\\')
            continue;
        if (escaped && char_at(s, at + 1) == '"')
            return at;
        at++;
    }
    return s.len;
}

static size_t bare_value_end(struct str s, size_t at)
{
    while (at < s.len && !char_is_space(s.ptr[at]) && !strchr("&;,\"'<>)}", s.ptr[at]))
        at++;
    return at;
}

/* "name": "value", also with both quotes escaped. quote: position behind the name. */
static size_t cut_member(struct redactor *r, size_t quote)
{
    struct str s = r->text;
    bool escaped = char_at(s, quote) == '\\';
    size_t at = skip_blanks(s, quote + escaped + 1);

    if (char_at(s, at) != ':')
        return 0;
    at = skip_blanks(s, at + 1);
    if (escaped && char_at(s, at) == '\\')
        at++;
    if (char_at(s, at) != '"')
        return 0;
    return cut(r, at + 1, string_end(s, at + 1, escaped));
}

/* The value behind the name that ends at end; 0 when there is none. */
static size_t cut_named(struct redactor *r, size_t from, size_t end)
{
    struct str s = r->text, name = str_slice(s, from, end);
    char next = char_at(s, end);

    if (next == '"' || (next == '\\' && char_at(s, end + 1) == '"'))
        return is_secret_name(name) ? cut_member(r, end) : 0;
    if (next == '=' && is_secret_name(name)) {
        bool escaped = char_at(s, end + 1) == '\\';
        size_t value = end + 1 + escaped;

        if (char_at(s, value) == '"')
            return cut(r, value + 1, string_end(s, value + 1, escaped));
        return cut(r, value, bare_value_end(s, value));
    }
    if (next != ':')
        return 0;

    size_t value = skip_blanks(s, end + 1);

    if (is_line_header(name))
        return cut(r, value, line_end(s, value));
    if (is_secret_header(name))
        return cut(r, value, bare_value_end(s, value));
    return 0;
}

/* After "Bearer" or "Basic": a token, told from prose by a digit, padding or a capital inside. */
static size_t cut_scheme(struct redactor *r, size_t from, size_t end)
{
    struct str s = r->text, scheme = str_slice(s, from, end);
    bool random = false;
    size_t start, at;

    if (!str_eq_nocase(scheme, STR("bearer")) && !str_eq_nocase(scheme, STR("basic")))
        return 0;
    start = at = skip_blanks(s, end);
    if (start == end)
        return 0;
    for (; at < s.len && (is_word_char(s.ptr[at]) || (s.ptr[at] && strchr(".~+/=:", s.ptr[at])));
         at++)
        random |= char_is_digit(s.ptr[at]) || s.ptr[at] == '=' ||
                  (at > start && s.ptr[at] >= 'A' && s.ptr[at] <= 'Z');
    return random && at - start >= 6 ? cut(r, start, at) : 0;
}

/* Places that are no words. */

/* from: behind "://". The last '@' of the authority ends the userinfo. */
static size_t cut_userinfo(struct redactor *r, size_t from)
{
    struct str s = r->text;
    size_t end = 0, at = from;

    for (; at < s.len && !char_is_space(s.ptr[at]) && !strchr("/?#\"'<>\\", s.ptr[at]); at++)
        if (s.ptr[at] == '@')
            end = at;
    return end ? cut(r, from, end) : 0;
}

/* from: a "-----BEGIN ". A block without end is cut to the end of the text. */
static size_t cut_pem(struct redactor *r, size_t from)
{
    struct str s = r->text, head = str_slice(s, from, from + 64);
    ptrdiff_t kind = str_find(head, STR("PRIVATE KEY-----"), 0);
    ptrdiff_t end;

    if (kind < 0)
        return 0;
    end = str_find(s, STR("-----END "), from);
    if (end >= 0)
        end = str_find(s, STR("KEY-----"), (size_t)end);
    return cut(r, from, end < 0 ? s.len : (size_t)end + 8);
}

/* Look at the word from from to end. Returns where to go on. */
static size_t take_word(struct redactor *r, size_t from, size_t end)
{
    struct str s = r->text, word = str_slice(s, from, end);
    size_t at;

    /* A line break before it may be written as \n, which makes the n part of the word. */
    if (str_ends(word, STR("-----BEGIN")) && (at = cut_pem(r, end - 10)))
        return at;
    if ((at = jwt_end(s, from, end)))
        return cut(r, from, at);
    if ((at = telegram_end(s, from, end)))
        return cut(r, from, at);
    at = from + find_vendor_key(word);
    if (at < end)
        return cut(r, at, end);
    if ((at = cut_named(r, from, end)))
        return at;
    if ((at = cut_scheme(r, from, end)))
        return at;
    return end;
}

static size_t take(struct redactor *r, size_t at)
{
    struct str s = r->text;
    size_t next = 0;

    if (is_word_char(s.ptr[at]))
        return take_word(r, at, word_end(s, at));
    if (s.ptr[at] == ':' && char_at(s, at + 1) == '/' && char_at(s, at + 2) == '/')
        next = cut_userinfo(r, at + 3);
    return next ? next : at + 1;
}

struct str redact(struct arena *arena, struct str text)
{
    struct redactor r = {.text = text, .out = BUF_IN(arena)};
    size_t at = 0;

    while (at < text.len)
        at = take(&r, at);
    if (r.done == 0)
        return text;
    buf_add_str(&r.out, str_slice(text, r.done, text.len));
    return buf_str(&r.out);
}
