#include "secure/sigv4.h"
#include "test.h"

/* Vectors of AWS's published signing suite (aws-sig-v4-test-suite). */
static const struct aws_credentials example = {
    .access_key_id = {"AKIDEXAMPLE", 11},
    .secret_access_key = {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40},
};

static struct sigv4_request a_request(const char *method, const char *path, const char *query)
{
    return (struct sigv4_request){.method = method,
        .host = STR("example.amazonaws.com"),
        .path = str_from(path),
        .query = str_from(query),
        .body = STR(""),
        .region = STR("us-east-1"),
        .service = STR("service"),
        .wall_ms = 1440938160000};
}

static struct str signature_of(
    struct test *t, const struct aws_credentials *credentials, const struct sigv4_request *request)
{
    struct http_headers headers = sigv4_sign(t->arena, credentials, request);
    struct str value = http_header(&headers, "authorization");
    ptrdiff_t at = str_find(value, STR("Signature="), 0);

    return at < 0 ? STR("") : str_slice(value, (size_t)at + 10, value.len);
}

TEST(published_vectors_without_headers)
{
    static const struct {
        const char *method, *path, *query, *signature;
    } vectors[] = {
        {"GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "/", "Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"GET", "/", "Param1=value1",
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        {"POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"GET", "/\xe1\x88\xb4", "",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        {"GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    };

    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct sigv4_request request =
            a_request(vectors[i].method, vectors[i].path, vectors[i].query);
        EXPECT_STR(signature_of(t, &example, &request), vectors[i].signature);
    }
}

TEST(published_vectors_with_headers)
{
    const struct http_header sorted[] = {{STR("My-Header1"), STR("value1")}};
    const struct http_header trimmed[] = {
        {STR("My-Header1"), STR(" value1")}, {STR("My-Header2"), STR(" \"a   b   c\"")}};
    const struct http_header form[] = {
        {STR("Content-Type"), STR("application/x-www-form-urlencoded")}};
    struct sigv4_request request = a_request("POST", "/", "");

    request.headers = sorted, request.header_count = 1;
    EXPECT_STR(signature_of(t, &example, &request),
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c");
    request.headers = form;
    request.body = STR("Param1=value1");
    EXPECT_STR(signature_of(t, &example, &request),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
    request = a_request("GET", "/", "");
    request.headers = trimmed, request.header_count = 2;
    EXPECT_STR(signature_of(t, &example, &request),
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(canonical_request_is_as_written_down)
{
    const struct http_header headers[] = {
        {STR("X-Amz-Meta-B"), STR("2")}, {STR("X-Amz-Meta"), STR("1")}};
    struct sigv4_request request = a_request("GET", "/a b", "k&b=%2f&a=2&a=1");

    request.headers = headers, request.header_count = 2;
    EXPECT_STR(sigv4_canonical_request(t->arena, &request),
        "GET\n/a%20b\na=1&a=2&b=%2F&k=\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n"
        "x-amz-meta:1\nx-amz-meta-b:2\n\nhost;x-amz-date;x-amz-meta;x-amz-meta-b\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT(str_starts(sigv4_string_to_sign(t->arena, &request),
        STR("AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n")));
}

TEST(path_is_encoded_twice_except_for_s3)
{
    struct sigv4_request request = a_request("GET", "/a%20b/c", "");

    EXPECT(str_starts(sigv4_canonical_request(t->arena, &request), STR("GET\n/a%2520b/c\n")));
    request.service = STR("s3");
    EXPECT(str_starts(sigv4_canonical_request(t->arena, &request), STR("GET\n/a%20b/c\n")));
}

TEST(session_token_is_sent_and_signed)
{
    struct aws_credentials temporary = example;
    struct sigv4_request request = a_request("POST", "/", "");
    struct http_headers headers;

    temporary.session_token = STR("AQoDYXdzEPT//////////wEXAMPLE");
    headers = sigv4_sign(t->arena, &temporary, &request);
    EXPECT_STR(http_header(&headers, "x-amz-security-token"), "AQoDYXdzEPT//////////wEXAMPLE");
    EXPECT_STR(http_header(&headers, "x-amz-date"), "20150830T123600Z");
    EXPECT(str_find(http_header(&headers, "authorization"),
               STR("SignedHeaders=host;x-amz-date;x-amz-security-token, "), 0) > 0);
    EXPECT(!str_eq(signature_of(t, &temporary, &request), signature_of(t, &example, &request)));
}
