#include "base/config_rows.h"

static void put_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

static void put_default(struct buf *out, const struct setting *setting)
{
    if (setting->default_text[0])
        buf_printf(out, "`%s`", setting->default_text);
    else
        buf_add_cstr(out, "–");
}

static void put_row(struct buf *out, size_t row)
{
    const struct setting *setting = &config_settings[row];
    char env[CONFIG_NAME_MAX], flag[CONFIG_NAME_MAX];

    config_row_name(row, NAME_ENV, env);
    config_row_name(row, NAME_FLAG, flag);
    buf_printf(out, "| `%s` | ", setting->name);
    put_default(out, setting);
    buf_printf(out, " | `%s`", env);
    if (setting->alias)
        buf_printf(out, ", `%s`", setting->alias);
    buf_printf(out, " | `--%s` | ", flag);
    put_escaped(out, setting->help);
    if (setting->type == SETTING_I64)
        buf_printf(out, " From %lld to %lld.", (long long)setting->min, (long long)setting->max);
    if (setting->type == SETTING_BOOL)
        buf_add_cstr(out, " True or false.");
    if (setting->flags & SETTING_TREE)
        buf_add_cstr(out, " A list or mapping; outside `theo.yaml` as JSON.");
    if (setting->flags & SETTING_SECRET)
        buf_add_cstr(out, " Secret: never shown.");
    buf_add_cstr(out, " |\n");
}

void config_write_markdown(struct buf *out)
{
    buf_add_cstr(out,
        "# Settings\n"
        "\n"
        "This page is made from the table in `src/base/settings.def` by `theo config --markdown`; "
        "do not edit it by hand.\n"
        "\n"
        "A setting is taken from, the later one winning: its default, `theo.yaml` (in the current "
        "folder,\nor the file that `THEO_CONFIG` or `--config` names), the environment, a flag. "
        "`theo config` shows\nevery value and where it came from. A name that is no setting is "
        "an error in all of them.\n"
        "\n"
        "In `theo.yaml` a dot opens a section; the full name with dots is understood too. A "
        "section that is\na setting itself takes `name` for it:\n"
        "\n"
        "```yaml\n"
        "listen: 127.0.0.1:8080\n"
        "model:\n"
        "  name: openai:llama3.1\n"
        "  fallback: builtin\n"
        "openai.base-url: http://localhost:11434/v1\n"
        "```\n"
        "\n"
        "Put secrets into the environment or into a file that only Theo can read: flags are seen "
        "by every\nuser of the machine. A vendor's own variable counts below the `THEO_` one.\n");
    for (size_t row = 0; row < config_settings_count; row++) {
        if (config_heading(row))
            buf_printf(out,
                "\n## %s\n\n| setting | default | environment | flag | what it does |\n"
                "|---|---|---|---|---|\n",
                config_heading(row));
        put_row(out, row);
    }
}
