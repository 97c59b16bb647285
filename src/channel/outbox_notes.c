/* What helps to speak and may be forgotten: which chats are gone, and the newest message id that
 * was seen in each. A table of fixed size in which a chat takes the place of another now and then:
 * what is lost costs one more call. */
#include "channel/outbox_private.h"

#define NOTES 4096

struct note {
    uint64_t chat; /* hash of its key */
    int64_t newest;
    bool gone;
};

struct outbox_notes {
    pthread_mutex_t mutex;
    struct note notes[NOTES];
};

struct outbox_notes *outbox_notes_new(void)
{
    struct outbox_notes *notes = xcalloc(1, sizeof(*notes));

    pthread_mutex_init(&notes->mutex, NULL);
    return notes;
}

void outbox_notes_free(struct outbox_notes *notes)
{
    pthread_mutex_destroy(&notes->mutex);
    free(notes);
}

static struct note *find(struct outbox_notes *notes, struct str chat)
{
    uint64_t hash = outbox_hash(chat);
    struct note *note = &notes->notes[(hash ^ hash >> 32) % NOTES];

    if (note->chat != hash)
        *note = (struct note){.chat = hash};
    return note;
}

void outbox_notes_gone(struct outbox_notes *notes, struct str chat, bool gone)
{
    pthread_mutex_lock(&notes->mutex);
    find(notes, chat)->gone = gone;
    pthread_mutex_unlock(&notes->mutex);
}

bool outbox_notes_is_gone(struct outbox_notes *notes, struct str chat)
{
    bool gone;

    pthread_mutex_lock(&notes->mutex);
    gone = find(notes, chat)->gone;
    pthread_mutex_unlock(&notes->mutex);
    return gone;
}

/* Telegram numbers the messages of a supergroup (-100…) by themselves, and those of all private
 * chats and small groups together. */
static struct str space_of(struct str chat)
{
    ptrdiff_t bar = str_rfind_char(chat, '|');

    if (bar < 0 || str_starts(str_slice(chat, (size_t)bar + 1, chat.len), STR("-100")))
        return chat;
    return str_slice(chat, 0, (size_t)bar);
}

void outbox_notes_newest(struct outbox_notes *notes, struct str chat, struct str message_id)
{
    struct note *note;
    int64_t id;

    if (!str_to_i64(message_id, &id))
        return;
    pthread_mutex_lock(&notes->mutex);
    note = find(notes, space_of(chat));
    note->newest = MAX(note->newest, id);
    pthread_mutex_unlock(&notes->mutex);
}

struct str outbox_notes_after(struct outbox_notes *notes, struct str chat, struct arena *arena)
{
    int64_t newest;

    pthread_mutex_lock(&notes->mutex);
    newest = find(notes, space_of(chat))->newest;
    pthread_mutex_unlock(&notes->mutex);
    return newest > 0 ? str_printf(arena, "%lld", (long long)newest) : STR("");
}
