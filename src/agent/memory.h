/* What Theo keeps of a chat beyond its last messages: a rolling summary, and notes (facts,
 * preferences, decisions, open points). All are rows of `memories`; the session's state says how
 * far they reach.
 *
 * Both are written after an answer, on a fiber of its own, once for every memory.every-messages new
 * messages: no answer waits for them, and a chat's turn 1,000 costs what turn 10 costs. A note
 * belongs to the chat it is from and is recalled there alone, whoever asks: what one chat said is
 * never shown in another. Notes are data for the model, like the chat itself.
 */
#ifndef AGENT_MEMORY_H
#define AGENT_MEMORY_H

#include "agent/run.h"

#define MEMORY_BODY_MAX 2000   /* bytes of one note */
#define MEMORY_SUBJECT_MAX 200 /* bytes */

/* chat_sessions.state, as JSON. */
struct memory_state {
    int64_t covered; /* number of the last message that summary and notes cover */
    bool notes;      /* the chat has rows in `memories` */
};
/* What is not readable counts as absent. */
struct memory_state memory_state_read(struct str state, struct arena *arena);
/* The session's state with this in it; other members stay as they were. */
struct str memory_state_write(
    const struct memory_state *state, struct str former, struct arena *arena);

/* The part of the instructions that says what is remembered; "" when nothing is. whole: the model
 * sees the chat from its beginning, so that it needs no summary. 0 or store errors. Yields. */
MUST_CHECK int memory_recall(struct store *store, const struct chat_session_row *session,
    bool whole, struct arena *arena, struct str *ret_text);

/* After a run was answered: when enough was said since the last time, begin to write. Does not
 * yield. house must outlive the loop's fibers. */
void memory_after_run(const struct agent_house *house, const struct chat_session_row *session);

/* Write summary and notes up to the chat's last message now, at most 400 messages a call. Returns
 * 0 also when there was nothing new or somebody else was faster; ret_notes: notes made. Yields. */
MUST_CHECK int memory_write(const struct agent_house *house, struct str workspace_id,
    struct str session_id, size_t *ret_notes);

/* Add a note to the chat and mark the chat as having some. row->id may be empty: a new one is made;
 * a note that is there under that id stays. 0, ERR_NOT_FOUND (no such session), store errors.
 * Yields. */
MUST_CHECK int memory_add(
    struct store *store, const struct env *env, struct arena *arena, struct memory_row *row);

/* memory_notes.c: what is worth noting. */
struct memory_notes {
    struct memory_row *rows; /* kind, subject, subject_kind, body, source, message_seq are set */
    size_t count;
    struct str summary; /* the new one: former and new messages together */
};
/* By rules: decisions and promises as said, with the speaker. Does not yield. */
void memory_notes_digest(const struct message_row *messages, size_t count, struct str summary,
    struct str agent_name, struct arena *arena, struct memory_notes *ret_notes);
/* By a model. 0 or what the model failed with. Yields. */
MUST_CHECK int memory_notes_model(struct model *model, const struct agent_house *house,
    const struct message_row *messages, size_t count, struct str summary, struct arena *arena,
    struct memory_notes *ret_notes);

bool memory_kind_known(struct str kind);
bool memory_subject_kind_known(struct str kind);

#endif
