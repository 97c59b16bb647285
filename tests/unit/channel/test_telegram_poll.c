#include "channel/telegram.h"
#include "channel/telegram_poll.h"
#include "http/server.h"
#include "test.h"

#define ROUNDS_MAX 8
#define TAKEN_MAX 32

struct round {
    int status;
    const char *body;
};

/* A Bot API that answers getUpdates by a list, and then waits. */
struct telegram_side {
    struct arena *arena;
    struct http_server *server;
    const struct round *rounds;
    size_t count, asked;
    int64_t offsets[ROUNDS_MAX + 1];
};

/* What the receiver got: "chat:text", in order. */
struct taker {
    struct arena *arena;
    struct str taken[TAKEN_MAX];
    size_t count;
    size_t at_once, most_at_once;
    const char *fail; /* fails once at this text */
};

static void handle(struct http_request *req, void *ctx)
{
    struct telegram_side *side = ctx;
    const struct json *root = NULL;
    size_t round = side->asked;

    if (json_parse(side->arena, req->body, &root) < 0)
        abort();
    side->asked++;
    if (round <= ROUNDS_MAX)
        side->offsets[round] = json_get_i64(root, "offset", -1);
    if (round < side->count)
        http_respond(req, side->rounds[round].status, "application/json", NULL, 0,
            str_from(side->rounds[round].body));
    else if (fiber_sleep(60 * SECOND_MS) == 0)
        http_respond(req, 200, "application/json", NULL, 0, STR("{\"ok\":true,\"result\":[]}"));
}

static int receive(void *ctx, const struct channel_update *update, struct str payload)
{
    struct taker *taker = ctx;
    int rc = 0;

    if (str_empty(payload) || taker->count == TAKEN_MAX)
        abort();
    taker->at_once++;
    taker->most_at_once = MAX(taker->most_at_once, taker->at_once);
    if (fiber_sleep(str_is(update->text, "slow") ? 50 : 5) < 0)
        abort();
    taker->at_once--;
    if (taker->fail && str_is(update->text, taker->fail)) {
        taker->fail = NULL;
        rc = err_set(ERR_IO, "the disk is full");
    } else {
        taker->taken[taker->count++] =
            str_printf(taker->arena, "%.*s:%.*s", STR_ARG(update->chat_id),
                STR_ARG(update->kind == CHANNEL_MIGRATED ? update->moved_to : update->text));
    }
    return rc;
}

struct polling {
    struct channel *channel;
    struct taker *taker;
};

static void poll(void *arg)
{
    struct polling *polling = arg;

    telegram_poll(polling->channel, receive, polling->taker);
}

/* Poll until all rounds were given and the next one is waited for. */
static bool play(struct test *t, struct telegram_side *side, struct taker *taker)
{
    struct config config = {.telegram_token = "77:abc", .telegram_webhook_url = ""};
    struct polling polling = {.taker = taker};
    struct http_server_options options;
    struct fiber *fiber;
    bool done;

    side->arena = taker->arena = t->arena;
    http_server_options_init(&options);
    options.port = 0;
    if (!EXPECT_OK(http_server_start(fiber_loop(), &options, handle, side, &side->server)))
        return false;
    config.telegram_api_root = str_cstr(
        t->arena, str_printf(t->arena, "http://127.0.0.1:%d", http_server_port(side->server)));
    if (!EXPECT_OK(channel_telegram.open(&config, env_system(), &polling.channel)))
        return false;
    fiber = fiber_spawn_joinable(fiber_loop(), "poll", poll, &polling);
    for (int i = 0; i < 2000 && side->asked <= side->count; i++)
        if (fiber_sleep(10) < 0)
            break;
    done = EXPECT(side->asked == side->count + 1);
    fiber_cancel(fiber);
    EXPECT_OK(fiber_join(fiber));
    channel_telegram.close(polling.channel);
    http_server_stop(side->server);
    return done;
}

static bool took_before(const struct taker *taker, const char *first, const char *second)
{
    size_t a = SIZE_MAX, b = 0;

    for (size_t i = 0; i < taker->count; i++) {
        if (str_is(taker->taken[i], first))
            a = i;
        if (str_is(taker->taken[i], second))
            b = i;
    }
    return a < b;
}

static size_t times_taken(const struct taker *taker, const char *what)
{
    size_t times = 0;

    for (size_t i = 0; i < taker->count; i++)
        times += str_is(taker->taken[i], what);
    return times;
}

#define SAID(id, chat, text)                                                                       \
    "{\"update_id\":" #id ",\"message\":{\"message_id\":" #id ",\"date\":1,\"text\":\"" text       \
    "\",\"chat\":{\"id\":" #chat ",\"type\":\"group\"},\"from\":{\"id\":4,\"first_name\":\"A\"}}}"
#define GIVEN(list) "{\"ok\":true,\"result\":[" list "]}"

/* Each chat in order, chats at once; acknowledged by the next request. */
TEST(telegram_poll_keeps_each_chats_order)
{
    struct telegram_side side = {.count = 2};
    struct taker taker = {0};
    const struct round rounds[] = {
        {200, GIVEN(SAID(10, -1, "slow") "," SAID(11, -2, "a") "," SAID(12, -1, "b") "," SAID(
                  13, -2, "c") "," SAID(14, -1, "d"))},
        {200, GIVEN("{\"update_id\":15,\"something_new\":{}}," SAID(16, -1, "e"))},
    };

    side.rounds = rounds;
    REQUIRE(play(t, &side, &taker));
    EXPECT_EQ(taker.count, 7);
    EXPECT(took_before(&taker, "-1:slow", "-1:b"));
    EXPECT(took_before(&taker, "-1:b", "-1:d"));
    EXPECT(took_before(&taker, "-1:d", "-1:e"));
    EXPECT(took_before(&taker, "-2:a", "-2:c"));
    EXPECT(took_before(&taker, "-2:c", "-1:slow"));
    EXPECT(taker.most_at_once >= 2);
    EXPECT_EQ(side.offsets[0], 0);
    EXPECT_EQ(side.offsets[1], 15);
    EXPECT_EQ(side.offsets[2], 17);
}

/* What could not be taken is not acknowledged, nor what came behind it in its chat. */
TEST(telegram_poll_asks_again_for_what_was_not_taken)
{
    struct telegram_side side = {.count = 2};
    struct taker taker = {.fail = "b"};
    const struct round rounds[] = {
        {200, GIVEN(SAID(10, -1, "a") "," SAID(11, -1, "b") "," SAID(12, -1, "c") "," SAID(
                  13, -2, "x"))},
        {200, GIVEN(SAID(11, -1, "b") "," SAID(12, -1, "c"))},
    };

    side.rounds = rounds;
    REQUIRE(play(t, &side, &taker));
    EXPECT_EQ(side.offsets[1], 11);
    EXPECT_EQ(side.offsets[2], 13);
    EXPECT_EQ(times_taken(&taker, "-1:b"), 1);
    EXPECT_EQ(times_taken(&taker, "-1:c"), 1);
    EXPECT_EQ(times_taken(&taker, "-2:x"), 1);
    EXPECT(took_before(&taker, "-1:b", "-1:c"));
}

/* One that cannot be read would come for ever, and a server that ignores the offset would be asked
 * without a pause. */
TEST(telegram_poll_goes_on_behind_nonsense)
{
    struct telegram_side side = {.count = 3};
    struct taker taker = {0};
    const struct round rounds[] = {
        {200, GIVEN("{\"update_id\":10,\"message\":7},{\"message\":{}}," SAID(11, -1, "a"))},
        {200, "{\"ok\":true,\"result\":{}}"},
        {200, GIVEN(SAID(12, -1, "b"))},
    };

    side.rounds = rounds;
    REQUIRE(play(t, &side, &taker));
    EXPECT_EQ(side.offsets[1], 12);
    EXPECT_EQ(side.offsets[2], 12);
    EXPECT_EQ(side.offsets[3], 13);
    EXPECT_EQ(times_taken(&taker, "-1:a"), 1);
    EXPECT_EQ(times_taken(&taker, "-1:b"), 1);
}

TEST(telegram_poll_waits_as_long_as_it_is_told)
{
    struct telegram_side side = {.count = 2};
    struct taker taker = {0};
    int64_t begun = loop_now_ms(fiber_loop());
    const struct round rounds[] = {
        {429, "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after "
              "2\",\"parameters\":{\"retry_after\":2}}"},
        {200, GIVEN(SAID(10, -1, "a"))},
    };

    side.rounds = rounds;
    REQUIRE(play(t, &side, &taker));
    EXPECT(loop_now_ms(fiber_loop()) - begun >= 2000);
    EXPECT_EQ(taker.count, 1);
}

/* The first words in a supergroup come behind the news that the group became one. */
TEST(telegram_poll_moves_a_chat_first)
{
    struct telegram_side side = {.count = 1};
    struct taker taker = {0};
    const struct round rounds[] = {
        {200, GIVEN(SAID(10, -1,
                  "slow") ","
                          "{\"update_id\":11,\"message\":{\"message_id\":3,\"date\":1,\"chat\":{"
                          "\"id\":"
                          "-1,\"type\":\"group\"},\"migrate_to_chat_id\":-1005}},"
                          "{\"update_id\":12,\"message\":{\"message_id\":1,\"date\":1,\"chat\":{"
                          "\"id\":"
                          "-1005,\"type\":\"supergroup\"},\"migrate_from_chat_id\":-1}}," SAID(
                              13, -1005, "new"))},
    };

    side.rounds = rounds;
    REQUIRE(play(t, &side, &taker));
    EXPECT_EQ(times_taken(&taker, "-1:-1005"), 2);
    EXPECT(took_before(&taker, "-1:slow", "-1:-1005"));
    EXPECT(took_before(&taker, "-1:-1005", "-1005:new"));
}
