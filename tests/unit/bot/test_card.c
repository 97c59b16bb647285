#include "fixture.h"

static struct bot_chat *hold(struct fixture *f)
{
    return chat_hold(&f->bot->lanes[0], STR("fake|1|a|"));
}

/* The chat has another key from now on, and is read again. */
static void change_key(struct fixture *f)
{
    struct test *t = f->t;
    struct bot_chat *chat = hold(f);
    struct bot_settings settings;
    struct store_batch batch;

    EXPECT_OK(semaphore_take(&chat->lock, FIBER_NO_DEADLINE));
    settings = chat->settings;
    settings.button_key = button_key(&t->fake->env, t->arena);
    store_batch_init(&batch, t->arena);
    chat_put(chat, &batch, &settings, t->arena);
    EXPECT_OK(store_commit(f->store, &batch));
    EXPECT_OK(chat_load(chat));
    semaphore_give(&chat->lock);
    chat_release(chat);
}

static struct str button(struct fixture *f, enum bot_button_op op, struct str event_id)
{
    struct bot_button button = {.op = op, .id = event_id};
    struct bot_chat *chat = hold(f);
    struct str data =
        button_data(chat->settings.button_key, fixture_session(f, "a"), &button, f->t->arena);

    chat_release(chat);
    return data;
}

static struct calendar_event event_in_chat(struct fixture *f)
{
    int64_t start = f->t->fake->wall_ms + DAY_MS;

    fixture_hear(f, "a", "Ana", "hello");
    return fixture_book(f, "a", start, start + HOUR_MS, "Call");
}

/* What a press waits for takes time, in which the chat may be read again. */
TEST(a_card_is_signed_with_the_key_that_the_chat_has_then)
{
    static const enum bot_button_op ops[] = {BUTTON_CANCEL, BUTTON_MOVE, BUTTON_BACK};

    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        struct bot_button got;
        struct bot_chat *chat;
        struct fixture f;

        REQUIRE(fixture_open(t, &f));
        struct calendar_event event = event_in_chat(&f);
        struct str data = button(&f, ops[i], event.id);
        REQUIRE(!str_empty(data));
        f.on_press = change_key;
        fixture_hear(&f, "a", "Ana", str_printf(t->arena, "press:%.*s", STR_ARG(data)).ptr);
        chat = hold(&f);
        EXPECT(button_read(
            chat->settings.button_key, fixture_session(&f, "a"), buf_str(&f.data), &got));
        chat_release(chat);
        fixture_close(&f);
    }
}

/* A button of one chat, and one that nobody signed, do nothing in another. */
TEST(buttons_are_of_their_chat)
{
    struct calendar_event event, after;
    struct fixture f;
    struct str data;

    REQUIRE(fixture_open(t, &f));
    event = event_in_chat(&f);
    data = button(&f, BUTTON_GONE, event.id);
    fixture_hear(&f, "b", "Ana", "hello");
    fixture_hear(&f, "b", "Ana", str_printf(t->arena, "press:%.*s", STR_ARG(data)).ptr);
    fixture_hear(&f, "a", "Ana",
        str_printf(
            t->arena, "press:%.*s0000000000000000", STR_ARG(str_slice(data, 0, data.len - 16)))
            .ptr);
    REQUIRE_OK(calendar_get(f.calendar, STR("main"), event.id, t->arena, &after));
    EXPECT_STR(after.state, event.state.ptr);
    fixture_hear(&f, "a", "Ana", str_printf(t->arena, "press:%.*s", STR_ARG(data)).ptr);
    REQUIRE_OK(calendar_get(f.calendar, STR("main"), event.id, t->arena, &after));
    EXPECT_STR(after.state, "cancelled");
    fixture_close(&f);
}

static const char *state_of(struct fixture *f, struct str id)
{
    struct calendar_event event;
    struct test *t = f->t;

    if (!EXPECT_OK(calendar_get(f->calendar, STR("main"), id, t->arena, &event)))
        return "";
    return str_cstr(t->arena, event.state);
}

/* Who takes part may cancel, and is known by his name; not who only calls himself so. */
TEST(nobody_cancels_under_the_name_of_another)
{
    struct calendar_event event;
    struct fixture f;
    const char *press;

    REQUIRE(fixture_open(t, &f));
    fixture_hear(&f, "a", "7=Carla Ortiz", "hello");
    fixture_hear(&f, "a", "8=Eve", "hello");
    event = event_in_chat(&f);
    press = str_printf(t->arena, "press:%.*s", STR_ARG(button(&f, BUTTON_GONE, event.id))).ptr;
    fixture_hear(&f, "a", "8=Eve", press);
    EXPECT_CSTR(state_of(&f, event.id), "confirmed");
    fixture_hear(&f, "a", "8=Carla Ortiz", press);
    EXPECT_CSTR(state_of(&f, event.id), "confirmed");
    fixture_hear(&f, "a", "7=Carla Ortiz", press);
    EXPECT_CSTR(state_of(&f, event.id), "cancelled");
    fixture_close(&f);
}
