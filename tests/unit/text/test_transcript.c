#include "test.h"
#include "text/party.h"
#include "text/transcript.h"

/* The messages as "<party> text" lines, inner line breaks as "\n" in two characters. */
static struct str flat(struct test *t, const struct transcript *chat)
{
    struct buf out = BUF_IN(t->arena);

    for (size_t i = 0; i < chat->count; i++) {
        const struct chat_message *m = &chat->messages[i];
        buf_printf(&out, "%s<%.*s> ", i == 0 ? "" : "|", STR_ARG(m->party));
        for (size_t j = 0; j < m->text.len; j++) {
            if (m->text.ptr[j] == '\n')
                buf_add_cstr(&out, "\\n");
            else
                buf_add_char(&out, m->text.ptr[j]);
        }
    }
    return buf_str(&out);
}

static struct str parse(struct test *t, const char *text)
{
    struct transcript chat;

    if (transcript_parse(t->arena, str_from(text), &chat) < 0)
        return str_printf(t->arena, "error: %s: %s", err_get()->field, err_message());
    return flat(t, &chat);
}

struct sample {
    const char *text, *want;
};

static void expect_samples(struct test *t, const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EXPECT_STR(parse(t, samples[i].text), samples[i].want);
}

TEST(transcript_plain_lines)
{
    static const struct sample samples[] = {
        {"Ana: hi\nBen: hello", "<Ana> hi|<Ben> hello"},
        {"Ana: hi\r\nBen: hello\r\n", "<Ana> hi|<Ben> hello"},
        {"\n\nAna:   hi  \n\n\nBen: hello\n", "<Ana> hi|<Ben> hello"},
        {"\xef\xbb\xbf"
         "Ana: hi",
            "<Ana> hi"},
        {"Ana: one\ntwo\nBen: three", "<Ana> one\\ntwo|<Ben> three"},
        {"Ana: one\n\ntwo", "<Ana> one\\n\\ntwo"},
        {"Ana:\nhello\nthere\nBen:\nhi", "<Ana> hello\\nthere|<Ben> hi"},
        {"Ana: yes: it works: really", "<Ana> yes: it works: really"},
        {"Ana:hi\nBen:yo", "<Ana> hi|<Ben> yo"},
        {"ana:hi\nben:yo", "<ana> hi|<ben> yo"},
        {"bob2 : yes", "<bob2> yes"},
        {"Chat of Monday\n\nAna: hi", "<Ana> hi"},
        {"Ana: hi\nAna: again", "<Ana> hi|<Ana> again"},
        {"Ana\xef\xbc\x9a\xe4\xbd\xa0\xe5\xa5\xbd", "<Ana> \xe4\xbd\xa0\xe5\xa5\xbd"},
    };
    expect_samples(t, samples, ARRAY_LEN(samples));
}

TEST(transcript_names_of_all_kinds)
{
    static const char *const names[] = {"Ana", "ana", "|trey|", "Matt|", "[x]^_", "foo-bar", "bob2",
        "ThE__OnE", "Ana Garc\303\255a (Acme)", "Dr. Li", "@ana", "User 1", "Speaker B", "O'Brien",
        "J. R. Smith", "Maria de la Cruz", "\xf0\x9f\xa6\x8a Fox", "\xf0\x9f\xa6\x8a",
        "\xe6\x9d\x8e\xe6\x98\x8e",
        "\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0 \xd0\x9f\xd0\xb5\xd1\x82\xd1\x80\xd0\xbe\xd0\xb2\xd0\xb0",
        "+49 151 234567", "ana@acme.com", "ana.garcia", "CEO", "The Boss", "Ana from Acme",
        "Support Agent 7", "June", "Jan", "May Li", "You", "Theo (bot)", "Katie Price", "x"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str text = str_printf(t->arena, "Zoe: a\n%s: b: c", names[i]);
        struct str want = str_printf(t->arena, "<Zoe> a|<%s> b: c", names[i]);
        EXPECT_STR(parse(t, text.ptr), want.ptr);
    }
}

TEST(transcript_lines_that_go_on)
{
    static const char *const lines[] = {"Note: this", "https://example.com/a", "http://a.b: x",
        "14:30 works", "14:30 works: fine", "at 14:30", "PS: bye", "P.S.: bye", "- item: foo",
        "* item: foo", "1. one: two", "2) two: three", "The plan: go", "I think so: yes",
        "Budget: 5000", "Next Steps: do it", "Action items: none", "key:value", "main.c:12: error",
        "localhost:8080", "Monday: call", "10am: sync", "Option A: foo", "Step 2: bar", "TL;DR: x",
        "Pros/Cons: y", "Q3: z", "Here's the list:", "March 3: launch", "we need two things: a, b",
        "Good. So: yes", "really? yes: no", "> Ben: quoted", "\"Ben\": quoted", "foo(): bar",
        "std::string: a", "C:\\temp: x", "ratio 3:1", "== Ben: ==", "Re: offer", "Subject: offer",
        "a very long line which is not a name at all because it never ends and goes on: x",
        "Meeting ID: 123", "todo: all", "  Ben: indented", "\tBen: indented", "e.g.: this"};

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct str text = str_printf(t->arena, "Ana: a\n%s\nZoe: b", lines[i]);
        struct transcript chat;
        REQUIRE_OK(transcript_parse(t->arena, text, &chat));
        if (!EXPECT_EQ(chat.count, 2))
            printf("# %.*s\n", STR_ARG(str_from(lines[i])));
    }
}

TEST(transcript_weighs_the_whole_text)
{
    static const struct sample samples[] = {
        {"Q: hi\nA: yes", "<Q> hi|<A> yes"},
        {"a: hi\nb: yes", "<a> hi|<b> yes"},
        /* Labels are names where nobody else speaks. */
        {"Question: hi\nAnswer: yes", "<Question> hi|<Answer> yes"},
        {"Ana: hi\nQuestion: what", "<Ana> hi\\nQuestion: what"},
        /* A nick may be such a word where every line has its name. */
        {"bob2: hi\nhome: yo\nbob2: a\nhome: b", "<bob2> hi|<home> yo|<bob2> a|<home> b"},
        {"bob2: hi\nthat is it\nhome: yo\nbob2: a\nhome: b",
            "<bob2> hi\\nthat is it\\nhome: yo|<bob2> a\\nhome: b"},
        /* Lower-case descriptions are names when they come back. */
        {"Ana: hi\nsales team: yes\nAna: ok\nsales team: fine",
            "<Ana> hi|<sales team> yes|<Ana> ok|<sales team> fine"},
        {"Ana: hi\nsales team: yes", "<Ana> hi\\nsales team: yes"},
        {"ana garcia: hi\nben li: yes", "<ana garcia> hi|<ben li> yes"},
        /* Doubtful forms count for names that are known. */
        {"ana: hi\nben: a\nana:4 pm", "<ana> hi|<ben> a|<ana> 4 pm"},
        {"ana: hi\nport:80", "<ana> hi\\nport:80"},
        {"Ana: hi\n14:30 Ana: later", "<Ana> hi|<Ana> later"},
    };
    expect_samples(t, samples, ARRAY_LEN(samples));
}

TEST(transcript_indentation)
{
    static const struct sample samples[] = {
        {"  Ana: hi\n    more\n\n        deep\n  Ben: x", "<Ana> hi\\nmore\\n\\n  deep|<Ben> x"},
        {"Ana: code\n    if x:\n        y", "<Ana> code\\nif x:\\n    y"},
        {"Ana: a\n Ben: b", "<Ana> a\\nBen: b"},
    };
    expect_samples(t, samples, ARRAY_LEN(samples));
}

TEST(transcript_time_stamps)
{
    struct transcript chat;
    const char *text = "[14:02] Ana: a\n"
                       "[2026-03-01 14:02] Ben: b\n"
                       "[14:03] Ana: c\n"
                       "[00:10] Ben: d\n"
                       "2026-03-01T14:02Z Ana: e\n"
                       "2026-03-01T14:02:30+02:00 Ben: f\n"
                       "13/01/2026, 14:02 - Ana: g\n"
                       "[1/13/26, 2:02:33 PM] Ben: h\n"
                       "[3/1/26, 2:02:33 PM] Ben: i\n"
                       "[99:99] Ben: j";
    static const int64_t want[] = {0, 1772373720000, 1772373780000, 1772410200000, 1772373720000,
        1772366550000, 1768312920000, 1768312953000, 0};

    REQUIRE_OK(transcript_parse(t->arena, str_from(text), &chat));
    REQUIRE(chat.count == ARRAY_LEN(want));
    for (size_t i = 0; i < chat.count; i++)
        EXPECT_EQ(chat.messages[i].at_ms, want[i]);
    EXPECT_STR(chat.messages[4].text, "e");
    EXPECT_STR(chat.messages[8].text, "i\n[99:99] Ben: j");
}

TEST(transcript_refuses)
{
    static const char *const bad[] = {"", "  \n\t\n", "just text", "https://example.com",
        "14:30 is fine", "Note: alone", ": hi", "\xff\xfe: hi", "- a: b"};
    struct transcript chat;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        EXPECT_EQ(transcript_parse(t->arena, str_from(bad[i]), &chat), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "chat_context");
    }

    struct buf many = BUF_IN(t->arena);
    for (int i = 0; i < TRANSCRIPT_MESSAGES_MAX; i++)
        buf_add_cstr(&many, "Ana: hi\n");
    EXPECT_OK(transcript_parse(t->arena, buf_str(&many), &chat));
    EXPECT_EQ(chat.count, TRANSCRIPT_MESSAGES_MAX);
    buf_add_cstr(&many, "Ana: hi\n");
    EXPECT_EQ(transcript_parse(t->arena, buf_str(&many), &chat), ERR_INVALID);
}

TEST(transcript_writes_what_parses_back)
{
    static const char *const texts[] = {"Ana: one\nNote: two\n    Ben: three\n\nfour\nBen: x",
        "Question: a\nAnswer: b\nnote: c\nQuestion: d",
        "heading\nsales team: a\nplan: b\nsales team: c", "[14:02] ana:x\nben:y\n\tz",
        "  Ana: a\n   b", "ana:1\nkey:value\nana: 2", "ana:x: a\nerror: b\nerror: c\nana: ok"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct transcript first, second;
        struct buf out = BUF_IN(t->arena);
        REQUIRE_OK(transcript_parse(t->arena, str_from(texts[i]), &first));
        for (size_t m = 0; m < first.count; m++)
            transcript_write(&out, &first.messages[m]);
        REQUIRE_OK(transcript_parse(t->arena, buf_str(&out), &second));
        EXPECT_STR(flat(t, &second), str_cstr(t->arena, flat(t, &first)));
    }
}

static int from_json(struct test *t, const char *text, struct transcript *ret)
{
    const struct json *root;
    int rc = json_parse(t->arena, str_from(text), &root);

    return rc < 0 ? rc : transcript_from_json(t->arena, root, ret);
}

TEST(transcript_from_json)
{
    struct transcript chat;

    REQUIRE_OK(from_json(t,
        "[{\"party\":\" Ana \",\"message\":\"hi\\nall\",\"at\":\"2026-03-01T14:02:00Z\"},"
        "{\"party\":\"Note\",\"message\":\"x\",\"at\":null}]",
        &chat));
    EXPECT_STR(flat(t, &chat), "<Ana> hi\\nall|<Note> x");
    EXPECT_EQ(chat.messages[0].at_ms, 1772373720000);
    EXPECT_EQ(chat.messages[1].at_ms, 0);

    static const struct sample bad[] = {
        {"[]", "chat_context"},
        {"{}", "chat_context"},
        {"[1]", "chat_context[0]"},
        {"[{\"party\":\"A\",\"message\":\"x\"},{\"message\":\"x\"}]", "chat_context[1].party"},
        {"[{\"party\":7,\"message\":\"x\"}]", "chat_context[0].party"},
        {"[{\"party\":\" \",\"message\":\"x\"}]", "chat_context[0].party"},
        {"[{\"party\":\"a\\nb\",\"message\":\"x\"}]", "chat_context[0].party"},
        {"[{\"party\":\"A\"}]", "chat_context[0].message"},
        {"[{\"party\":\"A\",\"message\":\"\"}]", "chat_context[0].message"},
        {"[{\"party\":\"A\",\"message\":\"x\",\"at\":\"noon\"}]", "chat_context[0].at"},
        {"[{\"party\":\"A\",\"message\":\"x\",\"at\":5}]", "chat_context[0].at"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        EXPECT_EQ(from_json(t, bad[i].text, &chat), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, bad[i].want);
    }
}

TEST(transcript_party_shapes)
{
    EXPECT_EQ(party_shape(STR("Ana")), PARTY_STRONG);
    EXPECT_EQ(party_shape(STR("Note")), PARTY_LABEL);
    static const char *const labels[] = {"abstract", "Note", "PS", "P.S.", "TODO", "todo", "agenda",
        "zoom", "Monday", "e.g", "VAT", "zone", "Payment Terms", "Next Steps", "Option B", "Week 3",
        "Action items"};
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (!EXPECT_EQ(party_shape(str_from(labels[i])), PARTY_LABEL))
            printf("# %.*s\n", STR_ARG(str_from(labels[i])));
    }
    EXPECT_EQ(party_shape(STR("sales guys")), PARTY_WEAK);
    EXPECT_EQ(party_shape(STR("I am sure")), PARTY_NEVER);
    EXPECT_EQ(party_shape(STR("12")), PARTY_NEVER);
    EXPECT_EQ(party_shape(STR("")), PARTY_NEVER);
    EXPECT_EQ(party_shape(STR("0123456789012345678901234567890123456789012345678901234567890123x")),
        PARTY_NEVER);
}
