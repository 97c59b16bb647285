/* GET of a list: one page of rows, and the cursor of the next one. */
#include "api/exchange.h"

void listing_open(struct exchange *x, const char *name, struct listing *listing)
{
    *listing = (struct listing){.out = BUF_IN(x->arena)};
    json_init(&listing->w, &listing->out);
    json_object_begin(&listing->w);
    json_name(&listing->w, name);
    json_array_begin(&listing->w);
}

int listing_begin(struct exchange *x, struct store_query *query, const char *name, int64_t limit,
    struct listing *listing)
{
    int rc = query_i64(x, "limit", 1, 1000, limit, &limit);

    query->workspace_id = x->workspace;
    query->cursor = query_str(x, "cursor");
    query->limit = (size_t)limit;
    if (rc < 0)
        return rc;
    listing_open(x, name, listing);
    return store_list(x->store, query, x->arena, &listing->page);
}

int listing_end(struct exchange *x, struct listing *listing)
{
    json_array_end(&listing->w);
    write_opt(&listing->w, "next_cursor", listing->page.cursor);
    json_object_end(&listing->w);
    answer_json(&x->answer, 200, &listing->out);
    return 0;
}
