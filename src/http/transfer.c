#include "http/transfer.h"

#include "base/err.h"

#include <arpa/inet.h>

enum {
    CONNECT_TIMEOUT_MS = 10 * SECOND_MS,
    BUFFER_SIZE = 4 * KIB,         /* each call in flight holds one */
    UPLOAD_BUFFER_SIZE = 16 * KIB, /* libcurl's minimum */
    ONCE_IDLE_S = 15,
    USUAL_IDLE_S = 118, /* libcurl's own */
    STREAM_WINDOW = 64 * KIB,
    HEADER_BYTES_MAX = 64 * KIB,
};

static bool is_success(int status)
{
    return status >= 200 && status <= 299;
}

/* "HTTP/1.1 200 OK": a new head begins, for instance after 100 Continue. */
static void begin_head(struct http_transfer *transfer, struct str line)
{
    ptrdiff_t space = str_find_char(line, ' ', 0);
    int64_t status = 0;
    if (space < 0 || !str_to_i64(str_slice(line, (size_t)space + 1, (size_t)space + 4), &status))
        status = 0;
    transfer->reply->status = (int)status;
    transfer->reply->headers.count = 0;
}

static void add_header(struct http_transfer *transfer, struct str line)
{
    struct http_headers *headers = &transfer->reply->headers;
    ptrdiff_t colon = str_find_char(line, ':', 0);
    if (colon <= 0)
        return;
    if (headers->count == transfer->header_room) {
        size_t room = MAX(transfer->header_room * 2, 16);
        headers->items = arena_grow(transfer->arena, headers->items,
            transfer->header_room * sizeof(struct http_header), room * sizeof(struct http_header));
        transfer->header_room = room;
    }
    struct str copy = str_dup(transfer->arena, line);
    headers->items[headers->count++] = (struct http_header){
        str_slice(copy, 0, (size_t)colon),
        str_trim(str_slice(copy, (size_t)colon + 1, copy.len)),
    };
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_transfer *transfer = arg;
    struct str line = {bytes, size * count};
    transfer->header_bytes += line.len;
    if (transfer->header_bytes > HEADER_BYTES_MAX) {
        transfer->failure = err_set(ERR_TOO_LARGE,
            "the headers of an HTTP answer are longer than %d bytes", HEADER_BYTES_MAX);
        return 0;
    }
    line = str_trim(line);
    if (str_starts(line, STR("HTTP/")))
        begin_head(transfer, line);
    else
        add_header(transfer, line);
    return size * count;
}

static void reserve_whole_body(struct http_transfer *transfer)
{
    struct str length = http_header(&transfer->reply->headers, "content-length");
    int64_t bytes = 0;
    if (str_to_i64(length, &bytes) && bytes > 0 && (uint64_t)bytes <= transfer->call->max_body)
        buf_reserve(&transfer->body, MIN((size_t)bytes, (size_t)MIB));
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_transfer *transfer = arg;
    size_t len = size * count;
    bool streamed = transfer->call->on_data != NULL && is_success(transfer->reply->status);
    if (streamed && transfer->pending.len >= STREAM_WINDOW) {
        transfer->paused = true;
        multi_notify(&transfer->wait);
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > transfer->call->max_body - transfer->received) {
        transfer->failure = ERR_TOO_LARGE;
        return 0;
    }
    transfer->received += len;
    if (streamed) {
        buf_add(&transfer->pending, bytes, len);
        multi_notify(&transfer->wait);
        return len;
    }
    if (transfer->body.len == 0)
        reserve_whole_body(transfer);
    buf_add(&transfer->body, bytes, len);
    return len;
}

/* The last guard of HTTP_PUBLIC_ONLY: what libcurl is about to connect to, however it came by it.
 */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = arg;
    (void)purpose;
    if (transfer->call->flags & HTTP_PUBLIC_ONLY) {
        char text[INET6_ADDRSTRLEN] = "";
        const void *raw = &((struct sockaddr_in *)(void *)&address->addr)->sin_addr;
        if (address->family == AF_INET6)
            raw = &((struct sockaddr_in6 *)(void *)&address->addr)->sin6_addr;
        inet_ntop(address->family, raw, text, sizeof(text));
        if (address_is_private(text)) {
            transfer->failure = ERR_DENIED;
            return CURL_SOCKET_BAD;
        }
    }
    int fd = socket(
        address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd >= 0)
        multi_opened(transfer->multi, fd);
    return fd;
}

/* What is the same for every call through this handle. */
static void set_constants(CURL *easy, const char *ca_file)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* none, whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    /* With a folder of certificates every connection would read the store again. */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_SIZE);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "theo");
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
}

struct http_handle *http_handle_new(struct multi *multi, const char *ca_file)
{
    CURL *easy = curl_easy_init();
    CURLU *parts = curl_url();
    if (easy == NULL || parts == NULL) {
        curl_easy_cleanup(easy);
        curl_url_cleanup(parts);
        return NULL;
    }
    struct http_handle *handle = xcalloc(1, sizeof(*handle));
    handle->easy = easy;
    handle->parts = parts;
    handle->url_text = xstrdup("");
    arena_init(&handle->arena);
    set_constants(easy, ca_file);
    curl_easy_setopt(easy, CURLOPT_CURLU, parts);
    multi_prepare(multi, easy);
    return handle;
}

void http_handle_free(struct http_handle *handle)
{
    curl_easy_cleanup(handle->easy);
    curl_url_cleanup(handle->parts);
    arena_deinit(&handle->arena);
    free(handle->url_text);
    free(handle);
}

int http_handle_set_url(struct http_handle *handle, struct str url)
{
    if (!str_empty(url) && str_is(url, handle->url_text))
        return 0;
    arena_reset(&handle->arena);
    handle->url_text[0] = '\0';
    int rc = url_parse(&handle->arena, url, &handle->url);
    if (rc != 0)
        return rc;
    char *text = str_heap(url);
    CURLUcode code = curl_url_set(handle->parts, CURLUPART_URL, text, 0);
    free(handle->url_text);
    handle->url_text = text;
    if (code != CURLUE_OK)
        return err_set(ERR_INVALID, "the URL cannot be used: %s", curl_url_strerror(code));
    return 0;
}

static bool is_sendable(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    }
    return true;
}

/* libcurl only reads the list, so its nodes may lie in the arena. */
static void add_line(struct http_transfer *transfer, struct str line)
{
    struct curl_slist *node = arena_new(transfer->arena, struct curl_slist);
    struct curl_slist **at = &transfer->headers;
    while (*at != NULL)
        at = &(*at)->next;
    node->data = (char *)line.ptr;
    *at = node;
}

static bool sends_body(const struct http_call *call)
{
    return call->body.len > 0 || call->method == HTTP_POST || call->method == HTTP_PUT ||
           call->method == HTTP_PATCH;
}

static int set_headers(struct http_transfer *transfer, CURL *easy)
{
    const struct http_call *call = transfer->call;
    bool has_type = false;
    for (size_t i = 0; i < call->header_count; i++) {
        struct str name = call->headers[i].name, value = call->headers[i].value;
        if (str_empty(name) || !is_sendable(name) || !is_sendable(value) ||
            str_find_char(name, ':', 0) >= 0)
            return err_set(ERR_INVALID,
                "header number %zu of an HTTP call holds a line break, NUL or no name", i + 1);
        has_type |= str_eq_nocase(name, STR("content-type"));
        /* libcurl writes an empty header when the line ends in a semicolon. */
        add_line(transfer, str_printf(transfer->arena, "%.*s%s%.*s", STR_ARG(name),
                               str_empty(value) ? ";" : ": ", STR_ARG(value)));
    }
    if (sends_body(call)) {
        add_line(transfer, STR("Expect:")); /* no waiting for 100 Continue */
        if (!has_type)
            add_line(transfer, STR("Content-Type:"));
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    return 0;
}

static size_t on_read(char *into, size_t size, size_t count, void *arg)
{
    struct http_transfer *transfer = arg;
    struct str rest = str_slice(transfer->call->body, transfer->read, transfer->call->body.len);
    size_t len = MIN(size * count, rest.len);

    if (len > 0)
        memcpy(into, rest.ptr, len);
    transfer->read += len;
    return len;
}

/* libcurl repeats any request over a fresh connection when the kept-alive one gives nothing. It
 * cannot rewind a body that it reads by a callback, and fails then: that is HTTP_ONCE. */
static void set_body(struct http_transfer *transfer, CURL *easy)
{
    const struct http_call *call = transfer->call;
    bool once = (call->flags & HTTP_ONCE) != 0 && call->body.len > 0;

    /* A connection that was idle for long may be closed just now by the server, which would leave
     * open whether the request arrived. */
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)(once ? ONCE_IDLE_S : USUAL_IDLE_S));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
        once                 ? NULL
        : call->body.len > 0 ? call->body.ptr
                             : "");
}

static void set_method(struct http_transfer *transfer, CURL *easy)
{
    const struct http_call *call = transfer->call;

    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (sends_body(call)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        set_body(transfer, easy);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    } else if (call->method == HTTP_HEAD) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    bool usual = call->method == HTTP_HEAD || (call->method == HTTP_POST) ||
                 (call->method == HTTP_GET && call->body.len == 0);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, usual ? NULL : http_method_name(call->method));
}

/* Pin the name to the addresses found, which then are the only ones libcurl tries. */
static void set_addresses(struct http_transfer *transfer, struct http_handle *handle)
{
    bool public_only = (transfer->call->flags & HTTP_PUBLIC_ONLY) != 0;
    bool fresh = public_only || (transfer->call->flags & HTTP_FRESH) != 0;
    struct curl_slist *pin = NULL;
    if (!str_empty(transfer->addresses)) {
        pin = arena_new(transfer->arena, struct curl_slist);
        pin->data = (char *)str_printf(transfer->arena, "+%.*s:%d:%.*s", STR_ARG(handle->url.host),
            handle->url.port, STR_ARG(transfer->addresses))
                        .ptr;
    }
    curl_easy_setopt(handle->easy, CURLOPT_RESOLVE, pin);
    /* A pooled connection may lead where a checked call must not go. */
    curl_easy_setopt(handle->easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    curl_easy_setopt(handle->easy, CURLOPT_FORBID_REUSE, public_only ? 1L : 0L);
}

int http_transfer_prepare(struct http_transfer *transfer, struct http_handle *handle)
{
    CURL *easy = handle->easy;
    transfer->body = BUF_IN(transfer->arena);
    int rc = set_headers(transfer, easy);
    if (rc != 0)
        return rc;
    set_method(transfer, easy);
    set_addresses(transfer, handle);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    return 0;
}

int http_transfer_deliver(struct http_transfer *transfer)
{
    while (transfer->pending.len > 0) {
        struct buf piece = transfer->pending;
        transfer->pending = BUF_HEAP;
        int rc = transfer->call->on_data(buf_str(&piece), transfer->call->ctx);
        if (transfer->pending.ptr == NULL) { /* nothing came meanwhile: keep the memory */
            buf_clear(&piece);
            transfer->pending = piece;
        } else {
            buf_deinit(&piece);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void take_times(struct http_reply *reply, CURL *easy)
{
    curl_off_t connect = 0, first = 0, total = 0;
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
    reply->connect_ms = connect / 1000;
    reply->first_byte_ms = first / 1000;
    reply->total_ms = total / 1000;
}

static const char *stage_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
        return "cannot connect to";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return "no trusted TLS connection to";
    case CURLE_PARTIAL_FILE:
        return "the answer was cut off by";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return "the connection was broken off by";
    default:
        return "no proper HTTP answer from";
    }
}

static int failure_of(const struct http_transfer *transfer, const struct http_handle *handle)
{
    struct str host = handle->url.host;
    if (transfer->failure == ERR_TOO_LARGE)
        return err_set(ERR_TOO_LARGE, "the answer of %.*s is larger than the %zu bytes allowed",
            STR_ARG(host), transfer->call->max_body);
    if (transfer->failure == ERR_DENIED)
        return err_set(ERR_DENIED,
            "%.*s is an address inside a private network; only public ones may be fetched",
            STR_ARG(host));
    CURLcode code = transfer->wait.result;
    return err_set(ERR_IO, "%s %.*s:%d: %s", stage_of(code), STR_ARG(host), handle->url.port,
        transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code));
}

int http_transfer_result(struct http_transfer *transfer, struct http_handle *handle)
{
    take_times(transfer->reply, handle->easy);
    if (transfer->wait.result != CURLE_OK)
        return failure_of(transfer, handle);
    transfer->reply->body = buf_str(&transfer->body);
    return 0;
}

bool http_transfer_sent(const struct http_handle *handle)
{
    long bytes = 0;

    return curl_easy_getinfo(handle->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes > 0;
}

void http_transfer_deinit(struct http_transfer *transfer, struct http_handle *handle)
{
    curl_easy_setopt(handle->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_RESOLVE, NULL);
    buf_deinit(&transfer->pending);
}
