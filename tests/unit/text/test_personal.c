#include "test.h"
#include "text/personal.h"

/* "email ana@x.org|phone +34…" */
static struct str found(struct test *t, const char *cstr)
{
    struct str text = str_from(cstr);
    struct buf out = BUF_IN(t->arena);
    struct personal_span span;

    for (size_t pos = 0; personal_next(text, ~0u, &pos, &span);)
        buf_printf(&out, "%s%s %.*s", out.len > 0 ? "|" : "", personal_kind_name(span.kind),
            STR_ARG(str_slice(text, span.from, span.to)));
    return buf_str(&out);
}

TEST(personal_finds_what_is_written_as_such)
{
    static const char *const cases[][2] = {
        {"Write to ana.b+crm@mail.example.com, please.", "email ana.b+crm@mail.example.com"},
        {"“info@müller.example” or <a@b.co>", "email info@müller.example|email a@b.co"},
        {"+34 600 123 456 or 0034600123456", "phone +34 600 123 456|phone 0034600123456"},
        {"+1 (555) 123-4567", "phone +1 (555) 123-4567"},
        {"(415) 555-0134 / 415-555-0134", "phone (415) 555-0134|phone 415-555-0134"},
        {"0221 4710 999 is mine", "phone 0221 4710 999"},
        {"my mobile is 600123456", "phone 600123456"},
        {"pay 4111 1111 1111 1111 now", "card 4111 1111 1111 1111"},
        {"5500005555555559", "card 5500005555555559"},
        {"DE89 3704 0044 0532 0130 00 thanks", "iban DE89 3704 0044 0532 0130 00"},
        {"es9121000418450200051332", "iban es9121000418450200051332"},
        {"{\"email\":\"ana@x.org\",\"iban\":\"GB82WEST12345698765432\"}",
            "email ana@x.org|iban GB82WEST12345698765432"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_STR(found(t, cases[i][0]), cases[i][1]);
}

TEST(personal_leaves_other_numbers_and_words_alone)
{
    static const char *const texts[] = {
        "on 2026-03-02 at 09:00:00.123Z, +02:00",
        "4111 1111 1111 1112 has a wrong check digit",
        "GB82 WEST 1234 5698 7654 33 has a wrong checksum",
        "1234567 units at 0.123456789 each, 12,500,000 in all",
        "order 01JH8ZC3K2V0R7Q4T5W6X7Y8Z9, run 20260302090000",
        "ana@ home, @ana, a@b, v1.2.3@x",
        "https://example.com/a/415/555",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        EXPECT_STR(found(t, texts[i]), "");
}

TEST(personal_looks_only_for_the_kinds_it_is_asked_for)
{
    struct str text = STR("ana@x.org, +34 600 123 456");
    struct personal_span span;
    size_t pos = 0;

    REQUIRE(personal_next(text, 1u << PERSONAL_PHONE, &pos, &span));
    EXPECT_EQ(span.kind, PERSONAL_PHONE);
    EXPECT(!personal_next(text, 1u << PERSONAL_PHONE, &pos, &span));
}

TEST(personal_takes_linear_time)
{
    static const char *const parts[] = {"a@", "a.", "1 ", "+1", "ES12 ", "(", "@"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct buf out = BUF_IN(t->arena);
        struct personal_span span;

        while (out.len < 1000000)
            buf_add_cstr(&out, parts[i]);
        for (size_t pos = 0; personal_next(buf_str(&out), ~0u, &pos, &span);)
            EXPECT(span.to > span.from);
    }
}
