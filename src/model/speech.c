#include "model/speech.h"

#include "http/client.h"
#include "http/multipart.h"

#define ANSWER_MAX MIB
#define TIMEOUT_MS (60 * SECOND_MS)

bool speech_enabled(const struct config *config)
{
    return config->speech_base_url[0] != '\0';
}

int speech_to_text(const struct config *config, struct str bytes, struct str file_name,
    struct str mime, struct arena *arena, struct str *ret_text)
{
    const struct multipart_part parts[] = {
        {.name = STR("model"), .value = str_from(config->speech_model)},
        {.name = STR("response_format"), .value = STR("json")},
        {.name = STR("file"),
            .value = bytes,
            .file_name = str_empty(file_name) ? STR("voice.ogg") : file_name,
            .type = str_empty(mime) ? STR("audio/ogg") : mime},
    };
    struct http_header headers[] = {{STR("Content-Type"), STR("")},
        {STR("Authorization"), str_printf(arena, "Bearer %s", config->speech_api_key)}};
    struct http_call call = {.method = HTTP_POST,
        .url = str_printf(arena, "%s/audio/transcriptions", config->speech_base_url),
        .headers = headers,
        .header_count = config->speech_api_key[0] ? 2 : 1,
        .timeout_ms = TIMEOUT_MS,
        .max_body = ANSWER_MAX};
    const struct json *root;
    struct http_reply reply;
    int rc;

    if (!speech_enabled(config))
        return err_set(ERR_UNAVAILABLE, "No speech-to-text server is configured: set "
                                        "speech.base-url.");
    call.body = multipart_write(parts, ARRAY_LEN(parts), arena, &headers[0].value);
    rc = http_send(arena, &call, &reply);
    if (rc < 0)
        return rc;
    if (reply.status != 200)
        return err_set(ERR_UNAVAILABLE, "The speech-to-text server answered %d.", reply.status);
    if (json_parse(arena, reply.body, &root) < 0 || !json_is(json_get(root, "text"), JSON_STRING))
        return err_set(
            ERR_PROTOCOL, "The speech-to-text server answered without {\"text\": \"…\"}.");
    *ret_text = str_trim(utf8_clean(arena, json_get_str(root, "text")));
    return 0;
}
