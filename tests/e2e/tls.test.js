// TLS in process, reloading certificates, and haproxy in front.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import https from 'node:https';
import { start, scratch, freePort } from './theo.js';

function certificate(dir, name) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')],
  { stdio: 'pipe' });
}

function subject(port, options = {}) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...options }, () => {
      const result = { name: socket.getPeerCertificate().subject.CN, protocol: socket.getProtocol(), alpn: socket.alpnProtocol };
      socket.destroy();
      resolve(result);
    });
    socket.on('error', reject);
  });
}

test('TLS 1.2 and up, http/1.1, certificates read again on SIGHUP', async () => {
  const dir = scratch();
  certificate(dir, 'first');
  const theo = await start({ dir, tls: true, args: ['--tls-cert', join(dir, 'cert.pem'), '--tls-key', join(dir, 'key.pem')] });
  try {
    assert.deepEqual(await subject(theo.port), { name: 'first', protocol: 'TLSv1.3', alpn: 'http/1.1' });
    assert.equal((await subject(theo.port, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
    await assert.rejects(subject(theo.port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
    const body = JSON.stringify({ chat_context: 'Ana: 12 euro.\nBen: Theo, what did we agree?' });
    const status = await new Promise((resolve, reject) => {
      const request = https.request({ port: theo.port, host: '127.0.0.1', path: '/api/chat', method: 'POST', rejectUnauthorized: false,
        headers: { Authorization: `Bearer ${theo.key}`, 'Content-Type': 'application/json', 'Content-Length': body.length } },
      (response) => { response.resume(); response.on('end', () => resolve(response.statusCode)); });
      request.on('error', reject);
      request.end(body);
    });
    assert.equal(status, 200);
    certificate(dir, 'second');
    theo.child.kill('SIGHUP');
    let now;
    for (let i = 0; i < 500 && now?.name !== 'second'; i++) {
      await new Promise((r) => setTimeout(r, 100));
      now = await subject(theo.port);
    }
    assert.equal(now.name, 'second');
    writeFileSync(join(dir, 'cert.pem'), 'garbage');
    theo.child.kill('SIGHUP');
    await new Promise((r) => setTimeout(r, 500));
    assert.equal((await subject(theo.port)).name, 'second', 'a bad certificate changes nothing');
  } finally {
    await theo.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('behind haproxy, which resets connections in the middle', async (t) => {
  try { execFileSync('haproxy', ['-v'], { stdio: 'pipe' }); } catch { t.skip('haproxy is not installed'); return; }
  const theo = await start();
  const port = await freePort();
  const config = join(theo.dir, 'haproxy.cfg');
  writeFileSync(config, `
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend f
  bind 127.0.0.1:${port}
  http-request silent-drop if { hdr(x-drop) -m found }
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:${theo.port}
`);
  const proxy = spawn('haproxy', ['-f', config, '-db'], { stdio: 'ignore' });
  try {
    let status;
    for (let i = 0; i < 500 && !status; i++) {
      await new Promise((r) => setTimeout(r, 100));
      status = await fetch(`http://127.0.0.1:${port}/healthz`).then((r) => r.status, () => undefined);
    }
    assert.equal(status, 200);
    const call = (extra = {}, signal) => fetch(`http://127.0.0.1:${port}/api/chat`, {
      method: 'POST', signal, body: JSON.stringify({ chat_context: 'Ana: 12 euro.\nBen: Theo, what did we agree?' }),
      headers: { Authorization: `Bearer ${theo.key}`, 'Content-Type': 'application/json', ...extra },
    });
    const answers = await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      if (i % 5 === 4) {
        const gone = new AbortController();
        const pending = call({}, gone.signal).catch(() => null);
        setTimeout(() => gone.abort(), i % 3);
        await pending;
        return 200;
      }
      return (await call()).status;
    }));
    assert.deepEqual(answers, Array(50).fill(200));
    assert.equal((await theo.api('GET', '/healthz')).status, 200);
  } finally {
    proxy.kill('SIGKILL');
    await theo.stop();
  }
});
