// Reading the files that people send, as the shipped program does it: `theo extract-child`.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { bin, cleanEnv, run, scratch } from './theo.js';

const memory = String(512 << 20);

// The file is standard input, and must be one that can seek.
function extract(kind, bytes) {
  const dir = scratch(), path = join(dir, 'file');
  try {
    writeFileSync(path, bytes);
    const file = openSync(path, 'r');
    const out = spawnSync(bin, ['extract-child', kind, memory, '10'], { env: cleanEnv(), stdio: [file, 'pipe', 'ignore'] });
    closeSync(file);
    return { code: out.status, text: out.stdout.toString() };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = (n >>> 1) ^ (n & 1 ? 0xedb88320 : 0);
  return n;
});

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255];
  return ~crc >>> 0;
}

// A ZIP archive of one part, as APPNOTE.TXT has it.
function zip(name, content) {
  const packed = deflateRawSync(content), file = Buffer.from(name);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(file.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, file, packed]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, Buffer.alloc(14), file]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

const docx = (body) => zip('word/document.xml', Buffer.from(
  `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`));

const pdf = Buffer.from(`%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 12 Tf 72 700 Td (Offer no. 7) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
`);

test('a Word document becomes text', () => {
  const out = extract('docx', docx('<w:p><w:r><w:t>Terms &amp; prices</w:t></w:r></w:p>'));
  assert.deepEqual(out, { code: 0, text: 'Terms & prices\n' });
});

test('a PDF becomes text', { skip: !existsSync('/usr/bin/pdftotext') && 'pdftotext is not installed' }, () => {
  assert.match(extract('pdf', pdf).text, /^Offer no\. 7\n/);
});

test('a bomb and a damaged file are told apart', () => {
  assert.equal(extract('docx', zip('word/document.xml', Buffer.alloc(70 << 20, 32))).code, 42);
  assert.equal(extract('docx', Buffer.from('PK\x03\x04 and nothing')).code, 41);
});

test('the child reads nothing when it is called wrongly', async () => {
  assert.deepEqual(extract('exe', pdf), { code: 45, text: '' });
  assert.equal((await run(['extract-child'])).code, 45);
});

test('theo doctor reads a PDF, or says what is missing', async () => {
  const dir = scratch();
  try {
    const out = await run(['doctor', '--data-dir', join(dir, 'data'), '--json']);
    const finding = JSON.parse(out.stdout).find((one) => one.check === 'attachments');
    if (existsSync('/usr/bin/pdftotext')) assert.equal(finding.state, 'ok', finding.detail);
    else assert.match(finding.detail, /poppler-utils/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
