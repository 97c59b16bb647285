#include "bot_api.h"

#define GROUP "telegram|77|-1001|"

TEST(outbox_says_a_text)
{
    struct bot_house house;
    struct outbox_row row;

    REQUIRE(bot_house_open(t, &house, NULL));
    EXPECT_OK(bot_say(&house, "r1", GROUP, "Hello **world**"));
    EXPECT_EQ(bot_say(&house, "r1", GROUP, "again"), STORE_EXISTS);
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "Hello <b>world</b>");
    row = bot_row(t, &house, "r1");
    EXPECT_STR(row.state, "sent");
    EXPECT_STR(row.channel_ids, "[\"101\"]");
    EXPECT_EQ(house.api.calls, 1);
    bot_house_close(&house);
}
