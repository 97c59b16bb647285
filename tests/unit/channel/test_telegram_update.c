#include "channel/telegram.h"
#include "test.h"

#define MESSAGE(more)                                                                              \
    "{\"update_id\":7,\"message\":{\"message_id\":5,\"date\":1700000000,"                          \
    "\"chat\":{\"id\":-100123,\"type\":\"supergroup\",\"title\":\"Deals\"},"                       \
    "\"from\":{\"id\":42,\"is_bot\":false,\"first_name\":\"Ana\",\"last_name\":\"Ruiz\","          \
    "\"username\":\"ana\",\"language_code\":\"es\"}," more "}}"

struct fixture {
    struct config config;
    struct channel *channel;
    struct arena arena;
    struct channel_update update;
};

static void set_up(struct test *t, struct fixture *f)
{
    struct telegram *telegram;

    *f = (struct fixture){0};
    f->config.telegram_token = "77:abc";
    f->config.telegram_api_root = "http://127.0.0.1:1";
    f->config.telegram_webhook_url = "";
    EXPECT_OK(channel_telegram.open(&f->config, env_system(), &f->channel));
    telegram = (struct telegram *)f->channel;
    telegram->username = xstrdup("theo");
    telegram->name = xstrdup("Theo");
    arena_init(&f->arena);
}

static void tear_down(struct fixture *f)
{
    arena_deinit(&f->arena);
    channel_telegram.close(f->channel);
}

static const struct channel_update *read_one(struct test *t, struct fixture *f, const char *payload)
{
    EXPECT_OK(telegram_read(f->channel, str_from(payload), &f->arena, &f->update));
    return &f->update;
}

TEST(telegram_update_message)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f, MESSAGE("\"text\":\"hello\""));
    EXPECT_EQ(u->kind, CHANNEL_MESSAGE);
    EXPECT_STR(u->id, "telegram|77|7");
    EXPECT_STR(u->chat_key, "telegram|77|-100123|");
    EXPECT_EQ(u->chat, CHANNEL_GROUP);
    EXPECT_STR(u->chat_title, "Deals");
    EXPECT_STR(u->from.name, "Ana Ruiz");
    EXPECT_STR(u->from.id, "42");
    EXPECT_STR(u->from.language, "es");
    EXPECT_STR(u->text, "hello");
    EXPECT_STR(u->message_id, "5");
    EXPECT_EQ(u->at_ms, 1700000000000LL);
    EXPECT_EQ(u->mentioned, false);
    EXPECT_EQ(u->replied, false);
    tear_down(&f);
}

TEST(telegram_update_dates)
{
    static const struct {
        const char *date;
        int64_t at_ms;
    } cases[] = {{"253402300799", 253402300799000}, {"253402300800", 0}, {"172222222222222221", 0},
        {"-1", 0}, {"1e300", 0}, {"\"1700000000\"", 0}};
    struct fixture f;

    set_up(t, &f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_EQ(read_one(t, &f,
                      str_printf(t->arena,
                          "{\"update_id\":7,\"message\":{\"message_id\":5,\"date\":%s,"
                          "\"chat\":{\"id\":-1,\"type\":\"group\"},\"text\":\"x\"}}",
                          cases[i].date)
                          .ptr)
                      ->at_ms,
            cases[i].at_ms);
    tear_down(&f);
}

/* A mention is what an entity marks, counted in UTF-16: an emoji before it is two units. */
TEST(telegram_update_mentions)
{
    static const struct {
        const char *more;
        bool mentioned;
    } cases[] = {
        {"\"text\":\"@theo hi\",\"entities\":[{\"type\":\"mention\",\"offset\":0,\"length\":5}]",
            true},
        {"\"text\":\"@THEO hi\",\"entities\":[{\"type\":\"mention\",\"offset\":0,\"length\":5}]",
            true},
        {"\"text\":\"@theodore "
         "hi\",\"entities\":[{\"type\":\"mention\",\"offset\":0,\"length\":9}]",
            false},
        {"\"text\":\"\\ud83d\\ude80 @theo hi\",\"entities\":[{\"type\":\"mention\",\"offset\":3,"
         "\"length\":5}]",
            true},
        {"\"text\":\"\\ud83d\\ude80 @theo hi\",\"entities\":[{\"type\":\"mention\",\"offset\":2,"
         "\"length\":5}]",
            false},
        {"\"text\":\"@theo\",\"entities\":[{\"type\":\"code\",\"offset\":0,\"length\":5}]", false},
        {"\"text\":\"@theo\"", false},
        {"\"text\":\"Theo hi\",\"entities\":[{\"type\":\"text_mention\",\"offset\":0,\"length\":4,"
         "\"user\":{\"id\":77}}]",
            true},
        {"\"text\":\"Theo hi\",\"entities\":[{\"type\":\"text_mention\",\"offset\":0,\"length\":4,"
         "\"user\":{\"id\":78}}]",
            false},
        {"\"text\":\"@theo\",\"entities\":[{\"type\":\"mention\",\"offset\":0,\"length\":99}]",
            false},
        {"\"text\":\"@theo\",\"entities\":[{\"type\":\"mention\",\"offset\":-1,\"length\":5}]",
            false},
        {"\"caption\":\"@theo look\",\"photo\":[{\"file_id\":\"a\"},{\"file_id\":\"b\"}],"
         "\"caption_entities\":[{\"type\":\"mention\",\"offset\":0,\"length\":5}]",
            true},
    };
    struct fixture f;

    set_up(t, &f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str payload = str_printf(&f.arena,
            "{\"update_id\":7,\"message\":{\"message_id\":5,\"date\":1,\"chat\":{\"id\":-1,"
            "\"type\":\"group\"},\"from\":{\"id\":4,\"first_name\":\"A\"},%s}}",
            cases[i].more);

        EXPECT_EQ(read_one(t, &f, payload.ptr)->mentioned, cases[i].mentioned);
    }
    EXPECT_EQ(f.update.file.kind, CHANNEL_PHOTO);
    EXPECT_STR(f.update.file.id, "b");
    tear_down(&f);
}

TEST(telegram_update_commands)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        MESSAGE("\"text\":\"/Schedule@THEO call  Ben\",\"entities\":[{\"type\":"
                "\"bot_command\",\"offset\":0,\"length\":14}]"));
    EXPECT_STR(u->command, "schedule");
    EXPECT_STR(u->arguments, "call  Ben");
    u = read_one(t, &f,
        MESSAGE("\"text\":\"/schedule@other x\",\"entities\":[{\"type\":"
                "\"bot_command\",\"offset\":0,\"length\":15}]"));
    EXPECT_STR(u->command, "");
    u = read_one(t, &f,
        MESSAGE("\"text\":\"see /help\",\"entities\":[{\"type\":\"bot_command\","
                "\"offset\":4,\"length\":5}]"));
    EXPECT_STR(u->command, "");
    tear_down(&f);
}

/* General is no topic, and a reply thread is none either. */
TEST(telegram_update_topics)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        MESSAGE("\"text\":\"x\",\"message_thread_id\":42,\"is_topic_message\":true,"
                "\"reply_to_message\":{\"message_id\":42,\"forum_topic_created\":{\"name\":\"t\"},"
                "\"from\":{\"id\":77,\"is_bot\":true,\"first_name\":\"Theo\"}}"));
    EXPECT_STR(u->chat_key, "telegram|77|-100123|42");
    EXPECT_EQ(u->replied, false);
    u = read_one(t, &f, MESSAGE("\"text\":\"x\",\"message_thread_id\":9"));
    EXPECT_STR(u->chat_key, "telegram|77|-100123|");
    tear_down(&f);
}

TEST(telegram_update_replies_and_senders)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        MESSAGE("\"text\":\"yes\",\"reply_to_message\":{\"message_id\":4,\"text\":"
                "\"Shall I?\",\"from\":{\"id\":77,\"is_bot\":true,\"first_name\":"
                "\"Theo\"}}"));
    EXPECT_EQ(u->replied, true);
    EXPECT_STR(u->reply_to_id, "4");
    EXPECT_STR(u->reply_to_text, "Shall I?");
    u = read_one(t, &f,
        MESSAGE("\"text\":\"hi\",\"sender_chat\":{\"id\":-100123,\"title\":"
                "\"Deals\",\"type\":\"supergroup\"}"));
    EXPECT_EQ(u->from.anonymous, true);
    EXPECT_STR(u->from.id, "-100123");
    EXPECT_STR(u->from.name, "Deals");
    tear_down(&f);
}

TEST(telegram_update_kinds)
{
    static const struct {
        const char *payload;
        enum channel_kind kind;
    } cases[] = {
        {"{\"update_id\":1}", CHANNEL_IGNORED},
        {"{\"update_id\":1,\"purchased_paid_media\":{}}", CHANNEL_IGNORED},
        {MESSAGE("\"migrate_to_chat_id\":-100999"), CHANNEL_MIGRATED},
        {MESSAGE("\"migrate_from_chat_id\":-5"), CHANNEL_MIGRATED},
        {MESSAGE("\"new_chat_members\":[{\"id\":1,\"first_name\":\"Li\"}]"), CHANNEL_PEOPLE},
        {MESSAGE("\"left_chat_member\":{\"id\":1,\"first_name\":\"Li\"}"), CHANNEL_PEOPLE},
        {MESSAGE("\"pinned_message\":{}"), CHANNEL_IGNORED},
        {MESSAGE("\"document\":{\"file_id\":\"d\",\"file_name\":\"a.pdf\"}"), CHANNEL_MESSAGE},
        {"{\"update_id\":1,\"edited_message\":{\"message_id\":5,\"date\":1,\"edit_date\":2,"
         "\"text\":\"x\",\"chat\":{\"id\":-1,\"type\":\"group\"},\"from\":{\"id\":4}}}",
            CHANNEL_EDIT},
        {"{\"update_id\":1,\"callback_query\":{\"id\":\"q\",\"data\":\"y\",\"from\":{\"id\":4},"
         "\"message\":{\"message_id\":5,\"date\":0,\"chat\":{\"id\":-1,\"type\":\"group\"}}}}",
            CHANNEL_PRESS},
        {"{\"update_id\":1,\"message_reaction\":{\"message_id\":5,\"date\":1,\"chat\":{\"id\":-1,"
         "\"type\":\"group\"},\"user\":{\"id\":4},\"new_reaction\":[{\"type\":\"emoji\",\"emoji\":"
         "\"x\"}]}}",
            CHANNEL_REACTION},
        {"{\"update_id\":1,\"poll_answer\":{\"poll_id\":\"p\",\"user\":{\"id\":4},\"option_ids\":"
         "[0,2]}}",
            CHANNEL_POLL_ANSWER},
        {"{\"update_id\":1,\"my_chat_member\":{\"date\":1,\"chat\":{\"id\":-1,\"type\":\"group\"},"
         "\"from\":{\"id\":4},\"old_chat_member\":{\"status\":\"left\"},\"new_chat_member\":"
         "{\"status\":\"member\"}}}",
            CHANNEL_SELF},
        {"{\"update_id\":1,\"stopped_message_generation\":{\"chat\":{\"id\":4,\"type\":"
         "\"private\"},\"draft_id\":1}}",
            CHANNEL_STOPPED},
    };
    struct fixture f;

    set_up(t, &f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_EQ(read_one(t, &f, cases[i].payload)->kind, cases[i].kind);
    EXPECT_STR(read_one(t, &f, cases[2].payload)->moved_to, "-100999");
    EXPECT_STR(read_one(t, &f, cases[4].payload)->joined, "Li");
    EXPECT_EQ(read_one(t, &f, cases[11].payload)->options, 5);
    EXPECT_EQ(read_one(t, &f, cases[12].payload)->self, CHANNEL_SELF_ADDED);
    tear_down(&f);
}

/* Two messages tell of a migration; both are the old chat's. */
TEST(telegram_update_migrations)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f, MESSAGE("\"migrate_to_chat_id\":-100999"));
    EXPECT_STR(u->chat_key, "telegram|77|-100123|");
    EXPECT_STR(u->moved_to, "-100999");
    u = read_one(t, &f, MESSAGE("\"migrate_from_chat_id\":-55"));
    EXPECT_EQ(u->kind, CHANNEL_MIGRATED);
    EXPECT_STR(u->chat_key, "telegram|77|-55|");
    EXPECT_STR(u->chat_id, "-55");
    EXPECT_STR(u->moved_to, "-100123");
    tear_down(&f);
}

TEST(telegram_update_people)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        MESSAGE("\"new_chat_member\":{\"id\":9},\"new_chat_members\":[{\"id\":77,\"is_bot\":true,"
                "\"first_name\":\"Theo\"},{\"id\":9,\"first_name\":\"Li\",\"last_name\":\"Wu\"},"
                "{\"id\":10,\"first_name\":\"Bo\"}]"));
    EXPECT_EQ(u->kind, CHANNEL_PEOPLE);
    EXPECT_STR(u->joined, "Li Wu, Bo");
    EXPECT_STR(u->left, "");
    u = read_one(t, &f, MESSAGE("\"left_chat_member\":{\"id\":9,\"username\":\"li\"}"));
    EXPECT_STR(u->left, "li");
    u = read_one(t, &f, MESSAGE("\"left_chat_member\":{\"id\":77,\"first_name\":\"Theo\"}"));
    EXPECT_EQ(u->kind, CHANNEL_IGNORED);
    tear_down(&f);
}

/* What is marked in a message comes before all of it; a message of another chat has no id here. */
TEST(telegram_update_quotes)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        MESSAGE("\"text\":\"this?\",\"quote\":{\"text\":\"40 seats\",\"position\":10},"
                "\"reply_to_message\":{\"message_id\":4,\"text\":\"We agreed 40 seats\",\"from\":"
                "{\"id\":8,\"first_name\":\"Ben\"}}"));
    EXPECT_STR(u->reply_to_text, "40 seats");
    EXPECT_STR(u->reply_to_author, "Ben");
    EXPECT_EQ(u->replied, false);
    u = read_one(t, &f,
        MESSAGE("\"text\":\"this?\",\"quote\":{\"text\":\"elsewhere\"},\"external_reply\":"
                "{\"message_id\":99,\"origin\":{\"type\":\"hidden_user\"}}"));
    EXPECT_STR(u->reply_to_text, "elsewhere");
    EXPECT_STR(u->reply_to_id, "");
    /* Another bot with our name is not us, nor is a person with our id's prefix. */
    u = read_one(t, &f,
        MESSAGE("\"text\":\"x\",\"reply_to_message\":{\"message_id\":4,\"caption\":\"a "
                "chart\",\"from\":{\"id\":770,\"is_bot\":true,\"first_name\":\"Theo\"}}"));
    EXPECT_EQ(u->replied, false);
    EXPECT_STR(u->reply_to_text, "a chart");
    tear_down(&f);
}

TEST(telegram_update_files)
{
    static const struct {
        const char *more;
        enum channel_file_kind kind;
        const char *id;
    } cases[] = {
        {"\"photo\":[{\"file_id\":\"s\"},{\"file_id\":\"l\",\"file_size\":9}]", CHANNEL_PHOTO, "l"},
        {"\"animation\":{\"file_id\":\"g\"},\"document\":{\"file_id\":\"g\"}", CHANNEL_OTHER_FILE,
            "g"},
        {"\"document\":{\"file_id\":\"d\",\"mime_type\":\"application/pdf\"}", CHANNEL_DOCUMENT,
            "d"},
        {"\"voice\":{\"file_id\":\"v\",\"duration\":3}", CHANNEL_VOICE, "v"},
        {"\"audio\":{\"file_id\":\"a\"}", CHANNEL_AUDIO, "a"},
        {"\"video_note\":{\"file_id\":\"n\"}", CHANNEL_VIDEO, "n"},
        {"\"sticker\":{\"file_id\":\"k\",\"emoji\":\"x\"}", CHANNEL_STICKER, "k"},
        {"\"venue\":{\"title\":\"Bar\"},\"location\":{\"latitude\":1.5,\"longitude\":2}",
            CHANNEL_OTHER_FILE, ""},
        {"\"contact\":{\"phone_number\":\"1\",\"first_name\":\"Li\"}", CHANNEL_OTHER_FILE, ""},
        {"\"poll\":{\"id\":\"1\",\"question\":\"When?\"}", CHANNEL_OTHER_FILE, ""},
    };
    struct fixture f;

    set_up(t, &f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str payload = str_printf(&f.arena,
            "{\"update_id\":7,\"message\":{\"message_id\":5,\"date\":1,\"media_group_id\":\"13\","
            "\"caption\":\"look\",\"chat\":{\"id\":-1,\"type\":\"group\"},\"from\":{\"id\":4},%s}}",
            cases[i].more);
        const struct channel_update *u = read_one(t, &f, payload.ptr);

        EXPECT_EQ(u->kind, CHANNEL_MESSAGE);
        EXPECT_EQ(u->file.kind, cases[i].kind);
        EXPECT_STR(u->file.id, cases[i].id);
        EXPECT_STR(u->text, "look");
        EXPECT_STR(u->album, "13");
    }
    tear_down(&f);
}

/* Acts of chats rather than people: their ids are never a person's. */
TEST(telegram_update_chats_that_act)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        "{\"update_id\":1,\"channel_post\":{\"message_id\":5,\"date\":1,\"text\":\"news\",\"chat\":"
        "{\"id\":-100777,\"type\":\"channel\",\"title\":\"News\"},\"sender_chat\":{\"id\":-100777,"
        "\"type\":\"channel\",\"title\":\"News\"},\"author_signature\":\"Ana\"}}");
    EXPECT_EQ(u->chat, CHANNEL_BROADCAST);
    EXPECT_EQ(u->from.anonymous, true);
    EXPECT_STR(u->from.id, "-100777");
    u = read_one(t, &f,
        "{\"update_id\":1,\"message_reaction\":{\"message_id\":5,\"date\":1,\"chat\":{\"id\":-1,"
        "\"type\":\"supergroup\"},\"actor_chat\":{\"id\":-100123,\"title\":\"Deals\"},"
        "\"old_reaction\":[{\"type\":\"emoji\",\"emoji\":\"x\"}],\"new_reaction\":[]}}");
    EXPECT_EQ(u->kind, CHANNEL_REACTION);
    EXPECT_STR(u->emoji, "");
    EXPECT_EQ(u->from.anonymous, true);
    EXPECT_STR(u->from.name, "Deals");
    u = read_one(t, &f,
        "{\"update_id\":1,\"poll_answer\":{\"poll_id\":\"p\",\"voter_chat\":{\"id\":-100123},"
        "\"user\":{\"id\":136817688,\"is_bot\":true,\"first_name\":\"Channel\"},\"option_ids\":[40]"
        "}}");
    EXPECT_EQ(u->kind, CHANNEL_POLL_ANSWER);
    EXPECT_EQ(u->from.anonymous, true);
    EXPECT_STR(u->from.id, "-100123");
    EXPECT_EQ(u->options, 0);
    tear_down(&f);
}

/* What Theo becomes in a chat: kept out while restricted without being a member. */
TEST(telegram_update_self)
{
    static const struct {
        const char *was, *is;
        enum channel_kind kind;
        enum channel_self self;
    } cases[] = {
        {"{\"status\":\"left\"}", "{\"status\":\"member\"}", CHANNEL_SELF, CHANNEL_SELF_ADDED},
        {"{\"status\":\"kicked\"}", "{\"status\":\"administrator\"}", CHANNEL_SELF,
            CHANNEL_SELF_ADDED},
        {"{\"status\":\"member\"}", "{\"status\":\"administrator\"}", CHANNEL_SELF,
            CHANNEL_SELF_ADMIN},
        {"{\"status\":\"member\"}", "{\"status\":\"kicked\"}", CHANNEL_SELF, CHANNEL_SELF_REMOVED},
        {"{\"status\":\"member\"}", "{\"status\":\"restricted\",\"is_member\":false}", CHANNEL_SELF,
            CHANNEL_SELF_REMOVED},
        {"{\"status\":\"administrator\"}", "{\"status\":\"restricted\",\"is_member\":true}",
            CHANNEL_IGNORED, 0},
    };
    struct fixture f;

    set_up(t, &f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str payload = str_printf(&f.arena,
            "{\"update_id\":1,\"my_chat_member\":{\"date\":1,\"chat\":{\"id\":-1,\"type\":"
            "\"group\"},"
            "\"from\":{\"id\":4},\"old_chat_member\":%s,\"new_chat_member\":%s}}",
            cases[i].was, cases[i].is);
        const struct channel_update *u = read_one(t, &f, payload.ptr);

        EXPECT_EQ(u->kind, cases[i].kind);
        EXPECT_EQ(u->self, cases[i].self);
    }
    tear_down(&f);
}

/* Buttons: on a message that Telegram no longer shows, in a topic, and on none of our chats. */
TEST(telegram_update_presses)
{
    struct fixture f;
    const struct channel_update *u;

    set_up(t, &f);
    u = read_one(t, &f,
        "{\"update_id\":1,\"callback_query\":{\"id\":\"q\",\"data\":\"y\",\"chat_instance\":\"c\","
        "\"from\":{\"id\":4,\"first_name\":\"A\"},\"message\":{\"message_id\":5,\"date\":0,"
        "\"chat\":{\"id\":-1,\"type\":\"group\"}}}}");
    EXPECT_STR(u->press_id, "q");
    EXPECT_STR(u->press_data, "y");
    EXPECT_STR(u->message_id, "5");
    EXPECT_STR(u->chat_key, "telegram|77|-1|");
    u = read_one(t, &f,
        "{\"update_id\":1,\"callback_query\":{\"id\":\"q\",\"data\":\"y\",\"from\":{\"id\":4},"
        "\"message\":{\"message_id\":5,\"date\":1,\"message_thread_id\":42,\"is_topic_message\":"
        "true,\"chat\":{\"id\":-1,\"type\":\"supergroup\"}}}}");
    EXPECT_STR(u->chat_key, "telegram|77|-1|42");
    u = read_one(t, &f,
        "{\"update_id\":1,\"callback_query\":{\"id\":\"q\",\"game_short_name\":\"g\","
        "\"inline_message_id\":\"i\",\"from\":{\"id\":4}}}");
    EXPECT_EQ(u->kind, CHANNEL_PRESS);
    EXPECT_STR(u->chat_key, "");
    EXPECT_STR(u->press_data, "");
    tear_down(&f);
}

/* Wrong types, missing members and lengths without end are read as what is left of them. */
TEST(telegram_update_odd_shapes)
{
    static const char *const ignored[] = {
        "{\"update_id\":1,\"message\":7}",
        "{\"update_id\":1,\"message\":{\"chat\":[],\"text\":\"x\"}}",
        "{\"update_id\":1,\"message\":{\"chat\":{\"id\":\"-1\"},\"text\":\"x\"}}",
        "{\"update_id\":1,\"my_chat_member\":null}",
        "{\"update_id\":1,\"inline_query\":{\"id\":\"1\",\"query\":\"@theo\"}}",
    };
    struct fixture f;
    const struct channel_update *u;
    struct buf long_text = BUF_HEAP;

    set_up(t, &f);
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        EXPECT_EQ(read_one(t, &f, ignored[i])->kind, CHANNEL_IGNORED);
    buf_printf(&long_text, "{\"update_id\":1,\"message\":{\"chat\":{\"id\":-1},\"text\":\"");
    for (int i = 0; i < 9000; i++)
        buf_printf(&long_text, "äöü");
    buf_printf(
        &long_text, "\",\"entities\":[{\"type\":\"mention\",\"offset\":26990,\"length\":5}]}}");
    u = read_one(t, &f, long_text.ptr);
    EXPECT_EQ(u->text.len, 20000);
    EXPECT_EQ(u->mentioned, false);
    buf_clear(&long_text);
    for (int i = 0; i < 70; i++)
        buf_printf(&long_text, "{\"message\":");
    EXPECT_EQ(telegram_read(f.channel, buf_str(&long_text), &f.arena, &f.update), ERR_INVALID);
    buf_deinit(&long_text);
    tear_down(&f);
}

TEST(telegram_update_refuses_what_is_none)
{
    struct fixture f;

    set_up(t, &f);
    EXPECT_EQ(telegram_read(f.channel, STR("[]"), &f.arena, &f.update), ERR_INVALID);
    EXPECT_EQ(telegram_read(f.channel, STR("{"), &f.arena, &f.update), ERR_INVALID);
    EXPECT_EQ(
        telegram_read(f.channel, STR("{\"update_id\":\"7\"}"), &f.arena, &f.update), ERR_INVALID);
    tear_down(&f);
}

TEST(telegram_open_refuses_wrong_tokens)
{
    static const char *const tokens[] = {"abc", ":abc", "12:", "x:abc", "12:a b", "-3:abc"};

    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct config config = {.telegram_token = (char *)tokens[i],
            .telegram_api_root = (char *)"https://api.telegram.org"};
        struct channel *channel;

        EXPECT_EQ(channel_telegram.open(&config, env_system(), &channel), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "telegram.token");
    }
}
