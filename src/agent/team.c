/* Members at work. A member is a run inside the run: it thinks with instructions, a model and tools
 * of its own, and what it does counts, is recorded and is kept with the root. Its leader calls it
 * by a tool, so that calls of several members at once, time-outs and failures are those of tools.
 */
#include "agent/checkpoint.h"
#include "runtime/loop.h"

static const char task_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"task\"],\"properties\":{"
    "\"task\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4000,"
    "\"description\":\"what to do, with all that is needed to know besides the chat\"}}}";

static struct str member_data(struct run *run, const struct agent_def *member, struct str task,
    const char *status, struct str text)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "member", member->name);
    if (status)
        json_cstr_member(&w, "status", status);
    if (!str_empty(task))
        json_str_member(&w, "task", task);
    if (!str_empty(text))
        json_str_member(&w, "text", utf8_truncate(text, 4000));
    json_object_end(&w);
    return buf_str(&out);
}

/* What a member has of its own begins empty; the rest is the leader's. */
static struct run *begin_member(
    struct run *leader, const struct agent_def *def, struct str task, struct arena *arena)
{
    struct run *run = arena_new(arena, struct run);
    int64_t most = def->timeout_ms > 0 ? loop_now_ms(fiber_loop()) + def->timeout_ms : INT64_MAX;

    *run = (struct run){
        .root = leader->root,
        .leader = leader,
        .agent = def,
        .task = task,
        .depth = leader->depth + 1,
        .house = leader->house,
        .request = leader->request,
        .arena = arena,
        .seed = leader->seed,
        .persona = leader->persona,
        .row = leader->row,
        .session = leader->session,
        .chat = leader->chat,
        .zone = leader->zone,
        .now_ms = leader->now_ms,
        .begun_ms = leader->begun_ms,
        .deadline_ms = MIN(leader->deadline_ms, most),
        .verdict = leader->verdict,
        .step = leader->step,
        .delta = BUF_HEAP,
        .result = {.reply = STR(""), .reason = STR("")},
    };
    return run;
}

static int begin(struct run *leader, struct run *run)
{
    int rc =
        run_event(leader, "member.started", member_data(run, run->agent, run->task, NULL, STR("")));

    if (rc == 0)
        rc = think_prepare(run);
    return rc < 0 ? rc : think(run);
}

static int go_on(struct run *run, const struct json *frame)
{
    int rc = think_prepare(run);

    if (rc < 0)
        return rc;
    checkpoint_read_part(run, frame);
    return run_resume(run, false);
}

int team_ask(struct run *leader, const struct agent_def *def, struct str task,
    const struct json *frame, struct arena *arena, struct str *ret_answer)
{
    struct run *run = begin_member(leader, def, task, arena);
    int rc = frame ? go_on(run, frame) : begin(leader, run);
    struct err cause = *err_get();

    buf_deinit(&run->delta);
    if (rc == ERR_CANCELLED || fiber_is_cancelled())
        return err_set(ERR_CANCELLED, "The run was cancelled.");
    if (rc == CALLS_PAUSE) {
        *ret_answer = checkpoint_write(run);
        return CALLS_PAUSE;
    }
    if (run_event(leader, "member.completed",
            member_data(run, def, STR(""), rc < 0 ? "failed" : "done",
                rc < 0 ? str_from(cause.message) : run->result.reply)) < 0)
        return ERR_CANCELLED;
    *err_get() = cause;
    if (rc == 0)
        *ret_answer = run->result.reply;
    return rc;
}

/* The run of every member's tool; ctx is the member. */
static int call_member(const struct tool_call *call, struct tool_result *ret_result)
{
    const struct agent_def *def = call->tool->ctx;
    struct str answer = STR("");
    int rc = team_ask(
        call->run, def, json_get_str(call->args, "task"), call->frame, call->arena, &answer);

    if (rc == CALLS_PAUSE)
        *ret_result = (struct tool_result){.content = answer};
    if (rc != 0)
        return rc;
    *ret_result = (struct tool_result){.content = answer,
        .summary = call->tool->stop_after
                       ? answer
                       : str_printf(call->arena, "%.*s answered", STR_ARG(def->name)),
        .event = STR("")};
    return 0;
}

/* Names of tools have no dashes. */
static const char *tool_name(struct arena *arena, struct str name)
{
    char *text = str_cstr(arena, str_printf(arena, "ask_%.*s", STR_ARG(name)));

    for (char *c = text; *c; c++)
        *c = *c == '-' ? '_' : char_lower(*c);
    return text;
}

void team_member_tools(struct arena *arena, struct agent_def *team)
{
    struct tool *tools = arena_array(arena, struct tool, team->member_count);

    team->member_tools = tools;
    team->member_tool_count = team->member_count;
    if (team->mode == TEAM_TASKS) {
        team->member_tool_count = 1;
        tasks_tool(arena, team, &tools[0]);
        return;
    }
    if (team->mode == TEAM_BROADCAST)
        team->member_tool_count = 0;
    for (size_t i = 0; i < team->member_count; i++) {
        const struct agent_def *member = team->members[i];

        tools[i] = (struct tool){
            .name = tool_name(arena, member->name),
            .description = str_printf(arena, "Ask your colleague %.*s%s%.*s. Answers in words.",
                STR_ARG(member->name), member->role.len ? ": " : "", STR_ARG(member->role))
                               .ptr,
            .parameters = task_schema,
            .effect = TOOL_READ,
            .timeout_ms = HOUR_MS, /* the run's deadline comes first */
            .run = call_member,
            .stop_after = team->mode == TEAM_ROUTE,
            .ctx = member,
        };
    }
}

const struct tool *const *team_tools(struct run *run, size_t *ret_count)
{
    const struct agent_def *team = run->agent;
    const struct tool **list;

    *ret_count = 0;
    if (!team || team->member_tool_count == 0)
        return NULL;
    list = arena_array(run->arena, const struct tool *, team->member_tool_count);
    for (size_t i = 0; i < team->member_tool_count; i++)
        list[(*ret_count)++] = &team->member_tools[i];
    return list;
}

/* One of the members that answer at the same time. */
struct voice {
    struct run *leader;
    const struct agent_def *def;
    const struct json *frame; /* it waited; NULL: it begins, or has spoken */
    bool spoken;              /* before the run waited */
    struct arena arena;
    struct str answer; /* or its frame */
    struct err cause;
    int rc;
};

static void speak_up(void *arg)
{
    struct voice *voice = arg;

    memcpy(fiber_log_context()->run_id, voice->leader->row.id.ptr, ULID_LEN);
    fiber_set_deadline(voice->leader->deadline_ms);
    voice->rc =
        team_ask(voice->leader, voice->def, STR(""), voice->frame, &voice->arena, &voice->answer);
    voice->cause = *err_get();
}

static void free_voice(void *arg)
{
    arena_deinit(arg);
}

/* How each voice stands, for when all that wait have been decided. */
static int wait_for_people(struct run *run, const struct voice *voices, size_t count)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&w);
        if (voices[i].rc == CALLS_PAUSE)
            json_raw_member(&w, "frame", voices[i].answer);
        else
            json_str_member(&w, voices[i].rc == 0 ? "answer" : "error",
                voices[i].rc == 0 ? voices[i].answer : str_from(voices[i].cause.message));
        json_object_end(&w);
    }
    json_array_end(&w);
    run->stand = buf_str(&out);
    return CALLS_PAUSE;
}

static void take_up(struct voice *voice, const struct json *stand)
{
    voice->frame = json_get(stand, "frame");
    voice->spoken = stand && !voice->frame;
    if (!voice->spoken)
        return;
    voice->answer = json_get_str(stand, "answer");
    if (!json_get(stand, "error"))
        return;
    voice->rc = err_set(ERR_UNAVAILABLE, "%.*s", STR_ARG(json_get_str(stand, "error")));
    voice->cause = *err_get();
}

static void add_voice(struct run *run, const struct voice *voice)
{
    run_message_add(run,
        &(struct model_message){
            .role = MODEL_USER,
            .author = str_printf(run->arena, "(your colleague %.*s)", STR_ARG(voice->def->name)),
            .content = voice->rc == 0
                           ? voice->answer
                           : str_printf(run->arena, "could not answer: %s", voice->cause.message),
        });
}

int team_prepare(struct run *run)
{
    const struct agent_def *team = run->agent;
    struct fiber **fibers;
    struct voice *voices;
    bool waits = false;

    if (!team || team->mode != TEAM_BROADCAST)
        return 0;
    voices = arena_array(run->arena, struct voice, team->member_count);
    fibers = arena_array(run->arena, struct fiber *, team->member_count);
    for (size_t i = 0; i < team->member_count; i++) {
        voices[i] = (struct voice){.leader = run, .def = team->members[i]};
        take_up(&voices[i], json_at(json_get(run->resumed, "stand"), i));
        arena_init(&voices[i].arena);
        arena_defer(run->arena, free_voice, &voices[i].arena);
        if (!voices[i].spoken)
            fibers[i] = fiber_spawn_joinable(fiber_loop(), "run.member", speak_up, &voices[i]);
    }
    fiber_join_all(fibers, team->member_count);
    if (fiber_is_cancelled())
        return err_set(ERR_CANCELLED, "The run was cancelled.");
    for (size_t i = 0; i < team->member_count; i++)
        waits = waits || voices[i].rc == CALLS_PAUSE;
    if (waits)
        return wait_for_people(run, voices, team->member_count);
    run->stand = STR("");
    for (size_t i = 0; i < team->member_count; i++)
        add_voice(run, &voices[i]);
    return 0;
}
