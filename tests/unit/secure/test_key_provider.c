/* A service that keeps the master key, as a provider of the test's own: what a sealer makes of any
 * service. The real ones are tested against stubs in tests/e2e/keyproviders.test.js. */
#include "runtime/fiber.h"
#include "secure/key_provider.h"
#include "test.h"

struct service {
    int wraps, unwraps, fail; /* fail: what the next calls return */
    int64_t takes_ms;
};

static struct service *the_service; /* of the test that runs */

struct fake {
    struct key_provider provider;
    char id[64];
};

static int wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped)
{
    struct buf out = BUF_IN(arena);

    (void)provider;
    the_service->wraps++;
    if (the_service->fail)
        return err_set(the_service->fail, "the service is down: start it");
    buf_printf(&out, "%.*s|%u|", STR_ARG(use->workspace), (unsigned)use->number);
    for (size_t i = 0; i < SEAL_KEY_LEN; i++)
        buf_add_char(&out, (char)(key[i] ^ 0x5a));
    *ret_wrapped = buf_str(&out);
    return 0;
}

static int unwrap(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN])
{
    struct str prefix =
        str_printf(arena, "%.*s|%u|", STR_ARG(use->workspace), (unsigned)use->number);
    int r = fiber_sleep(the_service->takes_ms);

    (void)provider;
    the_service->unwraps++;
    if (r < 0)
        return r;
    if (the_service->fail)
        return err_set(the_service->fail, "the service is down: start it");
    if (!str_starts(wrapped, prefix) || wrapped.len != prefix.len + SEAL_KEY_LEN)
        return err_set(ERR_CORRUPT, "another workspace's");
    for (size_t i = 0; i < SEAL_KEY_LEN; i++)
        ret_key[i] = (unsigned char)(wrapped.ptr[prefix.len + i] ^ 0x5a);
    return 0;
}

static void close_fake(struct key_provider *provider)
{
    free(provider);
}

static int open_fake(
    const struct key_provider_request *request, struct key_provider **ret_provider);

static const struct key_provider_ops fake_ops = {
    .name = "fake", .open = open_fake, .close = close_fake, .wrap = wrap, .unwrap = unwrap};

static const struct key_provider_ops *const registry[] = {
    &key_provider_file, &key_provider_env, &fake_ops, NULL};

static int open_fake(const struct key_provider_request *request, struct key_provider **ret_provider)
{
    struct fake *fake = xcalloc(1, sizeof(*fake));

    snprintf(fake->id, sizeof(fake->id), "fake:%.*s", STR_ARG(request->place));
    fake->provider = (struct key_provider){.ops = &fake_ops, .env = request->env, .id = fake->id};
    *ret_provider = &fake->provider;
    return 0;
}

static char *text(struct test *t, const char *from)
{
    return str_cstr(t->arena, str_from(from));
}

static struct sealer *open_with(struct test *t, struct service *service, const char *providers)
{
    struct config config = {.data_dir = text(t, test_dir(t)),
        .key_provider = text(t, providers),
        .master_key = text(t, ""),
        .master_key_file = text(t, ""),
        .key_refresh_seconds = 60};
    struct sealer *sealer = NULL;

    the_service = service;
    key_provider_register(registry);
    EXPECT_OK(sealer_open_providers(env_system(), &config, true, &sealer, NULL));
    return sealer;
}

TEST(a_service_is_asked_once_however_many_want_the_key)
{
    struct service service = {0};
    struct sealer *sealer = open_with(t, &service, "fake:one");
    struct str wrapped, sealed, plain;

    REQUIRE(sealer != NULL);
    EXPECT_CSTR(sealer_master_id(sealer), "fake:one");
    REQUIRE_OK(sealer_make_data_key(sealer, STR("w1"), t->arena, &wrapped));
    EXPECT_EQ(wrapped_number(wrapped), 1);
    EXPECT_STR(wrapped_id(wrapped), "fake:one");
    for (int i = 0; i < 5; i++)
        EXPECT_OK(sealer_add_data_key(sealer, STR("w1"), wrapped));
    EXPECT_EQ(service.unwraps, 1);
    REQUIRE_OK(seal(sealer, STR("w1"), STR("p"), STR("text"), t->arena, &sealed));
    REQUIRE_OK(unseal(sealer, STR("w1"), STR("p"), sealed, t->arena, &plain));
    EXPECT_STR(plain, "text");
    EXPECT_EQ(sealer_add_data_key(sealer, STR("w2"), wrapped), ERR_CORRUPT);
    EXPECT(!sealer_has_data_key(sealer, STR("w2")));
    sealer_free(sealer);
}

struct racer {
    struct sealer *sealer;
    struct str wrapped;
    int rc;
};

static void race(void *arg)
{
    struct racer *racer = arg;

    racer->rc = sealer_add_data_key(racer->sealer, STR("w1"), racer->wrapped);
}

TEST(fibers_wait_for_the_one_that_asks)
{
    struct service service = {.takes_ms = 20};
    struct sealer *sealer = open_with(t, &service, "fake:one");
    struct fiber *fibers[8];
    struct racer racers[8];
    struct str wrapped;

    REQUIRE(sealer != NULL);
    REQUIRE_OK(sealer_make_data_key(sealer, STR("w1"), t->arena, &wrapped));
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        racers[i] = (struct racer){sealer, wrapped, -1};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "racer", race, &racers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        EXPECT_OK(fiber_join(fibers[i]));
        EXPECT_OK(racers[i].rc);
    }
    EXPECT_EQ(service.unwraps, 1);
    sealer_free(sealer);
}

TEST(health_tells_what_the_service_said_until_it_is_well)
{
    struct service service = {0};
    struct sealer *sealer = open_with(t, &service, "fake:one");
    struct str wrapped;

    REQUIRE(sealer != NULL);
    EXPECT_OK(sealer_health(sealer));
    EXPECT_EQ(service.unwraps, 0); /* nothing is asked while all is well */
    service.fail = ERR_UNAVAILABLE;
    EXPECT_EQ(sealer_make_data_key(sealer, STR("w1"), t->arena, &wrapped), ERR_UNAVAILABLE);
    EXPECT_EQ(sealer_health(sealer), ERR_UNAVAILABLE);
    EXPECT_CSTR(err_message(), "the service is down: start it");
    service.fail = 0;
    EXPECT_OK(sealer_health(sealer));
    sealer_free(sealer);
}

TEST(a_key_of_a_provider_that_is_not_named_is_refused)
{
    struct service service = {0};
    struct sealer *fake = open_with(t, &service, "fake:one"),
                  *file = open_with(t, &service, "file"),
                  *both = open_with(t, &service, "file, fake:one");
    struct str wrapped;

    REQUIRE(fake && file && both);
    REQUIRE_OK(sealer_make_data_key(fake, STR("w1"), t->arena, &wrapped));
    EXPECT_EQ(sealer_add_data_key(file, STR("w1"), wrapped), ERR_CORRUPT);
    EXPECT(strstr(err_message(), "fake:one") && strstr(err_message(), sealer_master_id(file)));
    EXPECT(!sealer_holds(file, STR("fake:one")));
    EXPECT(sealer_holds(both, STR("fake:one")));
    EXPECT_OK(sealer_add_data_key(both, STR("w1"), wrapped));
    EXPECT_CSTR(sealer_master_id(both), sealer_master_id(file));
    sealer_free(fake);
    sealer_free(file);
    sealer_free(both);
}

TEST(data_keys_are_wrapped_anew_under_another_provider_and_back)
{
    struct service service = {0};
    struct sealer *sealer = open_with(t, &service, "file"), *after;
    struct config config = {.data_dir = text(t, test_dir(t)),
        .master_key = text(t, ""),
        .master_key_file = text(t, "")};
    struct str wrapped, again, same, sealed, plain, id;

    REQUIRE(sealer != NULL);
    REQUIRE_OK(sealer_make_data_key(sealer, STR("w1"), t->arena, &wrapped));
    REQUIRE_OK(sealer_add_data_key(sealer, STR("w1"), wrapped));
    REQUIRE_OK(seal(sealer, STR("w1"), STR("p"), STR("kept"), t->arena, &sealed));
    REQUIRE_OK(sealer_rotate_to(sealer, &config, "fake:two"));
    REQUIRE_OK(sealer_prepare(sealer, t->arena, &id));
    EXPECT_STR(id, "fake:two");
    REQUIRE_OK(sealer_rewrap(sealer, STR("w1"), wrapped, t->arena, &again));
    EXPECT_STR(wrapped_id(again), "fake:two");
    EXPECT_EQ(service.unwraps, 1); /* that it opens is proved */
    REQUIRE_OK(sealer_rewrap(sealer, STR("w1"), again, t->arena, &same));
    EXPECT(str_eq(again, same));
    EXPECT_EQ(service.wraps, 1);
    after = open_with(t, &service, "fake:two");
    REQUIRE_OK(sealer_add_data_key(after, STR("w1"), again));
    REQUIRE_OK(unseal(after, STR("w1"), STR("p"), sealed, t->arena, &plain));
    EXPECT_STR(plain, "kept");
    REQUIRE_OK(sealer_rotate_to(after, &config, "file"));
    REQUIRE_OK(sealer_rewrap(after, STR("w1"), again, t->arena, &same));
    EXPECT_OK(sealer_add_data_key(sealer, STR("w1"), same));
    EXPECT_STR(wrapped_id(same), "");
    sealer_free(sealer);
    sealer_free(after);
}

TEST(check_sums_need_the_service_to_open_their_key)
{
    struct service service = {0};
    struct sealer *writer = open_with(t, &service, "fake:one"),
                  *reader = open_with(t, &service, "fake:one");
    unsigned char made[SEAL_MAC_LEN], same[SEAL_MAC_LEN];
    struct str wrapped;

    REQUIRE(writer && reader);
    REQUIRE_OK(sealer_mac_begin(writer, t->arena, &wrapped));
    EXPECT(wrapped.len > SEAL_KEY_LEN);
    REQUIRE_OK(sealer_mac_resume(reader, wrapped));
    sealer_mac(writer, "test", 7, STR("bytes"), made);
    sealer_mac(reader, "test", 7, STR("bytes"), same);
    EXPECT(memcmp(made, same, sizeof(made)) == 0);
    sealer_mac(reader, "test", 8, STR("bytes"), same);
    EXPECT(memcmp(made, same, sizeof(made)) != 0);
    EXPECT_EQ(sealer_mac_resume(reader, str_slice(wrapped, 0, wrapped.len - 1)), ERR_CORRUPT);
    sealer_free(writer);
    sealer_free(reader);
}

TEST(wrapped_keys_that_are_cut_are_none)
{
    struct service service = {0};
    struct sealer *sealer = open_with(t, &service, "fake:one");
    struct str wrapped;

    REQUIRE(sealer != NULL);
    REQUIRE_OK(sealer_make_data_key(sealer, STR("w1"), t->arena, &wrapped));
    for (size_t len = 0; len < wrapped.len; len++)
        REQUIRE(sealer_add_data_key(sealer, STR("w1"), str_slice(wrapped, 0, len)) == ERR_CORRUPT);
    EXPECT_OK(sealer_add_data_key(sealer, STR("w1"), wrapped));
    sealer_free(sealer);
}

TEST(settings_that_name_no_provider_are_refused)
{
    static const char *const wrong[] = {"vault", "", "file,", "file,file,file,file,file", "env"};
    struct config config = {.data_dir = text(t, test_dir(t)),
        .master_key = text(t, ""),
        .master_key_file = text(t, ""),
        .key_refresh_seconds = 60};
    struct sealer *sealer;

    key_provider_register(registry);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int r;

        config.key_provider = text(t, wrong[i]);
        r = sealer_open_providers(env_system(), &config, true, &sealer, NULL);
        EXPECT(r == ERR_INVALID || r == ERR_NOT_FOUND);
    }
}

TEST(freshness_ends_after_the_refresh_time)
{
    struct sealer *sealer;
    struct str wrapped;

    REQUIRE_OK(sealer_new_ephemeral(&t->fake->env, &sealer));
    EXPECT(!sealer_is_fresh(sealer, STR("w1")));
    REQUIRE_OK(sealer_make_data_key(sealer, STR("w1"), t->arena, &wrapped));
    REQUIRE_OK(sealer_add_data_key(sealer, STR("w1"), wrapped));
    EXPECT(sealer_is_fresh(sealer, STR("w1")));
    t->fake->mono_ns += 59 * 1000000000LL;
    EXPECT(sealer_is_fresh(sealer, STR("w1")));
    t->fake->mono_ns += 2 * 1000000000LL;
    EXPECT(!sealer_is_fresh(sealer, STR("w1"))); /* who is told so asks, */
    EXPECT(sealer_is_fresh(sealer, STR("w1")));  /* others go on, */
    t->fake->mono_ns += 31 * 1000000000LL;
    EXPECT(!sealer_is_fresh(sealer, STR("w1"))); /* another asks when the first came to nothing, */
    EXPECT(sealer_is_fresh(sealer, STR("w1")));
    t->fake->mono_ns += 30 * 1000000000LL;
    EXPECT(!sealer_is_fresh(sealer, STR("w1"))); /* and nobody goes on for ever. */
    EXPECT(!sealer_is_fresh(sealer, STR("w1")));
    sealer_set_fresh(sealer, STR("w1"), env_mono_ms(&t->fake->env));
    EXPECT(sealer_is_fresh(sealer, STR("w1")));
    sealer_free(sealer);
}
