/* A chat from what is said in it to what Theo says back: each line of the input is a message of
 * Ana's or Ben's, or, if it begins with a brace, an update as Telegram delivers it. Whatever is
 * said, it is taken, worked on and done with; a sweep then finds what is due. */
#include "agent/definition.h"
#include "agent/policy.h"
#include "bot/private.h"
#include "channel/telegram.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "tools/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define LINES_MAX 12

extern const struct tool tool_schedule, tool_summarise, tool_recall, tool_documents;
extern const struct model_ops model_builtin;

struct house {
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
    struct model *model;
    struct tool_services services;
    struct agent_set *agents;
    struct policy *policy;
    struct agent_house agent;
    struct channel *channel;
    struct outbox *outbox;
    struct bot *bot;
    int sent;
};

static void must(int rc)
{
    if (rc < 0)
        abort();
}

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

static void open_channel(struct house *house)
{
    static struct channel_ops ops;
    struct telegram *telegram;

    must(channel_telegram.open(&house->config, env_system(), &house->channel));
    ops = channel_telegram;
    ops.send = send_nothing;
    ops.typing = type_nothing;
    ops.preview = NULL; /* the built-in model has none */
    ops.answer_press = answer_nothing;
    ops.download = download_nothing;
    ops.is_admin = is_admin;
    telegram = (struct telegram *)house->channel;
    telegram->base.ops = &ops;
    telegram->username = xstrdup("TheoBot");
    telegram->name = xstrdup("Theo");
}

static void open_house(struct house *house)
{
    static const struct tool *const tools[] = {
        &tool_schedule, &tool_summarise, &tool_recall, &tool_documents};
    static const struct store_ops *const stores[] = {&store_memory, NULL};
    static const struct model_ops *const models[] = {&model_builtin, NULL};
    const struct env *env = env_system();

    log_level_set(LOG_OFF);
    store_register(stores);
    model_register(models);
    must(secure_init());
    must(config_load_text(&house->config,
        STR("store: memory\nmodel: builtin\ntelegram:\n  token: \"77:abc\"\n  allow: \"-5,1\"\n"
            "  limit-chat: 0\n  limit-group: 0\n  limit-all: 0\n"),
        "fuzz.yaml"));
    must(agent_set_read(&house->config, tools, ARRAY_LEN(tools), &house->agents));
    must(policy_open(&house->config, &house->policy));
    must(sealer_new_ephemeral(env, &house->sealer));
    must(store_open(&house->config, env, house->sealer, &house->store));
    must(calendar_open(&house->config, env, house->store, &house->calendar));
    must(model_open(&house->config, env, STR("builtin"), &house->model));
    must(store_workspace(house->store, STR("main")));
    open_channel(house);
    house->services.calendar = house->calendar;
    house->agent = (struct agent_house){.env = env,
        .config = &house->config,
        .store = house->store,
        .models = &house->model,
        .model_count = 1,
        .configured_count = 1,
        .tools = tools,
        .tool_count = ARRAY_LEN(tools),
        .services = &house->services,
        .agents = house->agents,
        .policy = house->policy};
    house->outbox = outbox_new(env, &house->config, house->store, STR("main"), &house->channel, 1);
}

static void open_bot(struct house *house)
{
    struct bot_options options = {.env = env_system(),
        .config = &house->config,
        .house = &house->agent,
        .store = house->store,
        .calendar = house->calendar,
        .channels = &house->channel,
        .channel_count = 1,
        .outbox = house->outbox,
        .workspace_id = STR("main"),
        .owner = {.id = STR("fuzz")},
        .loops = 1};

    house->bot = bot_new(&options);
    house->agent.listener = bot_listener(house->bot);
    bot_join(house->bot);
}

static void close_all(struct house *house)
{
    bot_drain(house->bot);
    outbox_drain(house->outbox);
    bot_free(house->bot);
    outbox_free(house->outbox);
    channel_telegram.close(house->channel);
    model_free(house->model);
    calendar_free(house->calendar);
    store_close(house->store);
    sealer_free(house->sealer);
    agent_set_free(house->agents);
    policy_free(house->policy);
    config_deinit(&house->config);
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

static void hear(struct house *house, struct str line, int number)
{
    struct channel_update update;
    struct arena arena;
    struct str payload;

    arena_init(&arena);
    payload = update_of(line, number, &arena);
    if (telegram_read(house->channel, payload, &arena, &update) == 0)
        must(bot_receive(house->bot, &update, payload));
    while (house->bot->lanes[0].at_work > 0 && fiber_sleep(1) == 0)
        continue;
    arena_deinit(&arena);
}

static void play(void *arg)
{
    struct str rest = *(struct str *)arg, line;
    struct house house = {0};
    int number = 0;

    open_house(&house);
    open_bot(&house);
    while (number < LINES_MAX && str_next(&rest, '\n', &line))
        hear(&house, line, ++number);
    must(bot_sweep(house.bot, true));
    close_all(&house);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text = {(const char *)bytes, len};

    must(loop_run_fiber(env_system(), play, &text));
    return 0;
}
