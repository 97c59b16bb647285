/* POST /telegram/webhook: what Telegram delivers. It proves itself by the secret that was given to
 * setWebhook, and is answered when the update is stored: what is not answered comes again. */
#include "channel/channel.h"

#include "api/exchange.h"
#include "secure/keys.h"

/* Only what is wrong is counted and limited: many chats come from few addresses of Telegram. */
static int check_secret(struct exchange *x)
{
    struct str secret = str_from(x->api->house->config->telegram_webhook_secret);
    struct str shown = http_header(&x->req->headers, "x-telegram-bot-api-secret-token");
    int rc;

    if (!x->api->channel || str_empty(secret))
        return err_set(ERR_NOT_FOUND, "There is no webhook here: set telegram.token and "
                                      "telegram.webhook-secret.");
    if (secret_equal(shown, secret))
        return 0;
    rc = failures_check(x, STR(""));
    if (rc < 0)
        return rc;
    failures_note(x);
    return err_set(ERR_UNAUTHORIZED, "The secret token is not the one of this webhook.");
}

/* Whatever kept it from being stored, it is to come again. */
static int take(struct exchange *x, const struct channel_update *update)
{
    int rc = x->api->receive(x->api->receive_ctx, update, x->req->body);

    if (rc == 0)
        return 0;
    log_warn("telegram.not_taken", LOG_STR("update", update->id), LOG_ERR);
    return err_set(ERR_UNAVAILABLE, "The update could not be stored; deliver it again.");
}

int telegram_post(struct exchange *x)
{
    struct channel *channel = x->api->channel;
    struct channel_update update;
    int rc = check_secret(x);

    if (rc < 0)
        return rc;
    if (str_empty(channel_ops_of(channel)->who(channel).username))
        return err_set(ERR_UNAVAILABLE, "Telegram was not reached yet; deliver it again.");
    rc = channel_ops_of(channel)->read(channel, x->req->body, x->arena, &update);
    x->malformed = rc == ERR_INVALID;
    if (rc == 0)
        rc = take(x, &update);
    if (rc == 0) {
        x->answer.status = 200;
        x->answer.content_type = "application/json";
        x->answer.body = STR("{}");
    }
    return rc;
}
