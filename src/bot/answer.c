/* An answer: a run on the chat as it is stored. What it says is put into the outbox by the commit
 * that ends the run, whoever brings it to its end: this work, or somebody who decides an approval
 * on another instance. */
#include "bot/private.h"
#include "runtime/errinj.h"

/* Shorter waits are not worth a sign of life. */
#define TYPING_AFTER_MS 300
#define TYPING_EVERY_MS 4000
#define PREVIEW_AFTER_MS 1500
#define STEP_MS 100

struct companion {
    struct bot_job *job;
    struct buf text; /* of the answer, so far */
    bool changed, over, previews;
    int64_t begun_ms;
    struct fiber *fiber;
};

static bool streams(const struct bot_job *job)
{
    const struct config *config = job->bot->options.config;

    if (strcmp(config->telegram_stream, "off") == 0 || strcmp(config->model, "builtin") == 0)
        return false;
    if (strcmp(config->telegram_stream, "drafts") == 0)
        return job->update.chat == CHANNEL_PRIVATE;
    return true;
}

/* Typing, and the beginning of a long answer, while the run works. Failures are nothing to it. */
static void accompany(void *arg)
{
    struct companion *c = arg;
    struct bot_job *job = c->job;
    const struct channel_ops *ops = channel_ops_of(job->channel);
    int64_t next_typing = c->begun_ms + TYPING_AFTER_MS;
    int64_t next_preview = c->begun_ms + PREVIEW_AFTER_MS;
    struct arena arena;

    arena_init(&arena);
    while (!c->over && fiber_sleep(STEP_MS) == 0) {
        int64_t now = loop_now_ms(job->lane->loop);

        if (now >= next_typing) {
            ops->typing(job->channel, job->chat->key);
            next_typing = loop_now_ms(job->lane->loop) + TYPING_EVERY_MS;
        }
        if (c->previews && c->changed && now >= next_preview) {
            struct str text = str_dup(&arena, buf_str(&c->text));
            struct str id = job->work->preview;

            c->changed = false;
            next_preview = now + PREVIEW_AFTER_MS;
            if (ops->preview(job->channel, job->chat->key, job->update.message_id, text, &arena,
                    &id, &next_preview) < 0)
                c->previews = false;
            job->work->preview = str_dup(&job->work->arena, id);
            arena_reset(&arena);
        }
    }
    arena_deinit(&arena);
}

/* Deltas of the answer; those of a model that failed are void. */
static int on_event(const struct run_event *event, void *ctx)
{
    struct companion *c = ctx;
    const struct json *root;
    struct arena arena;

    if (strcmp(event->type, "model.failed") == 0)
        buf_clear(&c->text);
    if (strcmp(event->type, "model.delta") != 0)
        return 0;
    arena_init(&arena);
    if (json_parse(&arena, event->data, &root) == 0)
        buf_add_str(&c->text, json_get_str(root, "text"));
    arena_deinit(&arena);
    c->changed = true;
    return 0;
}

static struct str metadata(const struct bot_job *job)
{
    struct buf out = BUF_IN(job->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "update", job->work->row.id);
    if (job->update.chat != CHANNEL_PRIVATE)
        json_str_member(&w, "reply_to", job->update.message_id);
    json_str_member(&w, "from", job->update.from.id);
    json_cstr_member(&w, "language", say_language_tag(job->language));
    if (job->as_file)
        json_bool_member(&w, "file", true);
    json_object_end(&w);
    return buf_str(&out);
}

/* Does the message ask for the answer as a file? In the languages of say.def. */
static bool wants_file(struct str text)
{
    static const char *const phrases[] = {"as a file", "as file", "as a document", "as a .md",
        "as a .txt", "in a file", "como archivo", "en un archivo", "como fichero", "als Datei",
        "in einer Datei", "als Dokument", "en fichier", "comme fichier", "dans un fichier",
        "файлом", "в файле", "como ficheiro", "como arquivo", "num ficheiro", "num arquivo"};

    for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
        if (str_find_nocase(text, str_from(phrases[i]), 0) >= 0)
            return true;
    return false;
}

static int run(struct bot_job *job, const struct speak_verdict *verdict, struct str text,
    struct run_result *result)
{
    const struct bot_options *options = &job->bot->options;
    struct companion companion = {.job = job,
        .previews = streams(job) && !job->as_file,
        .begun_ms = loop_now_ms(job->lane->loop)};
    struct run_request request = {.workspace_id = options->workspace_id,
        .key_id = STR(""),
        .session_id = job->work->row.session_id,
        .channel = job->update.channel,
        .idempotency_key = job->work->row.id,
        .answer_seq = json_get_i64(job->note, "seq", 0),
        .answer_text = text,
        .verdict = verdict,
        .time_zone = zone_name(chat_zone(job->chat)),
        .metadata = metadata(job),
        .sink = streams(job) ? on_event : NULL,
        .sink_ctx = &companion};
    int rc;

    companion.fiber = fiber_spawn_joinable(job->lane->loop, "bot.companion", accompany, &companion);
    rc = run_chat(options->house, &request, job->arena, result);
    companion.over = true;
    fiber_cancel(companion.fiber);
    while (fiber_join(companion.fiber) != 0)
        continue;
    buf_deinit(&companion.text);
    return rc;
}

/* A run that failed is told kindly, once; whatever had no run is tried again. */
static int tell_failure(struct bot_job *job, const struct speak_verdict *verdict, int rc)
{
    struct store_batch batch;

    if (rc == ERR_IO || rc == ERR_FULL || rc == ERR_CANCELLED || rc == ERR_CORRUPT)
        return rc;
    if (verdict->addressed)
        return job_say(job, say(job->language, SAY_FAILED));
    store_batch_init(&batch, job->arena);
    return job_done(job, &batch);
}

int answer_job(struct bot_job *job)
{
    return answer_text(job, STR(""));
}

int answer_text(struct bot_job *job, struct str text)
{
    struct speak_verdict verdict = {true,
        !str_empty(text) || json_get_bool(job->note, "addressed", false),
        str_cstr(job->arena, json_get_str(job->note, "reason"))};
    struct run_result result = {0};
    int rc = chat_need_key(job->chat);

    job->as_file = job->as_file || wants_file(str_empty(text) ? job->update.text : text);

    if (rc == 0)
        rc = run(job, &verdict, text, &result);
    if (job->work->done)
        return 0;
    return rc < 0 ? tell_failure(job, &verdict, rc) : 0;
}

/* The work that a run is the doing of, when it is done here. */
static struct bot_chat *chat_at_work(struct bot *bot, struct str chat_key, struct str update_id)
{
    struct bot_lane *lane = bot_this_lane(bot);
    struct bot_chat *chat;

    if (!lane || str_empty(update_id))
        return NULL;
    chat = chat_hold(lane, chat_key);
    chat_release(chat);
    return chat->current && str_eq(chat->current->row.id, update_id) ? chat : NULL;
}

static void put_approvals(
    struct bot *bot, const struct run_end *end, struct outbox_post post, struct store_batch *batch)
{
    enum say_language language = say_language(post.caption);
    struct bot_settings settings = settings_read(end->session->state, batch->arena);
    const struct zone *zone = settings_zone(bot, &settings);

    post.caption = STR("");
    for (size_t i = 0; i < end->result->approval_count; i++) {
        const struct run_approval *approval = &end->result->approvals[i];
        struct outbox_button *buttons = arena_array(batch->arena, struct outbox_button, 2);
        struct str mac = approval_button(approval->token, batch->arena);

        for (int no = 0; no < 2; no++)
            buttons[no] = (struct outbox_button){.text = say(language, no ? SAY_NO : SAY_YES),
                .data = str_printf(batch->arena, "%c%.*s%.*s", no ? 'n' : 'y',
                    STR_ARG(approval->id), STR_ARG(mac))};
        post.id = str_printf(batch->arena, "%.*s|ask", STR_ARG(approval->id));
        post.body = question_text(bot, approval, zone, language, batch->arena);
        post.buttons = buttons;
        post.button_count = 2;
        outbox_put(bot->options.outbox, batch, &post);
    }
}

static void put_file(struct bot *bot, const struct outbox_post *answer, enum say_language language,
    struct store_batch *batch)
{
    struct outbox_post post = *answer;
    struct civil day = zone_to_local(zone_utc(), env_wall_ms(bot->options.env) / 1000);

    post.kind = OUTBOX_DOCUMENT;
    post.file_name = str_printf(batch->arena, "%s-%04d-%02d-%02d.md",
        bot->options.config->agent_name, day.year, day.month, day.day);
    post.caption = say(language, SAY_FILE);
    outbox_put(bot->options.outbox, batch, &post);
}

static void put_answer(struct bot *bot, const struct run_end *end, const struct outbox_post *post,
    const struct json *metadata, struct store_batch *batch)
{
    enum say_language language = say_language(json_get_str(metadata, "language"));
    bool answered = false;

    if (end->result->approval_count > 0 || (end->code == 0 && !end->result->spoke))
        return;
    if (end->code == 0 && end->result->event_count > 0)
        card_put(bot, end, post, language, batch, &answered);
    if (!answered && end->code == 0 && json_get_bool(metadata, "file", false))
        put_file(bot, post, language, batch);
    else if (!answered)
        outbox_put(bot->options.outbox, batch, post);
}

static int on_ending(void *ctx, const struct run_end *end, struct store_batch *batch)
{
    struct bot *bot = ctx;
    struct str metadata = end->request->metadata, update;
    const struct json *root = NULL;
    struct outbox_post post;
    struct bot_chat *chat;

    if (!bot_channel(bot, end->request->channel))
        return 0;
    if (str_empty(metadata) || json_parse(batch->arena, metadata, &root) < 0)
        root = NULL;
    update = json_get_str(root, "update");
    chat = chat_at_work(bot, end->session->chat_key, update);
    if (end->code < 0 && chat)
        return 0; /* the work tells it */
    post = (struct outbox_post){.kind = OUTBOX_TEXT,
        .id = str_printf(batch->arena, "%.*s|answer", STR_ARG(end->run->id)),
        .chat_key = end->session->chat_key,
        .session_id = end->session->id,
        .run_id = end->run->id,
        .body = end->code < 0 ? str_from(end->cause->message) : end->result->reply,
        .reply_to = json_get_str(root, "reply_to"),
        .message_id = chat ? chat->current->preview : STR("")};
    put_answer(bot, end, &post, root, batch);
    post.caption = json_get_str(root, "language");
    put_approvals(bot, end, post, batch);
    if (chat) {
        struct bot_job job = {.bot = bot, .chat = chat, .work = chat->current};

        job_put_done(&job, batch);
    } else {
        decided_put(bot, end, json_get_str(root, "language"), batch);
    }
    return errinj("bot.ending") ? err_set(ERR_IO, "Injected fault: the run is about to end.") : 0;
}

static void on_ended(void *ctx, const struct run_end *end)
{
    struct bot *bot = ctx;
    const struct json *root = NULL;
    struct bot_chat *chat;
    struct arena arena;

    if (!bot_channel(bot, end->request->channel))
        return;
    arena_init(&arena);
    if (str_empty(end->request->metadata) || json_parse(&arena, end->request->metadata, &root) < 0)
        root = NULL;
    chat = chat_at_work(bot, end->session->chat_key, json_get_str(root, "update"));
    if (chat && end->code == 0) {
        chat->current->done = true;
        chat->spoken[chat->next_spoken] = loop_now_ms(chat->lane->loop);
        chat->next_spoken = (chat->next_spoken + 1) % ARRAY_LEN(chat->spoken);
    }
    bot_kick(bot, end->session->chat_key, end->session->id);
    arena_deinit(&arena);
}

void answer_listener(struct bot *bot, struct run_listener *ret_listener)
{
    *ret_listener = (struct run_listener){on_ending, on_ended, bot};
}
