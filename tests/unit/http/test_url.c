#include "http/url.h"
#include "test.h"

TEST(url_parts)
{
    struct url url;
    REQUIRE_OK(url_parse(t->arena, STR("HTTPS://Example.ORG/a/b?x=1&y=%20#frag"), &url));
    EXPECT_STR(url.scheme, "https");
    EXPECT_STR(url.host, "example.org");
    EXPECT_STR(url.path, "/a/b");
    EXPECT_STR(url.query, "x=1&y=%20");
    EXPECT_EQ(url.port, 443);
    EXPECT(!url.has_user);

    REQUIRE_OK(url_parse(t->arena, STR("http://me:secret@[2001:DB8::1]:8080"), &url));
    EXPECT_STR(url.host, "2001:db8::1");
    EXPECT_STR(url.path, "/");
    EXPECT_STR(url.query, "");
    EXPECT_EQ(url.port, 8080);
    EXPECT(url.has_user);
}

TEST(url_hosts_in_disguise)
{
    static const char *const loopback[] = {"http://127.1/", "http://0x7f.1/", "http://2130706433/",
        "http://017700000001/", "http://%31%32%37.0.0.1/"};
    for (size_t i = 0; i < ARRAY_LEN(loopback); i++) {
        struct url url;
        REQUIRE_OK(url_parse(t->arena, str_from(loopback[i]), &url));
        EXPECT_STR(url.host, "127.0.0.1");
    }
}

TEST(url_refused)
{
    static const char *const bad[] = {"", "example.org", "/path", "ftp://example.org/",
        "file:///etc/passwd", "gopher://x/", "http:/example.org/", "http:///example.org/",
        "http://", "http:// x/", "http://a b/", "http://a/\r\nX: y", "http://a/\x7f", "http://a:0/",
        "http://a:65536/", "http://a:x/", "http://[::1/", "http://a\\@b/",
        "javascript://x/%0aalert(1)", "https://?x", "https://\xC3\xBC.example/", "http://a%0ab/",
        "http://a%00b/", "https://:80/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct url url;
        if (!EXPECT_EQ(url_parse(t->arena, str_from(bad[i]), &url), ERR_INVALID))
            printf("# %s\n", bad[i]);
    }
    struct url url;
    EXPECT_EQ(url_parse(t->arena, STR("http://a/\0b"), &url), ERR_INVALID);
    struct buf longer = BUF_IN(t->arena);
    buf_add_cstr(&longer, "http://a/");
    while (longer.len <= 8 * KIB)
        buf_add_char(&longer, 'a');
    EXPECT_EQ(url_parse(t->arena, buf_str(&longer), &url), ERR_INVALID);
}

TEST(url_encode_keeps_unreserved)
{
    struct buf out = BUF_IN(t->arena);
    url_encode(&out, STR("aZ09-._~ /?&=%+\xC3\xA9"));
    EXPECT_STR(buf_str(&out), "aZ09-._~%20%2F%3F%26%3D%25%2B%C3%A9");
}

TEST(private_addresses)
{
    static const char *const private_ones[] = {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
        "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
        "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1",
        "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::169.254.169.254",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:0:1::1", "2001:1ff::1", "2001:db8::1",
        "2002:7f00:1::1", "2002:a00:1::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1",
        "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "fe80::1%lo", "", "x", "127.1",
        "[::1]", "1.2.3.4 "};
    for (size_t i = 0; i < ARRAY_LEN(private_ones); i++) {
        if (!EXPECT(address_is_private(private_ones[i])))
            printf("# %s\n", private_ones[i]);
    }
    static const char *const public_ones[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
        "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255",
        "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1",
        "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2002:808:808::1", "3ffe::1",
        "3fff:1000::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"};
    for (size_t i = 0; i < ARRAY_LEN(public_ones); i++) {
        if (!EXPECT(!address_is_private(public_ones[i])))
            printf("# %s\n", public_ones[i]);
    }
}
