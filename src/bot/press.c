/* A button was pressed: who may decides, the message says who did, and the answer to the press is
 * given at once. Of an approval the data are y or n, its id, and what shows that the button is
 * ours; of all others see bot/button.h. */
#include "agent/approval.h"
#include "bot/private.h"

#define MAC_LEN 32

void press_tell(struct bot_job *job, struct str text, bool alert)
{
    channel_ops_of(job->channel)->answer_press(job->channel, job->update.press_id, text, alert);
}

static void tell(struct bot_job *job, enum say_id id, bool alert)
{
    press_tell(job, say(job->language, id), alert);
}

static int nothing(struct bot_job *job)
{
    struct store_batch batch;

    store_batch_init(&batch, job->arena);
    return job_done(job, &batch);
}

int press_refuse(struct bot_job *job, enum say_id id)
{
    tell(job, id, true);
    return nothing(job);
}

int press_may_decide(struct bot_job *job)
{
    const struct channel_update *update = &job->update;

    if (update->chat == CHANNEL_PRIVATE || access_is_listed(job->bot, update->from.id))
        return 1;
    return channel_ops_of(job->channel)->is_admin(job->channel, job->chat->key, update->from.id);
}

static bool is_approval(struct str data)
{
    return data.len == 1 + ULID_LEN + MAC_LEN && (data.ptr[0] == 'y' || data.ptr[0] == 'n');
}

static int find(struct bot_job *job, struct approval_row *row)
{
    struct str data = job->update.press_data;
    int rc = store_get(job->bot->options.store, STORE_APPROVALS, job->bot->options.workspace_id,
        str_slice(data, 1, 1 + ULID_LEN), job->arena, row);

    if (rc == 0 && (!approval_button_is(row, str_slice(data, 1 + ULID_LEN, data.len)) ||
                       !str_eq(row->session_id, job->work->row.session_id)))
        return STORE_MISSING;
    return rc;
}

/* The question, with what was decided and by whom, and without its buttons. */
static int show(struct bot_job *job, const struct approval_row *row, enum say_id id)
{
    struct outbox_post post = job_post(job, "decided",
        str_printf(job->arena, "%.*s\n\n%.*s",
            STR_ARG(question_of(job->bot, row, chat_zone(job->chat), job->language, job->arena)),
            STR_ARG(say_with(
                job->arena, job->language, id, chat_party(job->bot, &job->update, job->arena)))));
    struct store_batch batch;

    post.kind = OUTBOX_EDIT;
    post.message_id = job->update.message_id;
    post.reply_to = STR("");
    store_batch_init(&batch, job->arena);
    outbox_put(job->bot->options.outbox, &batch, &post);
    return job_done(job, &batch);
}

static struct str person(const struct bot_job *job)
{
    return str_printf(
        job->arena, "%.*s:%.*s", STR_ARG(job->update.channel), STR_ARG(job->update.from.id));
}

static int decide(struct bot_job *job, struct approval_row *row)
{
    bool yes = job->update.press_data.ptr[0] == 'y', failed;
    struct approval_decision decision = {.workspace_id = row->workspace_id,
        .id = row->id,
        .approve = yes,
        .arguments = STR(""),
        .reason = STR(""),
        .by = person(job)};
    struct run_result result;
    int rc;

    tell(job, yes ? SAY_DONE : SAY_LEFT, false);
    rc = approval_decide(job->bot->options.house, &decision, &job->bot->options.owner, job->arena,
        row, &result, &failed);
    if (rc < 0 && rc != ERR_CONFLICT && rc != ERR_NOT_FOUND)
        return rc;
    if (!str_eq(row->decided_by, decision.by))
        return nothing(job); /* somebody was faster, and says so */
    return show(job, row, yes ? SAY_APPROVED_BY : SAY_REFUSED_BY);
}

static bool is_over(struct bot_job *job, const struct approval_row *row)
{
    return str_is(row->state, "expired") ||
           (str_is(row->state, "pending") && row->expires_at <= env_wall_ms(job->bot->options.env));
}

static bool is_own(struct bot_job *job, const struct approval_row *row)
{
    return row->decided_at > 0 && str_eq(row->decided_by, person(job));
}

/* After a crash the same press comes again: what was decided is gone on with, and told. */
static int press_approval(struct bot_job *job)
{
    struct approval_row row;
    bool yes = job->update.press_data.ptr[0] == 'y';
    int rc = find(job, &row), may;

    if (rc < 0)
        return rc;
    if (rc == STORE_MISSING)
        return press_refuse(job, SAY_BUTTON_OLD);
    may = press_may_decide(job);
    if (may < 0)
        return may;
    if (may == 0)
        return press_refuse(job, SAY_NOT_YOU);
    if (is_over(job, &row))
        return press_refuse(job, SAY_EXPIRED);
    if (str_is(row.state, "pending") ||
        (is_own(job, &row) && str_is(row.state, yes ? "approved" : "refused") &&
            row.due_at < APPROVAL_NEVER))
        return decide(job, &row);
    if (!is_own(job, &row))
        return press_refuse(job, SAY_DECIDED);
    tell(job, SAY_DECIDED, false);
    return show(job, &row, str_is(row.state, "refused") ? SAY_REFUSED_BY : SAY_APPROVED_BY);
}

int press_job(struct bot_job *job)
{
    struct bot_button button;

    if (is_approval(job->update.press_data))
        return press_approval(job);
    if (!button_read(job->chat->settings.button_key, job->work->row.session_id,
            job->update.press_data, &button))
        return press_refuse(job, SAY_BUTTON_OLD);
    return button.op == BUTTON_BOOK ? poll_press(job, &button) : card_press(job, &button);
}
