/* Inside of the built-in model: a deterministic model that reads the chat, calls the tools it is
 * offered and writes its answer from their results alone. No network, no state. Not for outsiders.
 *
 * A turn is one call. When tool results stand behind the last message of a person, the answer is
 * composed from them; otherwise the message's intent decides on a tool call or an answer. Strings
 * live in the turn's arena.
 */
#ifndef MODEL_BUILTIN_H
#define MODEL_BUILTIN_H

#include "base/json.h"
#include "model/model.h"
#include "text/when.h"

/* How many messages of people are read back for times, names and companies. */
#define BUILTIN_WINDOW 40
#define BUILTIN_NAMES_MAX 12

enum builtin_intent {
    INTENT_NONE,
    INTENT_GREETING,
    INTENT_THANKS,
    INTENT_HELP,
    INTENT_BOOK,
    INTENT_MOVE,
    INTENT_CANCEL,
    INTENT_LIST,
    INTENT_SUMMARY,
    INTENT_RECALL,
    INTENT_PROPOSAL,
    INTENT_RESEARCH,
};

struct builtin_names {
    struct str names[BUILTIN_NAMES_MAX];
    size_t count;
};

struct builtin_turn {
    const struct model_request *request;
    struct arena *arena;
    const struct zone *zone;
    size_t last;       /* index of the last message of a person */
    size_t window;     /* index of the first message that is read */
    struct str text;   /* the last message */
    const char *words; /* the same in lower case, punctuation as spaces, one space at both ends */
    struct buf answer;
    bool people_known;
    struct builtin_names people;  /* see builtin_attendees() */
    struct model_tool_call *call; /* NULL: the answer counts */
};

enum builtin_intent builtin_intent(const struct builtin_turn *turn);
/* Lower case words of text as described at builtin_turn.words. */
const char *builtin_words(struct arena *arena, struct str text);
bool builtin_offers(const struct builtin_turn *turn, const char *tool);
/* Call the tool; arguments: JSON text. */
void builtin_call(struct builtin_turn *turn, const char *tool, struct str arguments);

/* Booking, moving, cancelling, listing: a tool call or one precise question. */
void builtin_schedule(struct builtin_turn *turn, enum builtin_intent intent);

/* Who takes part, and for which companies, as the chat says. The people are looked for once. */
const struct builtin_names *builtin_attendees(struct builtin_turn *turn);
void builtin_companies(struct builtin_turn *turn, struct builtin_names *ret_names);
struct str builtin_title(struct builtin_turn *turn);

/* Answer from the results of tools that stand behind the last message. False: there are none. */
bool builtin_from_results(struct builtin_turn *turn);
/* The last line so far is an item of a Markdown list. */
bool builtin_ends_in_list(const struct buf *answer);
void builtin_proposal(struct builtin_turn *turn);
void builtin_digest(struct builtin_turn *turn);

/* The answer as an object that satisfies the schema. False when it asks for what only a larger
 * model can fill. */
bool builtin_fit_schema(
    struct str answer, struct str schema, struct arena *arena, struct str *ret_json);

#endif
