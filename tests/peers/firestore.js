// A strict Firestore (REST v1, native mode) in memory, for tests: node firestore.js PORT INDEXES.json
//
// It does what the store asks of Firestore (commit, batchGet, runQuery, transactions) and refuses
// what Firestore refuses: questions without a declared index, integers that are no strings, arrays
// in arrays, documents over 1 MiB, requests over 10 MiB, wrong names, members it does not know.
// POST /_fail {"method","how","count"} makes the next calls of a method fail: how is "aborted",
// "429", "503", "drop" (no answer, nothing done) or "drop_after" (done, but no answer).
'use strict';
const http = require('node:http');
const fs = require('node:fs');

const indexes = JSON.parse(fs.readFileSync(process.argv[3], 'utf8'));
const databases = new Map();
const transactions = new Map();
const faults = [];
let lastMicros = 0;

class Refusal extends Error {
  constructor(code, status, message) {
    super(message);
    Object.assign(this, { code, status });
  }
}
const invalid = (message) => new Refusal(400, 'INVALID_ARGUMENT', message);

function members(object, known, where) {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) throw invalid(`${where} is no object`);
  for (const key of Object.keys(object))
    if (!known.includes(key)) throw invalid(`Unknown name "${key}" at ${where}: Cannot find field.`);
  return object;
}

function now() {
  lastMicros = Math.max(lastMicros + 1, Date.now() * 1000);
  const date = new Date(Math.floor(lastMicros / 1000)).toISOString();
  return date.replace('Z', String(lastMicros % 1000).padStart(3, '0') + 'Z');
}

const kinds = ['nullValue', 'booleanValue', 'integerValue', 'doubleValue', 'timestampValue', 'stringValue',
  'bytesValue', 'referenceValue', 'geoPointValue', 'arrayValue', 'mapValue'];

// The size that Firestore counts; refuses what is no value.
function sizeOfValue(value, inArray) {
  const keys = Object.keys(members(value, kinds, 'value'));
  if (keys.length !== 1) throw invalid('A value has exactly one kind');
  const [kind] = keys;
  const content = value[kind];
  switch (kind) {
    case 'integerValue':
      if (typeof content !== 'string' || !/^-?\d+$/.test(content)) throw invalid('integerValue is a string of digits');
      if (BigInt.asIntN(64, BigInt(content)) !== BigInt(content)) throw invalid('integerValue has 64 bits');
      return 8;
    case 'stringValue':
      if (typeof content !== 'string') throw invalid('stringValue is a string');
      return Buffer.byteLength(content) + 1;
    case 'bytesValue': {
      const bytes = Buffer.from(String(content), 'base64');
      if (bytes.toString('base64') !== content) throw invalid('bytesValue is base64');
      return bytes.length;
    }
    case 'booleanValue':
      if (typeof content !== 'boolean') throw invalid('booleanValue is true or false');
      return 1;
    case 'mapValue':
      return sizeOfFields(members(content, ['fields'], 'mapValue').fields ?? {});
    case 'arrayValue':
      if (inArray) throw invalid('Nested arrays are not allowed');
      return (members(content, ['values'], 'arrayValue').values ?? []).reduce((sum, v) => sum + sizeOfValue(v, true), 0);
    default:
      return 16;
  }
}

function sizeOfFields(fields) {
  let size = 0;
  for (const [name, value] of Object.entries(fields)) {
    if (name === '' || Buffer.byteLength(name) > 1500 || /^__.*__$/.test(name)) throw invalid(`Wrong field name ${name}`);
    size += Buffer.byteLength(name) + 1 + sizeOfValue(value, false);
  }
  return size;
}

function checkName(name, database) {
  const prefix = `${database}/documents/`;
  if (typeof name !== 'string' || !name.startsWith(prefix)) throw invalid(`Document name "${name}" is not in ${database}`);
  const path = name.slice(prefix.length).split('/');
  if (path.length % 2 !== 0) throw invalid(`Document name "${name}" is a collection`);
  for (const part of path)
    if (part === '' || part === '.' || part === '..' || /^__.*__$/.test(part) || Buffer.byteLength(part) > 1500)
      throw invalid(`Wrong id in document name "${name}"`);
  return name;
}

function checkFieldPath(path) {
  if (typeof path !== 'string' || !/^[A-Za-z_][A-Za-z_0-9]*$/.test(path)) throw invalid(`Field path ${path} must be quoted`);
  return path;
}

function pick(doc, fieldPaths) {
  if (!fieldPaths) return doc;
  const fields = {};
  for (const path of fieldPaths) if (checkFieldPath(path) in doc.fields) fields[path] = doc.fields[path];
  return { ...doc, fields };
}

function checkPrecondition(condition, current, name) {
  if (condition === undefined) return;
  const keys = Object.keys(members(condition, ['exists', 'updateTime'], 'currentDocument'));
  if (keys.length !== 1) throw invalid('currentDocument has one condition');
  if (condition.exists === false && current) throw new Refusal(409, 'ALREADY_EXISTS', `Document already exists: ${name}`);
  if (condition.exists === true && !current) throw new Refusal(404, 'NOT_FOUND', `No document to update: ${name}`);
  if (condition.updateTime !== undefined && !current) throw new Refusal(404, 'NOT_FOUND', `No document: ${name}`);
  if (condition.updateTime !== undefined && current.updateTime !== condition.updateTime)
    throw new Refusal(400, 'FAILED_PRECONDITION', `the stored version does not match the required base version: ${name}`);
}

function commit(documents, database, body) {
  members(body, ['writes', 'transaction'], 'commit');
  const time = now();
  const changed = new Map();
  if (body.transaction !== undefined) {
    const reads = transactions.get(body.transaction);
    if (!reads) throw invalid('The transaction is not known');
    transactions.delete(body.transaction);
    for (const [name, updateTime] of reads)
      if (documents.get(name)?.updateTime !== updateTime) throw new Refusal(409, 'ABORTED', 'Too much contention on these documents.');
  }
  for (const write of body.writes ?? []) {
    members(write, ['update', 'delete', 'currentDocument'], 'write');
    if ((write.update === undefined) === (write.delete === undefined)) throw invalid('A write is an update or a delete');
    if (write.update) members(write.update, ['name', 'fields'], 'update');
    const name = checkName(write.update?.name ?? write.delete, database);
    const current = changed.has(name) ? changed.get(name) : documents.get(name);
    checkPrecondition(write.currentDocument, current, name);
    if (!write.update) {
      changed.set(name, undefined);
      continue;
    }
    const fields = write.update.fields ?? {};
    const size = sizeOfFields(fields) + Buffer.byteLength(name) + 32;
    if (size > 1048576) throw invalid(`Document '${name}' cannot be written because its size (${size} bytes) exceeds the maximum allowed size of 1,048,576 bytes.`);
    changed.set(name, { name, fields, createTime: current?.createTime ?? time, updateTime: time });
  }
  for (const [name, doc] of changed) if (doc) documents.set(name, doc); else documents.delete(name);
  return { writeResults: (body.writes ?? []).map(() => ({ updateTime: time })), commitTime: time };
}

function batchGet(documents, database, body) {
  members(body, ['documents', 'mask', 'transaction', 'readTime'], 'batchGet');
  const mask = body.mask && members(body.mask, ['fieldPaths'], 'mask').fieldPaths;
  const readTime = now();
  const reads = body.transaction && transactions.get(body.transaction);
  return [...new Set(body.documents)].reverse().map((name) => { // in no order, as the service does
    const doc = documents.get(checkName(name, database));
    reads?.set(name, doc?.updateTime);
    return doc ? { found: pick(doc, mask), readTime } : { missing: name, readTime };
  });
}

function compareValues(a, b) {
  if (a.integerValue !== undefined && b.integerValue !== undefined) {
    const [x, y] = [BigInt(a.integerValue), BigInt(b.integerValue)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a.referenceValue !== undefined && b.referenceValue !== undefined)
    return Buffer.compare(Buffer.from(a.referenceValue), Buffer.from(b.referenceValue));
  if (a.stringValue !== undefined && b.stringValue !== undefined)
    return Buffer.compare(Buffer.from(a.stringValue), Buffer.from(b.stringValue));
  return kinds.indexOf(Object.keys(a)[0]) - kinds.indexOf(Object.keys(b)[0]);
}

const operators = {
  EQUAL: (order) => order === 0,
  LESS_THAN: (order) => order < 0,
  LESS_THAN_OR_EQUAL: (order) => order <= 0,
  GREATER_THAN: (order) => order > 0,
  GREATER_THAN_OR_EQUAL: (order) => order >= 0,
};

function filtersOf(where) {
  if (!where) return [];
  members(where, ['compositeFilter', 'fieldFilter'], 'where');
  if (where.compositeFilter) {
    members(where.compositeFilter, ['op', 'filters'], 'compositeFilter');
    if (where.compositeFilter.op !== 'AND') throw invalid('only AND is known here');
    return where.compositeFilter.filters.flatMap(filtersOf);
  }
  const { field, op, value } = members(where.fieldFilter, ['field', 'op', 'value'], 'fieldFilter');
  if (!operators[op]) throw invalid(`Unknown operator ${op}`);
  sizeOfValue(value, false);
  return [{ path: checkFieldPath(field.fieldPath), op, value }];
}

// Equal fields in any order, then the order's fields in theirs.
function needIndex(collection, filters, orders) {
  const equal = new Set(filters.filter((f) => f.op === 'EQUAL').map((f) => f.path));
  const unequal = new Set(filters.filter((f) => f.op !== 'EQUAL').map((f) => f.path));
  if (unequal.size > 1) throw invalid('One field may have inequalities here');
  for (const path of unequal) if (orders[0]?.path !== path) throw invalid('The first order must be the field of the inequality');
  if (equal.size + orders.length === 0) return;
  if (equal.size + orders.length === 1) {
    const [path] = [...equal, ...orders.map((o) => o.path)];
    const override = indexes.fieldOverrides.find((o) => o.collectionGroup === collection && o.fieldPath === path);
    if (!override || override.indexes.length > 0) return;
  }
  const found = indexes.indexes.some((index) => index.collectionGroup === collection &&
    index.fields.length === equal.size + orders.length &&
    index.fields.every((field, i) => i < equal.size ? equal.has(field.fieldPath)
      : field.fieldPath === orders[i - equal.size].path && field.order === orders[i - equal.size].direction));
  if (!found) throw new Refusal(400, 'FAILED_PRECONDITION', `The query requires an index on ${collection}: ${[...equal, ...orders.map((o) => `${o.path} ${o.direction}`)]}`);
}

function runQuery(documents, database, body) {
  members(body, ['structuredQuery', 'readTime'], 'runQuery');
  if (body.readTime !== undefined && !/^\d{4}-\d\d-\d\dT.*Z$/.test(body.readTime)) throw invalid('readTime is a timestamp');
  const query = members(body.structuredQuery, ['select', 'from', 'where', 'orderBy', 'startAt', 'limit'], 'structuredQuery');
  if (!Array.isArray(query.from) || query.from.length !== 1) throw invalid('from names one collection');
  const collection = members(query.from[0], ['collectionId', 'allDescendants'], 'from').collectionId;
  const filters = filtersOf(query.where);
  const orders = (query.orderBy ?? []).map((o) => {
    members(o, ['field', 'direction'], 'orderBy');
    if (!['ASCENDING', 'DESCENDING'].includes(o.direction)) throw invalid('Unknown direction');
    return { path: o.field.fieldPath === '__name__' ? '__name__' : checkFieldPath(o.field.fieldPath), direction: o.direction };
  });
  if (query.limit !== undefined && (!Number.isInteger(query.limit) || query.limit < 0)) throw invalid('limit is a whole number');
  if (orders.length !== 1 || orders[0].path !== '__name__') needIndex(collection, filters, orders); // names need none
  const valueAt = (doc, path) => (path === '__name__' ? { referenceValue: doc.name } : doc.fields[path]);
  const compare = (a, b) => {
    for (const { path, direction } of orders) {
      const order = compareValues(valueAt(a, path), valueAt(b, path));
      if (order !== 0) return direction === 'ASCENDING' ? order : -order;
    }
    return 0;
  };
  let found = [...documents.values()].filter((doc) => doc.name.startsWith(`${database}/documents/${collection}/`) &&
    orders.every((o) => o.path === '__name__' || o.path in doc.fields) &&
    filters.every((f) => f.path in doc.fields && operators[f.op](compareValues(doc.fields[f.path], f.value))));
  found.sort((a, b) => compare(a, b) || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  if (query.startAt) {
    const { values, before } = members(query.startAt, ['values', 'before'], 'startAt');
    if (values.length > orders.length) throw invalid('Too many cursor values');
    const place = { fields: Object.fromEntries(values.map((v, i) => [orders[i].path, v])) };
    const some = orders.slice(0, values.length);
    const order = (doc) => {
      for (const { path, direction } of some) {
        const o = compareValues(valueAt(doc, path), place.fields[path]);
        if (o !== 0) return direction === 'ASCENDING' ? o : -o;
      }
      return 0;
    };
    found = found.filter((doc) => (before ? order(doc) >= 0 : order(doc) > 0));
  }
  const readTime = now();
  const paths = query.select && members(query.select, ['fields'], 'select').fields.map((f) => f.fieldPath);
  found = found.slice(0, query.limit ?? Infinity);
  return found.length === 0 ? [{ readTime }] : found.map((doc) => ({ document: pick(doc, paths), readTime }));
}

const methods = {
  commit,
  batchGet,
  runQuery,
  beginTransaction(documents, database, body) {
    members(body, ['options'], 'beginTransaction');
    const transaction = Buffer.from(`t${transactions.size}-${now()}`).toString('base64');
    transactions.set(transaction, new Map());
    return { transaction };
  },
  rollback(documents, database, body) {
    if (!transactions.delete(members(body, ['transaction'], 'rollback').transaction)) throw invalid('The transaction is not known');
    return {};
  },
};

function refuse(res, method, refusal) {
  const error = { error: { code: refusal.code, message: refusal.message, status: refusal.status } };
  res.writeHead(refusal.code, { 'content-type': 'application/json' });
  res.end(JSON.stringify(method === 'batchGet' || method === 'runQuery' ? [error] : error));
}

function takeFault(method) {
  const fault = faults.find((f) => f.method === method && f.count > 0);
  if (fault) fault.count--;
  return fault?.how;
}

function serve(req, res, text) {
  if (req.url === '/_fail') {
    faults.push(JSON.parse(text));
    return res.writeHead(204).end();
  }
  const [, database, method] = /^\/v1\/(projects\/[^/]+\/databases\/[^/]+)\/documents:(\w+)$/.exec(decodeURIComponent(req.url)) ?? [];
  if (req.method !== 'POST' || !methods[method] || req.headers['content-type'] !== 'application/json') return res.writeHead(404).end();
  if (req.headers.authorization !== 'Bearer owner') return refuse(res, method, new Refusal(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.'));
  if (Buffer.byteLength(text) > 10485760) return refuse(res, method, invalid('Request payload size exceeds the limit: 10485760 bytes.'));
  const how = takeFault(method);
  if (how === 'drop') return req.socket.destroy();
  if (how === 'aborted') return refuse(res, method, new Refusal(409, 'ABORTED', 'Too much contention on these documents.'));
  if (how === '429') return refuse(res, method, new Refusal(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.'));
  if (how === '503') return refuse(res, method, new Refusal(503, 'UNAVAILABLE', 'The service is currently unavailable.'));
  if (!databases.has(database)) databases.set(database, new Map());
  try {
    const answer = methods[method](databases.get(database), database, JSON.parse(text));
    if (how === 'drop_after') return req.socket.destroy();
    res.writeHead(200, { 'content-type': 'application/json' });
    return res.end(JSON.stringify(answer));
  } catch (e) {
    return refuse(res, method, e instanceof Refusal ? e : invalid(String(e)));
  }
}

http.createServer((req, res) => {
  const pieces = [];
  req.on('data', (piece) => pieces.push(piece));
  req.on('end', () => serve(req, res, Buffer.concat(pieces).toString()));
}).listen(Number(process.argv[2]), '127.0.0.1');
