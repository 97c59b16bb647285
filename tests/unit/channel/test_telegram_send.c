#include "bot_api.h"

#define GROUP "telegram|77|-1001|"
#define REFUSAL(text) "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: " text "\"}"
#define LIMIT                                                                                      \
    "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\","                      \
    "\"parameters\":{\"retry_after\":9}}"

static bool has(struct bot_house *house, const char *text)
{
    return str_find(house->api.last, str_from(text), 0) >= 0;
}

static struct outbox_post in_group(const char *id, const char *body)
{
    return (struct outbox_post){.kind = OUTBOX_TEXT,
        .id = str_from(id),
        .chat_key = STR(GROUP),
        .session_id = STR("s"),
        .body = str_from(body)};
}

TEST(telegram_send_says_where_and_to_what)
{
    struct bot_house house;
    struct outbox_button buttons[] = {{.text = STR("Yes"), .data = STR("y:1")},
        {.text = STR("No"), .data = STR("n:1")},
        {.text = STR("More"), .url = STR("https://example.org"), .new_row = true}};
    struct outbox_post post = in_group("a", "Shall I?");

    REQUIRE(bot_house_open(t, &house, NULL));
    post.reply_to = STR("55");
    post.buttons = buttons;
    post.button_count = ARRAY_LEN(buttons);
    post.quiet = true;
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(house.api.last,
        "{\"chat_id\":-1001,\"text\":\"Shall I?\",\"parse_mode\":\"HTML\","
        "\"link_preview_options\":{\"is_disabled\":true},\"reply_markup\":{\"inline_keyboard\":"
        "[[{\"text\":\"Yes\",\"callback_data\":\"y:1\"},{\"text\":\"No\",\"callback_data\":"
        "\"n:1\"}],[{\"text\":\"More\",\"url\":\"https://example.org\"}]]},"
        "\"reply_parameters\":{\"message_id\":55,\"allow_sending_without_reply\":true},"
        "\"disable_notification\":true}");
    EXPECT_OK(bot_say(&house, "b", "telegram|77|-1001|42", "in a topic"));
    REQUIRE(bot_settle(&house));
    EXPECT(has(&house, "\"message_thread_id\":42"));
    EXPECT_OK(bot_say(&house, "c", "telegram|77|-1001|1", "in the General topic"));
    REQUIRE(bot_settle(&house));
    EXPECT(!has(&house, "message_thread_id"));
    EXPECT_OK(bot_say(&house, "d", "telegram|77|x|", "nowhere"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "d").state, "failed");
    EXPECT_EQ(house.api.sends, 3);
    bot_house_close(&house);
}

TEST(telegram_send_falls_back_to_plain_text)
{
    struct bot_fault faults[] = {{.method = "sendMessage",
                                     .status = 400,
                                     .body = REFUSAL("can't parse entities: Unsupported tag")},
        {.method = "sendMessage", .lost = true}, {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    EXPECT_OK(bot_say(&house, "a", GROUP, "**all** of it"));
    REQUIRE(bot_settle(&house));
    /* The plain text was sent, its answer lost, the marked-up one looked for: it is made that. */
    EXPECT_EQ(house.api.sends, 2);
    EXPECT_STR(bot_shows(&house, "-1001"), "<b>all</b> of it");
    bot_house_close(&house);
}

TEST(telegram_send_without_the_message_it_answers)
{
    struct bot_fault faults[] = {{.method = "sendMessage",
                                     .status = 400,
                                     .body = REFUSAL("message to be replied not found")},
        {.method = ""}};
    struct bot_house house;
    struct outbox_post post = in_group("a", "Hello");

    REQUIRE(bot_house_open(t, &house, faults));
    post.reply_to = STR("55");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "Hello");
    EXPECT(!has(&house, "reply_parameters"));
    bot_house_close(&house);
}

/* A long text, with every kind of failure between its parts: nothing is lost, nothing doubled. */
TEST(telegram_send_long_texts_in_parts)
{
    struct bot_fault faults[] = {
        {.method = "sendMessage", .skip = 1, .status = 500, .body = REFUSAL("restart")},
        {.method = "sendMessage", .lost = true}, {.method = "sendMessage", .cut = true},
        {.method = "sendMessage", .status = 429, .body = LIMIT}, {.method = ""}};
    struct bot_house house;
    struct buf body = BUF_IN(t->arena);
    struct outbox_row row;
    struct str shown;
    size_t at = 0;

    faults[3].body = "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\","
                     "\"parameters\":{\"retry_after\":1}}";
    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    for (int i = 0; i < 3000; i++)
        buf_printf(&body, "w%05d ", i);
    EXPECT_OK(bot_say(&house, "a", GROUP, body.ptr));
    REQUIRE(bot_settle(&house));
    row = bot_row(t, &house, "a");
    EXPECT_STR(row.state, "sent");
    EXPECT_STR(row.channel_ids, "[\"102\",\"103\",\"104\",\"105\",\"106\",\"107\"]");
    shown = bot_shows(&house, "-1001");
    for (int i = 0; i < 3000; i++) {
        char word[16];
        ptrdiff_t found;

        snprintf(word, sizeof(word), "w%05d", i);
        found = str_find(shown, str_from(word), 0);
        REQUIRE(found >= (ptrdiff_t)at);
        EXPECT(str_find(shown, str_from(word), (size_t)found + 1) < 0);
        at = (size_t)found;
    }
    bot_house_close(&house);
}

TEST(telegram_send_in_place_of_a_preview)
{
    struct bot_fault faults[] = {{.method = "editMessageText", .skip = 1, .lost = true},
        {.method = "editMessageText",
            .status = 429,
            .body = "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\","
                    "\"parameters\":{\"retry_after\":1}}"},
        {.method = ""}};
    struct bot_house house;
    struct outbox_post post = in_group("a", "");
    struct buf body = BUF_IN(t->arena);
    struct str preview = STR("");
    int64_t next_ms = 0;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(channel_telegram.preview(
        house.channel, STR(GROUP), STR(""), STR("w00"), t->arena, &preview, &next_ms));
    EXPECT_STR(preview, "101");
    EXPECT_OK(channel_telegram.preview(
        house.channel, STR(GROUP), STR(""), STR("w000"), t->arena, &preview, &next_ms));
    EXPECT_STR(bot_shows(&house, "-1001"), "w000");
    for (int i = 0; i < 1000; i++)
        buf_printf(&body, "w%05d ", i);
    post.body = buf_str(&body);
    post.message_id = preview;
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "a").channel_ids, "[\"101\",\"102\"]");
    EXPECT_EQ(house.api.sends, 2);
    EXPECT(str_starts(bot_shows(&house, "-1001"), STR("w00000 w00001")));
    EXPECT(str_ends(bot_shows(&house, "-1001"), STR("w00999")));

    /* Somebody deleted it: then the answer is a message of its own. */
    post = in_group("b", "all of it");
    post.message_id = STR("999");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT(str_ends(bot_shows(&house, "-1001"), STR("|all of it")));

    post = in_group("c", "decided");
    post.kind = OUTBOX_EDIT;
    post.message_id = STR("999");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "c").state, "failed");
    bot_house_close(&house);
}

/* The first message of a preview arrived, its answer did not: the text takes its place. */
TEST(telegram_send_in_place_of_a_preview_that_was_lost)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .lost = true}, {.method = ""}};
    struct bot_house house;
    struct outbox_post post = in_group("a", "all of it");
    struct str preview = STR("");
    int64_t next_ms = 0;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    EXPECT(channel_telegram.preview(house.channel, STR(GROUP), STR("101"), STR("all"), t->arena,
               &preview, &next_ms) < 0);
    EXPECT_STR(preview, CHANNEL_LOST "101");
    EXPECT(channel_telegram.preview(house.channel, STR(GROUP), STR("101"), STR("all of"), t->arena,
               &preview, &next_ms) < 0);
    bot_hears(&house, "-1001");
    post.message_id = preview;
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "all of it");
    EXPECT_EQ(house.api.sends, 1);
    bot_house_close(&house);
}

TEST(telegram_send_drafts_in_private_chats)
{
    struct bot_fault faults[] = {
        {.method = "sendMessageDraft", .skip = 1, .status = 429, .body = LIMIT}, {.method = ""}};
    struct bot_house house;
    struct str preview = STR(""), former;
    int64_t next_ms = 0, now_ms = env_mono_ms(env_system());
    struct outbox_post post = in_group("a", "done");

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(channel_telegram.preview(
        house.channel, STR("telegram|77|5|"), STR("1"), STR("do"), t->arena, &preview, &next_ms));
    EXPECT(str_starts(preview, STR("draft:")));
    EXPECT(has(&house, "\"draft_id\":"));
    former = preview;
    EXPECT_OK(channel_telegram.preview(
        house.channel, STR("telegram|77|5|"), STR("1"), STR("don"), t->arena, &preview, &next_ms));
    EXPECT_STR(preview, former.ptr);
    EXPECT(next_ms >= now_ms + 9000);
    post.chat_key = STR("telegram|77|5|");
    post.message_id = preview;
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "5"), "done");
    bot_house_close(&house);
}

/* An answer is being looked for while the next one begins to show: that is left alone. */
TEST(telegram_send_looks_past_previews)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .cut = true}, {.method = ""}};
    struct bot_house house;
    struct str preview = STR("");
    int64_t next_ms = 0;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    EXPECT_OK(bot_say(&house, "a", GROUP, "first"));
    while (house.api.calls == 0)
        REQUIRE_OK(fiber_sleep(1));
    EXPECT_OK(channel_telegram.preview(
        house.channel, STR(GROUP), STR(""), STR("sec"), t->arena, &preview, &next_ms));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "sec|first");
    EXPECT_OK(channel_telegram.preview(
        house.channel, STR(GROUP), STR(""), STR("second"), t->arena, &preview, &next_ms));
    EXPECT_STR(bot_shows(&house, "-1001"), "second|first");
    bot_house_close(&house);
}

/* What a process that died was showing in another topic is no place for an answer of this one. */
TEST(telegram_send_never_takes_a_message_of_another_topic)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .skip = 1, .cut = true}, {.method = ""}};
    struct telegram_call call = {.method = "sendMessage",
        .json = STR("{\"chat_id\":-1001,\"message_thread_id\":9,\"text\":\"half an\"}")};
    struct telegram_answer answer;
    struct telegram_api api;
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    api = telegram_api_of(telegram_of(house.channel));
    EXPECT_OK(telegram_call(&api, &call, t->arena, &answer));
    EXPECT_OK(bot_say(&house, "a", "telegram|77|-1001|42", "of 42"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "of 42");
    EXPECT_EQ(house.api.messages[house.api.count - 1].topic, 42);
    EXPECT_EQ(house.api.sends, 3);
    bot_house_close(&house);
}

/* Telegram says it once: not to the preview and then again to the answer. */
TEST(telegram_send_waits_as_a_preview_was_told)
{
    struct bot_fault faults[] = {
        {.method = "editMessageText", .status = 429, .body = LIMIT}, {.method = ""}};
    struct bot_house house;
    struct str preview = STR("");
    int64_t next_ms[3] = {0};

    REQUIRE(bot_house_open(t, &house, faults));
    for (int i = 0; i < 3; i++)
        EXPECT_OK(channel_telegram.preview(
            house.channel, STR(GROUP), STR(""), STR("w"), t->arena, &preview, &next_ms[i]));
    EXPECT_EQ(house.api.calls, 2);
    EXPECT(next_ms[1] > env_mono_ms(env_system()) + 7000);
    EXPECT(next_ms[2] > env_mono_ms(env_system()) + 7000);
    EXPECT_OK(bot_say(&house, "a", GROUP, "all"));
    EXPECT_OK(bot_say(&house, "b", "telegram|77|-1002|", "elsewhere"));
    outbox_drain(house.outbox);
    EXPECT_EQ(house.api.calls, 3);
    EXPECT_STR(bot_row(t, &house, "a").state, "pending");
    EXPECT_STR(bot_row(t, &house, "b").state, "sent");
    bot_house_close(&house);
}

TEST(telegram_previews_become_rarer)
{
    struct bot_house house;
    struct str preview = STR("");
    int64_t now_ms, next_ms, last_ms = 0;

    REQUIRE(bot_house_open(t, &house, NULL));
    for (int i = 0; i < 6; i++) {
        now_ms = env_mono_ms(env_system());
        EXPECT_OK(channel_telegram.preview(house.channel, STR(GROUP), STR(""),
            str_printf(t->arena, "w%d", i), t->arena, &preview, &next_ms));
        EXPECT(next_ms - now_ms >= 1200 + 600 * i);
        last_ms = next_ms - now_ms;
    }
    EXPECT(last_ms >= 4200);
    EXPECT_STR(bot_shows(&house, "-1001"), "w5");
    bot_house_close(&house);
}

TEST(telegram_send_documents_polls_reactions)
{
    struct bot_fault faults[] = {{.method = "sendDocument", .lost = true},
        {.method = "sendPoll", .lost = true}, {.method = ""}};
    struct bot_house house;
    struct outbox_post post = in_group("doc", "the file's text");
    struct str choices[] = {STR("Mon"), STR("Tue")};

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    post.kind = OUTBOX_DOCUMENT;
    post.file_name = STR("offer.md");
    post.caption = STR("The **offer**");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "doc").channel_ids, "[\"102\"]");
    post = in_group("poll", "When?");
    post.kind = OUTBOX_POLL;
    post.choices = choices;
    post.choice_count = 2;
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "poll").state, "sent");
    EXPECT_STR(bot_shows(&house, "-1001"), "document|When?");
    post.id = STR("poll 2");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "poll 2").channel_ids, "[\"104\",\"poll:900104\"]");
    EXPECT(has(&house, "\"options\":[{\"text\":\"Mon\"},{\"text\":\"Tue\"}],\"is_anonymous\":false,"
                       "\"allows_multiple_answers\":true"));
    post = in_group("thumb", "👍");
    post.kind = OUTBOX_REACTION;
    post.message_id = STR("101");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(house.api.last, "{\"chat_id\":-1001,\"message_id\":101,\"reaction\":[{\"type\":"
                               "\"emoji\",\"emoji\":\"👍\"}]}");
    post = in_group("stop", "");
    post.kind = OUTBOX_POLL_STOP;
    post.message_id = STR("104");
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(house.api.last, "{\"chat_id\":-1001,\"message_id\":104}");
    EXPECT(str_ends(buf_str(&house.api.log), STR("stopPoll -1001 \n")));
    post = in_group("bye", "");
    post.kind = OUTBOX_LEAVE;
    EXPECT_OK(bot_post(&house, &post));
    REQUIRE(bot_settle(&house));
    EXPECT(str_ends(buf_str(&house.api.log), STR("leaveChat -1001 \n")));
    EXPECT_EQ(house.api.count, 4); /* one of somebody else, a document, two polls */
    bot_house_close(&house);
}

TEST(telegram_typing_is_throttled)
{
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, NULL));
    channel_telegram.typing(house.channel, STR(GROUP));
    channel_telegram.typing(house.channel, STR(GROUP));
    EXPECT_EQ(house.api.calls, 1);
    channel_telegram.typing(house.channel, STR("telegram|77|-1001|42"));
    EXPECT_EQ(house.api.calls, 2);
    EXPECT_STR(
        house.api.last, "{\"chat_id\":-1001,\"message_thread_id\":42,\"action\":\"typing\"}");
    bot_house_close(&house);
}

TEST(telegram_asks_who_is_admin_and_remembers)
{
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, NULL));
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("1")), 1);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("2")), 0);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("1")), 1);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("2")), 0);
    EXPECT_EQ(house.api.calls, 2);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("-1001")), 1);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("-1002")), 0);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR(GROUP), STR("x")), 0);
    EXPECT_EQ(channel_telegram.is_admin(house.channel, STR("telegram|77|5|"), STR("5")), 1);
    EXPECT_EQ(house.api.calls, 2);
    bot_house_close(&house);
}

TEST(telegram_downloads_files)
{
    struct bot_fault faults[] = {
        {.method = "getFile", .skip = 2, .status = 400, .body = REFUSAL("file is too big")},
        {.method = "getFile", .status = 400, .body = REFUSAL("wrong file_id")}, {.method = ""}};
    struct channel_file file = {.id = STR("F")};
    struct bot_house house;
    struct str bytes;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(channel_telegram.download(house.channel, &file, 100, t->arena, &bytes));
    EXPECT_STR(bytes, "0123456789");
    EXPECT_EQ(channel_telegram.download(house.channel, &file, 9, t->arena, &bytes), ERR_TOO_LARGE);
    EXPECT_EQ(
        channel_telegram.download(house.channel, &file, 100, t->arena, &bytes), ERR_TOO_LARGE);
    EXPECT_EQ(
        channel_telegram.download(house.channel, &file, 100, t->arena, &bytes), ERR_NOT_FOUND);
    file.size = 101;
    EXPECT_EQ(
        channel_telegram.download(house.channel, &file, 100, t->arena, &bytes), ERR_TOO_LARGE);
    bot_house_close(&house);
}

TEST(telegram_answers_presses)
{
    struct bot_fault faults[] = {
        {.method = "answerCallbackQuery", .status = 400, .body = REFUSAL("query is too old")},
        {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    channel_telegram.answer_press(house.channel, STR("9"), STR("late"), false);
    channel_telegram.answer_press(house.channel, STR("9"), STR("Done"), true);
    EXPECT_STR(
        house.api.last, "{\"callback_query_id\":\"9\",\"text\":\"Done\",\"show_alert\":true}");
    bot_house_close(&house);
}
