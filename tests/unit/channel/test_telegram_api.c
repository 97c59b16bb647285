#include "bot_api.h"
#include "channel/telegram_api.h"

struct case_of {
    const char *description;
    int status, rc;
    enum telegram_refusal refusal;
};

static int call(struct test *t, struct bot_house *house, struct telegram_answer *ret_answer)
{
    struct telegram_api api = telegram_api_of(telegram_of(house->channel));
    struct telegram_call call = {.method = "sendMessage", .json = STR("{\"chat_id\":1}")};

    return telegram_call(&api, &call, t->arena, ret_answer);
}

TEST(telegram_api_says_what_failures_mean)
{
    static const struct case_of cases[] = {
        {"Unauthorized", 401, ERR_UNAUTHORIZED, 0},
        {"Not Found", 404, ERR_UNAUTHORIZED, 0},
        {"Not Found: method not found", 404, CHANNEL_REFUSED, TELEGRAM_REFUSED_OTHER},
        {"Conflict: terminated by other getUpdates request", 409, ERR_CONFLICT, 0},
        {"Internal Server Error: restart", 500, CHANNEL_RETRY, 0},
        {"Forbidden: bot was blocked by the user", 403, CHANNEL_GONE, 0},
        {"Forbidden: user is deactivated", 403, CHANNEL_GONE, 0},
        {"Forbidden: bot is not a member of the channel chat", 403, CHANNEL_GONE, 0},
        {"Bad Request: chat not found", 400, CHANNEL_GONE, 0},
        {"Bad Request: message is not modified: specified new message content and reply markup "
         "are exactly the same as a current content",
            400, CHANNEL_REFUSED, TELEGRAM_NOT_MODIFIED},
        {"Bad Request: can't parse entities: Character '-' is reserved", 400, CHANNEL_REFUSED,
            TELEGRAM_BAD_MARKUP},
        {"Bad Request: Message thread not found", 400, CHANNEL_REFUSED, TELEGRAM_NO_TOPIC},
        {"Bad Request: message to be replied not found", 400, CHANNEL_REFUSED, TELEGRAM_NO_REPLIED},
        {"Bad Request: message to edit not found", 400, CHANNEL_REFUSED, TELEGRAM_NO_MESSAGE},
        {"Bad Request: query is too old and response timeout expired or query ID is invalid", 400,
            CHANNEL_REFUSED, TELEGRAM_LATE},
        {"Bad Request: message is too long", 400, CHANNEL_REFUSED, TELEGRAM_REFUSED_OTHER},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body =
            str_printf(t->arena, "{\"ok\":false,\"error_code\":%d,\"description\":\"%s\"}",
                cases[i].status, cases[i].description);
        struct bot_fault faults[] = {
            {.method = "sendMessage", .status = cases[i].status, .body = body.ptr}, {.method = ""}};
        struct telegram_answer answer;
        struct bot_house house;

        REQUIRE(bot_house_open(t, &house, faults));
        EXPECT_EQ(call(t, &house, &answer), cases[i].rc);
        EXPECT_EQ(answer.refusal, cases[i].refusal);
        EXPECT(str_find(str_from(err_message()), STR("SECRET"), 0) < 0);
        bot_house_close(&house);
    }
}

TEST(telegram_api_reads_parameters)
{
    struct bot_fault faults[] = {{.method = "sendMessage",
                                     .status = 429,
                                     .body = "{\"ok\":false,\"error_code\":429,"
                                             "\"description\":\"Too Many Requests\","
                                             "\"parameters\":{\"retry_after\":7}}"},
        {.method = "sendMessage",
            .status = 400,
            .body = "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: group chat "
                    "was upgraded to a supergroup chat\",\"parameters\":{\"migrate_to_chat_id\":"
                    "-1001234567890123}}"},
        {.method = "sendMessage", .status = 502, .body = "<html>Bad Gateway</html>"},
        {.method = "sendMessage", .status = 413, .body = "<html>too large</html>"},
        {.method = "sendMessage", .status = 400, .body = "<html>what?</html>"}, {.method = ""}};
    struct telegram_answer answer;
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_EQ(call(t, &house, &answer), CHANNEL_RETRY);
    EXPECT_EQ(answer.retry_after_ms, 7000);
    EXPECT_EQ(call(t, &house, &answer), CHANNEL_MOVED);
    EXPECT_STR(answer.moved_to, "-1001234567890123");
    /* A gateway's page does not say whether Telegram did it. */
    EXPECT_EQ(call(t, &house, &answer), CHANNEL_UNKNOWN);
    EXPECT_EQ(call(t, &house, &answer), CHANNEL_REFUSED);
    EXPECT_EQ(call(t, &house, &answer), ERR_PROTOCOL);
    EXPECT_OK(call(t, &house, &answer));
    EXPECT_EQ(json_get_i64(answer.result, "message_id", 0), 101);
    bot_house_close(&house);
}

TEST(telegram_api_knows_whether_anything_was_sent)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .cut = true}, {.method = ""}};
    struct telegram_api nobody = {STR("http://127.0.0.1:1"), STR("77:SECRET-token")};
    struct telegram_call ask = {.method = "getMe"};
    struct telegram_answer answer;
    struct bot_house house;
    struct str bytes;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_EQ(call(t, &house, &answer), CHANNEL_UNKNOWN);
    EXPECT_EQ(telegram_call(&nobody, &ask, t->arena, &answer), ERR_IO);
    EXPECT(str_find(str_from(err_message()), STR("SECRET"), 0) < 0);
    EXPECT_EQ(telegram_fetch(&nobody, STR("a.txt"), 10, t->arena, &bytes), ERR_IO);
    EXPECT(str_find(str_from(err_message()), STR("SECRET"), 0) < 0);
    nobody.root = STR("http://127.0.0.1:1/ \\");
    EXPECT_EQ(telegram_call(&nobody, &ask, t->arena, &answer), ERR_INVALID);
    EXPECT(str_find(str_from(err_message()), STR("SECRET"), 0) < 0);
    bot_house_close(&house);
}

TEST(telegram_api_uploads_a_file)
{
    struct telegram_call call = {.method = "sendDocument",
        .json =
            STR("{\"chat_id\":-1001,\"caption\":\"a \\\"b\\\"\",\"disable_notification\":true}"),
        .file_field = "document",
        .file_name = STR("a\"b/c.txt"),
        .file_type = STR("text/plain"),
        .file = STR("--theo\r\nthe file")};
    struct telegram_answer answer;
    struct telegram_api api;
    struct bot_house house;
    struct str boundary;

    REQUIRE(bot_house_open(t, &house, NULL));
    api = telegram_api_of(telegram_of(house.channel));
    EXPECT_OK(telegram_call(&api, &call, t->arena, &answer));
    /* The boundary is another each time. */
    boundary = str_slice(house.api.last, 0, strlen("--theo-") + 32);
    EXPECT_STR(house.api.last,
        str_printf(t->arena,
            "%.*s\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n-1001\r\n"
            "%.*s\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\na \"b\"\r\n"
            "%.*s\r\nContent-Disposition: form-data; name=\"disable_notification\"\r\n\r\n"
            "true\r\n"
            "%.*s\r\nContent-Disposition: form-data; name=\"document\"; "
            "filename=\"a%%22b_c.txt\"\r\nContent-Type: text/plain\r\n\r\n--theo\r\nthe "
            "file\r\n%.*s--\r\n",
            STR_ARG(boundary), STR_ARG(boundary), STR_ARG(boundary), STR_ARG(boundary),
            STR_ARG(boundary))
            .ptr);
    bot_house_close(&house);
}
