/* Files that people send. A document's text is kept and found again in its chat (the tool
 * search_documents); what is said in a voice message takes the place of "[voice message]". Who
 * asked for something with it, or sent it in a private chat, gets an answer; in a group a file is
 * taken without a word. */
#include "bot/private.h"
#include "extract/extract.h"
#include "model/speech.h"

static bool is_addressed(const struct bot_job *job)
{
    return json_get_bool(job->note, "addressed", false);
}

static int end_silently(struct bot_job *job)
{
    struct store_batch batch;

    store_batch_init(&batch, job->arena);
    return job_done(job, &batch);
}

/* Whoever asked hears why not; a group is not bothered. */
static int decline(struct bot_job *job, enum say_id id)
{
    log_info("bot.file_declined", LOG_I64("size", job->update.file.size), LOG_ERR);
    return is_addressed(job) ? job_say(job, say(job->language, id)) : end_silently(job);
}

static int keep_document(struct bot_job *job, const struct extracted *extracted)
{
    const struct channel_file *file = &job->update.file;
    struct document_row row = {.workspace_id = job->bot->options.workspace_id,
        .id = job->work->row.id,
        .session_id = job->work->row.session_id,
        .mime = file->mime,
        .size = file->size,
        .name = str_empty(file->name) ? STR("file") : file->name,
        .author = chat_party(job->bot, &job->update, job->arena),
        .body = extracted->text,
        .created_at = env_wall_ms(job->bot->options.env)};
    struct store_batch batch;
    int rc;

    store_batch_init(&batch, job->arena);
    store_insert(&batch, STORE_DOCUMENTS, &row);
    rc = store_commit(job->bot->options.store, &batch);
    return rc == STORE_EXISTS ? 0 : rc;
}

static int fetch(struct bot_job *job, struct str *ret_bytes)
{
    int64_t max = job->bot->options.config->attachments_max_mb * MIB;

    if (job->update.file.size > max)
        return err_set(ERR_TOO_LARGE, "The file is larger than attachments.max-mb.");
    return channel_ops_of(job->channel)
        ->download(job->channel, &job->update.file, (size_t)max, job->arena, ret_bytes);
}

/* Nobody gains by trying such a failure again. */
static bool is_final(int rc)
{
    return rc > 0 || rc == ERR_TOO_LARGE || rc == ERR_NOT_FOUND || rc == ERR_TIMEOUT ||
           rc == ERR_INVALID || rc == ERR_UNAVAILABLE || rc == ERR_PROTOCOL;
}

static enum say_id reason(int rc)
{
    return rc == ERR_TOO_LARGE         ? SAY_FILE_LARGE
           : rc == EXTRACT_UNSUPPORTED ? SAY_FILE_KIND
                                       : SAY_FILE_BROKEN;
}

static int read_document(struct bot_job *job)
{
    struct extract_limits limits = extract_limits_of(job->bot->options.config);
    const struct channel_file *file = &job->update.file;
    struct extracted extracted;
    struct str bytes;
    int rc;

    if (extract_kind_of(STR(""), file->mime, file->name) == EXTRACT_OTHER)
        return decline(job, SAY_FILE_KIND);
    rc = fetch(job, &bytes);
    if (rc == 0)
        rc = extract_text(&limits, bytes, file->mime, file->name, job->arena, &extracted);
    if (rc == 0 && str_empty(str_trim(extracted.text)))
        rc = EXTRACT_BROKEN;
    if (rc != 0)
        return is_final(rc) ? decline(job, reason(rc)) : rc;
    rc = keep_document(job, &extracted);
    if (rc < 0 || !is_addressed(job))
        return rc < 0 ? rc : end_silently(job);
    if (str_empty(job->update.text))
        return job_say(job, say_with(job->arena, job->language, SAY_FILE_READ,
                                str_empty(file->name) ? STR("file") : file->name));
    return answer_job(job);
}

/* The words stand in the message from now on, as if they had been written. */
static int hear(struct bot_job *job)
{
    const struct bot_options *options = &job->bot->options;
    struct bot_chat *chat = job->chat;
    struct channel_update edit = job->update;
    struct str bytes, text;
    int rc;

    if (!speech_enabled(options->config))
        return is_addressed(job) ? job_say(job, say(job->language, SAY_NO_VOICE))
                                 : end_silently(job);
    rc = fetch(job, &bytes);
    if (rc == 0)
        rc = speech_to_text(options->config, bytes, job->update.file.name, job->update.file.mime,
            job->arena, &text);
    if (rc != 0)
        return is_final(rc) ? decline(job, rc == ERR_TOO_LARGE ? SAY_FILE_LARGE : SAY_FILE_BROKEN)
                            : rc;
    edit.text = text; /* kept behind what the message was: "[voice message] …" */
    rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);
    if (rc == 0) {
        rc = edit_take(chat, &edit);
        semaphore_give(&chat->lock);
    }
    if (rc < 0)
        return rc;
    return is_addressed(job) && !str_empty(text) ? answer_text(job, text) : end_silently(job);
}

int file_job(struct bot_job *job)
{
    enum channel_file_kind kind = job->update.file.kind;

    return kind == CHANNEL_VOICE || kind == CHANNEL_AUDIO ? hear(job) : read_document(job);
}

bool file_is_work(const struct channel_update *update, bool addressed)
{
    switch (update->file.kind) {
    case CHANNEL_DOCUMENT:
        return addressed ||
               extract_kind_of(STR(""), update->file.mime, update->file.name) != EXTRACT_OTHER;
    case CHANNEL_VOICE:
        return true;
    case CHANNEL_AUDIO:
        return addressed;
    default:
        return false;
    }
}
