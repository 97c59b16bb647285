#include "telegram_check.h"
#include "test.h"
#include "text/telegram_html.h"

/* The one part that markdown makes. */
static struct telegram_part one(struct test *t, const char *markdown)
{
    struct telegram_part *parts, none = {STR(""), STR("")};
    size_t count;

    telegram_render(t->arena, str_from(markdown), TELEGRAM_TEXT_MAX, &parts, &count);
    EXPECT_EQ(count, 1);
    return count ? parts[0] : none;
}

static struct str html(struct test *t, const char *markdown)
{
    struct str out = one(t, markdown).html, text;
    const char *wrong = telegram_check(t->arena, out, TELEGRAM_TEXT_MAX, &text);

    EXPECT_CSTR(wrong ? wrong : "", "");
    return out;
}

TEST(telegram_styles)
{
    EXPECT_STR(html(t, "**bold** *it* ~~gone~~ `co<de>`"),
        "<b>bold</b> <i>it</i> <s>gone</s> <code>co&lt;de&gt;</code>");
    EXPECT_STR(html(t, "***both*** **a _b_ c**"), "<b><i>both</i></b> <b>a <i>b</i> c</b>");
    EXPECT_STR(html(t, "a < b && \"c\" > d"), "a &lt; b &amp;&amp; &quot;c&quot; &gt; d");
    EXPECT_STR(
        html(t, "# One\ntext\n\n## *Two*\nmore"), "<b>One</b>\ntext\n\n<b><i>Two</i></b>\nmore");
    /* Telegram has no styled code. */
    EXPECT_STR(html(t, "**use `x` now**"), "<b>use </b><code>x</code><b> now</b>");
    EXPECT_STR(html(t, "[`x`](https://a.b)"), "<a href=\"https://a.b\">x</a>");
}

TEST(telegram_stray_markers_stay)
{
    EXPECT_STR(html(t, "**open and *stars"), "**open and *stars");
    EXPECT_STR(html(t, "2*3*4, 2**8**1, 10~20 or 30~40"), "2*3*4, 2**8**1, 10~20 or 30~40");
    EXPECT_STR(html(t, "snake_case_name \\*no\\* \\# `open"), "snake_case_name *no* # `open");
    EXPECT_STR(html(t, "#hashtag +1 to that"), "#hashtag +1 to that");
    EXPECT_STR(html(t, "<b>x</b> &unknown; &amp; &#128512; a<br>b <!-- c -->"),
        "&lt;b&gt;x&lt;/b&gt; &amp;unknown; &amp; 😀 a\nb &lt;!-- c --&gt;");
}

TEST(telegram_links_only_as_it_takes_them)
{
    EXPECT_STR(html(t, "[a & b](https://x.org/?a=1&b=\"2\")"),
        "<a href=\"https://x.org/?a=1&amp;b=%222%22\">a &amp; b</a>");
    EXPECT_STR(html(t, "[Ana](tg://user?id=42)"), "<a href=\"tg://user?id=42\">Ana</a>");
    EXPECT_STR(html(t, "[x](javascript:alert(1)) [y](docs/a.md) ar[i](j)"),
        "[x](javascript:alert(1)) [y](docs/a.md) ar[i](j)");
    EXPECT_STR(html(t, "[Ana](mailto:ana@x.org) <ben@x.org> <ftp://x/y>"),
        "Ana (ana@x.org) ben@x.org ftp://x/y");
    EXPECT_STR(html(t, "[](https://e.org) ![](https://i.org/a.png) ![pic](https://i.org)"),
        "<a href=\"https://e.org\">https://e.org</a> "
        "<a href=\"https://i.org/a.png\">https://i.org/a.png</a> <a "
        "href=\"https://i.org\">pic</a>");
    EXPECT_STR(html(t, "https://x.org/a*b*c_d_ **https://y.org/~z** (https://w.org/_a_)"),
        "https://x.org/a*b*c_d_ <b>https://y.org/~z</b> (https://w.org/_a_)");
    EXPECT_STR(html(t, "see [1]\n\n[1]: https://x.org \"T\""),
        "see [1]\n\n[1]: https://x.org &quot;T&quot;");
    EXPECT_STR(
        one(t, "[a](https://x.org) <https://y.org>").plain, "a (https://x.org) https://y.org");
}

TEST(telegram_lists)
{
    EXPECT_STR(html(t, "Next:\n- a\n- b\n  more\n    1. c\n    2. d\n- [x] e\n- [ ] f\n\nend"),
        "Next:\n• a\n• b\n   more\n   1. c\n   2. d\n☑ e\n☐ f\n\nend");
    EXPECT_STR(html(t, "3) c\n4) d\n\n   para"), "3) c\n\n4) d\n   para");
    EXPECT_STR(html(t, "- - deep\n-\n- ```\n  x\n  ```"), "• \n   ◦ deep\n• \n• \n<pre>x</pre>");
}

TEST(telegram_code_and_quotes)
{
    EXPECT_STR(html(t, "```python\nif a < b:\n\n    go()\n```"),
        "<pre><code class=\"language-python\">if a &lt; b:\n\n    go()</code></pre>");
    EXPECT_STR(html(t, "```a\"b\nx\n```\n~~~sh run it\n```\n~~~"),
        "<pre>a&quot;b\nx</pre>\n\n<pre><code class=\"language-sh\">run it\n```</code></pre>");
    EXPECT_STR(html(t, "```js\nnever closed"),
        "<pre><code class=\"language-js\">never closed</code></pre>");
    EXPECT_STR(html(t, "> a\n> > b `c`\n>\n> ```\n> d\n> ```\n> e\n\nf"),
        "<blockquote>a\n\nb c</blockquote>\n\n<pre>d</pre>\n\n<blockquote>e</blockquote>\n\nf");
}

TEST(telegram_tables)
{
    EXPECT_STR(html(t, "| Name | Price |\n|---|--:|\n| Ana **b** | 12 € |\n| 日本 | 1 200 |"),
        "<pre>Name  | Price\n------+------\nAna b |  12 €\n日本  | 1 200</pre>");
    EXPECT_STR(html(t, "|a|b|\n|---|---|\n|[x](https://x.org)|y|"),
        "<pre>a | b\n--+--\nx | y</pre>\n<a href=\"https://x.org\">x</a>");
}

TEST(telegram_nothing_to_show)
{
    static const char *const blank[] = {"", " \n\n", "\xe2\x80\x8b", "&nbsp;", "```\n```", "\x01"};
    struct telegram_part *parts;
    size_t count;

    for (size_t i = 0; i < ARRAY_LEN(blank); i++) {
        telegram_render(t->arena, str_from(blank[i]), TELEGRAM_TEXT_MAX, &parts, &count);
        EXPECT_EQ(count, 0);
    }
    EXPECT_STR(html(t, "a\xff\x07"
                       "b\r\nc\rd"),
        "a\xef\xbf\xbd"
        "b\nc\nd");
}

/* Random Markdown, well and badly formed. Its words are "w0", "w1", …: none may be lost. */
static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static struct str random_markdown(struct test *t, uint64_t *seed, size_t pieces, int *ret_words)
{
    static const char *const marks[] = {"*", "**", "_", "__", "~~", "~", "`", "``", "***", "[", "]",
        "](https://x.org/a_b) ", "](nowhere) ", "![", "\n", "\n\n", "\n- ", "\n  - ", "\n    - ",
        "\n1. ", "\n10) ", "\n> ", "\n>> ", "\n# ", "\n### ", "\n```\n", "\n```c++\n", "\n~~~\n",
        "\n---\n", "\n===\n", "\n|a|b|\n|---|:-:|\n|", "|", " | ", "\n\n    ", "\n\t", "<b>",
        "</b>", "<br>", "<!-- ", "-->", "&amp;", "&#65;", "&", "<", ">", "\"", "\\", "\\*", ":",
        "]:", ": ", "😀", "👩‍💻", "é", "日本。", "\xff", "\x01", "  \n", "[x] ",
        "https://y.org/_", "<https://z.org>", "\n[d]: https://q.org\n", " ", " ", " ", ". ", ", "};
    struct buf out = BUF_IN(t->arena);
    int words = 0;

    while (pieces--) {
        if (next_random(seed) % 3)
            buf_printf(&out, "w%d ", words++);
        else
            buf_add_cstr(&out, marks[next_random(seed) % ARRAY_LEN(marks)]);
    }
    *ret_words = words;
    return buf_str(&out);
}

/* The parts follow each other in the whole with nothing but white space between them. */
static bool is_whole(struct str whole, const struct telegram_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t at = str_find(whole, parts[i].plain, 0);

        if (at < 0 || !str_empty(str_trim(str_slice(whole, 0, (size_t)at))))
            return false;
        whole = str_slice(whole, (size_t)at + parts[i].plain.len, whole.len);
    }
    return str_empty(str_trim(whole));
}

/* The first word that is not there in its order; words if all are. */
static int lost_word(struct test *t, struct str text, int words)
{
    for (int i = 0; i < words; i++) {
        ptrdiff_t at = str_find(text, str_printf(t->arena, "w%d", i), 0);

        if (at < 0)
            return i;
        text = str_slice(text, (size_t)at, text.len);
    }
    return words;
}

TEST(telegram_whatever_comes_is_whole_and_well_formed)
{
    static const size_t limits[] = {64, 200, 1024, 4096};
    uint64_t seed = 42;

    for (int round = 0; round < 3000; round++) {
        size_t limit = limits[round % 4], count, whole_count;
        struct telegram_part *parts, *whole;
        int words;
        struct str markdown = random_markdown(t, &seed, next_random(&seed) % 400, &words);

        telegram_render(t->arena, markdown, limit, &parts, &count);
        telegram_render(t->arena, markdown, SIZE_MAX, &whole, &whole_count);
        for (size_t i = 0; i < count; i++) {
            const char *wrong = telegram_check(t->arena, parts[i].html, limit, NULL);

            EXPECT_CSTR(wrong ? wrong : "", "");
            EXPECT(utf16_len(parts[i].plain) <= limit);
        }
        REQUIRE(whole_count == (count > 0));
        if (count > 0 && !EXPECT(is_whole(whole[0].plain, parts, count)))
            EXPECT_STR(markdown, "");
        if (count > 0 && !EXPECT_EQ(lost_word(t, whole[0].html, words), words))
            EXPECT_STR(markdown, "");
        if (t->failures)
            return;
        arena_reset(t->arena);
    }
}
