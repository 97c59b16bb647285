/* One connection: opening it, and saying in plain words what went wrong. */
#include "store/postgres.h"

#include <ctype.h>
#include <poll.h>

/* libpq's text on one line, without its end. It never holds the password. */
static const char *plain(const char *message, char *out, size_t size)
{
    size_t len = 0;

    for (; *message && len + 1 < size; message++)
        if (*message != '\n' || (message[1] && message[1] != '\n'))
            out[len++] = *message == '\n' || *message == '\t' ? ' ' : *message;
    while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '.'))
        len--;
    out[len] = '\0';
    return out;
}

int pg_check_url(const struct pg_libpq *pq, const char *url)
{
    char *message = NULL;
    PQconninfoOption *options = pq->conninfoParse(url, &message);

    free(message); /* may quote the URL with its password */
    if (!options)
        return err_field(ERR_INVALID, "store",
            "The store's address cannot be read: write "
            "postgres://HOST[:PORT]/DATABASE?user=USER&sslmode=verify-full, with special "
            "characters "
            "percent-encoded; see docs/stores/postgres.md.");
    pq->conninfoFree(options);
    return 0;
}

/* The setting is wrong: starting again does not help, so the program says so with status 2. */
static int connect_error(struct pg_conn *conn)
{
    static const struct {
        const char *part, *remedy;
        int code;
    } known[] = {
        {"password authentication failed", "check user and password", ERR_INVALID},
        {"no password supplied", "put it into the URL, PGPASSWORD or a pgpass file", ERR_INVALID},
        {"SASL authentication failed", "check user and password", ERR_INVALID},
        {"no pg_hba.conf entry", "let this host and user in by pg_hba.conf", ERR_UNAVAILABLE},
        {"role \"", "create that role, or name another in the URL", ERR_INVALID},
        {"database \"", "create the database, or name another in the URL", ERR_INVALID},
        {"invalid ", "check the parameters of the URL", ERR_INVALID},
        {"could not translate host name", "check the host in the URL and the name server",
            ERR_UNAVAILABLE},
        {"does not match host name",
            "name the server in the URL as its certificate does, or give it another certificate",
            ERR_INVALID},
        {"root certificate file", "name the file of the CA by sslrootcert in the URL", ERR_INVALID},
        {"certificate verify failed",
            "name the CA that signed the server's certificate by sslrootcert in the URL",
            ERR_INVALID},
        {"certificate", "check sslmode and sslrootcert in the URL", ERR_INVALID},
        {"does not support SSL", "switch ssl on in the server, or change sslmode in the URL",
            ERR_INVALID},
        {"SSL", "check sslmode in the URL against the server's settings", ERR_UNAVAILABLE},
        {"too many", "raise max_connections or lower postgres.connections", ERR_UNAVAILABLE},
        {"starting up", "wait until the server has started", ERR_UNAVAILABLE},
        {"", "check that the server runs and that host and port are right", ERR_UNAVAILABLE},
    };
    const char *raw = conn->db ? conn->pq->errorMessage(conn->db) : "out of memory";
    char message[320];
    size_t i = 0;

    while (!strstr(raw, known[i].part))
        i++;
    return err_field(known[i].code, "store", "PostgreSQL cannot be reached (%s): %s.",
        plain(raw, message, sizeof(message)), known[i].remedy);
}

static void drop_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

/* Before the URL: its own values win. After it: ours do. */
static PGconn *connect_db(const struct pg_libpq *pq, const char *url)
{
    const char *const names[] = {"connect_timeout", "tcp_user_timeout", "keepalives_idle",
        "fallback_application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {"10", "30000", "30", "theo", url, "UTF8", NULL};

    return pq->connectdbParams(names, values, 1);
}

int pg_query_text(struct pg_conn *conn, const char *sql, const char *const *values, int count,
    struct arena *arena, struct str *ret_value)
{
    PGresult *result = conn->pq->execParams(conn->db, sql, count, NULL, values, NULL, NULL, 0);
    int r = 0;

    if (conn->pq->resultStatus(result) != PGRES_TUPLES_OK)
        r = pg_result_error(conn, result);
    else if (conn->pq->ntuples(result) == 0)
        *ret_value = (struct str){"", 0};
    else
        *ret_value = str_dup(arena, (struct str){conn->pq->getvalue(result, 0, 0),
                                        (size_t)conn->pq->getlength(result, 0, 0)});
    conn->pq->clear(result);
    return r;
}

int pg_exec(struct pg_conn *conn, const char *sql)
{
    PGresult *result = conn->pq->exec(conn->db, sql);
    ExecStatusType status = conn->pq->resultStatus(result);
    int r = 0;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        r = pg_result_error(conn, result);
    conn->pq->clear(result);
    return r;
}

/* Some roles and databases are set to acknowledge before the disk has it. */
static int check_server(struct pg_conn *conn)
{
    const char *encoding = conn->pq->parameterStatus(conn->db, "server_encoding");
    struct arena arena;
    struct str value;
    int r;

    if (encoding && strcmp(encoding, "UTF8") != 0)
        return err_set(ERR_INVALID,
            "The database %s is encoded in %s: create one with ENCODING 'UTF8' and name it in the "
            "URL.",
            conn->pq->db(conn->db), encoding);
    arena_init(&arena);
    r = pg_query_text(conn, "SHOW synchronous_commit", NULL, 0, &arena, &value);
    if (r == 0)
        conn->force_sync = str_is(value, "off");
    arena_deinit(&arena);
    return r;
}

int pg_conn_open(const struct pg_libpq *pq, const char *url, struct pg_conn *ret_conn)
{
    struct pg_conn conn = {.pq = pq, .url = url};
    int r = 0;

    conn.db = connect_db(pq, url);
    if (!conn.db || pq->status(conn.db) != CONNECTION_OK)
        r = connect_error(&conn);
    if (r == 0) {
        pq->setNoticeProcessor(conn.db, drop_notice, NULL);
        r = check_server(&conn);
    }
    if (r != 0) {
        pg_conn_close(&conn);
        return r < 0 ? r : err_set(ERR_UNAVAILABLE, "PostgreSQL is just being shut down: wait.");
    }
    *ret_conn = conn;
    return 0;
}

void pg_conn_close(struct pg_conn *conn)
{
    if (conn->db)
        conn->pq->finish(conn->db);
    conn->db = NULL;
}

/* A server that goes says so before it closes: both are read. */
bool pg_conn_alive(struct pg_conn *conn)
{
    struct pollfd fd;

    if (!conn->db || conn->pq->status(conn->db) != CONNECTION_OK)
        return false;
    fd = (struct pollfd){.fd = conn->pq->socket(conn->db), .events = POLLIN};
    while (poll(&fd, 1, 0) != 0)
        if (!conn->pq->consumeInput(conn->db) || conn->pq->status(conn->db) != CONNECTION_OK)
            return false;
    return true;
}

/* SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html) that ask for something. */
int pg_result_error(struct pg_conn *conn, const PGresult *result)
{
    static const struct {
        const char *state;
        int code;
        const char *remedy;
    } known[] = {
        {"23505", STORE_EXISTS, ""},
        {PG_STATE_CONFLICT, STORE_CONFLICT, ""},
        {PG_STATE_MISSING, STORE_MISSING, ""},
        {"40001", PG_RETRY, ""}, /* serialization failure */
        {"40P01", PG_RETRY, ""}, /* deadlock */
        {"57P0", PG_RETRY, ""},  /* shutting down, crashed, starting */
        {"53100", ERR_FULL, "make room on the server's disk"},
        {"53", ERR_UNAVAILABLE, "give the server more memory or connections"},
        {"55P03", PG_RETRY, ""}, /* lock_timeout, which only a migration sets */
        {"57014", ERR_UNAVAILABLE, "raise statement_timeout for Theo's role"},
        {"3F000", ERR_UNAVAILABLE, "create the schema that the role's search_path names"},
        {"25006", ERR_UNAVAILABLE,
            "the server only reads: name the primary in the URL, or add "
            "target_session_attrs=read-write"},
        {"42501", ERR_UNAVAILABLE,
            "grant the role CREATE and USAGE on the schema, or the ownership of Theo's tables"},
        {"42P01", ERR_UNAVAILABLE, "a table was removed: run theo migrate"},
        {"22008", ERR_INVALID, "give a time between the years 1 and 9999"},
        {"XX", ERR_CORRUPT, "look into the server's log, and restore a backup if data is damaged"},
        {"", ERR_IO, "look into the server's log"},
    };
    const char *state = result ? conn->pq->resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? conn->pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : "";
    char message[320];
    size_t i = 0;

    if (!state)
        return err_set(ERR_UNAVAILABLE, "The connection to PostgreSQL was lost: %s.",
            plain(conn->pq->errorMessage(conn->db), message, sizeof(message)));
    while (strncmp(state, known[i].state, strlen(known[i].state)) != 0)
        i++;
    if (known[i].code > 0)
        return known[i].code;
    return err_set(known[i].code, "PostgreSQL says \"%s\" (%s): %s.",
        plain(text ? text : "", message, sizeof(message)), state, known[i].remedy);
}
