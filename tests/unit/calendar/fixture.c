#include "fixture.h"

#include "runtime/errinj.h"

bool fixture_open(struct test *t, struct fixture *f)
{
    *f = (struct fixture){0};
    return config_load_text(&f->config, STR(""), "test") == 0 && secure_init() == 0 &&
           sealer_new_ephemeral(&t->fake->env, &f->sealer) == 0 &&
           store_open_with(&store_memory, &f->config, "trace:memory", &t->fake->env, f->sealer,
               &f->store) == 0 &&
           store_workspace(f->store, STR("main")) == 0 &&
           store_workspace(f->store, STR("other")) == 0 &&
           calendar_open(&f->config, &t->fake->env, f->store, &f->calendar) == 0;
}

void fixture_close(struct fixture *f)
{
    if (errinj_set(NULL) < 0)
        abort();
    calendar_free(f->calendar);
    store_close(f->store);
    sealer_free(f->sealer);
    config_deinit(&f->config);
}

int64_t ms_of(const char *text)
{
    int64_t ms;

    if (!rfc3339_parse(str_from(text), &ms, NULL))
        abort();
    return ms;
}

struct calendar_event event_at(const char *summary, int hour)
{
    int64_t start = ms_of("2026-03-03T00:00:00Z") + hour * HOUR_MS;

    return (struct calendar_event){
        .summary = str_from(summary),
        .start_ms = start,
        .end_ms = start + HOUR_MS,
        .time_zone = STR("UTC"),
    };
}
