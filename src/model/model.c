#include "model/model.h"

#include "watch/metrics.h"

struct model {
    const struct model_ops *ops;
    const struct env *env;
    void *state;
    char *spec;
};

/* The catalogue, set once before threads start. */
static const struct model_ops *const *registry;

void model_register(const struct model_ops *const *models)
{
    registry = models;
}

const char *model_error_name(enum model_error error)
{
    static const char *const names[] = {
        [MODEL_OK] = "ok",
        [MODEL_RATE_LIMITED] = "rate_limited",
        [MODEL_QUOTA] = "quota",
        [MODEL_CONTEXT_OVERFLOW] = "context_overflow",
        [MODEL_UNAVAILABLE] = "unavailable",
        [MODEL_TIMED_OUT] = "timed_out",
        [MODEL_UNAUTHORIZED] = "unauthorized",
        [MODEL_BAD_REQUEST] = "bad_request",
        [MODEL_BROKEN_ANSWER] = "broken_answer",
        [MODEL_CANCELLED] = "cancelled",
    };
    return (size_t)error < ARRAY_LEN(names) ? names[error] : "unknown";
}

static const struct model_ops *find_ops(struct str prefix)
{
    for (size_t i = 0; registry != NULL && registry[i] != NULL; i++) {
        if (str_is(prefix, registry[i]->prefix))
            return registry[i];
    }
    return NULL;
}

static int unknown_model(struct str spec)
{
    struct buf known = BUF_HEAP;
    for (size_t i = 0; registry != NULL && registry[i] != NULL; i++)
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", registry[i]->prefix);
    int rc = err_field(ERR_INVALID, "model",
        "there is no model \"%.*s\"; write builtin or PROVIDER:NAME with one of these: %.*s",
        STR_ARG(spec), STR_ARG(buf_str(&known)));
    buf_deinit(&known);
    return rc;
}

struct model *model_new(
    const struct model_ops *ops, void *state, const struct env *env, struct str spec)
{
    struct model *model = xcalloc(1, sizeof(*model));

    *model = (struct model){.ops = ops, .env = env, .state = state, .spec = str_heap(spec)};
    return model;
}

int model_open(
    const struct config *config, const struct env *env, struct str spec, struct model **ret_model)
{
    spec = str_trim(spec);
    ptrdiff_t colon = str_find_char(spec, ':', 0);
    struct str prefix = colon < 0 ? spec : str_slice(spec, 0, (size_t)colon);
    struct str name = colon < 0 ? STR("") : str_slice(spec, (size_t)colon + 1, spec.len);
    const struct model_ops *ops = find_ops(prefix);
    if (ops == NULL)
        return unknown_model(spec);
    void *state = NULL;
    int rc = ops->open(config, env, name, &state);
    if (rc != 0)
        return rc;
    *ret_model = model_new(ops, state, env, spec);
    return 0;
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    model->ops->close(model->state);
    free(model->spec);
    free(model);
}

struct str model_spec(const struct model *model)
{
    return str_from(model->spec);
}

bool model_is_builtin(const struct model *model)
{
    return str_is(STR("builtin"), model->ops->prefix);
}

int model_chat(struct model *model, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    struct model_reply reply = {0};
    enum model_error error = MODEL_OK;
    int64_t start_ns = model->env->mono_ns(model->env->ctx);
    int rc = model->ops->chat(model->state, request, arena, &reply, &error);
    int64_t took_ns = model->env->mono_ns(model->env->ctx) - start_ns;
    metric_add(M_MODEL_CALLS, model_error_name(error), 1);
    metric_observe_ms(M_MODEL_MS, NULL, (double)took_ns / 1e6);
    if (rc != 0) {
        assert(error != MODEL_OK);
        *ret_error = error;
        return rc;
    }
    metric_add(M_MODEL_TOKENS, "input", reply.usage.input_tokens);
    metric_add(M_MODEL_TOKENS, "output", reply.usage.output_tokens);
    *ret_error = MODEL_OK;
    *ret_reply = reply;
    return 0;
}
