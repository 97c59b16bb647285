#include "model/provider.h"

/* More parallel calls than any model makes; a bound on what a lying server can cost. */
#define CALLS_MAX 256

void provider_answer_init(struct provider_answer *answer, struct arena *arena)
{
    *answer = (struct provider_answer){.arena = arena,
        .content = BUF_IN(arena),
        .opaque = BUF_IN(arena),
        .thinking = BUF_IN(arena),
        .signature = BUF_IN(arena)};
}

static struct provider_call *add_call(struct provider_answer *answer, int64_t index)
{
    if (answer->call_count == CALLS_MAX) {
        (void)err_set(ERR_PROTOCOL, "the model asked for more than %d tools at once", CALLS_MAX);
        return NULL;
    }
    if (answer->call_count == answer->call_room) {
        size_t room = MAX(answer->call_room * 2, 4);
        answer->calls = arena_grow(answer->arena, answer->calls,
            answer->call_room * sizeof(struct provider_call), room * sizeof(struct provider_call));
        answer->call_room = room;
    }
    struct provider_call *call = &answer->calls[answer->call_count++];
    *call = (struct provider_call){.index = index, .arguments = BUF_IN(answer->arena)};
    return call;
}

/* Fragments are told apart by index. Some servers give every call index 0 but another id. */
struct provider_call *provider_answer_call(
    struct provider_answer *answer, int64_t index, struct str id)
{
    for (size_t i = answer->call_count; i > 0; i--) {
        struct provider_call *call = &answer->calls[i - 1];
        if (call->index == index && (str_empty(id) || str_empty(call->id) || str_eq(id, call->id)))
            return call;
    }
    return add_call(answer, index);
}

void provider_answer_end(
    struct provider_answer *answer, const struct env *env, struct model_reply *ret_reply)
{
    struct model_tool_call *calls =
        arena_array(answer->arena, struct model_tool_call, answer->call_count);
    for (size_t i = 0; i < answer->call_count; i++) {
        struct provider_call *from = &answer->calls[i];
        /* A result is matched to its call by id, so a missing one is made up. */
        if (str_empty(from->id))
            from->id = str_printf(answer->arena, "call_%s", ulid_new(env, answer->arena).ptr);
        calls[i] = (struct model_tool_call){from->id, from->name, buf_str(&from->arguments)};
    }
    if (answer->call_count > 0 && answer->finish == MODEL_STOP)
        answer->finish = MODEL_TOOL_CALLS;
    if (answer->refused)
        answer->finish = MODEL_FILTERED;
    *ret_reply = (struct model_reply){
        .content = buf_str(&answer->content),
        .tool_calls = calls,
        .tool_call_count = answer->call_count,
        .finish = answer->finish,
        .usage = answer->usage,
        .model = answer->model,
        .opaque = buf_str(&answer->opaque),
    };
}
