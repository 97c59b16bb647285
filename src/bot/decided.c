/* What a run had to ask people was decided elsewhere, or by nobody in time: the message that asked
 * says so, and loses its buttons. Who pressed a button there did that himself (press.c). The work
 * for it is put into the commit of the run's end. */
#include "agent/approval.h"
#include "bot/private.h"

#define PAGE 100

void decided_put(
    struct bot *bot, const struct run_end *end, struct str language, struct store_batch *batch)
{
    struct inbox_row *row = arena_new(batch->arena, struct inbox_row);
    int64_t now = env_wall_ms(bot->options.env);
    struct buf out = BUF_IN(batch->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "do", "decided");
    json_str_member(&w, "run", end->run->id);
    json_str_member(&w, "language", language);
    json_object_end(&w);
    *row = (struct inbox_row){
        .workspace_id = bot->options.workspace_id,
        .id = str_printf(
            batch->arena, "decided|%.*s", STR_ARG(ulid_new(bot->options.env, batch->arena))),
        .state = STR("pending"),
        .channel = end->request->channel,
        .chat_key = end->session->chat_key,
        .session_id = end->session->id,
        .payload = buf_str(&out),
        .error = STR(""),
        .owner = STR(""),
        .created_at = now,
        .expires_at = now + DAY_MS,
        .due_at = now,
    };
    store_insert(batch, STORE_INBOX, row);
}

/* How it ended, for people; "" when it is open, or was told by who decided. */
static struct str outcome(
    struct bot_job *job, const struct approval_row *row, enum say_language language)
{
    if (str_is(row->state, "pending"))
        return STR("");
    if (str_is(row->state, "expired") || str_empty(row->decided_by))
        return say(language, SAY_EXPIRED);
    if (str_starts(
            row->decided_by, str_printf(job->arena, "%.*s:", STR_ARG(job->work->row.channel))))
        return STR("");
    return say(language, str_is(row->state, "refused") ? SAY_REFUSED_AWAY : SAY_APPROVED_AWAY);
}

/* 1: it is in the batch, 0, or ERR_*. */
static int put_one(struct bot_job *job, const struct approval_row *row, enum say_language language,
    struct store_batch *batch)
{
    struct str text = outcome(job, row, language);
    struct outbox_post post;
    struct outbox_row asked, told;
    const struct json *ids = NULL;
    struct str id = str_printf(job->arena, "%.*s|told", STR_ARG(row->id));
    int rc;

    if (str_empty(text))
        return 0;
    rc = store_get(job->bot->options.store, STORE_OUTBOX, row->workspace_id,
        str_printf(job->arena, "%.*s|ask", STR_ARG(row->id)), job->arena, &asked);
    if (rc != 0)
        return MIN(rc, 0);
    rc = store_get(job->bot->options.store, STORE_OUTBOX, row->workspace_id, id, job->arena, &told);
    if (rc <= 0 || str_is(asked.state, "failed"))
        return MIN(rc, 0);
    if (str_empty(asked.channel_ids) || json_parse(job->arena, asked.channel_ids, &ids) < 0)
        return err_set(ERR_UNAVAILABLE, "The question itself is not out yet.");
    post = job_post(job, "told",
        str_printf(job->arena, "%.*s\n\n%.*s",
            STR_ARG(question_of(job->bot, row, chat_zone(job->chat), language, job->arena)),
            STR_ARG(text)));
    post.id = id;
    post.kind = OUTBOX_EDIT;
    post.message_id = json_str(json_at(ids, json_len(ids) > 0 ? json_len(ids) - 1 : 0));
    outbox_put(job->bot->options.outbox, batch, &post);
    return 1;
}

int decided_job(struct bot_job *job)
{
    struct str run_id = json_get_str(job->note, "run");
    enum say_language language = say_language(json_get_str(job->note, "language"));
    struct store_query query = {.entity = STORE_APPROVALS,
        .workspace_id = job->bot->options.workspace_id,
        .index = 1,
        .value = job->work->row.session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_batch batch;
    struct store_page page;
    int rc = store_list(job->bot->options.store, &query, job->arena, &page);

    if (rc < 0)
        return rc;
    store_batch_init(&batch, job->arena);
    for (size_t i = 0; i < page.count; i++) {
        const struct approval_row *row = (const struct approval_row *)page.rows + i;

        if (!str_eq(row->run_id, run_id))
            continue;
        rc = put_one(job, row, language, &batch);
        if (rc < 0)
            return rc;
    }
    return job_done(job, &batch);
}
