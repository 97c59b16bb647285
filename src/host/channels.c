#include "host/channels.h"

#include "host/boot.h"
#include "host/catalog.h"
#include "store/lease.h"

#define SWEEP_MS (5 * SECOND_MS)
/* Two that poll at once are told so by Telegram (409), so a lease may be short. */
#define LEASE_MS (15 * SECOND_MS)
#define RENEW_MS (5 * SECOND_MS)
#define CONNECT_AGAIN_MS (5 * SECOND_MS)

static bool is_one_of(const char *value, const char *const *choices)
{
    while (*choices && strcmp(value, *choices) != 0)
        choices++;
    return *choices != NULL;
}

/* "42,-1001234567890": ids as Telegram has them. A name would let nobody in. */
static int check_allow(const char *allow)
{
    struct str rest = str_from(allow), one;
    int64_t id;

    while (str_next(&rest, ',', &one))
        if (!str_empty(str_trim(one)) && !str_to_i64(str_trim(one), &id))
            return err_field(ERR_INVALID, "telegram.allow",
                "telegram.allow must be ids of chats and people, such as 42,-1001234567890, not "
                "\"%.*s\"; `theo telegram pair` lets a chat in whose id you do not know",
                (int)MIN(str_trim(one).len, (size_t)40), str_trim(one).ptr);
    return 0;
}

static int check_secret(const char *secret)
{
    const char *c = secret;

    while (char_is_alnum(*c) || *c == '_' || *c == '-')
        c++;
    if (*c || c - secret > 256)
        return err_field(ERR_INVALID, "telegram.webhook-secret",
            "telegram.webhook-secret must be 1 to 256 of A-Z a-z 0-9 _ -, such as `openssl rand "
            "-hex 32` makes");
    return 0;
}

static int check_settings(const struct config *config)
{
    static const char *const ways[] = {"auto", "webhook", "poll", "off", NULL};
    static const char *const streams[] = {"auto", "edits", "drafts", "off", NULL};
    int rc = check_allow(config->telegram_allow);

    if (rc == 0)
        rc = check_secret(config->telegram_webhook_secret);
    if (rc < 0)
        return rc;
    if (!is_one_of(config->telegram_receive, ways))
        return err_field(ERR_INVALID, "telegram.receive",
            "telegram.receive must be auto, webhook, poll or off, not \"%.40s\"",
            config->telegram_receive);
    if (!is_one_of(config->telegram_stream, streams))
        return err_field(ERR_INVALID, "telegram.stream",
            "telegram.stream must be auto, edits, drafts or off, not \"%.40s\"",
            config->telegram_stream);
    if (strcmp(config->telegram_receive, "poll") == 0 && config->telegram_token[0] == '\0')
        return err_field(ERR_INVALID, "telegram.token",
            "telegram.token is not set: @BotFather gives one; see docs/telegram.md.");
    return 0;
}

int channels_open(struct boot *boot)
{
    struct channels *channels = &boot->channels;
    int rc = check_settings(&boot->config);

    for (size_t i = 0; catalog_channels[i] && rc == 0; i++) {
        const struct channel_ops *ops = catalog_channels[i];

        if (!ops->enabled(&boot->config))
            continue;
        assert(channels->count < CHANNELS_MAX);
        rc = ops->open(&boot->config, boot->env, &channels->open[channels->count]);
        if (rc == 0)
            channels->count++;
    }
    return rc;
}

void channels_start(struct boot *boot, size_t loops)
{
    struct channels *channels = &boot->channels;
    struct bot_options options = {.env = boot->env,
        .config = &boot->config,
        .house = &boot->house,
        .store = boot->store,
        .calendar = boot->calendar,
        .channels = channels->open,
        .channel_count = channels->count,
        .workspace_id = BOOT_WORKSPACE,
        .owner = {.id = str_from(boot->api.process_id), .sole = boot->api.sole_at_start},
        .loops = loops};

    if (channels->count == 0)
        return;
    channels->outbox = outbox_new(
        boot->env, &boot->config, boot->store, BOOT_WORKSPACE, channels->open, channels->count);
    options.outbox = channels->outbox;
    channels->bot = bot_new(&options);
    boot->house.listener = bot_listener(channels->bot);
    boot->api.channel = channels->open[0];
    boot->api.receive = bot_receive;
    boot->api.receive_ctx = channels->bot;
}

/* Until the service answers: nothing is received before we know who we are there. */
static int connect_all(struct boot *boot)
{
    const struct channels *channels = &boot->channels;

    for (size_t i = 0; i < channels->count; i++) {
        const struct channel_ops *ops = channel_ops_of(channels->open[i]);

        while (ops->connect(channels->open[i]) < 0) {
            log_warn("channel.not_connected", LOG_CSTR("channel", ops->name), LOG_ERR);
            if (fiber_sleep(CONNECT_AGAIN_MS) < 0)
                return ERR_CANCELLED;
        }
        log_info("channel.connected", LOG_CSTR("channel", ops->name),
            LOG_STR("as", ops->who(channels->open[i]).username));
    }
    return 0;
}

/* Nobody can call us where no webhook is set up: then we ask. */
static bool polls(const struct config *config)
{
    const char *way = config->telegram_receive;

    return strcmp(way, "poll") == 0 ||
           (strcmp(way, "auto") == 0 && config->telegram_webhook_secret[0] == '\0');
}

static struct str poll_lease(struct boot *boot, struct arena *arena)
{
    struct channel *channel = boot->channels.open[0];

    return str_printf(
        arena, "poll|telegram|%.*s", STR_ARG(channel_ops_of(channel)->who(channel).id));
}

static void poll(void *arg)
{
    struct boot *boot = arg;
    struct channel *channel = boot->channels.open[0];

    channel_ops_of(channel)->poll(channel, bot_receive, boot->channels.bot);
}

static void stop_polling(struct channels *channels)
{
    if (!channels->poller)
        return;
    fiber_cancel(channels->poller);
    fiber_shield();
    while (fiber_join(channels->poller) != 0)
        continue;
    fiber_unshield();
    channels->poller = NULL;
}

/* Of all instances one polls: who holds the lease, and polls no longer than that. */
static void lead(void *arg)
{
    struct boot *boot = arg;
    struct channels *channels = &boot->channels;
    struct str me = str_from(boot->api.process_id);
    struct arena arena;

    arena_init(&arena);
    if (boot->api.sole_at_start &&
        lease_give(boot->store, BOOT_WORKSPACE, poll_lease(boot, &arena), STR("")) < 0)
        log_debug("telegram.lease", LOG_ERR);
    do {
        int rc = lease_take(
            boot->store, boot->env, BOOT_WORKSPACE, poll_lease(boot, &arena), me, LEASE_MS);

        if (rc < 0)
            log_warn("telegram.lease", LOG_ERR);
        if (rc == 0 && !channels->poller) {
            log_info("telegram.polling", LOG_CSTR("note", "this instance asks for updates"));
            channels->poller = fiber_spawn_joinable(fiber_loop(), "telegram.poll", poll, boot);
        } else if (rc != 0) {
            stop_polling(channels);
        }
        arena_reset(&arena);
    } while (fiber_sleep(RENEW_MS) == 0);
    stop_polling(channels);
    fiber_shield();
    if (lease_give(boot->store, BOOT_WORKSPACE, poll_lease(boot, &arena), me) < 0)
        log_debug("telegram.lease", LOG_ERR);
    fiber_unshield();
    arena_deinit(&arena);
}

static void work(void *arg)
{
    struct boot *boot = arg;
    struct channels *channels = &boot->channels;
    bool all = boot->api.sole_at_start;

    if (store_workspace(boot->store, BOOT_WORKSPACE) < 0)
        log_warn("channel.no_workspace", LOG_ERR);
    if (connect_all(boot) < 0)
        return;
    if (polls(&boot->config))
        channels->leader = fiber_spawn(fiber_loop(), "telegram.lead", lead, boot);
    do {
        if (bot_sweep(channels->bot, all) < 0)
            log_warn("bot.sweep", LOG_ERR);
        else
            all = false;
    } while (fiber_sleep(SWEEP_MS) == 0);
}

void channels_join(struct boot *boot, bool first)
{
    if (!boot->channels.bot)
        return;
    bot_join(boot->channels.bot);
    if (first)
        boot->channels.worker = fiber_spawn(fiber_loop(), "channels", work, boot);
}

void channels_drain(struct boot *boot, bool first)
{
    if (!boot->channels.bot)
        return;
    if (first && boot->channels.worker)
        fiber_cancel(boot->channels.worker);
    if (first && boot->channels.leader)
        fiber_cancel(boot->channels.leader);
    bot_drain(boot->channels.bot);
    outbox_drain(boot->channels.outbox);
}

void channels_close(struct boot *boot)
{
    struct channels *channels = &boot->channels;

    bot_free(channels->bot);
    if (channels->outbox)
        outbox_free(channels->outbox);
    for (size_t i = 0; i < channels->count; i++)
        channel_ops_of(channels->open[i])->close(channels->open[i]);
}
