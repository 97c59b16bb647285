#include "agent/checkpoint.h"
#include "agent/workflow_private.h"

static const char *const states[] = {"new", "begun", "done", "skipped", "failed"};

static struct mark *add_mark(struct flow *flow, struct arena *arena, struct str key)
{
    struct mark *mark = arena_new(arena, struct mark);

    *mark = (struct mark){.key = key, .text = STR(""), .frame = STR(""), .next = flow->marks};
    flow->marks = mark;
    return mark;
}

struct mark *mark_of(struct strand *strand, const struct step *step)
{
    struct flow *flow = strand->flow;
    struct str key =
        str_printf(strand->arena, "%.*s%.*s", STR_ARG(strand->prefix), STR_ARG(step->name));

    for (struct mark *mark = flow->marks; mark && flow->resumed; mark = mark->next)
        if (str_eq(mark->key, key))
            return mark;
    return add_mark(flow, strand->arena, key);
}

struct str marks_write(const struct flow *flow)
{
    struct buf out = BUF_IN(flow->run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "input", flow->input);
    json_name(&w, "marks");
    json_array_begin(&w);
    for (const struct mark *mark = flow->marks; mark; mark = mark->next) {
        json_object_begin(&w);
        json_str_member(&w, "key", mark->key);
        json_cstr_member(&w, "state", states[mark->state]);
        json_str_member(&w, "text", mark->text);
        json_i64_member(&w, "code", mark->code);
        json_i64_member(&w, "tries", mark->tries);
        if (!str_empty(mark->frame))
            json_raw_member(&w, "frame", mark->frame);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

void marks_read(struct flow *flow, const struct json *stand)
{
    struct arena *arena = flow->run->arena;

    flow->resumed = true;
    flow->input = json_get_str(stand, "input");
    for (const struct json *one = json_first(json_get(stand, "marks")); one; one = json_next(one)) {
        struct mark *mark = add_mark(flow, arena, json_get_str(one, "key"));

        for (size_t i = 0; i < ARRAY_LEN(states); i++)
            if (str_is(json_get_str(one, "state"), states[i]))
                mark->state = (enum mark_state)i;
        mark->text = json_get_str(one, "text");
        mark->code = (int)json_get_i64(one, "code", ERR_UNAVAILABLE);
        mark->tries = json_get_i64(one, "tries", 0);
        if (json_get(one, "frame"))
            mark->frame = json_text(arena, json_get(one, "frame"));
    }
}

bool mark_timed_out(const struct strand *strand, const struct step *step, const struct mark *mark)
{
    const struct json *frame;
    struct waiting_call *asked;
    size_t count;

    if (step->on_timeout != STEP_TIMEOUT_SKIP || str_empty(mark->frame) ||
        json_parse(strand->arena, mark->frame, &frame) < 0)
        return false;
    count = checkpoint_asked(strand->arena, frame, &asked);
    for (size_t i = 0; i < count; i++) {
        const struct run_decision *decision = run_decision(strand->flow->run, asked[i].approval_id);

        if (decision && str_is(decision->row->state, "expired") &&
            str_eq(asked[i].step, step->name))
            return true;
    }
    return false;
}

void workflow_timeout(const struct step *step, struct waiting_call *waiting)
{
    static const char *const words[] = {"", "stop", "skip", "go-on"};

    waiting->on_timeout = str_from(words[step->on_timeout]);
    waiting->step = step->name;
    waiting->hours = step->hours;
}
