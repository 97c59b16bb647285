/* /api/auth: keys and who holds them. Whoever manages keys can neither hand out nor take over more
 * than he may do himself.
 */
#include "api/exchange.h"

static const struct body_field key_fields[] = {
    {"name", JSON_STRING, 127},
    {"expires_at", JSON_STRING, 64},
    {"grace_seconds", JSON_NUMBER, 0},
};

static void write_scopes(struct json_writer *w, struct str scopes)
{
    struct str scope;

    json_name(w, "scopes");
    json_array_begin(w);
    while (str_next(&scopes, ' ', &scope))
        if (!str_empty(scope))
            json_put_str(w, scope);
    json_array_end(w);
}

/* key: the secret, or NULL; "" writes null. */
static void write_key(struct json_writer *w, const struct api_key_row *row, const char *key)
{
    json_object_begin(w);
    json_str_member(w, "id", row->id);
    if (key)
        write_opt(w, "key", str_from(key));
    json_str_member(w, "name", row->name);
    write_scopes(w, row->scopes);
    write_time(w, "created_at", row->created_at);
    write_time(w, "expires_at", row->expires_at);
    write_time(w, "last_used_at", row->last_used_at);
    write_time(w, "revoked_at", row->revoked_at);
    write_opt(w, "rotated_to", row->rotated_to);
    json_object_end(w);
}

static struct str key_text(struct exchange *x, const struct api_key_row *row, const char *key)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    write_key(&w, row, key);
    return buf_str(&out);
}

/* The secret is given once and never stored: a replay says null in its place. */
static void answer_new_key(struct exchange *x, const struct api_key_row *row, const char *key)
{
    x->answer.status = 201;
    x->answer.content_type = "application/json";
    x->answer.body = key_text(x, row, key);
    x->answer.keep_body = key_text(x, row, "");
}

/* The caller has all these scopes himself. What is no scope at all is for api_key_create() to say.
 */
static int covers(struct exchange *x, struct str scopes)
{
    if (api_identity_covers(&x->who, scopes))
        return 0;
    return err_set(ERR_DENIED,
        "This key may not manage keys with a scope that it does not have itself: %.*s.",
        STR_ARG(utf8_truncate(scopes, 80)));
}

/* ["chat", "read"] or "chat read". */
static int read_scopes(struct exchange *x, struct str *ret_scopes)
{
    const struct json *node = json_get(x->body, "scopes");
    struct buf out = BUF_IN(x->arena);

    if (json_is(node, JSON_STRING)) {
        *ret_scopes = str_trim(json_str(node));
        return 0;
    }
    if (!json_is(node, JSON_ARRAY) || json_len(node) > 16)
        return err_field(
            ERR_INVALID, "scopes", "scopes must be an array of some of: %s.", API_KEY_SCOPES);
    for (const struct json *item = json_first(node); item; item = json_next(item)) {
        if (!json_is(item, JSON_STRING) || str_find_char(json_str(item), ' ', 0) >= 0)
            return err_field(
                ERR_INVALID, "scopes", "scopes must be an array of some of: %s.", API_KEY_SCOPES);
        if (out.len > 0)
            buf_add_char(&out, ' ');
        buf_add_str(&out, json_str(item));
    }
    *ret_scopes = buf_str(&out);
    return 0;
}

int keys_create(struct exchange *x)
{
    struct api_key_request request = {.workspace_id = x->workspace};
    struct api_key_row row;
    char key[API_KEY_LEN + 1];
    int rc = body_check(x->body, key_fields, ARRAY_LEN(key_fields));

    if (rc == 0)
        rc = read_scopes(x, &request.scopes);
    if (rc == 0 && body_has(x->body, "expires_at"))
        rc = body_time(x->body, "expires_at", &request.expires_at);
    if (rc < 0)
        return rc;
    if (request.expires_at != 0 && request.expires_at <= env_wall_ms(x->env))
        return err_field(ERR_INVALID, "expires_at", "expires_at must be in the future.");
    request.name = json_get_str(x->body, "name");
    rc = covers(x, request.scopes);
    if (rc == 0)
        rc = api_key_create(x->store, x->env, &request, x->arena, key, &row);
    if (rc == 0)
        answer_new_key(x, &row, key);
    return rc;
}

int keys_list(struct exchange *x)
{
    struct store_query query = {
        .entity = STORE_API_KEYS, .index = 1, .value = STR("key"), .descending = true};
    struct listing listing;
    int rc = listing_begin(x, &query, "keys", 100, &listing);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < listing.page.count; i++)
        write_key(&listing.w, (const struct api_key_row *)listing.page.rows + i, NULL);
    return listing_end(x, &listing);
}

/* The key of the path, if the caller may manage it. */
static int find_key(struct exchange *x, struct api_key_row *ret_row)
{
    int rc = store_get(x->store, STORE_API_KEYS, x->workspace, x->params[0], x->arena, ret_row);

    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "There is no API key with this id.");
    return rc == 0 ? covers(x, ret_row->scopes) : rc;
}

int keys_rotate(struct exchange *x)
{
    struct api_key_row row;
    char key[API_KEY_LEN + 1];
    int64_t grace_s;
    int rc = find_key(x, &row);

    if (rc == 0)
        rc = body_i64(x->body, "grace_seconds", 0, 30 * 86400, 0, &grace_s);
    if (rc == 0)
        rc = api_key_rotate(
            x->store, x->env, x->workspace, x->params[0], grace_s * SECOND_MS, x->arena, key, &row);
    if (rc == 0)
        answer_new_key(x, &row, key);
    return rc;
}

int keys_revoke(struct exchange *x)
{
    struct api_key_row row;
    int rc = find_key(x, &row);

    if (rc == 0)
        rc = api_key_revoke(x->store, x->env, x->workspace, x->params[0]);
    if (rc == 0)
        x->answer.status = 204;
    return rc;
}

int whoami_get(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct str rest = STR(API_KEY_SCOPES), scope;
    struct json_writer w;
    bool admin = api_identity_may(&x->who, "admin");

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "key_id", x->who.key_id);
    json_cstr_member(&w, "name", x->who.name);
    json_cstr_member(&w, "workspace_id", x->who.workspace_id);
    json_name(&w, "scopes");
    json_array_begin(&w);
    while (str_next(&rest, ' ', &scope))
        if (admin ? str_is(scope, "admin") : api_identity_may(&x->who, str_cstr(x->arena, scope)))
            json_put_str(&w, scope);
    json_array_end(&w);
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}
