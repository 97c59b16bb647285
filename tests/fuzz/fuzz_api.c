/* The whole interface behind its door: any path, query and body on each route, MCP and A2A too, of
 * a house with a memory store and the built-in model. Whatever is asked, the answer is one that the
 * contract knows: never a failure inside, and JSON where it says so.
 *
 * The first byte chooses the route; the first line is the id in its path, the second the query, the
 * rest the body. */
#include "api/exchange.h"
#include "house.h"
#include "runtime/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define INPUTS_A_HOUSE 400 /* what they stored is forgotten then */

struct front {
    struct house house;
    struct api api;
    int inputs;
};

static void open_front(struct front *front)
{
    house_open(&front->house, "");
    api_init(&front->api, &front->house.agent, front->house.calendar, "0.0.0");
}

static void close_front(struct front *front)
{
    api_deinit(&front->api);
    house_close(&front->house);
    *front = (struct front){0};
}

struct call {
    struct front *front;
    const struct route *route;
    struct str id, query, body;
};

static struct str path_of(const struct call *call, struct arena *arena)
{
    struct str pattern = str_from(call->route->pattern);
    ptrdiff_t open = str_find_char(pattern, '{', 0), close = str_find_char(pattern, '}', 0);

    if (open < 0)
        return pattern;
    return str_printf(arena, "%.*s%.*s%.*s", STR_ARG(str_slice(pattern, 0, (size_t)open)),
        STR_ARG(call->id), STR_ARG(str_slice(pattern, (size_t)close + 1, pattern.len)));
}

static void ask(void *arg)
{
    const struct call *call = arg;
    struct api_answer answer = {0};
    const struct json *root;
    struct arena arena;

    if (call->front->inputs == 0)
        open_front(call->front);
    arena_init(&arena);
    api_local(&call->front->api, call->route->method, path_of(call, &arena), call->query,
        call->body, STR("main"), &arena, &answer);
    if (answer.status < 200 || answer.status > 499)
        abort();
    if (answer.content_type && strstr(answer.content_type, "json") &&
        json_parse(&arena, answer.body, &root) < 0)
        abort();
    arena_deinit(&arena);
    if (++call->front->inputs == INPUTS_A_HOUSE)
        close_front(call->front);
}

static bool is_target(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct front front;
    struct call call = {.front = &front};
    size_t routes = 0;

    while (api_routes[routes].pattern)
        routes++;
    if (len == 0)
        return 0;
    call.route = &api_routes[bytes[0] % routes];
    call.body = (struct str){(const char *)bytes + 1, len - 1};
    if (str_find_nocase(call.body, STR("stream"), 0) >= 0)
        return 0; /* there is no connection to stream to */
    (void)str_next(&call.body, '\n', &call.id);
    (void)str_next(&call.body, '\n', &call.query);
    if (!call.body.ptr)
        call.body = STR("");
    if (str_find_char(call.id, '\0', 0) >= 0 || !is_target(call.query))
        return 0; /* HTTP's parser refuses it; an id comes out of it decoded */
    must(loop_run_fiber(env_system(), ask, &call));
    return 0;
}
