/* What Theo said in a chat, found by the id that the message has there. */
#include "bot/private.h"

#define PAGE 50
#define LOOK_BACK 400

static bool has_id(const struct outbox_row *row, struct str message_id, struct arena *arena)
{
    const struct json *list = NULL;
    struct outbox_post post;

    if (!str_empty(row->channel_ids) && json_parse(arena, row->channel_ids, &list) == 0)
        for (const struct json *one = json_first(list); one; one = json_next(one))
            if (str_eq(json_str(one), message_id))
                return true;
    return outbox_read(row, arena, &post) == 0 && post.kind == OUTBOX_EDIT &&
           str_eq(post.message_id, message_id);
}

int said_find(struct bot *bot, struct str session_id, struct str message_id, struct arena *arena,
    struct outbox_row *ret_row)
{
    struct store_query query = {.entity = STORE_OUTBOX,
        .workspace_id = bot->options.workspace_id,
        .index = 1,
        .value = session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};

    for (int seen = 0; seen < LOOK_BACK; seen += PAGE) {
        struct store_page page;
        int rc = store_list(bot->options.store, &query, arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            const struct outbox_row *row = (const struct outbox_row *)page.rows + i;

            if (has_id(row, message_id, arena)) {
                *ret_row = *row;
                return 0;
            }
        }
        if (str_empty(page.cursor))
            break;
        query.cursor = page.cursor;
    }
    return STORE_MISSING;
}

int run_asker(struct bot *bot, struct str run_id, struct arena *arena, struct str *ret_person)
{
    const struct json *root = NULL;
    struct run_row run;
    int rc;

    *ret_person = STR("");
    if (str_empty(run_id))
        return 0;
    rc = store_get(bot->options.store, STORE_RUNS, bot->options.workspace_id, run_id, arena, &run);
    if (rc == 0 && !str_empty(run.request) && json_parse(arena, run.request, &root) == 0)
        *ret_person = json_str(json_path(root, "metadata.from"));
    return MIN(rc, 0);
}
