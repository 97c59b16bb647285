/* One call of a Bot API method (https://core.telegram.org/bots/api#making-requests), and what its
 * answer means.
 *
 * The token is a part of the address. No error or log line made here holds it. Nothing is repeated
 * here: the caller knows what a second try would do.
 */
#ifndef CHANNEL_TELEGRAM_API_H
#define CHANNEL_TELEGRAM_API_H

#include "channel/channel.h"

struct telegram_api {
    struct str root; /* "https://api.telegram.org" */
    struct str token;
};

/* Why Telegram refused, as far as something can be done about it. */
enum telegram_refusal {
    TELEGRAM_REFUSED_OTHER,
    TELEGRAM_NOT_MODIFIED, /* an edit that changes nothing: the message reads so already */
    TELEGRAM_BAD_MARKUP,   /* its entities cannot be parsed: send it as plain text */
    TELEGRAM_NO_TOPIC,     /* message_thread_id names none */
    TELEGRAM_NO_REPLIED,   /* the message to answer is gone */
    TELEGRAM_NO_MESSAGE,   /* the message to edit is not there, or not ours */
    TELEGRAM_LATE,         /* the press of a button was too long ago */
};

struct telegram_call {
    const char *method; /* "sendMessage" */
    struct str json;    /* the parameters, an object; "" none */
    int64_t timeout_ms; /* 0: 15 s */
    size_t max_answer;  /* 0: 8 MiB */
    bool once;          /* it must not be carried out twice */
    bool fresh;         /* on a new connection */
    /* A file to upload as well, by multipart/form-data; file_field NULL: none. */
    const char *file_field; /* "document" */
    struct str file_name, file_type, file;
};

struct telegram_answer {
    const struct json *result; /* after 0 */
    int status;                /* of HTTP; 0 when no answer came */
    struct str description;
    enum telegram_refusal refusal;
    int64_t retry_after_ms; /* with CHANNEL_RETRY; 0 when it does not say */
    struct str moved_to;    /* with CHANNEL_MOVED */
};

/* 0; CHANNEL_RETRY (429, or a failure inside Telegram: it was not done); CHANNEL_GONE; _MOVED;
 * _REFUSED (answer->refusal); _UNKNOWN (it went out and no answer came);
 * ERR_UNAUTHORIZED (the token is wrong); ERR_CONFLICT (409); ERR_IO, ERR_TIMEOUT, ERR_CANCELLED,
 * ERR_DENIED or ERR_INVALID when nothing was sent. err_get() says why in each case but 0. What
 * ret_answer holds lives in arena. Yields. */
MUST_CHECK int telegram_call(const struct telegram_api *api, const struct telegram_call *call,
    struct arena *arena, struct telegram_answer *ret_answer);

/* Download a file by the path that getFile gave. 0, ERR_TOO_LARGE, ERR_NOT_FOUND or ERR_IO.
 * Yields. */
MUST_CHECK int telegram_fetch(const struct telegram_api *api, struct str file_path, size_t max,
    struct arena *arena, struct str *ret_bytes);

#endif
