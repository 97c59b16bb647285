/* The A2A agent card. */
#include "api/a2a.h"

static const char description[] =
    "Reads what people say in a chat and helps: schedules meetings, answers questions, recalls and "
    "sums up what was said.";

/* Where this server is reached: as the operator says, or as the caller wrote it. */
static struct str base_url(struct exchange *x)
{
    struct str url = str_from(x->api->house->config->server_public_url);
    struct str host = http_header(&x->req->headers, "host");

    while (str_ends(url, STR("/")))
        url.len--;
    if (!str_empty(url))
        return url;
    return str_printf(x->arena, "%s://%.*s", x->req->tls ? "https" : "http", STR_ARG(host));
}

static void put_interface(
    struct exchange *x, struct json_writer *w, const char *binding, const char *version)
{
    struct str base = base_url(x);

    json_object_begin(w);
    json_str_member(w, "url", str_printf(x->arena, "%.*s/a2a", STR_ARG(base)));
    json_cstr_member(w, "protocolBinding", binding);
    json_cstr_member(w, "protocolVersion", version);
    json_object_end(w);
}

int a2a_card(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "name", x->api->house->config->agent_name);
    json_cstr_member(&w, "description", description);
    json_cstr_member(&w, "version", x->api->version);
    json_name(&w, "supportedInterfaces");
    json_array_begin(&w);
    put_interface(x, &w, "JSONRPC", "1.0");
    put_interface(x, &w, "HTTP+JSON", "1.0");
    put_interface(x, &w, "JSONRPC", "0.3");
    json_array_end(&w);
    json_raw_member(&w, "capabilities",
        STR("{\"streaming\":true,\"pushNotifications\":false,\"extendedAgentCard\":false}"));
    json_raw_member(&w, "securitySchemes",
        STR("{\"bearer\":{\"httpAuthSecurityScheme\":{\"scheme\":\"Bearer\","
            "\"description\":\"An API key of Theo with the scope chat.\"}}}"));
    json_raw_member(&w, "securityRequirements", STR("[{\"schemes\":{\"bearer\":{\"list\":[]}}}]"));
    json_raw_member(&w, "defaultInputModes", STR("[\"text/plain\"]"));
    json_raw_member(&w, "defaultOutputModes", STR("[\"text/plain\",\"application/json\"]"));
    json_raw_member(&w, "skills",
        STR("[{\"id\":\"chat\",\"name\":\"Answer a chat\",\"description\":\"Answers, schedules, "
            "recalls and sums up.\",\"tags\":[\"chat\",\"scheduling\",\"summary\"],"
            "\"examples\":[\"Book us a call with Ben tomorrow at 3pm\"]}]"));
    json_object_end(&w);
    answer_json(&x->answer, 200, &out);
    return 0;
}
