/* The content of a row: a post as JSON, and back. */
#include "channel/outbox_private.h"

static const char *const kinds[] = {
    "text", "edit", "document", "poll", "reaction", "leave", "poll_stop"};

struct str outbox_chat_of(struct str chat_key)
{
    ptrdiff_t bar = str_rfind_char(chat_key, '|');

    return bar < 0 ? chat_key : str_slice(chat_key, 0, (size_t)bar);
}

/* FNV-1a, 64 bits. */
uint64_t outbox_hash(struct str s)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3;
    return hash;
}

static void member(struct json_writer *w, const char *name, struct str value)
{
    if (!str_empty(value))
        json_str_member(w, name, value);
}

static void write_buttons(struct json_writer *w, const struct outbox_post *post)
{
    json_name(w, "buttons");
    json_array_begin(w);
    for (size_t i = 0; i < post->button_count; i++) {
        const struct outbox_button *button = &post->buttons[i];

        json_object_begin(w);
        json_str_member(w, "text", button->text);
        member(w, "data", button->data);
        member(w, "url", button->url);
        if (button->new_row)
            json_bool_member(w, "new_row", true);
        json_object_end(w);
    }
    json_array_end(w);
}

struct str outbox_options(struct arena *arena, const struct outbox_post *post)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "kind", kinds[post->kind]);
    member(&w, "reply_to", post->reply_to);
    member(&w, "message_id", post->message_id);
    member(&w, "after", post->after);
    if (post->looked > 0)
        json_i64_member(&w, "looked", (int64_t)post->looked);
    member(&w, "file_name", post->file_name);
    member(&w, "caption", post->caption);
    if (post->button_count > 0)
        write_buttons(&w, post);
    if (post->choice_count > 0) {
        json_name(&w, "choices");
        json_array_begin(&w);
        for (size_t i = 0; i < post->choice_count; i++)
            json_put_str(&w, post->choices[i]);
        json_array_end(&w);
    }
    if (post->quiet)
        json_bool_member(&w, "quiet", true);
    json_object_end(&w);
    return buf_str(&out);
}

struct str *outbox_ids(struct arena *arena, struct str channel_ids, size_t *ret_count)
{
    const struct json *list = NULL;
    struct str *ids;
    size_t count = 0;

    if (str_empty(channel_ids) || json_parse(arena, channel_ids, &list) < 0)
        list = NULL;
    ids = arena_array(arena, struct str, json_len(list) + 1);
    for (const struct json *n = json_first(list); n; n = json_next(n))
        ids[count++] = json_str(n);
    *ret_count = count;
    return ids;
}

static void read_buttons(const struct json *list, struct arena *arena, struct outbox_post *post)
{
    struct outbox_button *buttons = arena_array(arena, struct outbox_button, json_len(list) + 1);

    post->buttons = buttons;
    for (const struct json *n = json_first(list); n; n = json_next(n))
        buttons[post->button_count++] = (struct outbox_button){
            .text = json_get_str(n, "text"),
            .data = json_get_str(n, "data"),
            .url = json_get_str(n, "url"),
            .new_row = json_get_bool(n, "new_row", false),
        };
}

int outbox_read(const struct outbox_row *row, struct arena *arena, struct outbox_post *ret_post)
{
    struct outbox_post post = {.id = row->id,
        .chat_key = row->chat_key,
        .session_id = row->session_id,
        .run_id = row->run_id,
        .body = row->body};
    const struct json *options;
    struct str *choices;
    size_t kind = 0;

    if (json_parse(arena, row->options, &options) < 0)
        return err_set(ERR_CORRUPT, "the options of an outbox row are no JSON");
    while (kind < ARRAY_LEN(kinds) && !str_is(json_get_str(options, "kind"), kinds[kind]))
        kind++;
    if (kind == ARRAY_LEN(kinds))
        return err_set(ERR_CORRUPT, "an outbox row is of an unknown kind");
    post.kind = (enum outbox_kind)kind;
    post.reply_to = json_get_str(options, "reply_to");
    post.message_id = json_get_str(options, "message_id");
    post.after = json_get_str(options, "after");
    post.looked = (size_t)MAX(json_get_i64(options, "looked", 0), 0);
    post.file_name = json_get_str(options, "file_name");
    post.caption = json_get_str(options, "caption");
    post.quiet = json_get_bool(options, "quiet", false);
    read_buttons(json_get(options, "buttons"), arena, &post);
    choices = arena_array(arena, struct str, json_len(json_get(options, "choices")) + 1);
    for (const struct json *n = json_first(json_get(options, "choices")); n; n = json_next(n))
        choices[post.choice_count++] = json_str(n);
    post.choices = choices;
    *ret_post = post;
    return 0;
}
