#include "secure/seal.h"
#include "test.h"

static struct sealer *ready(struct test *t, const char *workspace)
{
    struct sealer *sealer = NULL;
    struct str wrapped;

    if (sealer_new_ephemeral(&t->fake->env, &sealer) != 0)
        return NULL;
    EXPECT_OK(sealer_make_data_key(sealer, str_from(workspace), t->arena, &wrapped));
    EXPECT_EQ(wrapped.len, SEAL_KEY_LEN + SEAL_OVERHEAD);
    EXPECT_OK(sealer_add_data_key(sealer, str_from(workspace), wrapped));
    return sealer;
}

TEST(seal_round_trip)
{
    struct sealer *sealer = ready(t, "ws");
    struct str sealed, again, plain;

    REQUIRE(sealer != NULL);
    for (size_t len = 0; len < 3000; len = len * 2 + 1) {
        char *text = arena_zalloc(t->arena, 1, len + 1);

        memset(text, 'a', len);
        REQUIRE_OK(
            seal(sealer, STR("ws"), STR("messages|1"), (struct str){text, len}, t->arena, &sealed));
        EXPECT_EQ(sealed.len, len + SEAL_OVERHEAD);
        EXPECT_EQ(sealed.ptr[0], 1);
        EXPECT(len < 8 || str_find(sealed, STR("aaaaaaaa"), 0) < 0);
        REQUIRE_OK(unseal(sealer, STR("ws"), STR("messages|1"), sealed, t->arena, &plain));
        EXPECT_STR(plain, text);
        EXPECT_EQ(plain.ptr[plain.len], 0);
    }
    REQUIRE_OK(seal(sealer, STR("ws"), STR("a"), STR("x"), t->arena, &sealed));
    REQUIRE_OK(seal(sealer, STR("ws"), STR("a"), STR("x"), t->arena, &again));
    EXPECT(!str_eq(sealed, again)); /* a fresh nonce each time */
    sealer_free(sealer);
}

TEST(seal_notices_every_flipped_bit)
{
    struct sealer *sealer = ready(t, "ws");
    struct str sealed, plain = STR("untouched");

    REQUIRE(sealer != NULL);
    REQUIRE_OK(seal(sealer, STR("ws"), STR("place"), STR("secret"), t->arena, &sealed));

    char *bytes = str_cstr(t->arena, sealed);

    for (size_t i = 0; i < sealed.len * 8; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
        int r = unseal(
            sealer, STR("ws"), STR("place"), (struct str){bytes, sealed.len}, t->arena, &plain);

        /* Another key's number is a key that may yet be learnt. */
        REQUIRE(
            r == (i >= 8 && i < 40 && seal_key_number((struct str){bytes, 5 + 40}) ? ERR_NOT_FOUND
                                                                                   : ERR_CORRUPT));
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
    }
    for (size_t len = 0; len < sealed.len; len++)
        REQUIRE(unseal(sealer, STR("ws"), STR("place"), str_slice(sealed, 0, len), t->arena,
                    &plain) == ERR_CORRUPT);
    EXPECT_STR(plain, "untouched");
    sealer_free(sealer);
}

TEST(seal_binds_a_value_to_its_place_and_workspace)
{
    struct sealer *sealer = ready(t, "ws");
    struct str sealed, plain, wrapped;

    REQUIRE(sealer != NULL);
    REQUIRE_OK(sealer_make_data_key(sealer, STR("other"), t->arena, &wrapped));
    EXPECT_EQ(sealer_add_data_key(sealer, STR("ws"), wrapped), ERR_CORRUPT); /* not its key */
    REQUIRE_OK(sealer_add_data_key(sealer, STR("other"), wrapped));
    REQUIRE_OK(seal(sealer, STR("ws"), STR("row 1"), STR("x"), t->arena, &sealed));
    EXPECT_EQ(unseal(sealer, STR("ws"), STR("row 2"), sealed, t->arena, &plain), ERR_CORRUPT);
    EXPECT_EQ(unseal(sealer, STR("other"), STR("row 1"), sealed, t->arena, &plain), ERR_CORRUPT);
    EXPECT_EQ(unseal(sealer, STR("none"), STR("row 1"), sealed, t->arena, &plain), ERR_NOT_FOUND);
    EXPECT_EQ(seal(sealer, STR("none"), STR("row 1"), STR("x"), t->arena, &sealed), ERR_NOT_FOUND);
    EXPECT(sealer_has_data_key(sealer, STR("ws")));
    EXPECT(!sealer_has_data_key(sealer, STR("none")));
    sealer_free(sealer);
}

TEST(seal_opens_old_values_after_a_new_data_key)
{
    struct sealer *sealer = ready(t, "ws");
    struct str old, fresh, plain, wrapped;

    REQUIRE(sealer != NULL);
    REQUIRE_OK(seal(sealer, STR("ws"), STR("p"), STR("old"), t->arena, &old));
    REQUIRE_OK(sealer_make_data_key(sealer, STR("ws"), t->arena, &wrapped));
    REQUIRE_OK(sealer_add_data_key(sealer, STR("ws"), wrapped));
    REQUIRE_OK(sealer_add_data_key(sealer, STR("ws"), wrapped)); /* twice does no harm */
    REQUIRE_OK(seal(sealer, STR("ws"), STR("p"), STR("new"), t->arena, &fresh));
    EXPECT_EQ(old.ptr[4], 1);
    EXPECT_EQ(fresh.ptr[4], 2);
    REQUIRE_OK(unseal(sealer, STR("ws"), STR("p"), old, t->arena, &plain));
    EXPECT_STR(plain, "old");
    REQUIRE_OK(unseal(sealer, STR("ws"), STR("p"), fresh, t->arena, &plain));
    EXPECT_STR(plain, "new");
    sealer_free(sealer);
}

TEST(sealer_keeps_its_key_in_the_file)
{
    struct str path = str_printf(t->arena, "%s/master.key", test_dir(t));
    struct sealer *first, *second, *stranger;
    struct str wrapped, sealed, plain;
    char id1[17], id2[17], id3[17];
    bool created = false;

    EXPECT_EQ(sealer_open(&t->fake->env, path.ptr, false, &first, &created), ERR_NOT_FOUND);
    REQUIRE_OK(sealer_open(&t->fake->env, path.ptr, true, &first, &created));
    EXPECT(created);
    REQUIRE_OK(sealer_make_data_key(first, STR("ws"), t->arena, &wrapped));
    REQUIRE_OK(sealer_add_data_key(first, STR("ws"), wrapped));
    REQUIRE_OK(seal(first, STR("ws"), STR("p"), STR("kept"), t->arena, &sealed));
    REQUIRE_OK(sealer_open(&t->fake->env, path.ptr, true, &second, &created));
    EXPECT(!created);
    REQUIRE_OK(sealer_add_data_key(second, STR("ws"), wrapped));
    REQUIRE_OK(unseal(second, STR("ws"), STR("p"), sealed, t->arena, &plain));
    EXPECT_STR(plain, "kept");
    REQUIRE_OK(sealer_new_ephemeral(&t->fake->env, &stranger));
    EXPECT_EQ(sealer_add_data_key(stranger, STR("ws"), wrapped), ERR_CORRUPT);
    sealer_key_id(first, id1);
    sealer_key_id(second, id2);
    sealer_key_id(stranger, id3);
    EXPECT_EQ(strlen(id1), 16);
    EXPECT_CSTR(id1, id2);
    EXPECT(strcmp(id1, id3) != 0);
    sealer_free(first);
    sealer_free(second);
    sealer_free(stranger);
    sealer_free(NULL);
}

TEST(sealer_holds_many_workspaces)
{
    struct sealer *sealer = ready(t, "ws");
    struct str wrapped, sealed, plain;

    REQUIRE(sealer != NULL);
    for (int i = 0; i < 300; i++) {
        struct str ws = str_printf(t->arena, "ws-%d", i);

        REQUIRE_OK(sealer_make_data_key(sealer, ws, t->arena, &wrapped));
        REQUIRE_OK(sealer_add_data_key(sealer, ws, wrapped));
    }
    REQUIRE_OK(seal(sealer, STR("ws-123"), STR("p"), STR("x"), t->arena, &sealed));
    REQUIRE_OK(unseal(sealer, STR("ws-123"), STR("p"), sealed, t->arena, &plain));
    EXPECT_EQ(unseal(sealer, STR("ws-124"), STR("p"), sealed, t->arena, &plain), ERR_CORRUPT);
    sealer_free(sealer);
}

/* A crash after any step of a change of the master key leaves a sealer that opens everything. */
TEST(master_key_changes_step_by_step)
{
    const char *path = str_printf(t->arena, "%s/rotated.key", test_dir(t)).ptr;
    struct sealer *sealer, *server, *fresh;
    struct str wrapped, again, same, sealed, plain;
    char id[17], next_id[17];

    REQUIRE_OK(sealer_open(env_system(), path, true, &server, NULL));
    REQUIRE_OK(sealer_make_data_key(server, STR("w1"), t->arena, &wrapped));
    REQUIRE_OK(sealer_add_data_key(server, STR("w1"), wrapped));
    REQUIRE_OK(seal(server, STR("w1"), STR("place"), STR("secret"), t->arena, &sealed));
    sealer_key_id(server, id);
    REQUIRE_OK(sealer_open(env_system(), path, false, &sealer, NULL));
    REQUIRE_OK(sealer_prepare_next(sealer, next_id));
    EXPECT(strcmp(id, next_id) != 0);
    REQUIRE_OK(sealer_rewrap(sealer, STR("w1"), wrapped, t->arena, &again));
    EXPECT(!str_eq(again, wrapped));
    REQUIRE_OK(sealer_rewrap(sealer, STR("w1"), again, t->arena, &same));
    EXPECT(str_eq(again, same));
    REQUIRE_OK(sealer_open(env_system(), path, false, &fresh, NULL)); /* crashed: both are held */
    EXPECT(sealer_holds(fresh, str_from(id)) && sealer_holds(fresh, str_from(next_id)));
    EXPECT_OK(sealer_add_data_key(fresh, STR("w1"), again));
    REQUIRE_OK(unseal(fresh, STR("w1"), STR("place"), sealed, t->arena, &plain));
    EXPECT_STR(plain, "secret");
    sealer_free(fresh);
    REQUIRE_OK(sealer_promote_next(sealer));
    REQUIRE_OK(sealer_open(env_system(), path, false, &fresh, NULL));
    sealer_key_id(fresh, id);
    EXPECT_CSTR(id, next_id);
    EXPECT_OK(sealer_add_data_key(fresh, STR("w1"), again));
    EXPECT_OK(sealer_add_data_key(fresh, STR("w1"), wrapped)); /* by the old key */
    EXPECT_OK(sealer_add_data_key(server, STR("w1"), again));  /* which reads the files again */
    EXPECT_EQ(sealer_add_data_key(fresh, STR("w2"), again), ERR_CORRUPT);
    sealer_free(fresh);
    sealer_free(sealer);
    sealer_free(server);
}
