#include "fixture.h"

bool fixture_open(struct test *t, struct fixture *f)
{
    *f = (struct fixture){.t = t};
    if (config_load_text(&f->config, STR(""), "test") < 0 || secure_init() < 0 ||
        sealer_new_ephemeral(&t->fake->env, &f->sealer) < 0 ||
        store_open_with(&store_memory, &f->config, "memory", &t->fake->env, f->sealer, &f->store) <
            0 ||
        store_workspace(f->store, STR("main")) < 0 ||
        calendar_open(&f->config, &t->fake->env, f->store, &f->services.calendar) < 0)
        return false;
    f->call = (struct tool_call){
        .arena = t->arena,
        .env = &t->fake->env,
        .store = f->store,
        .services = &f->services,
        .workspace_id = STR("main"),
        .session_id = STR("S"),
        .run_id = STR("R"),
        .time_zone = STR("Europe/Madrid"),
        .agent_name = STR("Theo"),
        .now_ms = t->fake->wall_ms,
        .chat = &f->chat,
    };
    return true;
}

void fixture_close(struct fixture *f)
{
    calendar_free(f->services.calendar);
    store_close(f->store);
    sealer_free(f->sealer);
    config_deinit(&f->config);
}

int fixture_call(struct fixture *f, const struct tool *tool, const char *args)
{
    int rc = json_parse(f->t->arena, str_from(args), &f->call.args);

    if (rc == 0)
        rc = tool_check_args(tool, f->call.args);
    if (rc < 0)
        return rc;
    f->call.idempotency_key = str_printf(f->t->arena, "key%d", f->calls++);
    rc = tool->run(&f->call, &f->result);
    return rc < 0 ? rc : json_parse(f->t->arena, f->result.content, &f->content);
}

struct str fixture_get(const struct fixture *f, const char *path)
{
    return json_str(json_path(f->content, path));
}
