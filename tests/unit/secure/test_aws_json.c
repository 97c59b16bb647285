#include "secure/aws_json.h"
#include "test.h"

TEST(a_refusal_is_named_without_its_namespace)
{
    static const struct {
        const char *answer, *code, *message;
    } rows[] = {
        {"{\"__type\":\"com.amazonaws.kms#NotFoundException:http://x/\",\"message\":\"No key\"}",
            "NotFoundException", "No key"},
        {"{\"__type\":\"ThrottlingException\",\"Message\":\"Slow down\"}", "ThrottlingException",
            "Slow down"},
        {"{\"__type\":\"a#b#c\"}", "c", ""},
        {"{\"message\":7}", "", ""},
        {"[]", "", ""},
    };
    struct aws_refusal refusal;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *root;

        REQUIRE_OK(json_parse(t->arena, str_from(rows[i].answer), &root));
        refusal = aws_refusal_read(root);
        EXPECT_STR(refusal.code, rows[i].code);
        EXPECT_STR(refusal.message, rows[i].message);
    }
    refusal = aws_refusal_read(NULL);
    EXPECT_EQ(refusal.code.len, 0);
    EXPECT_EQ(refusal.message.len, 0);
}

TEST(what_is_worth_another_attempt)
{
    EXPECT(aws_may_repeat(500, STR("")));
    EXPECT(aws_may_repeat(429, STR("")));
    EXPECT(aws_may_repeat(400, STR("ThrottlingException")));
    EXPECT(aws_may_repeat(400, STR("KMSInternalException")));
    EXPECT(aws_may_repeat(400, STR("TransactionConflictException")));
    EXPECT(!aws_may_repeat(400, STR("")));
    EXPECT(!aws_may_repeat(400, STR("ValidationException")));
    EXPECT(!aws_may_repeat(403, STR("AccessDeniedException")));
}
