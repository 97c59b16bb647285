#include "host/listen.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

int listen_parse(struct str text, struct listen_address *ret_address)
{
    struct listen_address address = {0};
    ptrdiff_t colon = str_rfind_char(text, ':');
    struct str host;
    int64_t port;

    if (colon < 1 || !str_to_i64(str_slice(text, (size_t)colon + 1, text.len), &port) || port < 0 ||
        port > 65535)
        return err_field(ERR_INVALID, "listen",
            "listen must be HOST:PORT such as 127.0.0.1:8080, "
            "not \"%.*s\"",
            (int)MIN(text.len, 80), text.ptr);
    host = str_slice(text, 0, (size_t)colon);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = str_slice(host, 1, host.len - 1);
    else if (str_find_char(host, ':', 0) >= 0)
        return err_field(ERR_INVALID, "listen", "an IPv6 address stands in brackets: [::1]:%lld",
            (long long)port);
    if (host.len == 0 || host.len >= sizeof(address.host))
        return err_field(
            ERR_INVALID, "listen", "listen needs a host: 127.0.0.1:%lld", (long long)port);
    memcpy(address.host, host.ptr, host.len);
    address.port = (int)port;
    address.loopback =
        str_starts(host, STR("127.")) || str_is(host, "::1") || str_is(host, "localhost");
    *ret_address = address;
    return 0;
}

static bool is_taken(const struct addrinfo *info)
{
    int one = 1, fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken;

    if (fd < 0)
        return false; /* the server itself will say what is wrong */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    taken = bind(fd, info->ai_addr, info->ai_addrlen) < 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

int listen_check_free(const struct listen_address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *info;
    char port[8];
    bool taken;

    if (address->port == 0)
        return 0;
    snprintf(port, sizeof(port), "%d", address->port);
    if (getaddrinfo(address->host, port, &hints, &info) != 0)
        return err_field(
            ERR_INVALID, "listen", "there is no address for the host \"%s\"", address->host);
    taken = is_taken(info);
    freeaddrinfo(info);
    if (taken)
        return err_set(ERR_IO,
            "something listens on %s:%d already; stop it, or choose another port "
            "with --listen",
            address->host, address->port);
    return 0;
}
