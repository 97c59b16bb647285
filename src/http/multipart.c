#include "http/multipart.h"

#include "base/env.h"

/* A file name inside quotes (RFC 7578 section 4.2; browsers write it so). */
static void add_quoted(struct buf *body, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c == '"')
            buf_add_str(body, STR("%22"));
        else
            buf_add_char(
                body, (unsigned char)c < ' ' || c == 0x7f || c == '/' || c == '\\' ? '_' : c);
    }
}

/* Nobody who makes a part can guess it, so the parts need not be searched for it. */
static struct str new_boundary(struct arena *arena)
{
    const struct env *env = env_system();
    struct buf out = BUF_IN(arena);

    buf_add_str(&out, STR("theo-"));
    for (int i = 0; i < 2; i++)
        buf_printf(&out, "%016llx", (unsigned long long)env_random_u64(env));
    return buf_str(&out);
}

/* A media type comes from strangers too: a line break in it would begin another header. */
static struct str media_type(struct str type)
{
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] < ' ' || type.ptr[i] > '~')
            return STR("application/octet-stream");
    return str_empty(type) ? STR("application/octet-stream") : type;
}

static void add_part(struct buf *body, struct str boundary, const struct multipart_part *part)
{
    buf_printf(body, "--%.*s\r\nContent-Disposition: form-data; name=\"", STR_ARG(boundary));
    add_quoted(body, part->name);
    buf_add_char(body, '"');
    if (!str_empty(part->file_name)) {
        buf_add_str(body, STR("; filename=\""));
        add_quoted(body, part->file_name);
        buf_printf(body, "\"\r\nContent-Type: %.*s", STR_ARG(media_type(part->type)));
    }
    buf_add_str(body, STR("\r\n\r\n"));
    buf_add_str(body, part->value);
    buf_add_str(body, STR("\r\n"));
}

struct str multipart_write(
    const struct multipart_part *parts, size_t count, struct arena *arena, struct str *ret_type)
{
    struct str boundary = new_boundary(arena);
    struct buf body = BUF_IN(arena);
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].value.len + 512;
    buf_reserve(&body, size);
    for (size_t i = 0; i < count; i++)
        add_part(&body, boundary, &parts[i]);
    buf_printf(&body, "--%.*s--\r\n", STR_ARG(boundary));
    *ret_type = str_printf(arena, "multipart/form-data; boundary=%.*s", STR_ARG(boundary));
    return buf_str(&body);
}
