/* theo keys: API keys of the data folder, also beside a running server. */
#include "host/caller.h"
#include "host/commands.h"
#include "host/rotate.h"

struct keys_options {
    struct caller caller;
    const char *name, *scopes, *expires, *grace;
    bool json;
    struct rotation rotation;
};

static struct str create_body(const struct keys_options *options, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "name", options->name);
    json_cstr_member(&w, "scopes", options->scopes);
    if (options->expires)
        json_cstr_member(&w, "expires_at", options->expires);
    json_object_end(&w);
    return buf_str(&out);
}

static void print_scopes(const struct json *key)
{
    for (const struct json *scope = json_first(json_get(key, "scopes")); scope;
         scope = json_next(scope))
        printf(" %.*s", STR_ARG(json_str(scope)));
}

static void print_new_key(const struct json *key)
{
    struct cli_style style = cli_style(1);

    printf("%s%.*s%s\n", style.bold, STR_ARG(json_get_str(key, "key")), style.plain);
    fprintf(
        stderr, "Keep it now: it is not shown again. Send it as `Authorization: Bearer KEY`.\n");
}

static void print_list(const struct json *answer)
{
    printf("%-9s %-24s %-24s %-20s %s\n", "ID", "NAME", "CREATED", "STATE", "SCOPES");
    for (const struct json *key = json_first(json_get(answer, "keys")); key; key = json_next(key)) {
        struct str revoked = json_get_str(key, "revoked_at"),
                   expires = json_get_str(key, "expires_at");

        printf("%-9.*s %-24.*s %-24.*s ", STR_ARG(json_get_str(key, "id")),
            STR_ARG(json_get_str(key, "name")), STR_ARG(json_get_str(key, "created_at")));
        if (revoked.len)
            printf("%-20s", "revoked");
        else if (expires.len)
            printf("until %-14.10s", expires.ptr);
        else
            printf("%-20s", "valid");
        print_scopes(key);
        printf("\n");
    }
}

static int call(struct keys_options *options, const char *verb, const char *id, struct arena *arena,
    struct api_answer *ret_answer)
{
    struct str one = str_printf(arena, "/api/auth/keys/%s", id ? id : "");

    if (strcmp(verb, "create") == 0)
        return caller_call_now(&options->caller, HTTP_POST, STR("/api/auth/keys"), STR(""),
            create_body(options, arena), arena, ret_answer);
    if (strcmp(verb, "list") == 0)
        return caller_call_now(&options->caller, HTTP_GET, STR("/api/auth/keys"), STR("limit=1000"),
            STR(""), arena, ret_answer);
    if (strcmp(verb, "rotate") == 0)
        return caller_call_now(&options->caller, HTTP_POST,
            str_printf(arena, "%.*s/rotate", STR_ARG(one)), STR(""),
            str_printf(arena, "{\"grace_seconds\":%s}", options->grace), arena, ret_answer);
    return caller_call_now(&options->caller, HTTP_DELETE, one, STR(""), STR(""), arena, ret_answer);
}

static int print_answer(const struct keys_options *options, const char *verb, const char *id,
    const struct api_answer *answer, struct arena *arena)
{
    const struct json *json = NULL;
    int rc = caller_status(answer, arena);

    if (rc != 0)
        return rc;
    if (strcmp(verb, "revoke") == 0) {
        printf(options->json ? "{\"id\":\"%s\",\"revoked\":true}\n" : "Revoked %s.\n", id);
        return 0;
    }
    if (json_parse(arena, answer->body, &json) < 0)
        return cli_fail(ERR_PROTOCOL);
    if (options->json)
        printf("%.*s\n", STR_ARG(answer->body));
    else if (strcmp(verb, "list") == 0)
        print_list(json);
    else
        print_new_key(json);
    return 0;
}

static int check_usage(const struct keys_options *options, int argc, char **argv)
{
    static const char *const verbs[] = {"create", "list", "rotate", "revoke"};
    const char *verb = argc > 1 ? argv[1] : "";
    bool known = false;
    int64_t grace;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        known |= strcmp(verb, verbs[i]) == 0;
    if (argc < 2)
        return cli_wrong(
            "say keys create, list, rotate ID, revoke ID, rotate-master or rotate-data");
    if (!known)
        return cli_wrong("say keys create, list, rotate ID, revoke ID, rotate-master or "
                         "rotate-data, not \"%.40s\"",
            verb);
    if (strcmp(verb, "create") == 0 && (!options->name || !options->scopes))
        return cli_wrong("keys create needs --name NAME and --scopes \"chat read\"");
    if (argc > (verb[0] == 'r' ? 3 : 2))
        return cli_wrong("there is a word too many: \"%.60s\"", argv[argc - 1]);
    if (verb[0] == 'r' && argc < 3)
        return cli_wrong("keys %s needs the id of a key; `theo keys list` shows them", verb);
    if (options->caller.workspace && options->caller.url)
        return cli_wrong("--workspace and --url exclude each other: a server makes keys of the "
                         "workspace that --key belongs to");
    if (!str_to_i64(str_from(options->grace), &grace))
        return cli_wrong("--grace-seconds must be a whole number, not \"%.40s\"", options->grace);
    return 0;
}

int keys_command(int argc, char **argv)
{
    struct keys_options options = {.grace = "0"};
    const struct cli_option list[] = {
        {"name", CLI_STR, &options.name, "NAME", "What the key is for."},
        {"scopes", CLI_STR, &options.scopes, "SCOPES", "Space-separated."},
        {"expires", CLI_STR, &options.expires, "TIME", "When it ends."},
        {"grace-seconds", CLI_STR, &options.grace, "N", "How long the old key still works."},
        {"json", CLI_FLAG, &options.json, NULL, "Print JSON."},
        {"to", CLI_STR, &options.rotation.to, "PROVIDER",
            "rotate-master: the new key's provider, as in key-provider."},
        {"workspace", CLI_STR, &options.caller.workspace, "ID",
            "The workspace (default), made by create; rotate-data: only it."},
        {"reseal", CLI_FLAG, &options.rotation.reseal, NULL,
            "rotate-data: seal old rows anew, then drop the former keys."},
        CALLER_OPTIONS(options.caller),
    };
    struct api_answer answer;
    struct boot boot;
    struct arena arena;
    int rc = boot_config(&boot, list, ARRAY_LEN(list), true, &argc, argv), status;

    if (rc < 0)
        return cli_fail(rc);
    if (argc == 2 && strncmp(argv[1], "rotate-", 7) == 0) {
        options.rotation.json = options.json;
        options.rotation.workspace = options.caller.workspace;
        status = rotate_command(&boot, argv[1], &options.rotation);
        boot_close(&boot);
        return status;
    }
    status = check_usage(&options, argc, argv);
    if (status != 0) {
        boot_close(&boot);
        return status;
    }
    arena_init(&arena);
    options.caller.new_workspace = strcmp(argv[1], "create") == 0;
    rc = caller_open(&options.caller, &boot, !options.caller.new_workspace);
    if (rc == 0)
        rc = call(&options, argv[1], argv[2], &arena, &answer);
    status = rc < 0 ? cli_fail(rc) : print_answer(&options, argv[1], argv[2], &answer, &arena);
    boot_close(&boot);
    arena_deinit(&arena);
    return status;
}
