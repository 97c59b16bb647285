/* The HTTP+JSON binding of A2A 1.0: a path for each method, and JSON without an envelope. */
#include "api/a2a.h"

typedef int a2a_method(struct exchange *x, const struct a2a_call *call);

bool a2a_version_known(const struct exchange *x, enum a2a_form form)
{
    struct str version = http_header(&x->req->headers, "a2a-version");

    return str_empty(version) || str_is(version, "1.0") ||
           (form != A2A_HTTP && str_is(version, "0.3"));
}

static int serve(struct exchange *x, a2a_method *method)
{
    struct a2a_call call = {.form = A2A_HTTP, .params = x->body, .task_id = x->params[0]};

    if (!mcp_origin_allowed(x))
        return err_set(ERR_DENIED, "This Origin may not use Theo; name it in server.origins.");
    if (!a2a_version_known(x, A2A_HTTP))
        return a2a_refuse(
            x, &call, A2A_VERSION, "Theo speaks version 1.0 of A2A here, and 0.3 by JSON-RPC.");
    return a2a_refuse_rc(x, &call, method(x, &call));
}

int a2a_http_send(struct exchange *x)
{
    return serve(x, a2a_send);
}

int a2a_http_stream(struct exchange *x)
{
    return serve(x, a2a_stream);
}

int a2a_http_get(struct exchange *x)
{
    return serve(x, a2a_get_task);
}

int a2a_http_cancel(struct exchange *x)
{
    return serve(x, a2a_cancel_task);
}
