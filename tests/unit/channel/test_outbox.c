#include "bot_api.h"
#include "channel/outbox_private.h"
#include "runtime/errinj.h"
#include "watch/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

#define GROUP "telegram|77|-1001|"
#define LIMIT(seconds)                                                                             \
    "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after " #seconds  \
    "\",\"parameters\":{\"retry_after\":" #seconds "}}"
#define FAILURE(code, text) "{\"ok\":false,\"error_code\":" #code ",\"description\":\"" text "\"}"

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

TEST(outbox_keeps_the_order_of_a_chat_through_failures)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .status = 429, .body = LIMIT(1)},
        {.method = "sendMessage", .skip = 3, .status = 500, .body = FAILURE(500, "restart")},
        {.method = ""}};
    struct bot_house house;
    char text[2] = "0";

    REQUIRE(bot_house_open(t, &house, faults));
    for (int i = 0; i < 8; i++, text[0]++)
        /* ids that sort the other way round */
        EXPECT_OK(bot_say(&house, (char[]){(char)('z' - i), 0}, GROUP, text));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "0|1|2|3|4|5|6|7");
    EXPECT_EQ(house.api.sends, 10);
    EXPECT_EQ(bot_row(t, &house, "z").attempts, 1);
    bot_house_close(&house);
}

TEST(outbox_keeps_what_a_limit_says)
{
    struct bot_fault faults[] = {
        {.method = "sendMessage", .status = 429, .body = LIMIT(40)}, {.method = ""}};
    struct bot_house house;
    struct outbox_row row;
    int64_t now_ms;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(bot_say(&house, "a", GROUP, "one"));
    EXPECT_OK(bot_say(&house, "b", GROUP, "two"));
    EXPECT_OK(bot_say(&house, "c", "telegram|77|-1001|9", "in a topic"));
    EXPECT_OK(bot_say(&house, "d", "telegram|77|-1002|", "elsewhere"));
    outbox_drain(house.outbox);
    now_ms = env_wall_ms(env_system());
    row = bot_row(t, &house, "a");
    EXPECT_STR(row.state, "pending");
    EXPECT_STR(row.owner, "");
    EXPECT(row.error.len > 0);
    EXPECT(row.due_at > now_ms + 30 * SECOND_MS);
    EXPECT_STR(bot_shows(&house, "-1001"), "");
    EXPECT_STR(bot_shows(&house, "-1002"), "elsewhere");
    EXPECT_EQ(house.api.sends, 2);
    bot_house_close(&house);
}

TEST(outbox_finds_what_was_sent_without_an_answer)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .lost = true}, {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    EXPECT_OK(bot_say(&house, "a", GROUP, "once"));
    EXPECT_OK(bot_say(&house, "b", GROUP, "next"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "once|next");
    EXPECT_EQ(house.api.sends, 2);
    EXPECT_STR(bot_row(t, &house, "a").channel_ids, "[\"102\"]");
    bot_house_close(&house);
}

TEST(outbox_sends_again_what_did_not_arrive)
{
    struct bot_fault faults[] = {{.method = "sendMessage", .cut = true}, {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    bot_hears(&house, "-1001");
    EXPECT_OK(bot_say(&house, "a", GROUP, "once"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "once");
    EXPECT_EQ(house.api.sends, 2);
    bot_house_close(&house);
}

/* What others said meanwhile, and what Theo said elsewhere in the group, is left as it is. */
TEST(outbox_looks_among_other_messages)
{
    struct bot_fault faults[] = {
        {.method = "sendMessage", .skip = 1, .lost = true}, {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    bot_hears(&house, "-1001");
    EXPECT_OK(bot_say(&house, "topic", "telegram|77|-1001|9", "of a topic"));
    REQUIRE(bot_settle(&house));
    bot_hears(&house, "-1001");
    /* A row that knows no more than the first message. */
    struct outbox_post post = {.id = STR("a"),
        .chat_key = STR(GROUP),
        .session_id = STR(GROUP),
        .body = STR("of all"),
        .after = STR("101")};
    struct store_batch batch;
    store_batch_init(&batch, t->arena);
    outbox_put(house.outbox, &batch, &post);
    REQUIRE_OK(store_commit(house.store, &batch));
    bot_hears(&house, "-1001");
    outbox_kick(house.outbox, post.chat_key, post.session_id);
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "of a topic|of all");
    EXPECT_EQ(house.api.sends, 2);
    bot_house_close(&house);
}

static void found(void *ctx, struct str chat_key, struct str session_id)
{
    outbox_kick(ctx, chat_key, session_id);
}

/* Another process has put the rows, sent the first as sent says, and died. */
static void adopt(struct test *t, bool sent, const char *want_shows, int want_sends)
{
    struct bot_house house;
    struct outbox *dead;
    struct outbox_post post = {.id = STR("a"), .chat_key = STR(GROUP), .session_id = STR("s")};
    struct store_batch batch;

    REQUIRE(bot_house_open(t, &house, NULL));
    dead = outbox_new(env_system(), &house.config, house.store, STR("main"), house.channels, 1);
    store_batch_init(&batch, t->arena);
    post.body = STR("first");
    post.after = STR("100");
    outbox_put(dead, &batch, &post);
    post.id = STR("b");
    post.body = STR("second");
    outbox_put(dead, &batch, &post);
    REQUIRE_OK(store_commit(house.store, &batch));
    if (sent) {
        struct outbox_row row = bot_row(t, &house, "a");
        struct channel_sent state = {.message_ids = STR("[]"), .after = STR("")};
        EXPECT_OK(channel_telegram.send(house.channel, &row, t->arena, &state));
    }
    outbox_free(dead);
    EXPECT_OK(outbox_sweep(house.outbox, false, found, house.outbox));
    outbox_drain(house.outbox);
    EXPECT_STR(bot_row(t, &house, "b").state, "pending"); /* the dead one's lease holds */
    EXPECT_OK(outbox_sweep(house.outbox, true, found, house.outbox));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), want_shows);
    EXPECT_EQ(house.api.sends, want_sends);
    bot_house_close(&house);
}

TEST(outbox_takes_over_what_was_out)
{
    adopt(t, true, "first|second", 2);
}

TEST(outbox_takes_over_what_was_not_out)
{
    adopt(t, false, "first|second", 2);
}

TEST(outbox_stops_speaking_to_a_chat_that_is_gone)
{
    struct bot_fault faults[] = {
        {.method = "sendMessage",
            .status = 403,
            .body = FAILURE(403, "Forbidden: bot was kicked from the supergroup chat")},
        {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(bot_say(&house, "a", GROUP, "one"));
    EXPECT_OK(bot_say(&house, "b", GROUP, "two"));
    EXPECT_OK(bot_say(&house, "c", "telegram|77|-1001|5", "three"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "a").state, "failed");
    EXPECT_STR(bot_row(t, &house, "b").state, "failed");
    EXPECT_STR(bot_row(t, &house, "c").state, "failed");
    EXPECT_EQ(house.api.calls, 1);
    bot_hears(&house, "-1001");
    EXPECT_OK(bot_say(&house, "d", GROUP, "back"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1001"), "back");
    bot_house_close(&house);
}

TEST(outbox_follows_a_chat_that_moved)
{
    struct bot_fault faults[3] = {{.method = ""}, {.method = ""}, {.method = ""}};
    struct bot_house house;

    for (int i = 0; i < 2; i++)
        faults[i] = (struct bot_fault){.method = "sendMessage",
            .status = 400,
            .body =
                "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: group chat was "
                "upgraded to a supergroup chat\",\"parameters\":{\"migrate_to_chat_id\":"
                "-1009}}"};
    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(bot_say(&house, "a", "telegram|77|-5|", "one"));
    EXPECT_OK(bot_say(&house, "b", "telegram|77|-5|", "two"));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_shows(&house, "-1009"), "one|two");
    EXPECT_STR(bot_shows(&house, "-5"), "");
    EXPECT_STR(bot_row(t, &house, "b").chat_key, "telegram|77|-1009|");
    bot_house_close(&house);
}

TEST(outbox_does_not_hammer_when_the_token_is_wrong)
{
    struct bot_fault faults[] = {
        {.method = "sendMessage", .status = 401, .body = FAILURE(401, "Unauthorized")},
        {.method = ""}};
    struct bot_house house;
    struct outbox_row row;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(bot_say(&house, "a", GROUP, "one"));
    outbox_drain(house.outbox);
    EXPECT_OK(bot_say(&house, "b", "telegram|77|-1002|", "two"));
    outbox_drain(house.outbox);
    EXPECT_EQ(house.api.calls, 1);
    row = bot_row(t, &house, "a");
    EXPECT_STR(row.state, "pending");
    EXPECT(str_find(row.error, STR("telegram.token"), 0) >= 0);
    EXPECT(str_find(row.error, STR("SECRET"), 0) < 0);
    EXPECT_STR(bot_row(t, &house, "b").state, "pending");
    bot_house_close(&house);
}

TEST(outbox_gives_up_what_is_refused_and_goes_on)
{
    struct bot_fault faults[] = {
        {.method = "sendMessage", .status = 400, .body = FAILURE(400, "Bad Request: TOPIC_CLOSED")},
        {.method = ""}};
    struct bot_house house;

    REQUIRE(bot_house_open(t, &house, faults));
    EXPECT_OK(bot_say(&house, "a", GROUP, "one"));
    EXPECT_OK(bot_say(&house, "b", GROUP, "two"));
    EXPECT_OK(bot_say(&house, "c", GROUP, "  "));
    REQUIRE(bot_settle(&house));
    EXPECT_STR(bot_row(t, &house, "a").state, "failed");
    EXPECT(str_find(bot_row(t, &house, "a").error, STR("TOPIC_CLOSED"), 0) >= 0);
    EXPECT_STR(bot_row(t, &house, "c").state, "failed");
    EXPECT_STR(bot_shows(&house, "-1001"), "two");
    bot_house_close(&house);
}

/* Each point where a process may stop: the message is there once. */
TEST(outbox_faults_around_a_send)
{
    static const char *const points[] = {"outbox.sending=1", "outbox.sent=1", "outbox.sent=2"};

    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        struct bot_house house;

        REQUIRE(bot_house_open(t, &house, NULL));
        bot_hears(&house, "-1001");
        REQUIRE_OK(errinj_set(points[i]));
        EXPECT_OK(bot_say(&house, "a", GROUP, "one"));
        EXPECT_OK(bot_say(&house, "b", GROUP, "two"));
        EXPECT(bot_settle(&house));
        EXPECT_STR(bot_shows(&house, "-1001"), "one|two");
        EXPECT_EQ(house.api.sends, 2);
        bot_house_close(&house);
    }
}

struct other_loop {
    struct bot_house *house;
    const char *prefix;
    int failures;
    atomic_bool done;
};

static void say_ten(void *arg)
{
    struct other_loop *other = arg;

    for (int i = 0; i < 10; i++) {
        char id[16], text[16];

        snprintf(id, sizeof(id), "%s-%d", other->prefix, i);
        snprintf(text, sizeof(text), "%s%d", other->prefix, i);
        if (bot_say(other->house, id, GROUP, text) != 0)
            other->failures++;
        if (fiber_sleep(1) != 0)
            break;
    }
    outbox_drain(other->house->outbox);
    atomic_store(&other->done, true);
}

static void *run_other(void *arg)
{
    if (loop_run_fiber(env_system(), say_ten, arg) != 0)
        ((struct other_loop *)arg)->failures++;
    return NULL;
}

TEST(outbox_two_loops_speak_in_one_chat)
{
    struct bot_house house;
    struct other_loop here = {.house = &house, .prefix = "a"};
    struct other_loop there = {.house = &house, .prefix = "b"};
    pthread_t thread;
    struct str shown;
    ptrdiff_t last[2] = {-1, -1};

    REQUIRE(bot_house_open(t, &house, NULL));
    REQUIRE(pthread_create(&thread, NULL, run_other, &there) == 0);
    say_ten(&here);
    /* The Bot API is on this loop: it must not be blocked before the other one has done. */
    while (!atomic_load(&there.done))
        REQUIRE_OK(fiber_sleep(1));
    REQUIRE(bot_settle(&house));
    pthread_join(thread, NULL);
    EXPECT_EQ(here.failures + there.failures, 0);
    EXPECT_EQ(house.api.sends, 20);
    shown = bot_shows(&house, "-1001");
    for (int i = 0; i < 20; i++) {
        char text[16];
        ptrdiff_t at;

        snprintf(text, sizeof(text), "%c%d", i % 2 ? 'b' : 'a', i / 2);
        at = str_find(shown, str_from(text), 0);
        EXPECT(at > last[i % 2]);
        last[i % 2] = at;
    }
    bot_house_close(&house);
}

TEST(outbox_limits_by_chat_group_and_all)
{
    struct config config;
    struct outbox_limits *limits;
    struct str person = STR("telegram|77|5"), group = STR("telegram|77|-1001");
    int64_t now_ms = 1000, wait_ms;
    int sent = 0;

    REQUIRE_OK(config_load_text(&config, STR(""), "test"));
    limits = outbox_limits_new(&config);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(outbox_limits_take(limits, person, now_ms), 0);
    wait_ms = outbox_limits_take(limits, person, now_ms);
    EXPECT(wait_ms > 900 && wait_ms <= 1001);
    EXPECT_EQ(outbox_limits_take(limits, person, now_ms + wait_ms), 0);
    EXPECT_EQ(outbox_limits_take(limits, group, now_ms), 0);

    /* Never more than twenty within any minute. */
    now_ms = 100000;
    for (int64_t end_ms = now_ms + MINUTE_MS; now_ms < end_ms; now_ms += MAX(wait_ms, 1)) {
        wait_ms = outbox_limits_take(limits, group, now_ms);
        sent += wait_ms == 0;
    }
    EXPECT_EQ(sent, 20);

    /* Never more than the whole's within any second. */
    now_ms = 300000;
    sent = 0;
    for (int i = 0; i < 60; i++) {
        struct str other = str_printf(t->arena, "telegram|77|%d", 100 + i);
        sent += outbox_limits_take(limits, other, now_ms + i) == 0;
    }
    EXPECT_EQ(sent, config.telegram_limit_all);

    outbox_limits_hold(limits, group, 500000);
    EXPECT_EQ(outbox_limits_take(limits, group, 490000), 10000);
    EXPECT_EQ(outbox_limits_take(limits, group, 500000), 0);
    outbox_limits_free(limits);
    config_deinit(&config);
}
