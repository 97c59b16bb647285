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

        printf("%-28s %s%-34.*s%s %s\n", config_settings[i].name,
            origin == ORIGIN_DEFAULT ? style.dim : "", STR_ARG(value), style.plain,
            origin == ORIGIN_DEFAULT || !place ? origins[origin] : place);
    }
}

int config_command(int argc, char **argv)
{
    bool json = false, markdown = false;
    const struct cli_option list[] = {
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
        {"markdown", CLI_FLAG, &markdown, NULL, "Print the reference of all settings."},
    };
    struct buf out = BUF_HEAP;
    struct arena arena;
    struct boot boot;
    int rc = boot_config(&boot, list, ARRAY_LEN(list), true, &argc, argv);

    if (rc < 0)
        return cli_fail(rc);
    if (argc > 1)
        return cli_wrong("theo config takes options only, not \"%.60s\"", argv[1]);
    arena_init(&arena);
    if (markdown) {
        config_write_markdown(&out);
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
