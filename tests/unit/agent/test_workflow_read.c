#include "agent/workflow.h"
#include "fixture.h"

static bool holds(const char *condition, const char *output)
{
    struct workflow workflow = {.slot_count = 1, .names = {{"facts", 5}}};
    struct condition read;

    if (!condition_parse(&workflow, str_from(condition), &read))
        return false;
    return condition_holds(&read, str_from(output));
}

TEST(condition_parse_takes_what_is_documented)
{
    struct workflow workflow = {.slot_count = 1, .names = {{"facts", 5}}};
    struct condition read;

    EXPECT(condition_parse(&workflow, STR("not facts contains \"a b\""), &read));
    EXPECT(read.negated);
    EXPECT_EQ(read.slot, 0);
    EXPECT_STR(read.value, "a b");
    EXPECT(condition_parse(&workflow, STR("  input   empty "), &read));
    EXPECT_EQ(read.slot, SLOT_INPUT);
    EXPECT(!condition_parse(&workflow, STR(""), &read));
    EXPECT(!condition_parse(&workflow, STR("not"), &read));
    EXPECT(!condition_parse(&workflow, STR("ghost empty"), &read));
    EXPECT(!condition_parse(&workflow, STR("facts"), &read));
    EXPECT(!condition_parse(&workflow, STR("facts contains"), &read));
    EXPECT(!condition_parse(&workflow, STR("facts empty now"), &read));
    EXPECT(!condition_parse(&workflow, STR("facts matches x"), &read));
}

TEST(condition_holds_without_regard_to_case_and_space)
{
    EXPECT(holds("facts contains \"Acme\"", "about ACME, Inc."));
    EXPECT(!holds("facts contains \"Acme\"", "about others"));
    EXPECT(holds("facts equals ok", " OK\n"));
    EXPECT(!holds("facts equals ok", "ok then"));
    EXPECT(holds("facts empty", " \n"));
    EXPECT(holds("not facts empty", "x"));
}

TEST(workflow_slot_finds_steps_and_the_words_with_a_meaning)
{
    struct workflow workflow = {.slot_count = 1, .names = {{"facts", 5}}};

    EXPECT_EQ(workflow_slot(&workflow, STR("facts")), 0);
    EXPECT_EQ(workflow_slot(&workflow, STR("input")), SLOT_INPUT);
    EXPECT_EQ(workflow_slot(&workflow, STR("previous")), SLOT_PREVIOUS);
    EXPECT_EQ(workflow_slot(&workflow, STR("")), SLOT_NONE);
}
