/* theo config: every setting, its value and where that came from. */
#include "host/boot.h"
#include "host/commands.h"

static const char *const origins[] = {"default", "file", "environment", "flag"};

static void print_json(const struct config *config, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    const char *place;

    json_init(&w, &out);
    json_object_begin(&w);
    for (size_t i = 0; i < config_settings_count; i++) {
        json_name(&w, config_settings[i].name);
        json_object_begin(&w);
        json_str_member(&w, "value", config_value_text(config, i, arena));
        json_cstr_member(&w, "origin", origins[config_origin(config, i, &place)]);
        json_cstr_member(&w, "place", place);
        json_object_end(&w);
    }
    json_object_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
}

static void print_table(const struct config *config, struct arena *arena)
{
    struct cli_style style = cli_style(1);

    printf("%s%-28s %-34s %s%s\n", style.bold, "SETTING", "VALUE", "FROM", style.plain);
    for (size_t i = 0; i < config_settings_count; i++) {
        const char *place;
        enum setting_origin origin = config_origin(config, i, &place);
        struct str value = config_value_text(config, i, arena);

        if (config_heading(i))
            printf("\n%s%s%s\n", style.bold, config_heading(i), style.plain);
        printf("%-28s %s%-34.*s%s %s\n", config_settings[i].name,
            origin == ORIGIN_DEFAULT ? style.dim : "", STR_ARG(value), style.plain,
            origin == ORIGIN_DEFAULT || !place ? origins[origin] : place);
    }
}

/* The part before the first dot, or the whole name. */
static struct str section_of(const struct setting *setting)
{
    struct str rest = str_from(setting->name), section;

    str_next(&rest, '.', &section);
    return section;
}

/* A comment of at most 100 columns. */
static void put_comment(struct buf *out, const char *indent, const char *text)
{
    struct str rest = str_from(text), word;
    size_t column = 0;

    while (str_next(&rest, ' ', &word)) {
        if (column == 0 || column + word.len + 1 > 98) {
            buf_printf(out, "%s%s#", column ? "\n" : "", indent);
            column = strlen(indent) + 1;
        }
        buf_printf(out, " %.*s", STR_ARG(word));
        column += word.len + 1;
    }
    buf_add_char(out, '\n');
}

static void put_setting(
    struct buf *out, const struct setting *setting, struct str section, bool is_section)
{
    const char *indent = is_section ? "  " : "";
    const char *name = setting->name;
    bool text = setting->type == SETTING_STR && setting->default_text[0] == '\0';
    const char *empty = setting->flags & SETTING_TREE ? "[]" : "\"\"";

    if (is_section)
        name = strlen(name) == section.len ? "name" : name + section.len + 1;
    put_comment(out, indent, setting->help);
    buf_printf(out, "%s#%s: %s\n", indent, name, text ? empty : setting->default_text);
}

static void put_section(struct buf *out, struct str section)
{
    bool is_section = false;

    for (size_t i = 0; i < config_settings_count; i++)
        is_section |= str_eq(section_of(&config_settings[i]), section) &&
                      strlen(config_settings[i].name) > section.len;
    buf_add_char(out, '\n');
    if (is_section)
        buf_printf(out, "%.*s:\n", STR_ARG(section));
    for (size_t i = 0; i < config_settings_count; i++)
        if (str_eq(section_of(&config_settings[i]), section))
            put_setting(out, &config_settings[i], section, is_section);
}

/* theo.example.yaml: every setting with its explanation, as a comment. */
static void write_example(struct buf *out)
{
    buf_add_cstr(out, "# Theo's settings, made by `theo config --example`. Copy this to theo.yaml "
                      "in the folder where\n"
                      "# Theo starts (or name it with --config FILE or THEO_CONFIG), and take the "
                      "# away before what\n"
                      "# you change; the values shown are the defaults. Each setting is also a "
                      "variable and a flag:\n"
                      "# log.level is THEO_LOG_LEVEL and --log-level. The order is: default, this "
                      "file, environment,\n"
                      "# flags. `theo config` shows the outcome and where each value came from.\n");
    for (size_t i = 0; i < config_settings_count; i++) {
        struct str section = section_of(&config_settings[i]);
        bool seen = false;

        for (size_t k = 0; k < i; k++)
            seen |= str_eq(section_of(&config_settings[k]), section);
        if (config_heading(i))
            buf_printf(out, "\n# ---- %s ----\n", config_heading(i));
        if (!seen)
            put_section(out, section);
    }
}

int config_command(int argc, char **argv)
{
    bool json = false, markdown = false, example = false;
    const struct cli_option list[] = {
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
        {"markdown", CLI_FLAG, &markdown, NULL, "Print the reference of all settings."},
        {"example", CLI_FLAG, &example, NULL, "Print a theo.yaml to start from."},
    };
    struct buf out = BUF_HEAP;
    struct arena arena;
    struct boot boot;
    int rc = boot_config(&boot, list, ARRAY_LEN(list), true, &argc, argv);

    if (rc < 0)
        return cli_fail(rc);
    if (argc > 1) {
        boot_close(&boot);
        return cli_wrong("theo config takes options only, not \"%.60s\"", argv[1]);
    }
    arena_init(&arena);
    if (markdown || example) {
        if (markdown)
            config_write_markdown(&out);
        else
            write_example(&out);
        printf("%.*s", STR_ARG(buf_str(&out)));
    } else if (json) {
        print_json(&boot.config, &arena);
    } else {
        print_table(&boot.config, &arena);
    }
    buf_deinit(&out);
    arena_deinit(&arena);
    boot_close(&boot);
    return 0;
}
