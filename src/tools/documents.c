/* search_documents: passages of the files that people sent in this very chat, and in no other. */
#include "store/store.h"
#include "tools/knowledge.h"

/* The newest files, up to so much text: a call's time has a bound. */
#define DOCUMENTS_MAX 50
#define BYTES_MAX (8 * MIB)

static int read_documents(const struct tool_call *call, struct passages *passages)
{
    struct store_query query = {.entity = STORE_DOCUMENTS,
        .workspace_id = call->workspace_id,
        .index = 0,
        .value = call->session_id,
        .descending = true,
        .limit = DOCUMENTS_MAX,
        .cursor = STR("")};
    struct store_page page;
    size_t bytes = 0;
    int rc = store_list(call->store, &query, call->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count && bytes < BYTES_MAX; i++) {
        const struct document_row *row = (const struct document_row *)page.rows + i;

        knowledge_cut(passages, row->name, row->body, true);
        bytes += row->body.len;
    }
    return rc;
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    struct passages passages = {.arena = call->arena};
    struct bm25 index;
    int rc = read_documents(call, &passages);

    if (rc < 0)
        return rc;
    knowledge_index(&passages, &index);
    knowledge_search(call, &passages, &index, "the files of this chat", ret_result);
    return 0;
}

const struct tool tool_documents = {
    .name = "search_documents",
    .description = "Search the files that people sent in this chat (PDF, Word, text, CSV) for "
                   "passages, and get them with where they stand. Use it when somebody asks about "
                   "a file or what it may say.",
    .parameters = knowledge_parameters,
    .effect = TOOL_READ,
    .untrusted = true,
    .run = run,
};
