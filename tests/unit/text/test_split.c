#include "telegram_check.h"
#include "test.h"
#include "text/markdown.h"
#include "text/telegram_html.h"

static struct telegram_part *render(
    struct test *t, struct str markdown, size_t limit, size_t *ret_count)
{
    struct telegram_part *parts;

    telegram_render(t->arena, markdown, limit, &parts, ret_count);
    for (size_t i = 0; i < *ret_count; i++) {
        const char *wrong = telegram_check(t->arena, parts[i].html, limit, NULL);

        EXPECT_CSTR(wrong ? wrong : "", "");
    }
    return parts;
}

static void repeat(struct buf *out, const char *what, int times)
{
    while (times--)
        buf_add_cstr(out, what);
}

TEST(split_limit_is_in_utf16_units)
{
    struct buf text = BUF_IN(t->arena);
    struct telegram_part *parts;
    size_t count;

    repeat(&text, "x", 4096);
    render(t, buf_str(&text), 4096, &count);
    EXPECT_EQ(count, 1);
    buf_clear(&text);
    repeat(&text, "😀", 2049);
    parts = render(t, buf_str(&text), 4096, &count);
    REQUIRE(count == 2);
    EXPECT_EQ(utf16_len(parts[0].plain), 4096);
    EXPECT_STR(parts[1].plain, "😀");
}

TEST(split_a_cut_code_block_goes_on_as_the_same_language)
{
    struct buf text = BUF_IN(t->arena);
    struct telegram_part *parts;
    size_t count;

    buf_add_cstr(&text, "```rust\n");
    repeat(&text, "    let line = 1;\n", 20);
    buf_add_cstr(&text, "```\n");
    parts = render(t, buf_str(&text), 200, &count);
    REQUIRE(count == 2);
    for (size_t i = 0; i < count; i++) {
        EXPECT(str_starts(
            parts[i].html, STR("<pre><code class=\"language-rust\">    let line = 1;\n")));
        EXPECT(str_ends(parts[i].html, STR("    let line = 1;</code></pre>")));
    }
}

TEST(split_keeps_a_block_of_code_whole)
{
    struct buf text = BUF_IN(t->arena);
    struct telegram_part *parts;
    size_t count;

    buf_add_cstr(&text, "A short word before.\n\n```\n");
    repeat(&text, "line\n", 35);
    buf_add_cstr(&text, "```\n\nand after");
    parts = render(t, buf_str(&text), 190, &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[0].html, "A short word before.");
    EXPECT(str_starts(parts[1].html, STR("<pre>line\n")));
    EXPECT(str_ends(parts[1].html, STR("line</pre>\n\nand after")));
}

TEST(split_keeps_lists_and_their_items_whole)
{
    struct telegram_part *parts;
    size_t count;

    parts = render(t,
        STR("Here is a paragraph that says something.\n\n- first item of it\n- second item\n"), 64,
        &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[1].html, "• first item of it\n• second item");
    /* A list that is longer than a message is cut between items. */
    parts = render(t,
        STR("- one item that is rather long\n- two items that are too\n- three, as is this one"),
        64, &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[1].html, "• three, as is this one");
}

TEST(split_a_heading_stays_with_what_follows)
{
    struct telegram_part *parts;
    size_t count;

    parts = render(t,
        STR("Some words that come before the heading.\n\n# Heading\nThe text that it is about."),
        64, &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[1].html, "<b>Heading</b>\nThe text that it is about.");
}

TEST(split_links_stay_whole)
{
    struct telegram_part *parts;
    size_t count;

    parts = render(t,
        STR("Words and words and words and words, then [a link with a name](https://x.org)."), 64,
        &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[0].plain, "Words and words and words and words, then");
    EXPECT_STR(parts[1].html, "<a href=\"https://x.org\">a link with a name</a>.");
    EXPECT_STR(parts[1].plain, "a link with a name (https://x.org).");
}

TEST(split_prefers_sentences_then_words)
{
    struct telegram_part *parts;
    size_t count;

    parts = render(t,
        STR("This is the first sentence of it. The second one is here as well, and it goes on."),
        64, &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[0].plain, "This is the first sentence of it.");
    parts = render(t,
        STR("no sentence anywhere in this text which consists of words and nothing else at all"),
        64, &count);
    REQUIRE(count == 2);
    EXPECT_STR(parts[1].plain, "nothing else at all");
}

TEST(split_styles_go_on)
{
    struct telegram_part *parts;
    size_t count;

    parts = render(t,
        STR("**_bold words that go on and on and on and on until they do not fit any more_**"), 64,
        &count);
    REQUIRE(count == 2);
    EXPECT(str_ends(parts[0].html, STR("</i></b>")));
    EXPECT(str_starts(parts[1].html, STR("<b><i>")));
}

TEST(split_joined_emoji_stay_joined)
{
    struct buf text = BUF_IN(t->arena);
    struct telegram_part *parts;
    size_t count;

    repeat(&text, "👩‍💻", 40);
    parts = render(t, buf_str(&text), 64, &count);
    for (size_t i = 0; i < count; i++)
        EXPECT(str_starts(parts[i].plain, STR("👩")) && str_ends(parts[i].plain, STR("💻")));
}

TEST(split_at_most_a_hundred_entities)
{
    struct buf text = BUF_IN(t->arena);
    struct telegram_part *parts;
    size_t count;

    for (int i = 0; i < 150; i++)
        buf_printf(&text, "[%d](https://x.org/%d) ", i, i);
    parts = render(t, buf_str(&text), 4096, &count);
    for (size_t i = 0; i < count; i++) {
        size_t links = 0;

        for (ptrdiff_t at = 0; (at = str_find(parts[i].html, STR("<a "), (size_t)at)) >= 0; at++)
            links++;
        EXPECT(links <= 100);
    }
}

TEST(split_text_beyond_what_is_parsed_is_cut_at_lines)
{
    struct buf text = BUF_IN(t->arena);
    struct telegram_part *parts;
    size_t count;

    while (text.len <= MARKDOWN_MAX)
        buf_add_cstr(&text, "A line of **a very long** text.\n");
    parts = render(t, buf_str(&text), 4096, &count);
    EXPECT(count > MARKDOWN_MAX / 4096);
    for (size_t i = 0; i < count; i++)
        EXPECT(str_starts(parts[i].html, STR("A line of **a very long** text.")) &&
               str_ends(parts[i].html, STR("long** text.")));
}
