/* recall: search in the stored history of this very chat, and of no other. */
#include "agent/taint.h"
#include "agent/tool.h"
#include "store/messages.h"
#include "text/digest.h"
#include "text/words.h"

#define LIMIT_DEFAULT 5
#define LIMIT_MAX 20
#define TERMS_MAX 16
#define TEXT_MAX 500
/* The newest messages of the chat are searched, so that a call's time does not grow for ever. */
#define MESSAGES_MAX 5000
#define PAGE 500
/* The score of a term in the text; a term that only names who said it is worth 1. */
#define IN_TEXT 100

static const char parameters[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"query\"],\"properties\":{"
    "\"query\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":300,"
    "\"description\":\"words to look for\"},"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20}}}";

static const char *const small_words[] = {"a", "about", "an", "and", "any", "are", "at", "be",
    "did", "do", "for", "from", "have", "i", "in", "is", "it", "of", "on", "or", "said", "say",
    "that", "the", "they", "this", "to", "was", "we", "were", "what", "when", "where", "who", "why",
    "with", "you"};

struct match {
    struct str party, text;
    int64_t at_ms;
    int score;
    int64_t answer_seq; /* its number when the agent said it; else 0 */
};

struct search {
    struct str terms[TERMS_MAX];
    size_t term_count;
    struct match matches[LIMIT_MAX];
    size_t count, limit, seen;
    struct str agent;
    struct chat_message asked; /* what is answered now */
};

static void read_terms(struct search *search, struct str query)
{
    struct str word;

    for (size_t pos = 0; search->term_count < TERMS_MAX && words_next(query, &pos, &word);)
        if (!WORDS_HAVE(small_words, word))
            search->terms[search->term_count++] = word;
    /* Nothing but small words: then these are looked for. */
    for (size_t pos = 0; search->term_count == 0 && words_next(query, &pos, &word);)
        search->terms[search->term_count++] = word;
}

/* 3 for a term that stands as a word, 2 for one that begins a word ("price" in "prices"), 1 inside
 * one. */
static int score_term(struct str text, struct str term)
{
    int best = 0;

    for (ptrdiff_t at = str_find_nocase(text, term, 0); at >= 0 && best < 3;
         at = str_find_nocase(text, term, (size_t)at + 1)) {
        size_t end = (size_t)at + term.len;
        bool begins = at == 0 || !char_is_word(text.ptr[at - 1]);
        bool ends = end == text.len || !char_is_word(text.ptr[end]);

        best = MAX(best, begins && ends ? 3 : begins ? 2 : 1);
    }
    return best;
}

/* Each further term weighs more than the same term found better. Who said it counts like a word
 * where another word is found. */
static int score(const struct search *search, const struct message_row *row)
{
    int sum = 0, named = 0;

    for (size_t i = 0; i < search->term_count; i++) {
        int one = score_term(row->body, search->terms[i]);

        named += one == 0 && str_eq_nocase(row->author, search->terms[i]);
        sum += one > 0 ? IN_TEXT + one : 0;
    }
    return sum > 0 ? sum + named * IN_TEXT : named;
}

/* The question that this call answers, or an earlier one to the agent: it holds the words that are
 * looked for, and no answer. */
static bool is_question_to_agent(const struct message_row *row, struct str agent)
{
    return str_starts(row->body, STR("/")) || text_is_request(row->body, row->author, agent);
}

/* Messages come newest first, so of two equals the newer one stays in front. */
static void consider(struct search *search, const struct message_row *row)
{
    struct match match = {row->author, row->body, row->at ? row->at : row->created_at,
        score(search, row), str_is(row->direction, "out") ? row->seq : 0};
    size_t at = search->count;

    search->seen++;
    if (match.score == 0 || is_question_to_agent(row, search->agent) ||
        (str_eq(row->author, search->asked.party) && str_eq(row->body, search->asked.text)))
        return;
    while (at > 0 && search->matches[at - 1].score < match.score)
        at--;
    if (at == search->limit)
        return;
    if (search->count < search->limit)
        search->count++;
    for (size_t i = search->count - 1; i > at; i--)
        search->matches[i] = search->matches[i - 1];
    search->matches[at] = match;
}

static int look(const struct tool_call *call, struct search *search)
{
    struct store_query query = {
        .entity = STORE_MESSAGES,
        .workspace_id = call->workspace_id,
        .index = STORE_CHILDREN,
        .value = call->session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR(""),
    };

    do {
        struct store_page page;
        int rc = messages_list(call->store, &query, call->arena, &page);

        if (rc != 0)
            return rc;
        for (size_t i = 0; i < page.count; i++)
            consider(search, (const struct message_row *)page.rows + i);
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor) && search->seen < MESSAGES_MAX);
    return 0;
}

/* "What did Ben say about the deck": not everything that Ben said. */
static void leave_out_by_name(struct search *search)
{
    while (search->count > 1 && search->matches[0].score >= IN_TEXT &&
           search->matches[search->count - 1].score < IN_TEXT)
        search->count--;
}

static struct str write_matches(const struct search *search, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "matches");
    json_array_begin(&w);
    for (size_t i = 0; i < search->count; i++) {
        const struct match *match = &search->matches[i];

        json_object_begin(&w);
        json_str_member(&w, "party", match->party);
        json_str_member(&w, "text", utf8_truncate(match->text, TEXT_MAX));
        json_str_member(&w, "at", rfc3339(arena, match->at_ms));
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

/* The session names the last answer of a run that had read what others wrote: those before it may
 * be such answers too. */
static int may_be_tainted(
    const struct tool_call *call, const struct search *search, bool *ret_untrusted)
{
    struct chat_session_row session;
    int64_t first = INT64_MAX;
    int rc;

    for (size_t i = 0; i < search->count; i++)
        if (search->matches[i].answer_seq > 0)
            first = MIN(first, search->matches[i].answer_seq);
    if (first == INT64_MAX)
        return 0;
    rc = store_get(call->store, STORE_CHAT_SESSIONS, call->workspace_id, call->session_id,
        call->arena, &session);
    *ret_untrusted = rc == 0 && taint_last(session.state, call->arena) >= first;
    return MIN(rc, 0);
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    struct search *search = arena_new(call->arena, struct search);
    bool untrusted = false;
    int rc;

    search->limit = (size_t)MIN(json_get_i64(call->args, "limit", LIMIT_DEFAULT), LIMIT_MAX);
    search->agent = call->agent_name;
    if (call->chat && call->chat->count > 0)
        search->asked = call->chat->messages[call->chat->count - 1];
    read_terms(search, json_get_str(call->args, "query"));
    rc = look(call, search);
    if (rc < 0)
        return rc;
    leave_out_by_name(search);
    rc = may_be_tainted(call, search, &untrusted);
    if (rc < 0)
        return rc;
    *ret_result = (struct tool_result){
        .untrusted = untrusted,
        .content = write_matches(search, call->arena),
        .summary =
            str_printf(call->arena, "Found %zu messages in this chat's history", search->count),
        .event = STR(""),
    };
    return 0;
}

const struct tool tool_recall = {
    .name = "recall",
    .description = "Search the stored history of this chat for words and get who said what, and "
                   "when. Use it when somebody asks about something that is not in the messages "
                   "you see.",
    .parameters = parameters,
    .effect = TOOL_READ,
    .timeout_ms = 0,
    .run = run,
    .reads_only = NULL,
};
