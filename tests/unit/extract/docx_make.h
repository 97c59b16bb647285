/* Word documents for tests. */
#ifndef DOCX_MAKE_H
#define DOCX_MAKE_H

#include "test.h"

#include <minizip/zip.h>

#define DOCX_BEGIN                                                                                 \
    "<?xml version=\"1.0\"?><w:document "                                                          \
    "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>"
#define DOCX_END "</w:body></w:document>"

/* An archive at path with one part of so many repeats of bytes. */
static inline bool docx_make_many(
    const char *path, const char *part, struct str bytes, size_t repeats)
{
    zipFile zip = zipOpen64(path, APPEND_STATUS_CREATE);
    zip_fileinfo info = {0};
    bool good = zip && zipOpenNewFileInZip(
                           zip, part, &info, NULL, 0, NULL, 0, NULL, Z_DEFLATED, 6) == ZIP_OK;

    while (good && repeats--)
        good = zipWriteInFileInZip(zip, bytes.ptr, (unsigned)bytes.len) == ZIP_OK;
    return good && zipCloseFileInZip(zip) == ZIP_OK && zipClose(zip, NULL) == ZIP_OK;
}

static inline bool docx_make(const char *path, const char *xml)
{
    return docx_make_many(path, "word/document.xml", str_from(xml), 1);
}

#endif
