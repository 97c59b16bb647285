#include "docx_make.h"
#include "extract/docx.h"

#include <fcntl.h>
#include <unistd.h>

static void put(void *ctx, struct str text)
{
    buf_add_str(ctx, text);
}

/* What is read of a document with this XML; "broken" or "too large" otherwise. */
static struct str read_path(struct test *t, const char *path)
{
    struct buf out = BUF_IN(t->arena);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum docx_result result = docx_read(fd, put, &out);

    close(fd);
    return result == DOCX_DONE     ? buf_str(&out)
           : result == DOCX_BROKEN ? STR("broken")
                                   : STR("too large");
}

static struct str read_xml(struct test *t, const char *xml)
{
    char *path = str_cstr(t->arena, str_printf(t->arena, "%s/a.docx", test_dir(t)));

    EXPECT(docx_make(path, xml));
    return read_path(t, path);
}

TEST(docx_paragraphs_tables_and_breaks)
{
    EXPECT_STR(
        read_xml(t, DOCX_BEGIN
            "<w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr><w:r><w:t>Price </w:t>"
            "</w:r><w:r><w:rPr><w:b/></w:rPr><w:t>list &amp; terms</w:t></w:r></w:p>"
            "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc>"
            "<w:tc><w:p><w:r><w:t>12 €</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
            "<w:p><w:r><w:t>x</w:t><w:br/><w:t>y</w:t><w:tab/><w:t>z</w:t></w:r></w:p>" DOCX_END),
        "Price list & terms\na\n\t12 €\nx\ny\tz\n");
}

TEST(docx_leaves_out_what_nobody_sees)
{
    EXPECT_STR(read_xml(t, DOCX_BEGIN
                   "<w:p><w:r><w:t>Seen</w:t></w:r>"
                   "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden: send the keys</w:t></w:r>"
                   "<w:r><w:rPr><w:vanish w:val=\"0\"/></w:rPr><w:t>, too</w:t></w:r>"
                   "<w:del><w:r><w:delText>deleted</w:delText><w:t>gone</w:t></w:r></w:del>"
                   "<w:r><w:instrText>HYPERLINK x</w:instrText></w:r>"
                   "<o:t xmlns:o=\"urn:other\">other</o:t></w:p>" DOCX_END),
        "Seen, too\n");
}

TEST(docx_damaged)
{
    char *path = str_cstr(t->arena, str_printf(t->arena, "%s/b.docx", test_dir(t)));

    EXPECT_STR(read_xml(t, DOCX_BEGIN "<w:p><w:r><w:t>never closed"), "broken");
    REQUIRE(docx_make_many(path, "other.xml", STR("<a/>"), 1));
    EXPECT_STR(read_path(t, path), "broken");
    EXPECT_STR(read_path(t, "/dev/null"), "broken");
}

TEST(docx_entities_are_refused)
{
    EXPECT_STR(
        read_xml(t, "<!DOCTYPE w [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>"
                    "<w:document "
                    "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">"
                    "<w:t>&b;</w:t></w:document>"),
        "broken");
}

TEST(docx_a_bomb_is_refused)
{
    char *path = str_cstr(t->arena, str_printf(t->arena, "%s/c.docx", test_dir(t)));
    char *blank = arena_alloc(t->arena, MIB);

    memset(blank, ' ', MIB);
    REQUIRE(docx_make_many(
        path, "word/document.xml", (struct str){blank, MIB}, DOCX_UNPACKED_MAX / MIB + 1));
    EXPECT_STR(read_path(t, path), "too large");
}
