#include "bot_api.h"

#include "runtime/errinj.h"
#include "secure/seal.h"
#include "store/backend.h"

static struct str answer_ok(struct bot_api *api, const struct bot_message *message)
{
    struct str topic =
        message->topic == 0
            ? STR("")
            : str_printf(api->arena, ",\"is_topic_message\":true,\"message_thread_id\":%lld",
                  (long long)message->topic);

    return str_printf(api->arena,
        "{\"ok\":true,\"result\":{\"message_id\":%lld,\"poll\":{\"id\":\"900%lld\"}%.*s}}",
        (long long)message->id, (long long)message->id, STR_ARG(topic));
}

static struct str answer_bad(struct bot_api *api, int status, const char *text)
{
    return str_printf(
        api->arena, "{\"ok\":false,\"error_code\":%d,\"description\":\"%s\"}", status, text);
}

static struct bot_message *find(struct bot_api *api, struct str chat, int64_t id)
{
    for (size_t i = 0; i < api->count; i++)
        if (str_eq(api->messages[i].chat, chat) && api->messages[i].id == id &&
            !api->messages[i].deleted)
            return &api->messages[i];
    return NULL;
}

static struct bot_message *add(struct bot_api *api, struct str chat, bool ours)
{
    struct bot_message *message = &api->messages[api->count++];

    if (api->count == BOT_MESSAGES_MAX)
        abort();
    *message =
        (struct bot_message){.id = ++api->last_id, .chat = str_dup(api->arena, chat), .ours = ours};
    return message;
}

/* An edit of text, caption or keyboard. */
static int edit(struct bot_api *api, struct bot_message *message, struct str text,
    struct str markup, struct str *ret_body)
{
    *ret_body = answer_bad(api, 400,
        !message         ? "Bad Request: message to edit not found"
        : !message->ours ? "Bad Request: message can't be edited"
                         : "Bad Request: message is not modified: specified new message");
    if (!message || !message->ours ||
        (str_eq(message->text, text) && str_eq(message->markup, markup)))
        return 400;
    message->text = text;
    message->markup = markup;
    *ret_body = answer_ok(api, message);
    return 200;
}

static int post_message(
    struct bot_api *api, struct str chat, struct str text, struct str markup, struct str *ret_body)
{
    struct bot_message *message = add(api, chat, true);

    message->text = text;
    message->markup = markup;
    *ret_body = answer_ok(api, message);
    return 200;
}

static struct str text_of(const struct json *node, struct arena *arena)
{
    return node ? json_text(arena, node) : STR("");
}

/* Carry out one call: the answer's status and body. */
static int carry_out(
    struct bot_api *api, struct str method, const struct json *root, struct str *ret_body)
{
    struct str chat = text_of(json_get(root, "chat_id"), api->arena);
    struct str markup = text_of(json_get(root, "reply_markup"), api->arena);
    struct str text = str_dup(api->arena, json_get_str(root, "text"));

    if (str_is(method, "sendMessage")) {
        post_message(api, chat, text, markup, ret_body);
        api->messages[api->count - 1].topic = json_get_i64(root, "message_thread_id", 0);
        *ret_body = answer_ok(api, &api->messages[api->count - 1]);
        return 200;
    }
    if (str_is(method, "deleteMessage")) {
        struct bot_message *message = find(api, chat, json_get_i64(root, "message_id", 0));
        if (message)
            message->deleted = true;
    }
    if (str_is(method, "sendPoll"))
        return post_message(
            api, chat, str_dup(api->arena, json_get_str(root, "question")), markup, ret_body);
    if (str_is(method, "sendDocument")) /* a form, not JSON */
        return post_message(api, STR("-1001"), STR("document"), STR(""), ret_body);
    if (str_is(method, "editMessageText"))
        return edit(
            api, find(api, chat, json_get_i64(root, "message_id", 0)), text, markup, ret_body);
    if (str_is(method, "editMessageCaption") || str_is(method, "editMessageReplyMarkup")) {
        struct bot_message *message = find(api, chat, json_get_i64(root, "message_id", 0));
        return edit(api, message, message ? message->text : STR(""), markup, ret_body);
    }
    if (str_is(method, "getFile"))
        *ret_body = STR("{\"ok\":true,\"result\":{\"file_path\":\"documents/a.txt\"}}");
    else if (str_is(method, "getChatMember"))
        *ret_body = str_printf(api->arena, "{\"ok\":true,\"result\":{\"status\":\"%s\"}}",
            json_get_i64(root, "user_id", 0) == 1 ? "administrator" : "member");
    else
        *ret_body = STR("{\"ok\":true,\"result\":true}");
    return 200;
}

static struct bot_fault *fault_of(struct bot_api *api, struct str method)
{
    for (struct bot_fault *f = api->faults; f && f->method[0]; f++)
        if (str_is(method, f->method)) {
            if (f->skip-- > 0)
                return NULL;
            f->method = " used";
            return f;
        }
    return NULL;
}

static void cut_off(struct http_request *req)
{
    if (http_stream_begin(req, 200, "application/json", NULL, 0) == 0)
        http_stream_write(req, STR("{\"ok\":"));
}

static void handle(struct http_request *req, void *ctx)
{
    struct bot_api *api = ctx;
    struct str method =
        str_slice(req->path, (size_t)str_rfind_char(req->path, '/') + 1, req->path.len);
    struct bot_fault *fault = fault_of(api, method);
    const struct json *root = NULL;
    struct str body = STR("");
    int status;

    if (str_starts(req->path, STR("/file/"))) {
        http_respond(req, 200, "text/plain", NULL, 0, STR("0123456789"));
        return;
    }
    api->calls++;
    api->sends += str_is(method, "sendMessage");
    api->edits += str_is(method, "editMessageText");
    api->last = str_dup(api->arena, req->body);
    if (json_parse(api->arena, req->body, &root) < 0)
        root = NULL;
    buf_printf(&api->log, "%.*s %.*s %.*s\n", STR_ARG(method),
        STR_ARG(json_text(api->arena, json_get(root, "chat_id"))),
        STR_ARG(json_get_str(root, "text")));
    if (fault && fault->status) {
        http_respond(req, fault->status, "application/json", NULL, 0, str_from(fault->body));
        return;
    }
    if (fault && fault->cut) {
        cut_off(req);
        return;
    }
    status = carry_out(api, method, root, &body);
    if (fault && fault->lost)
        cut_off(req);
    else
        http_respond(req, status, "application/json", NULL, 0, body);
}

bool bot_house_open(struct test *t, struct bot_house *house, struct bot_fault *faults)
{
    struct http_server_options options;
    struct bot_api *api = &house->api;
    struct str root;

    *house = (struct bot_house){.api = {.arena = t->arena, .faults = faults, .last_id = 100}};
    api->log = BUF_IN(t->arena);
    http_server_options_init(&options);
    options.port = 0;
    if (!EXPECT_OK(http_server_start(fiber_loop(), &options, handle, api, &api->server)))
        return false;
    root = str_printf(t->arena, "http://127.0.0.1:%d", http_server_port(api->server));
    return EXPECT_OK(config_load_text(&house->config, STR(""), "test")) &&
           EXPECT_OK(config_set(&house->config, "telegram.api-root", root, ORIGIN_FLAG, "")) &&
           EXPECT_OK(config_set(
               &house->config, "telegram.token", STR("77:SECRET-token"), ORIGIN_FLAG, "")) &&
           EXPECT_OK(
               config_set(&house->config, "telegram.limit-chat", STR("0"), ORIGIN_FLAG, "")) &&
           EXPECT_OK(
               config_set(&house->config, "telegram.limit-group", STR("0"), ORIGIN_FLAG, "")) &&
           EXPECT_OK(config_set(&house->config, "telegram.limit-all", STR("0"), ORIGIN_FLAG, "")) &&
           EXPECT_OK(secure_init()) &&
           EXPECT_OK(sealer_new_ephemeral(env_system(), &house->sealer)) &&
           EXPECT_OK(store_open_with(&store_memory, &house->config, "memory", env_system(),
               house->sealer, &house->store)) &&
           EXPECT_OK(store_workspace(house->store, STR("main"))) &&
           EXPECT_OK(channel_telegram.open(&house->config, env_system(), &house->channels[0])) &&
           (house->channel = house->channels[0],
               house->outbox = outbox_new(env_system(), &house->config, house->store, STR("main"),
                   house->channels, 1)) != NULL;
}

void bot_house_close(struct bot_house *house)
{
    if (errinj_set(NULL) < 0)
        abort();
    outbox_drain(house->outbox);
    outbox_free(house->outbox);
    channel_telegram.close(house->channel);
    store_close(house->store);
    sealer_free(house->sealer);
    http_server_stop(house->api.server);
    config_deinit(&house->config);
}

int64_t bot_hears(struct bot_house *house, const char *chat)
{
    struct bot_message *message = add(&house->api, str_from(chat), false);
    struct str id = str_printf(house->api.arena, "%lld", (long long)message->id);

    outbox_heard(house->outbox, str_printf(house->api.arena, "telegram|77|%s|", chat), id);
    return message->id;
}

struct str bot_shows(struct bot_house *house, const char *chat)
{
    struct buf out = BUF_IN(house->api.arena);

    for (size_t i = 0; i < house->api.count; i++) {
        const struct bot_message *message = &house->api.messages[i];

        if (!message->ours || message->deleted || !str_is(message->chat, chat))
            continue;
        if (out.len > 0)
            buf_add_char(&out, '|');
        buf_add_str(&out, message->text);
    }
    return buf_str(&out);
}

int bot_post(struct bot_house *house, const struct outbox_post *post)
{
    struct store_batch batch;
    struct arena arena;
    int rc;

    arena_init(&arena);
    store_batch_init(&batch, &arena);
    outbox_put(house->outbox, &batch, post);
    rc = store_commit(house->store, &batch);
    arena_deinit(&arena);
    if (rc == 0)
        outbox_kick(house->outbox, post->chat_key, post->session_id);
    return rc;
}

int bot_say(struct bot_house *house, const char *id, const char *chat_key, const char *body)
{
    struct outbox_post post = {.kind = OUTBOX_TEXT,
        .id = str_from(id),
        .chat_key = str_from(chat_key),
        .session_id = str_from(chat_key),
        .body = str_from(body)};

    return bot_post(house, &post);
}

static void kick(void *ctx, struct str chat_key, struct str session_id)
{
    outbox_kick(ctx, chat_key, session_id);
}

bool bot_settle(struct bot_house *house)
{
    for (int i = 0; i < 2000; i++) {
        struct store_query query = {.entity = STORE_OUTBOX,
            .workspace_id = STR("main"),
            .value = STR("pending"),
            .limit = 1,
            .cursor = STR("")};
        struct store_page page;
        struct arena arena;
        int rc;

        arena_init(&arena);
        rc = store_list(house->store, &query, &arena, &page);
        arena_deinit(&arena);
        if (rc < 0)
            return false;
        if (page.count == 0)
            return true;
        if (outbox_sweep(house->outbox, false, kick, house->outbox) < 0 || fiber_sleep(10) != 0)
            return false;
    }
    return false;
}

struct outbox_row bot_row(struct test *t, struct bot_house *house, const char *id)
{
    struct outbox_row row = {0};

    EXPECT_OK(store_get(house->store, STORE_OUTBOX, STR("main"), str_from(id), t->arena, &row));
    return row;
}
