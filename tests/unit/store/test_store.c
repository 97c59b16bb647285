#include "secure/seal.h"
#include "store/backend.h"
#include "store/store.h"
#include "test.h"

TEST(store_is_opened_by_its_setting)
{
    static const struct store_ops *const backends[] = {&store_sqlite, &store_memory, NULL};
    struct config config = {.store = str_cstr(t->arena, STR("memory"))};
    struct sealer *sealer;
    struct store *store;

    store_register(backends);
    REQUIRE_OK(sealer_new_ephemeral(env_system(), &sealer));
    REQUIRE_OK(store_open(&config, env_system(), sealer, &store));
    EXPECT_CSTR(store_name(store), "memory");
    store_close(store);
    config.store = str_cstr(t->arena, STR("trace:memory"));
    REQUIRE_OK(store_open(&config, env_system(), sealer, &store));
    EXPECT_CSTR(store_name(store), "memory");
    store_close(store);
    config.store = str_cstr(t->arena, STR("oracle://x"));
    EXPECT_EQ(store_open(&config, env_system(), sealer, &store), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "store");
    config.store = str_cstr(t->arena, STR("sqlite:nonsense"));
    config.data_dir = str_cstr(t->arena, str_from(test_dir(t)));
    EXPECT_EQ(store_open(&config, env_system(), sealer, &store), ERR_INVALID);
    sealer_free(sealer);
}

TEST(data_folder_that_cannot_be_made_is_named)
{
    struct config config = {.data_dir = str_cstr(t->arena, STR("/dev/null/data"))};
    struct sealer *sealer;
    struct store *store;

    REQUIRE_OK(sealer_new_ephemeral(env_system(), &sealer));
    EXPECT_EQ(
        store_open_with(&store_sqlite, &config, "sqlite", env_system(), sealer, &store), ERR_IO);
    EXPECT(strstr(err_message(), "/dev/null") != NULL);
    EXPECT(strstr(err_message(), "--data-dir") != NULL);
    sealer_free(sealer);
}
