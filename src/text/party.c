#include "text/party.h"

#include "text/transcript.h"
#include "text/words.h"

#define WORDS_MAX 6

/* Words that head a line inside a message, in order of their bytes. */
static const char *const labels[] = {"abstract", "account", "action", "actions", "add", "added",
    "address", "advantages", "after", "agenda", "aim", "also", "am", "amount", "and", "answer",
    "answers", "any", "app", "appendix", "approach", "approx", "apr", "as", "attached",
    "attachment", "attachments", "attendees", "aug", "author", "background", "bcc", "before",
    "benefits", "billing", "blockers", "body", "breakdown", "budget", "bug", "but", "call", "case",
    "cases", "caution", "caveat", "cc", "cell", "cet", "change", "changed", "changes", "chapter",
    "city", "code", "comment", "comments", "company", "con", "conclusion", "cons", "contact",
    "contacts", "content", "context", "contract", "cost", "costs", "country", "currency", "data",
    "date", "dates", "day", "deadline", "deadlines", "deal", "debug", "dec", "december", "decision",
    "decisions", "default", "deliverable", "deliverables", "delivery", "demo", "desc",
    "description", "detail", "details", "dial", "dial-in", "disclaimer", "discount", "doc", "docs",
    "document", "done", "draft", "due", "duration", "e-mail", "e.g", "edit", "edited", "eg",
    "either", "else", "email", "end", "eod", "eow", "error", "errors", "est", "eta", "etc", "event",
    "example", "examples", "except", "exit", "fact", "facts", "false", "faq", "fax", "feature",
    "features", "feb", "february", "feedback", "figure", "file", "files", "final", "finally",
    "first", "fix", "fixed", "focus", "follow-up", "following", "followup", "footer", "for",
    "format", "fri", "friday", "from", "ftp", "fw", "fwd", "fyi", "fyr", "gmt", "goal", "goals",
    "good", "header", "hence", "hint", "hinweis", "home", "hours", "how", "however", "http",
    "https", "i.e", "id", "idea", "ideas", "ie", "if", "important", "in", "info", "information",
    "input", "invoice", "irc", "issue", "issues", "item", "items", "january", "join", "jul", "july",
    "key", "kpi", "kpis", "last", "later", "lesson", "lessons", "let", "level", "like", "limit",
    "limits", "line", "link", "links", "list", "location", "log", "logs", "mailto", "mar", "march",
    "maybe", "meaning", "meet", "meeting", "meetings", "message", "method", "minutes", "mobile",
    "model", "module", "mon", "monday", "month", "more", "motto", "my", "name", "namely", "nb",
    "need", "needs", "new", "news", "next", "no", "nota", "note", "noted", "notes", "notice", "nov",
    "november", "now", "number", "numbers", "objective", "objectives", "oct", "october", "of",
    "offer", "ok", "okay", "old", "on", "one", "only", "open", "opening", "option", "options", "or",
    "order", "organizer", "other", "otherwise", "our", "outcome", "output", "overview", "owner",
    "owners", "p.p.s", "p.s", "package", "page", "part", "participants", "parties", "passcode",
    "password", "path", "payment", "payments", "pending", "people", "phase", "phone", "pin",
    "place", "plan", "plans", "please", "plus", "pm", "point", "points", "port", "pps", "present",
    "previous", "price", "prices", "pricing", "priority", "private", "pro", "problem", "problems",
    "process", "product", "products", "project", "pros", "ps", "pst", "public", "purpose", "q1",
    "q2", "q3", "q4", "quantity", "question", "questions", "quote", "rate", "rates", "ratio", "re",
    "reason", "reasons", "recap", "ref", "reference", "references", "regards", "remark", "remarque",
    "reminder", "remote", "request", "required", "requirements", "response", "result", "results",
    "return", "revenue", "risk", "risks", "room", "rsvp", "rule", "rules", "sample", "sat",
    "saturday", "schedule", "scope", "seats", "second", "section", "see", "sep", "sept",
    "september", "services", "shipping", "size", "skype", "slot", "slots", "so", "solution",
    "source", "spec", "specs", "stage", "start", "status", "step", "steps", "still", "street",
    "subject", "subtotal", "success", "suggestion", "suggestions", "sum", "summary", "sun",
    "sunday", "table", "target", "targets", "task", "tasks", "tbd", "team", "tel", "telephone",
    "term", "terms", "test", "that", "the", "then", "these", "things", "third", "this", "those",
    "thoughts", "thu", "thur", "thurs", "thursday", "time", "timeline", "times", "timezone", "tip",
    "tips", "title", "tl", "tldr", "to", "to-do", "today", "todo", "todos", "together", "tomorrow",
    "tonight", "topic", "topics", "total", "track", "translation", "true", "tue", "tues", "tuesday",
    "two", "type", "unit", "units", "until", "upd", "update", "updates", "url", "usage",
    "user-agent", "utc", "value", "values", "vat", "venue", "version", "via", "vs", "warning",
    "warnings", "was", "web", "website", "wed", "wednesday", "week", "what", "when", "where",
    "which", "who", "why", "wip", "with", "work", "workaround", "year", "yes", "yesterday", "your",
    "zip", "zone", "zoom",
    "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x87\xd0\xb0\xd0\xbd\xd0\xb8\xd0\xb5"};

/* Months that are also names: labels only beside other labels ("June 3"). */
static const char *const month_names[] = {"jan", "april", "may", "june", "jun", "august"};

/* Words that open or fill a sentence, never a name. */
static const char *const function_words[] = {"i", "i'm", "i'll", "i've", "i'd", "we", "we're",
    "we'll", "we've", "you", "you're", "he", "she", "it", "it's", "they", "they're", "that's",
    "here's", "there's", "what's", "let's", "who's", "here", "there", "this", "that", "these",
    "those", "is", "are", "was", "were", "am", "be", "been", "has", "have", "had", "do", "does",
    "did", "can", "could", "will", "would", "should", "shall", "might", "must", "not", "don't",
    "said", "says", "asked", "wrote", "told", "thinks", "wants", "needs", "think", "thought",
    "want", "know", "see", "got", "get", "my", "our", "your", "his", "their", "its", "if", "when",
    "what", "why", "how", "which", "where", "because", "since", "although", "but", "so", "then",
    "or", "as", "with", "without", "about", "into", "for", "to", "on", "in", "by", "thanks",
    "thank", "please", "sorry", "hi", "hello", "hey", "just", "only", "also", "some", "any", "all",
    "every", "each", "no", "yes", "ok", "okay", "quick", "following", "added", "sent", "from"};

/* Lower-case parts inside names and descriptions of people. */
static const char *const particles[] = {"de", "del", "della", "di", "da", "das", "do", "dos", "du",
    "des", "la", "le", "las", "los", "el", "al", "bin", "ibn", "bint", "ben", "abu", "van", "von",
    "der", "den", "ten", "ter", "zu", "zur", "y", "e", "i", "af", "av", "st", "from", "at", "of",
    "and", "und", "et"};

/* Endings that make "x.y" a file or a host rather than a nick. */
static const char *const file_endings[] = {"com", "org", "net", "io", "txt", "c", "h", "py", "js",
    "ts", "md", "pdf", "html", "htm", "doc", "docx", "xlsx", "csv", "json", "xml", "sh", "go", "rs",
    "dev", "app", "conf", "yaml", "yml", "log", "zip", "png", "jpg", "exe", "ai", "co", "de", "uk",
    "eu"};

enum word_kind { WORD_CAPITAL, WORD_LOWER, WORD_NUMBER, WORD_OTHER };

/* Lower-case letters of the scripts that have case and are met most. */
static bool lower_letter(uint32_t cp)
{
    if (cp < 0x80)
        return char_lower((char)cp) == (char)cp && char_is_alpha((char)cp);
    return (cp >= 0xdf && cp <= 0xff) || (cp >= 0x100 && cp <= 0x17f && (cp & 1) != 0) ||
           (cp >= 0x3ac && cp <= 0x3ce) || (cp >= 0x430 && cp <= 0x45f);
}

/* A code point that no name holds: controls, separators, general punctuation, invisible marks. The
 * joiner and the variation selectors are parts of emoji, the apostrophe of names. */
static bool forbidden(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xfeff || cp == 0xfffd)
        return true;
    if (cp < 0x80)
        return strchr("\"?!;=<>*:", (int)cp) != NULL;
    return (cp >= 0x2010 && cp <= 0x206f && cp != 0x2019) || cp == 0x3000 || cp == 0xff1a ||
           cp == 0x3001 || cp == 0x3002 || cp == 0xff0c || cp == 0xff01 || cp == 0xff1f ||
           (cp >= 0x2190 && cp <= 0x21ff);
}

static bool phone_number(struct str s)
{
    size_t digits = 0;

    if (s.ptr[0] != '+')
        return false;
    for (size_t i = 1; i < s.len; i++) {
        if (char_is_digit(s.ptr[i]))
            digits++;
        else if (strchr(" -().", s.ptr[i]) == NULL || s.ptr[i] == '\0')
            return false;
    }
    return digits >= 7;
}

/* Cut a description in brackets off the end: "Ana (Acme)". False when brackets are out of place. */
static bool cut_description(struct str *name)
{
    ptrdiff_t open = str_find_char(*name, '(', 0);

    if (open < 0)
        return str_find_char(*name, ')', 0) < 0;
    if (open == 0 || name->ptr[open - 1] != ' ' || name->ptr[name->len - 1] != ')' ||
        str_find_char(*name, '(', (size_t)open + 1) >= 0 ||
        str_find_char(*name, ')', 0) != (ptrdiff_t)name->len - 1)
        return false;
    *name = str_trim(str_slice(*name, 0, (size_t)open));
    return true;
}

/* True when the characters allow a name at all. */
static bool characters_plausible(struct str name)
{
    bool letter = false;

    if (strchr("-+>#.,'/&%$)|]}", name.ptr[0]) != NULL && name.len > 1 && name.ptr[1] == ' ')
        return false;
    if (name.ptr[0] == '-' || name.ptr[0] == ',' || name.ptr[0] == '.' || name.ptr[0] == '/')
        return false;
    for (size_t pos = 0; pos < name.len;) {
        uint32_t cp = utf8_next(name, &pos);
        if (forbidden(cp))
            return false;
        if (cp >= 0x80 || char_is_alpha((char)cp))
            letter = true;
    }
    return letter;
}

static enum word_kind word_kind(struct str word)
{
    size_t pos = 0, digits = 0;
    uint32_t cp = utf8_next(word, &pos);

    while ((cp == '@' || cp == '\'' || cp == '#' || cp == '[') && pos < word.len)
        cp = utf8_next(word, &pos);
    for (size_t i = 0; i < word.len; i++)
        digits += char_is_digit(word.ptr[i]);
    if (digits > 0 && digits + 1 >= word.len)
        return WORD_NUMBER;
    if (lower_letter(cp))
        return WORD_LOWER;
    return cp >= 0x80 || char_is_alpha((char)cp) ? WORD_CAPITAL : WORD_OTHER;
}

/* The word without dots and commas at its end: "P.S." is "P.S". */
static struct str bare(struct str word)
{
    while (word.len > 0 && (word.ptr[word.len - 1] == '.' || word.ptr[word.len - 1] == ','))
        word.len--;
    return word;
}

static bool is_label(struct str word)
{
    struct str stem = bare(word);

    if (WORDS_SORTED_HAVE(labels, stem) || word_kind(stem) == WORD_NUMBER)
        return true;
    ptrdiff_t slash = str_find_char(stem, '/', 0);
    return slash > 0 && is_label(str_slice(stem, 0, (size_t)slash));
}

/* "9am", "10h", "3rd": a number with a short unit. */
static bool number_with_unit(struct str word)
{
    size_t digits = 0;

    while (digits < word.len && (char_is_digit(word.ptr[digits]) || word.ptr[digits] == '.'))
        digits++;
    struct str unit = str_slice(word, digits, word.len);
    static const char *const units[] = {"am", "pm", "h", "hrs", "min", "st", "nd", "rd", "th", "k",
        "m", "x", "d", "s", "eur", "usd", "%"};
    return digits > 0 && (unit.len == 0 || WORDS_HAVE(units, unit));
}

static enum party_shape one_word(struct str word)
{
    ptrdiff_t dot = str_rfind_char(word, '.');

    if (str_find_char(word, '/', 0) >= 0)
        return is_label(word) ? PARTY_LABEL : PARTY_NEVER;
    if (is_label(word))
        return PARTY_LABEL;
    if (number_with_unit(word) || word.ptr[word.len - 1] == ',' || word.ptr[word.len - 1] == '.')
        return PARTY_NEVER;
    if (str_find_char(word, ',', 0) >= 0 || str_find_char(word, '(', 0) >= 0)
        return PARTY_NEVER;
    if (dot > 0 && str_find_char(word, '@', 0) < 0 &&
        WORDS_HAVE(file_endings, str_slice(word, (size_t)dot + 1, word.len)))
        return PARTY_NEVER;
    if (str_is(word, "You") || str_is(word, "I"))
        return PARTY_STRONG; /* how messengers export one's own lines */
    if (WORDS_HAVE(function_words, word))
        return PARTY_LABEL;
    return PARTY_STRONG;
}

/* A full stop or comma inside means a sentence, unless it ends an abbreviation ("Dr.", "J.", "St.")
 * or parts surname and first name ("García, Ana"). */
static bool inner_stop(const struct str *words, size_t count, bool *ret_comma)
{
    *ret_comma = false;
    for (size_t i = 0; i < count; i++) {
        char last = words[i].ptr[words[i].len - 1];
        if (last == '.' && (words[i].len > 5 || word_kind(words[i]) != WORD_CAPITAL))
            return true;
        if (last == ',') {
            if (*ret_comma || i + 1 == count)
                return true;
            *ret_comma = true;
        }
    }
    return false;
}

static enum party_shape several_words(const struct str *words, size_t count)
{
    size_t capitals = 0, lowers = 0, known = 0;
    bool comma;

    if (inner_stop(words, count, &comma))
        return PARTY_NEVER;
    for (size_t i = 0; i < count; i++) {
        bool label = is_label(words[i]) || WORDS_HAVE(month_names, words[i]);
        enum word_kind kind = word_kind(words[i]);
        known += label || words[i].len == 1 || WORDS_HAVE(function_words, words[i]);
        if (kind == WORD_CAPITAL)
            capitals++;
        else if (kind == WORD_LOWER && !(i > 0 && WORDS_HAVE(particles, words[i])))
            lowers++;
        if (kind == WORD_LOWER && WORDS_HAVE(function_words, words[i]) &&
            !WORDS_HAVE(particles, words[i]))
            return PARTY_NEVER;
    }
    if (known == count)
        return PARTY_LABEL;
    if (WORDS_HAVE(function_words, words[0]) || number_with_unit(bare(words[0])) ||
        words[0].ptr[words[0].len - 1] == ')')
        return PARTY_NEVER;
    if (is_label(words[0]) && lowers > 0)
        return PARTY_NEVER;
    if (lowers > 0 || comma || capitals == 0)
        return lowers <= 3 && count <= 4 ? PARTY_WEAK : PARTY_NEVER;
    return PARTY_STRONG;
}

enum party_shape party_shape(struct str name)
{
    struct str words[WORDS_MAX], rest, part;
    size_t count = 0;

    if (name.len == 0 || name.len > TRANSCRIPT_PARTY_MAX)
        return PARTY_NEVER;
    if (phone_number(name))
        return PARTY_STRONG;
    if (!characters_plausible(name) || !cut_description(&name))
        return PARTY_NEVER;
    rest = name;
    while (str_next(&rest, ' ', &part)) {
        if (part.len == 0)
            continue;
        if (count == WORDS_MAX)
            return PARTY_NEVER;
        words[count++] = part;
    }
    if (count == 0)
        return PARTY_NEVER;
    return count == 1 ? one_word(words[0]) : several_words(words, count);
}
