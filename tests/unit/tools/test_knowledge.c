#include "test.h"
#include "tools/knowledge.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(struct test *t, const char *name, const char *text)
{
    FILE *file = fopen(str_printf(t->arena, "%s/%s", test_dir(t), name).ptr, "wb");

    if (!EXPECT(file != NULL))
        return;
    EXPECT_EQ(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static struct knowledge_source source(struct test *t, const char *name)
{
    return (struct knowledge_source){
        str_printf(t->arena, "%s/%s", test_dir(t), name), str_from(name), false};
}

/* A set of one agent that knows these sources. */
static struct agent_set *set_of(struct test *t, struct knowledge_source *sources, size_t count)
{
    struct agent_set *set = arena_new(t->arena, struct agent_set);

    arena_init(&set->arena);
    set->defs = arena_new(t->arena, struct agent_def);
    set->count = 1;
    set->defs[0] = (struct agent_def){.name = STR("a"),
        .place = STR("theo.yaml:2"),
        .knowledge = sources,
        .knowledge_count = count};
    return set;
}

static int ask(
    struct test *t, const struct agent_set *set, const char *query, struct tool_result *ret_result)
{
    const struct tool *tool = set->defs[0].own_tools[0];
    struct tool_call call = {.tool = tool, .arena = t->arena};

    EXPECT_OK(json_parse(t->arena, str_printf(t->arena, "{\"query\":\"%s\"}", query), &call.args));
    EXPECT_OK(tool_check_args(tool, call.args));
    return tool->run(&call, ret_result);
}

static const struct json *first_passage(struct test *t, const struct tool_result *result)
{
    const struct json *root = NULL;

    EXPECT_OK(json_parse(t->arena, result->content, &root));
    return json_path(root, "passages.0");
}

TEST(knowledge_finds_a_passage_and_cites_where_it_stands)
{
    struct knowledge_source all[] = {source(t, "shop.md"), source(t, "more")};
    struct agent_set *set = set_of(t, all, 2);
    struct tool_result result;
    const struct json *best;

    put(t, "shop.md",
        "# Shop\n\nWe sell sensors.\n\n## Returns\n\nGoods may come back within thirty days.\n"
        "Refunds follow in a week.\n");
    EXPECT_EQ(mkdir(str_printf(t->arena, "%s/more", test_dir(t)).ptr, 0700), 0);
    put(t, "more/islands.txt", "We do not ship to islands.\n");
    put(t, "more/.hidden.md", "secret islands\n");
    put(t, "more/picture.png", "\x89PNG islands\n");
    EXPECT_OK(knowledge_open(set));
    REQUIRE(set->defs[0].own_tool_count == 1);
    EXPECT_OK(ask(t, set, "when are refunds paid", &result));
    best = first_passage(t, &result);
    EXPECT_STR(json_get_str(best, "source"), "shop.md");
    EXPECT_STR(json_get_str(best, "heading"), "Returns");
    EXPECT_EQ(json_get_i64(best, "line", 0), 5);
    REQUIRE(result.citation_count == 1);
    EXPECT_STR(result.citations[0].url, "shop.md#L5");
    EXPECT(str_find(json_get_str(best, "text"), result.citations[0].quote, 0) >= 0);
    EXPECT(!result.untrusted);
    EXPECT_OK(ask(t, set, "islands", &result));
    EXPECT_STR(json_get_str(first_passage(t, &result), "source"), "more/islands.txt");
    EXPECT_EQ(result.citation_count, 1);
    EXPECT_OK(ask(t, set, "quantum", &result));
    EXPECT_STR(result.content, "{\"passages\":[]}");
    EXPECT_EQ(result.citation_count, 0);
    arena_deinit(&set->arena);
}

TEST(knowledge_that_others_write_is_untrusted)
{
    struct knowledge_source all[] = {source(t, "inbox.txt")};
    struct agent_set *set = set_of(t, all, 1);
    struct tool_result result;

    all[0].untrusted = true;
    put(t, "inbox.txt", "A letter about prices.\n");
    EXPECT_OK(knowledge_open(set));
    EXPECT_OK(ask(t, set, "prices", &result));
    EXPECT(result.untrusted);
    arena_deinit(&set->arena);
}

TEST(knowledge_names_the_file_that_is_wrong)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"missing.md", "cannot be opened"},
        {"latin.txt", "is not UTF-8 text"},
        {"nul.md", "is not UTF-8 text"},
        {"big.md", "more than 1 MiB"},
        {"empty.md", "has no text"},
        {"pipe", "neither a file nor a folder"},
    };
    char *big = arena_alloc(t->arena, MIB + 10);

    memset(big, 'a', MIB + 9);
    big[MIB + 9] = '\0';
    put(t, "latin.txt", "caf\xe9");
    put(t, "big.md", big);
    put(t, "empty.md", "\n \n");
    EXPECT_EQ(mkfifo(str_printf(t->arena, "%s/pipe", test_dir(t)).ptr, 0600), 0);
    {
        FILE *file = fopen(str_printf(t->arena, "%s/nul.md", test_dir(t)).ptr, "wb");

        REQUIRE(file);
        EXPECT_EQ(fwrite("a\0b", 1, 3, file), 3);
        fclose(file);
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct knowledge_source one = source(t, cases[i].name);
        struct agent_set *set = set_of(t, &one, 1);

        EXPECT_EQ(knowledge_open(set), ERR_INVALID);
        EXPECT(strstr(err_message(), "theo.yaml:2: knowledge"));
        if (!strstr(err_message(), cases[i].message))
            EXPECT_CSTR(err_message(), cases[i].message);
        arena_deinit(&set->arena);
    }
}

TEST(knowledge_cuts_long_texts_at_paragraphs_and_keeps_every_word)
{
    struct passages passages = {.arena = t->arena};
    struct buf text = BUF_IN(t->arena);
    size_t letters = 0, kept = 0;

    for (int i = 0; i < 40; i++)
        buf_printf(
            &text, "Paragraph %d says so and so, and then says it again in other words.\n\n", i);
    for (int i = 0; i < 800; i++)
        buf_printf(&text, "word%d ", i);
    for (int i = 0; i < 1000; i++)
        buf_add_cstr(&text, "ñ");
    knowledge_cut(&passages, STR("x"), buf_str(&text), false);
    EXPECT(passages.count > 8);
    for (size_t i = 0; i < passages.count; i++) {
        struct str one = passages.all[i].text;

        EXPECT(one.len > 0 && one.len <= 1400);
        EXPECT(utf8_valid(one));
        EXPECT(i == 0 || passages.all[i].line >= passages.all[i - 1].line);
        for (size_t j = 0; j < one.len; j++)
            kept += !char_is_space(one.ptr[j]);
    }
    for (size_t j = 0; j < text.len; j++)
        letters += !char_is_space(text.ptr[j]);
    EXPECT_EQ(kept, letters);
}
