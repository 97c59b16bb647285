#include "extract/docx.h"

#include <expat.h>
#include <minizip/unzip.h>
#include <unistd.h>

/* Where parts lie by convention; every writer of note keeps to it. */
static const char *const parts[] = {"word/document.xml", "word/footnotes.xml", "word/endnotes.xml"};

/* The namespaces of WordprocessingML, transitional and strict. */
static const char *const spaces[] = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main|",
    "http://purl.oclc.org/ooxml/wordprocessingml/main|"};

struct reading {
    void (*put)(void *ctx, struct str text);
    void *ctx;
    XML_Parser parser;
    int text;     /* depth of w:t */
    int unseen;   /* depth of what is not shown: deleted or moved text, properties */
    bool hidden;  /* this run is */
    bool in_run;  /* a run's properties are meant, not a paragraph's */
    int cells;    /* of this row so far */
    bool refused; /* a document type, which the format forbids */
};

/* Name without namespace, or "" if it is not Word's. */
static const char *local_name(const XML_Char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        if (strncmp(name, spaces[i], strlen(spaces[i])) == 0)
            return name + strlen(spaces[i]);
    return "";
}

static bool is_unseen(const char *name)
{
    return strcmp(name, "del") == 0 || strcmp(name, "moveFrom") == 0;
}

/* An on-off property is on unless its value says otherwise. */
static bool is_on(const XML_Char **attributes)
{
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(local_name(attributes[i]), "val") == 0)
            return strcmp(attributes[i + 1], "0") != 0 && strcmp(attributes[i + 1], "false") != 0;
    return true;
}

static void say(struct reading *reading, struct str text)
{
    if (!reading->unseen && !reading->hidden)
        reading->put(reading->ctx, text);
}

static void XMLCALL on_start(void *ctx, const XML_Char *full, const XML_Char **attributes)
{
    struct reading *reading = ctx;
    const char *name = local_name(full);

    if (is_unseen(name)) {
        reading->unseen++;
    } else if (strcmp(name, "r") == 0) {
        reading->in_run = true;
        reading->hidden = false;
    } else if (reading->in_run && strcmp(name, "vanish") == 0) {
        reading->hidden = is_on(attributes);
    } else if (strcmp(name, "t") == 0) {
        reading->text++;
    } else if (reading->in_run && strcmp(name, "tab") == 0) {
        say(reading, STR("\t"));
    } else if (strcmp(name, "br") == 0 || strcmp(name, "cr") == 0) {
        say(reading, STR("\n"));
    } else if (strcmp(name, "noBreakHyphen") == 0) {
        say(reading, STR("-"));
    } else if (strcmp(name, "tr") == 0) {
        reading->cells = 0;
    } else if (strcmp(name, "tc") == 0 && reading->cells++ > 0) {
        say(reading, STR("\t"));
    }
}

static void XMLCALL on_end(void *ctx, const XML_Char *full)
{
    struct reading *reading = ctx;
    const char *name = local_name(full);

    if (is_unseen(name)) {
        reading->unseen--;
    } else if (strcmp(name, "r") == 0) {
        reading->in_run = false;
        reading->hidden = false;
    } else if (strcmp(name, "t") == 0) {
        reading->text--;
    } else if (strcmp(name, "p") == 0) {
        say(reading, STR("\n"));
    }
}

static void XMLCALL on_text(void *ctx, const XML_Char *bytes, int len)
{
    struct reading *reading = ctx;

    if (reading->text > 0)
        say(reading, (struct str){bytes, (size_t)len});
}

/* Entities could be made to grow without end. */
static void XMLCALL on_doctype(
    void *ctx, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
    struct reading *reading = ctx;

    (void)name, (void)system, (void)public, (void)internal;
    reading->refused = true;
    XML_StopParser(reading->parser, XML_FALSE);
}

/* minizip's way to the bytes, which are at a descriptor rather than a path. */
struct source {
    int fd;
    ZPOS64_T at, size;
};

static voidpf ZCALLBACK source_open(voidpf opaque, const void *name, int mode)
{
    (void)name, (void)mode;
    return opaque;
}

static uLong ZCALLBACK source_read(voidpf opaque, voidpf stream, void *bytes, uLong size)
{
    struct source *source = stream;
    uLong done = 0;

    (void)opaque;
    while (done < size) {
        ssize_t got = pread(source->fd, (char *)bytes + done, size - done, (off_t)source->at);

        if (got <= 0)
            break;
        done += (uLong)got;
        source->at += (ZPOS64_T)got;
    }
    return done;
}

static uLong ZCALLBACK source_write(voidpf opaque, voidpf stream, const void *bytes, uLong size)
{
    (void)opaque, (void)stream, (void)bytes, (void)size;
    return 0;
}

static ZPOS64_T ZCALLBACK source_tell(voidpf opaque, voidpf stream)
{
    (void)opaque;
    return ((struct source *)stream)->at;
}

static long ZCALLBACK source_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
    struct source *source = stream;
    ZPOS64_T base = origin == ZLIB_FILEFUNC_SEEK_SET   ? 0
                    : origin == ZLIB_FILEFUNC_SEEK_CUR ? source->at
                                                       : source->size;

    (void)opaque;
    if (offset > source->size || base + offset > source->size)
        return -1;
    source->at = base + offset;
    return 0;
}

static int ZCALLBACK source_nothing(voidpf opaque, voidpf stream)
{
    (void)opaque, (void)stream;
    return 0;
}

static enum docx_result read_part(unzFile zip, struct reading *reading, size_t *left)
{
    char bytes[16 * KIB];
    int got;

    while ((got = unzReadCurrentFile(zip, bytes, sizeof(bytes))) > 0) {
        if ((size_t)got > *left)
            return DOCX_TOO_LARGE;
        *left -= (size_t)got;
        if (XML_Parse(reading->parser, bytes, got, 0) != XML_STATUS_OK)
            return XML_GetErrorCode(reading->parser) == XML_ERROR_NO_MEMORY ? DOCX_TOO_LARGE
                                                                            : DOCX_BROKEN;
    }
    if (got < 0 || XML_Parse(reading->parser, bytes, 0, 1) != XML_STATUS_OK || reading->refused)
        return DOCX_BROKEN;
    return DOCX_DONE;
}

static enum docx_result parse_part(unzFile zip, struct reading *reading, size_t *left)
{
    enum docx_result result;

    reading->parser = XML_ParserCreateNS(NULL, '|');
    if (!reading->parser)
        return DOCX_TOO_LARGE;
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading->parser, on_doctype);
    result = read_part(zip, reading, left);
    XML_ParserFree(reading->parser);
    return result;
}

enum docx_result docx_read(int fd, void (*put)(void *ctx, struct str text), void *ctx)
{
    off_t size = lseek(fd, 0, SEEK_END);
    struct source source = {fd, 0, size > 0 ? (ZPOS64_T)size : 0};
    zlib_filefunc64_def calls = {source_open, source_read, source_write, source_tell, source_seek,
        source_nothing, source_nothing, &source};
    unzFile zip = unzOpen2_64("", &calls);
    size_t left = DOCX_UNPACKED_MAX;
    enum docx_result result = DOCX_BROKEN;

    if (!zip)
        return DOCX_BROKEN;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct reading reading = {.put = put, .ctx = ctx};

        if (unzLocateFile(zip, parts[i], 1) != UNZ_OK)
            continue;
        result = unzOpenCurrentFile(zip) == UNZ_OK ? parse_part(zip, &reading, &left) : DOCX_BROKEN;
        unzCloseCurrentFile(zip);
        if (result != DOCX_DONE)
            break;
    }
    unzClose(zip);
    return result;
}
