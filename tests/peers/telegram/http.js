// HTTP as the Bot API takes it: parameters from the query string and from urlencoded, JSON and
// multipart bodies, all made strings (what is nested: JSON in a string), and uploaded files.
'use strict';

const maxBody = 55 << 20;

function collect(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= maxBody) chunks.push(chunk);
    });
    request.on('end', () => (size > maxBody ? reject(new Error('too large')) : resolve(Buffer.concat(chunks))));
    request.on('error', reject);
    request.on('close', () => reject(new Error('closed')));
  });
}

const stringOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

function addForm(args, text) {
  for (const [name, value] of new URLSearchParams(text)) args[name] = value;
}

// "form-data; name=\"a\"; filename=\"b.txt\"" → {name, filename}
function disposition(header) {
  const found = {};
  for (const match of header.matchAll(/;\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/gi))
    found[match[1].toLowerCase()] = (match[2] ?? match[3]).replace(/\\(.)/g, '$1').replace(/%22/g, '"');
  return found;
}

function addMultipart(args, files, body, boundary) {
  const fence = Buffer.from(`--${boundary}`);
  let at = body.indexOf(fence);
  for (;;) {
    if (at < 0) return false;
    at += fence.length;
    if (body.subarray(at, at + 2).toString() === '--') return true;
    at += 2;
    const headEnd = body.indexOf('\r\n\r\n', at);
    const next = body.indexOf(`\r\n--${boundary}`, headEnd);
    if (headEnd < 0 || next < 0) return false;
    const head = body.subarray(at, headEnd).toString();
    const content = body.subarray(headEnd + 4, next);
    const { name, filename } = disposition(/^content-disposition:(.*)$/im.exec(head)?.[1] ?? '');
    if (name === undefined) return false;
    if (filename === undefined) args[name] = content.toString();
    else files[name] = { name: filename, mime: /^content-type:\s*(\S+)/im.exec(head)?.[1] ?? '', bytes: Buffer.from(content) };
    at = next + 2;
  }
}

// {args: {name: string}, files: {name: {name, mime, bytes}}, problem?}: problem is a 400's text.
function readArgs(url, headers, body) {
  const args = {}, files = {};
  const query = url.indexOf('?');
  if (query >= 0) addForm(args, url.slice(query + 1));
  const type = headers['content-type'] ?? '';
  if (body.length === 0) return { args, files };
  if (/^application\/json/i.test(type)) {
    let object;
    try { object = JSON.parse(body.toString()); } catch { /* refused below */ }
    if (typeof object !== 'object' || object === null || Array.isArray(object))
      return { args, files, problem: "can't parse JSON object" };
    for (const [name, value] of Object.entries(object)) if (value !== null) args[name] = stringOf(value);
  } else if (/^application\/x-www-form-urlencoded/i.test(type)) {
    addForm(args, body.toString());
  } else if (/^multipart\/form-data/i.test(type)) {
    const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
    if (!boundary || !addMultipart(args, files, body, boundary[1] ?? boundary[2]))
      return { args, files, problem: "can't parse multipart body" };
  }
  return { args, files };
}

module.exports = { collect, readArgs };
