#include "model/builtin.h"

#include "text/tokens.h"

/* Said once at the end of every answer, so that nobody takes it for a large model's. Behind a list
 * it stands apart, or Markdown would take it for a part of the last item. */
#define NOTE "\n(built-in model)"

bool builtin_offers(const struct builtin_turn *turn, const char *tool)
{
    if (turn->request->tool_choice == MODEL_TOOLS_NONE)
        return false;
    for (size_t i = 0; i < turn->request->tool_count; i++)
        if (str_is(turn->request->tools[i].name, tool))
            return true;
    return false;
}

void builtin_call(struct builtin_turn *turn, const char *tool, struct str arguments)
{
    /* The place in the chat makes the id, so that a replay gives the same one. */
    turn->call = arena_new(turn->arena, struct model_tool_call);
    turn->call->id = str_printf(turn->arena, "call_%zu_%s", turn->request->message_count, tool);
    turn->call->name = str_from(tool);
    turn->call->arguments = arguments;
}

static void call_with(
    struct builtin_turn *turn, const char *tool, const char *key, struct str value)
{
    struct buf out = BUF_IN(turn->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, key, value);
    json_object_end(&w);
    builtin_call(turn, tool, buf_str(&out));
}

static void summary(struct builtin_turn *turn)
{
    /* Everything is asked for; what was meant is chosen when the answer is composed. */
    if (builtin_offers(turn, "summarise"))
        call_with(turn, "summarise", "focus", STR("all"));
    else
        builtin_digest(turn);
}

/* The words of a question that carry its meaning. */
static struct str query_words(const struct builtin_turn *turn)
{
    static const char *const small[] = {"what", "did", "does", "do", "say", "said", "about", "on",
        "who", "when", "the", "a", "an", "of", "to", "is", "was", "were", "we", "us", "me", "our",
        "remind", "tell", "told", "mention", "mentioned", "please", "can", "you", "again", "that",
        "they", "he", "she", "in", "for", "and", "hey", "hi", "remember", "look", "up", "find",
        "out", "search", "google", "whats", "are", "it", "any", "how", "where", "which", "have"};
    struct str rest = str_trim(str_from(turn->words)), word;
    struct buf out = BUF_IN(turn->arena);

    while (str_next(&rest, ' ', &word)) {
        bool skip = word.len == 0 || str_eq_nocase(word, turn->request->scene.agent_name);

        for (size_t i = 0; !skip && i < ARRAY_LEN(small); i++)
            skip = str_is(word, small[i]);
        if (skip)
            continue;
        if (out.len > 0)
            buf_add_char(&out, ' ');
        buf_add_str(&out, word);
    }
    return out.len > 0 ? buf_str(&out) : str_trim(turn->text);
}

static void recall(struct builtin_turn *turn)
{
    if (strstr(turn->words, " remind me to ") || strstr(turn->words, " remind us to "))
        buf_add_cstr(&turn->answer,
            "I keep reminders in Telegram chats only (/remind there). Here I can book a time for "
            "it, if you say when.");
    else if (builtin_offers(turn, "recall"))
        call_with(turn, "recall", "query", query_words(turn));
    else
        buf_add_cstr(&turn->answer, "I cannot search this chat's history here.");
}

static void research(struct builtin_turn *turn)
{
    if (builtin_offers(turn, "web_search"))
        call_with(turn, "web_search", "query", query_words(turn));
    else if (builtin_offers(turn, "read_page") && str_find(turn->text, STR("http"), 0) >= 0)
        call_with(turn, "read_page", "url",
            str_slice(turn->text, (size_t)str_find(turn->text, STR("http"), 0), turn->text.len));
    else
        buf_add_cstr(&turn->answer,
            "I cannot look that up: I have no web search here, and I do not guess. I can tell you "
            "what was said about it in this chat, if you ask me what somebody said.");
}

static void help(struct builtin_turn *turn)
{
    buf_printf(&turn->answer, "I am %.*s. I follow this chat and can",
        STR_ARG(turn->request->scene.agent_name));
    if (builtin_offers(turn, "schedule"))
        buf_add_cstr(&turn->answer, "\n- book, move, cancel and list meetings, in any time zone");
    buf_add_cstr(&turn->answer, "\n- sum up what was said, agreed and left open");
    if (builtin_offers(turn, "recall"))
        buf_add_cstr(&turn->answer, "\n- find who said what");
    buf_add_cstr(&turn->answer, "\n- draft a proposal from what the chat holds");
}

/* Honest about its limits: it has rules, not knowledge. */
static void no_idea(struct builtin_turn *turn)
{
    buf_add_cstr(&turn->answer,
        "I can book meetings, sum up this chat, find who said what and draft a proposal. For an "
        "open question like this one a larger model must be set (setting model).");
}

static void greet(struct builtin_turn *turn)
{
    struct str author = turn->request->messages[turn->last].author;
    ptrdiff_t end = str_find_char(author, ' ', 0);

    if (end > 0)
        author = str_slice(author, 0, (size_t)end);
    if (author.len > 0)
        buf_printf(&turn->answer, "Hello %.*s!", STR_ARG(author));
    else
        buf_add_cstr(&turn->answer, "Hello!");
    buf_add_cstr(&turn->answer,
        " I can book meetings, sum up the chat or find who said what. What do you need?");
}

static void act(struct builtin_turn *turn)
{
    enum builtin_intent intent = builtin_intent(turn);

    switch (intent) {
    case INTENT_BOOK:
    case INTENT_MOVE:
    case INTENT_CANCEL:
    case INTENT_LIST:
        builtin_schedule(turn, intent);
        break;
    case INTENT_SUMMARY:
        summary(turn);
        break;
    case INTENT_RECALL:
        recall(turn);
        break;
    case INTENT_PROPOSAL:
        builtin_proposal(turn);
        break;
    case INTENT_RESEARCH:
        research(turn);
        break;
    case INTENT_GREETING:
        greet(turn);
        break;
    case INTENT_THANKS:
        buf_add_cstr(&turn->answer, "You are welcome.");
        break;
    case INTENT_HELP:
        help(turn);
        break;
    case INTENT_NONE:
        no_idea(turn);
        break;
    }
}

static void begin(struct builtin_turn *turn)
{
    const struct model_request *request = turn->request;
    size_t people = 0;

    turn->last = request->message_count;
    turn->window = request->message_count;
    for (size_t i = request->message_count; i-- > 0 && people < BUILTIN_WINDOW;) {
        if (request->messages[i].role == MODEL_SYSTEM)
            continue;
        if (request->messages[i].role == MODEL_USER && people++ == 0)
            turn->last = i;
        turn->window = i;
    }
    turn->zone = zone_get(request->scene.time_zone);
    if (!turn->zone)
        turn->zone = zone_utc();
    if (turn->last == request->message_count)
        return;
    turn->text = request->messages[turn->last].content;
    turn->words = builtin_words(turn->arena, turn->text);
}

/* In pieces of a word each, as models do. */
static int stream(const struct model_request *request, struct str answer)
{
    size_t from = 0;

    while (from < answer.len) {
        size_t to = from;
        int rc;

        while (to < answer.len && char_is_space(answer.ptr[to]))
            to++;
        while (to < answer.len && !char_is_space(answer.ptr[to]))
            to++;
        rc = request->on_delta(str_slice(answer, from, to), request->ctx);
        if (rc != 0)
            return rc;
        from = to;
    }
    return 0;
}

static struct model_usage usage_of(const struct builtin_turn *turn, struct str answer)
{
    struct model_usage usage = {.output_tokens = tokens_estimate(answer)};

    for (size_t i = 0; i < turn->request->message_count; i++)
        usage.input_tokens += tokens_estimate(turn->request->messages[i].content);
    if (turn->call)
        usage.output_tokens = tokens_estimate(turn->call->arguments);
    return usage;
}

static int finish(
    struct builtin_turn *turn, struct model_reply *ret_reply, enum model_error *ret_error)
{
    const struct model_request *request = turn->request;
    struct str answer = {"", 0};
    int rc = 0;

    if (!turn->call && str_empty(request->response_schema)) {
        if (builtin_ends_in_list(&turn->answer))
            buf_add_char(&turn->answer, '\n');
        buf_add_cstr(&turn->answer, NOTE);
        answer = buf_str(&turn->answer);
    } else if (!turn->call && !builtin_fit_schema(buf_str(&turn->answer), request->response_schema,
                                  turn->arena, &answer)) {
        *ret_error = MODEL_BAD_REQUEST;
        return err_field(ERR_INVALID, "response_schema",
            "The built-in model cannot fill this schema; set a larger model for it");
    }
    if (request->on_delta && answer.len > 0)
        rc = stream(request, answer);
    if (rc != 0) {
        *ret_error = MODEL_CANCELLED;
        return rc;
    }
    *ret_reply = (struct model_reply){
        .content = answer,
        .tool_calls = turn->call,
        .tool_call_count = turn->call ? 1 : 0,
        .finish = turn->call ? MODEL_TOOL_CALLS : MODEL_STOP,
        .usage = usage_of(turn, answer),
        .model = STR("builtin"),
        .attempts = 1,
    };
    return 0;
}

static int builtin_chat(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    struct builtin_turn turn = {.request = request, .arena = arena, .answer = BUF_IN(arena)};

    (void)state;
    begin(&turn);
    if (turn.last == request->message_count) {
        *ret_error = MODEL_BAD_REQUEST;
        return err_field(ERR_INVALID, "messages", "There is no message of a person to answer");
    }
    if (!builtin_from_results(&turn))
        act(&turn);
    return finish(&turn, ret_reply, ret_error);
}

static int builtin_open(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    (void)config, (void)env, (void)name;
    *ret_state = NULL;
    return 0;
}

static void builtin_close(void *state)
{
    (void)state;
}

const struct model_ops model_builtin = {
    .prefix = "builtin",
    .open = builtin_open,
    .close = builtin_close,
    .chat = builtin_chat,
};
