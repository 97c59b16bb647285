/* A reaction to one of Theo's answers is kept with the run that it came from: who thinks what of
 * it. Taking it back removes it. */
#include "bot/private.h"
#include "watch/metrics.h"

#define TRIES 5

static bool is_one_of(struct str emoji, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_starts(emoji, str_from(list[i]))) /* a variation selector may follow */
            return true;
    return false;
}

static const char *verdict_of(struct str emoji)
{
    static const char *const good[] = {
        "👍", "❤", "🔥", "🎉", "👏", "🙏", "💯", "🤩", "😍", "👌", "🏆", "⚡", "🥰", "🤝", "🫡"};
    static const char *const bad[] = {
        "👎", "💩", "🤮", "🤬", "😡", "🤡", "🖕", "🥱", "😢", "💔"};

    if (is_one_of(emoji, good, ARRAY_LEN(good)))
        return "good";
    return is_one_of(emoji, bad, ARRAY_LEN(bad)) ? "bad" : "other";
}

/* The list with what this person thinks now. */
static struct str rewrite(struct bot_job *job, struct str feedback, struct str by)
{
    const struct json *list = NULL;
    struct buf out = BUF_IN(job->arena);
    struct json_writer w;

    if (str_empty(feedback) || json_parse(job->arena, feedback, &list) < 0)
        list = NULL;
    json_init(&w, &out);
    json_array_begin(&w);
    for (const struct json *one = json_first(list); one; one = json_next(one))
        if (!str_eq(json_get_str(one, "by"), by))
            json_put_node(&w, one);
    if (!str_empty(job->update.emoji)) {
        json_object_begin(&w);
        json_str_member(&w, "by", by);
        json_str_member(&w, "emoji", job->update.emoji);
        json_cstr_member(&w, "verdict", verdict_of(job->update.emoji));
        json_name(&w, "at");
        json_put_str(&w, rfc3339(job->arena, job->update.at_ms));
        json_object_end(&w);
    }
    json_array_end(&w);
    return buf_str(&out);
}

static int keep(struct bot_job *job, struct str run_id)
{
    const struct bot_options *options = &job->bot->options;
    struct str by = str_printf(
        job->arena, "%.*s:%.*s", STR_ARG(job->update.channel), STR_ARG(job->update.from.id));
    struct store_batch batch;
    struct run_row run;
    int rc = STORE_MISSING;

    if (!str_empty(run_id))
        rc = store_get(options->store, STORE_RUNS, options->workspace_id, run_id, job->arena, &run);
    if (rc < 0)
        return rc;
    store_batch_init(&batch, job->arena);
    if (rc == 0 && !run_is_open(&run)) { /* what waits for people is no answer yet */
        run.feedback = rewrite(job, run.feedback, by);
        store_update(&batch, STORE_RUNS, &run);
    }
    rc = job_done(job, &batch);
    if (rc == 0 && batch.count > 1)
        metric_add(M_FEEDBACK,
            str_empty(job->update.emoji) ? "taken_back" : verdict_of(job->update.emoji), 1);
    return rc;
}

int feedback_job(struct bot_job *job)
{
    struct outbox_row said = {0};
    int rc =
        said_find(job->bot, job->work->row.session_id, job->update.message_id, job->arena, &said);

    if (rc < 0)
        return rc;
    for (int i = 0; i < TRIES; i++) {
        rc = keep(job, said.run_id);
        if (rc != ERR_CONFLICT)
            break;
    }
    return rc;
}
