/* The master key in a file: "file" is DATA_DIR/master.key, "file:PATH" another one. */
#include "secure/key_local.h"

static int open_file(const struct key_provider_request *request, struct key_provider **ret_provider)
{
    struct buf path = BUF_HEAP;
    int r;

    if (str_empty(request->place))
        buf_printf(&path, "%s/master.key", request->config->data_dir);
    else
        buf_printf(&path, "%.*s", STR_ARG(request->place));
    r = key_local_open(request->env, path.ptr, request->create, request->ret_created, ret_provider);
    buf_deinit(&path);
    return r;
}

const struct key_provider_ops key_provider_file = {
    .name = "file",
    .open = open_file,
    .close = key_local_close,
    .wrap = key_local_wrap,
    .unwrap = key_local_unwrap,
    .holds = key_local_holds,
};
