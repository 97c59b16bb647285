// The stub as a program, for benchmarks and for trying Theo out by hand.
'use strict';
const { parseArgs } = require('node:util');
const { load, play, options: optionsOf } = require('./scenario.js');

async function main(Telegram) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' }, token: { type: 'string' }, username: { type: 'string' }, 'no-limits': { type: 'boolean', default: false },
      'no-log': { type: 'boolean', default: false }, scenario: { type: 'string' },
    },
  });
  const scenario = values.scenario && load(values.scenario);
  const given = scenario ? optionsOf(scenario) : { bot: {} };
  const options = { ...given, keepLog: !values['no-log'] };
  if (values.token) options.token = values.token;
  if (values.username) options.bot.username = values.username;
  if (values['no-limits']) options.limits = false;
  const tg = new Telegram(options);
  await tg.start(Number(values.port));
  console.log(JSON.stringify({ root: tg.root, token: tg.bot.token }));
  if (!scenario) return;
  try {
    await play(tg, scenario);
    console.log(JSON.stringify({ passed: true }));
  } catch (error) {
    console.log(JSON.stringify({ passed: false, error: error.message }));
    process.exitCode = 1;
  }
  await tg.stop();
}

module.exports = { main };
