/* One HTTP request and answer by libcurl: options, callbacks, results. Private to src/http.
 *
 * Callbacks run inside libcurl and never yield: they put what arrives into the reply or, when
 * streaming, into a bounded buffer that the calling fiber empties.
 */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "http/client.h"
#include "http/multi.h"
#include "http/url.h"

/* A reusable easy handle and the URL it was last used for. */
struct http_handle {
    CURL *easy;
    CURLU *parts;
    char *url_text; /* "" when none */
    struct arena arena;
    struct url url;
    struct http_handle *next;
};

struct http_transfer {
    struct multi_wait wait;
    struct multi *multi;
    struct arena *arena;
    const struct http_call *call;
    struct http_reply *reply;
    int64_t deadline_ms;
    struct str addresses; /* of the host; empty: numeric */
    struct buf body;      /* collected, in arena */
    struct buf pending;   /* streamed and not yet delivered, on the heap */
    size_t received, header_bytes, header_room;
    size_t read; /* of the call's body, by libcurl, when HTTP_ONCE is set */
    bool paused;
    int failure; /* ERR_* that made a callback stop the transfer */
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
};

struct http_handle *http_handle_new(struct multi *multi, const char *ca_file);
void http_handle_free(struct http_handle *handle);
MUST_CHECK int http_handle_set_url(struct http_handle *handle, struct str url);

/* Set the handle's options for transfer->call. 0 or ERR_INVALID (a header that cannot be sent). */
MUST_CHECK int http_transfer_prepare(struct http_transfer *transfer, struct http_handle *handle);
/* Give on_data what has arrived. What it returned. Yields. */
MUST_CHECK int http_transfer_deliver(struct http_transfer *transfer);
/* Once it ended: complete the reply, or the failure as ERR_*. */
MUST_CHECK int http_transfer_result(struct http_transfer *transfer, struct http_handle *handle);
/* A part of the request went out. */
bool http_transfer_sent(const struct http_handle *handle);
/* The handle forgets what lies in the call's memory. */
void http_transfer_deinit(struct http_transfer *transfer, struct http_handle *handle);

/* Absolute URL that a redirect answer of url names; ret_url untouched for other answers. */
MUST_CHECK int http_redirect_target(
    struct arena *arena, struct str url, const struct http_reply *reply, struct str *ret_url);
/* Turn call into the one that follows a redirect with this status (RFC 9110 section 15.4):
 * another origin gets no credentials. */
MUST_CHECK int http_redirect_call(
    struct arena *arena, int status, struct str next, struct http_call *call);

#endif
