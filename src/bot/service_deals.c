/* Opportunities of a chat: each move with its stage and the reason for it. Rows are only added. */
#include "bot/service.h"
#include "text/words.h"

#define PAGE 100
#define MOVES_MAX 1000 /* the newest of a chat */
#define SHOWN_MAX 30
#define NAME_MAX_BYTES 80
#define REASON_MAX_BYTES 500

static const char *const stages[] = {"lead", "qualified", "proposal", "negotiation", "won", "lost"};

static int read_moves(struct bot_job *job, struct deal_row **ret_rows, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_DEALS,
        .workspace_id = job->bot->options.workspace_id,
        .index = 0,
        .value = job->work->row.session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct deal_row *rows = arena_array(job->arena, struct deal_row, MOVES_MAX + PAGE);
    size_t count = 0;

    do {
        struct store_page page;
        int rc = store_list(job->bot->options.store, &query, job->arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count; i++)
            rows[count++] = ((const struct deal_row *)page.rows)[i];
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor) && count < MOVES_MAX);
    *ret_rows = rows;
    *ret_count = count;
    return 0;
}

static void write_move(struct bot_job *job, struct buf *out, const struct deal_row *row)
{
    struct str day = service_day(job->arena, row->created_at, chat_zone(job->chat));

    buf_printf(out, "%.*s (%.*s, %.*s)", STR_ARG(row->stage), STR_ARG(day), STR_ARG(row->author));
    if (!str_empty(row->reason))
        buf_printf(out, ": %.*s", STR_ARG(row->reason));
}

/* Rows are newest first: a name's first one is where it stands. */
static bool is_newest(const struct deal_row *rows, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq_nocase(rows[i].name, rows[at].name))
            return false;
    return true;
}

int deals_command(struct bot_job *job)
{
    struct buf out = BUF_IN(job->arena);
    struct deal_row *rows;
    size_t count, shown = 0;
    int rc = read_moves(job, &rows, &count);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && shown < SHOWN_MAX; i++)
        if (is_newest(rows, i)) {
            buf_printf(&out, "\n- **%.*s**: ", STR_ARG(rows[i].name));
            write_move(job, &out, &rows[i]);
            shown++;
        }
    if (shown == 0)
        return job_say(job, say(job->language, SAY_DEALS_NONE));
    return job_say(job, say_with(job->arena, job->language, SAY_DEALS, buf_str(&out)));
}

/* The moves of one, oldest first. */
static int history(struct bot_job *job, struct str name)
{
    struct buf out = BUF_IN(job->arena);
    struct deal_row *rows;
    size_t count;
    int rc = read_moves(job, &rows, &count);

    if (rc < 0)
        return rc;
    for (size_t i = count; i > 0; i--)
        if (str_eq_nocase(rows[i - 1].name, name)) {
            buf_add_cstr(&out, out.len > 0 ? "\n- " : "- ");
            write_move(job, &out, &rows[i - 1]);
        }
    if (out.len == 0)
        return job_say(job, say(job->language, SAY_DEAL_WHAT));
    return job_say(
        job, str_printf(job->arena, "**%.*s**\n\n%.*s", STR_ARG(name), STR_ARG(buf_str(&out))));
}

/* What stands between a stage and its reason: "won: they signed", "lost – too dear". */
static struct str without_marks(struct str text)
{
    static const char *const marks[] = {":", ",", "-", "–", "—"};

    text = str_trim(text);
    for (size_t i = 0; i < ARRAY_LEN(marks);) {
        struct str mark = str_from(marks[i]);

        if (!str_starts(text, mark)) {
            i++;
            continue;
        }
        text = str_trim(str_slice(text, mark.len, text.len));
        i = 0;
    }
    return text;
}

/* "Acme Corp proposal they want 40 seats": the first stage that has a name before it. */
static bool read_move(struct str text, struct deal_row *row)
{
    struct str word;
    size_t pos = 0;

    while (words_next(text, &pos, &word)) {
        size_t before = (size_t)(word.ptr - text.ptr);

        if (!WORDS_HAVE(stages, word) || before == 0)
            continue;
        row->name = str_trim(str_slice(text, 0, before));
        row->stage = word;
        row->reason = without_marks(str_slice(text, pos, text.len));
        while (row->name.len > 0 && strchr(":,", row->name.ptr[row->name.len - 1]))
            row->name = str_trim(str_slice(row->name, 0, row->name.len - 1));
        return !str_empty(row->name) && row->name.len <= NAME_MAX_BYTES;
    }
    return false;
}

int deal_command(struct bot_job *job)
{
    struct str text = str_trim(job->update.arguments);
    struct deal_row row = {.workspace_id = job->bot->options.workspace_id,
        .id = str_printf(job->arena, "deal-%.*s", STR_ARG(job->work->row.id)),
        .version = 1,
        .session_id = job->work->row.session_id,
        .author = chat_party(job->bot, &job->update, job->arena),
        .message_seq = json_get_i64(job->note, "seq", 0),
        .created_at = env_wall_ms(job->bot->options.env)};
    struct buf out = BUF_IN(job->arena);
    struct outbox_post post;
    struct store_batch batch;

    if (str_empty(text))
        return job_say(job, say(job->language, SAY_DEAL_WHAT));
    if (!read_move(text, &row))
        return history(job, text);
    row.stage = str_lower(job->arena, row.stage);
    row.reason = utf8_truncate(row.reason, REASON_MAX_BYTES);
    if (str_empty(row.reason)) /* a move says why */
        return job_say(job, say(job->language, SAY_DEAL_WHAT));
    buf_printf(&out, "**%.*s**: ", STR_ARG(row.name));
    write_move(job, &out, &row);
    post = job_post(job, "say", say_with(job->arena, job->language, SAY_DEAL_MOVED, buf_str(&out)));
    store_batch_init(&batch, job->arena);
    store_insert(&batch, STORE_DEALS, &row);
    outbox_put(job->bot->options.outbox, &batch, &post);
    return job_done(job, &batch);
}
