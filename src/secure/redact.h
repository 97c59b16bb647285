/* Removing secrets from text that leaves: logs, traces, errors, prompts.
 *
 * Replaces by "[redacted]": Theo keys, `Authorization:`/Bearer/Basic values, sk-…, xoxb-…, AKIA…,
 * ghp_…, Telegram bot tokens, JWTs, PEM private keys, userinfo of URLs, and values of parameters
 * or JSON members named like key, token, secret, password. Linear time. Does not yield.
 */
#ifndef SECURE_REDACT_H
#define SECURE_REDACT_H

#include "base/str.h"

/* text itself when nothing was found. */
struct str redact(struct arena *arena, struct str text);

#endif
