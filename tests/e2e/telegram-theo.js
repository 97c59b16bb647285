// Theo and the Telegram stub together, for tests: started, killed and started again on the same data.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { start, scratch, freePort } from './theo.js';
import { Telegram } from '../peers/telegram.js';

const secret = 'webhook-secret_1';
const allUpdates = ['message', 'edited_message', 'channel_post', 'edited_channel_post', 'callback_query', 'message_reaction', 'poll_answer',
  'my_chat_member', 'chat_member', 'stopped_message_generation'];

export class House {
  // stub: the stub's options; mode: webhook or poll; env and config: Theo's; setUp(tg) → ids that may
  // talk to Theo
  static async open({ stub = {}, mode = 'webhook', env = {}, config, setUp, tg } = {}) {
    const house = new House();
    const backoff = { firstMs: 50, mostMs: 500 };
    house.tg = tg ?? new Telegram({ backoff, conflictDelayMs: 300, repeatedOffsetMs: 300, bot: { privacy: false }, ...stub });
    await house.tg.start();
    const ids = setUp ? await setUp(house.tg) : [];
    Object.assign(house, { mode, dir: scratch(), port: await freePort() });
    if (config) writeFileSync(join(house.dir, 'theo.yaml'), config);
    house.env = {
      THEO_TELEGRAM_TOKEN: house.tg.bot.token, THEO_TELEGRAM_API_ROOT: house.tg.root, THEO_TELEGRAM_ALLOW: ids.join(','),
      ...(mode === 'webhook' ? { THEO_TELEGRAM_WEBHOOK_SECRET: secret } : { THEO_TELEGRAM_RECEIVE: 'poll' }), ...env,
    };
    house.tg.bot.setAllowed(allUpdates);
    try {
      await house.start();
    } catch (error) {
      await house.close();
      throw error;
    }
    return house;
  }

  // A Theo on the same data; env: more settings for this one (named faults).
  async start(env = {}) {
    this.theo = await start({ dir: this.dir, port: this.port, key: this.key, env: { ...this.env, ...env } });
    this.key = this.theo.key;
    if (this.mode === 'webhook' && !this.tg.bot.webhook)
      this.tg.bot.setWebhook({ url: `${this.theo.url}/telegram/webhook`, max_connections: 40, secret_token: secret });
  }
  // kill -9, and again.
  async kill() { await this.theo.kill(); this.sanitizers(); }
  async restart(env) { await this.theo.stop(); this.sanitizers(); await this.start(env); }
  // The process ends by itself, at a named fault.
  async ended() { const end = await this.theo.exited; this.sanitizers(); return end; }

  sanitizers() {
    if (/ERROR: (Address|Leak|Undefined)Sanitizer|runtime error:/.test(this.theo.log)) throw new Error(`sanitizer report:\n${this.theo.log.slice(-6000)}`);
  }

  async close() {
    try {
      if (this.theo) await this.theo.stop();
    } finally {
      await this.tg.stop();
      rmSync(this.dir, { recursive: true, force: true });
    }
    if (this.tg.log.broken.length > 0) throw this.tg.log.broken[0];
  }
}
