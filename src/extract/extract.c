#include "extract/extract.h"

#include "extract/child.h"
#include "extract/plain.h"
#include "extract/process.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/offload.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

struct extract_limits extract_limits_of(const struct config *config)
{
    return (struct extract_limits){
        .file_max = (size_t)config->attachments_max_mb * MIB,
        .text_max = (size_t)config->attachments_text_kb * KIB,
        .timeout_ms = config->attachments_timeout_ms,
        .memory_max = (size_t)config->attachments_memory_mb * MIB,
    };
}

static bool has_ending(struct str name, const char *const *endings)
{
    for (; *endings; endings++)
        if (name.len > strlen(*endings) &&
            str_eq_nocase(
                str_slice(name, name.len - strlen(*endings), name.len), str_from(*endings)))
            return true;
    return false;
}

enum extract_kind extract_kind_of(struct str bytes, struct str mime, struct str name)
{
    static const char *const docx[] = {".docx", ".docm", NULL}, *const pdf[] = {".pdf", NULL},
                             *const text[] = {
                                 ".txt", ".csv", ".tsv", ".md", ".markdown", ".log", NULL};
    const char *type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    bool word = str_starts_nocase(mime, str_from(type)) || has_ending(name, docx);
    bool plain =
        str_starts_nocase(mime, STR("text/plain")) || str_starts_nocase(mime, STR("text/csv")) ||
        str_starts_nocase(mime, STR("text/markdown")) ||
        str_starts_nocase(mime, STR("text/tab-separated-values")) || has_ending(name, text);
    /* A PDF's mark may stand behind some bytes of a mail or a printer (ISO 32000, annex H). */
    ptrdiff_t mark = str_find(str_slice(bytes, 0, 1024), STR("%PDF-"), 0);

    if (mark == 0 || (mark > 0 && !plain))
        return EXTRACT_PDF;
    if (str_starts(bytes, STR("PK\x03\x04")))
        return word ? EXTRACT_DOCX : EXTRACT_OTHER;
    if (word)
        return EXTRACT_DOCX;
    if (str_starts_nocase(mime, STR("application/pdf")) || has_ending(name, pdf))
        return EXTRACT_PDF;
    return plain ? EXTRACT_TEXT : EXTRACT_OTHER;
}

/* What one extraction works on. */
struct work {
    const struct extract_limits *limits;
    struct str bytes;
    struct arena *arena;
    struct extracted result;
    int in; /* the file as a descriptor; -1 */
};

static int broken(void)
{
    err_set(ERR_INVALID, "The file cannot be read: it is damaged, protected by a password, or not "
                         "what its name says.");
    return EXTRACT_BROKEN;
}

/* On a worker: the file into memory that has a descriptor and can seek. */
static int make_input(void *arg)
{
    struct work *work = arg;
    struct str left = work->bytes;

    work->in = memfd_create("attachment", MFD_CLOEXEC);
    if (work->in < 0)
        return err_set(ERR_IO, "No memory for an attachment: %s", strerror(errno));
    while (left.len) {
        ssize_t put = write(work->in, left.ptr, left.len);

        if (put < 0 && errno != EINTR)
            return err_set(ERR_IO, "No memory for an attachment: %s", strerror(errno));
        left = str_slice(left, put > 0 ? (size_t)put : 0, left.len);
    }
    return lseek(work->in, 0, SEEK_SET) < 0 ? err_set(ERR_IO, "An attachment cannot be read") : 0;
}

/* On a worker: a text file. */
static int decode(void *arg)
{
    struct work *work = arg;
    struct extracted *result = &work->result;

    if (!plain_decode(
            work->bytes, work->limits->text_max, work->arena, &result->text, &result->cut))
        return broken();
    return 0;
}

/* On a worker: what came out loses what only machines see. */
static int make_inert(void *arg)
{
    struct work *work = arg;
    struct extracted *result = &work->result;

    result->text = str_trim(inert_text(work->arena, result->text, &result->hidden));
    return 0;
}

static void free_line(void *value)
{
    free(value);
}

/* Those who wait for a child on this loop. */
static struct semaphore *line_of(struct loop *loop)
{
    static const char key;
    struct semaphore *line = loop_local(loop, &key);

    if (!line) {
        line = xcalloc(1, sizeof(*line));
        semaphore_init(line, EXTRACT_AT_ONCE);
        loop_set_local(loop, &key, line, free_line);
    }
    return line;
}

static int failure(const struct process_end *end)
{
    if (end->signal == SIGXCPU || end->signal == SIGKILL)
        return err_set(ERR_TIMEOUT, "The file took too long to read.");
    switch (end->signal ? CHILD_BROKEN : end->exit_code) {
    case CHILD_TOO_LARGE:
        return err_set(ERR_TOO_LARGE, "The file unpacks to more than is read.");
    case CHILD_NO_PROGRAM:
        return err_set(ERR_UNAVAILABLE, "PDF cannot be read here: the program pdftotext is "
                                        "missing; install poppler-utils.");
    case CHILD_NO_SANDBOX:
        return err_set(ERR_UNAVAILABLE, "Files cannot be read here: the system allows no seccomp "
                                        "filter, without which that is not safe.");
    case CHILD_WRONG_CALL:
        return err_set(ERR_FAILED, "the child that reads files was called wrongly");
    default:
        return broken();
    }
}

static int run_child(struct work *work)
{
    const struct extract_limits *limits = work->limits;
    int64_t half = MAX(limits->timeout_ms / 2 / SECOND_MS, 1);
    int64_t seconds = limits->cpu_s ? limits->cpu_s : half;
    const char *kind = work->result.kind == EXTRACT_PDF ? "pdf" : "docx";
    char *argv[] = {"theo", "extract-child", str_cstr(work->arena, str_from(kind)),
        str_cstr(work->arena, str_printf(work->arena, "%zu", limits->memory_max)),
        str_cstr(work->arena, str_printf(work->arena, "%lld", (long long)seconds)), NULL};
    char *envp[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL}; /* none of our secrets */
    struct process_call call = {.program = limits->program ? limits->program : "/proc/self/exe",
        .argv = argv,
        .envp = envp,
        .in = work->in,
        .out_max = limits->text_max,
        .deadline_ms = loop_now_ms(fiber_loop()) + limits->timeout_ms};
    struct buf out = BUF_IN(work->arena);
    struct process_end end;
    int rc = process_run(&call, &out, &end);

    if (rc == ERR_TIMEOUT)
        return err_set(rc, "The file took too long to read.");
    if (rc < 0)
        return rc;
    if (end.signal || end.exit_code)
        return failure(&end);
    /* A text that was cut may end within a character; pdftotext may say what is none. */
    work->result.text = utf8_clean(work->arena, utf8_truncate(buf_str(&out), limits->text_max));
    work->result.cut = end.cut;
    return 0;
}

static int read_apart(struct work *work)
{
    struct semaphore *line = line_of(fiber_loop());
    int rc = semaphore_take(line, FIBER_NO_DEADLINE);

    if (rc < 0)
        return rc;
    rc = offload(make_input, work);
    if (rc == 0)
        rc = run_child(work);
    if (work->in >= 0)
        close(work->in);
    semaphore_give(line);
    return rc;
}

int extract_text(const struct extract_limits *limits, struct str bytes, struct str mime,
    struct str name, struct arena *arena, struct extracted *ret_extracted)
{
    struct work work = {.limits = limits, .bytes = bytes, .arena = arena, .in = -1};
    int rc;

    work.result.kind = extract_kind_of(bytes, mime, name);
    if (work.result.kind == EXTRACT_OTHER) {
        err_set(ERR_INVALID, "Only PDF, Word (DOCX), plain text and CSV files are read.");
        return EXTRACT_UNSUPPORTED;
    }
    if (bytes.len > limits->file_max)
        return err_set(ERR_TOO_LARGE, "The file is larger than the %zu MiB that are read.",
            limits->file_max / MIB);
    rc = work.result.kind == EXTRACT_TEXT ? offload(decode, &work) : read_apart(&work);
    if (rc == 0)
        rc = offload(make_inert, &work);
    if (rc == 0)
        *ret_extracted = work.result;
    return rc;
}
