#include "fixture.h"

#include "runtime/errinj.h"

static struct channel_who fake_who(const struct channel *channel)
{
    (void)channel;
    return (struct channel_who){STR("1"), STR("TheoBot"), STR("Theo")};
}

/* "edit:ID:TEXT", "doc:NAME|CAPTION", "moved:CHAT" */
static void read_more(struct channel_update *update)
{
    struct str rest = update->text;

    if (str_starts(rest, STR("edit:"))) {
        rest = str_slice(rest, 5, rest.len);
        update->kind = CHANNEL_EDIT;
        (void)str_next(&rest, ':', &update->message_id);
        update->text = rest;
    }
    if (str_starts(rest, STR("doc:"))) {
        rest = str_slice(rest, 4, rest.len);
        update->file.kind = CHANNEL_DOCUMENT;
        (void)str_next(&rest, '|', &update->file.name);
        update->text = rest;
    }
    if (str_starts(rest, STR("moved:"))) {
        update->kind = CHANNEL_MIGRATED;
        update->moved_to = str_slice(rest, 6, rest.len);
    }
}

/* {"n","chat","from","text"} */
static int fake_read(const struct channel *channel, struct str payload, struct arena *arena,
    struct channel_update *ret_update)
{
    const struct fixture *f = ((const struct fake_channel *)channel)->fixture;
    const struct json *root;
    struct channel_update update = {.channel = STR("fake"), .kind = CHANNEL_MESSAGE};
    int rc = json_parse(arena, payload, &root);

    if (rc < 0)
        return rc;
    update.chat = CHANNEL_GROUP;
    update.bot_id = STR("1");
    update.chat_id = update.chat_title = json_get_str(root, "chat");
    update.from.name = json_get_str(root, "from");
    if (!str_next(&update.from.name, '=', &update.from.id) || !update.from.name.ptr)
        update.from.name = update.from.id;
    update.message_id = str_printf(arena, "%lld", (long long)json_get_i64(root, "n", 0));
    update.id = str_printf(arena, "fake|1|%.*s", STR_ARG(update.message_id));
    update.chat_key = str_printf(arena, "fake|1|%.*s|", STR_ARG(update.chat_id));
    update.text = json_get_str(root, "text");
    update.at_ms = json_get_i64(root, "at", f->t->fake->wall_ms);
    if (str_starts(update.text, STR("/"))) {
        update.arguments = str_slice(update.text, 1, update.text.len);
        (void)str_next(&update.arguments, ' ', &update.command);
    }
    if (str_starts(update.text, STR("press:"))) {
        update.kind = CHANNEL_PRESS;
        update.press_data = str_slice(update.text, 6, update.text.len);
    }
    read_more(&update);
    update.mentioned = str_find(update.text, STR("@TheoBot"), 0) >= 0;
    *ret_update = update;
    return 0;
}

static int fake_send(struct channel *channel, const struct outbox_row *row, struct arena *arena,
    struct channel_sent *ret_sent)
{
    struct fixture *f = ((struct fake_channel *)channel)->fixture;
    struct str chat = row->chat_key, part = STR("");
    struct outbox_post post;
    int rc = outbox_read(row, arena, &post);

    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        (void)str_next(&chat, '|', &part);
    buf_printf(&f->said, post.kind == OUTBOX_REACTION ? "%.*s: (%.*s)\n" : "%.*s: %.*s\n",
        STR_ARG(part), STR_ARG(post.body));
    if (post.button_count > 0) {
        buf_clear(&f->data);
        buf_add_str(&f->data, post.buttons[0].data);
    }
    ret_sent->message_ids =
        post.kind == OUTBOX_POLL ? STR("[\"900\",\"poll:77\"]") : STR("[\"900\"]");
    return 0;
}

static int fake_is_admin(struct channel *channel, struct str chat_key, struct str person_id)
{
    (void)channel, (void)chat_key;
    return str_is(person_id, "Ana");
}

static void fake_answer_press(
    struct channel *channel, struct str press_id, struct str text, bool alert)
{
    struct fixture *f = ((struct fake_channel *)channel)->fixture;

    (void)press_id, (void)text, (void)alert;
    if (f->on_press)
        f->on_press(f);
}

static int fake_download(struct channel *channel, const struct channel_file *file, size_t max,
    struct arena *arena, struct str *ret_bytes)
{
    (void)channel, (void)file, (void)max, (void)arena, (void)ret_bytes;
    return err_set(ERR_TOO_LARGE, "The file is too large.");
}

static const struct channel_ops fake_ops = {
    .name = "fake",
    .who = fake_who,
    .read = fake_read,
    .send = fake_send,
    .answer_press = fake_answer_press,
    .is_admin = fake_is_admin,
    .download = fake_download,
};

bool fixture_open(struct test *t, struct fixture *f)
{
    struct bot_options options;

    *f = (struct fixture){.t = t, .channel = {{&fake_ops}, f}};
    f->said = BUF_IN(t->arena);
    f->data = BUF_IN(t->arena);
    f->channels[0] = (struct channel *)&f->channel;
    if (config_load_text(&f->config, STR(""), "test") < 0 || secure_init() < 0 ||
        config_set(&f->config, "telegram.allow", STR("a,b"), ORIGIN_FLAG, "") < 0 ||
        config_set(&f->config, "telegram.limit-chat", STR("0"), ORIGIN_FLAG, "") < 0 ||
        config_set(&f->config, "telegram.limit-group", STR("0"), ORIGIN_FLAG, "") < 0 ||
        config_set(&f->config, "telegram.limit-all", STR("0"), ORIGIN_FLAG, "") < 0 ||
        sealer_new_ephemeral(&t->fake->env, &f->sealer) < 0 ||
        store_open_with(&store_memory, &f->config, "memory", &t->fake->env, f->sealer, &f->store) <
            0 ||
        store_workspace(f->store, STR("main")) < 0 ||
        calendar_open(&f->config, &t->fake->env, f->store, &f->calendar) < 0)
        return false;
    f->outbox = outbox_new(&t->fake->env, &f->config, f->store, STR("main"), f->channels, 1);
    options = (struct bot_options){.env = &t->fake->env,
        .config = &f->config,
        .store = f->store,
        .calendar = f->calendar,
        .channels = f->channels,
        .channel_count = 1,
        .outbox = f->outbox,
        .workspace_id = STR("main"),
        .owner = {.id = STR("test")},
        .loops = 1};
    f->bot = bot_new(&options);
    bot_join(f->bot);
    return true;
}

void fixture_close(struct fixture *f)
{
    if (errinj_set(NULL) < 0)
        abort();
    bot_drain(f->bot);
    outbox_drain(f->outbox);
    bot_free(f->bot);
    outbox_free(f->outbox);
    calendar_free(f->calendar);
    store_close(f->store);
    sealer_free(f->sealer);
    config_deinit(&f->config);
}

static void settle(struct fixture *f)
{
    while (f->bot->lanes[0].at_work > 0 && fiber_sleep(1) == 0)
        continue;
    outbox_drain(f->outbox);
}

void fixture_hear(struct fixture *f, const char *chat, const char *from, const char *text)
{
    struct test *t = f->t;
    struct buf out = BUF_IN(t->arena);
    struct channel_update update;
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_i64_member(&w, "n", ++f->updates);
    json_i64_member(&w, "at", t->fake->wall_ms);
    json_cstr_member(&w, "chat", chat);
    json_cstr_member(&w, "from", from);
    json_cstr_member(&w, "text", text);
    json_object_end(&w);
    EXPECT_OK(fake_read(f->channels[0], buf_str(&out), t->arena, &update));
    EXPECT_OK(bot_receive(f->bot, &update, buf_str(&out)));
    settle(f);
}

struct str fixture_said(struct fixture *f)
{
    struct str said = str_dup(f->t->arena, buf_str(&f->said));

    buf_clear(&f->said);
    return said;
}

void fixture_pass(struct fixture *f, int64_t ms)
{
    struct test *t = f->t;

    t->fake->wall_ms += ms;
    t->fake->mono_ns += ms * 1000000;
    EXPECT_OK(bot_sweep(f->bot, false));
    settle(f);
}

struct str fixture_session(struct fixture *f, const char *chat)
{
    struct test *t = f->t;
    struct chat_session_row row = {.id = STR("")};

    EXPECT_OK(store_find(f->store, STORE_CHAT_SESSIONS, STR("main"), 0,
        str_printf(t->arena, "fake|1|%s|", chat), t->arena, &row));
    return row.id;
}

struct calendar_event fixture_book(
    struct fixture *f, const char *chat, int64_t start_ms, int64_t end_ms, const char *summary)
{
    static const struct attendee people[] = {{STR("carla@acme.example"), STR("Carla Ortiz")}};
    struct test *t = f->t;
    struct calendar_event event = {.provider = STR(""),
        .summary = str_from(summary),
        .start_ms = start_ms,
        .end_ms = end_ms,
        .time_zone = STR("UTC"),
        .attendees = people,
        .attendee_count = 1,
        .session_id = fixture_session(f, chat)};

    EXPECT_OK(calendar_book(f->calendar, STR("main"), str_printf(t->arena, "key%d", ++f->updates),
        &event, t->arena, &event));
    return event;
}
