#include "runtime/errinj.h"
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/api_keys.h"
#include "store/backend.h"
#include "test.h"

struct fixture {
    struct sealer *sealer;
    struct store *store;
    const struct env *env;
    char key[API_KEY_LEN + 1];
    struct api_key_row row;
};

static struct api_key_request a_request(void)
{
    return (struct api_key_request){
        .workspace_id = STR("w1"), .name = STR("laptop"), .scopes = STR("schedule chat")};
}

/* A memory store with one key. */
static bool set_up(struct test *t, struct fixture *f)
{
    struct config config = {.data_dir = NULL};
    struct api_key_request request = a_request();

    f->env = &t->fake->env;
    return EXPECT_OK(sealer_new_ephemeral(env_system(), &f->sealer)) &&
           EXPECT_OK(store_open_with(
               &store_memory, &config, "trace:memory", f->env, f->sealer, &f->store)) &&
           EXPECT_OK(api_key_create(f->store, f->env, &request, t->arena, f->key, &f->row));
}

/* Fibers that note the use of a key come first: they use the store. */
static void tear_down(struct fixture *f)
{
    for (int i = 0; i < 10; i++)
        fiber_yield();
    store_close(f->store);
    sealer_free(f->sealer);
}

static int check(struct fixture *f, const char *key)
{
    struct api_identity who;

    return api_key_check(f->store, f->env, str_from(key), &who);
}

static void pass(struct test *t, int64_t ms)
{
    t->fake->wall_ms += ms;
    t->fake->mono_ns += ms * 1000000;
}

TEST(created_key_is_accepted)
{
    struct fixture f;
    struct api_identity who;

    REQUIRE(set_up(t, &f));
    EXPECT_EQ(strlen(f.key), API_KEY_LEN);
    EXPECT(strncmp(f.key, "theo_", 5) == 0);
    REQUIRE_OK(api_key_check(f.store, f.env, str_from(f.key), &who));
    EXPECT_CSTR(who.workspace_id, "w1");
    EXPECT_CSTR(who.name, "laptop");
    EXPECT_STR(f.row.id, who.key_id);
    EXPECT_STR(f.row.scopes, "chat schedule"); /* in one order */
    EXPECT(api_identity_may(&who, "chat"));
    EXPECT(api_identity_may(&who, "schedule"));
    EXPECT(!api_identity_may(&who, "keys"));
    EXPECT(!api_identity_may(&who, "admin"));
    EXPECT(!api_identity_may(&who, "nonsense"));
    tear_down(&f);
}

TEST(admin_may_everything_known)
{
    struct api_identity who = {.scopes = 1};

    EXPECT(api_identity_may(&who, "admin"));
    EXPECT(api_identity_may(&who, "keys"));
    EXPECT(!api_identity_may(&who, "nonsense"));
}

TEST(only_a_hash_is_stored)
{
    struct fixture f;
    struct api_key_row row;
    const char *secret;

    REQUIRE(set_up(t, &f));
    secret = f.key + 14;
    REQUIRE_OK(store_get(f.store, STORE_API_KEYS, STR("w1"), f.row.id, t->arena, &row));
    EXPECT_EQ(row.hash.len, 64);
    EXPECT(str_find(row.hash, str_from(secret), 0) < 0);
    tear_down(&f);
}

TEST(wrong_keys_are_refused_alike)
{
    struct fixture f;
    char other[API_KEY_LEN + 1], message[512];

    REQUIRE(set_up(t, &f));
    EXPECT_EQ(check(&f, ""), ERR_UNAUTHORIZED);
    snprintf(message, sizeof(message), "%s", err_message());
    EXPECT_EQ(check(&f, "theo_nonsense"), ERR_UNAUTHORIZED);
    EXPECT_CSTR(err_message(), message);
    memcpy(other, f.key, sizeof(other));
    other[20] = other[20] == 'x' ? 'y' : 'x'; /* the secret */
    EXPECT_EQ(check(&f, other), ERR_UNAUTHORIZED);
    EXPECT_CSTR(err_message(), message);
    memcpy(other, f.key, sizeof(other));
    other[6] = other[6] == '0' ? '1' : '0'; /* the id */
    EXPECT_EQ(check(&f, other), ERR_UNAUTHORIZED);
    EXPECT_CSTR(err_message(), message);
    EXPECT_OK(check(&f, f.key));
    tear_down(&f);
}

TEST(wrong_requests_name_the_field)
{
    struct fixture f;
    struct api_key_request request = a_request();
    struct api_key_row row;
    char key[API_KEY_LEN + 1];

    REQUIRE(set_up(t, &f));
    request.scopes = STR("chat fly");
    EXPECT_EQ(api_key_create(f.store, f.env, &request, t->arena, key, &row), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "scopes");
    request.scopes = STR(" ");
    EXPECT_EQ(api_key_create(f.store, f.env, &request, t->arena, key, &row), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "scopes");
    request = a_request(), request.name = STR("a\nb");
    EXPECT_EQ(api_key_create(f.store, f.env, &request, t->arena, key, &row), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "name");
    request = a_request(), request.expires_at = 1;
    EXPECT_EQ(api_key_create(f.store, f.env, &request, t->arena, key, &row), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "expires_at");
    tear_down(&f);
}

TEST(expired_key_is_refused)
{
    struct fixture f;
    struct api_key_request request = a_request();
    struct api_key_row row;
    char key[API_KEY_LEN + 1];

    REQUIRE(set_up(t, &f));
    request.expires_at = t->fake->wall_ms + 500;
    REQUIRE_OK(api_key_create(f.store, f.env, &request, t->arena, key, &row));
    EXPECT_OK(check(&f, key));
    pass(t, 500); /* within the cache's second: the time still counts */
    EXPECT_EQ(check(&f, key), ERR_UNAUTHORIZED);
    tear_down(&f);
}

TEST(revoked_key_is_refused_at_once_here)
{
    struct fixture f;

    REQUIRE(set_up(t, &f));
    EXPECT_OK(check(&f, f.key));
    EXPECT_OK(api_key_revoke(f.store, f.env, STR("w1"), f.row.id));
    EXPECT_EQ(check(&f, f.key), ERR_UNAUTHORIZED);
    EXPECT_OK(api_key_revoke(f.store, f.env, STR("w1"), f.row.id)); /* is no failure */
    EXPECT_EQ(api_key_revoke(f.store, f.env, STR("w2"), f.row.id), ERR_NOT_FOUND);
    tear_down(&f);
}

TEST(revocation_elsewhere_is_noticed_within_a_second)
{
    struct fixture f;
    struct store_batch batch;
    struct api_key_row row;

    REQUIRE(set_up(t, &f));
    EXPECT_OK(check(&f, f.key));
    REQUIRE_OK(store_get(f.store, STORE_API_KEYS, STR("w1"), f.row.id, t->arena, &row));
    row.revoked_at = t->fake->wall_ms;
    store_batch_init(&batch, t->arena);
    store_update(&batch, STORE_API_KEYS, &row);
    EXPECT_OK(store_commit(f.store, &batch)); /* as another process does */
    pass(t, 999);
    EXPECT_OK(check(&f, f.key)); /* still kept */
    pass(t, 1);
    EXPECT_EQ(check(&f, f.key), ERR_UNAUTHORIZED);
    tear_down(&f);
}

TEST(revocation_elsewhere_is_noticed_at_once_when_told)
{
    struct api_identity who;
    struct store_batch batch;
    struct api_key_row row;
    struct fixture f;

    REQUIRE(set_up(t, &f));
    for (int round = 0; round < 2; round++) {
        EXPECT_OK(api_key_check(f.store, f.env, str_from(f.key), &who));
        REQUIRE_OK(store_get(f.store, STORE_API_KEYS, STR("w1"), f.row.id, t->arena, &row));
        row.revoked_at = t->fake->wall_ms;
        store_batch_init(&batch, t->arena);
        store_update(&batch, STORE_API_KEYS, &row);
        REQUIRE_OK(store_commit(f.store, &batch));
        EXPECT_OK(api_key_check(f.store, f.env, str_from(f.key), &who));
        api_key_forget(f.store, STR("00000000"));
        EXPECT_OK(api_key_check(f.store, f.env, str_from(f.key), &who));
        api_key_forget(f.store, round == 0 ? f.row.id : STR(""));
        EXPECT_EQ(api_key_check(f.store, f.env, str_from(f.key), &who), ERR_UNAUTHORIZED);
        row.revoked_at = 0;
        row.version++;
        store_batch_init(&batch, t->arena);
        store_update(&batch, STORE_API_KEYS, &row);
        REQUIRE_OK(store_commit(f.store, &batch));
        api_key_forget(f.store, f.row.id);
    }
    tear_down(&f);
}

static void note_change(void *ctx, struct str id)
{
    buf_add_str(ctx, id);
    buf_add_char(ctx, ' ');
}

TEST(changes_of_keys_are_told)
{
    struct buf told = BUF_IN(t->arena);
    char key[API_KEY_LEN + 1];
    struct api_key_row row;
    struct fixture f;

    REQUIRE(set_up(t, &f));
    api_key_on_change(f.store, note_change, &told);
    EXPECT_OK(api_key_rotate(f.store, f.env, STR("w1"), f.row.id, 0, t->arena, key, &row));
    EXPECT_OK(api_key_revoke(f.store, f.env, STR("w1"), row.id));
    EXPECT_EQ(api_key_revoke(f.store, f.env, STR("w2"), row.id), ERR_NOT_FOUND);
    EXPECT_STR(
        buf_str(&told), str_printf(t->arena, "%.*s %.*s ", STR_ARG(f.row.id), STR_ARG(row.id)).ptr);
    tear_down(&f);
}

TEST(unknown_ids_are_kept_for_a_second)
{
    struct fixture f;
    struct store_batch batch;

    REQUIRE(set_up(t, &f));
    store_batch_init(&batch, t->arena);
    store_delete(&batch, STORE_API_KEYS, &f.row);
    EXPECT_OK(store_commit(f.store, &batch));
    EXPECT_EQ(check(&f, f.key), ERR_UNAUTHORIZED);
    EXPECT_OK(errinj_set("store.get")); /* it does not ask the store again */
    EXPECT_EQ(check(&f, f.key), ERR_UNAUTHORIZED);
    pass(t, 1000);
    EXPECT_EQ(check(&f, f.key), ERR_IO); /* now it does; a failure is not a refusal */
    EXPECT_OK(errinj_set(NULL));
    tear_down(&f);
}

TEST(what_is_in_memory_is_told_without_the_store)
{
    struct fixture f;
    char other[API_KEY_LEN + 1];

    REQUIRE(set_up(t, &f));
    EXPECT(!api_key_in_memory(f.store, f.env, str_from(f.key))); /* it was not used yet */
    EXPECT_OK(check(&f, f.key));
    pass(t, DAY_MS);
    EXPECT_OK(errinj_set("store.get"));
    EXPECT(api_key_in_memory(f.store, f.env, str_from(f.key)));
    memcpy(other, f.key, sizeof(other));
    other[20] = other[20] == 'x' ? 'y' : 'x';
    EXPECT(!api_key_in_memory(f.store, f.env, str_from(other)));
    EXPECT(!api_key_in_memory(f.store, f.env, STR("nonsense")));
    EXPECT_OK(errinj_set(NULL));
    EXPECT_OK(api_key_revoke(f.store, f.env, STR("w1"), f.row.id));
    EXPECT_EQ(check(&f, f.key), ERR_UNAUTHORIZED);
    EXPECT(!api_key_in_memory(f.store, f.env, str_from(f.key)));
    tear_down(&f);
}

TEST(rotated_key_ends_after_its_grace)
{
    struct fixture f;
    struct api_key_row row, old;
    char key[API_KEY_LEN + 1], third[API_KEY_LEN + 1];

    REQUIRE(set_up(t, &f));
    REQUIRE_OK(
        api_key_rotate(f.store, f.env, STR("w1"), f.row.id, 10 * SECOND_MS, t->arena, key, &row));
    EXPECT_STR(row.scopes, "chat schedule");
    EXPECT_STR(row.name, "laptop");
    EXPECT_OK(check(&f, key));
    EXPECT_OK(check(&f, f.key));
    REQUIRE_OK(store_get(f.store, STORE_API_KEYS, STR("w1"), f.row.id, t->arena, &old));
    EXPECT(str_eq(old.rotated_to, row.id));
    pass(t, 10 * SECOND_MS);
    EXPECT_OK(check(&f, key));
    EXPECT_EQ(check(&f, f.key), ERR_UNAUTHORIZED);
    EXPECT_EQ(api_key_rotate(f.store, f.env, STR("w1"), f.row.id, 0, t->arena, third, &row),
        ERR_CONFLICT);
    EXPECT_EQ(api_key_rotate(f.store, f.env, STR("w1"), STR("00000000"), 0, t->arena, third, &row),
        ERR_NOT_FOUND);
    tear_down(&f);
}

static int64_t last_used(struct test *t, struct fixture *f)
{
    struct api_key_row row = {.last_used_at = -1};

    for (int i = 0; i < 10; i++)
        fiber_yield();
    EXPECT_OK(store_get(f->store, STORE_API_KEYS, STR("w1"), f->row.id, t->arena, &row));
    return row.last_used_at;
}

TEST(use_is_noted_once_a_minute)
{
    struct fixture f;
    int64_t first;

    REQUIRE(set_up(t, &f));
    first = t->fake->wall_ms;
    EXPECT_OK(check(&f, f.key));
    EXPECT_EQ(last_used(t, &f), first);
    pass(t, 59 * SECOND_MS);
    EXPECT_OK(check(&f, f.key));
    EXPECT_EQ(last_used(t, &f), first);
    pass(t, SECOND_MS);
    EXPECT_OK(check(&f, f.key));
    EXPECT_EQ(last_used(t, &f), first + MINUTE_MS);
    tear_down(&f);
}

TEST(failure_to_note_the_use_fails_nothing)
{
    struct fixture f;

    REQUIRE(set_up(t, &f));
    EXPECT_OK(errinj_set("store.commit.before"));
    EXPECT_OK(check(&f, f.key));
    EXPECT_EQ(last_used(t, &f), 0);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_OK(check(&f, f.key));
    tear_down(&f);
}
