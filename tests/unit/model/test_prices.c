#include "model/model.h"
#include "test.h"

TEST(prices_are_for_a_name_and_its_versions)
{
    struct model_price price, mini;

    REQUIRE(model_price("", STR("openai:gpt-5"), &price));
    REQUIRE(model_price("", STR("openai:gpt-5-mini-2025-08-07"), &mini));
    EXPECT(mini.input < price.input);
    EXPECT(price.context > 0);
    EXPECT(!model_price("", STR("openai:gpt-5-pro"), &price));
    EXPECT(!model_price("", STR("openai:gpt-5.1"), &price));
    EXPECT(!model_price("", STR("anthropic:claude-opus-4-6"), &price));
    EXPECT(model_price("", STR("anthropic:claude-sonnet-4-20250514"), &price));
    EXPECT(!model_price("", STR("openai:my-own"), &price));
    EXPECT(!model_price("", STR("gemini:gpt-5"), &price)); /* another provider's name */
    EXPECT(!model_price("", STR("builtin"), &price));
}

TEST(prices_of_ones_own_go_first)
{
    const char *own = " openai:gpt-5 = 1/2/3 , openai:llama=0.5/1";
    struct model_price price;

    EXPECT_OK(model_prices_check(own));
    REQUIRE(model_price(own, STR("openai:gpt-5"), &price));
    EXPECT(price.input == 1 && price.cached == 2 && price.output == 3);
    EXPECT(price.context > 0);
    REQUIRE(model_price(own, STR("openai:llama"), &price));
    EXPECT(price.input == 0.5 && price.cached == 0.5 && price.output == 1);
    REQUIRE(model_price(own, STR("openai:gpt-5-mini"), &price)); /* not of that exact name */
    EXPECT(price.input == 0.25);
}

TEST(wrong_prices_are_refused)
{
    static const char *const wrong[] = {"x", "a=", "a=1", "a=1/b", "a=-1/2", "a=1/2/3/4", "=1/2"};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        EXPECT_EQ(model_prices_check(wrong[i]), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "model.prices");
    }
    EXPECT_OK(model_prices_check(""));
    EXPECT_OK(model_prices_check("a=1/2,"));
}

TEST(cost_counts_cached_tokens_apart)
{
    const struct model_price price = {.input = 2, .cached = 1, .output = 10};
    struct model_usage usage = {.input_tokens = 1000000, .cached_tokens = 500000};

    EXPECT(model_cost_usd(&price, &usage) == 1.5);
    usage.output_tokens = 100000;
    EXPECT(model_cost_usd(&price, &usage) == 2.5);
    usage.cached_tokens = 2000000; /* a provider that counts wrongly */
    EXPECT(model_cost_usd(&price, &usage) == 2);
}
