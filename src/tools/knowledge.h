/* What agents know besides the chat: text files and folders that `knowledge` of an agent names,
 * read at start, cut into passages, and searched by the tool search_knowledge, which cites them.
 *
 * Files are UTF-8 text; in folders, and those below, the ones called *.md, *.markdown, *.txt, *.rst
 * and *.csv count, hidden ones and links do not. Changes are seen at the next start. Opening blocks
 * and happens outside fibers; what was opened is immutable and shared by all loops.
 */
#ifndef TOOLS_KNOWLEDGE_H
#define TOOLS_KNOWLEDGE_H

#include "agent/definition.h"
#include "agent/tool.h"
#include "text/bm25.h"

#define KNOWLEDGE_FILE_MAX MIB
#define KNOWLEDGE_TOTAL_MAX (8 * MIB) /* of one agent */
#define KNOWLEDGE_FILES_MAX 2000

struct knowledge;

/* A part of a file. */
struct passage {
    struct str source;  /* the path as declared, and below a folder what follows */
    struct str heading; /* of Markdown: the last one before it; may be empty */
    int64_t line;       /* where it begins, from 1 */
    struct str text;
    bool untrusted;
};

/* Read what each agent of the set declares and give it the tool. 0, or ERR_INVALID with place and
 * file; then nothing is kept. */
MUST_CHECK int knowledge_open(struct agent_set *set);

/* knowledge_read.c: the passages of one source. The same errors. */
struct passages {
    struct arena *arena;
    struct passage *all;
    size_t count, capacity;
    size_t bytes, files;
};
MUST_CHECK int knowledge_read(
    struct passages *passages, const struct knowledge_source *source, struct str place);
/* Cut a text into passages. */
void knowledge_cut(struct passages *passages, struct str source, struct str text, bool untrusted);

/* An index of passages, in their arena. */
void knowledge_index(const struct passages *passages, struct bm25 *ret_index);
/* Answer a call of a tool with knowledge_parameters; where: "what the agent knows". */
extern const char knowledge_parameters[];
void knowledge_search(const struct tool_call *call, const struct passages *passages,
    const struct bm25 *index, const char *where, struct tool_result *ret_result);

#endif
