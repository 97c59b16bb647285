/* A chat from what is said in it to what Theo says back: each line of the input is a message of
 * Ana's or Ben's, or, if it begins with a brace, an update as Telegram delivers it. Whatever is
 * said, it is taken, worked on and done with; a sweep then finds what is due. */
#include "bot/private.h"
#include "channel/telegram.h"
#include "house.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define LINES_MAX 12

struct chat {
    struct house house;
    struct channel *channel;
    struct outbox *outbox;
    struct bot *bot;
};

static int send_nothing(struct channel *channel, const struct outbox_row *row, struct arena *arena,
    struct channel_sent *ret_sent)
{
    struct outbox_post post;

    (void)channel;
    must(outbox_read(row, arena, &post));
    ret_sent->message_ids =
        post.kind == OUTBOX_POLL ? STR("[\"900\",\"poll:77\"]") : STR("[\"900\"]");
    return 0;
}

static void type_nothing(struct channel *channel, struct str chat_key)
{
    (void)channel, (void)chat_key;
}

static void answer_nothing(
    struct channel *channel, struct str press_id, struct str text, bool alert)
{
    (void)channel, (void)press_id, (void)text, (void)alert;
}

static int download_nothing(struct channel *channel, const struct channel_file *file, size_t max,
    struct arena *arena, struct str *ret_bytes)
{
    (void)channel, (void)max, (void)arena;
    *ret_bytes = file->id; /* the id is the text */
    return 0;
}

static int is_admin(struct channel *channel, struct str chat_key, struct str person_id)
{
    (void)channel, (void)chat_key;
    return str_is(person_id, "1");
}

static void open_channel(struct chat *chat)
{
    static struct channel_ops ops;
    struct telegram *telegram;

    must(channel_telegram.open(&chat->house.config, env_system(), &chat->channel));
    ops = channel_telegram;
    ops.send = send_nothing;
    ops.typing = type_nothing;
    ops.preview = NULL; /* the built-in model has none */
    ops.answer_press = answer_nothing;
    ops.download = download_nothing;
    ops.is_admin = is_admin;
    telegram = (struct telegram *)chat->channel;
    telegram->base.ops = &ops;
    telegram->username = xstrdup("TheoBot");
    telegram->name = xstrdup("Theo");
}

static void open_bot(struct chat *chat)
{
    struct bot_options options = {.env = env_system(),
        .config = &chat->house.config,
        .house = &chat->house.agent,
        .store = chat->house.store,
        .calendar = chat->house.calendar,
        .channels = &chat->channel,
        .channel_count = 1,
        .workspace_id = STR("main"),
        .owner = {.id = STR("fuzz")},
        .loops = 1};

    chat->outbox = outbox_new(
        options.env, options.config, options.store, options.workspace_id, options.channels, 1);
    options.outbox = chat->outbox;
    chat->bot = bot_new(&options);
    chat->house.agent.listener = bot_listener(chat->bot);
    bot_join(chat->bot);
}

static void close_all(struct chat *chat)
{
    bot_drain(chat->bot);
    outbox_drain(chat->outbox);
    bot_free(chat->bot);
    outbox_free(chat->outbox);
    channel_telegram.close(chat->channel);
    house_close(&chat->house);
}

/* The message as Telegram would deliver it. */
static struct str update_of(struct str text, int number, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    int64_t command = MAX(str_find_char(text, ' ', 0), 0);

    if (str_starts(text, STR("{")))
        return text;
    json_init(&w, &out);
    json_object_begin(&w);
    json_i64_member(&w, "update_id", number);
    json_name(&w, "message");
    json_object_begin(&w);
    json_i64_member(&w, "message_id", number);
    json_i64_member(&w, "date", env_wall_ms(env_system()) / SECOND_MS);
    json_raw_member(&w, "chat", STR("{\"id\":-5,\"type\":\"group\",\"title\":\"Deals\"}"));
    json_raw_member(&w, "from",
        number % 3 ? STR("{\"id\":1,\"first_name\":\"Ana\"}")
                   : STR("{\"id\":2,\"first_name\":\"Ben\",\"language_code\":\"es\"}"));
    json_str_member(&w, "text", text);
    if (str_starts(text, STR("/"))) {
        json_name(&w, "entities");
        json_put_raw(
            &w, str_printf(arena, "[{\"type\":\"bot_command\",\"offset\":0,\"length\":%lld}]",
                    (long long)(command > 0 ? command : (int64_t)text.len)));
    }
    json_object_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static void hear(struct chat *chat, struct str line, int number)
{
    struct channel_update update;
    struct arena arena;
    struct str payload;

    arena_init(&arena);
    payload = update_of(line, number, &arena);
    if (telegram_read(chat->channel, payload, &arena, &update) == 0)
        must(bot_receive(chat->bot, &update, payload));
    while (chat->bot->lanes[0].at_work > 0 && fiber_sleep(1) == 0)
        continue;
    arena_deinit(&arena);
}

static void play(void *arg)
{
    struct str rest = *(struct str *)arg, line;
    struct chat chat = {0};
    int number = 0;

    /* Input is kept before the model is asked, as with one that takes its time. */
    house_open(&chat.house, "run:\n  keep-input-after-ms: 0\n"
                            "telegram:\n  token: \"77:abc\"\n  allow: \"-5,1\"\n"
                            "  limit-chat: 0\n  limit-group: 0\n  limit-all: 0\n");
    open_channel(&chat);
    open_bot(&chat);
    while (number < LINES_MAX && str_next(&rest, '\n', &line))
        hear(&chat, line, ++number);
    must(bot_sweep(chat.bot, true));
    close_all(&chat);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text = {(const char *)bytes, len};

    must(loop_run_fiber(env_system(), play, &text));
    return 0;
}
