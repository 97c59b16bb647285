#include "agent/record.h"

#include "agent/guard_run.h"

#define MUL_A 0xa0761d6478bd642fULL
#define MUL_B 0xe7037ed1a0b428dbULL

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

/* Sixteen bytes a multiplication, as wyhash does it: a prompt is hashed with every model call. */
static uint64_t hash_text(uint64_t hash, struct str text)
{
    size_t at = 0;
    char rest[16] = {0};

    for (; at + 16 <= text.len; at += 16)
        hash = fold(load(text.ptr + at) ^ MUL_A, load(text.ptr + at + 8) ^ hash);
    if (at < text.len)
        memcpy(rest, text.ptr + at, text.len - at);
    hash = fold(load(rest) ^ MUL_A, load(rest + 8) ^ hash);
    return fold(hash ^ text.len, MUL_B);
}

void record_hash(const struct model_message *messages, size_t count, char out[RECORD_HASH_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = MUL_B ^ count;

    for (size_t i = 0; i < count; i++) {
        hash = fold(hash ^ (uint64_t)messages[i].role, MUL_A);
        hash = hash_text(hash, messages[i].author);
        hash = hash_text(hash, messages[i].content);
    }
    for (size_t i = 0; i < RECORD_HASH_LEN; i++)
        out[i] = digits[(hash >> (60 - 4 * i)) & 15];
    out[RECORD_HASH_LEN] = '\0';
}

static bool records(const struct run *run)
{
    return run->house->config->run_record;
}

int record_event(struct run *run, const char *type, struct str data, struct str record)
{
    if (str_empty(record))
        return run_event(run, type, data);
    return run_event_as(run, type, data,
        str_printf(run->root->arena, "%.*s,\"record\":%.*s}", (int)data.len - 1, data.ptr,
            STR_ARG(record)));
}

/* As the model is shown them. */
static void hash_sent(
    const struct run *run, const struct model *model, char out[RECORD_HASH_LEN + 1])
{
    record_hash(
        model_is_builtin(model) ? run->messages : guards_shown(run), run->message_count, out);
}

struct str record_started(struct run *run, const struct model *model)
{
    struct buf out = BUF_IN(run->arena);
    char hash[RECORD_HASH_LEN + 1];
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "model", model_spec(model));
    if (records(run)) {
        hash_sent(run, model, hash);
        json_cstr_member(&w, "prompt", hash);
    }
    json_object_end(&w);
    return buf_str(&out);
}

/* Is it what becomes the run's result, word for word? Guards may make something else of it. */
static bool is_result(const struct run *run, const struct model_reply *reply)
{
    return run->root == run && reply->tool_call_count == 0 && str_empty(run->row.checkpoint) &&
           !guards_hold(run) && !(run->agent && !str_empty(run->agent->output_schema));
}

/* Members may work at the same time: whose answer it is tells the prompt, whose calls the ids. */
static void write_member(
    struct json_writer *w, const struct run *run, const struct model_reply *reply)
{
    char hash[RECORD_HASH_LEN + 1];

    if (run->root == run)
        return;
    hash_sent(run, run->models[run->model_current], hash);
    json_cstr_member(w, "prompt", hash);
    if (!reply || reply->tool_call_count == 0)
        return;
    json_name(w, "calls");
    json_array_begin(w);
    for (size_t i = 0; i < reply->tool_call_count; i++)
        json_put_str(w, reply->tool_calls[i].id);
    json_array_end(w);
}

static struct str closed(struct json_writer *w)
{
    json_object_end(w);
    return w->out->len > 2 ? buf_str(w->out) : STR("");
}

struct str record_reply(struct run *run, const struct model_reply *reply)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    if (!records(run) || (is_result(run, reply) && reply->usage.cached_tokens == 0))
        return STR("");
    json_init(&w, &out);
    json_object_begin(&w);
    if (!is_result(run, reply) && !str_empty(reply->content))
        json_str_member(&w, "content", reply->content);
    if (reply->usage.cached_tokens > 0)
        json_i64_member(&w, "cached_tokens", reply->usage.cached_tokens);
    write_member(&w, run, reply);
    return closed(&w);
}

struct str record_failure(struct run *run, int rc, const struct model_reply *reply)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    if (!records(run))
        return STR("");
    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "code", err_name(rc));
    if (reply->usage.input_tokens > 0 || reply->usage.output_tokens > 0) {
        json_i64_member(&w, "input_tokens", reply->usage.input_tokens);
        json_i64_member(&w, "output_tokens", reply->usage.output_tokens);
        json_i64_member(&w, "cached_tokens", reply->usage.cached_tokens);
    }
    write_member(&w, run, NULL);
    return closed(&w);
}

/* Does its quote stand in what was read? Then the run has taken it over. */
static bool is_taken(const struct run *run, const struct tool_citation *citation)
{
    const struct run_result *result = &run->root->result;

    for (size_t i = 0; i < result->citation_count; i++)
        if (result->citations[i].quote.ptr == citation->quote.ptr)
            return true;
    return false;
}

/* The event often stands in the content, word for word. */
static void write_event(struct json_writer *w, struct str event, struct str content)
{
    ptrdiff_t at = str_empty(event) ? -1 : str_find(content, event, 0);

    if (at >= 0) {
        json_i64_member(w, "event_at", at);
        json_i64_member(w, "event_bytes", (int64_t)event.len);
    } else if (!str_empty(event)) {
        json_str_member(w, "event", event);
    }
}

static void write_citations(
    struct json_writer *w, const struct run *run, const struct tool_result *result)
{
    if (result->citation_count == 0)
        return;
    json_name(w, "citations");
    json_array_begin(w);
    for (size_t i = 0; i < result->citation_count; i++) {
        if (!is_taken(run, &result->citations[i]))
            continue;
        json_object_begin(w);
        json_str_member(w, "url", result->citations[i].url);
        json_str_member(w, "title", result->citations[i].title);
        json_str_member(w, "quote", result->citations[i].quote);
        json_object_end(w);
    }
    json_array_end(w);
}

struct str record_result(
    struct run *run, int rc, const struct err *cause, const struct tool_result *result, size_t kept)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    if (!records(run))
        return STR("");
    json_init(&w, &out);
    json_object_begin(&w);
    if (rc < 0) {
        json_cstr_member(&w, "code", err_name(rc));
        json_cstr_member(&w, "message", cause->message);
        if (cause->field[0])
            json_cstr_member(&w, "field", cause->field);
    } else {
        struct str content = utf8_truncate(result->content, kept);

        json_str_member(&w, "content", content);
        if (content.len < result->content.len)
            json_i64_member(&w, "bytes", (int64_t)result->content.len);
        if (!str_eq(utf8_truncate(result->summary, kept / 4), result->summary))
            json_str_member(&w, "summary", utf8_truncate(result->summary, kept));
        write_event(&w, result->event, content);
        write_citations(&w, run, result);
    }
    if (result->untrusted)
        json_bool_member(&w, "untrusted", true);
    return closed(&w);
}

void record_repeated(struct json_writer *w, const struct run *run)
{
    const struct run_request *request = run->request;
    const struct session *session = &run->session;
    int64_t behind = (int64_t)(session->stored.count + session->inside_from);
    bool answers = false;

    if (request->answer_seq > 0)
        json_i64_member(w, "answers", request->answer_seq);
    if (run->known == 0)
        return;
    for (size_t i = 0; i < run->known && !answers; i++)
        answers = str_eq_nocase(request->chat.messages[i].party, run->persona);
    json_i64_member(w, "sent", (int64_t)request->chat.count);
    json_bool_member(w, "sent_answers", answers);
    if (run->known == request->chat.count)
        json_i64_member(w, "seen", session->row.message_count - behind + (int64_t)run->chat.count);
}
