/* theo export and theo erase: what one person wrote. */
#include "host/commands.h"
#include "host/lifecycle.h"
#include "store/erase.h"

struct export
{
    const char *person, *workspace;
    bool yes, json;
    struct erase_stats stats;
};

static int print_message(
    void *ctx, const struct chat_session_row *session, const struct message_row *message)
{
    struct buf out = BUF_HEAP;
    struct json_writer w;
    char at[RFC3339_LEN + 1];

    (void)ctx;
    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "session_id", session->id);
    json_str_member(&w, "channel", session->channel);
    json_i64_member(&w, "seq", message->seq);
    json_str_member(&w, "party", message->author);
    json_str_member(&w, "message", message->body);
    if (message->at) {
        rfc3339_format(message->at, at);
        json_cstr_member(&w, "at", at);
    }
    rfc3339_format(message->created_at, at);
    json_cstr_member(&w, "created_at", at);
    json_object_end(&w);
    buf_add_char(&out, '\n');
    fwrite(out.ptr, 1, out.len, stdout);
    buf_deinit(&out);
    return 0;
}

static int export_all(struct boot *boot, void *arg)
{
    const struct export *export = arg;
    const struct erase_reader reader = {print_message, NULL};
    int r =
        export_person(boot->store, str_from(export->workspace), str_from(export->person), &reader);

    if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        return err_set(ERR_IO, "The export cannot be written.");
    return r;
}

static int erase_all(struct boot *boot, void *arg)
{
    struct export *export = arg;

    return erase_person(
        boot->store, str_from(export->workspace), str_from(export->person), &export->stats);
}

static int begin(struct export *export, struct boot *boot, bool erase, int *argc, char **argv)
{
    const struct cli_option options[] = {
        {"person", CLI_STR, &export->person, "NAME", "Who, as the chats name them."},
        {"workspace", CLI_STR, &export->workspace, "ID", "The workspace (default)."},
        {"yes", CLI_FLAG, &export->yes, NULL, "Do it; it cannot be undone."},
        {"json", CLI_FLAG, &export->json, NULL, "Print JSON."},
    };
    const char *usage = erase ? "erase --person NAME --yes" : "export --person NAME";
    int status =
        lifecycle_begin(boot, options, erase ? ARRAY_LEN(options) : 2, 0, usage, argc, argv);

    if (status == 0 && (!export->person || !export->person[0])) {
        boot_close(boot);
        return cli_wrong("say whose messages are meant: theo %s", usage);
    }
    return status;
}

int export_command(int argc, char **argv)
{
    struct export export = {.workspace = BOOT_WORKSPACE.ptr};
    struct boot boot;
    int status = begin(&export, &boot, false, &argc, argv);

    return status != 0 ? status : lifecycle_run_on_data(&boot, export_all, &export);
}

int erase_command(int argc, char **argv)
{
    struct export export = {.workspace = BOOT_WORKSPACE.ptr};
    struct boot boot;
    int status = begin(&export, &boot, true, &argc, argv);

    if (status != 0)
        return status;
    if (!export.yes) {
        boot_close(&boot);
        return cli_wrong("erasing cannot be undone; look with `theo export --person \"%.60s\"`, "
                         "then add --yes",
            export.person);
    }
    status = lifecycle_run_on_data(&boot, erase_all, &export);
    if (status != 0)
        return status;
    printf(export.json ? "{\"messages\":%lld,\"runs\":%lld,\"sessions\":%lld}\n"
                       : "Erased. Messages: %lld, runs: %lld, chats they were in: %lld.\n",
        (long long)export.stats.messages, (long long)export.stats.runs,
        (long long)export.stats.sessions);
    return 0;
}
