#include "agent/evaluation.h"

#include "agent/guard_run.h"
#include "agent/named.h"
#include "runtime/loop.h"

#define USES_MAX 8
#define READ_MAX (256 * KIB) /* of all that a model was shown; the newest is kept */
#define TIMEOUT_MS (60 * SECOND_MS)

static const struct evaluator *const none[] = {NULL};
static const struct evaluator *const *registered = none;

void evaluation_register(const struct evaluator *const *evaluations)
{
    registered = evaluations;
}

static const struct evaluator *find(struct str name)
{
    for (const struct evaluator *const *one = registered; *one; one++)
        if (str_is(name, (*one)->name))
            return *one;
    return NULL;
}

static const char *known(struct arena *arena)
{
    struct buf out = BUF_IN(arena);

    for (const struct evaluator *const *one = registered; *one; one++)
        buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", (*one)->name);
    return out.len > 0 ? out.ptr : "none";
}

int evaluations_read(struct arena *arena, const struct json *list, struct evaluation_set *ret_set,
    const struct json **ret_place)
{
    struct evaluation_use *uses = arena_array(arena, struct evaluation_use, USES_MAX);
    const struct json *place = *ret_place;
    size_t count = 0;

    if (!json_is(list, JSON_ARRAY) || json_len(list) > USES_MAX)
        return err_set(ERR_INVALID, "must be a list of up to %d evaluations", USES_MAX);
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        const struct json *options = NULL;
        struct str name = STR("");
        int rc = named_read(one, &name, &options, ret_place);
        const struct evaluator *evaluation = rc == 0 ? find(name) : NULL;

        if (rc == 0 && !evaluation)
            rc = err_set(ERR_INVALID, "names %.*s, and there is no such evaluation; there are: %s",
                (int)MIN(name.len, (size_t)60), name.len ? name.ptr : "nothing", known(arena));
        uses[count].evaluation = evaluation;
        if (rc == 0)
            rc = named_options(
                arena, evaluation->name, evaluation->options, options, &uses[count].options);
        if (rc < 0)
            return rc;
        count++;
        *ret_place = place;
    }
    *ret_set = (struct evaluation_set){.declared = true, .uses = uses, .count = count};
    return 0;
}

struct str evaluation_model(const struct evaluation_use *use)
{
    return json_get_str(use->options, "model");
}

/* What outlives the run. */
struct work {
    struct arena arena;
    const struct agent_house *house;
    const struct evaluation_set *set;
    struct str workspace_id, run_id;
    int64_t first_seq, last_seq; /* of the run's events */
    struct evaluation_call call;
};

static void write_event(struct work *work, struct json_writer *w, const char *name,
    const struct evaluation_score *score)
{
    char at[RFC3339_LEN + 1];

    rfc3339_format(env_wall_ms(work->house->env), at);
    json_object_begin(w);
    json_i64_member(w, "seq", ++work->last_seq);
    json_cstr_member(w, "type", "evaluation.completed");
    json_cstr_member(w, "at", at);
    json_name(w, "data");
    json_object_begin(w);
    json_cstr_member(w, "evaluation", name);
    json_name(w, "score");
    json_put_double(w, score->score);
    json_bool_member(w, "passed", score->passed);
    json_str_member(w, "reason", score->reason);
    json_object_end(w);
    json_object_end(w);
}

static struct model *model_for(const struct work *work, const struct evaluation_use *use)
{
    for (size_t i = 0; i < work->house->model_count; i++)
        if (str_eq(model_spec(work->house->models[i]), evaluation_model(use)))
            return work->house->models[i];
    return NULL;
}

static void score_all(struct work *work, struct json_writer *w)
{
    for (size_t i = 0; i < work->set->count; i++) {
        const struct evaluation_use *use = &work->set->uses[i];
        struct evaluation_score score = {.reason = STR("")};
        int rc;

        work->call.options = use->options;
        work->call.model = model_for(work, use);
        rc = use->evaluation->run(&work->call, &score);
        if (rc == 0)
            write_event(work, w, use->evaluation->name, &score);
        else if (rc < 0)
            log_warn("evaluation.not_made", LOG_CSTR("evaluation", use->evaluation->name), LOG_ERR);
    }
}

/* A run that was erased meanwhile gets no events any more. */
static int store_events(struct work *work, struct str events)
{
    struct run_row run;
    struct store_batch batch;
    struct agent_action_row row;
    int rc = store_get(
        work->house->store, STORE_RUNS, work->workspace_id, work->run_id, &work->arena, &run);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    row = (struct agent_action_row){.workspace_id = work->workspace_id,
        .run_id = work->run_id,
        .seq = work->first_seq,
        .events = events,
        .created_at = env_wall_ms(work->house->env)};
    store_batch_init(&batch, &work->arena);
    store_insert(&batch, STORE_AGENT_ACTIONS, &row);
    return store_commit(work->house->store, &batch);
}

static void evaluate(void *arg)
{
    struct work *work = arg;
    struct buf out = BUF_IN(&work->arena);
    struct json_writer w;

    memcpy(fiber_log_context()->run_id, work->run_id.ptr, ULID_LEN);
    fiber_set_deadline(loop_now_ms(fiber_loop()) + TIMEOUT_MS);
    json_init(&w, &out);
    json_array_begin(&w);
    score_all(work, &w);
    json_array_end(&w);
    fiber_set_deadline(FIBER_NO_DEADLINE);
    if (out.len > 2 && store_events(work, buf_str(&out)) < 0)
        log_warn("evaluation.not_stored", LOG_ERR);
    arena_deinit(&work->arena);
    free(work);
}

/* The newest first, until it is enough. */
static void copy_read(struct work *work, struct run *run)
{
    struct str *read = arena_array(&work->arena, struct str, run->message_count + 1);
    size_t bytes = 0;

    for (size_t i = run->message_count; i-- > 0 && bytes < READ_MAX;) {
        struct str text = run->messages[i].content;

        bytes += text.len;
        if (run->messages[i].role != MODEL_ASSISTANT)
            read[work->call.read_count++] = str_dup(&work->arena, guards_hide(run, text));
    }
    work->call.read = read;
}

/* A workflow has none: what its steps read is not in one place. */
static const struct evaluation_set *set_of(const struct run *run)
{
    static const struct evaluation_set nothing = {.count = 0};

    if (run->agent && (run->agent->evaluations.declared || run->agent->workflow))
        return &run->agent->evaluations;
    return run->house->agents ? &run->house->agents->evaluations : &nothing;
}

void evaluations_after_run(struct run *run)
{
    const struct evaluation_set *set = set_of(run);
    struct work *work;

    if (set->count == 0 || !run->result.spoke || run->paused || run->chat.count == 0)
        return;
    work = xcalloc(1, sizeof(*work));
    arena_init(&work->arena);
    work->house = run->house;
    work->set = set;
    work->workspace_id = str_dup(&work->arena, run->row.workspace_id);
    work->run_id = str_dup(&work->arena, run->row.id);
    work->last_seq = run->log.last_seq;
    work->first_seq = work->last_seq + 1;
    work->call = (struct evaluation_call){
        .arena = &work->arena,
        .asked =
            str_dup(&work->arena, guards_hide(run, run->chat.messages[run->chat.count - 1].text)),
        .reply = str_dup(&work->arena, guards_hide(run, run->result.reply)),
    };
    copy_read(work, run);
    fiber_spawn(fiber_loop(), "run.evaluations", evaluate, work);
}
