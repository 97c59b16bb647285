// A refusal of the Bot API, with the texts that its server builds.
'use strict';

const prefixes = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 409: 'Conflict', 500: 'Internal Server Error' };

class ApiError extends Error {
  // parameters: retry_after or migrate_to_chat_id
  constructor(code, description, parameters) {
    super(description);
    Object.assign(this, { code, description, parameters });
  }

  body() {
    const body = { ok: false, error_code: this.code, description: this.description };
    if (this.parameters) body.parameters = this.parameters;
    return body;
  }
}

// The server puts a prefix before its messages, and makes their first letter small unless they are
// constants like BUTTON_DATA_INVALID.
function refuse(code, message, parameters) {
  const constant = /^.[A-Z_]/.test(message);
  return new ApiError(code, `${prefixes[code]}: ${constant ? message : message[0].toLowerCase() + message.slice(1)}`, parameters);
}

const bad = (message, parameters) => refuse(400, message, parameters);
const tooMany = (seconds) => new ApiError(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });

module.exports = { ApiError, refuse, bad, tooMany };
