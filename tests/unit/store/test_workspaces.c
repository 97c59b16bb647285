#include "secure/seal.h"
#include "store/backend.h"
#include "store/store.h"
#include "test.h"

#define COUNT 250 /* more than two pages */

struct visited {
    bool seen[COUNT];
    size_t count, stop_at;
};

static int visit(void *ctx, const struct workspace_row *row)
{
    struct visited *visited = ctx;
    int64_t number;

    if (!str_to_i64(str_slice(row->id, 1, row->id.len), &number) || visited->seen[number])
        return ERR_CORRUPT;
    visited->seen[number] = true;
    visited->count++;
    return visited->count == visited->stop_at ? ERR_CANCELLED : 1;
}

TEST(each_workspace_is_visited_once)
{
    struct config config = {.data_dir = NULL};
    struct visited visited = {.stop_at = 0};
    struct sealer *sealer;
    struct store *store;

    REQUIRE_OK(sealer_new_ephemeral(env_system(), &sealer));
    REQUIRE_OK(store_open_with(&store_memory, &config, "memory", &t->fake->env, sealer, &store));
    EXPECT_OK(store_each_workspace(store, visit, &visited));
    EXPECT_EQ(visited.count, 0);
    for (int i = 0; i < COUNT; i++)
        REQUIRE_OK(store_workspace(store, str_printf(t->arena, "w%d", i)));
    EXPECT_OK(store_each_workspace(store, visit, &visited));
    EXPECT_EQ(visited.count, COUNT);
    visited = (struct visited){.stop_at = 120};
    EXPECT_EQ(store_each_workspace(store, visit, &visited), ERR_CANCELLED);
    EXPECT_EQ(visited.count, 120);
    store_close(store);
    sealer_free(sealer);
}
