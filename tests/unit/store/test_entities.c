#include "store/backend.h"
#include "test.h"

TEST(schemas_have_the_fixed_names)
{
    EXPECT_CSTR(store_schemas[STORE_WORKSPACES].table, "workspaces");
    EXPECT_CSTR(store_schemas[STORE_MESSAGES].table, "messages");
    EXPECT_CSTR(store_schemas[STORE_AGENT_ACTIONS].table, "agent_actions");
    EXPECT_CSTR(store_schemas[STORE_CALENDAR_EVENTS].table, "calendar_events");
    EXPECT_CSTR(store_schemas[STORE_MESSAGES].columns[1].name, "session_id");
    EXPECT_CSTR(store_schemas[STORE_AGENT_ACTIONS].columns[1].name, "run_id");
}

TEST(schemas_begin_with_the_key)
{
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        const struct store_schema *schema = &store_schemas[i];
        EXPECT_EQ(schema->entity, i);
        EXPECT_CSTR(schema->columns[0].name, "workspace_id");
        EXPECT_CSTR(schema->columns[2].name, schema->by_seq ? "seq" : "version");
        EXPECT_EQ(schema->columns[2].type, COLUMN_INT);
        for (size_t j = 0; j < schema->index_count; j++) {
            const struct store_index *index = &schema->indexes[j];
            EXPECT_EQ(schema->columns[index->column].type, COLUMN_TEXT);
            EXPECT_EQ(index->kind == INDEX_LIST, index->order >= 0);
        }
    }
}

TEST(schemas_have_one_column_for_what_is_sealed)
{
    const struct store_schema *users = &store_schemas[STORE_USERS];
    const struct store_schema *keys = &store_schemas[STORE_API_KEYS];

    EXPECT_EQ(users->secret_count, 2);
    EXPECT_CSTR(users->secrets[0].name, "name");
    EXPECT_CSTR(users->secrets[1].name, "settings");
    EXPECT_CSTR(users->columns[users->column_count - 1].name, "sealed");
    EXPECT_EQ(users->columns[users->column_count - 1].type, COLUMN_SEALED);
    EXPECT_EQ(keys->secret_count, 0);
    for (size_t i = 0; i < keys->column_count; i++)
        EXPECT(keys->columns[i].type != COLUMN_SEALED);
}
