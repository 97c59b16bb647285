#include "fixture.h"

extern const struct tool tool_summarise;

static const char talk[] = "Ana: We should talk about the price of the bolts.\n"
                           "Ben: Agreed, we go with 12 euro a box.\n"
                           "Theo: I am listening.\n"
                           "Ana: I will send the contract by Friday.\n"
                           "Ben: Who pays for the transport?";

static bool has(const struct fixture *f, const char *party, const char *part)
{
    const struct json *items = json_get(f->content, "items");

    for (const struct json *item = json_first(items); item; item = json_next(item))
        if (str_is(json_get_str(item, "party"), party) &&
            str_find(json_get_str(item, "text"), str_from(part), 0) >= 0)
            return true;
    return false;
}

TEST(summarise_quotes_with_speakers)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(transcript_parse(t->arena, str_from(talk), &f.chat));
    REQUIRE_OK(fixture_call(&f, &tool_summarise, "{}"));
    EXPECT(has(&f, "Ben", "12 euro"));
    EXPECT(has(&f, "Ana", "contract by Friday"));
    EXPECT(!has(&f, "Theo", ""));
    fixture_close(&f);
}

TEST(summarise_keeps_to_its_focus)
{
    struct fixture f;

    REQUIRE(fixture_open(t, &f));
    REQUIRE_OK(transcript_parse(t->arena, str_from(talk), &f.chat));
    REQUIRE_OK(fixture_call(&f, &tool_summarise, "{\"focus\":\"the contract\"}"));
    EXPECT(has(&f, "Ana", "contract"));
    EXPECT(!has(&f, "Ben", "12 euro"));
    REQUIRE_OK(fixture_call(&f, &tool_summarise, "{\"focus\":\"decisions\"}"));
    EXPECT(has(&f, "Ben", "12 euro"));
    EXPECT(!has(&f, "Ben", "transport"));
    REQUIRE_OK(fixture_call(&f, &tool_summarise, "{\"focus\":\"zebras\"}"));
    EXPECT(has(&f, "Ben", "12 euro"));
    REQUIRE_OK(fixture_call(&f, &tool_summarise, "{\"max_items\":1}"));
    EXPECT_EQ(json_len(json_get(f.content, "items")), 1);
    fixture_close(&f);
}
