/* Telegram's rules for HTML messages, as strictly as they can be read (Bot API, "HTML style" and
 * "Formatting options"; stricter where the page leaves room): known tags, balanced, nested as it
 * allows, four named entities, known link schemes, no empty or blank message. For tests and
 * fuzzing.
 */
#ifndef TELEGRAM_CHECK_H
#define TELEGRAM_CHECK_H

#include "base/buf.h"

#include <stdio.h>

#define CHECK_DEPTH 16

struct telegram_check {
    struct str html;
    size_t at;
    const char *stack[CHECK_DEPTH];
    size_t opened[CHECK_DEPTH]; /* length of the text then */
    size_t depth;
    struct buf text; /* after parsing */
    const char *wrong;
};

static bool check_in(const struct telegram_check *check, const char *tag)
{
    for (size_t i = 0; i < check->depth; i++)
        if (strcmp(check->stack[i], tag) == 0)
            return true;
    return false;
}

static void check_open(struct telegram_check *check, const char *tag, bool language)
{
    bool code_in_pre = language && check->depth > 0 &&
                       strcmp(check->stack[check->depth - 1], "pre") == 0 &&
                       check->opened[check->depth - 1] == check->text.len;
    bool block = strcmp(tag, "pre") == 0 || strcmp(tag, "code") == 0;

    if (check->depth == CHECK_DEPTH)
        check->wrong = "too deep";
    else if (check_in(check, tag))
        check->wrong = "a tag within itself";
    else if (language && !code_in_pre)
        check->wrong = "a language outside pre";
    else if (!code_in_pre && (check_in(check, "pre") || check_in(check, "code")))
        check->wrong = "markup within code";
    else if (block && !code_in_pre && check->depth > 0)
        check->wrong = "code within markup";
    else if (strcmp(tag, "blockquote") == 0 && check->depth > 0)
        check->wrong = "a quote within markup";
    if (check->wrong)
        return;
    check->stack[check->depth] = tag;
    check->opened[check->depth++] = check->text.len;
}

static void check_close(struct telegram_check *check, struct str name)
{
    if (check->depth == 0 || !str_is(name, check->stack[check->depth - 1])) {
        check->wrong = "not balanced";
        return;
    }
    check->depth--;
    if (check->opened[check->depth] == check->text.len)
        check->wrong = "an empty entity";
}

static bool check_url(struct str url)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ')
            return false;
    return str_starts_nocase(url, STR("http://")) || str_starts_nocase(url, STR("https://")) ||
           str_starts(url, STR("tg://user?id="));
}

/* The value of the attribute that makes up the rest of the tag; its quotes taken off. */
static struct str check_value(struct telegram_check *check, struct str tag, const char *before)
{
    size_t len = strlen(before);

    if (tag.len < len + 2 || !str_starts(tag, str_from(before)) || tag.ptr[tag.len - 1] != '"')
        check->wrong = "an unknown attribute";
    else if (str_find_char(str_slice(tag, len, tag.len - 1), '"', 0) >= 0)
        check->wrong = "a quotation mark in an attribute";
    return str_slice(tag, len, tag.len - 1);
}

static void check_tag(struct telegram_check *check)
{
    static const char *const plain[] = {
        "b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "blockquote"};
    ptrdiff_t end = str_find_char(check->html, '>', check->at);
    struct str tag;

    if (end < 0) {
        check->wrong = "an open tag";
        return;
    }
    tag = str_slice(check->html, check->at + 1, (size_t)end);
    check->at = (size_t)end + 1;
    if (str_starts(tag, STR("/"))) {
        check_close(check, str_slice(tag, 1, tag.len));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (str_is(tag, plain[i])) {
            check_open(check, plain[i], false);
            return;
        }
    if (str_starts(tag, STR("a "))) {
        if (!check_url(check_value(check, tag, "a href=\"")))
            check->wrong = "an address that is none";
        check_open(check, "a", false);
    } else if (str_starts(tag, STR("code "))) {
        if (str_empty(check_value(check, tag, "code class=\"language-")))
            check->wrong = "no language";
        check_open(check, "code", true);
    } else {
        check->wrong = "an unknown tag";
    }
}

static void check_entity(struct telegram_check *check)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}};
    struct str rest = str_slice(check->html, check->at, check->html.len);

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_starts(rest, str_from(known[i].name))) {
            buf_add_char(&check->text, known[i].c);
            check->at += strlen(known[i].name);
            return;
        }
    check->wrong = "an unknown entity";
}

/* NULL when Telegram takes the message, otherwise what is wrong. ret_text, which may be NULL, is
 * its text after parsing, in arena. */
static const char *telegram_check(
    struct arena *arena, struct str html, size_t limit, struct str *ret_text)
{
    struct telegram_check check = {.html = html, .text = BUF_IN(arena)};

    if (!utf8_valid(html))
        return "not UTF-8";
    while (!check.wrong && check.at < html.len) {
        char c = html.ptr[check.at];

        if (c == '<') {
            check_tag(&check);
        } else if (c == '&') {
            check_entity(&check);
        } else if (c == '>') {
            check.wrong = "> not escaped";
        } else if ((unsigned char)c < ' ' && c != '\n' && c != '\t') {
            check.wrong = "a control character";
        } else {
            buf_add_char(&check.text, c);
            check.at++;
        }
    }
    if (check.wrong)
        return check.wrong;
    if (check.depth)
        return "a tag that is not closed";
    if (str_empty(str_trim(buf_str(&check.text))))
        return "no text";
    if (utf16_len(buf_str(&check.text)) > limit)
        return "too long";
    if (ret_text)
        *ret_text = buf_str(&check.text);
    return NULL;
}

#endif
