#include "api/exchange.h"
#include "test.h"

static struct exchange fresh(struct test *t, struct http_request *req, struct api *api)
{
    *req = (struct http_request){.arena = t->arena, .request_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    *api = (struct api){0};
    return (struct exchange){.req = req, .api = api, .arena = t->arena, .env = &t->fake->env};
}

static struct str header_of(const struct exchange *x, const char *name)
{
    struct http_headers headers = {
        (struct http_header *)(uintptr_t)x->answer.headers, x->answer.header_count};

    return http_header(&headers, name);
}

TEST(each_failure_has_its_status)
{
    static const struct {
        int code, status;
    } cases[] = {
        {ERR_INVALID, 422},
        {ERR_NOT_FOUND, 404},
        {ERR_EXISTS, 409},
        {ERR_CONFLICT, 409},
        {ERR_TIMEOUT, 504},
        {ERR_TOO_LARGE, 413},
        {ERR_DENIED, 403},
        {ERR_UNAUTHORIZED, 401},
        {ERR_BUSY, 429},
        {ERR_UNAVAILABLE, 503},
        {ERR_FULL, 507},
        {ERR_PROTOCOL, 502},
        {ERR_BUDGET, 422},
        {ERR_FAILED, 500},
        {ERR_IO, 500},
        {ERR_CORRUPT, 500},
    };

    log_level_set(LOG_OFF);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request req;
        struct api api;
        struct exchange x = fresh(t, &req, &api);

        problem_answer(&x, err_set(cases[i].code, "Something was wrong."));
        EXPECT_EQ(x.answer.status, cases[i].status);
        EXPECT_OK(json_check(x.answer.body));
    }
}

TEST(malformed_is_400)
{
    struct http_request req;
    struct api api;
    struct exchange x = fresh(t, &req, &api);

    x.malformed = true;
    problem_answer(&x, err_set(ERR_INVALID, "Not JSON."));
    EXPECT_EQ(x.answer.status, 400);
}

TEST(the_callers_field_and_wait_are_told)
{
    struct http_request req;
    struct api api;
    struct exchange x = fresh(t, &req, &api);
    const struct json *json;

    problem_answer(&x, err_field(ERR_INVALID, "a[3].b", "a[3].b is wrong."));
    REQUIRE_OK(json_parse(t->arena, x.answer.body, &json));
    EXPECT_STR(json_get_str(json, "field"), "a[3].b");
    EXPECT_STR(json_get_str(json, "request_id"), "01ARZ3NDEKTSV4RRFFQ69G5FAV");

    x = fresh(t, &req, &api);
    err_set(ERR_BUSY, "Too fast.");
    err_get()->retry_after_ms = 1500;
    problem_answer(&x, ERR_BUSY);
    EXPECT_STR(header_of(&x, "retry-after"), "2");
}

TEST(what_happened_inside_is_not_told)
{
    struct http_request req;
    struct api api;
    struct exchange x = fresh(t, &req, &api);

    log_level_set(LOG_OFF);
    problem_answer(&x, err_set(ERR_IO, "/var/lib/theo/theo.db: disk I/O error"));
    EXPECT(str_find(x.answer.body, STR("theo.db"), 0) < 0);
}

TEST(secrets_are_taken_out)
{
    struct http_request req;
    struct api api;
    struct exchange x = fresh(t, &req, &api);

    problem_answer(&x,
        err_set(ERR_UNAVAILABLE, "The server said: wrong key sk-abcdefghijklmnopqrstuvwx1234."));
    EXPECT_EQ(x.answer.status, 503);
    EXPECT(str_find(x.answer.body, STR("abcdefghijkl"), 0) < 0);
}

TEST(a_problem_that_was_chosen_stays)
{
    struct http_request req;
    struct api api;
    struct exchange x = fresh(t, &req, &api);

    problem_write(&x, 415, "unsupported_media_type", STR("No."));
    problem_answer(&x, err_set(ERR_INVALID, "The body is not JSON."));
    EXPECT_EQ(x.answer.status, 415);
}
