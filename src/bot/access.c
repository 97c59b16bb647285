/* Who may talk to Theo: closed by default. The setting telegram.allow lists chats and people; a
 * pairing code lets a chat in, and so does a listed person who adds Theo to a group.
 *
 * Codes stand, hashed, in the workspace's settings: {"pairing":[{"hash":"…","expires":ms}]}. */
#include "bot/access.h"

#include "bot/private.h"
#include "secure/keys.h"

#include <sodium.h>

#define CODE_BYTES 5
#define HASH_BYTES 32
#define CODES_MAX 20
#define TRIES 20

/* Is that part of the list all that stands between two commas? */
static bool stands_alone(struct str list, size_t from, size_t to)
{
    while (from > 0 && char_is_space(list.ptr[from - 1]))
        from--;
    while (to < list.len && char_is_space(list.ptr[to]))
        to++;
    return (from == 0 || list.ptr[from - 1] == ',') && (to == list.len || list.ptr[to] == ',');
}

static bool lists(const char *allow, struct str id)
{
    struct str list = str_from(allow);
    ptrdiff_t at = str_empty(id) ? -1 : str_find(list, id, 0);

    while (at >= 0 && !stands_alone(list, (size_t)at, (size_t)at + id.len))
        at = str_find(list, id, (size_t)at + 1);
    return at >= 0;
}

bool access_is_listed(const struct bot *bot, struct str id)
{
    return lists(bot->options.config->telegram_allow, id);
}

enum bot_access access_of(
    const struct bot *bot, const struct bot_chat *chat, const struct channel_update *update)
{
    bool person;

    if (chat->settings.paired || access_is_listed(bot, update->chat_id))
        return ACCESS_YES;
    person = !update->from.anonymous && access_is_listed(bot, update->from.id);
    if (update->chat == CHANNEL_PRIVATE && person)
        return ACCESS_YES;
    if (update->kind == CHANNEL_SELF && update->self != CHANNEL_SELF_REMOVED && person)
        return ACCESS_JOINS;
    return ACCESS_NO;
}

static struct str hash_code(struct str code, struct arena *arena)
{
    unsigned char hash[HASH_BYTES];
    struct buf out = BUF_IN(arena);

    code = str_lower(arena, str_trim(code));
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)code.ptr, code.len, NULL, 0);
    for (size_t i = 0; i < sizeof(hash); i++)
        buf_printf(&out, "%02x", hash[i]);
    return buf_str(&out);
}

/* The settings with the codes that hold, without the one named, and with a new one. */
static struct str rewrite(struct str settings, struct str drop, struct str add, int64_t expires,
    int64_t now, bool *ret_dropped, struct arena *arena)
{
    const struct json *root = NULL;
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    size_t kept = 0;

    *ret_dropped = false;
    if (json_parse(arena, settings, &root) < 0)
        root = NULL;
    json_init(&w, &out);
    json_object_begin(&w);
    json_put_members(&w, root, "pairing");
    json_name(&w, "pairing");
    json_array_begin(&w);
    for (const struct json *one = json_first(json_get(root, "pairing")); one;
         one = json_next(one)) {
        if (json_get_i64(one, "expires", 0) <= now)
            continue;
        if (secret_equal(json_get_str(one, "hash"), drop))
            *ret_dropped = true;
        else if (kept++ < CODES_MAX)
            json_put_node(&w, one);
    }
    if (!str_empty(add)) {
        json_object_begin(&w);
        json_str_member(&w, "hash", add);
        json_i64_member(&w, "expires", expires);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

/* 0, or 1 when the code to be dropped was there. */
static int change(struct store *store, const struct env *env, struct str workspace_id,
    struct str drop, struct str add, int64_t expires)
{
    int rc = STORE_CONFLICT;
    bool dropped = false;

    for (int i = 0; i < TRIES && rc == STORE_CONFLICT; i++) {
        struct workspace_row row;
        struct store_batch batch;
        struct arena arena;

        arena_init(&arena);
        rc = store_get(store, STORE_WORKSPACES, workspace_id, workspace_id, &arena, &row);
        if (rc == 0) {
            row.settings =
                rewrite(row.settings, drop, add, expires, env_wall_ms(env), &dropped, &arena);
            store_batch_init(&batch, &arena);
            store_update(&batch, STORE_WORKSPACES, &row);
            rc = str_empty(add) && !dropped ? 0 : store_commit(store, &batch);
        }
        arena_deinit(&arena);
    }
    if (rc > 0)
        return err_set(ERR_UNAVAILABLE, "The workspace is being changed by others; try again.");
    return rc < 0 ? rc : dropped;
}

int access_take_code(struct bot *bot, struct str code)
{
    const struct bot_options *options = &bot->options;
    struct arena arena;
    int rc;

    if (code.len > 64)
        return 0;
    arena_init(&arena);
    rc = change(
        options->store, options->env, options->workspace_id, hash_code(code, &arena), STR(""), 0);
    arena_deinit(&arena);
    return rc;
}

int bot_pairing_code(struct store *store, const struct env *env, struct str workspace_id,
    int64_t minutes, struct arena *arena, struct str *ret_code)
{
    static const char digits[] = "abcdefghjkmnpqrstuvwxyz23456789";
    unsigned char bytes[2 * CODE_BYTES];
    struct buf code = BUF_IN(arena);
    int rc;

    env->random(env->ctx, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        buf_add_char(&code, digits[bytes[i] % (sizeof(digits) - 1)]);
    rc = change(store, env, workspace_id, STR(""), hash_code(buf_str(&code), arena),
        env_wall_ms(env) + minutes * MINUTE_MS);
    if (rc == 0)
        *ret_code = buf_str(&code);
    return rc;
}
