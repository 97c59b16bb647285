/* search_knowledge: passages of the files that the agent's operator gave it. Each agent that has
 * such files has a tool of its own; its ctx is what it knows. */
#include "tools/knowledge.h"

#define LIMIT_DEFAULT 4
#define LIMIT_MAX 10
#define QUOTE_MAX 240

const char knowledge_parameters[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"query\"],\"properties\":{"
    "\"query\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":400,"
    "\"description\":\"words that the passage would have\"},"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10}}}";

struct knowledge {
    struct passages passages;
    struct bm25 index;
    struct tool tool;
    const struct tool *list[1];
};

static struct str write_found(
    const struct passages *passages, const struct bm25_hit *hits, size_t count, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "passages");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        const struct passage *passage = &passages->all[hits[i].text];

        json_object_begin(&w);
        json_str_member(&w, "source", passage->source);
        json_i64_member(&w, "line", passage->line);
        if (!str_empty(passage->heading))
            json_str_member(&w, "heading", passage->heading);
        json_str_member(&w, "text", passage->text);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

/* The passages that are nearly as good as the best one. A quote is the beginning of its passage. */
static const struct tool_citation *cite(const struct passages *passages,
    const struct bm25_hit *hits, size_t count, struct arena *arena, size_t *ret_count)
{
    struct tool_citation *citations = arena_array(arena, struct tool_citation, count + 1);

    *ret_count = 0;
    for (size_t i = 0; i < count && hits[i].score >= hits[0].score * 0.6; i++) {
        const struct passage *passage = &passages->all[hits[i].text];

        citations[(*ret_count)++] = (struct tool_citation){
            .url =
                str_printf(arena, "%.*s#L%lld", STR_ARG(passage->source), (long long)passage->line),
            .title = str_empty(passage->heading) ? passage->source : passage->heading,
            .quote = str_trim(utf8_truncate(passage->text, QUOTE_MAX)),
        };
    }
    return citations;
}

void knowledge_index(const struct passages *passages, struct bm25 *ret_index)
{
    bm25_init(ret_index, passages->arena);
    for (size_t i = 0; i < passages->count; i++) {
        const struct passage *passage = &passages->all[i];

        bm25_add(ret_index, str_printf(passages->arena, "%.*s\n%.*s", STR_ARG(passage->heading),
                                STR_ARG(passage->text)));
    }
    bm25_finish(ret_index);
}

void knowledge_search(const struct tool_call *call, const struct passages *passages,
    const struct bm25 *index, const char *where, struct tool_result *ret_result)
{
    struct bm25_hit hits[LIMIT_MAX];
    size_t most = (size_t)json_get_i64(call->args, "limit", LIMIT_DEFAULT);
    size_t count = bm25_search(
        index, json_get_str(call->args, "query"), call->arena, hits, MIN(most, (size_t)LIMIT_MAX));

    *ret_result = (struct tool_result){
        .content = write_found(passages, hits, count, call->arena),
        .summary = str_printf(call->arena, "Found %zu passages in %s", count, where),
        .event = STR(""),
    };
    ret_result->citations = cite(passages, hits, count, call->arena, &ret_result->citation_count);
    for (size_t i = 0; i < count; i++)
        ret_result->untrusted = ret_result->untrusted || passages->all[hits[i].text].untrusted;
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    const struct knowledge *knowledge = call->tool->ctx;

    knowledge_search(
        call, &knowledge->passages, &knowledge->index, "what the agent knows", ret_result);
    return 0;
}

static const struct tool template = {
    .name = "search_knowledge",
    .description = "Search the documents that you were given for passages, and get them with where "
                   "they stand. Use it before you answer a question that they may answer; say so "
                   "when they do not.",
    .parameters = knowledge_parameters,
    .effect = TOOL_READ,
    .run = run,
};

static int open_agent(struct arena *arena, struct agent_def *def)
{
    struct knowledge *knowledge = arena_new(arena, struct knowledge);
    int rc = 0;

    knowledge->passages.arena = arena;
    for (size_t i = 0; i < def->knowledge_count && rc == 0; i++)
        rc = knowledge_read(&knowledge->passages, &def->knowledge[i], def->place);
    if (rc == 0 && knowledge->passages.count == 0)
        rc = err_field(ERR_INVALID, "knowledge",
            "%.*s: knowledge of %.*s has no text: name .md, .markdown, .txt, .rst or .csv files",
            STR_ARG(def->place), STR_ARG(def->name));
    if (rc < 0)
        return rc;
    knowledge_index(&knowledge->passages, &knowledge->index);
    knowledge->tool = template;
    knowledge->tool.ctx = knowledge;
    knowledge->list[0] = &knowledge->tool;
    def->own_tools = knowledge->list;
    def->own_tool_count = 1;
    return 0;
}

int knowledge_open(struct agent_set *set)
{
    int rc = 0;

    for (size_t i = 0; i < set->count && rc == 0; i++)
        if (set->defs[i].knowledge_count > 0)
            rc = open_agent(&set->arena, &set->defs[i]);
    return rc;
}
