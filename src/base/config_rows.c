#include "base/config_rows.h"

const struct setting config_settings[] = {
#define STR_SETTING(name, id, default_text, flags, alias, help)                                    \
    {name, SETTING_STR, flags, default_text, 0, 0, alias, help},
#define I64_SETTING(name, id, number, min, max, help)                                              \
    {name, SETTING_I64, SETTING_PLAIN, #number, min, max, NULL, help},
#define BOOL_SETTING(name, id, value, help)                                                        \
    {name, SETTING_BOOL, SETTING_PLAIN, #value, 0, 0, NULL, help},
#include "base/settings.def"
#undef STR_SETTING
#undef I64_SETTING
#undef BOOL_SETTING
};

/* Rows and the headings between them, in their order. */
#define GROUP(title) title,
#define STR_SETTING(...) NULL,
#define I64_SETTING(...) NULL,
#define BOOL_SETTING(...) NULL,
static const char *const headings[] = {
#include "base/settings.def"
#undef STR_SETTING
#undef I64_SETTING
#undef BOOL_SETTING
};

const char *config_heading(size_t row)
{
    const char *heading = NULL;

    for (size_t i = 0, rows = 0; i < ARRAY_LEN(headings); i++) {
        if (!headings[i] && rows++ == row)
            return heading;
        heading = headings[i];
    }
    return NULL;
}

const size_t config_settings_count = ARRAY_LEN(config_settings);

void config_row_name(size_t row, enum name_kind kind, char out[CONFIG_NAME_MAX])
{
    const char *name = config_settings[row].name;
    size_t len = kind == NAME_ENV ? 5 : 0;

    memcpy(out, "THEO_", len);
    for (; *name; name++) {
        char c = *name;

        if (kind == NAME_FLAG && c == '.')
            c = '-';
        else if (kind == NAME_ENV && (c == '.' || c == '-'))
            c = '_';
        else if (kind == NAME_ENV && c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        assert(len + 1 < CONFIG_NAME_MAX);
        out[len++] = c;
    }
    out[len] = '\0';
}

size_t config_find(struct str name, enum name_kind kind)
{
    char row_name[CONFIG_NAME_MAX];

    for (size_t row = 0; row < config_settings_count; row++) {
        config_row_name(row, kind, row_name);
        if (str_is(name, row_name))
            return row;
    }
    return CONFIG_NO_ROW;
}

size_t config_nearest(struct str name, enum name_kind kind)
{
    struct str_near near = STR_NEAR(name);
    size_t best = CONFIG_NO_ROW;
    char row_name[CONFIG_NAME_MAX];

    for (size_t row = 0; row < config_settings_count; row++) {
        config_row_name(row, kind, row_name);
        if (str_near_try(&near, str_from(row_name)))
            best = row;
    }
    return best;
}

struct str config_nearest_section(struct str name)
{
    struct str_near near = STR_NEAR(name);

    for (size_t row = 0; row < config_settings_count; row++) {
        struct str rest = str_from(config_settings[row].name), section;

        str_next(&rest, '.', &section);
        str_near_try(&near, section);
    }
    return near.best;
}

bool config_is_section(struct str section)
{
    for (size_t row = 0; row < config_settings_count; row++) {
        struct str name = str_from(config_settings[row].name);

        if (name.len > section.len && name.ptr[section.len] == '.' && str_starts(name, section))
            return true;
    }
    return false;
}
