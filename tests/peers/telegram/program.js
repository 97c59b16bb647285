// The stub as a program, for benchmarks and for trying Theo out by hand.
'use strict';
const { parseArgs } = require('node:util');

async function main(Telegram) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' }, token: { type: 'string' }, username: { type: 'string' }, 'no-limits': { type: 'boolean', default: false },
      'no-log': { type: 'boolean', default: false },
    },
  });
  const options = { keepLog: !values['no-log'], bot: {} };
  if (values.token) options.token = values.token;
  if (values.username) options.bot.username = values.username;
  if (values['no-limits']) options.limits = false;
  const tg = new Telegram(options);
  await tg.start(Number(values.port));
  console.log(JSON.stringify({ root: tg.root, token: tg.bot.token }));
}

module.exports = { main };
