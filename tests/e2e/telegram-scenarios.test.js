// Conversations between people and Theo, each a file in tests/scenarios/telegram (README.md there).
import { describe, test } from 'node:test';
import { scenarios, playScenario } from './telegram-scenarios.js';

describe('scenarios of Telegram', { concurrency: 4 }, () => {
  for (const one of scenarios())
    test(`${one.scenario.name} (${one.file}, ${one.mode})`, { skip: one.scenario.skip }, () => playScenario(one));
});
