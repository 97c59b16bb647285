#include "store/backend.h"

/* store/entities.def is read once for each of five shapes: the numbers of the columns, the columns,
 * the secrets, the indexes, and the table of schemas. Each pass defines only the words that it
 * needs. */
#define LIST(name, number, column, order)
#define UNIQUE(name, number, column)
#define GLOBAL(name, number, column)

/* Numbers of the columns, for the indexes to refer to. */
#define COLUMN_NUMBER(name, column) name##_column_##column,
#define TEXT COLUMN_NUMBER
#define SEALED(name, column)
#define INT COLUMN_NUMBER
#define TIME COLUMN_NUMBER
#define ENTITY_BY_ID(name, upper, table)                                                           \
    enum { name##_column_workspace_id, name##_column_id, name##_column_version,
#define ENTITY_BY_SEQ(name, upper, table, parent)                                                  \
    enum { name##_column_workspace_id, name##_column_key, name##_column_seq,
#define ENTITY_END(name)                                                                           \
    name##_column_count                                                                            \
    }                                                                                              \
    ;
#include "store/entities.def"
#undef TEXT
#undef SEALED
#undef INT
#undef TIME
#undef ENTITY_BY_ID
#undef ENTITY_BY_SEQ
#undef ENTITY_END

/* The columns. */
#define COLUMN(name, column, kind) {#column, kind, offsetof(struct name##_row, column)},
#define TEXT(name, column) COLUMN(name, column, COLUMN_TEXT)
#define SEALED(name, column)
#define INT(name, column) COLUMN(name, column, COLUMN_INT)
#define TIME(name, column) COLUMN(name, column, COLUMN_TIME)
#define ENTITY_BY_ID(name, upper, table)                                                           \
    static const struct store_column name##_columns[] = {COLUMN(name, workspace_id, COLUMN_TEXT)   \
            COLUMN(name, id, COLUMN_TEXT) COLUMN(name, version, COLUMN_INT)
#define ENTITY_BY_SEQ(name, upper, table, parent)                                                  \
    static const struct store_column name##_columns[] = {COLUMN(name, workspace_id, COLUMN_TEXT)   \
            COLUMN(name, parent, COLUMN_TEXT) COLUMN(name, seq, COLUMN_INT)
#define ENTITY_END(name)                                                                           \
    COLUMN(name, sealed, COLUMN_SEALED)                                                            \
    }                                                                                              \
    ;
#include "store/entities.def"
#undef TEXT
#undef SEALED
#undef INT
#undef TIME
#undef ENTITY_BY_ID
#undef ENTITY_BY_SEQ
#undef ENTITY_END

/* The secrets, behind a place that is not used: there may be none. */
#define TEXT(name, column)
#define SEALED(name, column) COLUMN(name, column, COLUMN_SEALED)
#define INT(name, column)
#define TIME(name, column)
#define ENTITY_BY_ID(name, upper, table)                                                           \
    static const struct store_column name##_secrets[] = {COLUMN(name, workspace_id, COLUMN_TEXT)
#define ENTITY_BY_SEQ(name, upper, table, parent) ENTITY_BY_ID(name, upper, table)
#define ENTITY_END(name)                                                                           \
    }                                                                                              \
    ;
#include "store/entities.def"
#undef TEXT
#undef SEALED
#undef INT
#undef TIME
#undef LIST
#undef UNIQUE
#undef GLOBAL
#undef ENTITY_BY_ID
#undef ENTITY_BY_SEQ
#undef ENTITY_END

/* The indexes. */
#define TEXT(name, column)
#define SEALED(name, column)
#define INT(name, column)
#define TIME(name, column)
#define LIST(name, number, column, order)                                                          \
    [number] = {INDEX_LIST, name##_column_##column, name##_column_##order},
#define UNIQUE(name, number, column) [number] = {INDEX_UNIQUE, name##_column_##column, -1},
#define GLOBAL(name, number, column) [number] = {INDEX_GLOBAL, name##_column_##column, -1},
#define ENTITY_BY_ID(name, upper, table) static const struct store_index name##_indexes[] = {
#define ENTITY_BY_SEQ(name, upper, table, parent)                                                  \
    static const struct store_index name##_indexes[] = {
#define ENTITY_END(name)                                                                           \
    }                                                                                              \
    ;
#include "store/entities.def"
#undef LIST
#undef UNIQUE
#undef GLOBAL
#undef ENTITY_BY_ID
#undef ENTITY_BY_SEQ
#undef ENTITY_END

/* The table. An entity without secrets has no column for them. */
#define LIST(name, number, column, order)
#define UNIQUE(name, number, column)
#define GLOBAL(name, number, column)
#define SCHEMA(name, upper, table, by_seq)                                                         \
    [STORE_##upper] = {STORE_##upper, #table, by_seq, sizeof(struct name##_row), name##_columns,   \
        ARRAY_LEN(name##_columns) - (ARRAY_LEN(name##_secrets) == 1), name##_indexes,              \
        ARRAY_LEN(name##_indexes), name##_secrets + 1, ARRAY_LEN(name##_secrets) - 1},
#define ENTITY_BY_ID(name, upper, table) SCHEMA(name, upper, table, false)
#define ENTITY_BY_SEQ(name, upper, table, parent) SCHEMA(name, upper, table, true)
#define ENTITY_END(name)
const struct store_schema store_schemas[STORE_ENTITY_COUNT] = {
#include "store/entities.def"
};
