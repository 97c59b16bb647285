/* theo models: which models are configured, what they cost, and whether they do what Theo needs. */
#include "host/boot.h"
#include "host/commands.h"

#define QUESTION "Call the tool now_in with the city Madrid. Do not answer in words."

struct verdict {
    const char *what; /* plain, tools, stream */
    bool ok;
    struct str detail;
    int64_t ms;
    struct model_usage usage;
};

struct check {
    struct boot *boot;
    struct model *model;
    struct arena *arena;
    struct verdict verdicts[3];
    size_t count;
    struct buf streamed;
};

static int on_text(struct str text, void *ctx)
{
    buf_add_str(&((struct check *)ctx)->streamed, text);
    return 0;
}

static int ask(struct check *check, const char *question, bool tools, bool stream,
    struct model_reply *ret_reply, int64_t *ret_ms)
{
    static const struct model_tool tool = {STR("now_in"), STR("Says what time it is in a city."),
        STR("{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"
            "\"required\":[\"city\"],\"additionalProperties\":false}")};
    const struct model_message messages[] = {
        {.role = MODEL_SYSTEM, .content = STR("You are tested. Be brief.")},
        {.role = MODEL_USER, .author = STR("Ana"), .content = str_from(question)},
    };
    const struct config *config = &check->boot->config;
    const struct model_request request = {.messages = messages,
        .message_count = ARRAY_LEN(messages),
        .tools = &tool,
        .tool_count = tools ? 1 : 0,
        .tool_choice = tools ? MODEL_TOOLS_REQUIRED : MODEL_TOOLS_NONE,
        .temperature = -1,
        .timeout_ms = config->model_timeout_ms,
        .scene = {.now_ms = env_wall_ms(check->boot->env),
            .time_zone = STR("UTC"),
            .agent_name = str_from(config->agent_name),
            .must_reply = true},
        .on_delta = stream ? on_text : NULL,
        .ctx = check};
    int64_t begun = env_mono_ms(check->boot->env);
    enum model_error error;
    int rc = model_chat(check->model, &request, check->arena, ret_reply, &error);

    *ret_ms = env_mono_ms(check->boot->env) - begun;
    return rc;
}

static void add(struct check *check, const char *what, int rc, bool good, const char *lacking,
    const struct model_reply *reply, int64_t ms)
{
    struct str detail = STR("");

    if (rc < 0)
        detail = str_dup(check->arena, str_from(err_message()));
    else if (!good)
        detail = str_from(lacking);
    check->verdicts[check->count++] = (struct verdict){
        what, rc == 0 && good, detail, ms, rc == 0 ? reply->usage : (struct model_usage){0}};
}

static int run_check(struct boot *boot, void *arg)
{
    struct check *check = arg;
    struct model_reply reply = {0};
    int64_t ms;
    int rc = ask(check, "Answer with the one word: ready", false, false, &reply, &ms);

    (void)boot;
    add(check, "plain", rc, !str_empty(str_trim(reply.content)), "the answer was empty", &reply,
        ms);
    if (rc < 0)
        return 0; /* the others would fail alike */
    reply = (struct model_reply){0};
    rc = ask(check, QUESTION, true, false, &reply, &ms);
    add(check, "tools", rc,
        reply.tool_call_count > 0 && str_is(reply.tool_calls[0].name, "now_in") &&
            json_check(reply.tool_calls[0].arguments) == 0,
        "it did not call the tool it was told to call: Theo can talk with it, not act", &reply, ms);
    reply = (struct model_reply){0};
    check->streamed = BUF_IN(check->arena);
    rc = ask(check, "Answer with the one word: ready", false, true, &reply, &ms);
    add(check, "stream", rc,
        check->streamed.len > 0 && str_eq(buf_str(&check->streamed), reply.content),
        "nothing was streamed", &reply, ms);
    return 0;
}

static bool find_price(const struct boot *boot, struct str spec, struct model_price *ret_price)
{
    return model_price(boot->config.model_prices, spec, ret_price);
}

static void write_price(struct json_writer *w, const struct model_price *price)
{
    if (price->context > 0)
        json_i64_member(w, "context_tokens", price->context);
    json_name(w, "usd_per_million");
    json_object_begin(w);
    json_name(w, "input");
    json_put_double(w, price->input);
    json_name(w, "cached");
    json_put_double(w, price->cached);
    json_name(w, "output");
    json_put_double(w, price->output);
    json_object_end(w);
}

static void print_price(const struct boot *boot, const struct model *model)
{
    struct str spec = model_spec(model);
    struct model_price price;

    if (model_is_builtin(model)) {
        printf("free, no network\n");
    } else if (find_price(boot, spec, &price)) {
        printf("$%g in, $%g cached, $%g out a million tokens", price.input, price.cached,
            price.output);
        if (price.context > 0)
            printf("; takes %lld tokens", (long long)price.context);
        printf("\n");
    } else {
        printf("price not known: say it in model.prices (%.*s=INPUT/OUTPUT)\n", STR_ARG(spec));
    }
}

/* What the check cost; false where price or tokens are not known. */
static bool find_cost(const struct check *check, double *ret_usd)
{
    struct model_price price;
    double usd = 0;

    if (!find_price(check->boot, model_spec(check->model), &price))
        return false;
    for (size_t i = 0; i < check->count; i++)
        usd += model_cost_usd(&price, &check->verdicts[i].usage);
    *ret_usd = usd;
    return usd > 0;
}

static void print_list_json(const struct boot *boot)
{
    struct model_price price;
    struct buf out = BUF_HEAP;
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "models");
    json_array_begin(&w);
    for (size_t i = 0; i < boot->model_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "model", model_spec(boot->models[i]));
        json_cstr_member(&w, "use", i == 0 ? "first" : "fallback");
        if (find_price(boot, model_spec(boot->models[i]), &price))
            write_price(&w, &price);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    printf("%s\n", out.ptr);
    buf_deinit(&out);
}

static int print_list(const struct boot *boot, bool json)
{
    struct cli_style style = cli_style(1);

    if (json) {
        print_list_json(boot);
        return 0;
    }
    for (size_t i = 0; i < boot->model_count; i++) {
        printf("%s%-32.*s%s %-9s  ", style.bold, STR_ARG(model_spec(boot->models[i])), style.plain,
            i == 0 ? "first" : "fallback");
        print_price(boot, boot->models[i]);
    }
    printf("\nAlso known: openai:NAME, anthropic:NAME, gemini:NAME, builtin (setting model).\n"
           "Try one: theo models check [NAME]\n");
    return 0;
}

static void print_check_json(const struct check *check)
{
    struct buf out = BUF_IN(check->arena);
    struct model_price price;
    struct json_writer w;
    double usd;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "model", model_spec(check->model));
    if (find_price(check->boot, model_spec(check->model), &price))
        write_price(&w, &price);
    if (find_cost(check, &usd)) {
        json_name(&w, "cost_usd");
        json_put_double(&w, usd);
    }
    json_name(&w, "checks");
    json_array_begin(&w);
    for (size_t i = 0; i < check->count; i++) {
        const struct verdict *verdict = &check->verdicts[i];

        json_object_begin(&w);
        json_cstr_member(&w, "check", verdict->what);
        json_bool_member(&w, "ok", verdict->ok);
        json_i64_member(&w, "ms", verdict->ms);
        json_i64_member(&w, "input_tokens", verdict->usage.input_tokens);
        json_i64_member(&w, "output_tokens", verdict->usage.output_tokens);
        if (!str_empty(verdict->detail))
            json_str_member(&w, "detail", verdict->detail);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
}

static void print_check(const struct check *check)
{
    struct cli_style style = cli_style(1);
    double usd;

    printf("%s%.*s%s  ", style.bold, STR_ARG(model_spec(check->model)), style.plain);
    print_price(check->boot, check->model);
    for (size_t i = 0; i < check->count; i++) {
        const struct verdict *verdict = &check->verdicts[i];

        printf("  %s%s%s %-7s", verdict->ok ? style.green : style.red, verdict->ok ? "✓" : "✗",
            style.plain, verdict->what);
        if (verdict->ok && verdict->usage.input_tokens > 0)
            printf(" %lld ms, %lld + %lld tokens\n", (long long)verdict->ms,
                (long long)verdict->usage.input_tokens, (long long)verdict->usage.output_tokens);
        else if (verdict->ok)
            printf(" %lld ms, tokens not told\n", (long long)verdict->ms);
        else
            printf(" %.*s\n", STR_ARG(verdict->detail));
    }
    if (find_cost(check, &usd))
        printf("This check cost $%.6f.\n", usd);
    else if (check->count == ARRAY_LEN(check->verdicts))
        printf("What this check cost is not known.\n");
}

static int check_model(struct boot *boot, const char *name, bool json)
{
    struct check check = {.boot = boot};
    struct arena arena;
    bool ok = true;
    int rc;

    for (size_t i = 0; i < boot->model_count && !check.model; i++)
        if (!name || str_is(model_spec(boot->models[i]), name))
            check.model = boot->models[i];
    if (!check.model)
        return cli_wrong("%s is not configured; set model or model.fallback to it", name);
    arena_init(&arena);
    check.arena = &arena;
    rc = model_is_builtin(check.model) ? 0 : boot_on_fiber(boot, run_check, &check);
    if (rc == 0 && json)
        print_check_json(&check);
    else if (rc == 0)
        print_check(&check);
    for (size_t i = 0; i < check.count; i++)
        ok = ok && check.verdicts[i].ok;
    arena_deinit(&arena);
    return rc < 0 ? cli_fail(rc) : !ok;
}

int models_command(int argc, char **argv)
{
    struct boot boot;
    bool json = false;
    const struct cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "Print JSON."}};
    int rc = boot_config(&boot, options, ARRAY_LEN(options), true, &argc, argv);

    if (rc == 0 && argc > 1 && (strcmp(argv[1], "check") != 0 || argc > 3))
        rc = cli_wrong(
            "say theo models, or theo models check [NAME], not \"%.60s\"", argv[argc - 1]);
    else if (rc == 0)
        rc = boot_models(&boot);
    if (rc < 0)
        rc = cli_fail(rc);
    else if (rc == 0)
        rc = argc > 1 ? check_model(&boot, argc > 2 ? argv[2] : NULL, json)
                      : print_list(&boot, json);
    boot_close(&boot);
    return rc;
}
