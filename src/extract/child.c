/* The child process: standard input is the file, standard output its text. */
#include "extract/child.h"

#include "extract/docx.h"
#include "extract/extract.h"
#include "extract/sandbox.h"

#include <errno.h>
#include <unistd.h>

struct output {
    char bytes[32 * KIB];
    size_t len;
};

static void flush(struct output *output)
{
    size_t done = 0;

    while (done < output->len) {
        ssize_t put = write(STDOUT_FILENO, output->bytes + done, output->len - done);

        if (put < 0 && errno != EINTR)
            _exit(0); /* the reader has enough */
        done += put > 0 ? (size_t)put : 0;
    }
    output->len = 0;
}

static void put(void *ctx, struct str text)
{
    struct output *output = ctx;

    while (text.len) {
        size_t len = MIN(text.len, sizeof(output->bytes) - output->len);

        memcpy(output->bytes + output->len, text.ptr, len);
        output->len += len;
        text = str_slice(text, len, text.len);
        if (output->len == sizeof(output->bytes))
            flush(output);
    }
}

static int read_docx(void)
{
    struct output output = {.len = 0};

    switch (docx_read(STDIN_FILENO, put, &output)) {
    case DOCX_DONE:
        flush(&output);
        return 0;
    case DOCX_TOO_LARGE:
        return CHILD_TOO_LARGE;
    default:
        return CHILD_BROKEN;
    }
}

/* pdftotext takes this process over, inside the sandbox. */
static int read_pdf(void)
{
    static char *const argv[] = {"pdftotext", "-q", "-enc", "UTF-8", "-nopgbrk", "-", "-", NULL};
    static char *const envp[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};

    execve("/usr/bin/pdftotext", argv, envp);
    execve("/usr/local/bin/pdftotext", argv, envp);
    return CHILD_NO_PROGRAM;
}

int extract_child(int argc, char **argv)
{
    int64_t memory, seconds;
    struct sandbox_limits limits;
    int rc = CHILD_WRONG_CALL;

    if (argc != 4 || !str_to_i64(str_from(argv[2]), &memory) ||
        !str_to_i64(str_from(argv[3]), &seconds))
        _exit(CHILD_WRONG_CALL);
    limits = (struct sandbox_limits){(size_t)memory, (int)seconds};
    close_range(STDERR_FILENO + 1, ~0u, 0);
    if (!sandbox_enter(&limits))
        _exit(CHILD_NO_SANDBOX);
    if (strcmp(argv[1], "docx") == 0)
        rc = read_docx();
    else if (strcmp(argv[1], "pdf") == 0)
        rc = read_pdf();
    /* Nothing is left to be cleaned up, and checkers of leaks cannot work in here. */
    _exit(rc);
}
