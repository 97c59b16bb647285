/* The words by which text/address.c tells talk to somebody from talk about him. Included once. */
#ifndef TEXT_ADDRESS_WORDS_H
#define TEXT_ADDRESS_WORDS_H

/* May stand between the start of a clause and the name of whom it speaks to. */
static const char *const openers[] = {"hey", "hi", "hello", "hiya", "yo", "heya", "howdy", "ok",
    "okay", "k", "thanks", "thank", "you", "thx", "ty", "tnx", "cheers", "dear", "good", "morning",
    "afternoon", "evening", "night", "welcome", "please", "pls", "plz", "so", "and", "but", "well",
    "yes", "yeah", "yep", "yup", "no", "nope", "nah", "sorry", "great", "cool", "right", "alright",
    "oh", "ah", "um", "hm", "hmm", "lol", "haha", "hehe", "wow", "also", "then", "now", "btw",
    "perfect", "nice", "awesome", "excellent", "brilliant", "sure", "actually", "again", "very",
    "much", "a", "lot", "many", "excuse", "me", "listen", "look", "question", "quick", "true",
    "agreed", "exactly", "one", "more", "thing", "back", "over", "to", "there", "bye", "gracias",
    "hola", "oye", "danke", "hallo", "merci", "bonjour", "salut", "ciao", "grazie", "obrigado",
    "ola", "job", "work", "point", "idea", "well", "done", "it", "fyi"};

/* Directly before the name these speak to it, whatever follows. */
static const char *const greetings[] = {"hey", "hi", "hello", "hiya", "yo", "heya", "howdy",
    "thanks", "thx", "ty", "cheers", "dear", "morning", "afternoon", "evening", "night", "welcome",
    "gracias", "hola", "oye", "danke", "hallo", "merci", "bonjour", "salut", "ciao", "grazie",
    "obrigado", "ola", "thank you", "sorry", "bye", "please"};

/* Directly before the name these speak about it. */
static const char *const about_before[] = {"with", "to", "for", "from", "by", "about", "of", "at",
    "than", "like", "via", "on", "as", "in", "into", "without", "after", "before", "against",
    "between", "and", "or", "nor", "is", "was", "are", "be", "isn't", "wasn't", "who's", "where's",
    "what's", "that's", "it's", "not", "ask", "asks", "asked", "asking", "tell", "tells", "told",
    "telling", "meet", "met", "cc", "see", "saw", "seen", "invite", "invited", "add", "added",
    "ping", "pinged", "call", "called", "calls", "named", "email", "emailed", "mail", "message",
    "messaged", "let", "lets", "let's", "have", "had", "has", "get", "got", "give", "gave", "send",
    "sent", "show", "showed", "help", "use", "used", "using", "need", "needs", "want", "wants",
    "like", "likes", "love", "trust", "try", "tried", "know", "knows", "knew", "remind", "because",
    "if", "when", "while", "that", "whether", "did", "does", "do", "will", "would", "can", "could",
    "should", "must", "might", "may", "our", "my", "your", "their", "his", "her", "the", "this",
    "a", "dr", "mr", "through", "where", "how", "why", "until", "till", "since", "per", "including",
    "except", "besides", "towards", "both", "either", "neither", "hire", "hired", "make", "made",
    "watch", "love", "loves", "miss", "contact", "contacted", "loop", "bring", "brought",
    "introduce", "introduced"};

static const char *const auxiliaries[] = {"can", "could", "would", "will", "shall", "should", "may",
    "might", "must", "do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "can't",
    "couldn't", "wouldn't", "won't", "shouldn't", "don't", "doesn't", "didn't", "isn't", "aren't",
    "wasn't", "hasn't", "haven't", "cannot"};

static const char *const subjects[] = {"you", "u", "ya", "i", "we", "it", "they", "he", "she",
    "there", "this", "that", "these", "those", "anyone", "anybody", "someone", "somebody",
    "everyone", "not"};

static const char *const determiners[] = {
    "the", "a", "an", "my", "our", "your", "their", "his", "her", "any", "some"};

/* Directly after the name these tell of it in the third person. */
static const char *const about_after[] = {"said", "says", "told", "tells", "wrote", "writes",
    "thinks", "thought", "knows", "knew", "wants", "wanted", "needs", "sent", "sends", "made",
    "makes", "mentioned", "suggests", "asks", "replies", "found", "finds", "got", "gets", "went",
    "goes", "gave", "gives", "looks", "seems", "works", "likes", "keeps", "kept", "took", "takes",
    "came", "comes", "did", "put", "already", "never", "always", "really", "probably", "still",
    "and", "or", "at", "from", "of", "in", "on", "with", "for", "by", "to", "as", "was", "himself",
    "itself", "ran", "runs", "sees", "saw", "heard", "spoke", "speaks", "uses", "does", "won",
    "lost", "left", "became", "began", "understood", "understands", "quoted", "reads", "answers",
    "handles", "schedules", "books", "helps", "sounds", "means", "meant", "vs", "versus", "than",
    "or", "instead", "too", "either", "yet", "if", "after", "before", "because", "but", "about"};

/* Directly after the name: a question to him ("Theo when is …?") or a clause about him. */
static const char *const relatives[] = {"who", "which", "when"};

static const char *const adverbs[] = {"just", "also", "now", "then", "quickly", "maybe"};

static const char *const not_past[] = {
    "need", "proceed", "speed", "feed", "embed", "exceed", "seed", "indeed", "succeed", "bleed"};

static const char *const second_person[] = {"you", "your", "you're", "you'll", "u", "ur", "yours",
    "yourself", "please", "pls", "plz", "you've", "you'd"};

/* Openings of a request that goes on with whoever spoke last. */
static const char *const requests[] = {"please", "pls", "can", "could", "would", "will", "move",
    "make", "change", "cancel", "book", "add", "send", "invite", "remove", "reschedule", "schedule",
    "set", "put", "try", "check", "show", "tell", "give", "find", "use", "delete", "update", "push",
    "shift", "rename", "confirm", "go", "do", "remind", "draft", "summarise", "summarize", "and",
    "what", "which", "how", "why", "when", "where", "who"};

static const char *const closers[] = {"please", "pls", "plz", "thanks", "thx", "too", "lol", "then",
    "now", "again", "haha", "ty", "man", "mate"};

#endif
