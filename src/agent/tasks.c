/* A team that works through a list of tasks: its leader adds tasks by one tool, says which of them
 * wait for which, and is told how all of them stand. Tasks that wait for nothing run at the same
 * time; one that fails blocks those after it, and nothing else.
 */
#include "agent/private.h"
#include "runtime/loop.h"

#define TASKS_MAX 32
#define AFTER_MAX 8

enum task_state {
    TASK_WAITING,
    TASK_RUNNING,
    TASK_DONE,
    TASK_FAILED,
    TASK_BLOCKED,
    TASK_PAUSED, /* people have to decide something first */
};

struct task {
    struct task_list *list;
    struct str id, text;
    const struct agent_def *member;
    const struct task *after[AFTER_MAX];
    size_t after_count;
    enum task_state state;
    struct str answer;        /* or why there is none, or its frame */
    const struct json *frame; /* it was paused, and goes on */
    struct arena arena;
    struct fiber *fiber; /* NULL: it does not run */
};

struct task_list {
    struct run *leader;
    struct semaphore lock;  /* calls take turns */
    struct semaphore ended; /* once for each that ended */
    struct task tasks[TASKS_MAX];
    size_t count;
};

static const char *state_name(enum task_state state)
{
    static const char *const names[] = {
        "waiting", "running", "done", "failed", "blocked", "paused"};

    return names[state];
}

static void free_list(void *arg)
{
    struct task_list *list = arg;

    for (size_t i = 0; i < list->count; i++)
        arena_deinit(&list->tasks[i].arena);
}

static struct task_list *list_of(struct run *leader)
{
    if (leader->tasks)
        return leader->tasks;
    leader->tasks = arena_new(leader->arena, struct task_list);
    leader->tasks->leader = leader;
    semaphore_init(&leader->tasks->lock, 1);
    semaphore_init(&leader->tasks->ended, 0);
    arena_defer(leader->arena, free_list, leader->tasks);
    return leader->tasks;
}

static const struct task *find_task(const struct task_list *list, struct str id)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->tasks[i].id, id))
            return &list->tasks[i];
    return NULL;
}

/* What a task waits for stands before it, so there are no circles. */
static int add_task(struct task_list *list, const struct agent_def *team, const struct json *asked)
{
    struct task *task = &list->tasks[list->count];
    struct str id = json_get_str(asked, "id"), member = json_get_str(asked, "member");

    if (list->count == TASKS_MAX)
        return err_field(ERR_INVALID, "tasks", "There may be at most %d tasks.", TASKS_MAX);
    if (find_task(list, id))
        return err_field(ERR_INVALID, "tasks", "There is a task %.*s already.", STR_ARG(id));
    *task = (struct task){.list = list, .answer = STR("")};
    for (size_t i = 0; i < team->member_count; i++)
        if (str_eq_nocase(team->members[i]->name, member))
            task->member = team->members[i];
    if (!task->member)
        return err_field(ERR_INVALID, "tasks", "The team has no member %.*s.", STR_ARG(member));
    for (const struct json *one = json_first(json_get(asked, "after")); one; one = json_next(one)) {
        const struct task *before = find_task(list, json_str(one));

        if (!before || task->after_count == AFTER_MAX)
            return err_field(ERR_INVALID, "tasks",
                "%.*s waits for %.*s, which is no task above it (at most %d).", STR_ARG(id),
                STR_ARG(json_str(one)), AFTER_MAX);
        task->after[task->after_count++] = before;
    }
    arena_init(&task->arena);
    task->id = str_dup(&task->arena, id);
    task->text = str_dup(&task->arena, json_get_str(asked, "task"));
    list->count++;
    return 0;
}

/* All tasks of one call, or none of them. */
static int add_tasks(struct task_list *list, const struct agent_def *team, const struct json *asked)
{
    size_t before = list->count;
    int rc = 0;

    for (const struct json *one = json_first(asked); one && rc == 0; one = json_next(one))
        rc = add_task(list, team, one);
    while (rc < 0 && list->count > before)
        arena_deinit(&list->tasks[--list->count].arena);
    return rc;
}

/* What the tasks before it came to is part of a task. */
static struct str full_text(struct task *task)
{
    struct buf out = BUF_IN(&task->arena);

    buf_add_str(&out, task->text);
    for (size_t i = 0; i < task->after_count; i++)
        buf_printf(&out, "\n\nThe outcome of %.*s:\n%.*s", STR_ARG(task->after[i]->id),
            STR_ARG(task->after[i]->answer));
    return buf_str(&out);
}

static void work(void *arg)
{
    struct task *task = arg;
    struct run *leader = task->list->leader;
    int rc;

    memcpy(fiber_log_context()->run_id, leader->row.id.ptr, ULID_LEN);
    fiber_set_deadline(leader->deadline_ms);
    rc = team_ask(leader, task->member, full_text(task), task->frame, &task->arena, &task->answer);
    task->state = rc < 0 ? TASK_FAILED : rc == CALLS_PAUSE ? TASK_PAUSED : TASK_DONE;
    if (rc < 0)
        task->answer = str_dup(&task->arena, str_from(err_message()));
    semaphore_give(&task->list->ended);
}

static enum task_state next_state(const struct task *task)
{
    enum task_state state = TASK_RUNNING;

    for (size_t i = 0; i < task->after_count; i++) {
        enum task_state before = task->after[i]->state;

        if (before == TASK_FAILED || before == TASK_BLOCKED)
            return TASK_BLOCKED;
        if (before != TASK_DONE)
            state = TASK_WAITING;
    }
    return state;
}

/* Start what waits for nothing; how many run now. */
static size_t start_ready(struct task_list *list)
{
    size_t running = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct task *task = &list->tasks[i];

        if (task->state == TASK_WAITING) {
            task->state = next_state(task);
            if (task->state == TASK_RUNNING)
                task->fiber = fiber_spawn_joinable(fiber_loop(), "run.task", work, task);
        }
        running += task->state == TASK_RUNNING;
    }
    return running;
}

/* Nothing runs on: the run is over, or all have ended. */
static void join_all(struct task_list *list, bool cancel)
{
    fiber_shield();
    for (size_t i = 0; i < list->count && cancel; i++)
        if (list->tasks[i].fiber && list->tasks[i].state == TASK_RUNNING)
            fiber_cancel(list->tasks[i].fiber);
    for (size_t i = 0; i < list->count; i++) {
        if (list->tasks[i].fiber && fiber_join(list->tasks[i].fiber) < 0)
            log_error("tasks.not_joined", LOG_ERR);
        list->tasks[i].fiber = NULL;
    }
    fiber_unshield();
}

static int work_through(struct task_list *list)
{
    int rc = 0;

    while (rc == 0 && start_ready(list) > 0)
        rc = semaphore_take(&list->ended, FIBER_NO_DEADLINE);
    join_all(list, rc < 0);
    return rc;
}

/* A task that was paused runs on; those after it may begin. */
static void take_up(struct task_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct task *task = &list->tasks[i];

        if (task->state != TASK_PAUSED)
            continue;
        if (json_parse(&task->arena, task->answer, &task->frame) < 0)
            abort(); /* it was written by checkpoint_write() */
        task->state = TASK_WAITING;
    }
}

void tasks_write(struct json_writer *w, const struct run *leader)
{
    const struct task_list *list = leader->tasks;

    json_name(w, "tasks");
    json_array_begin(w);
    for (size_t i = 0; i < list->count; i++) {
        const struct task *task = &list->tasks[i];

        json_object_begin(w);
        json_str_member(w, "id", task->id);
        json_str_member(w, "member", task->member->name);
        json_str_member(w, "task", task->text);
        json_cstr_member(w, "state", state_name(task->state));
        if (task->state == TASK_PAUSED)
            json_raw_member(w, "frame", task->answer);
        else
            json_str_member(w, "answer", task->answer);
        json_name(w, "after");
        json_array_begin(w);
        for (size_t k = 0; k < task->after_count; k++)
            json_put_str(w, task->after[k]->id);
        json_array_end(w);
        json_object_end(w);
    }
    json_array_end(w);
}

void tasks_read(struct run *leader, const struct json *nodes)
{
    struct task_list *list = list_of(leader);

    for (const struct json *one = json_first(nodes); one; one = json_next(one)) {
        struct task *task = &list->tasks[list->count];

        if (add_task(list, leader->agent, one) < 0)
            continue; /* the team has no such member any more */
        for (int i = TASK_WAITING; i <= TASK_PAUSED; i++)
            if (str_is(json_get_str(one, "state"), state_name((enum task_state)i)))
                task->state = (enum task_state)i;
        task->answer = str_dup(&task->arena, task->state == TASK_PAUSED
                                                 ? json_text(&task->arena, json_get(one, "frame"))
                                                 : json_get_str(one, "answer"));
    }
}

static bool stands_still(const struct task_list *list, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (list->tasks[i].state == TASK_PAUSED || list->tasks[i].state == TASK_WAITING)
            return true;
    return false;
}

static struct str write_list(const struct task_list *list, size_t first, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "tasks");
    json_array_begin(&w);
    for (size_t i = 0; i < list->count; i++) {
        const struct task *task = &list->tasks[i];

        json_object_begin(&w);
        json_str_member(&w, "id", task->id);
        json_str_member(&w, "member", task->member->name);
        json_cstr_member(&w, "state", state_name(task->state));
        if (i >= first && !str_empty(task->answer))
            json_str_member(&w, task->state == TASK_DONE ? "answer" : "error", task->answer);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

/* Which tasks a call added; a call that waited knows. */
static int add_or_take_up(
    const struct tool_call *call, struct task_list *list, size_t *ret_first, size_t *ret_end)
{
    int rc = 0;

    if (call->frame) {
        *ret_first = (size_t)json_get_i64(call->frame, "first", 0);
        *ret_end = MIN((size_t)json_get_i64(call->frame, "end", 0), list->count);
        take_up(list);
        return 0;
    }
    *ret_first = list->count;
    rc = add_tasks(list, call->tool->ctx, json_get(call->args, "tasks"));
    *ret_end = list->count;
    return rc;
}

/* ctx is the team. Two calls of one answer take turns: each works on the list as it finds it. */
static int call_tasks(const struct tool_call *call, struct tool_result *ret_result)
{
    struct task_list *list = list_of(call->run);
    size_t first = 0, end = 0, done = 0;
    int rc = semaphore_take(&list->lock, FIBER_NO_DEADLINE);

    if (rc < 0)
        return rc;
    rc = add_or_take_up(call, list, &first, &end);
    if (rc == 0)
        rc = work_through(list);
    semaphore_give(&list->lock);
    if (rc < 0)
        return rc;
    if (stands_still(list, first, end)) {
        *ret_result = (struct tool_result){
            .content = str_printf(call->arena, "{\"first\":%zu,\"end\":%zu}", first, end)};
        return CALLS_PAUSE;
    }
    for (size_t i = first; i < end; i++)
        done += list->tasks[i].state == TASK_DONE;
    *ret_result = (struct tool_result){.content = write_list(list, first, call->arena),
        .summary = str_printf(call->arena, "%zu of %zu tasks done", done, end - first),
        .event = STR("")};
    return 0;
}

static struct str parameters_of(struct arena *arena, const struct agent_def *team)
{
    struct buf names = BUF_IN(arena);

    for (size_t i = 0; i < team->member_count; i++)
        buf_printf(&names, "%s\"%.*s\"", i ? "," : "", STR_ARG(team->members[i]->name));
    return str_printf(arena,
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"tasks\"],"
        "\"properties\":{\"tasks\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":%d,\"items\":{"
        "\"type\":\"object\",\"additionalProperties\":false,"
        "\"required\":[\"id\",\"member\",\"task\"],\"properties\":{"
        "\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":40},"
        "\"member\":{\"type\":\"string\",\"enum\":[%.*s]},"
        "\"task\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4000},"
        "\"after\":{\"type\":\"array\",\"maxItems\":%d,\"items\":{\"type\":\"string\"},"
        "\"description\":\"ids of tasks above that must be done first; their outcome is told\"}"
        "}}}}}",
        TASKS_MAX, STR_ARG(buf_str(&names)), AFTER_MAX);
}

void tasks_tool(struct arena *arena, const struct agent_def *team, struct tool *ret_tool)
{
    struct buf about = BUF_IN(arena);

    buf_add_cstr(&about, "Add tasks to the team's list and have them done: those that wait for "
                         "nothing at the same time. Answers how each stands. Members:");
    for (size_t i = 0; i < team->member_count; i++)
        buf_printf(&about, "%s %.*s%s%.*s", i ? ";" : "", STR_ARG(team->members[i]->name),
            team->members[i]->role.len ? ", " : "", STR_ARG(team->members[i]->role));
    *ret_tool = (struct tool){
        .name = "do_tasks",
        .description = about.ptr,
        .parameters = str_cstr(arena, parameters_of(arena, team)),
        .effect = TOOL_READ,
        .timeout_ms = HOUR_MS, /* the run's deadline comes first */
        .run = call_tasks,
        .ctx = team,
    };
}
