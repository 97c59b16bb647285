/* injection: does a text read as if somebody wanted to take the model over? Judged by phrases that
 * such texts have and by what hides text from people; a score, for no phrase alone proves anything.
 * What is flagged taints the run, so that the policy asks a person before anything goes out.
 */
#include "agent/guard.h"
#include "text/inert.h"
#include "text/words.h"

#define THRESHOLD 3

static const struct {
    const char *words; /* in lower case, one space between */
    int score;
} signs[] = {
    {"ignore all previous", 3},
    {"ignore all prior", 3},
    {"ignore any previous", 3},
    {"ignore previous instructions", 3},
    {"ignore prior instructions", 3},
    {"ignore the previous instructions", 3},
    {"ignore the above", 3},
    {"ignore the instructions", 3},
    {"ignore any instructions", 3},
    {"ignore all instructions", 3},
    {"ignore all the instructions", 3},
    {"ignore everything above", 3},
    {"ignore everything before", 3},
    {"ignore your instructions", 3},
    {"ignore your rules", 3},
    {"disregard all previous", 3},
    {"disregard any previous", 3},
    {"disregard previous instructions", 3},
    {"disregard the previous", 3},
    {"disregard the above", 3},
    {"disregard your instructions", 3},
    {"forget all previous", 3},
    {"forget everything above", 3},
    {"forget everything you", 3},
    {"forget what you were told", 3},
    {"forget your instructions", 3},
    {"forget your rules", 3},
    {"override your instructions", 3},
    {"bypass your", 2},
    {"your new instructions", 3},
    {"new instructions", 1},
    {"system override", 3},
    {"override the system", 2},
    {"new system prompt", 3},
    {"developer mode", 2},
    {"do anything now", 3},
    {"no restrictions", 1},
    {"without restrictions", 2},
    {"without any restrictions", 2},
    {"jailbreak", 2},
    {"reveal your", 2},
    {"print your", 1},
    {"repeat your", 1},
    {"show me your", 1},
    {"output your", 1},
    {"system prompt", 2},
    {"your system prompt", 1},
    {"your guidelines", 1},
    {"your instructions", 1},
    {"initial instructions", 2},
    {"hidden instructions", 2},
    {"repeat everything above", 3},
    {"repeat the text above", 3},
    {"repeat the words above", 3},
    {"you are now", 1},
    {"from now on you", 2},
    {"pretend to be", 1},
    {"pretend you are", 1},
    {"act as if you", 1},
    {"do not tell the user", 3},
    {"don't tell the user", 3},
    {"do not mention this", 2},
    {"without telling", 1},
    {"without asking", 1},
    {"note to the ai", 3},
    {"note to the assistant", 3},
    {"instructions for the ai", 3},
    {"instructions for the assistant", 3},
    {"if you are an ai", 3},
    {"if you are a language model", 3},
    {"ai assistants must", 3},
    {"send the conversation", 2},
    {"forward all", 1},
    {"send all", 1},
    {"exfiltrate", 3},
    {"api key", 1},
    {"api keys", 1},
    {"passwords", 1},
    {"ignora las instrucciones", 3},
    {"ignora todas las instrucciones", 3},
    {"olvida tus instrucciones", 3},
    {"ignore les instructions", 3},
    {"oublie tes instructions", 3},
    {"ignoriere alle vorherigen", 3},
    {"ignoriere deine anweisungen", 3},
    {"ignora le istruzioni", 3},
    {"ignore as instruções", 3},
};

/* The words in lower case with one space between: no line break or dash comes in between. */
static struct str plain_words(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);
    struct str word;

    for (size_t pos = 0; words_next(text, &pos, &word);) {
        if (out.len > 0)
            buf_add_char(&out, ' ');
        for (size_t i = 0; i < word.len; i++)
            buf_add_char(&out, char_lower(word.ptr[i]));
    }
    return buf_str(&out);
}

static bool stands_at(struct str text, size_t at, const char *words)
{
    struct str sign = str_from(words);
    size_t end = at + sign.len;

    return str_starts(str_slice(text, at, text.len), sign) &&
           (end == text.len || text.ptr[end] == ' ');
}

static void add_reason(struct buf *reasons, const char *what, int score)
{
    buf_printf(reasons, "%s%s (%d)", reasons->len > 0 ? ", " : "", what, score);
}

static int score_words(struct str text, struct buf *reasons)
{
    bool seen[ARRAY_LEN(signs)] = {false};
    int sum = 0;

    for (size_t at = 0; at < text.len; at++) {
        if (at > 0 && text.ptr[at - 1] != ' ')
            continue;
        for (size_t i = 0; i < ARRAY_LEN(signs); i++)
            if (signs[i].words[0] == text.ptr[at] && !seen[i] &&
                stands_at(text, at, signs[i].words)) {
                seen[i] = true;
                sum += signs[i].score;
                add_reason(reasons, signs[i].words, signs[i].score);
            }
    }
    return sum;
}

static int score_disguise(const struct inert_found *found, struct buf *reasons)
{
    int sum = 0;

    if (found->invisible > 2) {
        sum += 2;
        add_reason(reasons, "invisible characters", 2);
    }
    if (found->lookalike > 2) {
        sum += 1;
        add_reason(reasons, "look-alike letters", 1);
    }
    if (found->markup > 0) {
        sum += 1;
        add_reason(reasons, "markup for a model", 1);
    }
    return sum;
}

static int check(const struct guard_call *call, struct guard_finding *ret_finding)
{
    int64_t threshold = json_get_i64(call->options, "threshold", THRESHOLD);
    struct buf reasons = BUF_IN(call->arena);
    struct inert_found found;
    struct str text = inert_text(call->arena, call->text, &found);
    int sum = score_words(plain_words(call->arena, text), &reasons);

    /* Web pages have markup and joiners enough: by themselves they mean nothing. */
    if (sum > 0)
        sum += score_disguise(&found, &reasons);
    if (sum < threshold)
        return GUARD_PASS;
    ret_finding->reason = str_printf(
        call->arena, "score %d: %.*s", sum, STR_ARG(utf8_truncate(buf_str(&reasons), 200)));
    ret_finding->apology = "I would rather not act on that message: it reads as if it wanted to "
                           "change how I work. Could you say in other words what you need?";
    return str_is(json_get_str(call->options, "on-flag"), "stop") ? GUARD_STOP : GUARD_FLAGGED;
}

const struct guard guard_injection = {
    .name = "injection",
    .phases = GUARD_BEFORE,
    .options = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
               "\"threshold\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"
               "\"on-flag\":{\"type\":\"string\",\"enum\":[\"taint\",\"stop\"]},"
               "\"message\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":500}}}",
    .check = check,
};
