#include "base/config.h"
#include "test.h"

/* A word of an environment or argument vector, which C wants writable. */
#define WORD(text) ((char[]){text})

static bool error_says(const char *part)
{
    bool found = strstr(err_message(), part) != NULL;

    if (!found)
        printf("# the error is: %s\n", err_message());
    return found;
}

static size_t row_of(const char *name)
{
    size_t row = 0;

    while (strcmp(config_settings[row].name, name) != 0)
        row++;
    return row;
}

TEST(config_defaults)
{
    struct config config;
    const char *place;

    REQUIRE_OK(config_load_text(&config, STR(""), "x.yaml"));
    EXPECT_CSTR(config.listen, "127.0.0.1:8080");
    EXPECT_CSTR(config.model, "builtin");
    EXPECT_EQ(config.server_max_body_bytes, 1048576);
    EXPECT_EQ(config_origin(&config, row_of("listen"), &place), ORIGIN_DEFAULT);
    EXPECT_CSTR(place, "default");
    config_deinit(&config);
}

TEST(config_every_row_is_well_formed)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];

        EXPECT(s->help[0] && str_ends(str_from(s->help), STR(".")));
        EXPECT(s->type != SETTING_I64 || s->min <= s->max);
        for (size_t k = 0; k < i; k++)
            EXPECT(strcmp(config_settings[k].name, s->name) != 0);
        for (const char *c = s->name; *c; c++)
            EXPECT((*c >= 'a' && *c <= 'z') || char_is_digit(*c) || *c == '.' || *c == '-');
    }
}

TEST(config_file_sections_and_dotted_names)
{
    struct config config;
    const char *place;

    REQUIRE_OK(config_load_text(&config,
        STR("# comment\n"
            "listen: \"0.0.0.0:80\"\n"
            "openai: {base-url: http://x/v1}\n"
            "server:\n"
            "  max-body-bytes: 2048\n"
            "  max-header-bytes: 4096\n"
            "openai.api-key: abc\n"
            "store:\n"
            "time-zone: null\n"),
        "x.yaml"));
    EXPECT_CSTR(config.listen, "0.0.0.0:80");
    EXPECT_CSTR(config.openai_base_url, "http://x/v1");
    EXPECT_EQ(config.server_max_body_bytes, 2048);
    EXPECT_EQ(config.server_max_header_bytes, 4096);
    EXPECT_CSTR(config.openai_api_key, "abc");
    EXPECT_CSTR(config.store, "sqlite");
    EXPECT_CSTR(config.time_zone, "UTC");
    EXPECT_EQ(config_origin(&config, row_of("server.max-header-bytes"), &place), ORIGIN_FILE);
    EXPECT_CSTR(place, "x.yaml:6");
    EXPECT_EQ(config_origin(&config, row_of("store"), &place), ORIGIN_DEFAULT);
    config_deinit(&config);
}

TEST(config_name_that_is_a_section_too)
{
    static const char *const forms[] = {"model: m\nmodel.fallback: f\n",
        "model: {name: m, fallback: f}\n", "model:\n  fallback: f\n  name: m\n",
        "model.name: m\nmodel:\n  fallback: f\n"};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct config config;

        REQUIRE_OK(config_load_text(&config, str_from(forms[i]), "x.yaml"));
        EXPECT_CSTR(config.model, "m");
        EXPECT_CSTR(config.model_fallback, "f");
        config_deinit(&config);
    }
}

TEST(config_file_errors_say_where_and_what)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"listn: x\n", "x.yaml:1: there is no setting \"listn\"; did you mean \"listen\"?"},
        {"\nopenai:\n  base_url: x\n", "x.yaml:3: there is no setting \"openai.base_url\"; did you "
                                       "mean \"openai.base-url\"?"},
        {"zzzzzzzzzzz: 1\n", "x.yaml:1: there is no setting \"zzzzzzzzzzz\"; `theo config`"},
        {"crew:\n  a: b\n", "x.yaml:1: there is no section \"crew\""},
        {"rules: {}\n", "there is no section \"rules\""},
        {"threads: many\n", "x.yaml:1: threads must be a whole number from 0 to 256, not \"many\""},
        {"threads: 257\n", "from 0 to 256, not \"257\""},
        {"threads: 1.5\n", "from 0 to 256, not \"1.5\""},
        {"listen: [a, b]\n", "x.yaml:1: a list has no meaning here"},
        {"listen: a\nlisten: b\n", "x.yaml:2: listen is set already at x.yaml:1"},
        {"model: a\nmodel.name: b\n", "x.yaml:2: model is set already"},
        {"listen: {a: b}\n", "listen takes a value, not a section"},
        {"openai: x\n", "openai is a section"},
        {"a: &x 1\n", "anchors and tags"},
        {"listen: *x\n", ""},
        {"listen: !!str 5\n", "anchors and tags"},
        {"<<: {listen: x}\n", "no section \"<<\""},
        {"- a\n", "a list has no meaning here"},
        {"just text\n", "settings are written as"},
        {"listen: a\n---\nlisten: b\n", "only one document"},
        {"listen: \"a\n", "x.yaml:"},
        {"{{a: b}: c}\n", "a name must be plain text"},
        {"listen: \"a\\0b\"\n", "valid UTF-8 without NUL"},
        {"\"\": x\n", "a name is empty"},
        {"model: {name: a, name.name: b}\n", "there is no setting \"model.name.name\""},
        {"\xff\n", "x.yaml: invalid UTF-8 at byte 0"},
        {"\tlisten: x\n", "not valid YAML"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config config = {.listen = WORD("untouched")};
        int r = config_load_text(&config, str_from(cases[i].yaml), "x.yaml");

        if (!EXPECT_EQ(r, ERR_INVALID) || !EXPECT(error_says(cases[i].says)))
            printf("# yaml: %s\n", cases[i].yaml);
        EXPECT_CSTR(config.listen, "untouched");
    }
}

TEST(config_deep_yaml_is_refused_early)
{
    struct buf yaml = BUF_IN(t->arena);
    struct config config;

    for (int i = 0; i < 100000; i++)
        buf_add_cstr(&yaml, "{model: ");
    EXPECT_EQ(config_load_text(&config, buf_str(&yaml), "x.yaml"), ERR_INVALID);
}

TEST(config_environment_goes_over_the_file)
{
    struct str path = str_printf(t->arena, "%s/theo.yaml", test_dir(t));
    struct str named = str_printf(t->arena, "THEO_CONFIG=%s", path.ptr);
    char *env[] = {WORD("PATH=/bin"), str_cstr(t->arena, named),
        WORD("THEO_OPENAI_BASE_URL=http://env?a=b"), WORD("OPENAI_API_KEY=vendor"),
        WORD("THEO_THREADS=3"), WORD("THEO_PORT_8080_TCP=tcp://10.0.0.1:8080"), NULL};
    FILE *file = fopen(path.ptr, "w");
    struct config config;
    const char *place;

    REQUIRE(file != NULL);
    fputs("threads: 2\nlisten: file\nopenai.api-key: file\n", file);
    fclose(file);
    REQUIRE_OK(config_load(&config, NULL, env));
    EXPECT_EQ(config.threads, 3);
    EXPECT_CSTR(config.listen, "file");
    EXPECT_CSTR(config.openai_base_url, "http://env?a=b");
    EXPECT_CSTR(config.openai_api_key, "vendor");
    EXPECT_EQ(config_origin(&config, row_of("openai.api-key"), &place), ORIGIN_ENV);
    EXPECT_CSTR(place, "OPENAI_API_KEY");
    EXPECT_EQ(config_origin(&config, row_of("threads"), &place), ORIGIN_ENV);
    EXPECT_CSTR(place, "THEO_THREADS");
    config_deinit(&config);

    env[4] = WORD("THEO_OPENAI_API_KEY=own");
    REQUIRE_OK(config_load(&config, path.ptr, env));
    EXPECT_CSTR(config.openai_api_key, "own"); /* the vendor's variable counts below */
    EXPECT_EQ(config.threads, 2);
    config_deinit(&config);
}

TEST(config_environment_errors)
{
    struct config config;
    struct str missing = str_printf(t->arena, "%s/none.yaml", test_dir(t));
    char *typo[] = {WORD("THEO_LISTN=x"), NULL};
    char *odd[] = {WORD("THEO_WHATEVER_THIS_IS=x"), NULL};
    char *wrong[] = {WORD("THEO_THREADS="), NULL};

    EXPECT_EQ(config_load(&config, NULL, typo), ERR_INVALID);
    EXPECT(error_says("THEO_LISTN is no setting; did you mean THEO_LISTEN?"));
    EXPECT_EQ(config_load(&config, NULL, odd), ERR_INVALID);
    EXPECT(error_says("THEO_WHATEVER_THIS_IS is no setting; unset it"));
    EXPECT_EQ(config_load(&config, NULL, wrong), ERR_INVALID);
    EXPECT(error_says("THEO_THREADS: threads must be a whole number"));
    EXPECT_EQ(config_load(&config, missing.ptr, NULL), ERR_NOT_FOUND);
    EXPECT(error_says("none.yaml"));
}

TEST(config_flags_are_taken_out)
{
    char *argv[] = {WORD("theo"), WORD("serve"), WORD("--listen"), WORD("0.0.0.0:1"),
        WORD("--json"), WORD("--openai-base-url=http://a=b"), WORD("word"), WORD("--"),
        WORD("--listen"), WORD("kept"), NULL};
    int argc = 10;
    struct config config;
    const char *place;

    REQUIRE_OK(config_load_text(&config, STR(""), "x"));
    REQUIRE_OK(config_flags(&config, &argc, argv));
    REQUIRE(argc == 7);
    EXPECT_CSTR(argv[1], "serve");
    EXPECT_CSTR(argv[2], "--json");
    EXPECT_CSTR(argv[3], "word");
    EXPECT_CSTR(argv[4], "--");
    EXPECT_CSTR(argv[6], "kept");
    EXPECT(argv[7] == NULL);
    EXPECT_CSTR(config.listen, "0.0.0.0:1");
    EXPECT_CSTR(config.openai_base_url, "http://a=b");
    EXPECT_EQ(config_origin(&config, row_of("listen"), &place), ORIGIN_FLAG);
    EXPECT_CSTR(place, "--listen");
    config_deinit(&config);
}

TEST(config_flag_errors)
{
    char *last[] = {WORD("theo"), WORD("--listen"), NULL};
    char *swallowed[] = {WORD("theo"), WORD("--listen"), WORD("--json"), NULL};
    char *wrong[] = {WORD("theo"), WORD("--threads=x"), NULL};
    struct config config;
    int argc = 2;

    REQUIRE_OK(config_load_text(&config, STR(""), "x"));
    EXPECT_EQ(config_flags(&config, &argc, last), ERR_INVALID);
    EXPECT(error_says("--listen needs a value"));
    argc = 3;
    EXPECT_EQ(config_flags(&config, &argc, swallowed), ERR_INVALID);
    argc = 2;
    EXPECT_EQ(config_flags(&config, &argc, wrong), ERR_INVALID);
    EXPECT(error_says("--threads: threads must be a whole number"));
    config_deinit(&config);
}

TEST(config_secrets_are_not_shown)
{
    struct config config;
    size_t row = row_of("openai.api-key");

    REQUIRE_OK(config_load_text(&config, STR("openai.api-key: hush"), "x"));
    EXPECT_STR(config_value_text(&config, row, t->arena), "set");
    REQUIRE_OK(config_set(&config, "openai.api-key", STR(""), ORIGIN_FLAG, "--x"));
    EXPECT_STR(config_value_text(&config, row, t->arena), "not set");
    EXPECT_STR(config_value_text(&config, row_of("threads"), t->arena), "0");
    EXPECT_STR(config_value_text(&config, row_of("model"), t->arena), "builtin");
    config_deinit(&config);
}

TEST(config_markdown_tells_of_every_setting)
{
    struct buf out = BUF_IN(t->arena);

    config_write_markdown(&out);
    for (size_t i = 0; i < config_settings_count; i++)
        EXPECT(str_find(buf_str(&out), str_printf(t->arena, "| `%s` |", config_settings[i].name),
                   0) > 0);
    EXPECT(str_find(buf_str(&out), STR("`THEO_OPENAI_API_KEY`, `OPENAI_API_KEY`"), 0) > 0);
    EXPECT(str_find(buf_str(&out), STR("`--server-max-body-bytes`"), 0) > 0);
}

TEST(config_text_hides_passwords_in_addresses)
{
    static const char *const cases[][2] = {
        {"postgres://theo:pw-1@db.example/theo", "postgres://theo:***@db.example/theo"},
        {"postgres://theo@db.example/theo?password=pw-2&sslmode=require",
            "postgres://theo@db.example/theo?***"},
        {"postgres://a:pw-3@h/d?sslpassword=pw-4", "postgres://a:***@h/d?***"},
        {"postgres://db.example/theo?sslmode=require",
            "postgres://db.example/theo?sslmode=require"},
        {"sqlite", "sqlite"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config config;

        REQUIRE_OK(config_load_text(&config, STR(""), "empty.yaml"));
        REQUIRE_OK(config_set(&config, "store", str_from(cases[i][0]), ORIGIN_FLAG, "--store"));
        for (size_t row = 0; row < config_settings_count; row++)
            if (strcmp(config_settings[row].name, "store") == 0)
                EXPECT_STR(config_value_text(&config, row, t->arena), cases[i][1]);
        config_deinit(&config);
    }
}

TEST(config_tree_settings)
{
    struct config config;
    const struct json *tree;
    const char *place;

    REQUIRE_OK(config_load_text(&config,
        STR("listen: 127.0.0.1:1\n"
            "mcp:\n"
            "  files:\n"
            "    command: npx\n"
            "    args: [-y, 'server', 12, true, ~]\n"
            "model: other\n"),
        "x.yaml"));
    REQUIRE_OK(json_parse(t->arena, str_from(config.mcp), &tree));
    EXPECT_EQ(json_get_i64(tree, "@line", 0), 3);
    EXPECT_EQ(json_get_i64(json_path(tree, "files"), "@line", 0), 4);
    EXPECT_STR(json_str(json_path(tree, "files.args.0")), "-y");
    EXPECT_EQ(json_i64(json_path(tree, "files.args.2"), 0), 12);
    EXPECT(json_bool(json_path(tree, "files.args.3"), false));
    EXPECT_STR(config_value_text(&config, row_of("mcp"), t->arena), "1 entries");
    EXPECT_CSTR(config.model, "other");
    EXPECT_EQ(config_origin(&config, row_of("mcp"), &place), ORIGIN_FILE);
    EXPECT_CSTR(place, "x.yaml:2");
    config_deinit(&config);
}

TEST(config_tree_settings_that_are_wrong)
{
    static const char *const wrong[][2] = {
        {"mcp: hello\n", "must be a list or a mapping"},
        {"mcp:\n  a: &x 1\n", "x.yaml:2: anchors"},
        {"mcp: [1]\nmcp: [2]\n", "x.yaml:2: mcp is set already at x.yaml:1"},
        {"mcp:\n  a: [1\n", "not valid YAML"},
        {"mcp:\n  ? [1]\n  : 2\n", "a name must be plain text"},
        {"mcp: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "nesting is too deep"},
        {"mcp:\n :{ c aom&: [1,\nags: ", "not valid YAML"},
        {"listen: [1]\n", "a list has no meaning here"},
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct config config;

        EXPECT_EQ(config_load_text(&config, str_from(wrong[i][0]), "x.yaml"), ERR_INVALID);
        EXPECT(error_says(wrong[i][1]));
    }
}
