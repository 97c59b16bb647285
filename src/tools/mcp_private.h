/* What the files of the MCP client share; nobody else includes it.
 *
 * mcp_config.c reads the setting; mcp_http.c and mcp_stdio.c carry messages; mcp_link.c speaks the
 * protocol over them; mcp_catalog.c makes tools of a server's list; mcp_headers.c repeats arguments
 * in headers; mcp.c joins it all.
 */
#ifndef TOOLS_MCP_PRIVATE_H
#define TOOLS_MCP_PRIVATE_H

#include "base/log.h"
#include "http/client.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "tools/mcp.h"
#include "tools/mcp_rpc.h"

#define MCP_MESSAGE_MAX ((size_t)4 * MIB) /* of one message, or of all of an HTTP answer */
#define MCP_FLOOD_MAX 2000                /* messages that are no answer, during one call */

/* A server as configured. Immutable; strings end in NUL. */
struct mcp_server {
    struct str name;
    struct str url; /* empty: a command */
    struct http_header *headers;
    size_t header_count;
    char **argv, **envp;                  /* NULL-terminated */
    const char *cwd;                      /* NULL: ours */
    const struct json *allow, *read_only; /* lists of names; NULL: all, none */
    bool all_read_only, trust_annotations;
    const char *description; /* of a remote A2A agent; NULL: what its card says */
    int64_t timeout_ms;
    size_t max_result_bytes;
};

struct mcp {
    struct arena arena; /* of all that is configured */
    struct mcp_server *servers;
    size_t count;
};

/* mcp_config.c: fill mcp->servers from the text of the setting "mcp", or of "a2a", whose entries
 * are read alike. env resolves ${NAME}. 0 or ERR_INVALID. */
MUST_CHECK int mcp_config_read(struct mcp *mcp, const struct config *config, const char *setting,
    struct str tree, char *const *env);

enum mcp_era { MCP_UNKNOWN, MCP_ERA_LEGACY, MCP_ERA_MODERN };

/* A request to be sent. Ids are given by the link. */
struct mcp_call {
    const char *method;
    struct str name;                   /* header Mcp-Name; may be empty */
    struct str members;                /* of params, JSON without the braces; may be empty */
    const struct http_header *headers; /* further ones: Mcp-Param-… */
    size_t header_count;
    int64_t timeout_ms;
};

struct mcp_answer {
    const struct json *result; /* NULL: an error */
    int64_t code;              /* of the error */
    struct str message;        /* of the error, cleaned */
    const struct json *data;
    int status; /* HTTP's, when it was no 2xx */
};

struct mcp_child;
struct mcp_catalog;
struct mcp_waiter;

/* One loop's link to one server. */
struct mcp_link {
    const struct mcp_server *server;
    struct loop *loop;
    struct semaphore gate; /* of the handshake */
    bool ready;            /* it is done */
    enum mcp_era era;
    char version[16];        /* agreed on */
    struct str session;      /* heap; HTTP, legacy; empty: none */
    struct mcp_child *child; /* stdio; NULL: not running */
    int64_t last_id;
    int64_t retry_at_ms, pause_ms; /* after a failure */
    struct mcp_catalog *catalog;   /* the last list; NULL: none yet */
    bool refreshing;
    int64_t refreshed_at_ms;  /* when the last refresh began */
    uint64_t changes, listed; /* of the list, as announced; how many the catalog knows */
    struct mcp_waiter *waiters;
};

/* mcp_http.c and mcp_stdio.c: send message (whole JSON text) and, when id > 0, wait for its answer.
 * 0 when there is one, an error included; ERR_NOT_FOUND: the HTTP session is gone; ERR_IO,
 * ERR_TIMEOUT, ERR_TOO_LARGE, ERR_PROTOCOL, ERR_UNAVAILABLE, ERR_UNAUTHORIZED, ERR_CANCELLED. On
 * ERR_TIMEOUT and ERR_CANCELLED the server is told. Yields. */
MUST_CHECK int mcp_http_send(struct mcp_link *link, const struct mcp_call *call, struct str message,
    int64_t id, struct arena *arena, struct mcp_answer *ret_answer);
MUST_CHECK int mcp_stdio_send(struct mcp_link *link, const struct mcp_call *call,
    struct str message, int64_t id, struct arena *arena, struct mcp_answer *ret_answer);
/* Kill the child, if there is one; the next handshake starts another. */
void mcp_stdio_drop(struct mcp_link *link);
/* End the child, waiting a moment for it; at the end of a loop. Does not yield. */
void mcp_stdio_close(struct mcp_link *link);

/* mcp_link.c */
MUST_CHECK int mcp_answer_take(struct mcp_link *link, const struct rpc_message *message, int64_t id,
    struct arena *arena, struct mcp_answer *ret_answer);
/* The text of our answer to a request of the server: a ping is answered, all else is unknown. */
struct str mcp_answer_request(const struct rpc_message *request, struct arena *arena);
struct str mcp_cancel_text(int64_t id, const char *reason, struct arena *arena);
/* Make sure the handshake is done. A new one counts as a change of the list. Yields. */
MUST_CHECK int mcp_link_open(struct mcp_link *link, struct arena *arena);
/* Make sure the handshake is done, then send. Sends once more when the HTTP session was gone.
 * Errors as above, and ERR_FAILED, ERR_INVALID, ERR_DENIED for an error answered. Yields. */
MUST_CHECK int mcp_link_call(struct mcp_link *link, const struct mcp_call *call,
    struct arena *arena, const struct json **ret_result);
void mcp_link_lost(struct mcp_link *link); /* the handshake must be done anew */
/* The server failed: leave it alone for a while, which doubles up to a minute. Nothing when it is
 * being left alone already. */
void mcp_link_pause(struct mcp_link *link);

/* mcp_headers.c: does a tool's schema mark only what can be sent as a header? */
#define MCP_PARAM_HEADERS_MAX 32
bool mcp_headers_are_valid(const struct json *schema);
/* Add the headers that the schema asks for to call. */
void mcp_headers_add(
    struct str parameters, const struct json *args, struct arena *arena, struct mcp_call *call);

/* mcp_catalog.c */
struct mcp_tool {
    struct tool tool;
    const struct mcp_server *server;
    struct mcp *mcp;
    size_t index; /* of the server */
    struct str remote_name;
};
struct mcp_catalog {
    struct arena arena;
    int refs;
    const struct tool **tools;
    size_t count;
    int64_t expires_ms;
};
/* Ask for all pages of the list. Yields. */
MUST_CHECK int mcp_catalog_fetch(
    struct mcp *mcp, struct mcp_link *link, struct mcp_catalog **ret_catalog);
void mcp_catalog_unref(struct mcp_catalog *catalog); /* NULL is allowed */
/* mcp.c: struct tool's run. */
int mcp_tool_run(const struct tool_call *call, struct tool_result *ret_result);
/* The text for the model of a tools/call result, marked untrusted. 0 or ERR_FAILED (isError). */
MUST_CHECK int mcp_result_take(const struct mcp_tool *tool, const struct json *result,
    struct arena *arena, struct tool_result *ret_result);

#endif
