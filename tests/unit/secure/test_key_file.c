#include "secure/key_file.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    if (file) {
        fputs(text, file);
        fclose(file);
    }
    chmod(path, mode);
}

TEST(key_file_is_made_once_and_private)
{
    struct str path = str_printf(t->arena, "%s/master.key", test_dir(t));
    unsigned char key[SEAL_KEY_LEN], again[SEAL_KEY_LEN];
    struct stat st;

    REQUIRE_OK(secure_init());
    EXPECT_EQ(key_file_read(path.ptr, key), ERR_NOT_FOUND);
    REQUIRE_OK(key_file_create(&t->fake->env, path.ptr));
    REQUIRE(stat(path.ptr, &st) == 0);
    EXPECT_EQ(st.st_mode & 0777, 0600);
    EXPECT_EQ(st.st_nlink, 1);
    EXPECT_EQ(st.st_size, 65);
    REQUIRE_OK(key_file_read(path.ptr, key));
    EXPECT_EQ(key_file_create(&t->fake->env, path.ptr), ERR_EXISTS);
    REQUIRE_OK(key_file_read(path.ptr, again));
    EXPECT(memcmp(key, again, sizeof(key)) == 0);
}

TEST(key_file_readable_by_others_is_refused)
{
    struct str path = str_printf(t->arena, "%s/master.key", test_dir(t));
    unsigned char key[SEAL_KEY_LEN];

    REQUIRE_OK(secure_init());
    REQUIRE_OK(key_file_create(&t->fake->env, path.ptr));
    chmod(path.ptr, 0640);
    EXPECT_EQ(key_file_read(path.ptr, key), ERR_DENIED);
    EXPECT(strstr(err_message(), "chmod 600") != NULL);
}

TEST(key_file_that_is_damaged_is_refused)
{
    static const char *const damaged[] = {"", "00",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"};
    struct str path = str_printf(t->arena, "%s/master.key", test_dir(t));
    unsigned char key[SEAL_KEY_LEN];

    REQUIRE_OK(secure_init());
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        write_file(path.ptr, damaged[i], 0600);
        EXPECT_EQ(key_file_read(path.ptr, key), ERR_CORRUPT);
    }
    write_file(
        path.ptr, "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\r\n", 0600);
    EXPECT_OK(key_file_read(path.ptr, key));
    EXPECT_EQ(key[7], 0xef);
    EXPECT_EQ(key_file_read(test_dir(t), key), ERR_CORRUPT); /* a folder */
}

TEST(key_file_in_a_missing_folder)
{
    struct str path = str_printf(t->arena, "%s/none/master.key", test_dir(t));

    REQUIRE_OK(secure_init());
    EXPECT_EQ(key_file_create(&t->fake->env, path.ptr), ERR_IO);
}
