// Plays the scenarios of tests/scenarios/telegram against a real Theo.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './theo.js';
import { House } from './telegram-theo.js';
import { load, options, Play } from '../peers/telegram/scenario.js';
import { Telegram } from '../peers/telegram.js';

export const folder = join(root, 'tests', 'scenarios', 'telegram');

// [{file, mode, scenario}] of a folder.
export function scenarios(from = folder) {
  return readdirSync(from).filter((file) => /\.(ya?ml|json)$/.test(file)).sort().flatMap((file) => {
    const scenario = load(join(from, file));
    return (scenario.modes ?? ['webhook', 'poll']).map((mode) => ({ file, mode, scenario: { folder: from, ...scenario } }));
  });
}

// Plays one; throws what went wrong.
export async function playScenario({ scenario, mode }) {
  const { env, config, allow } = scenario.theo ?? {};
  const backoff = { firstMs: 50, mostMs: 500 };
  const tg = new Telegram({ backoff, conflictDelayMs: 300, repeatedOffsetMs: 300, ...options(scenario) });
  const play = new Play(tg, scenario);
  const house = await House.open({
    tg, mode, env, config,
    setUp: () => (play.setUp(), allow ? allow.map((name) => (play.people[name] ?? play.chats[name]).id) : play.ids()),
  });
  play.hooks = { restart: () => house.restart(), kill: async () => { await house.kill(); await house.start(); } };
  try {
    await play.run();
  } catch (error) {
    error.message += `\nTheo's log:\n${house.theo.log.slice(-3000)}`;
    throw error;
  } finally {
    await house.close();
  }
}
