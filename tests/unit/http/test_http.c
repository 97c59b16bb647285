#include "http/http.h"
#include "test.h"

TEST(methods_and_reasons)
{
    (void)t;
    for (int m = HTTP_GET; m < HTTP_OTHER; m++)
        EXPECT_EQ(http_method_parse(str_from(http_method_name((enum http_method)m))), m);
    EXPECT_EQ(http_method_parse(STR("get")), HTTP_OTHER);
    EXPECT_CSTR(http_reason(404), "Not Found");
    EXPECT_CSTR(http_reason(999), "Unknown");
}
