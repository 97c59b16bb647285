// A strict AWS KMS (Encrypt and Decrypt of the JSON 1.1 protocol) in memory, for tests.
//
// It verifies the signature (Signature Version 4) and refuses what KMS refuses: an unknown or
// expired credential, another region, a clock that is off, headers that are not signed, a wrong
// target, another encryption context, a key that is unknown, disabled or waits for its deletion.
// `kms.faults` holds answers for the next calls: a [status, code, message] triple or "drop".
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');

class Refusal extends Error {
  constructor(code, message, status = 400) {
    super(message);
    Object.assign(this, { code, status });
  }
}

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => crypto.createHmac('sha256', key).update(data).digest();

function signatureOf(request, body, secret, { date, region, names, stamp }) {
  const headers = names.map((name) => `${name}:${String(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
  const canonical = [request.method, '/', '', headers.join(''), names.join(';'), sha256(body)].join('\n');
  const scope = `${date}/${region}/kms/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n');
  const key = [date, region, 'kms', 'aws4_request'].reduce(hmac, `AWS4${secret}`);
  return hmac(key, text).toString('hex');
}

function authenticate(kms, request, body) {
  const auth = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/
    .exec(request.headers.authorization ?? '');
  if (!auth) throw new Refusal('MissingAuthenticationTokenException', 'Missing Authentication Token', 403);
  const [, id, date, region, service, signed, signature] = auth;
  const names = signed.split(';');
  const stamp = request.headers['x-amz-date'] ?? '';
  for (const name of Object.keys(request.headers))
    if ((name === 'host' || name === 'content-type' || name.startsWith('x-amz-')) && !names.includes(name))
      throw new Refusal('InvalidSignatureException', `'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  if (region !== kms.region || service !== 'kms')
    throw new Refusal('InvalidSignatureException', 'Credential should be scoped to a valid region.');
  const user = kms.users.get(id);
  if (!user || (user.token ?? undefined) !== request.headers['x-amz-security-token'])
    throw new Refusal('UnrecognizedClientException', 'The security token included in the request is invalid.');
  const at = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(at - Date.now() - kms.skew) < 300000) || !stamp.startsWith(date))
    throw new Refusal('InvalidSignatureException', `Signature expired: ${stamp} is now earlier than the time allowed`);
  if (signatureOf(request, body, user.secret, { date, region, names, stamp }) !== signature)
    throw new Refusal('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.');
  if (user.expired) throw new Refusal('ExpiredTokenException', 'The security token included in the request is expired');
  return user;
}

function members(object, known) {
  for (const name of Object.keys(object))
    if (!known.includes(name)) throw new Refusal('SerializationException', `unknown member ${name}`);
}

function keyOf(kms, id, user, action) {
  if (typeof id !== 'string' || !id) throw new Refusal('ValidationException', "1 validation error detected: Value null at 'keyId'");
  const prefix = `arn:aws:kms:${kms.region}:${kms.account}:`;
  const short = id.startsWith(prefix) ? id.slice(prefix.length).replace(/^key\//, '') : id;
  const key = kms.keys.get(kms.aliases.get(short) ?? short);
  if (!key) throw new Refusal('NotFoundException', `Key '${prefix}key/${short}' does not exist`);
  if (!user.may.includes(action))
    throw new Refusal('AccessDeniedException', `User: ${user.arn} is not authorized to perform: kms:${action} on resource: ${key.arn}`);
  if (key.state === 'Disabled') throw new Refusal('DisabledException', `${key.arn} is disabled.`);
  if (key.state === 'PendingDeletion') throw new Refusal('KMSInvalidStateException', `${key.arn} is pending deletion.`);
  return key;
}

function contextOf(input) {
  const context = input.EncryptionContext ?? {};
  for (const value of Object.values(context))
    if (typeof value !== 'string') throw new Refusal('SerializationException', 'EncryptionContext is a map of strings');
  return JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function bytesOf(text, most) {
  const bytes = Buffer.from(String(text ?? ''), 'base64');
  if (!bytes.length || bytes.length > most || bytes.toString('base64') !== text)
    throw new Refusal('ValidationException', 'not base64 of a fitting length');
  return bytes;
}

const operations = {
  Encrypt(kms, input, user) {
    members(input, ['KeyId', 'Plaintext', 'EncryptionContext', 'EncryptionAlgorithm', 'GrantTokens', 'DryRun']);
    const key = keyOf(kms, input.KeyId, user, 'Encrypt'), iv = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv('aes-256-gcm', key.material, iv);
    cipher.setAAD(Buffer.from(contextOf(input)));
    const sealed = Buffer.concat([cipher.update(bytesOf(input.Plaintext, 4096)), cipher.final()]);
    const blob = Buffer.concat([Buffer.from(key.id), iv, cipher.getAuthTag(), sealed]);
    return { CiphertextBlob: blob.toString('base64'), KeyId: key.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
  },
  Decrypt(kms, input, user) {
    members(input, ['CiphertextBlob', 'KeyId', 'EncryptionContext', 'EncryptionAlgorithm', 'GrantTokens', 'DryRun']);
    const blob = bytesOf(input.CiphertextBlob, 6144), id = blob.subarray(0, 36).toString();
    if (blob.length < 36 + 28 || !kms.keys.has(id)) throw new Refusal('InvalidCiphertextException');
    if (input.KeyId !== undefined && keyOf(kms, input.KeyId, user, 'Decrypt').id !== id)
      throw new Refusal('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.');
    const key = keyOf(kms, id, user, 'Decrypt');
    const decipher = crypto.createDecipheriv('aes-256-gcm', key.material, blob.subarray(36, 48));
    decipher.setAuthTag(blob.subarray(48, 64));
    decipher.setAAD(Buffer.from(contextOf(input)));
    try {
      const plain = Buffer.concat([decipher.update(blob.subarray(64)), decipher.final()]);
      return { KeyId: key.arn, Plaintext: plain.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
    } catch {
      throw new Refusal('InvalidCiphertextException');
    }
  },
};

function answer(kms, request, body) {
  const fault = kms.faults.shift();
  if (fault === 'drop') return null;
  if (fault) throw new Refusal(fault[1], fault[2], fault[0]);
  if (request.method !== 'POST' || request.url !== '/') throw new Refusal('UnknownOperationException', undefined, 404);
  if (request.headers['content-type'] !== 'application/x-amz-json-1.1')
    throw new Refusal('UnknownOperationException', undefined, 404);
  const name = /^TrentService\.([A-Za-z]+)$/.exec(request.headers['x-amz-target'] ?? '')?.[1];
  if (!Object.hasOwn(operations, name ?? '')) throw new Refusal('UnknownOperationException');
  const user = authenticate(kms, request, body);
  const input = JSON.parse(body);
  kms.calls.push({ operation: name, context: input.EncryptionContext, key: input.KeyId });
  return operations[name](kms, input, user);
}

// A service in one region: {url, region, users, keys, aliases, calls, faults, addKey, stop}.
async function start({ region = 'eu-west-1', account = '111122223333' } = {}) {
  const kms = {
    region, account, skew: 0, users: new Map(), keys: new Map(), aliases: new Map(), calls: [], faults: [],
    addKey(alias) {
      const id = crypto.randomUUID();
      const key = { id, arn: `arn:aws:kms:${region}:${account}:key/${id}`, material: crypto.randomBytes(32), state: 'Enabled' };
      kms.keys.set(id, key);
      if (alias) kms.aliases.set(`alias/${alias}`, id);
      return key;
    },
    addUser(id, secret, extra = {}) {
      const user = { secret, arn: `arn:aws:iam::${account}:user/theo`, may: ['Encrypt', 'Decrypt'], ...extra };
      kms.users.set(id, user);
      return user;
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
      status = error.status ?? 400;
      out = { __type: error.code ?? 'SerializationException', message: error.message || undefined };
    }
    response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.1', 'x-amzn-RequestId': crypto.randomUUID() });
    response.end(JSON.stringify(out));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  kms.url = `http://127.0.0.1:${server.address().port}/`;
  kms.stop = () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); });
  return kms;
}

module.exports = { start };
