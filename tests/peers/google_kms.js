// A strict Google Cloud KMS (REST v1: cryptoKeys.encrypt, cryptoKeys.decrypt) with the token
// endpoint in front of it, in memory, for tests.
//
// The token endpoint verifies the service account's JWT (RS256, audience, scope, times); KMS wants
// a token of it, members that it knows, the same additional authenticated data, an enabled key and
// the right to use it. `kms.faults` holds answers for the next calls of KMS: [code, status] or "drop".
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');

const SCOPE = 'https://www.googleapis.com/auth/cloudkms';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

class Refusal extends Error {
  constructor(code, status, message, details) {
    super(message);
    Object.assign(this, { code, status, details });
  }
}

function token(kms, body) {
  const form = new URLSearchParams(body.toString());
  const [head, claims, signature] = (form.get('assertion') ?? '').split('.');
  const parse = (text) => JSON.parse(Buffer.from(text ?? '', 'base64url').toString());
  const bad = (text) => { throw Object.assign(new Error(text), { oauth: 'invalid_grant' }); };
  if (form.get('grant_type') !== GRANT || parse(head).alg !== 'RS256') bad('Bad Request');
  if (!crypto.verify('sha256', Buffer.from(`${head}.${claims}`), kms.publicKey, Buffer.from(signature, 'base64url')))
    bad('Invalid JWT Signature.');
  const { iss, aud, scope, iat, exp } = parse(claims), now = Date.now() / 1000;
  if (iss !== kms.account || aud !== `${kms.url}/token` || !scope.split(' ').includes(SCOPE)) bad('Invalid JWT');
  if (Math.abs(iat - now) > 300 || exp - iat > 3600 || exp < now) bad('Invalid JWT: Token must be a short-lived token');
  const made = `ya29.${crypto.randomBytes(24).toString('base64url')}`;
  kms.tokens.add(made);
  return { access_token: made, expires_in: 3599, token_type: 'Bearer' };
}

function bytesOf(text, name) {
  const bytes = Buffer.from(String(text ?? ''), 'base64');
  if (!bytes.length || bytes.toString('base64') !== text)
    throw new Refusal(400, 'INVALID_ARGUMENT', `${name} is not base64`);
  return bytes;
}

function use(kms, path, input) {
  const [, name, method] = /^\/v1\/(projects\/[^/:]+\/locations\/[^/:]+\/keyRings\/[^/:]+\/cryptoKeys\/[^/:]+):(encrypt|decrypt)$/.exec(path) ?? [];
  if (!name) throw new Refusal(404, 'NOT_FOUND', 'Not Found');
  const first = method === 'encrypt' ? 'plaintext' : 'ciphertext';
  for (const member of Object.keys(input))
    if (![first, 'additionalAuthenticatedData'].includes(member))
      throw new Refusal(400, 'INVALID_ARGUMENT', `Unknown name "${member}": Cannot find field.`);
  const key = kms.keys.get(name);
  const action = `cloudkms.cryptoKeyVersions.useTo${method === 'encrypt' ? 'Encrypt' : 'Decrypt'}`;
  if (!kms.may.includes(method))
    throw new Refusal(403, 'PERMISSION_DENIED', `Permission '${action}' denied on resource '${name}' (or it may not exist).`);
  if (!key) throw new Refusal(404, 'NOT_FOUND', `CryptoKey ${name} not found.`);
  if (key.state !== 'ENABLED')
    throw new Refusal(400, 'FAILED_PRECONDITION', `${name}/cryptoKeyVersions/1 is not enabled, current state is: ${key.state}.`);
  const aad = input.additionalAuthenticatedData === undefined ? Buffer.alloc(0)
    : bytesOf(input.additionalAuthenticatedData, 'additionalAuthenticatedData');
  kms.calls.push({ method, name, aad: aad.toString() });
  const bytes = bytesOf(input[first], first);
  if (method === 'encrypt') {
    const iv = crypto.randomBytes(12), cipher = crypto.createCipheriv('aes-256-gcm', key.material, iv);
    cipher.setAAD(aad);
    const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
    return { name: `${name}/cryptoKeyVersions/1`, ciphertext: Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64'), protectionLevel: 'SOFTWARE' };
  }
  try {
    const decipher = crypto.createDecipheriv('aes-256-gcm', key.material, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(12, 28));
    decipher.setAAD(aad);
    return { plaintext: Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('base64'), usedPrimary: true, protectionLevel: 'SOFTWARE' };
  } catch {
    throw new Refusal(400, 'INVALID_ARGUMENT', "Decryption failed: verify that 'name' refers to the correct CryptoKey.");
  }
}

function answer(kms, request, body) {
  if (request.method !== 'POST') throw new Refusal(404, 'NOT_FOUND', 'Not Found');
  if (request.url === '/token') return token(kms, body);
  const fault = kms.faults.shift();
  if (fault === 'drop') return null;
  if (fault) throw new Refusal(fault[0], fault[1], 'a fault of the test', fault[2]);
  if (!kms.tokens.has(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]))
    throw new Refusal(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
  return use(kms, request.url, JSON.parse(body));
}

// {url, key, keys, calls, faults, may, credentials, stop}; credentials is a service account's file.
async function start() {
  const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kms = {
    publicKey: pair.publicKey, account: 'theo@project.iam.gserviceaccount.com', tokens: new Set(),
    keys: new Map(), calls: [], faults: [], may: ['encrypt', 'decrypt'],
    addKey(id) {
      const name = `projects/project/locations/europe-west1/keyRings/theo/cryptoKeys/${id}`;
      kms.keys.set(name, { name, material: crypto.randomBytes(32), state: 'ENABLED' });
      return kms.keys.get(name);
    },
  };
  const server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    let status = 200, out;
    try {
      out = answer(kms, request, Buffer.concat(pieces));
      if (!out) return void request.socket.destroy();
    } catch (error) {
      status = error.code ?? 400;
      out = error.oauth ? { error: error.oauth, error_description: error.message }
        : { error: { code: status, message: error.message, status: error.status ?? 'INVALID_ARGUMENT', details: error.details } };
    }
    response.writeHead(status, { 'Content-Type': 'application/json; charset=UTF-8' });
    response.end(JSON.stringify(out));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  kms.url = `http://127.0.0.1:${server.address().port}`;
  kms.credentials = JSON.stringify({
    type: 'service_account', project_id: 'project', private_key_id: 'k1', client_email: kms.account,
    private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), token_uri: `${kms.url}/token`,
  });
  kms.stop = () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); });
  return kms;
}

module.exports = { start };
