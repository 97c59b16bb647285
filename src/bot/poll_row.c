/* The record of a poll: as JSON, and back. */
#include "bot/poll.h"

struct str poll_write(const struct poll *poll, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "question", poll->question);
    json_str_member(&w, "asker", poll->asker);
    json_str_member(&w, "channel", poll->channel);
    json_cstr_member(&w, "language", say_language_tag(poll->language));
    json_name(&w, "choices");
    json_array_begin(&w);
    for (size_t i = 0; i < poll->choice_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "text", poll->choices[i].text);
        json_i64_member(&w, "start", poll->choices[i].start_ms);
        json_i64_member(&w, "end", poll->choices[i].end_ms);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_name(&w, "votes");
    json_array_begin(&w);
    for (size_t i = 0; i < poll->vote_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "who", poll->votes[i].who);
        json_str_member(&w, "name", poll->votes[i].name);
        json_i64_member(&w, "options", poll->votes[i].options);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

int poll_read(const struct schedule_row *row, struct arena *arena, struct poll *poll)
{
    const struct json *root, *one;

    *poll = (struct poll){.row = *row};
    if (json_parse(arena, row->payload, &root) < 0)
        return err_set(ERR_CORRUPT, "A poll is stored as no JSON.");
    poll->question = json_get_str(root, "question");
    poll->asker = json_get_str(root, "asker");
    poll->channel = json_get_str(root, "channel");
    poll->language = say_language(json_get_str(root, "language"));
    for (one = json_first(json_get(root, "choices")); one && poll->choice_count < POLL_CHOICES_MAX;
         one = json_next(one))
        poll->choices[poll->choice_count++] = (struct choice){
            json_get_str(one, "text"), json_get_i64(one, "start", 0), json_get_i64(one, "end", 0)};
    poll->votes = arena_array(arena, struct vote, json_len(json_get(root, "votes")) + 1);
    for (one = json_first(json_get(root, "votes")); one; one = json_next(one))
        poll->votes[poll->vote_count++] = (struct vote){json_get_str(one, "who"),
            json_get_str(one, "name"), (uint32_t)json_get_i64(one, "options", 0)};
    return 0;
}

struct str poll_outbox_id(const struct poll *poll, struct arena *arena)
{
    return str_printf(arena, "poll|%.*s", STR_ARG(poll->row.id));
}

size_t poll_votes_for(const struct poll *poll, size_t choice)
{
    size_t count = 0;

    for (size_t i = 0; i < poll->vote_count; i++)
        count += poll->votes[i].options >> choice & 1;
    return count;
}

void poll_put(struct poll *poll, struct store_batch *batch)
{
    poll->row.payload = poll_write(poll, batch->arena);
    store_update(batch, STORE_SCHEDULES, &poll->row);
}
